#include "choices.h"
#include "rule.h"

/* PA-LRP: what positions take is relevance of theirs. */

const heedi_rule_kind heedi_rule_position_read = {
    .info = {.name = "position_read",
             .formula = "<P, g> to the position",
             .on = "learned positions",
             .cite = "Bakish et al. 2025, arXiv:2506.02138"},
    .of_method = true,
    .row = {.op = &heedi_op_position, .back = heedi_position_read, .needs = 0},
};
