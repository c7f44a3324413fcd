#include "choices.h"
#include "rule.h"

/* PA-LRP: what positions take is relevance of theirs. */

const heedi_rule_kind heedi_rule_rope_half = {
    .info = {.name = "rope_half",
             .formula = "1/2 of rotated dimensions to the position",
             .on = "rotations",
             .cite = "Bakish et al. 2025, arXiv:2506.02138"},
    .of_method = true,
    .row = {.op = &heedi_op_rope,
            .back = heedi_rope_shared,
            .needs = HEEDI_IN0},
};
