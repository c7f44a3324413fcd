#include <string.h>

#include "kernel.h"
#include "op.h"

/* y = a + b: the residual stream. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    if (y->in[0]->cols != y->in[1]->cols)
        return heedi_bad_shapes(ctx, y);
    y->cols = y->in[0]->cols;
    return HEED_OK;
}

static void forward(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        int64_t o = b->small[k].row * y->cols, n = b->small[k].n * y->cols;
        v->add((size_t)n, y->in[0]->x + o, y->in[1]->x + o, y->x + o);
    }
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        int64_t o = b->small[k].row * y->cols, n = b->small[k].n * y->cols;
        for (int i = 0; i < 2; i++)
            if (y->first[i])
                memcpy(y->in[i]->g + o, y->g + o, (size_t)n * sizeof *y->g);
            else
                v->addto((size_t)n, y->g + o, y->in[i]->g + o);
    }
}

const heedi_op heedi_op_add = {
    .name = "add",
    .formula = "y = a + b",
    .rule = "g to both",
    .n_in = 2,
    .quotient = HEEDI_BY_SUM,
    .conserves = true,
    .assigns = true,
    .examples =
        (const heedi_example[]){{.in = {6, 6}}, {.in = {1, 1}}, {.in = {0}}},
    .refused = (const heedi_example[]){{.in = {6, 5}}, {.in = {0}}},
    .infer = infer,
    .forward = forward,
    .vjp = vjp,
};
