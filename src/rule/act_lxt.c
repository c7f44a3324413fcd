#include "choices.h"
#include "rule.h"

/* As official code does it; what is lost goes into the entry `gate`. */

const heedi_rule_kind heedi_rule_act_lxt = {
    .info = {.name = "act_lxt",
             .formula = "g_x = f(x) / (x + 1e-10) g",
             .on = "activations",
             .cite = "LXT 2.1, lxt.efficient"},
    .row = {.op = &heedi_op_act,
            .back = heedi_act_lxt,
            .needs = HEEDI_IN0 | HEEDI_OUT},
};
