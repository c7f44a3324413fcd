#include "choices.h"
#include "rule.h"

/* Relevance form: what arrives is R itself. */

const heedi_rule_kind heedi_rule_tattr_attention = {
    .info = {.name = "tattr_attention",
             .formula =
                 "x VJP(R/y) / 2 of A V and of Q K^T, the softmax passes on",
             .on = "attention",
             .cite = "Chefer et al. 2021, arXiv:2012.09838"},
    .of_method = true,
    .row = {.op = &heedi_op_attention,
            .back = heedi_form_attention,
            .needs = HEEDI_IN0 | HEEDI_IN1 | HEEDI_IN2 | HEEDI_OUT,
            .scratch = heedi_form_attention_scratch},
};
