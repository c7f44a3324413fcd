#include "gemm.h"
#include "op.h"
#include "threads.h"

#include <string.h>

/* y = W x + b. The vector, where there is one, is the bias. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    const heedi_weight *w = y->w;
    const bool t = w && w->transposed;
    if (!w || y->in[0]->cols != (t ? w->rows : w->cols) ||
        (y->vec && y->n_vec != (t ? w->cols : w->rows)))
        return heedi_bad_shapes(ctx, y);
    y->cols = t ? w->cols : w->rows;
    return HEED_OK;
}

/* A transposed matrix swaps the two products. */
static void to(const heedi_node *y, const heedi_run *run, heedi_part part,
               const heed_real *x, heed_real *out, bool assign)
{
    heedi_weight w = *y->w;
    w.part = part;
    if (w.transposed)
        heedi_gemm_back(run, &w, x, out, assign);
    else
        heedi_gemm_add(run, &w, x, out, assign);
}

static void from(const heedi_node *y, const heedi_run *run, heedi_part part,
                 const heed_real *g, heed_real *gx, bool assign)
{
    heedi_weight w = *y->w;
    w.part = part;
    if (w.transposed)
        heedi_gemm_add(run, &w, g, gx, assign);
    else
        heedi_gemm_back(run, &w, g, gx, assign);
}

static void forward(const heedi_node *y, heedi_run *run)
{
    if (!y->w->transposed) {
        heedi_gemm(run, y->w, y->vec, y->in[0]->x, y->x);
        return;
    }
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

const heedi_op heedi_op_linear = {
    .name = "linear",
    .formula = "y = W x + b",
    .rule = "g_x = W^T g; the bias keeps <b, g>",
    .n_in = 1,
    .quotient = HEEDI_BY_MAP,
    .conserves = true,
    .assigns = true,
    .examples =
        (const heedi_example[]){
            {.in = {7}, .w_rows = 5, .w_cols = 7},
            {.in = {40}, .w_rows = 300, .w_cols = 40, .n_vec = 300},
            {.in = {1}, .w_rows = 1, .w_cols = 1, .n_vec = 1},
            {.in = {0}},
        },
    .refused =
        (const heedi_example[]){
            {.in = {6}, .w_rows = 5, .w_cols = 7},
            {.in = {7}, .w_rows = 5, .w_cols = 7, .n_vec = 4},
            {.in = {7}},
            {.in = {0}},
        },
    .infer = infer,
    .scratch = scratch,
    .forward = forward,
    .vjp = vjp,
    .map = &map,
    .flops = flops,
};
