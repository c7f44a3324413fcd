#include "args.h"
#include "choices.h"
#include "kernel.h"
#include "op.h"
#include "readout.h"

#include <string.h>

/* y = x + P[position]: learned positions. Methods that read the token leaf
 * alone leave the positions' share, <P, g>, in `unread`. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    if (!y->w || y->w->cols != y->in[0]->cols)
        return heedi_bad_shapes(ctx, y);
    y->cols = y->in[0]->cols;
    return HEED_OK;
}

static size_t scratch(const heedi_node *y, const heedi_batch *b, int threads)
{
    (void)threads;
    return (size_t)(b->rows * y->cols) * sizeof(heed_real) +
           (size_t)b->rows * sizeof(double);
}

/* Rows beyond the table are refused before anything runs (the context). */
static int64_t at(const heedi_node *y, const heedi_batch *b, heedi_tile t,
                  int64_t row)
{
    int64_t pos = b->pos0 + row - b->start[t.seq];
    return pos < y->w->rows ? pos : y->w->rows - 1;
}

static void forward(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
    const int64_t c = y->cols;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++)
        for (int64_t r = b->small[k].row; r < b->small[k].row + b->small[k].n;
             r++) {
            heed_real *o = y->x + r * c;
            heedi_weight_row(y->w, at(y, b, b->small[k], r), 0, c, o);
            v->addto((size_t)c, y->in[0]->x + r * c, o);
        }
}

/* <P, g>, row by row, into an entry and into `row` (or NULL). */
static void share(const heedi_node *y, heedi_run *run, heedi_entry entry,
                  double *row)
{
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
    const int64_t c = y->cols;
    heed_real *p = run->scratch;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        run->partial[k] = 0;
        for (int64_t r = b->small[k].row; r < b->small[k].row + b->small[k].n;
             r++) {
            heedi_weight_row(y->w, at(y, b, b->small[k], r), 0, c, p + r * c);
            double x = v->dot((size_t)c, p + r * c, y->g + r * c);
            run->partial[k] += x;
            if (row)
                row[r] += x;
        }
    }
    for (int64_t k = 0; k < b->n_small; k++)
        heedi_deposit(run->ledger, b->small[k].seq, y->id, entry,
                      run->partial[k]);
}

static void pass_on(const heedi_node *y, const heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        int64_t o = b->small[k].row * y->cols, n = b->small[k].n * y->cols;
        if (y->first[0])
            memcpy(y->in[0]->g + o, y->g + o, (size_t)n * sizeof *y->g);
        else
            v->addto((size_t)n, y->g + o, y->in[0]->g + o);
    }
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    if (run->ledger)
        share(y, run, HEEDI_ENTRY_unread, NULL);
    pass_on(y, run);
}

/* Positive parts of P g, whose P share() has left in the working memory. */
static void positive(const heedi_node *y, const heedi_run *run, double *plus)
{
    const heed_real *p = run->scratch;
    const int64_t c = y->cols;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < run->batch->rows; r++)
        for (int64_t i = r * c; i < (r + 1) * c; i++) {
            const double x = (double)p[i] * (double)y->g[i];
            plus[r] += x > 0 ? x : 0;
        }
}

void heedi_position_read(const heedi_node *y, heedi_run *run)
{
    heedi_readout *o = run->readout;
    double *row = NULL;
    if (o)
        row = o->add + heedi_readout_slot(o, y) * o->rows;
    share(y, run, HEEDI_ENTRY_position, row);
    if (o && o->plus)
        positive(y, run, o->plus);
    pass_on(y, run);
}

const heedi_op heedi_op_position = {
    .name = "position",
    .formula = "y = x + P[position]",
    .rule = "all to x; the table keeps <P, g> as unread",
    .n_in = 1,
    .conserves = true,
    .assigns = true,
    .examples = (const heedi_example[]){{.in = {6}, .w_rows = 320, .w_cols = 6},
                                        {.in = {0}}},
    .refused = (const heedi_example[]){{.in = {6}, .w_rows = 20, .w_cols = 5},
                                       {.in = {6}},
                                       {.in = {0}}},
    .infer = infer,
    .scratch = scratch,
    .forward = forward,
    .vjp = vjp,
};
