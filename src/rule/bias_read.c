#include "choices.h"
#include "rule.h"

/* PA-LRP: what positions take is relevance of theirs. */

const heedi_rule_kind heedi_rule_bias_read = {
    .info = {.name = "bias_read",
             .formula = "b dS to the positions, else as attn_lrp",
             .on = "attention",
             .cite = "Bakish et al. 2025, arXiv:2506.02138"},
    .of_method = true,
    .row = {.op = &heedi_op_attention,
            .back = heedi_attention_read,
            .needs = HEEDI_IN0 | HEEDI_IN1 | HEEDI_IN2 | HEEDI_OUT,
            .scratch = heedi_attention_read_scratch},
};
