#include "choices.h"
#include "rule.h"

/* CP-LRP: attention weights are constant, V takes all; or, as some official
 * code does, a share, and the rest is lost (entry `leak`). */

const heedi_rule_kind heedi_rule_cp = {
    .info = {.name = "cp",
             .aliases = "constant_attention",
             .formula = "A constant: R_V = V A^T (R / O), nothing to Q and K",
             .on = "attention",
             .cite = "Ali et al. 2022, arXiv:2202.07304",
             .arg = {{"share", 1, 0, 1}}},
    .row = {.op = &heedi_op_attention,
            .back = heedi_attention_constant,
            .needs = HEEDI_IN0 | HEEDI_IN1 | HEEDI_OUT,
            .stops = HEEDI_IN0 | HEEDI_IN1},
};
