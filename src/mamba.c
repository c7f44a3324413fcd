#include "mamba.h"

#include <math.h>
#include <string.h>

#include "build.h"
#include "ctx.h"
#include "kernel.h"

enum { HEEDI_MAMBA_PARAMS(HEEDI_PARAM_INDEX) };
const heedi_param heedi_mamba_params[] = {
    HEEDI_MAMBA_PARAMS(HEEDI_PARAM_ROW){0}};

static heed_status inner_size(heed_model *m, const char *inner)
{
    int64_t *d = m->dim;
    double expand;
    HEEDI_TRY(
        heedi_key_number(m, "expand ssm_cfg.expand", "", 2, 0, 1e4, &expand));
    heedi_value given = heedi_key_value(m, inner, "ssm.inner_size");
    if (given.kind == HEEDI_ABSENT || given.kind == HEEDI_NULL)
        d['E'] = (int64_t)(expand * (double)d['C']);
    heedi_value auto_ = heedi_key_value(m, "time_step_rank ssm_cfg.dt_rank",
                                        "ssm.time_step_rank");
    if (auto_.kind != HEEDI_STR || strcmp(auto_.s, "auto") != 0)
        HEEDI_TRY(heedi_key_whole(m, "time_step_rank ssm_cfg.dt_rank",
                                  "ssm.time_step_rank", 0, 1, 1e6, &d['R']));
    if (d['R'] == 0)
        d['R'] = (d['C'] + 15) / 16;
    d['Q'] = d['R'] + 2 * d['N'];
    d['F'] = d['E'];
    return d['E'] > 0 ? HEED_OK
                      : heedi_fail(m->ctx, HEED_EFORMAT,
                                   "%s: the inner size is 0", m->info.path);
}

heed_status heedi_mamba_vocabulary(heed_model *m, int64_t def)
{
    int64_t k;
    if (m->dim['V'] == 0)
        HEEDI_TRY(heedi_vocabulary_of(m, def));
    HEEDI_TRY(heedi_key_whole(m, "pad_vocab_size_multiple", "", 1, 1, 1e6, &k));
    m->dim['V'] = (m->dim['V'] + k - 1) / k * k;
    return HEED_OK;
}

heed_status heedi_mamba_no_hybrid(heed_model *m)
{
    heedi_value attn = heedi_key_value(m, "attn_layer_idx", "");
    heedi_value mlp = heedi_key_value(m, "d_intermediate", "");
    if ((attn.kind == HEEDI_LIST && attn.n > 0) ||
        (mlp.kind == HEEDI_INT && mlp.i > 0))
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: hybrids with attention or feed-forward layers "
                          "are not supported",
                          m->info.path);
    return HEED_OK;
}

heed_status heedi_mamba_configure(heed_model *m, const char *inner)
{
    heedi_mamba *a = m->impl;
    HEEDI_TRY(inner_size(m, inner));
    HEEDI_TRY(heedi_mamba_vocabulary(m, 50280));
    HEEDI_TRY(heedi_key_eps(m, "layer_norm_epsilon norm_epsilon",
                            "attention.layer_norm_rms_epsilon", 1e-5,
                            &a->norm.eps));
    HEEDI_TRY(heedi_key_bool(m, "use_bias ssm_cfg.bias", false, &a->bias));
    HEEDI_TRY(heedi_key_bool(m, "use_conv_bias ssm_cfg.conv_bias", true,
                             &a->conv_bias));
    HEEDI_TRY(heedi_key_bool(m, "tie_word_embeddings tie_embeddings", true,
                             &a->tied));
    HEEDI_TRY(heedi_key_act(m, "hidden_act", "silu", &a->act.f));
    a->softplus.f = heedi_activation_named("softplus");
    a->embed.scale = 1;
    return HEED_OK;
}

/* Decays by group of lanes. */
static heed_status arrange(heed_model *m, int64_t l, heedi_mamba_layer *k)
{
    const int64_t e = m->dim['E'], n = m->dim['N'];
    const int64_t groups = (e + HEEDI_LANES - 1) / HEEDI_LANES;
    const heedi_weight *a_log = heedi_matrix(m, l, P_a);
    int64_t nd;
    const heed_real *d = heedi_vector_of(m, l, P_d, &nd);
    size_t lanes = (size_t)groups * HEEDI_LANES;
    heed_real *a = heedi_arena_alloc(&m->mem, lanes * (size_t)n * sizeof *a);
    heed_real *skip = heedi_arena_alloc(&m->mem, lanes * sizeof *skip);
    heed_real *row = heedi_alloc(m->ctx, (size_t)n * sizeof *row);
    if (!a || !skip || !row) {
        heedi_free(m->ctx, row);
        return HEED_ENOMEM;
    }
    heed_status st = HEED_OK;
    for (int64_t c = 0; c < e && st == HEED_OK; c++) {
        st = heedi_finite_row(m, a_log, c, row);
        for (int64_t i = 0; i < n && st == HEED_OK; i++)
            a[(c / HEEDI_LANES * n + i) * HEEDI_LANES + c % HEEDI_LANES] =
                m->gguf ? row[i] : (heed_real)-exp((double)row[i]);
        skip[c] = d[c];
    }
    heedi_free(m->ctx, row);
    k->scan = (heedi_scan_args){e, n, a, skip, false};
    return st;
}

static heed_status check_biases(heed_model *m, int64_t l)
{
    const heedi_mamba *a = m->impl;
    bool in = heedi_matrix(m, l, P_in_bias),
         out = heedi_matrix(m, l, P_out_bias);
    bool conv = heedi_matrix(m, l, P_conv_bias);
    if (m->gguf || (in == a->bias && out == a->bias && conv == a->conv_bias))
        return HEED_OK;
    return heedi_fail(m->ctx, HEED_EFORMAT,
                      "%s: layer %lld: use_bias is %s and use_conv_bias %s, "
                      "but the tensors say otherwise",
                      m->info.path, (long long)l, a->bias ? "true" : "false",
                      a->conv_bias ? "true" : "false");
}

const heedi_weight *heedi_mamba_embedding(const heed_model *m)
{
    const heedi_weight *w = heedi_matrix(m, 0, P_embed);
    return w ? w : heedi_matrix(m, 0, P_embed_old);
}

heed_status heedi_mamba_head(heed_model *m, bool tied)
{
    const heedi_weight *embedding = heedi_mamba_embedding(m);
    const heedi_weight *head = heedi_matrix(m, 0, P_head);
    if (!embedding)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: tensor backbone.embeddings.weight is missing",
                          m->info.path);
    return heedi_choose_head(m, embedding, head, m->gguf ? head == NULL : tied);
}

static heed_status finish_layer(heed_model *m, int64_t l, heedi_mamba_layer *k)
{
    const int64_t e = m->dim['E'], n = m->dim['N'], r = m->dim['R'];
    const heedi_weight *in = heedi_matrix(m, l, P_in);
    const heedi_weight *x = heedi_matrix(m, l, P_x);
    const heedi_weight *conv =
        heedi_matrix(m, l, m->gguf ? P_conv_gguf : P_conv);
    HEEDI_TRY(check_biases(m, l));
    if (!conv)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: layer %lld: the filter is missing", m->info.path,
                          (long long)l);
    k->x = heedi_weight_rows(in, 0, e);
    k->z = heedi_weight_rows(in, e, e);
    k->r = heedi_weight_rows(x, 0, r);
    k->b = heedi_weight_rows(x, r, n);
    k->c = heedi_weight_rows(x, r + n, n);
    HEEDI_TRY(heedi_filter_rows(m, conv, 0, e, &k->conv));
    return arrange(m, l, k);
}

heed_status heedi_mamba_finish(heed_model *m)
{
    heedi_mamba *a = m->impl;
    HEEDI_TRY(heedi_mamba_head(m, a->tied));
    a->layer =
        heedi_arena_alloc(&m->mem, (size_t)m->dim['L'] * sizeof *a->layer);
    if (!a->layer)
        return HEED_ENOMEM;
    for (int64_t l = 0; l < m->dim['L']; l++)
        HEEDI_TRY(finish_layer(m, l, &a->layer[l]));
    return HEED_OK;
}

/* W x of the scan's inputs, normalised where the family does that. */
static heedi_node *select_(const heed_model *m, heedi_tape *t, const char *name,
                           const char *norm, const heedi_weight *w,
                           heedi_node *x)
{
    const heedi_mamba *a = m->impl;
    x = heedi_linear(t, name, w, NULL, x);
    if (!a->ones)
        return x;
    return heedi_apply(t, &heedi_op_rmsnorm,
                       ((heedi_with){.name = norm,
                                     .args = &a->mixer_norm,
                                     .vec = a->ones,
                                     .n_vec = w->rows}),
                       x);
}

static heedi_node *layer(const heed_model *m, int64_t l, heedi_tape *t,
                         heedi_node *u)
{
    const heedi_mamba *a = m->impl;
    const heedi_mamba_layer *k = &a->layer[l];
    int64_t n_in;
    const heed_real *in = heedi_vector_of(m, l, P_in_bias, &n_in);
    heedi_node *n =
        heedi_norm_of(m, t, l, &heedi_op_rmsnorm, "norm", P_norm, &a->norm, u);
    heedi_node *x = heedi_linear(t, "mixer.x", &k->x, in, n);
    heedi_node *z =
        heedi_linear(t, "mixer.z", &k->z, in ? in + m->dim['E'] : NULL, n);
    heedi_with conv = {.name = "mixer.conv", .args = &k->conv};
    conv.vec = heedi_vector_of(m, l, P_conv_bias, &conv.n_vec);
    x = heedi_apply(t, &heedi_op_conv1d, conv, x);
    x = heedi_apply(t, &heedi_op_act,
                    ((heedi_with){.name = "mixer.act", .args = &a->act}), x);
    heedi_node *r = select_(m, t, "mixer.r", "mixer.r_norm", &k->r, x);
    heedi_node *b = select_(m, t, "mixer.B", "mixer.B_norm", &k->b, x);
    heedi_node *c = select_(m, t, "mixer.C", "mixer.C_norm", &k->c, x);
    r = heedi_linear_of(m, t, l, "mixer.dt", P_dt, P_dt_bias, r);
    r = heedi_apply(
        t, &heedi_op_act,
        ((heedi_with){.name = "mixer.softplus", .args = &a->softplus}), r);
    heedi_node *y = heedi_apply(
        t, &heedi_op_scan,
        ((heedi_with){.name = "mixer.scan", .args = &k->scan}), x, r, b, c);
    y = heedi_apply(t, &heedi_op_glu,
                    ((heedi_with){.name = "mixer.gate", .args = &a->act}), z,
                    y);
    y = heedi_linear_of(m, t, l, "mixer.out", P_out, P_out_bias, y);
    return heedi_sum(t, "add", u, y);
}

heedi_node *heedi_mamba_build(const heed_model *m, int64_t b, heedi_tape *t,
                              heedi_node *x)
{
    const heedi_mamba *a = m->impl;
    if (b == 0)
        return heedi_embedding(t, heedi_mamba_embedding(m), &a->embed);
    if (b <= m->dim['L'])
        return layer(m, b - 1, t, x);
    return heedi_norm_of(m, t, 0, &heedi_op_rmsnorm, "norm", P_norm_f, &a->norm,
                         x);
}
