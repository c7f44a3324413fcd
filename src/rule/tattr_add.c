#include "choices.h"
#include "rule.h"

/* Relevance form: what arrives is R itself. */

const heedi_rule_kind heedi_rule_tattr_add = {
    .info = {.name = "tattr_add",
             .formula = "a R/y and b R/y, scaled to |sum a R/y| and |sum b "
                        "R/y| of the sum of R",
             .on = "sums",
             .cite = "Chefer et al. 2021, arXiv:2012.09838",
             .arg = {{"batch", 0, 0, 1}}},
    .of_method = true,
    .row = {.op = &heedi_op_add,
            .back = heedi_form_add,
            .needs = HEEDI_IN0 | HEEDI_IN1,
            .scratch = heedi_form_add_scratch},
};
