#include "activation.h"

#include <string.h>

#include "kernel.h"
#include "words.h"

static const heedi_activation rows[] = {
    {"silu", "swish", HEEDI_ACT_silu, false},
    {"gelu", "gelu_python", HEEDI_ACT_gelu, false},
    {"gelu_tanh", "gelu_new gelu_pytorch_tanh gelu_accurate",
     HEEDI_ACT_gelu_tanh, false},
    {"gelu_fast", "", HEEDI_ACT_gelu_fast, false},
    {"gelu_bloom", "", HEEDI_ACT_gelu_bloom, false},
    {"gelu_10", "", HEEDI_ACT_gelu_10, false},
    {"quick_gelu", "", HEEDI_ACT_quick_gelu, false},
    {"relu", "", HEEDI_ACT_relu, false},
    {"relu2", "", HEEDI_ACT_relu2, false},
    {"relu6", "", HEEDI_ACT_relu6, false},
    {"leaky_relu", "", HEEDI_ACT_leaky_relu, false},
    {"mish", "", HEEDI_ACT_mish, false},
    {"tanh", "", HEEDI_ACT_tanh, false},
    {"elu", "", HEEDI_ACT_elu, false},
    {"linear", "", HEEDI_ACT_linear, false},
    {"sigmoid", "", HEEDI_ACT_sigmoid, true},
    {"laplace", "", HEEDI_ACT_laplace, true},
    {"softplus", "", HEEDI_ACT_softplus, true},
};
enum { N_ROWS = sizeof rows / sizeof *rows };

const heedi_activation *heedi_activation_at(int i)
{
    return i >= 0 && i < N_ROWS ? &rows[i] : NULL;
}

const heedi_activation *heedi_activation_named(const char *name)
{
    for (int i = 0; i < N_ROWS; i++)
        if (strcmp(rows[i].name, name) == 0 ||
            heedi_has_word(rows[i].aliases, name))
            return &rows[i];
    return NULL;
}
