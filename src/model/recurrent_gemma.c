#include "build.h"
#include "ctx.h"
#include "kernel.h"

#include <math.h>
#include <string.h>

/* RecurrentGemma, the Griffin of De et al. 2024, arXiv:2402.19427:
 *     x0 = s E[id], s = C^1/2 rounded to bfloat16;  norms have the gain 1 + w
 *     u += T(norm(u));  u += W_d (f(W_g m) W_u m),  m = norm(u)
 * T is, by the layer's place in a pattern, local attention with a rotation of a
 * part of each head, or the recurrence
 *     c = conv(W_x n);  p = W_i c,  r = W_r c by blocks
 *     T = W_o (f(W_y n) rglru(c, p, r))
 * Logits are cap tanh(z / cap). E channels in H blocks of B, filter width W. */

#define AT  "model.layers.%d."
#define MIX AT "temporal_block."
#define LRU MIX "rg_lru."
#define MLP AT "mlp_block."
#define PARAMS(P)                                            \
    P(embed, "model.embed_tokens.weight", NULL, "V,C", 0, 0) \
    P(norm, "model.final_norm.weight", NULL, "C", 0, 0)      \
    P(head, "lm_head.weight", NULL, "V,C", 0, 1)             \
    P(norm1, AT "temporal_pre_norm.weight", NULL, "C", 1, 0) \
    P(norm2, AT "channel_pre_norm.weight", NULL, "C", 1, 0)  \
    P(gate, MLP "gate_proj.weight", NULL, "F,C", 1, 0)       \
    P(gate_b, MLP "gate_proj.bias", NULL, "F", 1, 0)         \
    P(up, MLP "up_proj.weight", NULL, "F,C", 1, 0)           \
    P(up_b, MLP "up_proj.bias", NULL, "F", 1, 0)             \
    P(down, MLP "down_proj.weight", NULL, "C,F", 1, 0)       \
    P(down_b, MLP "down_proj.bias", NULL, "C", 1, 0)         \
    P(q, MIX "q_proj.weight", NULL, "HD,C", 1, 1)            \
    P(k, MIX "k_proj.weight", NULL, "KD,C", 1, 1)            \
    P(v, MIX "v_proj.weight", NULL, "KD,C", 1, 1)            \
    P(o, MIX "o_proj.weight", NULL, "C,HD", 1, 1)            \
    P(o_b, MIX "o_proj.bias", NULL, "C", 1, 1)               \
    P(q_b, MIX "q_proj.bias", NULL, "HD", 1, 1)              \
    P(k_b, MIX "k_proj.bias", NULL, "KD", 1, 1)              \
    P(v_b, MIX "v_proj.bias", NULL, "KD", 1, 1)              \
    P(y, MIX "linear_y.weight", NULL, "E,C", 1, 1)           \
    P(y_b, MIX "linear_y.bias", NULL, "E", 1, 1)             \
    P(x, MIX "linear_x.weight", NULL, "E,C", 1, 1)           \
    P(x_b, MIX "linear_x.bias", NULL, "E", 1, 1)             \
    P(conv, MIX "conv_1d.weight", NULL, "E,1,W", 1, 1)       \
    P(conv_b, MIX "conv_1d.bias", NULL, "E", 1, 1)           \
    P(in, LRU "input_gate_weight", NULL, "H,B,B", 1, 1)      \
    P(in_b, LRU "input_gate_bias", NULL, "H,B", 1, 1)        \
    P(rec, LRU "recurrent_gate_weight", NULL, "H,B,B", 1, 1) \
    P(rec_b, LRU "recurrent_gate_bias", NULL, "H,B", 1, 1)   \
    P(rate, LRU "recurrent_param", NULL, "E", 1, 1)          \
    P(out, MIX "linear_out.weight", NULL, "C,E", 1, 1)       \
    P(out_b, MIX "linear_out.bias", NULL, "C", 1, 1)
enum { PARAMS(HEEDI_PARAM_INDEX) };
static const heedi_param params[] = {PARAMS(HEEDI_PARAM_ROW){0}};

/* What a layer of a kind has, and no other; biases of q, k and v by
 * themselves. */
enum { Q0 = P_q, Q1 = P_o_b, R0 = P_y, R1 = P_out_b };

static const heedi_key keys[] = {
    {'C', "hidden_size", "", 2560},      {'F', "intermediate_size", "", 7680},
    {'L', "num_hidden_layers", "", 26},  {'H', "num_attention_heads", "", 10},
    {'K', "num_key_value_heads", "", 0}, {'D', "head_dim", "", 0},
    {'E', "lru_width", "", 0},           {'W', "conv1d_width", "", 4},
    {'V', "vocab_size", "", 256000},     {0},
};

typedef struct layer {
    bool recurrent;
    heedi_conv_args conv;
    heedi_rglru_args rglru;
    const heed_real *in_b, *rec_b;
} layer;

typedef struct griffin {
    heedi_norm_args norm;
    heedi_embed_args embed;
    heedi_act_args act;
    heedi_rope_args rope;
    heedi_attention_args attention;
    heedi_blockdiag_args blocks;
    bool bias, tied;
    layer *layer;
} griffin;

static heed_status shape(heed_model *m)
{
    int64_t *d = m->dim;
    d['K'] = d['K'] ? d['K'] : d['H'];
    d['E'] = d['E'] ? d['E'] : d['C'];
    if (d['D'] == 0 && d['C'] % d['H'] == 0)
        d['D'] = d['C'] / d['H'];
    d['B'] = d['E'] / d['H'];
    if (d['D'] == 0 || d['H'] % d['K'] != 0 || d['E'] % d['H'] != 0)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: width %lld, lru_width %lld, %lld heads of %lld "
                          "and %lld key/value heads do not fit together",
                          m->info.path, (long long)d['C'], (long long)d['E'],
                          (long long)d['H'], (long long)d['D'],
                          (long long)d['K']);
    if (d['F'] % 2 != 0)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: 'intermediate_size' is %lld, must be even: the "
                          "feed-forward part has half of it",
                          m->info.path, (long long)d['F']);
    d['F'] /= 2;
    return HEED_OK;
}

static heed_status read_rope(heed_model *m)
{
    heedi_rope *r = &m->rope[0];
    const double d = (double)m->dim['D'];
    double part;
    HEEDI_TRY(heedi_key_number(
        m, "partial_rotary_factor rope_parameters.partial_rotary_factor", "",
        0.5, 0, 1, &part));
    m->n_rope = 1;
    r->index = 0;
    r->rot = (int64_t)(part * d);
    r->interleaved = false;
    if (r->rot < 2 || r->rot % 2 != 0)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: 'partial_rotary_factor' %g turns %lld of the "
                          "%g dimensions of a head, which are no pairs",
                          m->info.path, part, (long long)r->rot, d);
    HEEDI_TRY(heedi_rope_read(r, m->ckpt, 10000));
    if (strcmp(r->type->name, "default") != 0)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: rope '%s': 'recurrent_gemma' models have no "
                          "scaling",
                          m->info.path, r->text);
    return HEED_OK;
}

static heed_status configure(heed_model *m)
{
    griffin *a = m->impl;
    int64_t window;
    HEEDI_TRY(shape(m));
    HEEDI_TRY(heedi_key_eps(m, "rms_norm_eps", "", 1e-6, &a->norm.eps));
    HEEDI_TRY(
        heedi_key_act(m, "hidden_activation", "gelu_pytorch_tanh", &a->act.f));
    HEEDI_TRY(heedi_key_bool(m, "attention_bias", false, &a->bias));
    HEEDI_TRY(heedi_key_bool(m, "tie_word_embeddings", true, &a->tied));
    HEEDI_TRY(heedi_key_softcap(m, "logits_soft_cap", "", 30));
    HEEDI_TRY(
        heedi_key_whole(m, "attention_window_size", "", 2048, 1, 1e9, &window));
    HEEDI_TRY(read_rope(m));
    a->embed.scale = heedi_rounded(sqrt((double)m->dim['C']), 8);
    a->rope = (heedi_rope_args){&m->rope[0], m->dim['D']};
    a->blocks.blocks = m->dim['H'];
    a->attention =
        (heedi_attention_args){.heads = m->dim['H'],
                               .kv_heads = m->dim['K'],
                               .head_dim = m->dim['D'],
                               .window = window,
                               .scale = 1 / sqrt((double)m->dim['D'])};
    return HEED_OK;
}

/* ---- which layer is what ---- */

/* The key of the pattern that is there; the reference writes the one without
 * the underscore, and hub files have the other. */
static heed_status pattern(const heed_model *m, heedi_value *list)
{
    const heedi_value now = heedi_key_value(m, "block_types", "");
    const heedi_value then = heedi_key_value(m, "_block_types", "");
    *list = now.kind == HEEDI_ABSENT ? then : now;
    bool same = now.n == then.n;
    if (list->kind == HEEDI_ABSENT)
        return HEED_OK;
    if (list->kind != HEEDI_LIST || list->n == 0)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: 'block_types' is no list of types",
                          m->info.path);
    for (int64_t i = 0; now.kind == then.kind && same && i < now.n; i++) {
        const heedi_value a = heedi_config_item(&now, i);
        const heedi_value b = heedi_config_item(&then, i);
        same =
            a.kind == HEEDI_STR && b.kind == HEEDI_STR && strcmp(a.s, b.s) == 0;
    }
    return now.kind != then.kind || same
               ? HEED_OK
               : heedi_fail(m->ctx, HEED_EFORMAT,
                            "%s: 'block_types' and '_block_types' differ",
                            m->info.path);
}

static heed_status types(heed_model *m)
{
    const griffin *a = m->impl;
    static const char *const usual[] = {"recurrent", "recurrent", "attention"};
    heedi_value list;
    HEEDI_TRY(pattern(m, &list));
    for (int64_t l = 0; l < m->dim['L']; l++) {
        const char *name = usual[l % 3];
        if (list.kind == HEEDI_LIST) {
            const heedi_value v = heedi_config_item(&list, l % list.n);
            name = v.kind == HEEDI_STR ? v.s : "(no string)";
        }
        a->layer[l].recurrent = strcmp(name, "recurrent") == 0;
        if (!a->layer[l].recurrent && strcmp(name, "attention") != 0)
            return heedi_fail(m->ctx, HEED_ENOTSUP,
                              "%s: layers of type '%s' are not supported",
                              m->info.path, name);
    }
    return HEED_OK;
}

/* All tensors first ... last are there, or none. */
static heed_status present(heed_model *m, int64_t l, int first, int last,
                           bool want)
{
    const griffin *a = m->impl;
    for (int p = first; p <= last; p++)
        if ((heedi_matrix(m, l, p) != NULL) != want)
            return heedi_fail(m->ctx, HEED_EFORMAT,
                              "%s: layer %lld is %s, but tensor model.layers."
                              "%lld%s is %s",
                              m->info.path, (long long)l,
                              a->layer[l].recurrent ? "recurrent" : "attention",
                              (long long)l, params[p].hf + strlen(AT) - 1,
                              want ? "missing" : "there");
    return HEED_OK;
}

static heed_status check(heed_model *m, int64_t l)
{
    const griffin *a = m->impl;
    const bool r = a->layer[l].recurrent;
    HEEDI_TRY(present(m, l, Q0, Q1, !r));
    HEEDI_TRY(present(m, l, R0, R1, r));
    return present(m, l, P_q_b, P_v_b, !r && a->bias);
}

/* log a = -8 sigmoid(r) softplus(w) */
static heed_status recurrence(heed_model *m, int64_t l, layer *k)
{
    const int64_t e = m->dim['E'];
    const int64_t groups = (e + HEEDI_LANES - 1) / HEEDI_LANES;
    int64_t n;
    const heed_real *w = heedi_vector_of(m, l, P_rate, &n);
    heed_real *rate = heedi_arena_alloc(
        &m->mem, (size_t)(groups * HEEDI_LANES) * sizeof *rate);
    if (!rate)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < e; i++) {
        const double x = (double)w[i];
        rate[i] =
            (heed_real)(-8 * (x > 0 ? x + log1p(exp(-x)) : log1p(exp(x))));
    }
    k->rglru = (heedi_rglru_args){e, rate};
    HEEDI_TRY(heedi_flat(m, heedi_matrix(m, l, P_in_b), &k->in_b));
    HEEDI_TRY(heedi_flat(m, heedi_matrix(m, l, P_rec_b), &k->rec_b));
    return heedi_filter_rows(m, heedi_matrix(m, l, P_conv), 0, e, &k->conv);
}

static heed_status finish(heed_model *m)
{
    griffin *a = m->impl;
    const int64_t n = m->dim['L'];
    HEEDI_TRY(heedi_choose_head(m, heedi_matrix(m, 0, P_embed),
                                heedi_matrix(m, 0, P_head), a->tied));
    a->layer = heedi_arena_alloc(&m->mem, (size_t)n * sizeof *a->layer);
    if (!a->layer)
        return HEED_ENOMEM;
    HEEDI_TRY(types(m));
    heedi_add_one(m, P_norm);
    heedi_add_one(m, P_norm1);
    heedi_add_one(m, P_norm2);
    for (int64_t l = 0; l < n; l++) {
        HEEDI_TRY(check(m, l));
        if (a->layer[l].recurrent)
            HEEDI_TRY(recurrence(m, l, &a->layer[l]));
    }
    return HEED_OK;
}

/* ---- blocks ---- */

static heedi_node *norm(const heed_model *m, heedi_tape *t, int64_t l,
                        const char *name, int w, heedi_node *x)
{
    const griffin *a = m->impl;
    return heedi_norm_of(m, t, l, &heedi_op_rmsnorm, name, w, &a->norm, x);
}

static heedi_node *attend(const heed_model *m, int64_t l, heedi_tape *t,
                          heedi_node *n)
{
    const griffin *a = m->impl;
    heedi_node *q = heedi_linear_of(m, t, l, "attn.q", P_q, P_q_b, n);
    heedi_node *k = heedi_linear_of(m, t, l, "attn.k", P_k, P_k_b, n);
    heedi_node *v = heedi_linear_of(m, t, l, "attn.v", P_v, P_v_b, n);
    heedi_node *o = heedi_attend(t, &a->attention, &a->rope, q, k, v);
    return heedi_linear_of(m, t, l, "attn.o", P_o, P_o_b, o);
}

static heedi_node *gate_of(const heed_model *m, int64_t l, heedi_tape *t,
                           const char *name, int w, const heed_real *bias,
                           heedi_node *x)
{
    const griffin *a = m->impl;
    return heedi_apply(t, &heedi_op_blockdiag,
                       ((heedi_with){.name = name,
                                     .w = heedi_matrix(m, l, w),
                                     .vec = bias,
                                     .n_vec = m->dim['E'],
                                     .args = &a->blocks}),
                       x);
}

static heedi_node *recur(const heed_model *m, int64_t l, heedi_tape *t,
                         heedi_node *n)
{
    const griffin *a = m->impl;
    const layer *k = &a->layer[l];
    heedi_node *y = heedi_linear_of(m, t, l, "mixer.y", P_y, P_y_b, n);
    heedi_node *x = heedi_linear_of(m, t, l, "mixer.x", P_x, P_x_b, n);
    heedi_with conv = {.name = "mixer.conv", .args = &k->conv};
    conv.vec = heedi_vector_of(m, l, P_conv_b, &conv.n_vec);
    x = heedi_apply(t, &heedi_op_conv1d, conv, x);
    heedi_node *p = gate_of(m, l, t, "mixer.in_gate", P_in, k->in_b, x);
    heedi_node *r = gate_of(m, l, t, "mixer.rec_gate", P_rec, k->rec_b, x);
    x = heedi_apply(t, &heedi_op_rglru,
                    ((heedi_with){.name = "mixer.rglru", .args = &k->rglru}), x,
                    p, r);
    x = heedi_apply(t, &heedi_op_glu,
                    ((heedi_with){.name = "mixer.gate", .args = &a->act}), y,
                    x);
    return heedi_linear_of(m, t, l, "mixer.out", P_out, P_out_b, x);
}

static heedi_node *block(const heed_model *m, int64_t l, heedi_tape *t,
                         heedi_node *x)
{
    const griffin *a = m->impl;
    const bool r = a->layer[l].recurrent;
    heedi_node *n = norm(m, t, l, r ? "mixer.norm" : "attn.norm", P_norm1, x);
    n = r ? recur(m, l, t, n) : attend(m, l, t, n);
    x = heedi_sum(t, r ? "mixer.add" : "attn.add", x, n);
    n = norm(m, t, l, "mlp.norm", P_norm2, x);
    n = heedi_gated_mlp(t, heedi_affine_of(m, l, P_gate, P_gate_b),
                        heedi_affine_of(m, l, P_up, P_up_b), &a->act,
                        heedi_affine_of(m, l, P_down, P_down_b), n);
    return heedi_sum(t, "mlp.add", x, n);
}

static heedi_node *build(const heed_model *m, int64_t b, heedi_tape *t,
                         heedi_node *x)
{
    const griffin *a = m->impl;
    if (b == 0)
        return heedi_embedding(t, heedi_matrix(m, 0, P_embed), &a->embed);
    if (b <= m->dim['L'])
        return block(m, b - 1, t, x);
    return norm(m, t, 0, "norm", P_norm, x);
}

static const char *const ignored[] = {"model.normalizer", NULL};

/* No program writes GGUF files of it. */
const heedi_family heedi_family_recurrent_gemma = {
    .info = {.name = "recurrent_gemma",
             .gguf = "",
             .summary = "RecurrentGemma (Griffin), also with other patterns of "
                        "layers",
             .method = "attn_lrp"},
    .prefix = "model.",
    .params = params,
    .keys = keys,
    .ignored = ignored,
    .size = sizeof(griffin),
    .configure = configure,
    .finish = finish,
    .build = build,
};
