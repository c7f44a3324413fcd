#include "method.h"

/* The maps of the layers; embedding and head by the plain transpose. */

#define OPTIONS(O) \
    O(gamma, "number", "0.25", 0, 1e6, "weight of positive contributions")
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};

static const heedi_method_rule rules[] = {
    {&heedi_rule_gamma, "blk.*", {1 + opt_gamma}}, {0}};

const heedi_method heedi_method_lrp_gamma = {
    .info =
        {.name = "lrp_gamma",
         .aliases = "gamma_lrp",
         .summary =
             "attn_lrp with the gamma rule on the linear maps of the layers",
         .cite = "Montavon et al. 2019, doi:10.1007/978-3-030-28954-6_10",
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
