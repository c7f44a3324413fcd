#include "method.h"

const heedi_method heedi_method_attention = {
    .info = {.name = "attention",
             .aliases = "attention_weights",
             .summary = "attention weights of every layer and head",
             .cite = "Bahdanau et al. 2015, arXiv:1409.0473",
             .reduce = "none",
             .gives_maps = 1},
    .pass = HEEDI_FORWARD,
    .mixing = true,
    .run = heedi_run_attention,
};
