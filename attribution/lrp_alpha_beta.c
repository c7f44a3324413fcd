#include "method.h"

/* The maps of the layers; embedding and head by the plain transpose. */

#define OPTIONS(O)                                          \
    O(alpha, "number", "2", 1, 1e6,                         \
      "share of positive contributions; beta is alpha - 1") \
    O(epsilon, "number", "1e-6", 0, 1e6, "stabiliser")
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};

static const heedi_method_rule rules[] = {
    {&heedi_rule_alpha_beta, "blk.*", {1 + opt_alpha, 1 + opt_epsilon}}, {0}};

const heedi_method heedi_method_lrp_alpha_beta = {
    .info = {.name = "lrp_alpha_beta",
             .aliases = "alphabeta_lrp",
             .summary = "attn_lrp with the alpha-beta rule on the linear maps "
                        "of the layers",
             .cite = "Bach et al. 2015, doi:10.1371/journal.pone.0130140",
             .reduce = "sum",
             .options = options,
             .has_target = 1,
             .is_signed = 1,
             .conserves = 1},
    .pass = HEEDI_RELEVANCE,
    .has_leaf = true,
    .rules = rules,
    .run = heedi_run_gradient,
};
