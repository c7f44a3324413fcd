#include "threads.h"

#include <omp.h>
#include <sched.h>
#include <stdlib.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "ctx.h"
#include "kernel.h"

int heed_ctx_thread_count(const heed_ctx *ctx)
{
    if (ctx->threads > 0)
        return ctx->threads;
    const char *e = getenv("OMP_NUM_THREADS");
    int n = e ? atoi(e) : 0;
    if (n > 0)
        return n;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = CPU_COUNT(&set);
    return n > 0 ? n : omp_get_num_procs();
}

static unsigned int control_get(void)
{
#if defined(__SSE__)
    return _mm_getcsr();
#else
    return 0;
#endif
}

static void control_set(unsigned int c)
{
#if defined(__SSE__)
    _mm_setcsr(c);
#else
    (void)c;
#endif
}

/* Setting it once a run is enough: worker threads of libgomp keep their control
 * word between regions; those of libomp take the caller's at the start of each,
 * and the caller gets its own back at the end. */
static void all_control(unsigned int c)
{
#pragma omp parallel
    control_set(c);
    control_set(c);
}

enum { FLUSH = 0x8040 }; /* FTZ and DAZ */

int heedi_team_enter(heedi_team *t, const heed_ctx *ctx)
{
    t->before = omp_get_max_threads();
    t->control = control_get();
    omp_set_num_threads(heed_ctx_thread_count(ctx));
    all_control(t->control | FLUSH);
    return omp_get_max_threads();
}

void heedi_team_leave(const heedi_team *t)
{
    all_control(t->control);
    omp_set_num_threads(t->before);
}

/* One partial sum for each small tile, added up in order of the tiles. */
static void add_up(const heedi_run *run, double *sum, int64_t step)
{
    const heedi_batch *b = run->batch;
    for (int64_t k = 0; k < b->n_small; k++)
        sum[b->small[k].seq * step] += run->partial[k];
}

void heedi_dot_rows(const heedi_run *run, const heed_real *a,
                    const heed_real *b, int64_t cols, double *sum, int64_t step)
{
    const heedi_batch *bt = run->batch;
    const heedi_vector_table *v = heedi_vector();
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < bt->n_small; k++) {
        const heedi_tile t = bt->small[k];
        run->partial[k] =
            v->dot((size_t)(t.n * cols), a + t.row * cols, b + t.row * cols);
    }
    add_up(run, sum, step);
}

void heedi_dot_vector(const heedi_run *run, const heed_real *w,
                      const heed_real *b, int64_t cols, double *sum,
                      int64_t step)
{
    const heedi_batch *bt = run->batch;
    const heedi_vector_table *v = heedi_vector();
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < bt->n_small; k++) {
        const heedi_tile t = bt->small[k];
        run->partial[k] = 0;
        for (int64_t r = t.row; r < t.row + t.n; r++)
            run->partial[k] += v->dot((size_t)cols, w, b + r * cols);
    }
    add_up(run, sum, step);
}

void heedi_keep_bias(const heedi_node *y, const heedi_run *run)
{
    const heedi_ledger *l = run->ledger;
    if (y->vec && l)
        heedi_dot_vector(run, y->vec, y->g, y->cols,
                         l->sink + y->id * HEEDI_N_ENTRIES + HEEDI_ENTRY_bias,
                         (int64_t)l->n_ops * HEEDI_N_ENTRIES);
}
