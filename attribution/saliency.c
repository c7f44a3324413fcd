#include "method.h"

const heedi_method heedi_method_saliency = {
    .info = {.name = "saliency",
             .aliases = "gradient grad_norm",
             .summary = "norm of the gradient at each token's embedding",
             .cite = "Simonyan et al. 2014, arXiv:1312.6034",
             .reduce = "l2",
             .has_target = 1},
    .pass = HEEDI_GRADIENT,
    .has_leaf = true,
    .gradient_only = true,
    .run = heedi_run_gradient,
};
