#include <math.h>
#include <string.h>

#include "args.h"
#include "separable.h"
#include "wkv.h"

/* Folds of the matrices of op/wkv.c: all channels are one unit. With the
 * maximum m of the exponents before the reference,
 *     p[r] = e^(w (r-ref) + m - max_r) / (the row's sum beside max_r),
 *     q[c] = e^(w (ref-1-c) + k_c - m),
 * where both exponents are at most 0: the row has what m is of among its own.
 * Exponents are double. */

enum { STRIP = HEEDI_SEP_STRIP, NEAR = STRIP + HEEDI_SEP_AHEAD };

static int64_t unit(const heedi_node *y)
{
    return y->cols;
}

static int64_t strips(int64_t end)
{
    return (end + STRIP - 1) / STRIP;
}

/* m before every strip; of each row its maximum, and 1 / the sum. */
typedef struct rows {
    double *before, *max, *inv;
} rows;

static size_t shared(const heedi_node *y, int64_t end, int64_t n)
{
    return (size_t)((strips(end) + 2 * n) * y->cols) * sizeof(double);
}

static size_t own(const heedi_node *y)
{
    (void)y;
    return 0;
}

static rows rows_of(const heedi_separable_call *c)
{
    rows r = {.before = c->shared};
    r.max = r.before + strips(c->end) * c->y->cols;
    r.inv = r.max + (c->end - c->from) * c->y->cols;
    return r;
}

static void group(const heedi_separable_call *c, int64_t g)
{
    const rows to = rows_of(c);
    const int64_t cols = c->y->cols, c0 = g * HEEDI_LANES;
    double state[HEEDI_WKV_STATE], steps[STRIP * HEEDI_WKV_STATE];
    heedi_wkv_begin(state, c->before, g);
    for (int64_t t = 0; t < c->end; t += STRIP) {
        const int64_t n = c->end - t < STRIP ? c->end - t : STRIP;
        const heedi_wkv s = heedi_wkv_part(c->y, c->row0 + t, n, g, NULL);
        const size_t size = (size_t)s.lanes * sizeof(double);
        memcpy(to.before + t / STRIP * cols + c0, state + 2 * HEEDI_LANES,
               size);
        heedi_wkv_kernels()->forward(&s, state, NULL, NULL, steps);
        for (int64_t i = 0; t >= c->from && i < n; i++) {
            const int64_t at = (t + i - c->from) * cols + c0;
            memcpy(to.max + at, steps + i * HEEDI_WKV_STATE, size);
            memcpy(to.inv + at, steps + i * HEEDI_WKV_STATE + HEEDI_LANES,
                   size);
        }
    }
}

static void prepare(const heedi_separable_call *c)
{
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t g = 0; g < heedi_wkv_groups(c->y); g++)
        group(c, g);
}

static void falls(int64_t n, heed_real *x)
{
    const int64_t up = (n + HEEDI_LANES - 1) / HEEDI_LANES * HEEDI_LANES;
    memset(x + n, 0, (size_t)(up - n) * sizeof *x);
    heedi_scan_kernels()->decay(up, x, x);
}

static void far(const heedi_separable_call *c, const heedi_separable_part *x,
                void *work, heed_real *gram, heed_real *p, heed_real *q)
{
    const heedi_wkv_args *a = c->y->args;
    const rows r = rows_of(c);
    const int64_t cols = c->y->cols, n = x->nh;
    const double *w = a->w + x->h0;
    const double *m = r.before + x->r0 / STRIP * cols + x->h0;
    (void)work;
    (void)gram;
    for (int64_t i = 0; i < x->n; i++) {
        const double *max = r.max + (x->r0 + i - c->from) * cols + x->h0;
#pragma omp simd
        for (int64_t h = 0; h < n; h++)
            p[i * n + h] = (heed_real)(w[h] * (double)i + m[h] - max[h]);
    }
    for (int64_t i = 0; i < x->m; i++) {
        const heed_real *k =
            c->y->in[0]->x + (c->row0 + x->c0 + i) * cols + x->h0;
        const double steps = (double)(x->r0 - 1 - x->c0 - i);
#pragma omp simd
        for (int64_t h = 0; h < n; h++)
            q[i * n + h] = (heed_real)(w[h] * steps + (double)k[h] - m[h]);
    }
    falls(x->n * n, p);
    falls(x->m * n, q);
    for (int64_t i = 0; i < x->n; i++) {
        const double *inv = r.inv + (x->r0 + i - c->from) * cols + x->h0;
#pragma omp simd
        for (int64_t h = 0; h < n; h++)
            p[i * n + h] = (heed_real)((double)p[i * n + h] * inv[h]);
    }
}

static void near(const heedi_separable_call *c, const heedi_separable_part *x,
                 void *work, heed_real *m)
{
    const heedi_wkv_args *a = c->y->args;
    const rows r = rows_of(c);
    const int64_t cols = c->y->cols, h = x->h0, last = x->r0 + x->n - x->c0;
    const heed_real *k = c->y->in[0]->x + (c->row0 + x->c0) * cols + h;
    double key[NEAR];
    (void)work;
    for (int64_t i = 0; i < last; i++)
        key[i] = (double)k[i * cols];
    for (int64_t i = 0; i < x->n; i++) {
        const int64_t now = x->r0 + i - x->c0;
        const int64_t at = (x->r0 + i - c->from) * cols + h;
        heed_real *to = m + i * HEEDI_SEP_LD;
        heedi_wkv_kernels()->weights(now, key, a->w[h], r.max[at], r.inv[at],
                                     to);
        to[now] = (heed_real)(exp(a->u[h] + key[now] - r.max[at]) * r.inv[at]);
    }
}

const heedi_separable heedi_wkv_separable = {.unit = unit,
                                             .grams = false,
                                             .scales = true,
                                             .shared = shared,
                                             .own = own,
                                             .prepare = prepare,
                                             .far = far,
                                             .near = near};
