#include "choices.h"
#include "rule.h"

/* The gate f(a) of y = f(a) u is constant, u takes all. */

const heedi_rule_kind heedi_rule_constant_gate = {
    .info = {.name = "constant_gate",
             .formula = "f(a) constant: R_u = R",
             .on = "gated units",
             .cite = "Ali et al. 2022, arXiv:2202.07304; LXT's cp_LRP"},
    .row = {.op = &heedi_op_glu,
            .back = heedi_glu_constant,
            .needs = HEEDI_IN0 | HEEDI_IN1,
            .stops = HEEDI_IN0},
};
