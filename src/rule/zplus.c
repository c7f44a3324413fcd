#include "alpha_beta.h"

/* R over the positive contributions alone. */

static void back(const heedi_node *y, heedi_run *run)
{
    heedi_alpha_beta(y, run, 1, run->rule->arg[0]);
}

const heedi_rule_kind heedi_rule_zplus = {
    .info = {.name = "zplus",
             .aliases = "z+ z_plus",
             .formula = "R over positive contributions (alpha_beta:1)",
             .on = "linear maps",
             .cite = "Montavon et al. 2017, doi:10.1016/j.patcog.2016.11.008",
             .arg = {{"eps", 1e-6, 0, 1e6}}},
    .row = {.back = back,
            .needs = HEEDI_IN0 | HEEDI_OUT,
            .scratch = heedi_alpha_beta_scratch},
};
