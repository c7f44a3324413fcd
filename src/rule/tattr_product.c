#include "choices.h"
#include "rule.h"

/* Relevance form: what arrives is R itself. */

const heedi_rule_kind heedi_rule_tattr_product = {
    .info = {.name = "tattr_product",
             .formula = "R_x = x VJP(R/y)",
             .on = "rotations",
             .cite = "Chefer et al. 2021, arXiv:2012.09838"},
    .of_method = true,
    .row = {.op = &heedi_op_rope,
            .back = heedi_form_product,
            .needs = HEEDI_IN0 | HEEDI_OUT,
            .scratch = heedi_form_product_scratch},
};
