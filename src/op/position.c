#include "addend.h"
#include "choices.h"
#include "readout.h"

/* y = x + P[position]: learned positions. Methods that read the token leaf
 * alone leave the positions' share, <P, g>, in `unread`. */

/* Rows beyond the table are refused before anything runs (the context). */
static int64_t at(const heedi_node *y, const heedi_run *run, int64_t seq,
                  int64_t row)
{
    int64_t pos = run->batch->pos0 + row - run->batch->start[seq];
    return pos < y->w->rows ? pos : y->w->rows - 1;
}

static void forward(const heedi_node *y, heedi_run *run)
{
    heedi_addend_forward(y, run, at);
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    if (run->ledger)
        heedi_addend_share(y, run, at, HEEDI_ENTRY_unread, NULL);
    heedi_addend_pass(y, run);
}

void heedi_position_read(const heedi_node *y, heedi_run *run)
{
    heedi_readout *o = run->readout;
    double *row = NULL;
    if (o)
        row = o->add + heedi_readout_slot(o, y) * o->rows;
    heedi_addend_share(y, run, at, HEEDI_ENTRY_position, row);
    if (o && o->plus)
        heedi_addend_positive(y, run, o->plus);
    heedi_addend_pass(y, run);
}

const heedi_op heedi_op_position = {
    .name = "position",
    .formula = "y = x + P[position]",
    .rule = "all to x; the table keeps <P, g> as unread",
    .n_in = 1,
    .quotient = HEEDI_BY_SUM,
    .conserves = true,
    .assigns = true,
    .examples = (const heedi_example[]){{.in = {6}, .w_rows = 320, .w_cols = 6},
                                        {.in = {0}}},
    .refused = (const heedi_example[]){{.in = {6}, .w_rows = 20, .w_cols = 5},
                                       {.in = {6}},
                                       {.in = {0}}},
    .infer = heedi_addend_infer,
    .scratch = heedi_addend_scratch,
    .forward = forward,
    .vjp = vjp,
};
