#include "ctx.h"
#include "kernel.h"
#include "model.h"

#include <math.h>
#include <string.h>

/* Mamba (Gu and Dao 2023, arXiv:2312.00752), Hugging Face and state-spaces
 * naming:
 *     [x|z] = W_in n,  n = norm(u);  p = conv(x);  s = f(p)
 *     [r|B|C] = W_x s;  dt = softplus(W_dt r + b);  A = -exp(A_log)
 *     y = scan(s, dt, B, C; A, D);  u += W_out (f(z) y)
 * E channels, N states, R time-step rank, W filter width. A GGUF file holds A
 * itself. */

#define MIX "backbone.layers.%d.mixer."
#define PARAMS(P)                                                             \
    P(embed, "backbone.embeddings.weight", "token_embd.weight", "V,C", 0, 1)  \
    P(embed_old, "backbone.embedding.weight", NULL, "V,C", 0, 1)              \
    P(norm_f, "backbone.norm_f.weight", "output_norm.weight", "C", 0, 0)      \
    P(head, "lm_head.weight", "output.weight", "V,C", 0, 1)                   \
    P(norm, "backbone.layers.%d.norm.weight", "blk.%d.attn_norm.weight", "C", \
      1, 0)                                                                   \
    P(in, MIX "in_proj.weight", "blk.%d.ssm_in.weight", "2E,C", 1, 0)         \
    P(in_bias, MIX "in_proj.bias", "blk.%d.ssm_in.bias", "2E", 1, 1)          \
    P(conv, MIX "conv1d.weight", NULL, "E,1,W", 1, 1)                         \
    P(conv_gguf, NULL, "blk.%d.ssm_conv1d.weight", "E,W", 1, 1)               \
    P(conv_bias, MIX "conv1d.bias", "blk.%d.ssm_conv1d.bias", "E", 1, 1)      \
    P(x, MIX "x_proj.weight", "blk.%d.ssm_x.weight", "Q,E", 1, 0)             \
    P(dt, MIX "dt_proj.weight", "blk.%d.ssm_dt.weight", "E,R", 1, 0)          \
    P(dt_bias, MIX "dt_proj.bias", "blk.%d.ssm_dt.bias", "E", 1, 0)           \
    P(a, MIX "A_log", "blk.%d.ssm_a", "E,N", 1, 0)                            \
    P(d, MIX "D", "blk.%d.ssm_d", "E", 1, 0)                                  \
    P(out, MIX "out_proj.weight", "blk.%d.ssm_out.weight", "C,E", 1, 0)       \
    P(out_bias, MIX "out_proj.bias", "blk.%d.ssm_out.bias", "C", 1, 1)
enum { PARAMS(HEEDI_PARAM_INDEX) };
static const heedi_param params[] = {PARAMS(HEEDI_PARAM_ROW){0}};

static const heedi_key keys[] = {
    {'C', "hidden_size d_model", "embedding_length", -1},
    {'L', "num_hidden_layers n_layer", "block_count", -1},
    {'V', "vocab_size", "vocab_size", 0},
    {'N', "state_size ssm_cfg.d_state", "ssm.state_size", 16},
    {'W', "conv_kernel ssm_cfg.d_conv", "ssm.conv_kernel", 4},
    {'E', "", "ssm.inner_size", 0},
    {0},
};

typedef struct layer {
    heedi_weight x, z, r, b, c; /* rows of W_in and of W_x */
    heedi_conv_args conv;
    heedi_scan_args scan;
} layer;

typedef struct mamba {
    heedi_norm_args norm;
    heedi_embed_args embed;
    heedi_act_args act, softplus;
    bool bias, conv_bias, tied;
    layer *layer;
} mamba;

static heed_status inner_size(heed_model *m)
{
    int64_t *d = m->dim;
    double expand;
    HEEDI_TRY(
        heedi_key_number(m, "expand ssm_cfg.expand", "", 2, 0, 1e4, &expand));
    if (heedi_key_value(m, "", "ssm.inner_size").kind == HEEDI_ABSENT)
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

/* The original files pad the vocabulary. */
static heed_status vocabulary(heed_model *m)
{
    int64_t k;
    if (m->dim['V'] == 0)
        HEEDI_TRY(heedi_vocabulary_of(m, 50280));
    HEEDI_TRY(heedi_key_whole(m, "pad_vocab_size_multiple", "", 1, 1, 1e6, &k));
    m->dim['V'] = (m->dim['V'] + k - 1) / k * k;
    return HEED_OK;
}

/* Parts of the configuration that make another model. */
static heed_status refuse(heed_model *m)
{
    heedi_value cfg = heedi_key_value(m, "ssm_cfg", "");
    heedi_value norms = heedi_key_value(m, "", "ssm.dt_b_c_rms");
    heedi_value layer_ = heedi_key_value(m, "ssm_cfg.layer", "");
    heedi_value attn = heedi_key_value(m, "attn_layer_idx", "");
    heedi_value mlp = heedi_key_value(m, "d_intermediate", "");
    heedi_value rms = heedi_key_value(m, "rms_norm", "");
    if (layer_.kind == HEEDI_STR && strcmp(layer_.s, "Mamba1") != 0)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: layers of type '%s' are not supported",
                          m->info.path, layer_.s);
    if ((attn.kind == HEEDI_LIST && attn.n > 0) ||
        (mlp.kind == HEEDI_INT && mlp.i > 0))
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: hybrids with attention or feed-forward layers "
                          "are not supported",
                          m->info.path);
    if (norms.kind == HEEDI_BOOL && norms.i)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: ssm.dt_b_c_rms true (FalconMamba) is not "
                          "supported",
                          m->info.path);
    if (cfg.kind != HEEDI_OBJECT && cfg.kind != HEEDI_ABSENT &&
        cfg.kind != HEEDI_NULL)
        return heedi_fail(m->ctx, HEED_EFORMAT, "%s: 'ssm_cfg' is no object",
                          m->info.path);
    if (rms.kind == HEEDI_BOOL && !rms.i)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: rms_norm false is not supported", m->info.path);
    return HEED_OK;
}

static heed_status configure(heed_model *m)
{
    mamba *a = m->impl;
    HEEDI_TRY(refuse(m));
    HEEDI_TRY(inner_size(m));
    HEEDI_TRY(vocabulary(m));
    HEEDI_TRY(heedi_key_number(m, "layer_norm_epsilon norm_epsilon",
                               "attention.layer_norm_rms_epsilon", 1e-5, 0, 1,
                               &a->norm.eps));
    if (m->gguf)
        a->norm.eps = heedi_decimal(a->norm.eps);
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

static heed_status row_of(heed_model *m, const heedi_weight *w, int64_t c,
                          heed_real *row)
{
    heedi_weight_row(w, c, 0, w->cols, row);
    for (int64_t i = 0; i < w->cols; i++)
        if (!isfinite((double)row[i]))
            return heedi_fail(m->ctx, HEED_ENUMERIC,
                              "tensor %s: row %lld has a value that is not "
                              "finite",
                              w->name, (long long)c);
    return HEED_OK;
}

/* Filters with the channels innermost, decays by group of lanes. */
static heed_status arrange(heed_model *m, int64_t l, layer *k)
{
    const int64_t e = m->dim['E'], n = m->dim['N'], w = m->dim['W'];
    const int64_t groups = (e + HEEDI_LANES - 1) / HEEDI_LANES;
    const heedi_weight *conv =
        heedi_matrix(m, l, m->gguf ? P_conv_gguf : P_conv);
    const heedi_weight *a_log = heedi_matrix(m, l, P_a);
    int64_t nd;
    const heed_real *d = heedi_vector_of(m, l, P_d, &nd);
    if (!conv)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: layer %lld: the filter is missing", m->info.path,
                          (long long)l);
    size_t lanes = (size_t)groups * HEEDI_LANES;
    heed_real *f = heedi_arena_alloc(&m->mem, (size_t)(w * e) * sizeof *f);
    heed_real *a = heedi_arena_alloc(&m->mem, lanes * (size_t)n * sizeof *a);
    heed_real *skip = heedi_arena_alloc(&m->mem, lanes * sizeof *skip);
    heed_real *row = heedi_alloc(m->ctx, (size_t)(w > n ? w : n) * sizeof *row);
    if (!f || !a || !skip || !row) {
        heedi_free(m->ctx, row);
        return HEED_ENOMEM;
    }
    heed_status st = HEED_OK;
    for (int64_t c = 0; c < e && st == HEED_OK; c++) {
        st = row_of(m, conv, c, row);
        for (int64_t i = 0; i < w && st == HEED_OK; i++)
            f[i * e + c] = row[i];
        if (st == HEED_OK)
            st = row_of(m, a_log, c, row);
        for (int64_t i = 0; i < n && st == HEED_OK; i++)
            a[(c / HEEDI_LANES * n + i) * HEEDI_LANES + c % HEEDI_LANES] =
                m->gguf ? row[i] : (heed_real)-exp((double)row[i]);
        skip[c] = d[c];
    }
    heedi_free(m->ctx, row);
    k->conv = (heedi_conv_args){w, f};
    k->scan = (heedi_scan_args){e, n, a, skip};
    return st;
}

static heed_status check_biases(heed_model *m, int64_t l)
{
    const mamba *a = m->impl;
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

static const heedi_weight *embedding(const heed_model *m)
{
    const heedi_weight *w = heedi_matrix(m, 0, P_embed);
    return w ? w : heedi_matrix(m, 0, P_embed_old);
}

static heed_status finish(heed_model *m)
{
    mamba *a = m->impl;
    const int64_t e = m->dim['E'], n = m->dim['N'], r = m->dim['R'];
    const heedi_weight *head = heedi_matrix(m, 0, P_head);
    if (!embedding(m))
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: tensor backbone.embeddings.weight is missing",
                          m->info.path);
    HEEDI_TRY(heedi_choose_head(m, embedding(m), head,
                                m->gguf ? head == NULL : a->tied));
    a->layer =
        heedi_arena_alloc(&m->mem, (size_t)m->dim['L'] * sizeof *a->layer);
    if (!a->layer)
        return HEED_ENOMEM;
    for (int64_t l = 0; l < m->dim['L']; l++) {
        layer *k = &a->layer[l];
        const heedi_weight *in = heedi_matrix(m, l, P_in);
        const heedi_weight *x = heedi_matrix(m, l, P_x);
        HEEDI_TRY(check_biases(m, l));
        k->x = heedi_weight_rows(in, 0, e);
        k->z = heedi_weight_rows(in, e, e);
        k->r = heedi_weight_rows(x, 0, r);
        k->b = heedi_weight_rows(x, r, n);
        k->c = heedi_weight_rows(x, r + n, n);
        HEEDI_TRY(arrange(m, l, k));
    }
    return HEED_OK;
}

static heedi_node *norm(const heed_model *m, heedi_tape *t, int64_t l,
                        const char *name, int w, heedi_node *x)
{
    const mamba *a = m->impl;
    heedi_with with = {.name = name, .args = &a->norm};
    with.vec = heedi_vector_of(m, l, w, &with.n_vec);
    return heedi_apply(t, &heedi_op_rmsnorm, with, x);
}

static heedi_node *block(const heed_model *m, int64_t l, heedi_tape *t,
                         heedi_node *u)
{
    const mamba *a = m->impl;
    const layer *k = &a->layer[l];
    int64_t n_in, n_out, n_dt;
    const heed_real *in = heedi_vector_of(m, l, P_in_bias, &n_in);
    const heed_real *out = heedi_vector_of(m, l, P_out_bias, &n_out);
    const heed_real *dt = heedi_vector_of(m, l, P_dt_bias, &n_dt);
    heedi_node *n = norm(m, t, l, "norm", P_norm, u);
    heedi_node *x = heedi_linear(t, "mixer.x", &k->x, in, n);
    heedi_node *z =
        heedi_linear(t, "mixer.z", &k->z, in ? in + m->dim['E'] : NULL, n);
    heedi_with conv = {.name = "mixer.conv", .args = &k->conv};
    conv.vec = heedi_vector_of(m, l, P_conv_bias, &conv.n_vec);
    x = heedi_apply(t, &heedi_op_conv1d, conv, x);
    x = heedi_apply(t, &heedi_op_act,
                    ((heedi_with){.name = "mixer.act", .args = &a->act}), x);
    heedi_node *r = heedi_linear(t, "mixer.r", &k->r, NULL, x);
    heedi_node *b = heedi_linear(t, "mixer.B", &k->b, NULL, x);
    heedi_node *c = heedi_linear(t, "mixer.C", &k->c, NULL, x);
    r = heedi_linear(t, "mixer.dt", heedi_matrix(m, l, P_dt), dt, r);
    r = heedi_apply(
        t, &heedi_op_act,
        ((heedi_with){.name = "mixer.softplus", .args = &a->softplus}), r);
    heedi_node *y = heedi_apply(
        t, &heedi_op_scan,
        ((heedi_with){.name = "mixer.scan", .args = &k->scan}), x, r, b, c);
    y = heedi_apply(t, &heedi_op_glu,
                    ((heedi_with){.name = "mixer.gate", .args = &a->act}), z,
                    y);
    y = heedi_linear(t, "mixer.out", heedi_matrix(m, l, P_out), out, y);
    return heedi_apply(t, &heedi_op_add, ((heedi_with){.name = "add"}), u, y);
}

static heedi_node *build(const heed_model *m, int64_t b, heedi_tape *t,
                         heedi_node *x)
{
    const mamba *a = m->impl;
    if (b == 0)
        return heedi_apply(t, &heedi_op_embed,
                           ((heedi_with){.name = "embed",
                                         .w = embedding(m),
                                         .args = &a->embed}),
                           NULL);
    if (b <= m->dim['L'])
        return block(m, b - 1, t, x);
    return norm(m, t, 0, "norm", P_norm_f, x);
}

static const char *const ignored[] = {NULL};

const heedi_family heedi_family_mamba = {
    .info = {.name = "mamba",
             .gguf = "mamba",
             .summary = "Mamba 1, Hugging Face and state-spaces naming",
             .method = "mamba_lrp"},
    .prefix = "backbone.",
    .params = params,
    .keys = keys,
    .ignored = ignored,
    .size = sizeof(mamba),
    .configure = configure,
    .finish = finish,
    .build = build,
};
