#include "choices.h"
#include "rule.h"

/* Of a LayerNorm the mean is constant, too. No official code does it: it shows
 * what the choice is worth. */

const heedi_rule_kind heedi_rule_constant_mean = {
    .info = {.name = "constant_mean",
             .aliases = "ln_mean",
             .formula = "g_x = w g / s, mean and s constant",
             .on = "layer normalisation",
             .cite = ""},
    .row = {.op = &heedi_op_layernorm,
            .back = heedi_layernorm_constant,
            .needs = 0},
};
