#include "build.h"
#include "ctx.h"

#include <math.h>

/* Llama 1, 2, 3, TinyLlama, SmolLM, R1-Distill-Llama:
 *     x += W_o Attn(RoPE(W_q n), RoPE(W_k n), W_v n),  n = norm1(x)
 *     x += W_d (f(W_g m) * W_u m),                     m = norm2(x)
 * Touvron et al. 2023, arXiv:2302.13971. In a GGUF file the rows of W_q and
 * W_k are permuted, so that RoPE turns neighbouring pairs there. */

#define ATTN "model.layers.%d.self_attn."
#define MLP  "model.layers.%d.mlp."
#define PARAMS(P)                                                           \
    P(embed, "model.embed_tokens.weight", "token_embd.weight", "V,C", 0, 0) \
    P(norm, "model.norm.weight", "output_norm.weight", "C", 0, 0)           \
    P(head, "lm_head.weight", "output.weight", "V,C", 0, 1)                 \
    P(norm1, "model.layers.%d.input_layernorm.weight",                      \
      "blk.%d.attn_norm.weight", "C", 1, 0)                                 \
    P(norm2, "model.layers.%d.post_attention_layernorm.weight",             \
      "blk.%d.ffn_norm.weight", "C", 1, 0)                                  \
    P(q, ATTN "q_proj.weight", "blk.%d.attn_q.weight", "HD,C", 1, 0)        \
    P(k, ATTN "k_proj.weight", "blk.%d.attn_k.weight", "KD,C", 1, 0)        \
    P(v, ATTN "v_proj.weight", "blk.%d.attn_v.weight", "KD,C", 1, 0)        \
    P(o, ATTN "o_proj.weight", "blk.%d.attn_output.weight", "C,HD", 1, 0)   \
    P(q_bias, ATTN "q_proj.bias", "blk.%d.attn_q.bias", "HD", 1, 1)         \
    P(k_bias, ATTN "k_proj.bias", "blk.%d.attn_k.bias", "KD", 1, 1)         \
    P(v_bias, ATTN "v_proj.bias", "blk.%d.attn_v.bias", "KD", 1, 1)         \
    P(o_bias, ATTN "o_proj.bias", "blk.%d.attn_output.bias", "C", 1, 1)     \
    P(gate, MLP "gate_proj.weight", "blk.%d.ffn_gate.weight", "F,C", 1, 0)  \
    P(up, MLP "up_proj.weight", "blk.%d.ffn_up.weight", "F,C", 1, 0)        \
    P(down, MLP "down_proj.weight", "blk.%d.ffn_down.weight", "C,F", 1, 0)  \
    P(gate_bias, MLP "gate_proj.bias", "blk.%d.ffn_gate.bias", "F", 1, 1)   \
    P(up_bias, MLP "up_proj.bias", "blk.%d.ffn_up.bias", "F", 1, 1)         \
    P(down_bias, MLP "down_proj.bias", "blk.%d.ffn_down.bias", "C", 1, 1)
enum { PARAMS(HEEDI_PARAM_INDEX) };
static const heedi_param params[] = {PARAMS(HEEDI_PARAM_ROW){0}};

static const heedi_key keys[] = {
    {'C', "hidden_size", "embedding_length", -1},
    {'F', "intermediate_size", "feed_forward_length", -1},
    {'L', "num_hidden_layers", "block_count", -1},
    {'H', "num_attention_heads", "attention.head_count", -1},
    {'K', "num_key_value_heads", "attention.head_count_kv", 0},
    {'D', "head_dim", "attention.key_length", 0},
    {'V', "vocab_size", "vocab_size", 0},
    {'X', "max_position_embeddings", "context_length", 2048},
    {0},
};

typedef struct llama {
    heedi_norm_args norm;
    heedi_embed_args embed;
    heedi_act_args act;
    heedi_rope_args rope;
    heedi_attention_args attention;
    bool attention_bias, mlp_bias;
} llama;

static heed_status read_rope(heed_model *m)
{
    heedi_rope *r = &m->rope[0];
    HEEDI_TRY(heedi_turning(m, &r->rot));
    m->n_rope = 1;
    r->index = 0;
    r->interleaved = m->gguf;
    r->context = m->dim['X'];
    return heedi_rope_read(r, m->ckpt, 10000);
}

static heed_status configure(heed_model *m)
{
    llama *a = m->impl;
    HEEDI_TRY(heedi_grouped_heads(m));
    if (m->dim['V'] == 0)
        HEEDI_TRY(heedi_vocabulary_of(m, 32000));
    HEEDI_TRY(heedi_key_eps(m, "rms_norm_eps",
                            "attention.layer_norm_rms_epsilon", 1e-6,
                            &a->norm.eps));
    HEEDI_TRY(heedi_key_bool(m, "attention_bias", false, &a->attention_bias));
    HEEDI_TRY(heedi_key_bool(m, "mlp_bias", false, &a->mlp_bias));
    HEEDI_TRY(heedi_key_act(m, "hidden_act", "silu", &a->act.f));
    heedi_value experts =
        heedi_key_value(m, "num_local_experts", "expert_count");
    if (experts.kind == HEEDI_INT && experts.i > 0)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: mixtures of experts are not supported",
                          m->info.path);
    HEEDI_TRY(read_rope(m));
    a->embed.scale = 1;
    a->rope = (heedi_rope_args){&m->rope[0], m->dim['D']};
    a->attention =
        (heedi_attention_args){.heads = m->dim['H'],
                               .kv_heads = m->dim['K'],
                               .head_dim = m->dim['D'],
                               .scale = 1 / sqrt((double)m->dim['D'])};
    return HEED_OK;
}

/* The configuration decides whether the head is the embedding; where a file
 * of a tied model has a head too, the embedding is taken, as the reference
 * does. A GGUF file without a head is tied. */
static heed_status finish(heed_model *m)
{
    const llama *a = m->impl;
    const heedi_weight *head = heedi_matrix(m, 0, P_head);
    bool tied = head == NULL;
    if (!m->gguf)
        HEEDI_TRY(heedi_key_bool(m, "tie_word_embeddings", false, &tied));
    HEEDI_TRY(heedi_choose_head(m, heedi_matrix(m, 0, P_embed), head, tied));
    for (int64_t l = 0; l < m->dim['L']; l++) {
        int64_t n;
        bool attn = heedi_vector_of(m, l, P_q_bias, &n) != NULL;
        bool mlp = heedi_vector_of(m, l, P_up_bias, &n) != NULL;
        if (!m->gguf && (attn != a->attention_bias || mlp != a->mlp_bias))
            return heedi_fail(
                m->ctx, HEED_EFORMAT,
                "%s: layer %lld: attention_bias is %s and mlp_bias %s, but "
                "the tensors say %s and %s",
                m->info.path, (long long)l,
                a->attention_bias ? "true" : "false",
                a->mlp_bias ? "true" : "false", attn ? "true" : "false",
                mlp ? "true" : "false");
    }
    return HEED_OK;
}

static heedi_node *norm(const heed_model *m, heedi_tape *t, int64_t l,
                        const char *name, int w, heedi_node *x)
{
    const llama *a = m->impl;
    return heedi_norm_of(m, t, l, &heedi_op_rmsnorm, name, w, &a->norm, x);
}

static heedi_node *layer(const heed_model *m, int64_t l, heedi_tape *t,
                         heedi_node *x)
{
    const llama *a = m->impl;
    heedi_node *n = norm(m, t, l, "attn.norm", P_norm1, x);
    heedi_node *q = heedi_linear_of(m, t, l, "attn.q", P_q, P_q_bias, n);
    heedi_node *k = heedi_linear_of(m, t, l, "attn.k", P_k, P_k_bias, n);
    heedi_node *v = heedi_linear_of(m, t, l, "attn.v", P_v, P_v_bias, n);
    heedi_node *o = heedi_attend(t, &a->attention, &a->rope, q, k, v);
    o = heedi_linear_of(m, t, l, "attn.o", P_o, P_o_bias, o);
    x = heedi_sum(t, "attn.add", x, o);

    n = norm(m, t, l, "mlp.norm", P_norm2, x);
    n = heedi_gated_mlp(t, heedi_affine_of(m, l, P_gate, P_gate_bias),
                        heedi_affine_of(m, l, P_up, P_up_bias), &a->act,
                        heedi_affine_of(m, l, P_down, P_down_bias), n);
    return heedi_sum(t, "mlp.add", x, n);
}

static heedi_node *build(const heed_model *m, int64_t block, heedi_tape *t,
                         heedi_node *x)
{
    const llama *a = m->impl;
    if (block == 0)
        return heedi_embedding(t, heedi_matrix(m, 0, P_embed), &a->embed);
    if (block <= m->dim['L'])
        return layer(m, block - 1, t, x);
    return norm(m, t, 0, "norm", P_norm, x);
}

static const char *const ignored[] = {"rope_freqs.weight",
                                      "rope_factors_*.weight", NULL};

const heedi_family heedi_family_llama = {
    .info = {.name = "llama",
             .gguf = "llama",
             .summary = "Llama 1-3, TinyLlama, SmolLM 1-2, R1-Distill-Llama",
             .method = "attn_lrp"},
    .prefix = "model.",
    .params = params,
    .keys = keys,
    .ignored = ignored,
    .size = sizeof(llama),
    .configure = configure,
    .finish = finish,
    .build = build,
};
