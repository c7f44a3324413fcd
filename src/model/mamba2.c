#include <math.h>
#include <string.h>

#include "build.h"
#include "ctx.h"
#include "mamba.h"

/* Mamba 2 (Dao and Gu 2024, arXiv:2405.21060), Hugging Face and state-spaces
 * naming:
 *     [z|x|B|C|dt] = W_in n,  n = norm(u);  x, B, C = f(conv(...))
 *     dt = clamp(softplus(dt + b));  A = -exp(A_log)
 *     y = ssd(x, dt, B, C; A, D);  u += W_out norm(silu(z) y)
 * H heads of D columns, E = H D, G groups of N states. The last norm is over
 * the whole width in Hugging Face's model, and over that of a group, M = E / G,
 * in the original and in GGUF files, which hold A itself. */

#define MIX HEEDI_MAMBA_MIX
#define PARAMS(P)                                                        \
    HEEDI_MAMBA_TOP(P)                                                   \
    P(in, MIX "in_proj.weight", "blk.%d.ssm_in.weight", "I,C", 1, 0)     \
    P(in_bias, MIX "in_proj.bias", "blk.%d.ssm_in.bias", "I", 1, 1)      \
    P(conv, MIX "conv1d.weight", NULL, "Y,1,W", 1, 0)                    \
    P(conv_gguf, NULL, "blk.%d.ssm_conv1d.weight", "Y,W", 1, 0)          \
    P(conv_bias, MIX "conv1d.bias", "blk.%d.ssm_conv1d.bias", "Y", 1, 1) \
    P(dt_bias, MIX "dt_bias", "blk.%d.ssm_dt.bias", "H", 1, 0)           \
    P(a, MIX "A_log", NULL, "H", 1, 0)                                   \
    P(a_gguf, NULL, "blk.%d.ssm_a", "H,1", 1, 0)                         \
    P(d, MIX "D", NULL, "H", 1, 0)                                       \
    P(d_gguf, NULL, "blk.%d.ssm_d", "H,1", 1, 0)                         \
    P(gain, MIX "norm.weight", NULL, "E", 1, 1)                          \
    P(gain_gguf, NULL, "blk.%d.ssm_norm.weight", "G,M", 1, 1)            \
    P(out, MIX "out_proj.weight", "blk.%d.ssm_out.weight", "C,E", 1, 0)  \
    P(out_bias, MIX "out_proj.bias", "blk.%d.ssm_out.bias", "C", 1, 1)
enum { PARAMS(HEEDI_PARAM_INDEX) };
static const heedi_param params[] = {PARAMS(HEEDI_PARAM_ROW){0}};

static const heedi_key keys[] = {
    {'C', "hidden_size d_model", "embedding_length", -1},
    {'L', "num_hidden_layers n_layer", "block_count", -1},
    {'V', "vocab_size", "vocab_size", 0},
    {'N', "state_size ssm_cfg.d_state", "ssm.state_size", 128},
    {'W', "conv_kernel ssm_cfg.d_conv", "ssm.conv_kernel", 4},
    {0},
};

/* A part of the input projection, and its filter. */
typedef struct part {
    heedi_weight w;
    const heed_real *bias; /* or NULL */
    heedi_conv_args conv;
    const heed_real *conv_bias;
} part;

typedef struct layer {
    part z, x, b, c, dt; /* z and dt have no filter */
    heedi_ssd_args ssd;
    const heed_real *gain; /* of the norm after the gate; NULL: there is none */
} layer;

typedef struct mamba2 {
    heedi_norm_args norm, gated;
    heedi_embed_args embed;
    heedi_act_args act, gate, softplus;
    heedi_clamp_args limit;
    bool native; /* state-spaces' configuration */
    bool bias, conv_bias, gained, tied, clamped;
    layer *layer;
} mamba2;

/* ---- configuration ---- */

static heed_status fail(heed_model *m, const char *what)
{
    return heedi_fail(m->ctx, HEED_ENOTSUP, "%s: %s", m->info.path, what);
}

static bool is_true(const heed_model *m, const char *key)
{
    heedi_value v = heedi_key_value(m, key, "");
    return v.kind == HEEDI_BOOL && v.i;
}

/* Parts of the configuration that make another model. */
static heed_status refuse(heed_model *m)
{
    const mamba2 *a = m->impl;
    heedi_value layer_ = heedi_key_value(m, "ssm_cfg.layer", "");
    heedi_value rms = heedi_key_value(m, "rms_norm", "");
    heedi_value inner = heedi_key_value(m, "ssm_cfg.d_ssm", "");
    HEEDI_TRY(heedi_mamba_no_hybrid(m));
    if (layer_.kind == HEEDI_STR && strcmp(layer_.s, "Mamba2") != 0)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: layers of type '%s' are not supported",
                          m->info.path, layer_.s);
    if (a->native && rms.kind == HEEDI_BOOL && !rms.i)
        return fail(m, "rms_norm false is not supported");
    if (is_true(m, "ssm_cfg.D_has_hdim"))
        return fail(m, "D_has_hdim true is not supported");
    if (is_true(m, "norm_before_gate ssm_cfg.norm_before_gate"))
        return fail(m, "norm_before_gate true is not supported");
    if (inner.kind == HEEDI_INT && inner.i != m->dim['E'])
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: d_ssm %lld is not supported: the state space "
                          "must have the whole inner size, %lld",
                          m->info.path, (long long)inner.i,
                          (long long)m->dim['E']);
    return HEED_OK;
}

/* H heads of D columns and what follows from them. */
static heed_status sizes(heed_model *m)
{
    const mamba2 *a = m->impl;
    int64_t *d = m->dim;
    double expand;
    HEEDI_TRY(
        heedi_key_number(m, "expand ssm_cfg.expand", "", 2, 0, 1e4, &expand));
    HEEDI_TRY(heedi_key_whole(m, "n_groups ssm_cfg.ngroups", "ssm.group_count",
                              a->native || m->gguf ? 1 : 8, 1, 1e6, &d['G']));
    d['E'] = (int64_t)(expand * (double)d['C']);
    if (m->gguf)
        HEEDI_TRY(heedi_key_whole(m, "", "ssm.inner_size", (double)NAN, 1, 1e9,
                                  &d['E']));
    if (m->gguf || !a->native)
        HEEDI_TRY(heedi_key_whole(m, "num_heads", "ssm.time_step_rank",
                                  m->gguf ? (double)NAN : 128, 1, 1e6,
                                  &d['H']));
    if (!m->gguf)
        HEEDI_TRY(heedi_key_whole(m, "head_dim ssm_cfg.headdim", "", 64, 1, 1e6,
                                  &d['D']));
    if (a->native)
        d['H'] = d['E'] / d['D'];
    if (m->gguf)
        d['D'] = d['E'] / d['H'];
    if (d['E'] < 1 || d['H'] * d['D'] != d['E'])
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: %lld heads of %lld columns do not make an inner "
                          "size of %lld",
                          m->info.path, (long long)d['H'], (long long)d['D'],
                          (long long)d['E']);
    if (d['H'] % d['G'] != 0)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: %lld heads are no multiple of %lld groups",
                          m->info.path, (long long)d['H'], (long long)d['G']);
    d['M'] = d['E'] / d['G'];
    d['Y'] = d['E'] + 2 * d['G'] * d['N'];
    d['I'] = d['E'] + d['Y'] + d['H'];
    d['F'] = d['E'];
    return HEED_OK;
}

/* [low, high] of dt. */
static heed_status limits(heed_model *m)
{
    mamba2 *a = m->impl;
    double end[2] = {0, HUGE_VAL};
    heedi_value v = heedi_key_value(m, "time_step_limit ssm_cfg.dt_limit", "");
    for (int64_t i = 0; i < 2 && v.kind == HEEDI_LIST; i++) {
        heedi_value e = heedi_config_item(&v, i);
        const bool number = e.kind == HEEDI_INT || e.kind == HEEDI_NUM;
        end[i] = number ? e.f : (double)NAN;
    }
    if ((v.kind != HEEDI_ABSENT && v.kind != HEEDI_NULL &&
         (v.kind != HEEDI_LIST || v.n != 2)) ||
        !(end[0] <= end[1]))
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: 'time_step_limit' is no pair of numbers, the "
                          "smaller one first",
                          m->info.path);
    a->limit = (heedi_clamp_args){(heed_real)end[0], (heed_real)end[1]};
    a->clamped = end[0] > 0 || end[1] < HUGE_VAL; /* softplus is above 0 */
    return HEED_OK;
}

static heed_status configure(heed_model *m)
{
    mamba2 *a = m->impl;
    a->native =
        !m->gguf && heedi_key_value(m, "model_type", "").kind == HEEDI_ABSENT;
    HEEDI_TRY(sizes(m));
    HEEDI_TRY(refuse(m));
    HEEDI_TRY(limits(m));
    HEEDI_TRY(heedi_mamba_vocabulary(m, a->native ? 50280 : 32768));
    HEEDI_TRY(heedi_key_eps(m, "layer_norm_epsilon norm_epsilon",
                            "attention.layer_norm_rms_epsilon", 1e-5,
                            &a->norm.eps));
    a->gated.eps = a->native ? 1e-5 : a->norm.eps;
    a->gated.width = m->gguf || a->native ? m->dim['M'] : m->dim['E'];
    HEEDI_TRY(heedi_key_bool(m, "use_bias ssm_cfg.bias", false, &a->bias));
    HEEDI_TRY(heedi_key_bool(m, "use_conv_bias ssm_cfg.conv_bias", true,
                             &a->conv_bias));
    HEEDI_TRY(heedi_key_bool(m, "ssm_cfg.rmsnorm", true, &a->gained));
    HEEDI_TRY(heedi_key_bool(m, "tie_word_embeddings tie_embeddings", a->native,
                             &a->tied));
    HEEDI_TRY(
        heedi_key_act(m, "hidden_act ssm_cfg.activation", "silu", &a->act.f));
    a->gate.f = heedi_activation_named("silu");
    a->softplus.f = heedi_activation_named("softplus");
    a->embed.scale = 1;
    return HEED_OK;
}

/* ---- tensors ---- */

static const heed_real *vector(const heed_model *m, int64_t l, int p)
{
    int64_t n;
    return heedi_vector_of(m, l, p, &n);
}

/* Of the tensors that may be missing, those are there that the configuration
 * says. */
static heed_status check_layer(heed_model *m, int64_t l)
{
    const mamba2 *a = m->impl;
    const bool in = vector(m, l, P_in_bias), out = vector(m, l, P_out_bias),
               conv = vector(m, l, P_conv_bias), gain = vector(m, l, P_gain);
    if (m->gguf || (in == a->bias && out == a->bias && conv == a->conv_bias &&
                    gain == a->gained))
        return HEED_OK;
    return heedi_fail(m->ctx, HEED_EFORMAT,
                      "%s: layer %lld: use_bias is %s, use_conv_bias %s and "
                      "rmsnorm %s, but the tensors say otherwise",
                      m->info.path, (long long)l, a->bias ? "true" : "false",
                      a->conv_bias ? "true" : "false",
                      a->gained ? "true" : "false");
}

/* The bias of the projection is one more of dt's own. */
static const heed_real *dt_bias(heed_model *m, int64_t l, const heed_real *in)
{
    const heed_real *own = vector(m, l, P_dt_bias);
    if (!in)
        return own;
    heed_real *sum =
        heedi_arena_alloc(&m->mem, (size_t)m->dim['H'] * sizeof *sum);
    for (int64_t h = 0; sum && h < m->dim['H']; h++)
        sum[h] = in[h] + own[h];
    return sum;
}

static heed_status read_ssd(heed_model *m, int64_t l, layer *k)
{
    const int64_t heads = m->dim['H'];
    const heed_real *d = vector(m, l, P_d), *log = vector(m, l, P_a);
    if (m->gguf) {
        HEEDI_TRY(heedi_flat(m, heedi_matrix(m, l, P_a_gguf), &k->ssd.a));
        HEEDI_TRY(heedi_flat(m, heedi_matrix(m, l, P_d_gguf), &d));
    } else {
        heed_real *a = heedi_arena_alloc(&m->mem, (size_t)heads * sizeof *a);
        if (!a)
            return HEED_ENOMEM;
        for (int64_t h = 0; h < heads; h++)
            a[h] = (heed_real)-exp((double)log[h]);
        k->ssd.a = a;
    }
    k->ssd.d = d;
    k->ssd.heads = heads;
    k->ssd.head_dim = m->dim['D'];
    k->ssd.groups = m->dim['G'];
    k->ssd.n_state = m->dim['N'];
    return HEED_OK;
}

static heed_status read_parts(heed_model *m, int64_t l, layer *k)
{
    const int64_t e = m->dim['E'], gn = m->dim['G'] * m->dim['N'];
    const int64_t rows[] = {e, e, gn, gn, m->dim['H']};
    part *const parts[] = {&k->z, &k->x, &k->b, &k->c, &k->dt};
    const heedi_weight *in = heedi_matrix(m, l, P_in);
    const heedi_weight *conv =
        heedi_matrix(m, l, m->gguf ? P_conv_gguf : P_conv);
    const heed_real *bias = vector(m, l, P_in_bias),
                    *conv_bias = vector(m, l, P_conv_bias);
    for (int64_t i = 0, r = 0; i < 5; r += rows[i++]) {
        parts[i]->w = heedi_weight_rows(in, r, rows[i]);
        parts[i]->bias = bias ? bias + r : NULL;
        if (i == 0 || i == 4)
            continue;
        HEEDI_TRY(heedi_filter_rows(m, conv, r - e, rows[i], &parts[i]->conv));
        parts[i]->conv_bias = conv_bias ? conv_bias + r - e : NULL;
    }
    k->dt.bias = dt_bias(m, l, k->dt.bias);
    return k->dt.bias ? HEED_OK : HEED_ENOMEM;
}

static heed_status finish_layer(heed_model *m, int64_t l, layer *k)
{
    const heedi_weight *gain = heedi_matrix(m, l, P_gain_gguf);
    HEEDI_TRY(check_layer(m, l));
    HEEDI_TRY(read_parts(m, l, k));
    HEEDI_TRY(read_ssd(m, l, k));
    k->gain = vector(m, l, P_gain);
    return gain ? heedi_flat(m, gain, &k->gain) : HEED_OK;
}

static heed_status finish(heed_model *m)
{
    mamba2 *a = m->impl;
    HEEDI_TRY(heedi_mamba_head(m, a->tied));
    a->layer =
        heedi_arena_alloc(&m->mem, (size_t)m->dim['L'] * sizeof *a->layer);
    if (!a->layer)
        return HEED_ENOMEM;
    for (int64_t l = 0; l < m->dim['L']; l++)
        HEEDI_TRY(finish_layer(m, l, &a->layer[l]));
    return HEED_OK;
}

/* ---- blocks ---- */

static heedi_node *act(heedi_tape *t, const char *name, const heedi_act_args *f,
                       heedi_node *x)
{
    return heedi_apply(t, &heedi_op_act,
                       ((heedi_with){.name = name, .args = f}), x);
}

/* Projection, filter, activation. */
static heedi_node *filtered(const heed_model *m, heedi_tape *t, const part *p,
                            const char *const name[3], heedi_node *n)
{
    const mamba2 *a = m->impl;
    heedi_node *x = heedi_linear(t, name[0], &p->w, p->bias, n);
    x = heedi_apply(t, &heedi_op_conv1d,
                    ((heedi_with){.name = name[1],
                                  .args = &p->conv,
                                  .vec = p->conv_bias,
                                  .n_vec = p->conv_bias ? p->w.rows : 0}),
                    x);
    return act(t, name[2], &a->act, x);
}

static heedi_node *step(const heed_model *m, heedi_tape *t, const part *p,
                        heedi_node *n)
{
    const mamba2 *a = m->impl;
    heedi_node *dt = heedi_linear(t, "mixer.dt", &p->w, p->bias, n);
    dt = act(t, "mixer.softplus", &a->softplus, dt);
    if (!a->clamped)
        return dt;
    return heedi_apply(t, &heedi_op_clamp,
                       ((heedi_with){.name = "mixer.clamp", .args = &a->limit}),
                       dt);
}

static heedi_node *mix(const heed_model *m, int64_t l, heedi_tape *t,
                       heedi_node *u)
{
    static const char *const x_names[] = {"mixer.x", "mixer.conv", "mixer.act"},
                             *const b_names[] = {"mixer.B", "mixer.B_conv",
                                                 "mixer.B_act"},
                             *const c_names[] = {"mixer.C", "mixer.C_conv",
                                                 "mixer.C_act"};
    const mamba2 *a = m->impl;
    const layer *k = &a->layer[l];
    heedi_node *n =
        heedi_norm_of(m, t, l, &heedi_op_rmsnorm, "norm", P_norm, &a->norm, u);
    heedi_node *z = heedi_linear(t, "mixer.z", &k->z.w, k->z.bias, n);
    heedi_node *x = filtered(m, t, &k->x, x_names, n);
    heedi_node *b = filtered(m, t, &k->b, b_names, n);
    heedi_node *c = filtered(m, t, &k->c, c_names, n);
    heedi_node *dt = step(m, t, &k->dt, n);
    heedi_node *y = heedi_apply(
        t, &heedi_op_ssd, ((heedi_with){.name = "mixer.ssd", .args = &k->ssd}),
        x, dt, b, c);
    y = heedi_apply(t, &heedi_op_glu,
                    ((heedi_with){.name = "mixer.gate", .args = &a->gate}), z,
                    y);
    if (k->gain)
        y = heedi_apply(t, &heedi_op_rmsnorm,
                        ((heedi_with){.name = "mixer.norm",
                                      .args = &a->gated,
                                      .vec = k->gain,
                                      .n_vec = m->dim['E']}),
                        y);
    y = heedi_linear_of(m, t, l, "mixer.out", P_out, P_out_bias, y);
    return heedi_sum(t, "add", u, y);
}

static heedi_node *build(const heed_model *m, int64_t b, heedi_tape *t,
                         heedi_node *x)
{
    const mamba2 *a = m->impl;
    if (b == 0)
        return heedi_embedding(t, heedi_mamba_embedding(m), &a->embed);
    if (b <= m->dim['L'])
        return mix(m, b - 1, t, x);
    return heedi_norm_of(m, t, 0, &heedi_op_rmsnorm, "norm", P_norm_f, &a->norm,
                         x);
}

const heedi_family heedi_family_mamba2 = {
    .info = {.name = "mamba2",
             .gguf = "mamba2",
             .summary = "Mamba 2, Hugging Face and state-spaces naming",
             .method = "mamba_lrp"},
    .prefix = "backbone.",
    .params = params,
    .keys = keys,
    .size = sizeof(mamba2),
    .configure = configure,
    .finish = finish,
    .build = build,
};
