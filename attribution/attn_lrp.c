#include "method.h"

/* Every rule is the default `relevance` of its operation: activations pass
 * relevance on unchanged, norms hold their statistics constant, a product of
 * two live factors gives a half to each, the softmax keeps kappa. */
const heedi_method heedi_method_attn_lrp = {
    .info = {.name = "attn_lrp",
             .aliases = "attnlrp",
             .summary = "layer-wise relevance propagation for transformers",
             .cite = "Achtibat et al. 2024, arXiv:2402.05602",
             .reduce = "sum",
             .has_target = 1,
             .is_signed = 1,
             .conserves = 1},
    .pass = HEEDI_RELEVANCE,
    .run = heedi_run_gradient,
};
