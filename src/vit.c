#include "vit.h"

#include <math.h>

#include "ctx.h"
#include "patches.h"

const heedi_key heedi_vit_keys[] = {
    {'C', "hidden_size", "", 768},
    {'L', "num_hidden_layers", "", 12},
    {'H', "num_attention_heads", "", 12},
    {'F', "intermediate_size", "", 3072},
    {0},
};

#define DENSE "head=gamma:0.05", "mlp.*=gamma:0.05", "patch=gamma:100"
static const char *const whole[] = {"attn=cp", DENSE, NULL}, *const half[] = {
                                                                 "attn=cp:0.5",
                                                                 DENSE, NULL};
const heedi_composite heedi_vit_composites[] = {
    {"pa_lrp", whole}, {"pa_vit", half}, {0}};

const heedi_preference heedi_vit_prefers[] = {
    {"transformer_attribution", "start_layer", "1"}, {0}};

heed_status heedi_vit_configure(heed_model *m, int64_t prefix)
{
    heedi_vit *a = m->impl;
    int64_t *d = m->dim;
    if (d['C'] % d['H'] != 0)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: width %lld is no multiple of %lld heads",
                          m->info.path, (long long)d['C'], (long long)d['H']);
    d['K'] = d['H'];
    d['D'] = d['C'] / d['H'];
    HEEDI_TRY(heedi_patches_configure(m, prefix));
    d['N'] = m->patch.channels;
    d['P'] = m->patch.height;
    d['Q'] = m->patch.width;
    HEEDI_TRY(heedi_key_number(m, "layer_norm_eps", "", 1e-12, 0, 1, &a->eps));
    HEEDI_TRY(heedi_key_bool(m, "qkv_bias", true, &a->qkv_bias));
    heedi_value act = heedi_key_value(m, "hidden_act", "");
    const char *name = act.kind == HEEDI_STR ? act.s : "gelu";
    a->act.f = heedi_activation_named(name);
    if (!a->act.f)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: activation '%s' is not supported", m->info.path,
                          name);
    m->info.act = a->act.f->name;
    m->fixed_context = true;
    m->bidirectional = true;
    m->info.head = HEED_HEAD_CLASS;
    a->pixels.cols = heedi_patch_size(m);
    a->attention = (heedi_attention_args){
        .heads = d['H'],
        .kv_heads = d['H'],
        .head_dim = d['D'],
        .scale = 1 / sqrt((double)d['D']),
        .bidirectional = true,
    };
    return heedi_labels_read(m, &d['Y']);
}

static const heed_real *vector(const heed_model *m, int64_t l, int p)
{
    int64_t n;
    return heedi_vector_of(m, l, p, &n);
}

/* Biases of q, k and v are there if, and only if, the configuration says. */
static heed_status check_biases(heed_model *m, int64_t l)
{
    static const int bias[] = {P_q_b, P_k_b, P_v_b};
    const heedi_vit *a = m->impl;
    for (int i = 0; i < 3; i++)
        if ((vector(m, l, bias[i]) != NULL) != a->qkv_bias)
            return heedi_fail(m->ctx, HEED_EFORMAT,
                              "%s: layer %lld: 'qkv_bias' is %s, but tensor %s "
                              "%s",
                              m->info.path, (long long)l,
                              a->qkv_bias ? "true" : "false",
                              m->family->params[bias[i]].hf,
                              a->qkv_bias ? "is missing" : "is there");
    return HEED_OK;
}

/* Learned tokens as numbers, for they are values of rows. */
static heed_status read_tokens(heed_model *m, const int *token)
{
    heedi_vit *a = m->impl;
    const int64_t c = m->dim['C'], n = m->patch.prefix;
    heed_real *x = heedi_arena_alloc(&m->mem, (size_t)(n * c) * sizeof *x);
    if (!x)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        heedi_weight_row(heedi_matrix(m, 0, token[i]), 0, 0, c, x + i * c);
    a->prefix = (heedi_prefix_args){n, c, x};
    return HEED_OK;
}

heed_status heedi_vit_finish(heed_model *m, const int *token)
{
    heedi_vit *a = m->impl;
    HEEDI_TRY(read_tokens(m, token));
    a->patch = *heedi_matrix(m, 0, P_patch);
    a->patch.rows = m->dim['C'];
    a->patch.cols = heedi_patch_size(m);
    a->patch.stride = (size_t)a->patch.cols * (size_t)a->patch.dtype->bytes;
    a->norm = (heedi_layernorm_args){a->eps, vector(m, 0, P_norm_b)};
    a->layer =
        heedi_arena_alloc(&m->mem, (size_t)m->dim['L'] * sizeof *a->layer);
    if (!a->layer)
        return HEED_ENOMEM;
    for (int64_t l = 0; l < m->dim['L']; l++) {
        HEEDI_TRY(check_biases(m, l));
        a->layer[l].norm1 =
            (heedi_layernorm_args){a->eps, vector(m, l, P_norm1_b)};
        a->layer[l].norm2 =
            (heedi_layernorm_args){a->eps, vector(m, l, P_norm2_b)};
    }
    return HEED_OK;
}

static heedi_node *norm(const heed_model *m, heedi_tape *t, int64_t l,
                        const char *name, int w,
                        const heedi_layernorm_args *args, heedi_node *x)
{
    heedi_with with = {.name = name, .args = args};
    with.vec = heedi_vector_of(m, l, w, &with.n_vec);
    return heedi_apply(t, &heedi_op_layernorm, with, x);
}

static heedi_node *linear(const heed_model *m, heedi_tape *t, int64_t l,
                          const char *name, int w, int bias, heedi_node *x)
{
    return heedi_linear(t, name, heedi_matrix(m, l, w), vector(m, l, bias), x);
}

static heedi_node *layer(const heed_model *m, int64_t l, heedi_tape *t,
                         heedi_node *x)
{
    const heedi_vit *a = m->impl;
    const heedi_vit_layer *w = &a->layer[l];
    heedi_node *n = norm(m, t, l, "attn.norm", P_norm1, &w->norm1, x);
    heedi_node *q = linear(m, t, l, "attn.q", P_q, P_q_b, n);
    heedi_node *k = linear(m, t, l, "attn.k", P_k, P_k_b, n);
    heedi_node *v = linear(m, t, l, "attn.v", P_v, P_v_b, n);
    heedi_node *o = heedi_apply(
        t, &heedi_op_attention,
        ((heedi_with){.name = "attn", .args = &a->attention}), q, k, v);
    o = linear(m, t, l, "attn.o", P_o, P_o_b, o);
    x = heedi_apply(t, &heedi_op_add, ((heedi_with){.name = "attn.add"}), x, o);
    n = norm(m, t, l, "mlp.norm", P_norm2, &w->norm2, x);
    n = linear(m, t, l, "mlp.fc", P_fc, P_fc_b, n);
    n = heedi_apply(t, &heedi_op_act,
                    ((heedi_with){.name = "mlp.act", .args = &a->act}), n);
    n = linear(m, t, l, "mlp.proj", P_proj, P_proj_b, n);
    return heedi_apply(t, &heedi_op_add, ((heedi_with){.name = "mlp.add"}), x,
                       n);
}

static heedi_node *embedding(const heed_model *m, heedi_tape *t)
{
    const heedi_vit *a = m->impl;
    heedi_node *x =
        heedi_apply(t, &heedi_op_pixels,
                    ((heedi_with){.name = "pixels", .args = &a->pixels}), NULL);
    x = heedi_linear(t, "patch", &a->patch, vector(m, 0, P_patch_b), x);
    x = heedi_apply(t, &heedi_op_prefix,
                    ((heedi_with){.name = "prefix", .args = &a->prefix}), x);
    return heedi_apply(
        t, &heedi_op_position,
        ((heedi_with){.name = "position", .w = heedi_matrix(m, 0, P_position)}),
        x);
}

heedi_node *heedi_vit_build(const heed_model *m, int64_t block, heedi_tape *t,
                            heedi_node *x)
{
    const heedi_vit *a = m->impl;
    if (block == 0)
        return embedding(m, t);
    if (block <= m->dim['L'])
        return layer(m, block - 1, t, x);
    return norm(m, t, 0, "norm", P_norm, &a->norm, x);
}
