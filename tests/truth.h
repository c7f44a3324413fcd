/* truth.h - the matrices of every layer of a small model, from single rows of
 * single channels, and what is made of them by definition, in double. Needs
 * testlib.h and ask.h before it. */
#ifndef TRUTH_H
#define TRUTH_H

#include "exec.h"
#include "implicit.h"
#include "target.h"

enum { T = 37, L = 2 };
static const double limit = sizeof(heed_real) == 4 ? 1e-5 : 1e-11;

/* Of every layer, all matrices of one kind, (count, T, T), and what there is
 * of each column, (T, cols). */
typedef struct truth {
    bool block, skip;
    int64_t count, cols;
    double *m[L], *operand[L], *output[L], *g[L];
} truth;

static inline double *doubles(int64_t n)
{
    double *x = calloc((size_t)n, sizeof *x);
    assert_non_null(x);
    return x;
}

static inline void look(truth *t, const heedi_exec *e, const heedi_tape *tape,
                        const heedi_node *y)
{
    const int64_t l = tape->layer;
    heedi_implicit m;
    heedi_implicit_of(&m, tape, y, t->block);
    m.folds_skip = t->skip;
    void *mem =
        calloc(1, heedi_implicit_bytes(&m, &e->batch, e->run.threads) + 1);
    heed_real row[T];
    heedi_implicit_fill(&m, &e->run, mem);
    t->count = heedi_implicit_count(&m);
    t->cols = y->cols;
    t->m[l] = doubles(t->count * T * T);
    t->operand[l] = doubles(T * t->cols);
    t->output[l] = doubles(T * t->cols);
    t->g[l] = doubles(T * t->cols);
    for (int64_t i = 0; i < t->count * T; i++) {
        const heedi_view v = {.head = i / T, .q0 = i % T, .nq = 1, .out = row};
        heedi_implicit_rows(&m, &e->run, &v);
        for (int64_t c = 0; c < T; c++)
            t->m[l][i * T + c] = (double)row[c];
    }
    for (int64_t i = 0; i < T * t->cols; i++) {
        t->operand[l][i] =
            (double)heedi_implicit_operand_at(&m, i / t->cols, i % t->cols);
        t->output[l][i] = (double)m.output->x[i];
        t->g[l][i] = m.output->g ? (double)m.output->g[i] : 0;
    }
    free(mem);
}

static inline heed_status visit(void *ud, heedi_exec *e, int64_t block)
{
    const heedi_tape *t = &e->block[block].tape;
    const heedi_node *y = heedi_next_mixing(t, NULL);
    if (y)
        look(ud, e, t, y);
    return HEED_OK;
}

static inline void watch(void *ud, const heedi_exec *e, const heedi_node *y)
{
    look(ud, e, &e->block[y->layer + 1].tape, y);
}

static const int64_t some_len = T;

/* With a gradient: of the logit of token 3 at the last position. */
static inline void find(truth *t, const world *w, bool gradient)
{
    const heedi_exec_options o = {
        .rules = {gradient ? HEEDI_GRADIENT : HEEDI_FORWARD, NULL},
        .mixing = true,
        .watch_mixing = gradient,
        .head_rows = 1};
    heedi_exec e;
    int32_t id[T];
    for (int i = 0; i < T; i++)
        id[i] = w->t->token[i].id;
    assert_int_equal(heedi_exec_init(&e, w->ctx, w->m, &some_len, 1, id, &o),
                     HEED_OK);
    assert_int_equal(
        heedi_exec_forward(&e, gradient ? NULL : visit, gradient ? NULL : t),
        HEED_OK);
    if (gradient) {
        const heed_target target = {"logit", -1, 3, -1};
        heed_real *logit =
            calloc((size_t)heedi_target_room(w->m), sizeof *logit);
        heedi_aim aim;
        e.watch = watch;
        e.watch_ud = t;
        assert_int_equal(heedi_aim_at(&aim, &e, &target, 0, T, logit, NULL),
                         HEED_OK);
        assert_int_equal(heedi_head_seed(&e, &aim.seed, 1, &aim.seed_value),
                         HEED_OK);
        assert_int_equal(heedi_exec_backward(&e, NULL, NULL), HEED_OK);
        free(logit);
    }
    heedi_exec_clear(&e);
}

static inline void forget(truth *t)
{
    for (int l = 0; l < L; l++) {
        free(t->m[l]);
        free(t->operand[l]);
        free(t->output[l]);
        free(t->g[l]);
    }
}

static const int64_t few[] = {0, 3, 7};
enum { FEW = 3 };

/* Entry (r, c) of one layer, over all matrices or a few. */
static inline double entry(const truth *t, const char *reduce, bool some,
                           int64_t l, int64_t r, int64_t c)
{
    const int64_t n = some ? FEW : t->count;
    double sum = 0, most = -HUGE_VAL;
    for (int64_t k = 0; k < n; k++) {
        const int64_t i = some ? few[k] : k;
        const double x = t->m[l][(i * T + r) * T + c];
        sum += strcmp(reduce, "pos_mean") == 0   ? fmax(x, 0)
               : strcmp(reduce, "abs_mean") == 0 ? fabs(x)
               : strcmp(reduce, "l2") == 0       ? x * x
                                                 : x;
        most = fmax(most, x);
    }
    return strcmp(reduce, "max") == 0  ? most
           : strcmp(reduce, "l2") == 0 ? sqrt(sum)
                                       : sum / (double)n;
}

static inline double contribution(const truth *t, int64_t l, int64_t r,
                                  int64_t c)
{
    double sum = 0;
    for (int64_t d = 0; d < t->cols; d++)
        sum += t->g[l][r * t->cols + d] *
               t->m[l][(d / (t->cols / t->count) * T + r) * T + c] *
               t->operand[l][c * t->cols + d];
    return sum;
}

static inline const heed_array *array(const heed_result *r, const char *name)
{
    const heed_array *a = heed_result_get(r, "attention", name);
    assert_non_null(a);
    return a;
}

static inline void near(double worst, double most, const char *what)
{
    if (!(worst <= limit * most) || !(most > 0))
        fail_msg("%s: off by %.3g of %.3g", what, worst, most);
}

#endif
