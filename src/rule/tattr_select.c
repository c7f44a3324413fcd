#include "choices.h"
#include "rule.h"

/* Relevance form: what arrives is R itself. */

static const heedi_op *const ops[] = {&heedi_op_prefix, &heedi_op_stack, NULL};

const heedi_rule_kind heedi_rule_tattr_select = {
    .info = {.name = "tattr_select",
             .formula = "R where the value is from",
             .on = "learned tokens, heads of several tokens",
             .cite = "Chefer et al. 2021, arXiv:2012.09838"},
    .of_method = true,
    .ops = ops,
    .row = {.back = heedi_form_select, .needs = 0},
};
