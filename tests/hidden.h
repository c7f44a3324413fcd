/* hidden.h - a selective scan of any shape, and folds of its matrices. Needs
 * testlib.h before it. */
#ifndef HIDDEN_H
#define HIDDEN_H

#include <stdlib.h>

#include "fold.h"
#include "optest.h"

enum { WIDTH = 4, PANEL = 128 };

typedef struct shape {
    int64_t len, channels, n_state;
    double low, high; /* of dt, log-uniform over the channels; some are 0 */
    bool padded, reversed;
} shape;

enum { LEFT = 1, RIGHT = 2, POST = 4, FILTER = 8 };

static inline int64_t at(const shape *w, int64_t t) /* row of step t */
{
    return w->reversed ? w->len - 1 - t : t;
}

/* ---- a scan ---- */

static inline heed_real *rate_of(heed_real *a, const shape *w, int64_t d,
                                 int64_t k)
{
    return a + (d / HEEDI_LANES * w->n_state + k) * HEEDI_LANES +
           d % HEEDI_LANES;
}

static inline void open_shape(optest *t, heedi_arena *mem, const shape *w)
{
    const int64_t m =
        (w->channels + HEEDI_LANES - 1) / HEEDI_LANES * HEEDI_LANES;
    heedi_scan_args *args = heedi_arena_alloc(mem, sizeof *args);
    heed_real *a = heedi_arena_alloc(mem, (size_t)(m * w->n_state) * sizeof *a);
    heed_real *skip = heedi_arena_alloc(mem, (size_t)m * sizeof *skip);
    for (int64_t d = 0; d < w->channels; d++) {
        skip[d] = (heed_real)(1 - 0.2 * (double)(d % 9));
        for (int64_t k = 0; k < w->n_state; k++)
            *rate_of(a, w, d, k) =
                (heed_real)(-0.3 - (double)k - 0.01 * (double)(d % 7));
    }
    *args = (heedi_scan_args){w->channels, w->n_state, a, skip, w->reversed};
    const heedi_example row = {
        .in = {w->channels, w->channels, w->n_state, w->n_state}, .args = args};
    open_(t, &heedi_op_scan, &row,
          (optest_how){.len = &w->len, .n_seq = 1, .threads = 4});
    uint32_t seed = optest_seed(w->len, w->n_state);
    const double span = log(w->high / w->low);
    for (int64_t i = 0; i < w->len * w->channels; i++) {
        const double part = (double)(7 * (i % w->channels) % w->channels + 1) /
                            (double)(w->channels + 1);
        t->in[1]->x[i] = (heed_real)(w->low * exp(span * part) *
                                     exp(0.3 * (double)rnd(&seed)));
        if (i % 13 == 7)
            t->in[1]->x[i] = 0;
    }
    for (int64_t s = 0; w->padded && s < w->len; s++)
        if (s > w->len / 16) {
            const int64_t row0 = at(w, s);
            memset(t->in[0]->x + row0 * w->channels, 0,
                   (size_t)w->channels * sizeof(heed_real));
            memset(t->in[2]->x + row0 * w->n_state, 0,
                   (size_t)w->n_state * sizeof(heed_real));
        }
}

/* Runs with what every thread of the library does to denormals. */
static inline void with_team(const shape *w,
                             void (*check)(optest *t, const shape *w))
{
    optest t;
    heedi_arena mem;
    heedi_team team;
    heed_ctx *ctx = new_ctx();
    heedi_arena_init(&mem, ctx);
    open_shape(&t, &mem, w);
    assert_int_equal(heed_ctx_threads(t.ctx, 4), HEED_OK);
    heedi_team_enter(&team, t.ctx);
    optest_forward(&t);
    check(&t, w);
    heedi_team_leave(&team);
    optest_close(&t);
    heedi_arena_clear(&mem);
    heed_ctx_free(ctx);
}

/* ---- folds ---- */

static inline heed_real *random_(optest *t, int64_t n, int64_t which)
{
    heed_real *x = optest_reals(t, n);
    uint32_t seed = optest_seed(n, which);
    for (int64_t i = 0; i < n; i++)
        x[i] = optest_value(&seed);
    return x;
}

static inline heedi_fold fold_of(optest *t, const shape *w, int plan)
{
    const int64_t n = w->len * w->channels;
    return (heedi_fold){
        .left = plan & LEFT ? random_(t, n, 20) : NULL,
        .right = plan & RIGHT ? random_(t, n, 21) : NULL,
        .post = plan & POST ? random_(t, n, 22) : NULL,
        .filter = plan & FILTER ? random_(t, WIDTH * w->channels, 23) : NULL,
        .width = WIDTH,
        .reversed = w->reversed,
        .scratch =
            optest_alloc(t, heedi_fold_scratch(t->y, &t->batch, 4, w->len))};
}

/* Rows q0 ... q0+nq-1 in panels; out: (nq, T), not a number before. */
static inline void run(optest *t, heedi_fold f, int threads, int64_t panel,
                       int64_t q0, int64_t nq, heed_real *out)
{
    const int64_t len = t->batch.rows;
    memset(out, 0xff, (size_t)(nq * len) * sizeof *out);
    t->run.threads = threads;
    omp_set_num_threads(threads);
    for (int64_t i = 0; i < nq; i += panel) {
        f.q0 = q0 + i;
        f.nq = nq - i < panel ? nq - i : panel;
        f.out = out + i * len;
        heedi_fold_run(t->y, &t->run, &f);
    }
}

/* Decays that are no normal number are 0: rows that have nothing else are. */
#define TINY 1e-30

/* Largest difference of a row, relative to the largest of `scale`; a number
 * where nothing can enter is as far as can be. */
static inline double row_error(const shape *w, int64_t r, const heed_real *got,
                               const double *want, const double *scale)
{
    double worst = 0, most_ = 0;
    for (int64_t c = 0; c < w->len; c++) {
        const double d = fabs((double)got[c] - want[c]);
        worst = d <= worst ? worst : d == d ? d : HUGE_VAL;
        if (((w->reversed ? c < r : c > r) || !isnormal((double)got[c])) &&
            got[c] != 0)
            return HUGE_VAL; /* nothing can enter, or a denormal */
        most_ = fmax(most_, fabs(scale[c]));
    }
    return worst / fmax(most_, TINY);
}

/* A row of one channel's matrix, by position; `code`: without the decay of the
 * row's own step and without the diagonal. */
static inline void row_of(const optest *t, const shape *w, int64_t d, int64_t r,
                          bool code, double *m)
{
    const heedi_scan_args *a = t->y->args;
    const int64_t n = w->n_state, last = w->reversed ? w->len - 1 - r : r;
    double g[64];
    for (int64_t k = 0; k < n; k++)
        g[k] = (double)t->in[3]->x[r * n + k];
    for (int64_t c = 0; c < w->len; c++)
        m[c] = 0;
    for (int64_t s = last; s >= 0; s--) {
        const int64_t c = at(w, s);
        const double dt = (double)t->in[1]->x[c * w->channels + d];
        double sum = 0;
        for (int64_t k = 0; k < n; k++) {
            sum += g[k] * (double)t->in[2]->x[c * n + k];
            if (!code || s < last)
                g[k] *= exp(dt * (double)*rate_of((heed_real *)(uintptr_t)a->a,
                                                  w, d, k));
        }
        m[c] = code && s == last ? 0 : sum * dt;
    }
}

#endif
