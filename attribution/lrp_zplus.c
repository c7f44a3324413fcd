#include "method.h"

/* The maps of the layers; embedding and head by the plain transpose. */

#define OPTIONS(O) O(epsilon, "number", "1e-6", 0, 1e6, "stabiliser")
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};

static const heedi_method_rule rules[] = {
    {&heedi_rule_zplus, "blk.*", {1 + opt_epsilon}}, {0}};

const heedi_method heedi_method_lrp_zplus = {
    .info = {.name = "lrp_zplus",
             .aliases = "zplus_lrp z_plus",
             .summary =
                 "attn_lrp with the z+ rule on the linear maps of the layers",
             .cite = "Montavon et al. 2017, doi:10.1016/j.patcog.2016.11.008",
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
