#include "maps.h"
#include "method.h"

/* K[r][c] = sum over columns d of g_r[d] M_d[r][c] v_c[d], with the plain
 * gradient g of what M gives and its operand v: of one target. */

#define OPTIONS(O) HEEDI_MAP_OPTIONS(O)
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};

static heed_status check(heedi_job *j)
{
    const heedi_maps_how how = {.kind = (heedi_map_kind)j->opt[opt_kind],
                                .skip = (heedi_map_skip)j->opt[opt_skip],
                                .raw = j->opt[opt_variant] != 0,
                                .weighted = true};
    return heedi_maps_check(j, &how);
}

const heedi_method heedi_method_attention_contribution = {
    .info = {.name = "attention_contribution",
             .aliases = "contribution_map",
             .summary = "attention matrices times the gradient of their output "
                        "and their operand, summed over channels",
             .cite = "Ali et al. 2024, arXiv:2403.01590; Zimerman et al. 2025, "
                     "arXiv:2405.16504",
             .reduce = "",
             .options = options,
             .has_target = 1,
             .gives_maps = 1,
             .is_signed = 1},
    .pass = HEEDI_GRADIENT,
    .mixing = true,
    .tokens_only = true,
    .units = "target",
    .check = check,
    .settled = heedi_maps_settled,
    .run = heedi_maps_run,
};
