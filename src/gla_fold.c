#include <string.h>

#include "decays.h"
#include "gemm.h"
#include "gla.h"

/* Folds of the matrices of gla_rows.c: with decays of each key, gram is a
 * product over the keys, of rows times the decays since the reference and keys
 * times those up to it. */

static int64_t unit(const heedi_node *y)
{
    (void)y;
    return 1;
}

static size_t shared(const heedi_node *y, int64_t end, int64_t rows)
{
    (void)rows;
    return heedi_decays_bytes(end, y->in[3]->cols);
}

enum {
    NEAR = HEEDI_SEP_STRIP + HEEDI_SEP_AHEAD,
    FAR = HEEDI_SEP_ROWS + HEEDI_SEP_LD
};

/* Both factors, or the decays next to the diagonal and what is left of a row.
 */
static size_t own(const heedi_node *y)
{
    const heedi_gla_args *a = y->args;
    return (size_t)(FAR * heedi_gla_up(a->keys) + HEEDI_LANES) *
           sizeof(heed_real);
}

static void prepare(const heedi_separable_call *c)
{
    enum { CHUNK = HEEDI_GLA_CHUNK };
    const heedi_node *y = c->y;
    const heedi_gla_args *a = y->args;
    const int64_t cols = y->in[3]->cols;
    const heedi_decays d = heedi_decays_of(c, cols);
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t t = 0; t < c->end; t += CHUNK)
        for (int64_t h = 0; h < a->heads; h++)
            for (int64_t i = 0; i < a->keys; i += HEEDI_LANES) {
                const int64_t at = h * a->keys + i, left = a->keys - i;
                const heedi_gla_gate s = {
                    .len = c->end - t < CHUNK ? c->end - t : CHUNK,
                    .lanes = left < HEEDI_LANES ? left : HEEDI_LANES,
                    .ld = cols,
                    .to = cols,
                    .w = y->in[3]->x + (c->row0 + t) * cols + at,
                    .tau = (heed_real)a->tau};
                heedi_gla_kernels()->logs(&s, d.log + t * cols + at);
            }
    heedi_decays_sum(c, &d);
}

/* What head h reads (which = 0) or writes (1) with, at a step. */
static const heed_real *at(const heedi_separable_call *c, int which, int64_t t,
                           int64_t h)
{
    const heedi_gla_args *a = c->y->args;
    const heedi_node *x = c->y->in[which];
    return x->x + (c->row0 + t) * x->cols + h * a->keys;
}

static void far(const heedi_separable_call *c, const heedi_separable_part *x,
                void *work, heed_real *gram, heed_real *p, heed_real *q)
{
    const heedi_gla_args *a = c->y->args;
    const int64_t n = a->keys, h = x->h0;
    const heedi_decays d = heedi_decays_of(c, a->heads * n);
    const heedi_vector_table *v = heedi_vector();
    heed_real *rows = work, *cols = rows + HEEDI_SEP_ROWS * heedi_gla_up(n);
    heedi_decays_far(&d, x, h * n, n, !a->inclusive, rows, cols);
    (void)p;
    (void)q;
    for (int64_t i = 0; i < x->n; i++)
        v->scale((size_t)n, at(c, 0, x->r0 + i, h), rows + i * n, 1,
                 rows + i * n);
    for (int64_t i = 0; i < x->m; i++)
        v->scale((size_t)n, at(c, 1, x->c0 + i, h), cols + i * n, 1,
                 cols + i * n);
    heedi_blas(false, true, x->n, x->m, n, 1, rows, n, cols, n, 0, gram,
               HEEDI_SEP_LD);
}

/* From the row to the left, as in gla_rows.c. */
static void near_row(const heedi_separable_call *c,
                     const heedi_separable_part *x, int64_t r,
                     const heed_real *decay, heed_real *g, heed_real *m)
{
    const heedi_gla_args *a = c->y->args;
    const heedi_vector_table *v = heedi_vector();
    const int64_t n = a->keys, h = x->h0;
    int64_t k = r;
    memcpy(g, at(c, 0, r, h), (size_t)n * sizeof *g);
    if (!a->inclusive) {
        double now = 0;
        for (int64_t i = 0; c->y->vec && i < n; i++)
            now += (double)(g[i] * c->y->vec[h * n + i]) *
                   (double)at(c, 1, r, h)[i];
        m[k-- - x->c0] = (heed_real)now;
    }
    for (; k >= x->c0; k--) {
        m[k - x->c0] = (heed_real)v->dot((size_t)n, g, at(c, 1, k, h));
        v->scale((size_t)n, decay + (k - x->c0) * n, g, 1, g);
    }
}

static void near(const heedi_separable_call *c, const heedi_separable_part *x,
                 void *work, heed_real *m)
{
    const heedi_gla_args *a = c->y->args;
    const int64_t n = a->keys, last = x->r0 + x->n;
    const int64_t all = (last - x->c0) * n;
    const heedi_decays d = heedi_decays_of(c, a->heads * n);
    heed_real *decay = work, *g = decay + NEAR * n + HEEDI_LANES;
    for (int64_t t = x->c0; t < last; t++)
        memcpy(decay + (t - x->c0) * n, d.log + t * d.units + x->h0 * n,
               (size_t)n * sizeof *decay);
    memset(decay + all, 0, HEEDI_LANES * sizeof *decay);
    heedi_scan_kernels()->decay(
        (all + HEEDI_LANES - 1) / HEEDI_LANES * HEEDI_LANES, decay, decay);
    for (int64_t i = 0; i < x->n; i++)
        near_row(c, x, x->r0 + i, decay, g, m + i * HEEDI_SEP_LD);
}

const heedi_separable heedi_gla_separable = {.unit = unit,
                                             .grams = true,
                                             .shared = shared,
                                             .own = own,
                                             .prepare = prepare,
                                             .far = far,
                                             .near = near};
