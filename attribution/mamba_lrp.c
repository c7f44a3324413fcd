#include "method.h"

/* The same rows as attn_lrp: every rule is the default `relevance` of its
 * operation. The scan holds dt, B and C constant, so that nothing is absorbed
 * but biases. */
const heedi_method heedi_method_mamba_lrp = {
    .info = {.name = "mamba_lrp",
             .aliases = "mambalrp",
             .summary = "layer-wise relevance propagation for Mamba",
             .cite = "Jafari et al. 2024, arXiv:2406.07592",
             .reduce = "sum",
             .has_target = 1,
             .is_signed = 1,
             .conserves = 1},
    .pass = HEEDI_RELEVANCE,
    .needs = "scan",
    .run = heedi_run_gradient,
};
