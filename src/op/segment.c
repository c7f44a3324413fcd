#include "addend.h"
#include "choices.h"
#include "readout.h"

/* y = x + S[segment]: token types. Methods that read the token leaf alone leave
 * the types' share, <S, g>, in `unread`. */

/* A segment beyond the table is refused before anything runs. */
static int64_t at(const heedi_node *y, const heedi_run *run, int64_t seq,
                  int64_t row)
{
    const int64_t s = run->segment ? run->segment[row] : 0;
    (void)seq;
    return s < y->w->rows ? s : y->w->rows - 1;
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

void heedi_segment_read(const heedi_node *y, heedi_run *run)
{
    heedi_readout *o = run->readout;
    if (o)
        o->typed = true;
    heedi_addend_share(y, run, at, HEEDI_ENTRY_type, o ? o->type : NULL);
    if (o && o->type_plus)
        heedi_addend_positive(y, run, o->type_plus);
    heedi_addend_pass(y, run);
}

const heedi_op heedi_op_segment = {
    .name = "segment",
    .formula = "y = x + S[segment]",
    .rule = "all to x; the table keeps <S, g> as unread",
    .n_in = 1,
    .quotient = HEEDI_BY_SUM,
    .conserves = true,
    .assigns = true,
    .examples = (const heedi_example[]){{.in = {6}, .w_rows = 2, .w_cols = 6},
                                        {.in = {3}, .w_rows = 1, .w_cols = 3},
                                        {.in = {0}}},
    .refused = (const heedi_example[]){{.in = {6}, .w_rows = 2, .w_cols = 5},
                                       {.in = {6}},
                                       {.in = {0}}},
    .infer = heedi_addend_infer,
    .scratch = heedi_addend_scratch,
    .forward = forward,
    .vjp = vjp,
};
