/* bench_ssd THREADS [T ...] - the state space of a layer of mamba2-370m (32
 * heads of 64 columns, 128 states, one group), by products of chunks, beside a
 * plain recurrence: one step after another, vectorised over states, a head to a
 * thread. Prints milliseconds, best of 5, the rate in GFLOP/s that products
 * count, beside that of one product of 1024 x 1024 matrices on each thread, and
 * how far the two are from each other, of the largest value. */
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
#include "rate.h"
#include "threads.h"

enum { H = 32, P = 64, N = 128, E = H * P };

#if defined(__x86_64__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDE
#endif

typedef struct layer {
    heed_ctx *ctx;
    heedi_arena mem;
    heedi_batch batch;
    heedi_run run;
    heedi_node in[4], y;
    heedi_ssd_args args;
    heed_real a[H], d[H];
    void *saved;
} layer;

/* One step of one row of a state: s = decay s + x b; returns s c. */
WIDE static heed_real step(heed_real *s, heed_real decay, heed_real x,
                           const heed_real *b, const heed_real *c)
{
    heed_real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int k = 0; k < N; k++) {
        s[k] = decay * s[k] + x * b[k];
        sum += s[k] * c[k];
    }
    return sum;
}

static void plain(const layer *l, bool back, heed_real *out)
{
    const int64_t t = l->batch.rows;
    const heed_real *dt = l->in[1].x, *b = l->in[2].x, *c = l->in[3].x;
    const heed_real *x = back ? l->y.g : l->in[0].x;
#pragma omp parallel for schedule(dynamic, 1)
    for (int h = 0; h < H; h++) {
        heed_real s[P * N] = {0};
        for (int64_t k = 0; k < t; k++) {
            const int64_t i = back ? t - 1 - k : k, o = i * E + h * P;
            /* backward the decay is that of the step after this one */
            const int64_t from = back ? i + 1 : i;
            const heed_real decay =
                from < t ? (heed_real)exp((double)(l->a[h] * dt[from * H + h]))
                         : 0;
            const heed_real w = dt[i * H + h];
            for (int p = 0; p < P; p++) {
                const heed_real y = back ? w * step(s + p * N, decay, x[o + p],
                                                    c + i * N, b + i * N)
                                         : step(s + p * N, decay, w * x[o + p],
                                                b + i * N, c + i * N);
                out[o + p] = y + l->d[h] * x[o + p];
            }
        }
    }
}

static heed_real *filled(layer *l, int64_t n, double low, double high)
{
    static uint32_t seed = 1;
    heed_real *x = heedi_arena_alloc(&l->mem, (size_t)n * sizeof *x);
    for (int64_t i = 0; x && i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (heed_real)(low + (high - low) * (double)(seed >> 8) / 16777216);
    }
    if (!x)
        exit(1);
    return x;
}

static void arrange(layer *l, int64_t t, int threads)
{
    static const int64_t cols[] = {E, H, N, N};
    *l = (layer){.args = {H, P, 1, N, NULL, NULL}};
    if (heed_ctx_new(&l->ctx, NULL) != HEED_OK ||
        heed_ctx_threads(l->ctx, threads) != HEED_OK)
        exit(1);
    heedi_arena_init(&l->mem, l->ctx);
    if (heedi_batch_init(&l->batch, &l->mem, &t, 1, 0) != HEED_OK)
        exit(1);
    l->args.a = l->a;
    l->args.d = l->d;
    l->y = (heedi_node){.op = &heedi_op_ssd, .args = &l->args, .cols = E};
    for (int h = 0; h < H; h++) {
        l->a[h] = (heed_real)(-0.5 - h / 2.0);
        l->d[h] = 1;
    }
    for (int i = 0; i < 4; i++) {
        l->in[i] = (heedi_node){.cols = cols[i]};
        l->in[i].x =
            filled(l, t * cols[i], i == 1 ? 1e-3 : -1, i == 1 ? 0.1 : 1);
        l->in[i].g = filled(l, t * cols[i], 0, 0);
        l->y.in[i] = &l->in[i];
        l->y.first[i] = true;
    }
    l->y.x = filled(l, t * E, 0, 0);
    l->y.g = filled(l, t * E, -1, 1);
    l->run = (heedi_run){.ctx = l->ctx, .batch = &l->batch, .threads = threads};
    l->run.scratch = heedi_arena_alloc(
        &l->mem, heedi_op_ssd.scratch(&l->y, &l->batch, threads));
    l->saved = heedi_arena_alloc(&l->mem, heedi_op_ssd.saved(&l->y, &l->batch));
    if (!l->run.scratch || !l->saved)
        exit(1);
}

static double far(const heed_real *a, const heed_real *b, int64_t n)
{
    double worst = 0, most = 0;
    for (int64_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        most = fmax(most, fabs((double)b[i]));
    }
    return worst / most;
}

static void one_length(int64_t t, int threads)
{
    layer *l = malloc(sizeof *l);
    heedi_team team;
    if (!l)
        exit(1);
    arrange(l, t, threads);
    heed_real *out = filled(l, t * E, 0, 0);
    heedi_team_enter(&team, l->ctx);
    BEST(forward, heedi_op_ssd.forward(&l->y, &l->run))
    BEST(by_step, plain(l, false, out))
    const double off = far(l->y.x, out, t * E);
    BEST(relevance, heedi_op_ssd.relevance(&l->y, &l->run))
    BEST(back_by_step, plain(l, true, out))
    const double off_back = far(l->in[0].g, out, t * E);
    l->y.saved = l->saved;
    heedi_op_ssd.forward(&l->y, &l->run);
    BEST(gradient, heedi_op_ssd.vjp(&l->y, &l->run))
    heedi_team_leave(&team);
    printf("%6lld%9.2f%9.2f%7.1f%9.2f%9.2f%7.1f%9.2f%8.0f%10.1e%10.1e\n",
           (long long)t, 1e3 * forward, 1e3 * by_step, by_step / forward,
           1e3 * relevance, 1e3 * back_by_step, back_by_step / relevance,
           1e3 * gradient, heedi_op_ssd.flops(&l->y, &l->batch) / forward / 1e9,
           off, off_back);
    fflush(stdout);
    heedi_arena_clear(&l->mem);
    heed_ctx_free(l->ctx);
    free(l);
}

int main(int argc, char **argv)
{
    static const int64_t lengths[] = {1, 128, 512, 1024, 4096};
    const int threads = argc > 1 ? atoi(argv[1]) : 0;
    if (threads < 1)
        return 2;
    printf("%s, %s, %d threads; one product: %.0f GFLOP/s\n", heed_build(),
           heedi_isa(), threads, rate(threads) / 1e9);
    printf("%6s%9s%9s%7s%9s%9s%7s%9s%8s%10s%10s\n", "T", "forward", "by step",
           "ratio", "relev.", "by step", "ratio", "gradient", "GFLOP/s", "off",
           "off");
    for (int i = 2; i < argc; i++)
        one_length(atoll(argv[i]), threads);
    for (int i = 0; argc == 2 && i < 5; i++)
        one_length(lengths[i], threads);
    return 0;
}
