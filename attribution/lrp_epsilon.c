#include "method.h"

/* Every linear map, the head too; the rest is attn_lrp. */

#define OPTIONS(O) \
    O(epsilon, "number", "1e-6", 0, 1e6, "stabiliser; 0 is attn_lrp")
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};

static const heedi_method_rule rules[] = {
    {&heedi_rule_epsilon, "*", {1 + opt_epsilon}}, {0}};

const heedi_method heedi_method_lrp_epsilon = {
    .info = {.name = "lrp_epsilon",
             .aliases = "epsilon_lrp eps_lrp",
             .summary = "attn_lrp with the epsilon rule on every linear map",
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
