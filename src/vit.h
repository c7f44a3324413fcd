/* vit.h - what vision transformers have in common: patches, learned tokens
 * before them, learned positions, blocks with the norm first. */
#ifndef HEEDI_VIT_H
#define HEEDI_VIT_H

#include "model.h"

/* Tensors of ViT and DeiT, under the prefix N; a family adds its own. */
#define HEEDI_VIT_PARAMS(P, N)                                                \
    P(cls, N "embeddings.cls_token", NULL, "1,1,C", 0, 0)                     \
    P(position, N "embeddings.position_embeddings", NULL, "1,X,C", 0, 0)      \
    P(patch, N "embeddings.patch_embeddings.projection.weight", NULL,         \
      "C,N,P,Q", 0, 0)                                                        \
    P(patch_b, N "embeddings.patch_embeddings.projection.bias", NULL, "C", 0, \
      0)                                                                      \
    P(norm, N "layernorm.weight", NULL, "C", 0, 0)                            \
    P(norm_b, N "layernorm.bias", NULL, "C", 0, 0)                            \
    HEEDI_VIT_LAYER(P, N "encoder.layer.%d.")
#define HEEDI_VIT_LAYER(P, N)                                     \
    P(norm1, N "layernorm_before.weight", NULL, "C", 1, 0)        \
    P(norm1_b, N "layernorm_before.bias", NULL, "C", 1, 0)        \
    P(q, N "attention.attention.query.weight", NULL, "C,C", 1, 0) \
    P(q_b, N "attention.attention.query.bias", NULL, "C", 1, 1)   \
    P(k, N "attention.attention.key.weight", NULL, "C,C", 1, 0)   \
    P(k_b, N "attention.attention.key.bias", NULL, "C", 1, 1)     \
    P(v, N "attention.attention.value.weight", NULL, "C,C", 1, 0) \
    P(v_b, N "attention.attention.value.bias", NULL, "C", 1, 1)   \
    P(o, N "attention.output.dense.weight", NULL, "C,C", 1, 0)    \
    P(o_b, N "attention.output.dense.bias", NULL, "C", 1, 0)      \
    P(norm2, N "layernorm_after.weight", NULL, "C", 1, 0)         \
    P(norm2_b, N "layernorm_after.bias", NULL, "C", 1, 0)         \
    P(fc, N "intermediate.dense.weight", NULL, "F,C", 1, 0)       \
    P(fc_b, N "intermediate.dense.bias", NULL, "F", 1, 0)         \
    P(proj, N "output.dense.weight", NULL, "C,F", 1, 0)           \
    P(proj_b, N "output.dense.bias", NULL, "C", 1, 0)
enum { HEEDI_VIT_PARAMS(HEEDI_PARAM_INDEX, "") HEEDI_N_VIT_PARAMS };
/* Before a family's own ones in its list of indices. */
#define HEEDI_VIT_LAST_PARAM P_last = HEEDI_N_VIT_PARAMS - 1

extern const heedi_key heedi_vit_keys[];

/* PA-LRP: that of the official code for DeiT as "pa_vit", in which V gets a
 * half only; and as "pa_lrp" the same without that loss. */
extern const heedi_composite heedi_vit_composites[];
/* As the code of Chefer et al. 2021 has it for ViT: the first layer is left
 * out. */
extern const heedi_preference heedi_vit_prefers[];

typedef struct heedi_vit_layer {
    heedi_layernorm_args norm1, norm2;
} heedi_vit_layer;

/* `impl` of the model begins with it. */
typedef struct heedi_vit {
    heedi_pixels_args pixels;
    heedi_prefix_args prefix;
    heedi_act_args act;
    heedi_attention_args attention;
    heedi_layernorm_args norm;
    heedi_weight patch; /* (C, channels height width) */
    heedi_vit_layer *layer;
    double eps;
    bool qkv_bias;
} heedi_vit;

/* For `configure`: prefix learned tokens before the patches. */
heed_status heedi_vit_configure(heed_model *m, int64_t prefix);

/* For `finish`: all but the head. token: parameters of the learned tokens, as
 * many as there are. */
heed_status heedi_vit_finish(heed_model *m, const int *token);

/* Its blocks; the last one is the norm alone. */
heedi_node *heedi_vit_build(const heed_model *m, int64_t block, heedi_tape *t,
                            heedi_node *x);

#endif
