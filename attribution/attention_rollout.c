#include "flow.h"
#include "method.h"

/* Rows of the product of (I + A_l), rows divided by their sums: no gradient.
 * The pass is that of a gradient so that borders of all blocks are kept. */

#define OPTIONS(O)                                               \
    O(row_norm, "on|off", "on", 0, 0,                            \
      "rows of I + A are divided by their sums")                 \
    O(start_layer, "integer", "0", -1e6, 1e6,                    \
      "the first layer that counts; -1: the last")               \
    O(head, "mean|max|min", "mean", 0, 0, "how heads are fused") \
    O(self, "on|off", "on", 0, 0,                                \
      "off: without the path that stays at the explained position")
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};

static heed_status visit(void *ud, heedi_exec *e, int64_t b)
{
    for (const heedi_node *y = e->block[b].tape.last; y; y = y->prev)
        if (y->op->mixing)
            heedi_flow_layer(ud, y);
    return HEED_OK;
}

static heed_status passes(heedi_flow *f)
{
    return heedi_exec_revisit(f->r.e, visit, f);
}

static heedi_flow_how how(const heedi_job *j)
{
    return (heedi_flow_how){.heads = (heedi_fusion)j->opt[opt_head],
                            .row_norm = j->opt[opt_row_norm] == 0,
                            .no_self = j->opt[opt_self] != 0,
                            .start_layer = (int64_t)j->opt[opt_start_layer],
                            .passes = passes};
}

static heed_status check(heedi_job *j)
{
    const heedi_flow_how h = how(j);
    return heedi_flow_check(j, &h);
}

static heed_status run(heedi_job *j)
{
    const heedi_flow_how h = how(j);
    return heedi_run_flow(j, &h);
}

const heedi_method heedi_method_attention_rollout = {
    .info = {.name = "attention_rollout",
             .aliases = "rollout",
             .summary = "attention of all layers, multiplied",
             .cite = "Abnar and Zuidema 2020, arXiv:2005.00928",
             .reduce = "",
             .options = options},
    .pass = HEEDI_GRADIENT,
    .mixing = true,
    .tokens_only = true,
    .units = "1",
    .check = check,
    .run = run,
};
