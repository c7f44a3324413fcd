#include "ctx.h"
#include "flow.h"
#include "method_flow.h"

/* Rows of the product of (I + A_l), rows divided by their sums: no gradient.
 * The pass is that of a gradient so that borders of all blocks are kept. */

#define OPTIONS(O)                                                      \
    O(row_norm, "auto|on|off", "auto", 0, 0,                            \
      HEEDI_FLOW_NORMED "; auto: those of softmax attention")           \
    HEEDI_FLOW_START_LAYER(O)                                           \
    O(head, "mean|max|min|pos_mean|abs_mean", "mean", 0, 0,             \
      "how heads or channels are fused")                                \
    HEEDI_FLOW_KIND(O)                                                  \
    O(form, "auto|matrix|free|vector", "auto", 0, 0,                    \
      "rows of matrices, products without entries, or, as in official " \
      "code, the explained row added to every row")                     \
    HEEDI_FLOW_SELF(O)
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};

static heedi_flow_how how(const heedi_job *j)
{
    return (heedi_flow_how){.heads = (heedi_fusion)j->opt[opt_head],
                            .form = (heedi_form)j->opt[opt_form],
                            .core = j->opt[opt_kind] != 0,
                            .row_norm = (heedi_norming)j->opt[opt_row_norm],
                            .no_self = j->opt[opt_self] != 0,
                            .start_layer = (int64_t)j->opt[opt_start_layer],
                            .passes = heedi_flow_revisit};
}

static heed_status check(heedi_job *j)
{
    const heedi_flow_how h = how(j);
    if (h.form == HEEDI_FORM_FREE && h.heads != HEEDI_FUSE_MEAN)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: form free is of the mean over heads or channels "
                          "alone",
                          j->info->name);
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
