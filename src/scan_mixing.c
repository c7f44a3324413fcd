#include "scan.h"

#include <math.h>
#include <string.h>

#include "args.h"
#include "kernel.h"

/* The matrix of S6 (Ali et al. 2024, arXiv:2403.01590, eq. 14), a channel's:
 *     M[r][c] = sum over n of C_r[n] exp(A[n] sum of dt_k, c < k <= r)
 *               dt_c B_c[n]
 * on x; beside it stay D x_r and what a carried state gives. Every exponent is
 * at most 0. Rows and columns are counted in steps: from the end where time
 * runs back, so that the matrix is upper triangular. */

static int64_t heads(const heedi_node *y)
{
    return y->cols;
}

/* exp(A[n] dt) of one channel, n_state of each of len steps, the first of which
 * is at `row`. */
static void decays(const heedi_node *y, int64_t row, int64_t len, int64_t d,
                   heed_real *out)
{
    const heedi_scan_args *a = y->args;
    const int64_t n = a->n_state, all = len * n;
    const heed_real *rate =
        a->a + (size_t)(d / HEEDI_LANES) * heedi_scan_unit(y) + d % HEEDI_LANES;
    for (int64_t c = 0; c < len; c++) {
        const heed_real dt =
            y->in[1]->x[(row + heedi_scan_step(y) * c) * y->cols + d];
        for (int64_t i = 0; i < n; i++)
            out[c * n + i] = dt * rate[i * HEEDI_LANES];
    }
    memset(out + all, 0, HEEDI_LANES * sizeof *out);
    heedi_scan_kernels()->decay(
        (all + HEEDI_LANES - 1) / HEEDI_LANES * HEEDI_LANES, out, out);
}

/* len columns of a row, the first of which is at `row`; g: what is left of C_r
 * beyond them, in double: it is multiplied once for every step. */
static void columns(const heedi_node *y, int64_t row, int64_t len, int64_t d,
                    const heed_real *decay, double *g, heed_real *out)
{
    const int64_t n = ((const heedi_scan_args *)y->args)->n_state;
    const int64_t step = heedi_scan_step(y);
    for (int64_t c = len - 1; c >= 0; c--) {
        const int64_t at = row + step * c;
        const heed_real *b = y->in[2]->x + at * n;
        const heed_real *e = decay + c * n;
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < n; i++) {
            sum += g[i] * (double)b[i];
            g[i] *= (double)e[i];
        }
        out[step * c] =
            (heed_real)(sum * (double)y->in[1]->x[at * y->cols + d]);
    }
}

/* Of steps r0 ... r0+m-1, m <= HEEDI_SCAN_PIECE. Chunks of columns from the
 * last to the first, so that a decay is made once for all rows. out: row 0,
 * column 0. */
static void piece(const heedi_node *y, const heedi_run *run,
                  const heedi_view *v, int64_t r0, int64_t m, heed_real *out)
{
    const int64_t n = ((const heedi_scan_args *)y->args)->n_state;
    const int64_t len = heedi_len(run->batch, v->seq);
    const int64_t row0 = heedi_scan_row(y, run->batch, v->seq, 0);
    const int64_t step = heedi_scan_step(y);
    heed_real *decay = heedi_scan_own(y, run);
    double *g =
        (double *)(void *)(decay + (HEEDI_SCAN_CHUNK + 1) * n * HEEDI_LANES);
    for (int64_t i = 0; i < m; i++)
        for (int64_t k = 0; k < n; k++)
            g[i * n + k] =
                (double)y->in[3]->x[(row0 + step * (r0 + i)) * n + k];
    for (int64_t c1 = r0 + m; c1 > 0;) {
        const int64_t c0 = (c1 - 1) / HEEDI_SCAN_CHUNK * HEEDI_SCAN_CHUNK;
        decays(y, row0 + step * c0, c1 - c0, v->head, decay);
        for (int64_t i = 0; i < m; i++) {
            const int64_t last = r0 + i < c1 - 1 ? r0 + i : c1 - 1;
            columns(y, row0 + step * c0, last - c0 + 1, v->head, decay,
                    g + i * n, out + step * (i * len + c0));
        }
        c1 = c0;
    }
}

static void rows(const heedi_node *y, const heedi_run *run, const heedi_view *v)
{
    const int64_t len = heedi_len(run->batch, v->seq);
    const bool back = heedi_scan_step(y) < 0;
    const int64_t first = back ? len - v->q0 - v->nq : v->q0; /* step */
    memset(v->out, 0, (size_t)(v->nq * len) * sizeof *v->out);
    for (int64_t i = 0; i < v->nq; i += HEEDI_SCAN_PIECE) {
        const int64_t left = v->nq - i;
        const int64_t m = left < HEEDI_SCAN_PIECE ? left : HEEDI_SCAN_PIECE;
        piece(y, run, v, first + i, m,
              back ? v->out + (v->nq - i) * len - 1 : v->out + i * len);
    }
}

/* What the state before the first step still gives in row r. */
static double carried(const heedi_node *y, const heedi_run *run,
                      const heedi_view *v, int64_t row, int64_t d)
{
    const heedi_scan_args *a = y->args;
    const int64_t row0 = run->batch->start[v->seq];
    const size_t at = (size_t)(d / HEEDI_LANES) * heedi_scan_unit(y) +
                      (size_t)(d % HEEDI_LANES);
    const heed_real *h = (const heed_real *)v->before + at, *rate = a->a + at;
    double time = 0, sum = 0;
    for (int64_t r = row0; r <= row; r++)
        time += (double)y->in[1]->x[r * y->cols + d];
    for (int64_t i = 0; i < a->n_state; i++)
        sum += (double)y->in[3]->x[row * a->n_state + i] *
               exp(time * (double)rate[i * HEEDI_LANES]) *
               (double)h[i * HEEDI_LANES];
    return sum;
}

static void rest(const heedi_node *y, const heedi_run *run, const heedi_view *v)
{
    const heedi_scan_args *a = y->args;
    for (int64_t i = 0; i < v->nq; i++) {
        const int64_t row = run->batch->start[v->seq] + v->q0 + i;
        for (int64_t d = 0; d < y->cols; d++) {
            double x = (double)a->d[d] * (double)y->in[0]->x[row * y->cols + d];
            if (v->before)
                x += carried(y, run, v, row, d);
            v->out[i * y->cols + d] = (heed_real)x;
        }
    }
}

/* ---- decay ---- */

static int64_t states(const heedi_node *y)
{
    return ((const heedi_scan_args *)y->args)->n_state;
}

static void rates(const heedi_node *y, const heedi_run *run,
                  const heedi_steps *s, double *out)
{
    const heedi_scan_args *a = y->args;
    const int64_t d = s->head;
    const heed_real *rate =
        a->a + (size_t)(d / HEEDI_LANES) * heedi_scan_unit(y) + d % HEEDI_LANES;
    for (int64_t t = 0; t < s->n; t++) {
        const int64_t row = heedi_scan_row(y, run->batch, s->seq, s->from + t);
        const double dt = (double)y->in[1]->x[row * y->cols + d];
        for (int64_t i = 0; i < a->n_state; i++)
            out[i * s->n + t] = -dt * (double)rate[i * HEEDI_LANES];
    }
}

/* ---- products ---- */

static const heed_real no_skip[HEEDI_LANES] = {0};

/* out = M^T x, the pass of relevance without the skip, or M x, the scan. */
static void times(const heedi_node *y, const heedi_run *run, bool transposed,
                  const heed_real *x, heed_real *out)
{
    const heedi_batch *b = run->batch;
    const heedi_scan_table *k = heedi_scan_kernels();
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t g = 0; g < heedi_scan_groups(y); g++) {
            const int64_t at =
                heedi_scan_row(y, b, seq, 0) * y->cols + g * HEEDI_LANES;
            heed_real *h = heedi_scan_own(y, run);
            heedi_scan s = heedi_scan_part(y, b, seq, 0, heedi_len(b, seq), g);
            s.d = no_skip;
            memset(h, 0, heedi_scan_unit(y) * sizeof *h);
            if (transposed) {
                k->relevance(&s, h, x + at, out + at, false);
                continue;
            }
            s.x = x + at;
            k->forward(&s, h, out + at, NULL);
        }
}

static void transpose(const heedi_node *y, const heedi_run *run,
                      const heed_real *g, heed_real *gv)
{
    times(y, run, true, g, gv);
}

static void apply(const heedi_node *y, const heedi_run *run, const heed_real *x,
                  heed_real *out)
{
    times(y, run, false, x, out);
}

static const char *direction(const heedi_node *y)
{
    return heedi_scan_step(y) < 0 ? "backward" : "forward";
}

const heedi_mixing heedi_scan_mixing = {.mixer = "s6",
                                        .direction = direction,
                                        .operand = 0,
                                        .step = 1,
                                        .channels = true,
                                        .heads = heads,
                                        .rows = rows,
                                        .rest = rest,
                                        .states = states,
                                        .rates = rates,
                                        .transpose = transpose,
                                        .apply = apply,
                                        .fold = heedi_scan_fold,
                                        .fold_scratch =
                                            heedi_scan_fold_scratch};
