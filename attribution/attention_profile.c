#include <stdio.h>

#include "ctx.h"
#include "maps.h"
#include "method.h"

#define OPTIONS(O)                                                             \
    HEEDI_MAP_OPTIONS(O)                                                       \
    O(order, "ratio_of_sums|mean_of_ratios", "ratio_of_sums", 0, 0,            \
      "distance: of the reduced matrix, or the mean of those of all heads or " \
      "channels")                                                              \
    O(needle, "text", "", 0, 0,                                                \
      "share of tokens A to B-1, as A:B; nothing: none")                       \
    O(horizon, "number", "1e-3", 1e-300, 0.999999,                             \
      "how far back the states of a recurrence have more than this left of "   \
      "what was written")                                                      \
    O(horizon_rows, "off|on", "off", 0, 0,                                     \
      "horizons of every row, not of the last alone")
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};

static heed_status needle(heedi_job *j, heedi_maps_how *how)
{
    const char *text = j->opt_text[opt_needle];
    long long a, b;
    char more;
    if (!*text)
        return HEED_OK;
    if (sscanf(text, "%lld:%lld%c", &a, &b, &more) != 2 || a < 0 || b <= a)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: needle is '%s', must be two positions A:B with "
                          "0 <= A < B",
                          j->info->name, text);
    for (int64_t s = 0; s < j->n; s++)
        if (b > j->len[s])
            return heedi_fail(j->ctx, HEED_EINVAL,
                              "%s: needle %s, but the input has %lld tokens",
                              j->info->name, text, (long long)j->len[s]);
    how->needle_from = a;
    how->needle_to = b;
    return HEED_OK;
}

static heed_status check(heedi_job *j)
{
    heedi_maps_how how = {.kind = (heedi_map_kind)j->opt[opt_kind],
                          .skip = (heedi_map_skip)j->opt[opt_skip],
                          .raw = j->opt[opt_variant] != 0,
                          .ratios = j->opt[opt_order] != 0,
                          .profile = true,
                          .horizon = j->opt[opt_horizon],
                          .horizon_rows = j->opt[opt_horizon_rows] != 0};
    HEEDI_TRY(needle(j, &how));
    return heedi_maps_check(j, &how);
}

const heedi_method heedi_method_attention_profile = {
    .info = {.name = "attention_profile",
             .aliases = "",
             .summary = "how far attention matrices reach: distance, entropy, "
                        "weight by lag",
             .cite = "Ben-Kish et al. 2025, arXiv:2406.14528",
             .reduce = "abs_mean",
             .options = options,
             .gives_maps = 1},
    .pass = HEEDI_FORWARD,
    .mixing = true,
    .check = check,
    .settled = heedi_maps_settled,
    .run = heedi_maps_run,
};
