#include "choices.h"
#include "rule.h"

/* Relevance form: what arrives is R itself. There is no official code for a
 * recurrence between layers of attention; its coefficients are constant, as in
 * every other method. */

const heedi_rule_kind heedi_rule_tattr_recurrence = {
    .info = {.name = "tattr_recurrence",
             .formula = "R_x = x VJP(R/y), gates constant",
             .on = "RG-LRU",
             .cite = "derived"},
    .of_method = true,
    .row = {.op = &heedi_op_rglru,
            .back = heedi_form_product,
            .needs = HEEDI_IN0 | HEEDI_IN1 | HEEDI_IN2 | HEEDI_OUT,
            .scratch = heedi_form_product_scratch},
};
