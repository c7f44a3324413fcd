#include <string.h>

#include "args.h"
#include "op.h"

/* y = s E[id]: a row of the embedding for each token, or what a method puts in
 * its place. The leaf of every model: nothing is passed on, relevance is read
 * here. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    if (!y->w || !y->args)
        return heedi_bad_shapes(ctx, y);
    y->cols = y->w->cols;
    y->leaf = true;
    return HEED_OK;
}

static void forward(const heedi_node *y, heedi_run *run)
{
    const heedi_embed_args *a = y->args;
    const heedi_batch *b = run->batch;
    const heed_real s = (heed_real)a->scale;
    if (run->leaf) {
        memcpy(y->x, run->leaf, (size_t)(b->rows * y->cols) * sizeof *y->x);
        return;
    }
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < b->rows; r++) {
        heed_real *x = y->x + r * y->cols;
        heedi_weight_row(y->w, run->id[r], 0, y->cols, x);
        for (int64_t i = 0; a->scale != 1 && i < y->cols; i++)
            x[i] *= s;
    }
}

static const heedi_embed_args plain = {1}, scaled = {2.5};

const heedi_op heedi_op_embed = {
    .name = "embed",
    .formula = "y = s E[id]",
    .rule = "R = x g is read here",
    .n_in = 0,
    .conserves = true,
    .examples =
        (const heedi_example[]){
            {.in = {1}, .w_rows = 9, .w_cols = 6, .args = &plain},
            {.in = {1}, .w_rows = 9, .w_cols = 6, .args = &scaled},
            {.in = {0}},
        },
    .refused =
        (const heedi_example[]){{.in = {1}, .args = &plain}, {.in = {0}}},
    .infer = infer,
    .forward = forward,
};
