#include "method.h"

const heedi_method heedi_method_input_x_gradient = {
    .info = {.name = "input_x_gradient",
             .aliases = "gxi gradient_x_input",
             .summary = "embedding times gradient",
             .cite = "Shrikumar et al. 2016, arXiv:1605.01713",
             .reduce = "sum",
             .has_target = 1,
             .is_signed = 1},
    .pass = HEEDI_GRADIENT,
    .has_leaf = true,
    .run = heedi_run_gradient,
};
