#include "method.h"

#include "stabiliser.h"

/* The same rows as attn_lrp: every rule is the default `relevance` of its
 * operation, on any model. Recurrences hold their coefficients constant (the
 * scan dt, B and C), so that nothing is absorbed there but biases. */

#define OPTIONS(O)                                                          \
    O(ssm_act, "identity|derivative", "identity", 0, 0,                     \
      "activations pass relevance on, or their derivative does, as in the " \
      "official CUDA path")                                                 \
    HEEDI_STABILISER_OPTION(O)
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};

static heed_status check(heedi_job *j)
{
    j->o.stab = heedi_stabiliser_at(j->opt[opt_stab]);
    if (j->opt[opt_ssm_act] != 0) {
        heedi_job_rule(j,
                       heedi_rule_row(&heedi_rule_act_derivative, "mixer.*"));
        heedi_job_rule(j,
                       heedi_rule_row(&heedi_rule_gate_derivative, "mixer.*"));
    }
    return HEED_OK;
}

const heedi_method heedi_method_mamba_lrp = {
    .info = {.name = "mamba_lrp",
             .aliases = "mambalrp",
             .summary = "layer-wise relevance propagation for Mamba",
             .cite = "Jafari et al. 2024, arXiv:2406.07592",
             .reduce = "sum",
             .options = options,
             .has_target = 1,
             .is_signed = 1,
             .conserves = 1},
    .pass = HEEDI_RELEVANCE,
    .has_leaf = true,
    .check = check,
    .run = heedi_run_gradient,
};
