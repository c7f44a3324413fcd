#include "spread.h"

/* R_x = R / fan-in, whatever W is: for a first layer. */

static void back(const heedi_node *y, heedi_run *run)
{
    heedi_spread(y, run, HEEDI_ONES, false);
}

const heedi_rule_kind heedi_rule_flat = {
    .info = {.name = "flat",
             .formula = "R in equal parts over the inputs",
             .on = "linear maps",
             .cite = "Lapuschkin et al. 2019, doi:10.1038/s41467-019-08987-4"},
    .row = {.back = back,
            .needs = HEEDI_IN0 | HEEDI_OUT,
            .scratch = heedi_spread_scratch},
};
