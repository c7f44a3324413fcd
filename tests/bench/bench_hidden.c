/* bench_hidden THREADS - heed's side of bench_hidden.py: the matrices of all
 * channels of a layer of mamba-130m (1536 channels, 16 states), folded to one
 * (T, T) matrix.
 *
 *   peak                -> ok FLOPS    multiply-adds times 2 in a second, of
 *                                      all threads, from registers
 *   KIND FOLD T DT PAD LAYERS
 *                       -> ok SECONDS EXTRA SUM    of LAYERS folds in panels
 *                                      of HEEDI_PANEL rows; EXTRA: bytes
 *                                      beside matrix, weights and inputs
 *
 * KIND: core, weighted (left and right weights), block (these and a filter of
 * 4, as with gate, activation and convolution). FOLD: sum, positive, absolute,
 * square, max, or row: the sum's last row alone. DT: as in bench_scan. PAD:
 * dense, or padded: x and B are zero but at the first T/16 tokens.
 */
#include <omp.h>
#include <stdio.h>

#include "flow.h"
#include "fold.h"
#include "scan_layer.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { WIDTH = 4, ROUNDS = 3 };

static const char *const folds[HEEDI_N_FOLD] = {
    [HEEDI_FOLD_SUM] = "sum",           [HEEDI_FOLD_POSITIVE] = "positive",
    [HEEDI_FOLD_ABSOLUTE] = "absolute", [HEEDI_FOLD_SQUARE] = "square",
    [HEEDI_FOLD_MAX] = "max",
};

/* ---- what the processor can do ---- */

enum { TIMES = 20000000, CHAINS = 12 };

#if defined(__x86_64__)
/* Chains of multiply-adds that never leave their registers. */
#define CHAIN(name, isa, type, lanes, set, fma)                              \
    __attribute__((noinline, target(isa))) static float name(void)           \
    {                                                                        \
        type x[CHAINS], a = set(0.999f), b = set(1e-3f);                     \
        float s = 0, out[lanes];                                             \
        for (int i = 0; i < CHAINS; i++)                                     \
            x[i] = set((float)i);                                            \
        for (int k = 0; k < TIMES; k++) {                                    \
            _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) x[i] = \
                fma(x[i], a, b);                                             \
        }                                                                    \
        for (int i = 0; i < CHAINS; i++) {                                   \
            memcpy(out, &x[i], sizeof out);                                  \
            for (int j = 0; j < lanes; j++)                                  \
                s += out[j];                                                 \
        }                                                                    \
        return s;                                                            \
    }
CHAIN(wide, "avx512f", __m512, 16, _mm512_set1_ps, _mm512_fmadd_ps)
CHAIN(narrow, "avx2,fma", __m256, 8, _mm256_set1_ps, _mm256_fmadd_ps)

/* Seconds, and how many lanes it has. */
static double chains(int threads, int *lanes)
{
    static volatile float sink;
    float s = 0;
    *lanes = __builtin_cpu_supports("avx512f") ? 16 : 8;
    if (!__builtin_cpu_supports("avx2"))
        return 0;
    double t0 = omp_get_wtime();
#pragma omp parallel num_threads(threads) reduction(+ : s)
    s += *lanes == 16 ? wide() : narrow();
    t0 = omp_get_wtime() - t0;
    sink = s;
    (void)sink;
    return t0;
}
#else
static double chains(int threads, int *lanes)
{
    (void)threads;
    *lanes = 1;
    return 0;
}
#endif

static void peak(int threads)
{
    double best = HUGE_VAL;
    int lanes = 1;
    for (int round = 0; round < ROUNDS; round++)
        best = fmin(best, chains(threads, &lanes));
    if (best == 0)
        printf("error no AVX2\n");
    else
        printf("ok %.9g\n",
               2.0 * lanes * CHAINS * (double)TIMES * threads / best);
}

/* ---- a layer ---- */

static heed_real *weights(layer *l, uint32_t seed, int64_t rows)
{
    heed_real *x = get(l, (size_t)(rows * CHANNELS) * sizeof *x);
    for (int64_t i = 0; i < rows * CHANNELS; i++)
        x[i] = uniform(&seed);
    return x;
}

static void panels(const layer *l, heedi_fold q, int64_t first, heed_real *out)
{
    const int64_t t = l->batch.rows;
    for (q.q0 = first; q.q0 < t; q.q0 += q.nq) {
        q.nq = t - q.q0 < HEEDI_PANEL ? t - q.q0 : HEEDI_PANEL;
        q.out = out + q.q0 * t;
        heedi_fold_run(&l->y, &l->run, &q);
    }
}

static void fold(layer *l, const char *kind, const char *name, long layers)
{
    heedi_team team;
    const int64_t t = l->batch.rows;
    const bool block = strcmp(kind, "block") == 0;
    const bool weighted = block || strcmp(kind, "weighted") == 0;
    const int64_t first = strcmp(name, "row") == 0 ? t - 1 : 0;
    const size_t extra =
        heedi_fold_scratch(&l->y, &l->batch, l->run.threads, HEEDI_PANEL);
    heedi_fold q = {.scratch = get(l, extra), .width = WIDTH};
    heed_real *out = get(l, (size_t)(t * t) * sizeof *out);
    int f = HEEDI_N_FOLD - 1;
    while (f > 0 && strcmp(folds[f], name) != 0)
        f--;
    q.f = (heedi_fold_kind)f;
    if (weighted) {
        q.left = weights(l, 3, t);
        q.right = weights(l, 5, t);
    }
    if (block)
        q.filter = weights(l, 7, WIDTH);
    double best = HUGE_VAL, sum = 0;
    heedi_team_enter(&team, l->ctx);
    panels(l, q, first, out); /* touches what it works in */
    for (int i = 0; i < (layers > 1 ? 1 : ROUNDS); i++) {
        double t0 = omp_get_wtime();
        for (long k = 0; k < layers; k++)
            panels(l, q, first, out);
        best = fmin(best, omp_get_wtime() - t0);
    }
    heedi_team_leave(&team);
    for (int64_t i = first * t; i < t * t; i++)
        sum += (double)out[i];
    printf("ok %.9f %.0f %.9g\n", best, (double)extra, sum);
}

static void answer(const char *line, int threads)
{
    static layer l;
    char kind[16], name[16] = "sum", dt[16] = "init", pad[16] = "dense";
    long t = 1024, layers = 1;
    if (sscanf(line, "%15s %15s %ld %15s %15s %ld", kind, name, &t, dt, pad,
               &layers) < 1 ||
        t < 1 || layers < 1) {
        printf("error no such line\n");
        return;
    }
    if (strcmp(kind, "peak") == 0) {
        peak(threads);
        return;
    }
    const bool padded = strcmp(pad, "padded") == 0;
    arrange(&l, t, threads);
    fill(&l, range_named(dt), padded);
    for (int64_t i = t / 16 * STATES; padded && i < t * STATES; i++)
        l.in[2].x[i] = 0;
    fold(&l, kind, name, layers);
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
