#include <math.h>

#include "decays.h"
#include "gemm.h"
#include "ssd_chunk.h"

/* Folds of the matrices of ssd_view.c: C_r B_c is the same for the heads of a
 * group. */

static int64_t unit(const heedi_node *y)
{
    const heedi_ssd_args *a = y->args;
    return a->heads / a->groups;
}

static size_t shared(const heedi_node *y, int64_t end, int64_t rows)
{
    const heedi_ssd_args *a = y->args;
    (void)rows;
    return heedi_decays_bytes(end, a->heads);
}

enum { NEAR = HEEDI_SEP_STRIP + HEEDI_SEP_AHEAD };

/* C_r B_c next to the diagonal. */
static size_t own(const heedi_node *y)
{
    (void)y;
    return HEEDI_SEP_STRIP * NEAR * sizeof(heed_real);
}

static void prepare(const heedi_separable_call *c)
{
    const heedi_ssd_args *a = c->y->args;
    const heedi_decays d = heedi_decays_of(c, a->heads);
    for (int64_t t = 0; t < c->end; t++)
        for (int64_t h = 0; h < a->heads; h++)
            d.log[t * a->heads + h] = a->a[h] * *dt_of(c->y, c->row0 + t, h);
    heedi_decays_sum(c, &d);
}

static void gram_part(const heedi_separable_call *c,
                      const heedi_separable_part *x, heed_real *out, int64_t ld)
{
    const heedi_ssd_args *a = c->y->args;
    const int64_t ldb = a->groups * a->n_state;
    heedi_blas(false, true, x->n, x->m, a->n_state, 1,
               bc_of(c->y, 3, c->row0 + x->r0, x->h0), ldb,
               bc_of(c->y, 2, c->row0 + x->c0, x->h0), ldb, 0, out, ld);
}

static void far(const heedi_separable_call *c, const heedi_separable_part *x,
                void *work, heed_real *gram, heed_real *p, heed_real *q)
{
    const heedi_ssd_args *a = c->y->args;
    const heedi_decays d = heedi_decays_of(c, a->heads);
    (void)work;
    gram_part(c, x, gram, HEEDI_SEP_LD);
    heedi_decays_far(&d, x, x->h0, x->nh, false, p, q);
    for (int64_t i = 0; !c->run->raw && i < x->m; i++)
        for (int64_t h = 0; h < x->nh; h++)
            q[i * x->nh + h] *= *dt_of(c->y, c->row0 + x->c0 + i, x->h0 + h);
}

/* Exponents are sums of their own, from the row to the left. */
static void near(const heedi_separable_call *c, const heedi_separable_part *x,
                 void *work, heed_real *m)
{
    const heedi_ssd_args *a = c->y->args;
    const heedi_decays d = heedi_decays_of(c, a->heads);
    const int64_t h = x->h0, len = heedi_len(c->run->batch, c->seq);
    heed_real *gram = work, e[NEAR];
    heedi_separable_part all = *x;
    all.m = x->c0 + x->m < len ? x->m : len - x->c0;
    if (h % unit(c->y) == 0)
        gram_part(c, &all, gram, NEAR);
    for (int64_t i = 0; i < x->n; i++) {
        double sum = 0;
        for (int64_t k = 0; k < NEAR; k++)
            e[k] = 0;
        for (int64_t k = x->r0 + i - x->c0; k >= 0; k--) {
            e[k] = (heed_real)sum;
            sum += (double)d.log[(x->c0 + k) * a->heads + h];
        }
        heedi_scan_kernels()->decay(NEAR, e, e);
        for (int64_t k = 0; k <= x->r0 + i - x->c0; k++)
            m[i * HEEDI_SEP_LD + k] =
                gram[i * NEAR + k] * e[k] *
                (c->run->raw ? 1 : *dt_of(c->y, c->row0 + x->c0 + k, h));
    }
}

const heedi_separable heedi_ssd_separable = {.unit = unit,
                                             .grams = true,
                                             .scales = true,
                                             .shared = shared,
                                             .own = own,
                                             .prepare = prepare,
                                             .far = far,
                                             .near = near};
