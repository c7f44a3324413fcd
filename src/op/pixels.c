#include <string.h>

#include "args.h"
#include "op.h"

/* y = the pixels of a patch in each row, or what a method puts in their place.
 * The leaf of models that read images. Rows of learned tokens are zero. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    const heedi_pixels_args *a = y->args;
    if (!a || a->cols < 1)
        return heedi_bad_shapes(ctx, y);
    y->cols = a->cols;
    y->leaf = true;
    return HEED_OK;
}

static void forward(const heedi_node *y, heedi_run *run)
{
    memcpy(y->x, run->leaf ? run->leaf : run->pixels,
           (size_t)(run->batch->rows * y->cols) * sizeof *y->x);
}

static const heedi_pixels_args twelve = {12}, none = {0};

const heedi_op heedi_op_pixels = {
    .name = "pixels",
    .formula = "y = pixels of a patch",
    .n_in = 0,
    .conserves = true,
    .examples =
        (const heedi_example[]){{.in = {1}, .args = &twelve}, {.in = {0}}},
    .refused = (const heedi_example[]){{.in = {1}},
                                       {.in = {1}, .args = &none},
                                       {.in = {0}}},
    .infer = infer,
    .forward = forward,
};
