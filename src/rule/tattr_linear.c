#include "choices.h"
#include "rule.h"

/* Relevance form: what arrives is R itself. */

const heedi_rule_kind heedi_rule_tattr_linear = {
    .info = {.name = "tattr_linear",
             .formula = "R_x = x+ W+^T R/Z + x- W-^T R/Z, Z = W+ x+ + W- x-",
             .on = "linear maps",
             .cite = "Chefer et al. 2021, arXiv:2012.09838"},
    .of_method = true,
    .row = {.back = heedi_form_linear,
            .needs = HEEDI_IN0,
            .scratch = heedi_form_linear_scratch},
};
