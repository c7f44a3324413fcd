#include "method.h"
#include "rule.h"

/* The maps of the layers; embedding and head by the plain transpose. */

#define OPTIONS(O) \
    O(gamma, "number", "0.25", 0, 1e6, "weight of positive contributions")
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};

static heed_status check(heedi_job *j)
{
    heedi_rule r = heedi_rule_row(&heedi_rule_gamma, "blk.*");
    r.arg[0] = j->opt[opt_gamma];
    heedi_job_rule(j, r);
    return HEED_OK;
}

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
    .check = check,
    .run = heedi_run_gradient,
};
