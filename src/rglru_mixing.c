#include "rglru.h"

#include <math.h>
#include <string.h>

#include "args.h"

/* The matrix of the RG-LRU (Zimerman et al. 2025, arXiv:2405.16504), a
 * channel's, with w = m i:
 *     M[r][c] = (product of a_k, c < k <= r) w_c >= 0
 * on x, or raw with w = i, on m x; beside it stays what a carried state gives.
 */

enum { STEPS = 64 };

/* Coefficients of some steps, (STEPS, LANES). */
typedef struct steps {
    heed_real one[STEPS * HEEDI_LANES], part[STEPS * HEEDI_LANES],
        w[STEPS * HEEDI_LANES];
} steps;

/* Steps t0 ... t0+n-1 of s. */
static void take(heedi_rglru s, int64_t t0, int64_t n, steps *out)
{
    s.fresh = s.fresh && t0 == 0;
    s.len = n;
    s.in += t0 * s.ld;
    s.rec += t0 * s.ld;
    heedi_rglru_kernels()->coefficients(&s, out->one, out->part, out->w);
}

/* w without m. */
static void take_raw(const heedi_rglru *s, int64_t t0, int64_t n, int64_t lane,
                     steps *out)
{
    for (int64_t t = 0; t < n; t++)
        out->w[t * HEEDI_LANES + lane] =
            heedi_rglru_gate(s->in[(t0 + t) * s->ld + lane]);
}

static int64_t heads(const heedi_node *y)
{
    return y->cols;
}

enum { ROWS = 8 };

/* Rows r0 ... r0+n-1 from their last entries to the first, in double: a row has
 * the same bits whichever others are asked for. */
static void some_rows(const heedi_rglru *s, int64_t r0, int64_t n, int64_t lane,
                      bool raw, int64_t len, heed_real *out)
{
    steps k;
    double left[ROWS] = {1, 1, 1, 1, 1, 1, 1, 1}; /* of a state, from c to r */
    for (int64_t end = r0 + n; end > 0;) {
        const int64_t t0 = (end - 1) / STEPS * STEPS;
        take(*s, t0, end - t0, &k);
        if (raw)
            take_raw(s, t0, end - t0, lane, &k);
        for (int64_t c = end - 1; c >= t0; c--) {
            const int64_t at = (c - t0) * HEEDI_LANES + lane;
            const double a = (double)k.one[at] + (double)k.part[at];
            for (int64_t i = c > r0 ? c - r0 : 0; i < n; i++) {
                out[i * len + c] = (heed_real)(left[i] * (double)k.w[at]);
                left[i] *= a;
            }
        }
        end = t0;
    }
}

static void rows(const heedi_node *y, const heedi_run *run, const heedi_view *v)
{
    int64_t at;
    const int64_t len = heedi_len(run->batch, v->seq);
    const int64_t group = v->head / HEEDI_LANES, lane = v->head % HEEDI_LANES;
    const heedi_rglru s = heedi_rglru_part(y, run->batch, v->seq, group, &at);
    memset(v->out, 0, (size_t)(v->nq * len) * sizeof *v->out);
    for (int64_t i = 0; i < v->nq; i += ROWS)
        some_rows(&s, v->q0 + i, v->nq - i < ROWS ? v->nq - i : ROWS, lane,
                  run->raw, len, v->out + i * len);
}

/* A state that nothing is added to, of one group. */
static void fade(const heedi_rglru *s, const heedi_view *v, int64_t c0,
                 int64_t cols)
{
    steps k;
    double h[HEEDI_LANES];
    for (int64_t i = 0; i < s->lanes; i++)
        h[i] = (double)((const heed_real *)v->before)[c0 + i];
    for (int64_t r = 0; r < v->q0 + v->nq; r++) {
        const int64_t n = r % STEPS, left = v->q0 + v->nq - r;
        heed_real *out = v->out + (r - v->q0) * cols + c0;
        if (n == 0)
            take(*s, r, left < STEPS ? left : STEPS, &k);
        for (int64_t i = 0; i < s->lanes; i++) {
            const int64_t at = n * HEEDI_LANES + i;
            h[i] *= (double)k.one[at] + (double)k.part[at];
            if (r >= v->q0)
                out[i] = (heed_real)h[i];
        }
    }
}

static void rest(const heedi_node *y, const heedi_run *run, const heedi_view *v)
{
    int64_t at;
    memset(v->out, 0, (size_t)(v->nq * y->cols) * sizeof *v->out);
    for (int64_t g = 0; v->before && g < heedi_rglru_groups(y); g++) {
        const heedi_rglru s = heedi_rglru_part(y, run->batch, v->seq, g, &at);
        fade(&s, v, g * HEEDI_LANES, y->cols);
    }
}

/* log a of a gate before its sigmoid, at most 0 */
static double log_decay(heed_real rate, heed_real gate)
{
    return (double)rate / (1 + exp(-(double)gate));
}

/* m */
static void sizes(const heedi_node *y, const heedi_run *run, int64_t row,
                  int64_t n, heed_real *out)
{
    const heedi_rglru_args *a = y->args;
    const heedi_batch *b = run->batch;
    const int64_t c = y->cols;
    for (int64_t r = row; r < row + n; r++) {
        const heed_real *gate = y->in[2]->x + r * c;
        const bool fresh =
            b->pos0 == 0 && r == b->start[heedi_sequence_of(b, r)];
        for (int64_t d = 0; d < c; d++)
            *out++ = fresh ? 1
                           : (heed_real)sqrt(
                                 -expm1(2 * log_decay(a->rate[d], gate[d])));
    }
}

/* ---- decay ---- */

static int64_t states(const heedi_node *y)
{
    (void)y;
    return 1;
}

static void rates(const heedi_node *y, const heedi_run *run,
                  const heedi_steps *s, double *out)
{
    int64_t at;
    const int64_t lane = s->head % HEEDI_LANES;
    const heedi_rglru r =
        heedi_rglru_part(y, run->batch, s->seq, s->head / HEEDI_LANES, &at);
    for (int64_t t = 0; t < s->n; t++) {
        const heed_real gate = r.rec[(s->from + t) * r.ld + lane];
        out[t] = r.fresh && s->from + t == 0 ? (double)INFINITY
                                             : -log_decay(r.rate[lane], gate);
    }
}

/* ---- products: the pass of relevance, and the recurrence itself ---- */

static void transpose(const heedi_node *y, const heedi_run *run,
                      const heed_real *g, heed_real *gv)
{
    const heedi_batch *b = run->batch;
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t k = 0; k < heedi_rglru_groups(y); k++) {
            int64_t at;
            const heedi_rglru s = heedi_rglru_part(y, b, seq, k, &at);
            heedi_rglru_kernels()->relevance(&s, g + at, gv + at, false);
        }
}

static void apply(const heedi_node *y, const heedi_run *run, const heed_real *x,
                  heed_real *out)
{
    const heedi_batch *b = run->batch;
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t k = 0; k < heedi_rglru_groups(y); k++) {
            int64_t at;
            heed_real h[HEEDI_LANES] = {0};
            heedi_rglru s = heedi_rglru_part(y, b, seq, k, &at);
            s.x = x + at;
            heedi_rglru_kernels()->forward(&s, h, out + at);
        }
}

const heedi_mixing heedi_rglru_mixing = {.mixer = "rg_lru",
                                         .operand = 0,
                                         .channels = true,
                                         .positive = true,
                                         .heads = heads,
                                         .rows = rows,
                                         .rest = rest,
                                         .sizes = sizes,
                                         .states = states,
                                         .rates = rates,
                                         .transpose = transpose,
                                         .apply = apply,
                                         .separable = &heedi_rglru_separable};
