/* bench_folds THREADS [T [MIXER]] - matrices of all heads or channels of one
 * layer, folded to one (T, T) matrix in panels of 64 rows as `heed attention`
 * asks for: by rows, head after head (src/fold.c), and as the operation does.
 * `core`: the recurrence alone, the sum, positive parts and absolute values;
 * `block`: with what stands around it in the model.
 *
 * Milliseconds, best of 5, by rows once; their ratio; the share that the bound
 * has of the time, which is the multiply-adds of products of matrices for the
 * lower triangle (of the sum) at the rate of one product of 1024 x 1024
 * matrices on each thread; the largest difference of the two, of the largest
 * value. */
#include <heed/heed.h>
#include <string.h>

#include "arena.h"
#include "args.h"
#include "fold.h"
#include "kernel.h"
#include "rate.h"
#include "threads.h"

enum { PANEL = 64, WIDTH = 4, MOST = 2560 };

/* A layer of a model: columns of inputs, the range of their values, and what
 * stands around it. */
typedef struct mixer {
    const char *name, *model;
    const heedi_op *op;
    const void *args;
    int64_t cols[4], inputs;
    double low[4], high[4];
    bool bonus, left, right, filter;
    int64_t inner; /* multiply-adds of an entry, core */
    int64_t heads;
} mixer;

static heed_real rates[MOST], ones[MOST];
static double decay[MOST], first[MOST];
static const heedi_ssd_args mamba2 = {24, 64, 1, 128, rates, ones};
static const heedi_gla_args rwkv6 = {12, 64, 64, false, 0};
static const heedi_wkv_args rwkv4 = {768, decay, first};
static const heedi_rglru_args griffin = {2560, rates};

static const mixer mixers[] = {
    {"ssd",
     "mamba2-130m",
     &heedi_op_ssd,
     &mamba2,
     {1536, 24, 128, 128},
     4,
     {-1, 1e-3, -1, -1},
     {1, 0.1, 1, 1},
     false,
     true,
     true,
     true,
     128 + 24,
     24},
    {"gla",
     "rwkv6 12 x 64",
     &heedi_op_gla,
     &rwkv6,
     {768, 768, 768, 768},
     4,
     {-1, -1, -1, -6},
     {1, 1, 1, -1},
     true,
     true,
     false,
     false,
     768,
     12},
    {"wkv",
     "rwkv4-169m",
     &heedi_op_wkv,
     &rwkv4,
     {768, 768},
     2,
     {-2, -1},
     {2, 1},
     false,
     true,
     false,
     false,
     768,
     768},
    {"rglru",
     "recurrentgemma-2b",
     &heedi_op_rglru,
     &griffin,
     {2560, 2560, 2560},
     3,
     {-1, -2, -2},
     {1, 2, 2},
     false,
     true,
     false,
     true,
     2560,
     2560},
};
enum { N_MIXERS = sizeof mixers / sizeof *mixers };

typedef struct layer {
    heed_ctx *ctx;
    heedi_arena mem;
    heedi_batch batch;
    heedi_run run;
    heedi_node in[4], y;
} layer;

static void *get(layer *l, size_t n)
{
    void *p = heedi_arena_alloc(&l->mem, n);
    if (!p)
        exit(1);
    return p;
}

static heed_real *filled(layer *l, int64_t n, double low, double high)
{
    static uint32_t seed = 1;
    heed_real *x = get(l, (size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (heed_real)(low + (high - low) * (double)(seed >> 8) / 16777216);
    }
    return x;
}

static void arrange(layer *l, const mixer *m, int64_t t, int threads)
{
    *l = (layer){0};
    if (heed_ctx_new(&l->ctx, NULL) != HEED_OK ||
        heed_ctx_threads(l->ctx, threads) != HEED_OK)
        exit(1);
    heedi_arena_init(&l->mem, l->ctx);
    if (heedi_batch_init(&l->batch, &l->mem, &t, 1, 0) != HEED_OK)
        exit(1);
    l->y = (heedi_node){.op = m->op, .args = m->args};
    for (int i = 0; i < m->inputs; i++) {
        l->in[i] = (heedi_node){.cols = m->cols[i]};
        l->in[i].x = filled(l, t * m->cols[i], m->low[i], m->high[i]);
        l->y.in[i] = &l->in[i];
    }
    l->y.cols = m->cols[m->op->mixing->operand];
    if (m->bonus) {
        l->y.n_vec = l->y.cols;
        l->y.vec = filled(l, l->y.cols, -1, 1);
    }
    l->y.x = filled(l, t * l->y.cols, 0, 0);
    l->run = (heedi_run){.ctx = l->ctx, .batch = &l->batch, .threads = threads};
    if (m->op->scratch)
        l->run.scratch = get(l, m->op->scratch(&l->y, &l->batch, threads));
}

typedef void fold_fn(const heedi_node *y, const heedi_run *run,
                     const heedi_fold *f);

static void panels(const layer *l, heedi_fold f, fold_fn *fold, heed_real *out)
{
    const int64_t t = l->batch.rows;
    for (f.q0 = 0; f.q0 < t; f.q0 += f.nq) {
        f.nq = t - f.q0 < PANEL ? t - f.q0 : PANEL;
        f.out = out + f.q0 * t;
        fold(&l->y, &l->run, &f);
    }
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

static void one(layer *l, const mixer *m, heedi_fold f, const char *kind,
                double bound)
{
    const int64_t n = l->batch.rows * l->batch.rows;
    heed_real *got = get(l, (size_t)n * sizeof *got);
    heed_real *want = get(l, (size_t)n * sizeof *want);
    f.scratch =
        get(l, heedi_fold_scratch(&l->y, &l->batch, l->run.threads, PANEL));
    const double start = omp_get_wtime();
    panels(l, f, heedi_fold_rows, want);
    const double by_rows = omp_get_wtime() - start;
    BEST(own, panels(l, f, heedi_fold_run, got))
    printf("%-7s%-20s%-16s%9.1f%9.1f%8.1f%8.2f%10.1e\n", m->name, m->model,
           kind, 1e3 * by_rows, 1e3 * own, by_rows / own, bound / own,
           far(got, want, n));
    fflush(stdout);
}

static void one_mixer(const mixer *m, int64_t t, int threads, double flops)
{
    layer l;
    heedi_team team;
    arrange(&l, m, t, threads);
    const int64_t cols = l.y.cols;
    const double entries = (double)t * (double)(t + 1) / 2;
    const double core = 2 * entries * (double)m->inner / flops;
    heedi_fold f = {.width = WIDTH};
    heedi_team_enter(&team, l.ctx);
    one(&l, m, f, "core", core);
    f.f = HEEDI_FOLD_POSITIVE;
    one(&l, m, f, "core, positive", core);
    f.f = HEEDI_FOLD_ABSOLUTE;
    one(&l, m, f, "core, absolute", core);
    f.left = m->left ? filled(&l, t * cols, -1, 1) : NULL;
    f.right = m->right ? filled(&l, t * cols, -1, 1) : NULL;
    f.filter = m->filter ? filled(&l, WIDTH * cols, -1, 1) : NULL;
    /* Columns of a head share a matrix: with a filter, one product for each of
     * its taps. */
    const bool shared = m->heads < cols;
    const double taps = m->filter && shared ? WIDTH : 1;
    const double block =
        core + (shared ? 2 * entries * (double)cols * taps / flops : 0);
    f.f = HEEDI_FOLD_SUM;
    one(&l, m, f, "block", block);
    f.f = HEEDI_FOLD_POSITIVE;
    one(&l, m, f, "block, positive", block);
    f.f = HEEDI_FOLD_ABSOLUTE;
    one(&l, m, f, "block, absolute", block);
    heedi_team_leave(&team);
    heedi_arena_clear(&l.mem);
    heed_ctx_free(l.ctx);
}

int main(int argc, char **argv)
{
    const int threads = argc > 1 ? atoi(argv[1]) : 0;
    const int64_t t = argc > 2 ? atoll(argv[2]) : 1024;
    if (threads < 1 || t < 1)
        return 2;
    for (int i = 0; i < MOST; i++) {
        rates[i] = (heed_real)(-0.5 - i % 32 / 2.0);
        ones[i] = 1;
        decay[i] = -exp(-6 + 6.0 * (i % 768) / 768);
        first[i] = 0.5;
    }
    const double flops = rate(threads);
    printf("%s, %s, %d threads, T = %lld; one product: %.0f GFLOP/s\n",
           heed_build(), heedi_isa(), threads, (long long)t, flops / 1e9);
    printf("%-7s%-20s%-16s%9s%9s%8s%8s%10s\n", "", "", "", "by rows", "fold",
           "ratio", "bound", "off");
    for (int i = 0; i < N_MIXERS; i++)
        if (argc < 4 || strcmp(argv[3], mixers[i].name) == 0)
            one_mixer(&mixers[i], t, threads, flops);
    return 0;
}
