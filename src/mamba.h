/* mamba.h - what the families of Mamba 1 have in common: tensors, keys, layers.
 */
#ifndef HEEDI_MAMBA_H
#define HEEDI_MAMBA_H

#include "model.h"

#define HEEDI_MAMBA_MIX "backbone.layers.%d.mixer."
/* Tensors, in Hugging Face, state-spaces and GGUF naming: around the mixers, of
 * Mamba 2 too, which begins with them; all of Mamba 1. */
#define HEEDI_MAMBA_TOP(P)                                                    \
    P(embed, "backbone.embeddings.weight", "token_embd.weight", "V,C", 0, 1)  \
    P(embed_old, "backbone.embedding.weight", NULL, "V,C", 0, 1)              \
    P(norm_f, "backbone.norm_f.weight", "output_norm.weight", "C", 0, 0)      \
    P(head, "lm_head.weight", "output.weight", "V,C", 0, 1)                   \
    P(norm, "backbone.layers.%d.norm.weight", "blk.%d.attn_norm.weight", "C", \
      1, 0)
#define HEEDI_MAMBA_PARAMS(P) \
    HEEDI_MAMBA_TOP(P)        \
    HEEDI_MAMBA_MIXER(P, HEEDI_MAMBA_MIX)
#define HEEDI_MAMBA_MIXER(P, MIX)                                        \
    P(in, MIX "in_proj.weight", "blk.%d.ssm_in.weight", "2E,C", 1, 0)    \
    P(in_bias, MIX "in_proj.bias", "blk.%d.ssm_in.bias", "2E", 1, 1)     \
    P(conv, MIX "conv1d.weight", NULL, "E,1,W", 1, 1)                    \
    P(conv_gguf, NULL, "blk.%d.ssm_conv1d.weight", "E,W", 1, 1)          \
    P(conv_bias, MIX "conv1d.bias", "blk.%d.ssm_conv1d.bias", "E", 1, 1) \
    P(x, MIX "x_proj.weight", "blk.%d.ssm_x.weight", "Q,E", 1, 0)        \
    P(dt, MIX "dt_proj.weight", "blk.%d.ssm_dt.weight", "E,R", 1, 0)     \
    P(dt_bias, MIX "dt_proj.bias", "blk.%d.ssm_dt.bias", "E", 1, 0)      \
    P(a, MIX "A_log", "blk.%d.ssm_a", "E,N", 1, 0)                       \
    P(d, MIX "D", "blk.%d.ssm_d", "E", 1, 0)                             \
    P(out, MIX "out_proj.weight", "blk.%d.ssm_out.weight", "C,E", 1, 0)  \
    P(out_bias, MIX "out_proj.bias", "blk.%d.ssm_out.bias", "C", 1, 1)

/* inner: the key of the inner size in config.json, or "". */
#define HEEDI_MAMBA_KEYS(inner)                                    \
    {'C', "hidden_size d_model", "embedding_length", -1},          \
        {'L', "num_hidden_layers n_layer", "block_count", -1},     \
        {'V', "vocab_size", "vocab_size", 0},                      \
        {'N', "state_size ssm_cfg.d_state", "ssm.state_size", 16}, \
        {'W', "conv_kernel ssm_cfg.d_conv", "ssm.conv_kernel", 4}, \
    {                                                              \
        'E', inner, "ssm.inner_size", 0                            \
    }

extern const heedi_param heedi_mamba_params[];

typedef struct heedi_mamba_layer {
    heedi_weight x, z, r, b, c; /* rows of W_in and of W_x */
    heedi_conv_args conv;
    heedi_scan_args scan;
} heedi_mamba_layer;

/* `impl` of the model. */
typedef struct heedi_mamba {
    heedi_norm_args norm;
    heedi_norm_args mixer_norm; /* of r, B and C, without a gain */
    const heed_real *ones; /* the gain of mixer_norm; NULL: there is none */
    heedi_embed_args embed;
    heedi_act_args act, softplus;
    bool bias, conv_bias, tied;
    heedi_mamba_layer *layer;
} heedi_mamba;

/* For `configure`; inner as in the keys. */
heed_status heedi_mamba_configure(heed_model *m, const char *inner);
heed_status heedi_mamba_finish(heed_model *m);
heedi_node *heedi_mamba_build(const heed_model *m, int64_t block, heedi_tape *t,
                              heedi_node *x);

/* ---- of Mamba 2, too ---- */

/* The vocabulary, which the original files pad; def: its size where nothing
 * tells. HEED_EFORMAT. */
heed_status heedi_mamba_vocabulary(heed_model *m, int64_t def);
/* HEED_ENOTSUP if there are layers of another kind. */
heed_status heedi_mamba_no_hybrid(heed_model *m);
/* The embedding, after heedi_mamba_head(), which finds it and the head;
 * HEED_EFORMAT if one is missing. */
const heedi_weight *heedi_mamba_embedding(const heed_model *m);
heed_status heedi_mamba_head(heed_model *m, bool tied);

#endif
