#include "choices.h"
#include "rule.h"

/* Relevance form: what arrives is R itself. */

const heedi_rule_kind heedi_rule_tattr_conv = {
    .info = {.name = "tattr_conv",
             .formula = "tattr_linear, or R_x = x+ W+^T R/Z+ + x- W-^T R/Z-, "
                        "Z+ = W+ x+, Z- = W- x-",
             .on = "convolutions",
             .cite = "Chefer et al. 2021, arXiv:2012.09838",
             .arg = {{"apart", 0, 0, 1}}},
    .of_method = true,
    .row = {.op = &heedi_op_conv1d,
            .back = heedi_form_conv,
            .needs = HEEDI_IN0,
            .scratch = heedi_form_linear_scratch},
};
