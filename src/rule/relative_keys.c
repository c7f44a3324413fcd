#include "choices.h"
#include "rule.h"

/* As the code of LXT has it: relative keys are no factor of a product, so that
 * q and k get both halves (2) or, cut off, none, which is a leak (0). */

const heedi_rule_kind heedi_rule_relative_keys = {
    .info = {.name = "relative_keys",
             .formula = "of q E[j - i]: a share of halves to q, the rest to E",
             .on = "attention",
             .cite = "LXT 2.1, lxt.efficient and lxt.explicit",
             .arg = {{"halves", 1, 0, 2}}},
    .row = {.op = &heedi_op_attention,
            .back = heedi_attention_relative,
            .needs = HEEDI_IN0 | HEEDI_IN1 | HEEDI_IN2 | HEEDI_OUT},
};
