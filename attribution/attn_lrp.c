#include "method.h"

#include "stabiliser.h"

/* Every rule is the default `relevance` of its operation: activations pass
 * relevance on unchanged, norms hold their statistics constant, a product of
 * two live factors gives a half to each, the softmax keeps kappa. */

#define OPTIONS(O)                                                            \
    O(act_div, "exact|lxt", "exact", 0, 0,                                    \
      "f(x)/x of activations in closed form, or f(x)/(x + 1e-10) as LXT "     \
      "does")                                                                 \
    O(relkey, "half|unhalved|drop", "half", 0, 0,                             \
      "relative keys: half to their table; or, as LXT's efficient code, all " \
      "to q and k; or, as its explicit code, none")                           \
    O(softcap, "quotient|derivative", "quotient", 0, 0,                       \
      "capped logits: f(z)/z; or f'(z), as LXT, which leaves them alone")     \
    HEEDI_STABILISER_OPTION(O)
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};

/* Halves that q and k get, in the order of the words. */
static const double halves[] = {1, 2, 0};

static heed_status check(heedi_job *j)
{
    j->o.stab = heedi_stabiliser_at(j->opt[opt_stab]);
    j->o.cap_slope = j->opt[opt_softcap] != 0;
    if (j->opt[opt_relkey] != 0) {
        heedi_rule r = heedi_rule_row(&heedi_rule_relative_keys, NULL);
        r.arg[0] = halves[(int)j->opt[opt_relkey]];
        heedi_job_rule(j, r);
    }
    if (j->opt[opt_act_div] != 0) {
        heedi_job_rule(j, heedi_rule_row(&heedi_rule_act_lxt, NULL));
        heedi_job_rule(j, heedi_rule_row(&heedi_rule_gate_lxt, NULL));
    }
    return HEED_OK;
}

const heedi_method heedi_method_attn_lrp = {
    .info = {.name = "attn_lrp",
             .aliases = "attnlrp",
             .summary = "layer-wise relevance propagation for transformers",
             .cite = "Achtibat et al. 2024, arXiv:2402.05602",
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
