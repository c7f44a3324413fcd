#include "choices.h"
#include "method.h"

/* attn_lrp but for attention weights and gates, which are constant: nothing is
 * lost in the softmax. */
static const heedi_rule rules[] = {
    {.op = &heedi_op_attention,
     .back = heedi_attention_constant,
     .needs = HEEDI_IN0 | HEEDI_IN1,
     .stops = HEEDI_IN0 | HEEDI_IN1,
     .name = "cp"},
    {.op = &heedi_op_glu,
     .glob = "mlp.*",
     .back = heedi_glu_constant,
     .needs = HEEDI_IN0 | HEEDI_IN1,
     .stops = HEEDI_IN0,
     .name = "constant_gate"},
    {0},
};

const heedi_method heedi_method_cp_lrp = {
    .info = {.name = "cp_lrp",
             .aliases = "cplrp conservative_lrp",
             .summary = "conservative propagation: attention weights and gates "
                        "are constant",
             .cite = "Ali et al. 2022, arXiv:2202.07304",
             .reduce = "sum",
             .has_target = 1,
             .is_signed = 1,
             .conserves = 1},
    .pass = HEEDI_RELEVANCE,
    .rules = rules,
    .run = heedi_run_gradient,
};
