#include "maps.h"
#include "method.h"

#define OPTIONS(O) HEEDI_MAP_OPTIONS(O)
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};

static heed_status check(heedi_job *j)
{
    const heedi_maps_how how = {.kind = (heedi_map_kind)j->opt[opt_kind],
                                .skip = (heedi_map_skip)j->opt[opt_skip],
                                .raw = j->opt[opt_variant] != 0};
    return heedi_maps_check(j, &how);
}

const heedi_method heedi_method_attention = {
    .info = {.name = "attention",
             .aliases = "attention_weights implicit_attention",
             .summary = "attention matrices of every layer, head or channel",
             .cite = "Bahdanau et al. 2015, arXiv:1409.0473; Ali et al. 2024, "
                     "arXiv:2403.01590; Zimerman et al. 2025, arXiv:2405.16504",
             .reduce = "auto",
             .options = options,
             .gives_maps = 1},
    .pass = HEEDI_FORWARD,
    .mixing = true,
    .check = check,
    .settled = heedi_maps_settled,
    .run = heedi_maps_run,
};
