#include "choices.h"
#include "rule.h"

/* Relevance form: what arrives is R itself. */

const heedi_rule_kind heedi_rule_tattr_gate = {
    .info = {.name = "tattr_gate",
             .formula = "R/2 to each factor, f passes on",
             .on = "gated units",
             .cite = "Chefer et al. 2021, arXiv:2012.09838"},
    .of_method = true,
    .row = {.op = &heedi_op_glu, .back = heedi_form_glu, .needs = HEEDI_OUT},
};
