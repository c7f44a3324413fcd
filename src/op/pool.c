#include <math.h>
#include <string.h>

#include "args.h"
#include "kernel.h"
#include "op.h"

/* The first row of each sequence becomes the pooled row, y = sum_t w x[t], the
 * others 0. w is 1/T, 1/sqrt(T), or 1 for one row only. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    if (!y->args)
        return heedi_bad_shapes(ctx, y);
    y->cols = y->in[0]->cols;
    return HEED_OK;
}

double heedi_pool_weight(const heedi_pool_args *a, int64_t i, int64_t n)
{
    return a->how == HEEDI_POOL_MEAN   ? 1 / (double)n
           : a->how == HEEDI_POOL_ROOT ? 1 / sqrt((double)n)
           : a->how == HEEDI_POOL_LAST ? i == n - 1
                                       : i == 0;
}

static heed_real weight(const heedi_node *y, int64_t i, int64_t n)
{
    return (heed_real)heedi_pool_weight(y->args, i, n);
}

static void forward(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const int64_t c = y->cols;
    memset(y->x, 0, (size_t)(b->rows * c) * sizeof *y->x);
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t s = 0; s < b->n_seq; s++)
        for (int64_t k = 0; k < c; k++) {
            const int64_t n = heedi_len(b, s);
            const heed_real *x = y->in[0]->x + b->start[s] * c + k;
            double sum = 0;
            for (int64_t i = 0; i < n; i++)
                sum += (double)weight(y, i, n) * (double)x[i * c];
            y->x[b->start[s] * c + k] = (heed_real)sum;
        }
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
    const int64_t c = y->cols;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++)
        for (int64_t r = b->small[k].row; r < b->small[k].row + b->small[k].n;
             r++) {
            const int64_t s = b->small[k].seq, start = b->start[s];
            heed_real *gx = y->in[0]->g + r * c;
            if (y->first[0])
                memset(gx, 0, (size_t)c * sizeof *gx);
            v->axpy((size_t)c, weight(y, r - start, heedi_len(b, s)),
                    y->g + start * c, gx);
        }
}

static const heedi_pool_args mean = {HEEDI_POOL_MEAN}, root = {HEEDI_POOL_ROOT},
                             first = {HEEDI_POOL_FIRST},
                             last = {HEEDI_POOL_LAST};

const heedi_op heedi_op_pool = {
    .name = "pool",
    .formula = "y[0] = sum_t w x[t]",
    .n_in = 1,
    .conserves = true,
    .assigns = true,
    .examples = (const heedi_example[]){{.in = {6}, .args = &mean},
                                        {.in = {3}, .args = &root},
                                        {.in = {5}, .args = &first},
                                        {.in = {4}, .args = &last},
                                        {.in = {0}}},
    .refused = (const heedi_example[]){{.in = {6}}, {.in = {0}}},
    .infer = infer,
    .forward = forward,
    .vjp = vjp,
};
