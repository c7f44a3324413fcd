/* bench_scan THREADS - heed's side of bench_scan.py: the scan of a layer of
 * mamba-130m, 1536 channels and 16 states, alone.
 *
 *   rate            -> ok SECONDS         for 2^24 exponentials on each thread,
 *                                         in the first cache
 *   PASS T DT PAD   -> ok SECONDS SUM     PASS: forward, marked (forward that
 *                                         keeps what the gradient needs),
 *                                         relevance, gradient; DT: init, weak,
 *                                         strong; PAD: dense, padded
 *
 * padded: x is zero but at the first T/16 tokens, gy but at the last, so that
 * states die away through the numbers that are too small to be normal. SUM of
 * what came out is there to be compared. */
#include <heed/heed.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
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

static heed_real uniform(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    *s ^= *s << 5;
    return (heed_real)(*s / 2147483648.0 - 1);
}

static void *get(layer *l, size_t n)
{
    void *p = heedi_arena_alloc(&l->mem, n);
    if (!p)
        exit(1);
    return p;
}

static void value(layer *l, heedi_node *v, int64_t t, int64_t cols)
{
    v->cols = cols;
    v->x = get(l, (size_t)(t * cols) * sizeof *v->x);
    v->g = get(l, (size_t)(t * cols) * sizeof *v->g);
}

static void fill(layer *l, const struct range *dt, bool padded)
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

static void arrange(layer *l, int64_t t, int threads)
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
    l->args = (heedi_scan_args){CHANNELS, STATES, a, d};
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

static double sum(const layer *l, const heed_real *x)
{
    double s = 0;
    for (int64_t i = 0; i < l->batch.rows * CHANNELS; i++)
        s += (double)x[i];
    return s;
}

static void pass(layer *l, const char *name)
{
    const bool marks = strcmp(name, "marked") == 0;
    const bool forward = marks || strcmp(name, "forward") == 0;
    const bool gradient = strcmp(name, "gradient") == 0;
    heedi_team team;
    heedi_team_enter(&team, l->ctx);
    l->y.saved = l->saved;
    if (gradient)
        heedi_op_scan.forward(&l->y, &l->run);
    l->y.saved = gradient || marks ? l->saved : NULL;
    double best = HUGE_VAL;
    for (int i = 0; i < 5; i++) {
        double t0 = omp_get_wtime();
        (forward    ? heedi_op_scan.forward
         : gradient ? heedi_op_scan.vjp
                    : heedi_op_scan.relevance)(&l->y, &l->run);
        best = fmin(best, omp_get_wtime() - t0);
    }
    heedi_team_leave(&team);
    printf("ok %.9f %.9g\n", best, sum(l, forward ? l->y.x : l->in[0].g));
}

static void rate(int threads)
{
    enum { AT_ONCE = 1024, TIMES = (1 << 24) / AT_ONCE };
    const heedi_scan_table *k = heedi_scan_kernels();
    double best = HUGE_VAL;
    for (int round = 0; round < 5; round++) {
        double t0 = omp_get_wtime();
#pragma omp parallel num_threads(threads)
        {
            _Alignas(64) heed_real x[AT_ONCE], y[AT_ONCE];
            for (int i = 0; i < AT_ONCE; i++)
                x[i] = (heed_real)(-0.01 * i);
            for (int i = 0; i < TIMES; i++)
                k->decay(AT_ONCE, x, y);
        }
        best = fmin(best, omp_get_wtime() - t0);
    }
    printf("ok %.9f\n", best);
}

static void answer(const char *line, int threads)
{
    static layer l;
    char name[16], dt[16] = "init", pad[16] = "dense";
    long t = 1024;
    if (sscanf(line, "%15s %ld %15s %15s", name, &t, dt, pad) < 1 || t < 1) {
        printf("error no such line\n");
        return;
    }
    if (strcmp(name, "rate") == 0) {
        rate(threads);
        return;
    }
    const struct range *r = ranges;
    while (strcmp(r->name, dt) != 0 && r < ranges + 2)
        r++;
    arrange(&l, t, threads);
    fill(&l, r, strcmp(pad, "padded") == 0);
    pass(&l, name);
    heedi_arena_clear(&l.mem);
    heed_ctx_free(l.ctx);
}

int main(int argc, char **argv)
{
    char line[128];
    if (argc != 2)
        return 2;
    printf("ready %s, %s\n", heed_build(), heedi_isa());
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) && strcmp(line, "quit\n") != 0) {
        answer(line, atoi(argv[1]));
        fflush(stdout);
    }
    return 0;
}
