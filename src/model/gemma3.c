#include "build.h"
#include "ctx.h"

#include <math.h>
#include <string.h>

/* Gemma 3 (Gemma Team 2025, arXiv:2503.19786), the text part:
 *     x0 = s E[id], s = C^1/2;  norms have the gain 1 + w
 *     x += norm2(W_o Attn(RoPE(norm_q(W_q n)), RoPE(norm_k(W_k n)), W_v n)),
 *                                            n = norm1(x)
 *     x += norm4(W_d (f(W_g m) * W_u m)),    m = norm3(x)
 * norm_q and norm_k are of each head. Most layers are local, with a window and
 * a rotation of their own; by default each sixth is global. GGUF files hold
 * 1 + w in place of w. */

#define AT   "model.layers.%d."
#define ATTN AT "self_attn."
#define MLP  AT "mlp."
#define PARAMS(P)                                                             \
    P(embed, "model.embed_tokens.weight", "token_embd.weight", "V,C", 0, 0)   \
    P(norm, "model.norm.weight", "output_norm.weight", "C", 0, 0)             \
    P(head, "lm_head.weight", "output.weight", "V,C", 0, 1)                   \
    P(norm1, AT "input_layernorm.weight", "blk.%d.attn_norm.weight", "C", 1,  \
      0)                                                                      \
    P(norm2, AT "post_attention_layernorm.weight",                            \
      "blk.%d.post_attention_norm.weight", "C", 1, 0)                         \
    P(norm3, AT "pre_feedforward_layernorm.weight", "blk.%d.ffn_norm.weight", \
      "C", 1, 0)                                                              \
    P(norm4, AT "post_feedforward_layernorm.weight",                          \
      "blk.%d.post_ffw_norm.weight", "C", 1, 0)                               \
    P(norm_q, ATTN "q_norm.weight", "blk.%d.attn_q_norm.weight", "D", 1, 0)   \
    P(norm_k, ATTN "k_norm.weight", "blk.%d.attn_k_norm.weight", "D", 1, 0)   \
    P(q, ATTN "q_proj.weight", "blk.%d.attn_q.weight", "HD,C", 1, 0)          \
    P(k, ATTN "k_proj.weight", "blk.%d.attn_k.weight", "KD,C", 1, 0)          \
    P(v, ATTN "v_proj.weight", "blk.%d.attn_v.weight", "KD,C", 1, 0)          \
    P(o, ATTN "o_proj.weight", "blk.%d.attn_output.weight", "C,HD", 1, 0)     \
    P(q_b, ATTN "q_proj.bias", NULL, "HD", 1, 1)                              \
    P(k_b, ATTN "k_proj.bias", NULL, "KD", 1, 1)                              \
    P(v_b, ATTN "v_proj.bias", NULL, "KD", 1, 1)                              \
    P(o_b, ATTN "o_proj.bias", NULL, "C", 1, 1)                               \
    P(gate, MLP "gate_proj.weight", "blk.%d.ffn_gate.weight", "F,C", 1, 0)    \
    P(up, MLP "up_proj.weight", "blk.%d.ffn_up.weight", "F,C", 1, 0)          \
    P(down, MLP "down_proj.weight", "blk.%d.ffn_down.weight", "C,F", 1, 0)
enum { PARAMS(HEEDI_PARAM_INDEX) };
static const heedi_param params[] = {PARAMS(HEEDI_PARAM_ROW){0}};

/* A folder may leave out what is as in the class of the reference; a GGUF file
 * has its first four. */
static const heedi_key keys[] = {
    {'C', "hidden_size", "embedding_length", 2304},
    {'F', "intermediate_size", "feed_forward_length", 9216},
    {'L', "num_hidden_layers", "block_count", 26},
    {'H', "num_attention_heads", "attention.head_count", 8},
    {'K', "num_key_value_heads", "attention.head_count_kv", 0},
    {'D', "head_dim", "attention.key_length", 0},
    {'V', "vocab_size", "vocab_size", 0},
    {'X', "max_position_embeddings", "context_length", 131072},
    {0},
};

enum { GLOBAL, LOCAL };

typedef struct gemma3 {
    heedi_norm_args norm;
    heedi_embed_args embed;
    heedi_act_args act;
    heedi_rope_args rope[2];
    heedi_attention_args attention[2];
    bool bias;
    bool *local; /* (L) */
} gemma3;

static heed_status shape(heed_model *m)
{
    int64_t *d = m->dim;
    for (int i = 0; m->gguf && i < 4; i++) {
        double x;
        HEEDI_TRY(
            heedi_key_number(m, "", keys[i].gguf, (double)NAN, 1, 1e9, &x));
    }
    if (!m->gguf) {
        d['K'] = d['K'] ? d['K'] : 4;
        d['D'] = d['D'] ? d['D'] : 256;
    }
    HEEDI_TRY(heedi_grouped_heads(m));
    return d['V'] > 0 ? HEED_OK : heedi_vocabulary_of(m, 262208);
}

/* ---- which layer is what ---- */

/* By name, or, in a GGUF file, true: local. */
static heed_status by_list(heed_model *m, const heedi_value *list)
{
    const gemma3 *a = m->impl;
    if (list->n != m->dim['L'])
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: types of %lld layers, but there are %lld",
                          m->info.path, (long long)list->n,
                          (long long)m->dim['L']);
    for (int64_t l = 0; l < list->n; l++) {
        const heedi_value v = heedi_config_item(list, l);
        const char *name = v.kind == HEEDI_STR ? v.s : "(no string)";
        if (m->gguf && v.kind == HEEDI_BOOL)
            name = v.i ? "sliding_attention" : "full_attention";
        a->local[l] = strcmp(name, "sliding_attention") == 0;
        if (!a->local[l] && strcmp(name, "full_attention") != 0)
            return heedi_fail(m->ctx, HEED_ENOTSUP,
                              "%s: layers of type '%s' are not supported",
                              m->info.path, name);
    }
    return HEED_OK;
}

static heed_status types(heed_model *m)
{
    gemma3 *a = m->impl;
    const char *hf = "sliding_window_pattern _sliding_window_pattern";
    const char *gguf = "attention.sliding_window_pattern";
    const heedi_value list = heedi_key_value(m, "layer_types", gguf);
    int64_t every;
    a->local = heedi_arena_alloc(&m->mem, (size_t)m->dim['L']);
    if (!a->local)
        return HEED_ENOMEM;
    if (list.kind == HEEDI_LIST)
        return by_list(m, &list);
    if (!m->gguf && list.kind != HEEDI_ABSENT && list.kind != HEEDI_NULL)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: 'layer_types' is no list of types",
                          m->info.path);
    HEEDI_TRY(heedi_key_whole(m, hf, gguf, 6, 1, 1e9, &every));
    for (int64_t l = 0; l < m->dim['L']; l++)
        a->local[l] = (l + 1) % every != 0;
    return HEED_OK;
}

/* ---- configuration ---- */

static heed_status refuse(heed_model *m)
{
    const heedi_value cap =
        heedi_key_value(m, "attn_logit_softcapping", "attn_logit_softcapping");
    bool both;
    if (cap.kind != HEEDI_ABSENT && cap.kind != HEEDI_NULL)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: 'attn_logit_softcapping': scores with a cap are "
                          "not supported",
                          m->info.path);
    HEEDI_TRY(heedi_key_bool(m, "use_bidirectional_attention", false, &both));
    if (both)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: 'use_bidirectional_attention': embeddings of "
                          "texts are not supported",
                          m->info.path);
    return HEED_OK;
}

/* The first is that of global layers. rope_parameters, where they are, have one
 * object for each type of layer. */
static heed_status read_ropes(heed_model *m)
{
    static const heedi_rope_keys at[] = {
        [GLOBAL] = {"rope_theta",
                    {"rope_parameters.full_attention", "rope_scaling"},
                    "freq_base",
                    true},
        [LOCAL] = {"rope_local_base_freq",
                   {"rope_parameters.sliding_attention"},
                   "freq_base_swa",
                   false}};
    static const double theta[] = {[GLOBAL] = 1e6, [LOCAL] = 1e4};
    static const char *const where[] = {[GLOBAL] = "global", [LOCAL] = "local"};
    gemma3 *a = m->impl;
    const bool nested =
        heedi_key_value(m, "rope_parameters", "").kind == HEEDI_OBJECT;
    m->n_rope = 2;
    for (int i = 0; i < 2; i++) {
        heedi_rope *r = &m->rope[i];
        const char *object = at[i].object[0];
        if (nested && heedi_key_value(m, object, "").kind != HEEDI_OBJECT)
            return heedi_fail(m->ctx, HEED_EFORMAT, "%s: no '%s'", m->info.path,
                              object);
        HEEDI_TRY(heedi_turning(m, &r->rot));
        r->index = i;
        r->where = where[i];
        r->interleaved = false;
        r->context = m->dim['X'];
        HEEDI_TRY(heedi_rope_read_at(r, m->ckpt, theta[i], &at[i]));
        a->rope[i] = (heedi_rope_args){r, m->dim['D']};
    }
    return HEED_OK;
}

/* What scores are divided by the root of. GGUF files do not say: it is the
 * size of a head, but in the model of 62 layers the width over the heads. */
static heed_status scaled_by(heed_model *m, double *out)
{
    const int64_t *d = m->dim;
    const double head = (double)d['D'];
    const double share = (double)d['C'] / (double)d['H'];
    return heedi_key_number(m, "query_pre_attn_scalar", "",
                            !m->gguf       ? 256
                            : d['L'] == 62 ? floor(share)
                                           : head,
                            1e-6, 1e9, out);
}

static heed_status read_attention(heed_model *m)
{
    gemma3 *a = m->impl;
    const char *hf = "sliding_window", *gguf = "attention.sliding_window";
    double scalar;
    int64_t window;
    if (heedi_key_value(m, hf, gguf).kind == HEEDI_NULL)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: '%s' is null: layers without a window are "
                          "those of type 'full_attention'",
                          m->info.path, hf);
    HEEDI_TRY(heedi_key_whole(m, hf, gguf, m->gguf ? (double)NAN : 4096, 1, 1e9,
                              &window));
    HEEDI_TRY(scaled_by(m, &scalar));
    for (int i = 0; i < 2; i++)
        a->attention[i] = (heedi_attention_args){.heads = m->dim['H'],
                                                 .kv_heads = m->dim['K'],
                                                 .head_dim = m->dim['D'],
                                                 .scale = 1 / sqrt(scalar)};
    a->attention[LOCAL].window = window;
    return HEED_OK;
}

static heed_status configure(heed_model *m)
{
    gemma3 *a = m->impl;
    HEEDI_TRY(shape(m));
    HEEDI_TRY(refuse(m));
    HEEDI_TRY(heedi_key_eps(m, "rms_norm_eps",
                            "attention.layer_norm_rms_epsilon", 1e-6,
                            &a->norm.eps));
    HEEDI_TRY(heedi_key_bool(m, "attention_bias", false, &a->bias));
    HEEDI_TRY(
        heedi_key_act(m, "hidden_activation", "gelu_pytorch_tanh", &a->act.f));
    HEEDI_TRY(heedi_key_softcap(m, "final_logit_softcapping",
                                "final_logit_softcapping", 0));
    HEEDI_TRY(read_ropes(m));
    return read_attention(m);
}

/* The reference rounds the factor to the type of the embedding; GGUF files are
 * made and run without that. */
static double embedding_factor(const heed_model *m)
{
    static const struct {
        const char *type;
        int digits;
    } rows[] = {{"bf16", 8}, {"f16", 11}};
    const char *type = heedi_matrix(m, 0, P_embed)->dtype->name;
    const double s = sqrt((double)m->dim['C']);
    for (size_t i = 0; !m->gguf && i < sizeof rows / sizeof *rows; i++)
        if (strcmp(type, rows[i].type) == 0)
            return heedi_rounded(s, rows[i].digits);
    return s;
}

static heed_status check_bias(heed_model *m, int64_t l)
{
    const gemma3 *a = m->impl;
    for (int p = P_q_b; p <= P_o_b; p++)
        if ((heedi_matrix(m, l, p) != NULL) != a->bias)
            return heedi_fail(m->ctx, HEED_EFORMAT,
                              "%s: layer %lld: attention_bias is %s, but a "
                              "bias of q, k, v or o is %s",
                              m->info.path, (long long)l,
                              a->bias ? "true" : "false",
                              a->bias ? "missing" : "there");
    return HEED_OK;
}

static heed_status finish(heed_model *m)
{
    static const int norms[] = {P_norm,  P_norm1,  P_norm2, P_norm3,
                                P_norm4, P_norm_q, P_norm_k};
    gemma3 *a = m->impl;
    const heedi_weight *head = heedi_matrix(m, 0, P_head);
    bool tied = head == NULL;
    if (!m->gguf)
        HEEDI_TRY(heedi_key_bool(m, "tie_word_embeddings", true, &tied));
    HEEDI_TRY(heedi_choose_head(m, heedi_matrix(m, 0, P_embed), head, tied));
    HEEDI_TRY(types(m));
    for (size_t i = 0; !m->gguf && i < sizeof norms / sizeof *norms; i++)
        heedi_add_one(m, norms[i]);
    for (int64_t l = 0; l < m->dim['L']; l++)
        HEEDI_TRY(check_bias(m, l));
    a->embed.scale = embedding_factor(m);
    return HEED_OK;
}

/* ---- blocks ---- */

static heedi_node *norm(const heed_model *m, heedi_tape *t, int64_t l,
                        const char *name, int w, heedi_node *x)
{
    const gemma3 *a = m->impl;
    return heedi_norm_of(m, t, l, &heedi_op_rmsnorm, name, w, &a->norm, x);
}

static heedi_node *attend(const heed_model *m, int64_t l, heedi_tape *t,
                          heedi_node *n)
{
    const gemma3 *a = m->impl;
    const int kind = a->local[l] ? LOCAL : GLOBAL;
    heedi_node *q = heedi_linear_of(m, t, l, "attn.q", P_q, P_q_b, n);
    heedi_node *k = heedi_linear_of(m, t, l, "attn.k", P_k, P_k_b, n);
    heedi_node *v = heedi_linear_of(m, t, l, "attn.v", P_v, P_v_b, n);
    q = norm(m, t, l, "attn.q_norm", P_norm_q, q);
    k = norm(m, t, l, "attn.k_norm", P_norm_k, k);
    heedi_node *o =
        heedi_attend(t, &a->attention[kind], &a->rope[kind], q, k, v);
    return heedi_linear_of(m, t, l, "attn.o", P_o, P_o_b, o);
}

static heedi_node *layer(const heed_model *m, int64_t l, heedi_tape *t,
                         heedi_node *x)
{
    const gemma3 *a = m->impl;
    heedi_node *n = norm(m, t, l, "attn.norm", P_norm1, x);
    n = norm(m, t, l, "attn.post_norm", P_norm2, attend(m, l, t, n));
    x = heedi_sum(t, "attn.add", x, n);
    n = norm(m, t, l, "mlp.norm", P_norm3, x);
    n = heedi_gated_mlp(t, (heedi_affine){heedi_matrix(m, l, P_gate), NULL},
                        (heedi_affine){heedi_matrix(m, l, P_up), NULL}, &a->act,
                        (heedi_affine){heedi_matrix(m, l, P_down), NULL}, n);
    n = norm(m, t, l, "mlp.post_norm", P_norm4, n);
    return heedi_sum(t, "mlp.add", x, n);
}

static heedi_node *build(const heed_model *m, int64_t b, heedi_tape *t,
                         heedi_node *x)
{
    const gemma3 *a = m->impl;
    if (b == 0)
        return heedi_embedding(t, heedi_matrix(m, 0, P_embed), &a->embed);
    if (b <= m->dim['L'])
        return layer(m, b - 1, t, x);
    return norm(m, t, 0, "norm", P_norm, x);
}

/* Pictures are read by the rest of a larger model. */
static const char *const ignored[] = {
    "*rotary_emb.inv_freq",          "*rotary_emb_local.inv_freq",
    "*embed_tokens.embed_scale",     "vision_tower.*",
    "model.vision_tower.*",          "multi_modal_projector.*",
    "model.multi_modal_projector.*", NULL};

const heedi_family heedi_family_gemma3 = {
    .info = {.name = "gemma3",
             .gguf = "gemma3",
             .summary = "Gemma 3: gemma3_text, or the text part of gemma3",
             .method = "attn_lrp"},
    .part = "gemma3_text",
    .prefix = "model.",
    .params = params,
    .keys = keys,
    .ignored = ignored,
    .size = sizeof(gemma3),
    .configure = configure,
    .finish = finish,
    .build = build,
};
