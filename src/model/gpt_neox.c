#include "build.h"
#include "ctx.h"
#include "qkv.h"

#include <math.h>

/* GPT-NeoX (Black et al. 2022, arXiv:2204.06745) and Pythia: LayerNorm, RoPE on
 * a part of each head, a feed-forward part without a gate. Parallel:
 *     x += W_o Attn(qkv n1(x)) + proj f(fc n2(x))
 * or, where the configuration says so, one after the other. The rows of
 * query_key_value are q | k | v of each head; in a GGUF file q | k | v of all.
 */

#define H "gpt_neox.layers.%d."
#define G "blk.%d."
#define PARAMS(P)                                                              \
    P(embed, "gpt_neox.embed_in.weight", "token_embd.weight", "V,C", 0, 0)     \
    P(ln_f, "gpt_neox.final_layer_norm.weight", "output_norm.weight", "C", 0,  \
      0)                                                                       \
    P(ln_f_b, "gpt_neox.final_layer_norm.bias", "output_norm.bias", "C", 0, 0) \
    P(head, "embed_out.weight", "output.weight", "V,C", 0, 1)                  \
    P(ln1, H "input_layernorm.weight", G "attn_norm.weight", "C", 1, 0)        \
    P(ln1_b, H "input_layernorm.bias", G "attn_norm.bias", "C", 1, 0)          \
    P(ln2, H "post_attention_layernorm.weight", G "ffn_norm.weight", "C", 1,   \
      0)                                                                       \
    P(ln2_b, H "post_attention_layernorm.bias", G "ffn_norm.bias", "C", 1, 0)  \
    P(qkv, H "attention.query_key_value.weight", G "attn_qkv.weight", "3C,C",  \
      1, 0)                                                                    \
    P(qkv_b, H "attention.query_key_value.bias", G "attn_qkv.bias", "3C", 1,   \
      1)                                                                       \
    P(o, H "attention.dense.weight", G "attn_output.weight", "C,C", 1, 0)      \
    P(o_b, H "attention.dense.bias", G "attn_output.bias", "C", 1, 1)          \
    P(fc, H "mlp.dense_h_to_4h.weight", G "ffn_up.weight", "F,C", 1, 0)        \
    P(fc_b, H "mlp.dense_h_to_4h.bias", G "ffn_up.bias", "F", 1, 0)            \
    P(proj, H "mlp.dense_4h_to_h.weight", G "ffn_down.weight", "C,F", 1, 0)    \
    P(proj_b, H "mlp.dense_4h_to_h.bias", G "ffn_down.bias", "C", 1, 0)
enum { PARAMS(HEEDI_PARAM_INDEX) };
static const heedi_param params[] = {PARAMS(HEEDI_PARAM_ROW){0}};

static const heedi_key keys[] = {
    {'C', "hidden_size", "embedding_length", 6144},
    {'F', "intermediate_size", "feed_forward_length", 24576},
    {'L', "num_hidden_layers", "block_count", 44},
    {'H', "num_attention_heads", "attention.head_count", 64},
    {'V', "vocab_size", "vocab_size", 0},
    {'X', "max_position_embeddings", "context_length", 2048},
    {0},
};

typedef struct layer {
    heedi_qkv qkv;
    heedi_layernorm_args ln1, ln2;
} layer;

typedef struct neox {
    heedi_embed_args embed;
    heedi_act_args act;
    heedi_rope_args rope;
    heedi_attention_args attention;
    heedi_layernorm_args ln_f;
    double eps;
    bool parallel, bias, tied;
    layer *layer;
} neox;

static heed_status read_rope(heed_model *m)
{
    heedi_rope *r = &m->rope[0];
    const double d = (double)m->dim['D'];
    double part, rot, theta;
    HEEDI_TRY(heedi_key_number(m,
                               "rope_parameters.partial_rotary_factor "
                               "rotary_pct",
                               "", 0.25, 0, 1, &part));
    HEEDI_TRY(heedi_key_number(m, "", "rope.dimension_count", floor(d * part),
                               0, d, &rot));
    HEEDI_TRY(
        heedi_key_number(m, "rotary_emb_base", "", 10000, 0, 1e30, &theta));
    if (rot < 2 || fmod(rot, 2) != 0)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: rotation of %g of the %g dimensions of a head, "
                          "which is no even number",
                          m->info.path, rot, d);
    m->n_rope = 1;
    r->index = 0;
    r->rot = (int64_t)rot;
    r->context = m->dim['X'];
    return heedi_rope_read(r, m->ckpt, theta);
}

static heed_status read_parallel(heed_model *m, bool *out)
{
    static const char key[] = "use_parallel_residual";
    heedi_value v = heedi_key_value(m, key, key);
    *out = v.kind != HEEDI_BOOL || v.i != 0;
    if (v.kind == HEEDI_BOOL || v.kind == HEEDI_ABSENT || v.kind == HEEDI_NULL)
        return HEED_OK;
    return heedi_fail(m->ctx, HEED_EFORMAT, "%s: '%s' is not true or false",
                      m->info.path, key);
}

static heed_status configure(heed_model *m)
{
    neox *a = m->impl;
    HEEDI_TRY(heedi_even_heads(m));
    HEEDI_TRY(heedi_key_eps(m, "layer_norm_eps", "attention.layer_norm_epsilon",
                            1e-5, &a->eps));
    HEEDI_TRY(heedi_key_act(m, "hidden_act", "gelu", &a->act.f));
    HEEDI_TRY(heedi_key_bool(m, "attention_bias", true, &a->bias));
    HEEDI_TRY(heedi_key_bool(m, "tie_word_embeddings", false, &a->tied));
    HEEDI_TRY(read_parallel(m, &a->parallel));
    HEEDI_TRY(read_rope(m));
    a->embed.scale = 1;
    a->rope = (heedi_rope_args){&m->rope[0], m->dim['D']};
    a->attention =
        (heedi_attention_args){.heads = m->dim['H'],
                               .kv_heads = m->dim['H'],
                               .head_dim = m->dim['D'],
                               .scale = 1 / sqrt((double)m->dim['D'])};
    return m->dim['V'] > 0 ? HEED_OK : heedi_vocabulary_of(m, 50432);
}

static heed_status finish_layer(heed_model *m, int64_t l, layer *k)
{
    const neox *a = m->impl;
    const heedi_affine qkv = heedi_affine_of(m, l, P_qkv, P_qkv_b),
                       o = heedi_affine_of(m, l, P_o, P_o_b);
    if ((qkv.b != NULL) != (o.b != NULL) ||
        (!m->gguf && (qkv.b != NULL) != a->bias))
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: layer %lld: attention_bias is %s, but there %s "
                          "biases of queries, keys and values, and %s of the "
                          "output",
                          m->info.path, (long long)l,
                          a->bias ? "true" : "false", qkv.b ? "are" : "are no",
                          o.b ? "one" : "none");
    k->ln1 =
        (heedi_layernorm_args){a->eps, heedi_affine_of(m, l, P_ln1, P_ln1_b).b};
    k->ln2 =
        (heedi_layernorm_args){a->eps, heedi_affine_of(m, l, P_ln2, P_ln2_b).b};
    return heedi_qkv_split(m, qkv.w, qkv.b, !m->gguf, &k->qkv);
}

static heed_status finish(heed_model *m)
{
    neox *a = m->impl;
    const heedi_weight *head = heedi_matrix(m, 0, P_head);
    HEEDI_TRY(heedi_choose_head(m, heedi_matrix(m, 0, P_embed), head,
                                m->gguf ? head == NULL : a->tied));
    a->ln_f = (heedi_layernorm_args){a->eps,
                                     heedi_affine_of(m, 0, P_ln_f, P_ln_f_b).b};
    a->layer =
        heedi_arena_alloc(&m->mem, (size_t)m->dim['L'] * sizeof *a->layer);
    if (!a->layer)
        return HEED_ENOMEM;
    for (int64_t l = 0; l < m->dim['L']; l++)
        HEEDI_TRY(finish_layer(m, l, &a->layer[l]));
    return HEED_OK;
}

static heedi_node *block(const heed_model *m, int64_t l, heedi_tape *t,
                         heedi_node *x)
{
    const neox *a = m->impl;
    const layer *w = &a->layer[l];
    const heedi_op *ln = &heedi_op_layernorm;
    heedi_node *n = heedi_norm_of(m, t, l, ln, "attn.norm", P_ln1, &w->ln1, x);
    heedi_node *o = heedi_qkv_attend(t, &w->qkv, &a->attention, &a->rope, n);
    o = heedi_linear_of(m, t, l, "attn.o", P_o, P_o_b, o);
    heedi_node *y = heedi_sum(t, "attn.add", x, o);
    n = heedi_norm_of(m, t, l, ln, "mlp.norm", P_ln2, &w->ln2,
                      a->parallel ? x : y);
    n = heedi_mlp(t, heedi_affine_of(m, l, P_fc, P_fc_b), &a->act,
                  heedi_affine_of(m, l, P_proj, P_proj_b), n);
    return heedi_sum(t, "mlp.add", y, n);
}

static heedi_node *build(const heed_model *m, int64_t b, heedi_tape *t,
                         heedi_node *x)
{
    const neox *a = m->impl;
    if (b == 0)
        return heedi_embedding(t, heedi_matrix(m, 0, P_embed), &a->embed);
    if (b <= m->dim['L'])
        return block(m, b - 1, t, x);
    return heedi_norm_of(m, t, 0, &heedi_op_layernorm, "norm", P_ln_f, &a->ln_f,
                         x);
}

const heedi_family heedi_family_gpt_neox = {
    .info = {.name = "gpt_neox",
             .gguf = "gptneox",
             .summary = "GPT-NeoX, Pythia, Dolly 2, StableLM 1",
             .method = "attn_lrp"},
    .prefix = "gpt_neox.",
    .params = params,
    .keys = keys,
    .size = sizeof(neox),
    .configure = configure,
    .finish = finish,
    .build = build,
};
