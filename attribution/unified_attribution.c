#include "method_hidden.h"

/* Of the block: with convolution, activation, gate and norm. */

static const heed_option options[] = {
    HEEDI_HIDDEN_OPTIONS(HEEDI_OPTION_ROW){0}};

static heed_status check(heedi_job *j)
{
    return heedi_hidden_check(j, false);
}

static heed_status run(heedi_job *j)
{
    return heedi_hidden_run(j, false);
}

const heedi_method heedi_method_unified_attribution = {
    .info = {.name = "unified_attribution",
             .aliases = "implicit_attention",
             .summary = "implicit attention of whole blocks times its "
                        "gradient, multiplied",
             .cite = "Zimerman et al. 2025, arXiv:2405.16504",
             .reduce = "",
             .options = options,
             .has_target = 1},
    .pass = HEEDI_GRADIENT,
    .mixing = true,
    .tokens_only = true,
    .units = "1",
    .check = check,
    .run = run,
};
