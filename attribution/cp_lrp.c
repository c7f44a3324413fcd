#include "method.h"

#include "stabiliser.h"

/* attn_lrp but for attention weights and gates, which are constant: nothing is
 * lost in the softmax. */
static const heedi_method_rule rules[] = {
    {&heedi_rule_cp, NULL, {0}},
    {&heedi_rule_constant_gate, "mlp.*", {0}},
    {0},
};

#define OPTIONS(O) HEEDI_STABILISER_OPTION(O)
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};

static heed_status check(heedi_job *j)
{
    j->o.stab = heedi_stabiliser_at(j->opt[opt_stab]);
    return HEED_OK;
}

const heedi_method heedi_method_cp_lrp = {
    .info = {.name = "cp_lrp",
             .aliases = "cplrp conservative_lrp",
             .summary = "conservative propagation: attention weights and gates "
                        "are constant",
             .cite = "Ali et al. 2022, arXiv:2202.07304",
             .reduce = "sum",
             .options = options,
             .has_target = 1,
             .is_signed = 1,
             .conserves = 1},
    .pass = HEEDI_RELEVANCE,
    .has_leaf = true,
    .rules = rules,
    .check = check,
    .run = heedi_run_gradient,
};
