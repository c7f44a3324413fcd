/* rwkv.h - what the RWKV families have in common: the blocks around the time
 * mix. What builds fails as heedi_apply() does. */
#ifndef HEEDI_RWKV_H
#define HEEDI_RWKV_H

#include "model.h"

/* Tensors of them all; a family adds its own. */
#define HEEDI_RWKV_PARAMS(P)                                                   \
    P(embed, "rwkv.embeddings.weight", "token_embd.weight", "V,C", 0, 0)       \
    P(ln0, "rwkv.blocks.0.pre_ln.weight", "token_embd_norm.weight", "C", 0, 0) \
    P(ln0_b, "rwkv.blocks.0.pre_ln.bias", "token_embd_norm.bias", "C", 0, 0)   \
    P(ln_out, "rwkv.ln_out.weight", "output_norm.weight", "C", 0, 0)           \
    P(ln_out_b, "rwkv.ln_out.bias", "output_norm.bias", "C", 0, 0)             \
    P(head, "head.weight", "output.weight", "V,C", 0, 1)                       \
    P(ln1, "rwkv.blocks.%d.ln1.weight", "blk.%d.attn_norm.weight", "C", 1, 0)  \
    P(ln1_b, "rwkv.blocks.%d.ln1.bias", "blk.%d.attn_norm.bias", "C", 1, 0)    \
    P(ln2, "rwkv.blocks.%d.ln2.weight", "blk.%d.attn_norm_2.weight", "C", 1,   \
      0)                                                                       \
    P(ln2_b, "rwkv.blocks.%d.ln2.bias", "blk.%d.attn_norm_2.bias", "C", 1, 0)
enum { HEEDI_RWKV_PARAMS(HEEDI_PARAM_INDEX) HEEDI_N_RWKV_PARAMS };
/* Before a family's own ones in its list of indices. */
#define HEEDI_RWKV_LAST_PARAM P_last = HEEDI_N_RWKV_PARAMS - 1

/* y = n + mu (n' - n), n' being the row before; mu: (n->cols). */
heedi_node *heedi_rwkv_shift(heedi_tape *t, const char *name,
                             const heed_real *mu, heedi_node *n);

/* sigmoid(W_r n_r) (W_v relu(W_k n_k)^2), n_r and n_k being n shifted: the
 * feed-forward part, "mlp.shift_k" ... "mlp.glu". */
typedef struct heedi_channel_mix {
    const heed_real *mu_k, *mu_r;
    const heedi_weight *key, *receptance, *value;
} heedi_channel_mix;

typedef struct heedi_rwkv_layer {
    heedi_layernorm_args ln1, ln2;
    heedi_channel_mix mlp; /* the family's `finish` fills it in */
} heedi_rwkv_layer;

/* `impl` of the model begins with it. */
typedef struct heedi_rwkv {
    double eps;
    bool tied;
    heedi_embed_args embed;
    heedi_act_args relu2;
    heedi_layernorm_args ln0, ln_out;
    heedi_rwkv_layer *block;
} heedi_rwkv;

/* For `configure`. */
heed_status heedi_rwkv_configure(heed_model *m);

/* For `finish`: the head, and all norms. As the original code has it, and
 * llama.cpp: in files of Hugging Face the last one
 * has the eps 1e-5, whatever that of the others is. */
heed_status heedi_rwkv_finish(heed_model *m);

/* Its blocks:
 *     x += time_mix(norm(x)),  x += channel_mix(norm(x)),
 * where the embedding is normalised first. */
typedef heedi_node *heedi_rwkv_time_mix(const heed_model *m, int64_t layer,
                                        heedi_tape *t, heedi_node *n);
heedi_node *heedi_rwkv_build(const heed_model *m, int64_t block, heedi_tape *t,
                             heedi_node *x, heedi_rwkv_time_mix *time_mix);

#endif
