#include "choices.h"
#include "rule.h"

/* As official code does it; what is lost goes into the entry `gate`. */

const heedi_rule_kind heedi_rule_gate_lxt = {
    .info = {.name = "gate_lxt",
             .formula = "1/2 to each factor, f(a) / (a + 1e-10) in the gate",
             .on = "gated units",
             .cite = "LXT 2.1, lxt.efficient"},
    .row = {.op = &heedi_op_glu,
            .back = heedi_glu_lxt,
            .needs = HEEDI_IN0 | HEEDI_IN1 | HEEDI_OUT},
};
