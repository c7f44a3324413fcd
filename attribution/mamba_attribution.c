#include "method_hidden.h"

/* Of the recurrence alone: S6's own matrix. */

static const heed_option options[] = {
    HEEDI_HIDDEN_OPTIONS(HEEDI_OPTION_ROW){0}};

static heed_status check(heedi_job *j)
{
    return heedi_hidden_check(j, true);
}

static heed_status run(heedi_job *j)
{
    return heedi_hidden_run(j, true);
}

const heedi_method heedi_method_mamba_attribution = {
    .info =
        {.name = "mamba_attribution",
         .aliases = "hidden_attention",
         .summary =
             "hidden attention of all layers times its gradient, multiplied",
         .cite = "Ali et al. 2024, arXiv:2403.01590",
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
