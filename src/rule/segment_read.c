#include "choices.h"
#include "rule.h"

/* PA-LRP: what token types take is relevance of theirs. */

const heedi_rule_kind heedi_rule_segment_read = {
    .info = {.name = "segment_read",
             .formula = "<S, g> to the token type",
             .on = "token types",
             .cite = "Bakish et al. 2025, arXiv:2506.02138"},
    .of_method = true,
    .row = {.op = &heedi_op_segment, .back = heedi_segment_read, .needs = 0},
};
