#include "args.h"
#include "decays.h"
#include "rglru.h"

/* Folds of the matrices of rglru_mixing.c: all channels are one unit. */

static int64_t unit(const heedi_node *y)
{
    return y->cols;
}

/* Logarithms of the decays, and w after them, (end, channels). */
static size_t shared(const heedi_node *y, int64_t end, int64_t rows)
{
    (void)rows;
    return heedi_decays_bytes(end, y->cols) +
           (size_t)(end * y->cols) * sizeof(heed_real);
}

static size_t own(const heedi_node *y)
{
    (void)y;
    return 0;
}

static heed_real *w_of(const heedi_separable_call *c, const heedi_decays *d)
{
    return d->log + c->end * c->y->cols;
}

static void prepare(const heedi_separable_call *c)
{
    enum { CHUNK = 64 };
    const heedi_node *y = c->y;
    const heedi_decays d = heedi_decays_of(c, y->cols);
    heed_real *w = w_of(c, &d);
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t t = 0; t < c->end; t += CHUNK)
        for (int64_t g = 0; g < heedi_rglru_groups(y); g++) {
            int64_t at;
            heedi_rglru s = heedi_rglru_part(y, c->run->batch, c->seq, g, &at);
            s.fresh = s.fresh && t == 0;
            s.len = c->end - t < CHUNK ? c->end - t : CHUNK;
            s.in += t * s.ld;
            s.rec += t * s.ld;
            at = t * y->cols + g * HEEDI_LANES;
            heedi_rglru_kernels()->logs(&s, d.log + at, w + at, y->cols);
            for (int64_t i = 0; c->run->raw && i < s.len * s.lanes; i++)
                w[at + i / s.lanes * y->cols + i % s.lanes] =
                    heedi_rglru_gate(s.in[i / s.lanes * s.ld + i % s.lanes]);
        }
    heedi_decays_sum(c, &d);
}

static void far(const heedi_separable_call *c, const heedi_separable_part *x,
                void *work, heed_real *gram, heed_real *p, heed_real *q)
{
    const heedi_decays d = heedi_decays_of(c, c->y->cols);
    const heed_real *w = w_of(c, &d) + x->c0 * c->y->cols + x->h0;
    (void)work;
    (void)gram;
    heedi_decays_far(&d, x, x->h0, x->nh, false, p, q);
    for (int64_t i = 0; i < x->m; i++)
        heedi_vector()->scale((size_t)x->nh, w + i * c->y->cols, q + i * x->nh,
                              1, q + i * x->nh);
}

/* The first row from its last entry on, then row by row. */
static void near(const heedi_separable_call *c, const heedi_separable_part *x,
                 void *work, heed_real *m)
{
    enum { NEAR = HEEDI_SEP_STRIP + HEEDI_SEP_AHEAD };
    const int64_t cols = c->y->cols, before = x->r0 - x->c0;
    const int64_t all = before + x->n;
    const heedi_decays d = heedi_decays_of(c, cols);
    const heed_real *log = d.log + x->c0 * cols + x->h0;
    const heed_real *w = w_of(c, &d) + x->c0 * cols + x->h0;
    heed_real a[NEAR] = {0}, left = 1;
    (void)work;
    for (int64_t k = 0; k < all; k++)
        a[k] = log[k * cols];
    heedi_scan_kernels()->decay(NEAR, a, a);
    for (int64_t k = before; k >= 0; k--) {
        m[k] = left * w[k * cols];
        left *= a[k];
    }
    for (int64_t i = 1; i < x->n; i++) {
        heed_real *to = m + i * HEEDI_SEP_LD;
        const heed_real *from = to - HEEDI_SEP_LD, by = a[before + i];
        for (int64_t k = 0; k < NEAR; k++) /* 0 beyond the row before */
            to[k] = from[k] * by;
        to[before + i] = w[(before + i) * cols];
    }
}

const heedi_separable heedi_rglru_separable = {.unit = unit,
                                               .grams = false,
                                               .scales = true,
                                               .shared = shared,
                                               .own = own,
                                               .prepare = prepare,
                                               .far = far,
                                               .near = near};
