#include "choices.h"
#include "rule.h"

/* As official code does it; what is lost goes into the entry `gate`. */

const heedi_rule_kind heedi_rule_act_derivative = {
    .info = {.name = "act_derivative",
             .formula = "g_x = f'(x) g",
             .on = "activations",
             .cite = "MambaLRP's CUDA path"},
    .row = {.op = &heedi_op_act,
            .back = heedi_act_derivative,
            .needs = HEEDI_IN0 | HEEDI_OUT},
};
