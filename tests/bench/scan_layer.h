/* scan_layer.h - the scan of a layer of mamba-130m, 1536 channels and 16
 * states, for benchmarks that time it alone. */
#ifndef SCAN_LAYER_H
#define SCAN_LAYER_H

#include <heed/heed.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "args.h"
#include "kernel.h"
#include "op.h"
#include "threads.h"

enum { CHANNELS = 1536, STATES = 16, N = CHANNELS * STATES };

static const struct range {
    const char *name;
    double low, high; /* of dt, log-uniform over the channels */
} ranges[] = {{"init", 1e-3, 1e-1}, {"weak", 1e-4, 1e-3}, {"strong", 1, 50}};

typedef struct layer {
    heed_ctx *ctx;
    heedi_arena mem;
    heedi_batch batch;
    heedi_node in[4], y;
    heedi_run run;
    heedi_scan_args args;
    void *saved;
} layer;

static inline heed_real uniform(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    *s ^= *s << 5;
    return (heed_real)(*s / 2147483648.0 - 1);
}

static inline void *get(layer *l, size_t n)
{
    void *p = heedi_arena_alloc(&l->mem, n);
    if (!p)
        exit(1);
    return p;
}

static inline void value(layer *l, heedi_node *v, int64_t t, int64_t cols)
{
    v->cols = cols;
    v->x = get(l, (size_t)(t * cols) * sizeof *v->x);
    v->g = get(l, (size_t)(t * cols) * sizeof *v->g);
}

static inline void fill(layer *l, const struct range *dt, bool padded)
{
    uint32_t seed = 1;
    const int64_t t = l->batch.rows;
    const double span = log(dt->high / dt->low);
    for (int64_t i = 0; i < t * CHANNELS; i++) {
        const int64_t row = i / CHANNELS;
        const double u = (double)(7919 * (i % CHANNELS) % CHANNELS) / CHANNELS;
        const double near = exp(0.3 * (double)uniform(&seed));
        l->in[0].x[i] = uniform(&seed);
        l->in[1].x[i] = (heed_real)(dt->low * exp(span * u) * near);
        l->y.g[i] = uniform(&seed);
        if (padded && row >= t / 16)
            l->in[0].x[i] = 0;
        if (padded && row < t - t / 16)
            l->y.g[i] = 0;
    }
    for (int64_t i = 0; i < t * STATES; i++) {
        l->in[2].x[i] = uniform(&seed);
        l->in[3].x[i] = uniform(&seed);
    }
}

static inline void arrange(layer *l, int64_t t, int threads)
{
    if (heed_ctx_new(&l->ctx, NULL) != HEED_OK ||
        heed_ctx_threads(l->ctx, threads) != HEED_OK)
        exit(1);
    heedi_arena_init(&l->mem, l->ctx);
    if (heedi_batch_init(&l->batch, &l->mem, &t, 1, 0) != HEED_OK)
        exit(1);
    heed_real *a = get(l, N * sizeof *a), *d = get(l, CHANNELS * sizeof *d);
    for (int i = 0; i < N; i++)
        a[i] = (heed_real)(-1 - i / HEEDI_LANES % STATES);
    for (int i = 0; i < CHANNELS; i++)
        d[i] = 1;
    l->args = (heedi_scan_args){CHANNELS, STATES, a, d, false};
    for (int i = 0; i < 4; i++) {
        value(l, &l->in[i], t, i < 2 ? CHANNELS : STATES);
        l->y.in[i] = &l->in[i];
        l->y.first[i] = true;
    }
    value(l, &l->y, t, CHANNELS);
    l->y.op = &heedi_op_scan;
    l->y.args = &l->args;
    l->run = (heedi_run){.ctx = l->ctx, .batch = &l->batch, .threads = threads};
    l->run.scratch = get(l, heedi_op_scan.scratch(&l->y, &l->batch, threads));
    l->saved = get(l, heedi_op_scan.saved(&l->y, &l->batch));
}

static inline const struct range *range_named(const char *name)
{
    const struct range *r = ranges;
    while (strcmp(r->name, name) != 0 && r < ranges + 2)
        r++;
    return r;
}

#endif
