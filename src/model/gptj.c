#include "build.h"
#include "ctx.h"

#include <math.h>
#include <string.h>

/* GPT-J (Wang and Komatsuzaki 2021): one LayerNorm for both parts of a layer,
 *     x += W_o Attn(RoPE(W_q n), RoPE(W_k n), W_v n) + proj f(fc n)
 * RoPE turns neighbouring pairs of the first rotary_dim dimensions of a head.
 * Attention has no biases; the head has one. */

#define H "transformer.h.%d."
#define PARAMS(P)                                         \
    P(embed, "transformer.wte.weight", NULL, "V,C", 0, 0) \
    P(ln_f, "transformer.ln_f.weight", NULL, "C", 0, 0)   \
    P(ln_f_b, "transformer.ln_f.bias", NULL, "C", 0, 0)   \
    P(head, "lm_head.weight", NULL, "V,C", 0, 1)          \
    P(head_b, "lm_head.bias", NULL, "V", 0, 0)            \
    P(ln, H "ln_1.weight", NULL, "C", 1, 0)               \
    P(ln_b, H "ln_1.bias", NULL, "C", 1, 0)               \
    P(q, H "attn.q_proj.weight", NULL, "C,C", 1, 0)       \
    P(k, H "attn.k_proj.weight", NULL, "C,C", 1, 0)       \
    P(v, H "attn.v_proj.weight", NULL, "C,C", 1, 0)       \
    P(o, H "attn.out_proj.weight", NULL, "C,C", 1, 0)     \
    P(fc, H "mlp.fc_in.weight", NULL, "F,C", 1, 0)        \
    P(fc_b, H "mlp.fc_in.bias", NULL, "F", 1, 0)          \
    P(proj, H "mlp.fc_out.weight", NULL, "C,F", 1, 0)     \
    P(proj_b, H "mlp.fc_out.bias", NULL, "C", 1, 0)
enum { PARAMS(HEEDI_PARAM_INDEX) };
static const heedi_param params[] = {PARAMS(HEEDI_PARAM_ROW){0}};

static const heedi_key keys[] = {
    {'C', "n_embd hidden_size", "", 4096},
    {'L', "n_layer num_hidden_layers", "", 28},
    {'H', "n_head num_attention_heads", "", 16},
    {'F', "n_inner", "", 0},
    {'V', "vocab_size", "", 50400},
    {'X', "n_positions max_position_embeddings", "", 2048},
    {0},
};

typedef struct gptj {
    heedi_embed_args embed;
    heedi_act_args act;
    heedi_rope_args rope;
    heedi_attention_args attention;
    heedi_layernorm_args ln_f, *ln; /* ln: of each layer */
    double eps;
    bool tied;
} gptj;

static heed_status read_rope(heed_model *m)
{
    heedi_rope *r = &m->rope[0];
    const double d = (double)m->dim['D'];
    double rot;
    heedi_value v = heedi_key_value(m, "rotary_dim", "");
    HEEDI_TRY(heedi_key_number(m, "rotary_dim", "", 64, 2, d, &rot));
    if (v.kind == HEEDI_NULL || rot > d || fmod(rot, 2) != 0)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: 'rotary_dim' is %s%.0lf, which is no even part "
                          "of the %g dimensions of a head",
                          m->info.path,
                          v.kind == HEEDI_NULL ? "null, not " : "", rot, d);
    m->n_rope = 1;
    r->index = 0;
    r->rot = (int64_t)rot;
    r->interleaved = true;
    r->context = m->dim['X'];
    HEEDI_TRY(heedi_rope_read(r, m->ckpt, 10000));
    if (r->theta != 10000 || strcmp(r->type->name, "default") != 0)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: rope '%s': 'gptj' models have theta=10000 "
                          "without scaling",
                          m->info.path, r->text);
    return HEED_OK;
}

static heed_status configure(heed_model *m)
{
    gptj *a = m->impl;
    if (m->dim['F'] == 0)
        m->dim['F'] = 4 * m->dim['C'];
    HEEDI_TRY(heedi_even_heads(m));
    HEEDI_TRY(heedi_key_eps(m, "layer_norm_epsilon", "", 1e-5, &a->eps));
    HEEDI_TRY(heedi_key_act(m, "activation_function", "gelu_new", &a->act.f));
    HEEDI_TRY(heedi_key_bool(m, "tie_word_embeddings", false, &a->tied));
    HEEDI_TRY(read_rope(m));
    a->embed.scale = 1;
    a->rope = (heedi_rope_args){&m->rope[0], m->dim['D']};
    a->attention =
        (heedi_attention_args){.heads = m->dim['H'],
                               .kv_heads = m->dim['H'],
                               .head_dim = m->dim['D'],
                               .scale = 1 / sqrt((double)m->dim['D'])};
    return HEED_OK;
}

static heed_status finish(heed_model *m)
{
    gptj *a = m->impl;
    const int64_t n = m->dim['L'];
    const heedi_affine head = heedi_affine_of(m, 0, P_head, P_head_b);
    HEEDI_TRY(
        heedi_choose_head(m, heedi_matrix(m, 0, P_embed), head.w, a->tied));
    m->head_bias = head.b;
    a->ln_f = (heedi_layernorm_args){a->eps,
                                     heedi_affine_of(m, 0, P_ln_f, P_ln_f_b).b};
    a->ln = heedi_arena_alloc(&m->mem, (size_t)n * sizeof *a->ln);
    for (int64_t l = 0; a->ln && l < n; l++)
        a->ln[l] = (heedi_layernorm_args){
            a->eps, heedi_affine_of(m, l, P_ln, P_ln_b).b};
    return a->ln ? HEED_OK : HEED_ENOMEM;
}

static heedi_node *block(const heed_model *m, int64_t l, heedi_tape *t,
                         heedi_node *x)
{
    const gptj *a = m->impl;
    heedi_node *n =
        heedi_norm_of(m, t, l, &heedi_op_layernorm, "norm", P_ln, &a->ln[l], x);
    heedi_node *q = heedi_linear(t, "attn.q", heedi_matrix(m, l, P_q), NULL, n);
    heedi_node *k = heedi_linear(t, "attn.k", heedi_matrix(m, l, P_k), NULL, n);
    heedi_node *v = heedi_linear(t, "attn.v", heedi_matrix(m, l, P_v), NULL, n);
    heedi_node *o = heedi_attend(t, &a->attention, &a->rope, q, k, v);
    o = heedi_linear(t, "attn.o", heedi_matrix(m, l, P_o), NULL, o);
    x = heedi_sum(t, "attn.add", x, o);
    n = heedi_mlp(t, heedi_affine_of(m, l, P_fc, P_fc_b), &a->act,
                  heedi_affine_of(m, l, P_proj, P_proj_b), n);
    return heedi_sum(t, "mlp.add", x, n);
}

static heedi_node *build(const heed_model *m, int64_t b, heedi_tape *t,
                         heedi_node *x)
{
    const gptj *a = m->impl;
    if (b == 0)
        return heedi_embedding(t, heedi_matrix(m, 0, P_embed), &a->embed);
    if (b <= m->dim['L'])
        return block(m, b - 1, t, x);
    return heedi_norm_of(m, t, 0, &heedi_op_layernorm, "norm", P_ln_f, &a->ln_f,
                         x);
}

static const char *const ignored[] = {"*.attn.embed_positions", NULL};

/* No program writes GGUF files of it. */
const heedi_family heedi_family_gptj = {
    .info = {.name = "gptj",
             .gguf = "",
             .summary = "GPT-J 6B and its fine-tuned kin",
             .method = "attn_lrp"},
    .prefix = "transformer.",
    .params = params,
    .keys = keys,
    .ignored = ignored,
    .size = sizeof(gptj),
    .configure = configure,
    .finish = finish,
    .build = build,
};
