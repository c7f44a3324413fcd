#include <math.h>
#include <string.h>

#include "gemm.h"
#include "ssd_chunk.h"

/* The matrix of a head, exact for the operand x (Dao and Gu 2024):
 *     M[r][c] = exp(A (dt_{c+1} + ... + dt_r)) (C_r B_c) dt_c.
 * or raw, for the operand dt x, without dt_c. Exponents are sums of their own
 * in double, from the row back, then row after row: no differences. */

static int64_t heads(const heedi_node *y)
{
    const heedi_ssd_args *a = y->args;
    return a->heads;
}

static double rate(const heedi_node *y, int64_t row, int64_t h)
{
    const heedi_ssd_args *a = y->args;
    return (double)a->a[h] * (double)*dt_of(y, row, h);
}

/* Decay and dt onto the products of row q, columns 0 ... q. s: exponents. */
static void decay_row(const heedi_node *y, const room *r, int64_t row0,
                      int64_t h, int64_t q, bool raw, heed_real *m)
{
    const heedi_scan_table *k = heedi_scan_kernels();
    const heedi_ssd_args *a = y->args;
    const heed_real *dt = dt_of(y, row0, h);
    for (int64_t c0 = 0; c0 <= q; c0 += Q) {
        const int64_t n = q + 1 - c0 < Q ? q + 1 - c0 : Q;
        for (int64_t i = 0; i < Q; i++)
            r->l[i] = i < n ? (heed_real)r->sum[c0 + i] : 0;
        k->decay(Q, r->l, r->in);
        for (int64_t i = 0; i < n; i++)
            m[c0 + i] *= raw ? r->in[i] : r->in[i] * dt[(c0 + i) * a->heads];
    }
}

static void rows(const heedi_node *y, const heedi_run *run, const heedi_view *v)
{
    const heedi_ssd_args *a = y->args;
    const int64_t row0 = run->batch->start[v->seq], h = v->head;
    const int64_t len = heedi_len(run->batch, v->seq), end = v->q0 + v->nq;
    const int64_t ld = a->groups * a->n_state;
    const room r = heedi_ssd_room(y, run);
    heedi_blas(false, true, v->nq, end, a->n_state, 1,
               bc_of(y, 3, row0 + v->q0, h), ld, bc_of(y, 2, row0, h), ld, 0,
               v->out, len);
    r.sum[v->q0] = 0;
    for (int64_t c = v->q0 - 1; c >= 0; c--)
        r.sum[c] = r.sum[c + 1] + rate(y, row0 + c + 1, h);
    for (int64_t q = v->q0; q < end; q++) {
        heed_real *m = v->out + (q - v->q0) * len;
        const double l = rate(y, row0 + q, h);
        for (int64_t c = 0; q > v->q0 && c < q; c++)
            r.sum[c] += l;
        r.sum[q] = 0;
        decay_row(y, &r, row0, h, q, run->raw, m);
        memset(m + q + 1, 0, (size_t)(len - q - 1) * sizeof *m);
    }
}

/* D x, and what is left of the state that the sequence continued. */
static void head_rest(const heedi_node *y, const heedi_run *run,
                      const heedi_view *v, int64_t h)
{
    const heedi_ssd_args *a = y->args;
    const int64_t row0 = run->batch->start[v->seq], p = a->head_dim;
    const heed_real *s = v->before;
    double l = 0;
    for (int64_t i = 0; s && i < v->q0; i++)
        l += rate(y, row0 + i, h);
    for (int64_t i = 0; i < v->nq; i++) {
        const int64_t row = row0 + v->q0 + i;
        const heed_real *x = y->in[0]->x + row * y->cols + h * p;
        heed_real *out = v->out + i * y->cols + h * p;
        for (int64_t j = 0; j < p; j++)
            out[j] = a->d[h] * x[j];
        if (!s)
            continue;
        l += rate(y, row, h);
        heedi_blas(false, true, 1, p, a->n_state, (heed_real)exp(l),
                   bc_of(y, 3, row, h), a->n_state,
                   s + (size_t)h * state_size(a), a->n_state, 1, out, y->cols);
    }
}

static void rest(const heedi_node *y, const heedi_run *run, const heedi_view *v)
{
    const heedi_ssd_args *a = y->args;
    for (int64_t h = 0; h < a->heads; h++)
        head_rest(y, run, v, h);
}

static void sizes(const heedi_node *y, const heedi_run *run, int64_t row,
                  int64_t n, heed_real *out)
{
    const heedi_ssd_args *a = y->args;
    (void)run;
    for (int64_t i = 0; i < n * y->cols; i++)
        out[i] = *dt_of(y, row + i / y->cols, i % y->cols / a->head_dim);
}

/* The whole state of a head decays as one. */
static int64_t states(const heedi_node *y)
{
    (void)y;
    return 1;
}

static void rates(const heedi_node *y, const heedi_run *run,
                  const heedi_steps *s, double *out)
{
    const int64_t row = run->batch->start[s->seq] + s->from;
    for (int64_t t = 0; t < s->n; t++)
        out[t] = -rate(y, row + t, s->head);
}

const heedi_mixing heedi_ssd_mixing = {
    .mixer = "ssd",
    .operand = 0,
    .step = 1,
    .heads = heads,
    .rows = rows,
    .rest = rest,
    .sizes = sizes,
    .states = states,
    .rates = rates,
    .transpose = heedi_ssd_transpose,
    .apply = heedi_ssd_apply,
    .separable = &heedi_ssd_separable,
};
