#include "build.h"
#include "ctx.h"
#include "qkv.h"

#include <math.h>

/* BLOOM (arXiv:2211.05100): a LayerNorm of the embedding, no positions but
 * ALiBi (Press et al. 2022, arXiv:2108.12409) in the scores, and
 *     x += W_o Attn(qkv n1(x)),  x += proj f(fc n2(x))
 * where the configuration may take n1(x) and n2(x) for x on the right side,
 * too. The rows of query_key_value are q | k | v of each head; in a GGUF file
 * q | k | v of all. */

#define T "transformer."
#define H "transformer.h.%d."
#define G "blk.%d."
#define PARAMS(P)                                                              \
    P(embed, T "word_embeddings.weight", "token_embd.weight", "V,C", 0, 0)     \
    P(ln_e, T "word_embeddings_layernorm.weight", "token_embd_norm.weight",    \
      "C", 0, 0)                                                               \
    P(ln_e_b, T "word_embeddings_layernorm.bias", "token_embd_norm.bias", "C", \
      0, 0)                                                                    \
    P(ln_f, T "ln_f.weight", "output_norm.weight", "C", 0, 0)                  \
    P(ln_f_b, T "ln_f.bias", "output_norm.bias", "C", 0, 0)                    \
    P(head, "lm_head.weight", "output.weight", "V,C", 0, 1)                    \
    P(ln1, H "input_layernorm.weight", G "attn_norm.weight", "C", 1, 0)        \
    P(ln1_b, H "input_layernorm.bias", G "attn_norm.bias", "C", 1, 0)          \
    P(ln2, H "post_attention_layernorm.weight", G "ffn_norm.weight", "C", 1,   \
      0)                                                                       \
    P(ln2_b, H "post_attention_layernorm.bias", G "ffn_norm.bias", "C", 1, 0)  \
    P(qkv, H "self_attention.query_key_value.weight", G "attn_qkv.weight",     \
      "3C,C", 1, 0)                                                            \
    P(qkv_b, H "self_attention.query_key_value.bias", G "attn_qkv.bias", "3C", \
      1, 0)                                                                    \
    P(o, H "self_attention.dense.weight", G "attn_output.weight", "C,C", 1, 0) \
    P(o_b, H "self_attention.dense.bias", G "attn_output.bias", "C", 1, 0)     \
    P(fc, H "mlp.dense_h_to_4h.weight", G "ffn_up.weight", "4C,C", 1, 0)       \
    P(fc_b, H "mlp.dense_h_to_4h.bias", G "ffn_up.bias", "4C", 1, 0)           \
    P(proj, H "mlp.dense_4h_to_h.weight", G "ffn_down.weight", "C,4C", 1, 0)   \
    P(proj_b, H "mlp.dense_4h_to_h.bias", G "ffn_down.bias", "C", 1, 0)
enum { PARAMS(HEEDI_PARAM_INDEX) };
static const heedi_param params[] = {PARAMS(HEEDI_PARAM_ROW){0}};

static const heedi_key keys[] = {
    {'C', "n_embed hidden_size", "embedding_length", 64},
    {'L', "n_layer num_hidden_layers", "block_count", 2},
    {'H', "n_head num_attention_heads", "attention.head_count", 8},
    {'V', "vocab_size", "vocab_size", 0},
    {'X', "seq_length", "context_length", 2048},
    {0},
};

typedef struct layer {
    heedi_qkv qkv;
    heedi_layernorm_args ln1, ln2;
} layer;

typedef struct bloom {
    heedi_embed_args embed;
    heedi_act_args act;
    heedi_attention_args attention;
    heedi_layernorm_args ln_e, ln_f;
    double eps;
    bool from_norm, tied;
    layer *layer;
} bloom;

/* 2^(-8 (h+1) / n), n the largest power of two that is at most the number of
 * heads; the other heads get every second one of those for 2 n heads. */
static heed_status slopes(heed_model *m, const double **out)
{
    const int64_t heads = m->dim['H'];
    int64_t n = 1;
    double *s = heedi_arena_alloc(&m->mem, (size_t)heads * sizeof *s);
    if (!s)
        return HEED_ENOMEM;
    while (2 * n <= heads)
        n *= 2;
    for (int64_t h = 0; h < heads; h++)
        s[h] = h < n ? exp2(-8.0 * (double)(h + 1) / (double)n)
                     : exp2(-4.0 * (double)(2 * (h - n) + 1) / (double)n);
    *out = s;
    return HEED_OK;
}

static heed_status configure(heed_model *m)
{
    bloom *a = m->impl;
    HEEDI_TRY(heedi_even_heads(m));
    m->dim['F'] = 4 * m->dim['C'];
    HEEDI_TRY(heedi_key_eps(m, "layer_norm_epsilon",
                            "attention.layer_norm_epsilon", 1e-5, &a->eps));
    HEEDI_TRY(heedi_key_bool(m, "apply_residual_connection_post_layernorm",
                             false, &a->from_norm));
    HEEDI_TRY(heedi_key_bool(m, "tie_word_embeddings", true, &a->tied));
    a->embed.scale = 1;
    a->act.f = heedi_activation_named("gelu_bloom");
    m->info.act = a->act.f->name;
    a->attention =
        (heedi_attention_args){.heads = m->dim['H'],
                               .kv_heads = m->dim['H'],
                               .head_dim = m->dim['D'],
                               .scale = 1 / sqrt((double)m->dim['D'])};
    HEEDI_TRY(slopes(m, &a->attention.slope));
    return m->dim['V'] > 0 ? HEED_OK : heedi_vocabulary_of(m, 250880);
}

static heedi_layernorm_args shifted(const heed_model *m, int64_t l, int w,
                                    int b)
{
    const bloom *a = m->impl;
    return (heedi_layernorm_args){a->eps, heedi_affine_of(m, l, w, b).b};
}

static heed_status finish(heed_model *m)
{
    bloom *a = m->impl;
    const heedi_weight *head = heedi_matrix(m, 0, P_head);
    HEEDI_TRY(heedi_choose_head(m, heedi_matrix(m, 0, P_embed), head,
                                m->gguf ? head == NULL : a->tied));
    a->ln_e = shifted(m, 0, P_ln_e, P_ln_e_b);
    a->ln_f = shifted(m, 0, P_ln_f, P_ln_f_b);
    a->layer =
        heedi_arena_alloc(&m->mem, (size_t)m->dim['L'] * sizeof *a->layer);
    if (!a->layer)
        return HEED_ENOMEM;
    for (int64_t l = 0; l < m->dim['L']; l++) {
        layer *k = &a->layer[l];
        const heedi_affine qkv = heedi_affine_of(m, l, P_qkv, P_qkv_b);
        HEEDI_TRY(heedi_qkv_split(m, qkv.w, qkv.b, !m->gguf, &k->qkv));
        k->ln1 = shifted(m, l, P_ln1, P_ln1_b);
        k->ln2 = shifted(m, l, P_ln2, P_ln2_b);
    }
    return HEED_OK;
}

static heedi_node *norm(const heed_model *m, heedi_tape *t, int64_t l,
                        const char *name, int w,
                        const heedi_layernorm_args *args, heedi_node *x)
{
    return heedi_norm_of(m, t, l, &heedi_op_layernorm, name, w, args, x);
}

static heedi_node *block(const heed_model *m, int64_t l, heedi_tape *t,
                         heedi_node *x)
{
    const bloom *a = m->impl;
    const layer *w = &a->layer[l];
    heedi_node *n = norm(m, t, l, "attn.norm", P_ln1, &w->ln1, x);
    heedi_node *o = heedi_qkv_attend(t, &w->qkv, &a->attention, NULL, n);
    o = heedi_linear_of(m, t, l, "attn.o", P_o, P_o_b, o);
    x = heedi_sum(t, "attn.add", a->from_norm ? n : x, o);
    n = norm(m, t, l, "mlp.norm", P_ln2, &w->ln2, x);
    o = heedi_mlp(t, heedi_affine_of(m, l, P_fc, P_fc_b), &a->act,
                  heedi_affine_of(m, l, P_proj, P_proj_b), n);
    return heedi_sum(t, "mlp.add", a->from_norm ? n : x, o);
}

static heedi_node *build(const heed_model *m, int64_t b, heedi_tape *t,
                         heedi_node *x)
{
    const bloom *a = m->impl;
    if (b == 0) {
        x = heedi_embedding(t, heedi_matrix(m, 0, P_embed), &a->embed);
        return norm(m, t, 0, "embed.norm", P_ln_e, &a->ln_e, x);
    }
    if (b <= m->dim['L'])
        return block(m, b - 1, t, x);
    return norm(m, t, 0, "norm", P_ln_f, &a->ln_f, x);
}

static const char *const ignored[] = {"*.self_attention.bias", NULL};

const heedi_family heedi_family_bloom = {
    .info = {.name = "bloom",
             .gguf = "bloom",
             .summary = "BLOOM, BLOOMZ",
             .method = "attn_lrp"},
    .prefix = T,
    .params = params,
    .keys = keys,
    .ignored = ignored,
    .size = sizeof(bloom),
    .configure = configure,
    .finish = finish,
    .build = build,
};
