#include "args.h"
#include "gemm.h"
#include "op.h"
#include "threads.h"

#include <string.h>

/* y = W x + b with a block-diagonal W: block k of the input, times a matrix of
 * its own, stored (inputs, outputs). */

static int64_t blocks_of(const heedi_node *y)
{
    const heedi_blockdiag_args *a = y->args;
    return a->blocks;
}

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    const heedi_weight *w = y->w;
    if (!w || !y->args || blocks_of(y) < 1 || w->transposed ||
        w->rows % blocks_of(y) != 0 || y->in[0]->cols != w->rows ||
        (y->vec && y->n_vec != w->cols * blocks_of(y)))
        return heedi_bad_shapes(ctx, y);
    y->cols = w->cols * blocks_of(y);
    return HEED_OK;
}

static void to(const heedi_node *y, const heedi_run *run, heedi_part part,
               const heed_real *x, heed_real *out, bool assign)
{
    heedi_weight w = *y->w;
    w.part = part;
    heedi_gemm_blocks_back(run, &w, blocks_of(y), x, out, assign);
}

static void from(const heedi_node *y, const heedi_run *run, heedi_part part,
                 const heed_real *g, heed_real *gx, bool assign)
{
    heedi_weight w = *y->w;
    w.part = part;
    heedi_gemm_blocks_add(run, &w, blocks_of(y), g, gx, assign);
}

static void forward(const heedi_node *y, heedi_run *run)
{
    for (int64_t r = 0; y->vec && r < run->batch->rows; r++)
        memcpy(y->x + r * y->cols, y->vec, (size_t)y->cols * sizeof *y->x);
    to(y, run, HEEDI_ALL, y->in[0]->x, y->x, !y->vec);
}

static size_t room(const heedi_node *y, int threads)
{
    return heedi_gemm_scratch(y->w, threads);
}

static size_t scratch(const heedi_node *y, const heedi_batch *b, int threads)
{
    (void)b;
    return room(y, threads);
}

static const heedi_map map = {room, to, from};

static void vjp(const heedi_node *y, heedi_run *run)
{
    heedi_keep_bias(y, run);
    from(y, run, HEEDI_ALL, y->g, y->in[0]->g, y->first[0]);
}

static double flops(const heedi_node *y, const heedi_batch *b)
{
    return 2.0 * (double)b->rows * (double)y->w->rows * (double)y->w->cols;
}

static const heedi_blockdiag_args one = {1}, three = {3}, two = {2};

const heedi_op heedi_op_blockdiag = {
    .name = "blockdiag",
    .formula = "y_k = W_k x_k + b_k for each block k",
    .rule = "g_x = W^T g; the bias keeps <b, g>",
    .n_in = 1,
    .quotient = HEEDI_BY_MAP,
    .conserves = true,
    .assigns = true,
    .examples =
        (const heedi_example[]){
            {.in = {21},
             .w_rows = 21,
             .w_cols = 5,
             .n_vec = 15,
             .args = &three},
            {.in = {12}, .w_rows = 12, .w_cols = 300, .args = &two},
            {.in = {600},
             .w_rows = 600,
             .w_cols = 7,
             .n_vec = 14,
             .args = &two},
            {.in = {4}, .w_rows = 4, .w_cols = 3, .n_vec = 3, .args = &one},
            {.in = {0}},
        },
    .refused =
        (const heedi_example[]){
            {.in = {21}, .w_rows = 21, .w_cols = 5, .n_vec = 5, .args = &three},
            {.in = {20}, .w_rows = 20, .w_cols = 5, .args = &three},
            {.in = {21}, .w_rows = 12, .w_cols = 5, .args = &three},
            {.in = {21}, .args = &three},
            {.in = {21}, .w_rows = 21, .w_cols = 5},
            {.in = {0}},
        },
    .infer = infer,
    .scratch = scratch,
    .forward = forward,
    .vjp = vjp,
    .map = &map,
    .flops = flops,
};
