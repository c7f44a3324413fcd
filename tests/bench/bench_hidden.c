/* bench_hidden THREADS - heed's side of bench_hidden.py: the matrices of all
 * channels of a layer of mamba-130m (1536 channels, 16 states), folded to one
 * (T, T) matrix.
 *
 *   peak                   -> ok FLOPS   multiply-adds times 2 in a second, of
 *                                        all threads, from registers
 *   KIND FOLD T DT PAD     -> ok SECONDS EXTRA SUM
 *                             KIND: core, block (with gate, activation and a
 *                             filter of 4), weighted (left and right weights);
 *                             FOLD: sum, positive, absolute, square, max; DT,
 * PAD as in bench_scan; EXTRA: bytes beside the matrix and the weights
 */
#include <immintrin.h>
#include <omp.h>
#include <stdio.h>

#include "fold.h"
#include "scan_layer.h"

enum { PANEL = 256, WIDTH = 4 };

static const char *const folds[HEEDI_N_FOLD] = {
    [HEEDI_FOLD_SUM] = "sum",           [HEEDI_FOLD_POSITIVE] = "positive",
    [HEEDI_FOLD_ABSOLUTE] = "absolute", [HEEDI_FOLD_SQUARE] = "square",
    [HEEDI_FOLD_MAX] = "max",
};

/* ---- what a processor can do ---- */

enum { TIMES = 20000000, CHAINS = 12 };

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

static void peak(int threads)
{
    static volatile float sink;
    const bool big = heedi_isa_index() == 2;
    double best = HUGE_VAL;
    for (int round = 0; round < 3; round++) {
        float s = 0;
        double t0 = omp_get_wtime();
#pragma omp parallel num_threads(threads) reduction(+ : s)
        s += big ? wide() : narrow();
        best = fmin(best, omp_get_wtime() - t0);
        sink = s;
    }
    (void)sink;
    printf("ok %.9g\n",
           2.0 * (big ? 16 : 8) * CHAINS * (double)TIMES * threads / best);
}

/* ---- a layer ---- */

static heed_real *weights(layer *l, uint32_t seed, int64_t rows)
{
    heed_real *x = get(l, (size_t)(rows * CHANNELS) * sizeof *x);
    for (int64_t i = 0; i < rows * CHANNELS; i++)
        x[i] = uniform(&seed);
    return x;
}

static void fold(layer *l, const char *kind, heedi_fold_kind f)
{
    heedi_team team;
    const int64_t t = l->batch.rows;
    const bool block = strcmp(kind, "block") == 0;
    const bool weighted = block || strcmp(kind, "weighted") == 0;
    const size_t extra =
        heedi_fold_scratch(&l->y, &l->batch, l->run.threads, PANEL);
    heedi_fold q = {.f = f, .scratch = get(l, extra), .width = WIDTH};
    heed_real *out = get(l, (size_t)(t * t) * sizeof *out);
    if (weighted) {
        q.left = weights(l, 3, t);
        q.right = weights(l, 5, t);
    }
    if (block)
        q.filter = weights(l, 7, WIDTH);
    double best = HUGE_VAL, sum = 0;
    heedi_team_enter(&team, l->ctx);
    for (int i = 0; i < 3; i++) {
        double t0 = omp_get_wtime();
        for (q.q0 = 0; q.q0 < t; q.q0 += PANEL) {
            q.nq = t - q.q0 < PANEL ? t - q.q0 : PANEL;
            q.out = out + q.q0 * t;
            heedi_fold_run(&l->y, &l->run, &q);
        }
        best = fmin(best, omp_get_wtime() - t0);
    }
    heedi_team_leave(&team);
    for (int64_t i = 0; i < t * t; i++)
        sum += (double)out[i];
    printf("ok %.9f %.0f %.9g\n", best, (double)extra, sum);
}

static void answer(const char *line, int threads)
{
    static layer l;
    char kind[16], name[16] = "sum", dt[16] = "init", pad[16] = "dense";
    long t = 1024;
    if (sscanf(line, "%15s %15s %ld %15s %15s", kind, name, &t, dt, pad) < 1 ||
        t < 1) {
        printf("error no such line\n");
        return;
    }
    if (strcmp(kind, "peak") == 0) {
        peak(threads);
        return;
    }
    int f = 0;
    while (f < HEEDI_N_FOLD - 1 && strcmp(folds[f], name) != 0)
        f++;
    arrange(&l, t, threads);
    fill(&l, range_named(dt), strcmp(pad, "padded") == 0);
    fold(&l, kind, (heedi_fold_kind)f);
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
