#include "choices.h"
#include "rule.h"

/* Relevance form: what arrives is R itself. */

static const heedi_op *const ops[] = {&heedi_op_act,       &heedi_op_rmsnorm,
                                      &heedi_op_layernorm, &heedi_op_position,
                                      &heedi_op_segment,   NULL};

const heedi_rule_kind heedi_rule_tattr_pass = {
    .info = {.name = "tattr_pass",
             .formula = "R_x = R",
             .on = "norms, activations, positions, token types",
             .cite = "Chefer et al. 2021, arXiv:2012.09838"},
    .of_method = true,
    .ops = ops,
    .row = {.back = heedi_form_pass, .needs = 0},
};
