#include <string.h>

#include "args.h"
#include "kernel.h"
#include "op.h"

/* y[0] = [x[0] ... x[n-1]] side by side, other rows zero: for a head that
 * reads several tokens. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    const heedi_stack_args *a = y->args;
    if (!a || a->n < 1)
        return heedi_bad_shapes(ctx, y);
    y->cols = a->n * y->in[0]->cols;
    return HEED_OK;
}

/* Values of sequence s that are stacked. */
static int64_t stacked(const heedi_node *y, const heedi_batch *b, int64_t s)
{
    const heedi_stack_args *a = y->args;
    return (a->n < heedi_len(b, s) ? a->n : heedi_len(b, s)) * y->in[0]->cols;
}

static void forward(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
#pragma omp parallel for schedule(static)
    for (int64_t s = 0; s < b->n_seq; s++) {
        heed_real *o = y->x + b->start[s] * y->cols;
        memset(o, 0, (size_t)(heedi_len(b, s) * y->cols) * sizeof *o);
        memcpy(o, y->in[0]->x + b->start[s] * y->in[0]->cols,
               (size_t)stacked(y, b, s) * sizeof *o);
    }
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
    const int64_t c = y->in[0]->cols;
#pragma omp parallel for schedule(static)
    for (int64_t s = 0; s < b->n_seq; s++) {
        heed_real *gx = y->in[0]->g + b->start[s] * c;
        if (y->first[0])
            memset(gx, 0, (size_t)(heedi_len(b, s) * c) * sizeof *gx);
        v->addto((size_t)stacked(y, b, s), y->g + b->start[s] * y->cols, gx);
    }
}

static const heedi_stack_args two = {2}, none = {0};

const heedi_op heedi_op_stack = {
    .name = "stack",
    .formula = "y[0] = [x[0] ... x[n-1]]",
    .n_in = 1,
    .conserves = true,
    .assigns = true,
    .examples = (const heedi_example[]){{.in = {5}, .args = &two}, {.in = {0}}},
    .refused = (const heedi_example[]){{.in = {5}},
                                       {.in = {5}, .args = &none},
                                       {.in = {0}}},
    .infer = infer,
    .forward = forward,
    .vjp = vjp,
};
