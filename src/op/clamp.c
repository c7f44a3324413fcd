#include "args.h"
#include "op.h"

/* y = x between low and high, else the nearer of the two; the gradient passes
 * where x is in the range, its ends included. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    const heedi_clamp_args *a = y->args;
    if (!a || !(a->low <= a->high))
        return heedi_bad_shapes(ctx, y);
    y->cols = y->in[0]->cols;
    return HEED_OK;
}

static void forward(const heedi_node *y, heedi_run *run)
{
    const heedi_clamp_args *a = y->args;
    const heedi_batch *b = run->batch;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        const int64_t o = b->small[k].row * y->cols;
        for (int64_t i = o; i < o + b->small[k].n * y->cols; i++) {
            const heed_real x = y->in[0]->x[i];
            y->x[i] = x < a->low ? a->low : x > a->high ? a->high : x;
        }
    }
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    const heedi_clamp_args *a = y->args;
    const heedi_batch *b = run->batch;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        const int64_t o = b->small[k].row * y->cols;
        for (int64_t i = o; i < o + b->small[k].n * y->cols; i++) {
            const heed_real x = y->in[0]->x[i];
            if (x >= a->low && x <= a->high)
                y->in[0]->g[i] += y->g[i];
        }
    }
}

/* Ends that no value of the tests is near to. */
static const heedi_clamp_args below = {(heed_real)-0.125, 100},
                              none = {-100, 100}, turned = {1, -1};

const heedi_op heedi_op_clamp = {
    .name = "clamp",
    .formula = "y = min(max(x, low), high)",
    .n_in = 1,
    .vjp_needs = HEEDI_IN0,
    .examples = (const heedi_example[]){{.in = {7}, .args = &none},
                                        {.in = {7}, .args = &below},
                                        {.in = {0}}},
    .refused = (const heedi_example[]){{.in = {7}},
                                       {.in = {7}, .args = &turned},
                                       {.in = {0}}},
    .infer = infer,
    .forward = forward,
    .vjp = vjp,
};
