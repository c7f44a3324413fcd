#include "build.h"
#include "ctx.h"

#include <math.h>

/* GPT-2 (Radford et al. 2019): learned positions, LayerNorm before each part,
 * a feed-forward part without a gate:
 *     x += c_proj Attn(c_attn n),  x += proj f(fc m)
 * Hugging Face stores its matrices (in, out), q | k | v side by side; a GGUF
 * file stores them (out, in). */

#define H "transformer.h.%d."
#define PARAMS(P)                                                          \
    P(wte, "transformer.wte.weight", "token_embd.weight", "V,C", 0, 0)     \
    P(wpe, "transformer.wpe.weight", "position_embd.weight", "X,C", 0, 0)  \
    P(ln_f, "transformer.ln_f.weight", "output_norm.weight", "C", 0, 0)    \
    P(ln_f_b, "transformer.ln_f.bias", "output_norm.bias", "C", 0, 0)      \
    P(head, "lm_head.weight", "output.weight", "V,C", 0, 1)                \
    P(ln1, H "ln_1.weight", "blk.%d.attn_norm.weight", "C", 1, 0)          \
    P(ln1_b, H "ln_1.bias", "blk.%d.attn_norm.bias", "C", 1, 0)            \
    P(ln2, H "ln_2.weight", "blk.%d.ffn_norm.weight", "C", 1, 0)           \
    P(ln2_b, H "ln_2.bias", "blk.%d.ffn_norm.bias", "C", 1, 0)             \
    P(qkv, H "attn.c_attn.weight", NULL, "C,3C", 1, 1)                     \
    P(qkv_g, NULL, "blk.%d.attn_qkv.weight", "3C,C", 1, 1)                 \
    P(qkv_b, H "attn.c_attn.bias", "blk.%d.attn_qkv.bias", "3C", 1, 0)     \
    P(o, H "attn.c_proj.weight", "blk.%d.attn_output.weight", "C,C", 1, 0) \
    P(o_b, H "attn.c_proj.bias", "blk.%d.attn_output.bias", "C", 1, 0)     \
    P(fc, H "mlp.c_fc.weight", NULL, "C,F", 1, 1)                          \
    P(fc_g, NULL, "blk.%d.ffn_up.weight", "F,C", 1, 1)                     \
    P(fc_b, H "mlp.c_fc.bias", "blk.%d.ffn_up.bias", "F", 1, 0)            \
    P(proj, H "mlp.c_proj.weight", NULL, "F,C", 1, 1)                      \
    P(proj_g, NULL, "blk.%d.ffn_down.weight", "C,F", 1, 1)                 \
    P(proj_b, H "mlp.c_proj.bias", "blk.%d.ffn_down.bias", "C", 1, 0)
enum { PARAMS(HEEDI_PARAM_INDEX) };
static const heedi_param params[] = {PARAMS(HEEDI_PARAM_ROW){0}};

static const heedi_key keys[] = {
    {'C', "n_embd hidden_size", "embedding_length", 768},
    {'L', "n_layer num_hidden_layers", "block_count", 12},
    {'H', "n_head num_attention_heads", "attention.head_count", 12},
    {'F', "n_inner", "feed_forward_length", 0},
    {'V', "vocab_size", "vocab_size", 0},
    {'X', "n_positions max_position_embeddings", "context_length", 1024},
    {0},
};

typedef struct layer {
    heedi_weight q, k, v, o, fc, proj;
    heedi_attention_args attention;
    heedi_layernorm_args ln1, ln2;
} layer;

typedef struct gpt2 {
    heedi_embed_args embed;
    heedi_act_args act;
    heedi_layernorm_args ln_f;
    double eps;
    bool scale, by_layer, tied;
    layer *layer;
} gpt2;

static heed_status configure(heed_model *m)
{
    gpt2 *a = m->impl;
    int64_t *d = m->dim;
    bool cross;
    if (d['F'] == 0)
        d['F'] = 4 * d['C'];
    HEEDI_TRY(heedi_even_heads(m));
    HEEDI_TRY(heedi_key_eps(m, "layer_norm_epsilon",
                            "attention.layer_norm_epsilon", 1e-5, &a->eps));
    HEEDI_TRY(heedi_key_bool(m, "scale_attn_weights", true, &a->scale));
    HEEDI_TRY(heedi_key_bool(m, "scale_attn_by_inverse_layer_idx", false,
                             &a->by_layer));
    HEEDI_TRY(heedi_key_bool(m, "tie_word_embeddings", true, &a->tied));
    HEEDI_TRY(heedi_key_bool(m, "add_cross_attention", false, &cross));
    if (cross)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: cross-attention is not supported", m->info.path);
    HEEDI_TRY(heedi_key_act(m, "activation_function", "gelu_new", &a->act.f));
    a->embed.scale = 1;
    m->fixed_context = true;
    return d['V'] > 0 ? HEED_OK : heedi_vocabulary_of(m, 50257);
}

/* A matrix in either orientation; NULL names a missing one. */
static heed_status matrix(heed_model *m, int64_t l, int hf, int gguf,
                          heedi_weight *out)
{
    const heedi_weight *w = heedi_matrix(m, l, m->gguf ? gguf : hf);
    const heedi_param *p = &params[m->gguf ? gguf : hf];
    if (!w)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: layer %lld: tensor %s is missing", m->info.path,
                          (long long)l, m->gguf ? p->gguf : p->hf);
    *out = *w;
    out->transposed = !m->gguf;
    return HEED_OK;
}

static const heed_real *vector(const heed_model *m, int64_t l, int p)
{
    int64_t n;
    return heedi_vector_of(m, l, p, &n);
}

static heed_status finish(heed_model *m)
{
    gpt2 *a = m->impl;
    const int64_t c = m->dim['C'];
    const heedi_weight *head = heedi_matrix(m, 0, P_head);
    heedi_weight qkv;
    HEEDI_TRY(heedi_choose_head(m, heedi_matrix(m, 0, P_wte), head,
                                m->gguf ? head == NULL : a->tied));
    a->ln_f = (heedi_layernorm_args){a->eps, vector(m, 0, P_ln_f_b)};
    a->layer =
        heedi_arena_alloc(&m->mem, (size_t)m->dim['L'] * sizeof *a->layer);
    if (!a->layer)
        return HEED_ENOMEM;
    for (int64_t l = 0; l < m->dim['L']; l++) {
        layer *k = &a->layer[l];
        double scale = a->scale ? 1 / sqrt((double)m->dim['D']) : 1;
        HEEDI_TRY(matrix(m, l, P_qkv, P_qkv_g, &qkv));
        HEEDI_TRY(matrix(m, l, P_o, P_o, &k->o));
        HEEDI_TRY(matrix(m, l, P_fc, P_fc_g, &k->fc));
        HEEDI_TRY(matrix(m, l, P_proj, P_proj_g, &k->proj));
        k->q = heedi_weight_outputs(&qkv, 0, c);
        k->k = heedi_weight_outputs(&qkv, c, c);
        k->v = heedi_weight_outputs(&qkv, 2 * c, c);
        k->attention = (heedi_attention_args){
            .heads = m->dim['H'],
            .kv_heads = m->dim['H'],
            .head_dim = m->dim['D'],
            .scale = a->by_layer ? scale / (double)(l + 1) : scale};
        k->ln1 = (heedi_layernorm_args){a->eps, vector(m, l, P_ln1_b)};
        k->ln2 = (heedi_layernorm_args){a->eps, vector(m, l, P_ln2_b)};
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
    const gpt2 *a = m->impl;
    const layer *w = &a->layer[l];
    const int64_t c = m->dim['C'];
    const heed_real *b = vector(m, l, P_qkv_b);
    const heedi_affine fc = {&w->fc, vector(m, l, P_fc_b)},
                       proj = {&w->proj, vector(m, l, P_proj_b)};
    heedi_node *n = norm(m, t, l, "attn.norm", P_ln1, &w->ln1, x);
    heedi_node *q = heedi_linear(t, "attn.q", &w->q, b, n);
    heedi_node *k = heedi_linear(t, "attn.k", &w->k, b + c, n);
    heedi_node *v = heedi_linear(t, "attn.v", &w->v, b + 2 * c, n);
    heedi_node *o = heedi_attend(t, &w->attention, NULL, q, k, v);
    o = heedi_linear(t, "attn.o", &w->o, vector(m, l, P_o_b), o);
    x = heedi_sum(t, "attn.add", x, o);
    n = norm(m, t, l, "mlp.norm", P_ln2, &w->ln2, x);
    return heedi_sum(t, "mlp.add", x, heedi_mlp(t, fc, &a->act, proj, n));
}

static heedi_node *build(const heed_model *m, int64_t b, heedi_tape *t,
                         heedi_node *x)
{
    const gpt2 *a = m->impl;
    if (b == 0) {
        x = heedi_embedding(t, heedi_matrix(m, 0, P_wte), &a->embed);
        return heedi_apply(
            t, &heedi_op_position,
            ((heedi_with){.name = "position", .w = heedi_matrix(m, 0, P_wpe)}),
            x);
    }
    if (b <= m->dim['L'])
        return block(m, b - 1, t, x);
    return norm(m, t, 0, "norm", P_ln_f, &a->ln_f, x);
}

const heedi_family heedi_family_gpt2 = {
    .info = {.name = "gpt2",
             .gguf = "gpt2",
             .summary = "GPT-2 and its distilled and retrained kin",
             .method = "attn_lrp"},
    .prefix = "transformer.",
    .params = params,
    .keys = keys,
    .size = sizeof(gpt2),
    .configure = configure,
    .finish = finish,
    .build = build,
};
