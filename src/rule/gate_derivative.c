#include "choices.h"
#include "rule.h"

/* As official code does it; what is lost goes into the entry `gate`. */

const heedi_rule_kind heedi_rule_gate_derivative = {
    .info = {.name = "gate_derivative",
             .formula = "1/2 to each factor, f'(a) in the gate",
             .on = "gated units",
             .cite = "MambaLRP's CUDA path"},
    .row = {.op = &heedi_op_glu,
            .back = heedi_glu_derivative,
            .needs = HEEDI_IN0 | HEEDI_IN1 | HEEDI_OUT},
};
