#include "decays.h"

#include <string.h>

#include "kernel.h"

enum { BLOCK = HEEDI_DECAYS_BLOCK };

static int64_t blocks(int64_t end)
{
    return (end + BLOCK - 1) / BLOCK;
}

size_t heedi_decays_bytes(int64_t end, int64_t units)
{
    return (size_t)(blocks(end) * units) * sizeof(double) +
           (size_t)(end * units) * sizeof(heed_real);
}

heedi_decays heedi_decays_of(const heedi_separable_call *c, int64_t units)
{
    heedi_decays d = {.units = units, .sum = c->shared};
    d.log = (heed_real *)(void *)(d.sum + blocks(c->end) * units);
    return d;
}

static void add(const heed_real *x, int64_t n, double *sum)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        sum[i] += (double)x[i];
}

void heedi_decays_sum(const heedi_separable_call *c, const heedi_decays *d)
{
#pragma omp parallel for schedule(static)
    for (int64_t b = 0; b < blocks(c->end); b++) {
        double *sum = d->sum + b * d->units;
        const int64_t to = (b + 1) * BLOCK < c->end ? (b + 1) * BLOCK : c->end;
        memset(sum, 0, (size_t)d->units * sizeof *sum);
        for (int64_t t = b * BLOCK; t < to; t++)
            add(d->log + t * d->units, d->units, sum);
    }
}

/* Logs of steps from ... to-1. */
static void between(const heedi_decays *d, int64_t from, int64_t to, int64_t u0,
                    int64_t n, double *sum)
{
    memset(sum, 0, (size_t)n * sizeof *sum);
    while (from < to) {
        if (from % BLOCK == 0 && from + BLOCK <= to) {
            const double *all = d->sum + from / BLOCK * d->units + u0;
            for (int64_t i = 0; i < n; i++)
                sum[i] += all[i];
            from += BLOCK;
            continue;
        }
        add(d->log + from++ * d->units + u0, n, sum);
    }
}

/* Finite, and far below what an exponential tells from nothing. */
#define LEAST (-1e30)

static void give(const double *sum, int64_t n, heed_real *out)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        out[i] = (heed_real)(sum[i] > LEAST ? sum[i] : LEAST);
}

static void decay(int64_t n, heed_real *x)
{
    const int64_t up = (n + HEEDI_LANES - 1) / HEEDI_LANES * HEEDI_LANES;
    memset(x + n, 0, (size_t)(up - n) * sizeof *x);
    heedi_scan_kernels()->decay(up, x, x);
}

void heedi_decays_far(const heedi_decays *d, const heedi_separable_part *x,
                      int64_t u0, int64_t n, bool without, heed_real *p,
                      heed_real *q)
{
    double sum[HEEDI_SEP_HEADS];
    for (int64_t u = 0; u < n; u += HEEDI_SEP_HEADS) {
        const int64_t left = n - u;
        const int64_t m = left < HEEDI_SEP_HEADS ? left : HEEDI_SEP_HEADS;
        memset(sum, 0, sizeof sum);
        for (int64_t i = 0; i < x->n; i++) {
            if (without)
                give(sum, m, p + i * n + u);
            add(d->log + (x->r0 + i) * d->units + u0 + u, m, sum);
            if (!without)
                give(sum, m, p + i * n + u);
        }
        between(d, x->c0 + x->m, x->r0, u0 + u, m, sum);
        for (int64_t i = x->m - 1; i >= 0; i--) {
            give(sum, m, q + i * n + u);
            add(d->log + (x->c0 + i) * d->units + u0 + u, m, sum);
        }
    }
    decay(x->n * n, p);
    decay(x->m * n, q);
}
