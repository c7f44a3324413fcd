#include "build.h"
#include "ctx.h"
#include "rwkv.h"

#include <math.h>
#include <string.h>

/* RWKV-6, "Finch" (Peng et al. 2024, arXiv:2404.05892). With n = norm(x), the
 * row before it p, and xx = p - n:
 *     m = tanh(W1 (n + xx mu_x)), five parts;  x_j = n + xx (mu_j + W2_j m_j)
 *     r, k, v, g: maps of x_r, x_k, x_v, x_g;  w = w0 + D2 tanh(D1 x_w)
 *     x += W_o (groupnorm(gla(r, k, v, w; u)) silu(g))
 *     n = norm(x):  x += sigmoid(W_r n_r) (W_v relu(W_k n_k)^2)
 * where n_r, n_k are n + xx mu with weights of their own. The small matrices
 * are stored (inputs, outputs) by Hugging Face and the other way round in a
 * GGUF file, whose output and value matrices are divided by a power of two.
 * rescale_every says how float16 is kept from overflowing: it changes no value
 * that does not overflow, and is not read. */

#define R "rwkv.blocks.%d."
#define A "rwkv.blocks.%d.attention."
#define F "rwkv.blocks.%d.feed_forward."
#define G "blk.%d."
#define PARAMS(P)                                                             \
    P(mu_x, A "time_maa_x", NULL, "1,1,C", 1, 0)                              \
    P(mu_w, A "time_maa_w", NULL, "1,1,C", 1, 0)                              \
    P(mu_k, A "time_maa_k", NULL, "1,1,C", 1, 0)                              \
    P(mu_v, A "time_maa_v", NULL, "1,1,C", 1, 0)                              \
    P(mu_r, A "time_maa_r", NULL, "1,1,C", 1, 0)                              \
    P(mu_g, A "time_maa_g", NULL, "1,1,C", 1, 0)                              \
    P(lerp_x, NULL, G "time_mix_lerp_x.weight", "C", 1, 0)                    \
    P(lerp, NULL, G "time_mix_lerp_fused.weight", "5,1,1,C", 1, 1)            \
    P(lerp_w, NULL, G "time_mix_lerp_w.weight", "C", 1, 1)                    \
    P(lerp_k, NULL, G "time_mix_lerp_k.weight", "C", 1, 1)                    \
    P(lerp_v, NULL, G "time_mix_lerp_v.weight", "C", 1, 1)                    \
    P(lerp_r, NULL, G "time_mix_lerp_r.weight", "C", 1, 1)                    \
    P(lerp_g, NULL, G "time_mix_lerp_g.weight", "C", 1, 1)                    \
    P(w1, A "time_maa_w1", NULL, "C,5M", 1, 0)                                \
    P(w1_g, NULL, G "time_mix_w1.weight", "5M,C", 1, 0)                       \
    P(w2, A "time_maa_w2", NULL, "5,M,C", 1, 0)                               \
    P(w2_g, NULL, G "time_mix_w2.weight", "5,C,M", 1, 0)                      \
    P(decay, A "time_decay", NULL, "1,1,A", 1, 0)                             \
    P(decay_g, NULL, G "time_mix_decay.weight", "A", 1, 0)                    \
    P(d1, A "time_decay_w1", NULL, "C,R", 1, 0)                               \
    P(d1_g, NULL, G "time_mix_decay_w1.weight", "R,C", 1, 0)                  \
    P(d2, A "time_decay_w2", NULL, "R,A", 1, 0)                               \
    P(d2_g, NULL, G "time_mix_decay_w2.weight", "A,R", 1, 0)                  \
    P(bonus, A "time_faaaa", G "time_mix_first.weight", "H,D", 1, 0)          \
    P(r, A "receptance.weight", G "time_mix_receptance.weight", "A,C", 1, 0)  \
    P(k, A "key.weight", G "time_mix_key.weight", "A,C", 1, 0)                \
    P(v, A "value.weight", G "time_mix_value.weight", "A,C", 1, 0)            \
    P(g, A "gate.weight", G "time_mix_gate.weight", "A,C", 1, 0)              \
    P(ln_x, A "ln_x.weight", G "time_mix_ln.weight", "A", 1, 0)               \
    P(ln_x_b, A "ln_x.bias", G "time_mix_ln.bias", "A", 1, 0)                 \
    P(out, A "output.weight", G "time_mix_output.weight", "C,A", 1, 0)        \
    P(nu_k, F "time_maa_k", NULL, "1,1,C", 1, 0)                              \
    P(nu_k_g, NULL, G "channel_mix_lerp_k.weight", "C", 1, 0)                 \
    P(nu_r, F "time_maa_r", NULL, "1,1,C", 1, 0)                              \
    P(nu_r_g, NULL, G "channel_mix_lerp_r.weight", "C", 1, 0)                 \
    P(fk, F "key.weight", G "channel_mix_key.weight", "F,C", 1, 0)            \
    P(fr, F "receptance.weight", G "channel_mix_receptance.weight", "C,C", 1, \
      0)                                                                      \
    P(fv, F "value.weight", G "channel_mix_value.weight", "C,F", 1, 0)
enum { HEEDI_RWKV_LAST_PARAM, PARAMS(HEEDI_PARAM_INDEX) };
static const heedi_param params[] = {HEEDI_RWKV_PARAMS(HEEDI_PARAM_ROW)
                                         PARAMS(HEEDI_PARAM_ROW){0}};

static const heedi_key keys[] = {
    {'C', "hidden_size", "embedding_length", -1},
    {'L', "num_hidden_layers", "block_count", -1},
    {'V', "vocab_size", "vocab_size", 0},
    {'A', "attention_hidden_size", "", 0},
    {'D', "head_size", "wkv.head_size", 64},
    {'F', "intermediate_size", "feed_forward_length", 0},
    {0},
};

/* The five inputs of the maps, in the order of the checkpoint. */
enum { W, K, V, RECEPTANCE, GATE, N_MIX };

typedef struct mix {
    const heed_real *mu;
    heedi_weight down, up; /* W1, W2 */
} mix;

typedef struct layer {
    const heed_real *mu_x, *w0, *bonus;
    mix mix[N_MIX];
    heedi_weight d1, d2, out, value;
    heedi_groupnorm_args ln_x;
} layer;

typedef struct rwkv6 {
    heedi_rwkv frame;
    double group_eps;
    int64_t rescale; /* layers; 0: none */
    heedi_act_args tanh_, silu;
    heedi_gla_args gla;
    layer *layer;
} rwkv6;

/* A dimension of a matrix of the first layer: by it are told the ranks, which
 * no key gives, and whether the feed-forward part is as wide as its key says
 * (the original code came to read it late). 0: no such matrix. */
static int64_t dim_of(heed_model *m, const char *hf, const char *gguf, int d)
{
    const char *name = m->gguf ? gguf : hf;
    const heedi_tensor *t = heedi_checkpoint_tensor(m->ckpt, name);
    if (!t && !m->gguf)
        t = heedi_checkpoint_tensor(m->ckpt, name + strlen("rwkv."));
    return t && t->nd == 2 ? t->dim[d] : 0;
}

static heed_status sizes(heed_model *m)
{
    int64_t *d = m->dim;
    if (d['A'] == 0)
        d['A'] = d['C'];
    if (d['A'] % d['D'] != 0)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: width %lld is no multiple of the head size %lld",
                          m->info.path, (long long)d['A'], (long long)d['D']);
    d['H'] = d['K'] = d['A'] / d['D'];
    const int64_t usual = d['C'] * 7 / 2 / 32 * 32;
    if (!m->gguf &&
        d['F'] != dim_of(m, "rwkv.blocks.0.feed_forward.key.weight", NULL, 0))
        d['F'] = usual;
    if (d['F'] == 0)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: the feed-forward part has no width",
                          m->info.path);
    d['M'] = dim_of(m, "rwkv.blocks.0.attention.time_maa_w1",
                    "blk.0.time_mix_w1.weight", !m->gguf) /
             N_MIX;
    d['R'] = dim_of(m, "rwkv.blocks.0.attention.time_decay_w1",
                    "blk.0.time_mix_decay_w1.weight", !m->gguf);
    if (d['M'] == 0) /* missing or wrong, which is told of with its name */
        d['M'] = d['C'] == 4096 ? 64 : 32;
    if (d['R'] == 0)
        d['R'] = d['C'] == 4096 ? 128 : 64;
    return d['V'] > 0 ? HEED_OK : heedi_vocabulary_of(m, 65536);
}

static heed_status configure(heed_model *m)
{
    rwkv6 *a = m->impl;
    double divisor;
    HEEDI_TRY(sizes(m));
    HEEDI_TRY(heedi_rwkv_configure(m));
    HEEDI_TRY(
        heedi_key_number(m, "head_size_divisor", "", 8, 1e-3, 1e6, &divisor));
    HEEDI_TRY(heedi_key_whole(m, "", "rescale_every_n_layers", 0, 0, 1e6,
                              &a->rescale));
    a->group_eps = 1e-5 * divisor * divisor;
    a->tanh_.f = heedi_activation_named("tanh");
    a->silu.f = heedi_activation_named("silu");
    a->gla = (heedi_gla_args){
        .heads = m->dim['H'], .keys = m->dim['D'], .values = m->dim['D']};
    return HEED_OK;
}

/* Rows of a matrix, decoded one after another. */
static heed_status decoded(heed_model *m, const heedi_weight *w, int64_t r0,
                           int64_t n, const heed_real **out)
{
    heed_real *v =
        heedi_arena_alloc(&m->mem, (size_t)(n * w->cols) * sizeof *v);
    if (!v)
        return HEED_ENOMEM;
    for (int64_t r = 0; r < n; r++)
        heedi_weight_row(w, r0 + r, 0, w->cols, v + r * w->cols);
    for (int64_t i = 0; i < n * w->cols; i++)
        if (!isfinite((double)v[i]))
            return heedi_fail(m->ctx, HEED_ENUMERIC,
                              "%s: tensor %s: value %lld is not finite",
                              m->info.path, w->name,
                              (long long)(r0 * w->cols + i));
    *out = v;
    return HEED_OK;
}

/* A vector, which Hugging Face stores with three dimensions. */
static heed_status vector(heed_model *m, int64_t l, int hf, int gguf,
                          const heed_real **out)
{
    int64_t n;
    if (!m->gguf)
        return decoded(m, heedi_matrix(m, l, hf), 0, 1, out);
    *out = heedi_vector_of(m, l, gguf, &n);
    return HEED_OK;
}

static heedi_weight matrix(const heed_model *m, int64_t l, int hf, int gguf)
{
    heedi_weight w = *heedi_matrix(m, l, m->gguf ? gguf : hf);
    w.transposed = !m->gguf;
    return w;
}

/* The weights of the five shifts, in one tensor or in five. */
static heed_status lerps(heed_model *m, int64_t l, layer *k)
{
    static const int hf[N_MIX] = {P_mu_w, P_mu_k, P_mu_v, P_mu_r, P_mu_g};
    static const int gguf[N_MIX] = {P_lerp_w, P_lerp_k, P_lerp_v, P_lerp_r,
                                    P_lerp_g};
    const heedi_weight *fused = heedi_matrix(m, l, P_lerp);
    for (int j = 0; j < N_MIX; j++) {
        if (fused)
            HEEDI_TRY(decoded(m, fused, j, 1, &k->mix[j].mu));
        else
            HEEDI_TRY(vector(m, l, hf[j], gguf[j], &k->mix[j].mu));
        if (!k->mix[j].mu)
            return heedi_fail(m->ctx, HEED_EFORMAT,
                              "%s: layer %lld: neither "
                              "time_mix_lerp_fused.weight nor all five of "
                              "time_mix_lerp_{w,k,v,r,g}.weight",
                              m->info.path, (long long)l);
    }
    return HEED_OK;
}

static heed_status arrange(heed_model *m, int64_t l, layer *k)
{
    const rwkv6 *a = m->impl;
    const int64_t c = m->dim['C'], rank = m->dim['M'];
    heedi_channel_mix *mlp = &a->frame.block[l].mlp;
    int64_t n;
    const heedi_weight down = matrix(m, l, P_w1, P_w1_g);
    const heedi_weight *up = heedi_matrix(m, l, m->gguf ? P_w2_g : P_w2);
    HEEDI_TRY(vector(m, l, P_mu_x, P_lerp_x, &k->mu_x));
    HEEDI_TRY(vector(m, l, P_decay, P_decay_g, &k->w0));
    HEEDI_TRY(vector(m, l, P_nu_k, P_nu_k_g, &mlp->mu_k));
    HEEDI_TRY(vector(m, l, P_nu_r, P_nu_r_g, &mlp->mu_r));
    HEEDI_TRY(
        decoded(m, heedi_matrix(m, l, P_bonus), 0, m->dim['H'], &k->bonus));
    HEEDI_TRY(lerps(m, l, k));
    for (int j = 0; j < N_MIX; j++) {
        const int64_t rows = m->gguf ? c : rank;
        k->mix[j].down = heedi_weight_outputs(&down, j * rank, rank);
        k->mix[j].up = heedi_weight_rows(up, j * rows, rows);
        k->mix[j].up.transposed = !m->gguf;
    }
    k->d1 = matrix(m, l, P_d1, P_d1_g);
    k->d2 = matrix(m, l, P_d2, P_d2_g);
    k->out = *heedi_matrix(m, l, P_out);
    k->value = *heedi_matrix(m, l, P_fv);
    if (a->rescale > 0)
        k->out.factor = k->value.factor =
            (heed_real)ldexp(1, (int)fmin((double)(l / a->rescale), 64));
    mlp->key = heedi_matrix(m, l, P_fk);
    mlp->receptance = heedi_matrix(m, l, P_fr);
    mlp->value = &k->value;
    k->ln_x = (heedi_groupnorm_args){m->dim['H'], a->group_eps,
                                     heedi_vector_of(m, l, P_ln_x_b, &n)};
    return HEED_OK;
}

static heed_status finish(heed_model *m)
{
    rwkv6 *a = m->impl;
    HEEDI_TRY(heedi_rwkv_finish(m));
    a->layer =
        heedi_arena_alloc(&m->mem, (size_t)m->dim['L'] * sizeof *a->layer);
    if (!a->layer)
        return HEED_ENOMEM;
    for (int64_t l = 0; l < m->dim['L']; l++)
        HEEDI_TRY(arrange(m, l, &a->layer[l]));
    return HEED_OK;
}

static heedi_node *act(heedi_tape *t, const char *name, const heedi_act_args *f,
                       heedi_node *x)
{
    return heedi_apply(t, &heedi_op_act,
                       ((heedi_with){.name = name, .args = f}), x);
}

/* x_j: n shifted by weights that are made of x. */
static heedi_node *mixed(const heed_model *m, heedi_tape *t, const layer *k,
                         int j, heedi_node *x, heedi_node *n)
{
    static const char *const name[N_MIX][4] = {
        {"mixer.mix_w.down", "mixer.mix_w.act", "mixer.mix_w.up",
         "mixer.mix_w"},
        {"mixer.mix_k.down", "mixer.mix_k.act", "mixer.mix_k.up",
         "mixer.mix_k"},
        {"mixer.mix_v.down", "mixer.mix_v.act", "mixer.mix_v.up",
         "mixer.mix_v"},
        {"mixer.mix_r.down", "mixer.mix_r.act", "mixer.mix_r.up",
         "mixer.mix_r"},
        {"mixer.mix_g.down", "mixer.mix_g.act", "mixer.mix_g.up",
         "mixer.mix_g"},
    };
    const rwkv6 *a = m->impl;
    x = heedi_linear(t, name[j][0], &k->mix[j].down, NULL, x);
    x = act(t, name[j][1], &a->tanh_, x);
    x = heedi_linear(t, name[j][2], &k->mix[j].up, NULL, x);
    return heedi_apply(t, &heedi_op_lerp,
                       ((heedi_with){.name = name[j][3],
                                     .vec = k->mix[j].mu,
                                     .n_vec = m->dim['C']}),
                       n, x);
}

static heedi_node *time_mix(const heed_model *m, int64_t l, heedi_tape *t,
                            heedi_node *n)
{
    const rwkv6 *a = m->impl;
    const layer *c = &a->layer[l];
    heedi_node *x = heedi_rwkv_shift(t, "mixer.shift", c->mu_x, n);
    heedi_node *w = mixed(m, t, c, W, x, n), *k = mixed(m, t, c, K, x, n);
    heedi_node *v = mixed(m, t, c, V, x, n);
    heedi_node *r = mixed(m, t, c, RECEPTANCE, x, n);
    heedi_node *g = mixed(m, t, c, GATE, x, n);
    r = heedi_linear(t, "mixer.r", heedi_matrix(m, l, P_r), NULL, r);
    k = heedi_linear(t, "mixer.k", heedi_matrix(m, l, P_k), NULL, k);
    v = heedi_linear(t, "mixer.v", heedi_matrix(m, l, P_v), NULL, v);
    g = heedi_linear(t, "mixer.g", heedi_matrix(m, l, P_g), NULL, g);
    w = heedi_linear(t, "mixer.decay.down", &c->d1, NULL, w);
    w = act(t, "mixer.decay.act", &a->tanh_, w);
    w = heedi_linear(t, "mixer.decay", &c->d2, c->w0, w);
    x = heedi_apply(t, &heedi_op_gla,
                    ((heedi_with){.name = "mixer.gla",
                                  .vec = c->bonus,
                                  .n_vec = m->dim['A'],
                                  .args = &a->gla}),
                    r, k, v, w);
    x = heedi_norm_of(m, t, l, &heedi_op_groupnorm, "mixer.group_norm", P_ln_x,
                      &c->ln_x, x);
    x = heedi_apply(t, &heedi_op_glu,
                    ((heedi_with){.name = "mixer.gate", .args = &a->silu}), g,
                    x);
    return heedi_linear(t, "mixer.out", &c->out, NULL, x);
}

static heedi_node *build(const heed_model *m, int64_t b, heedi_tape *t,
                         heedi_node *x)
{
    return heedi_rwkv_build(m, b, t, x, time_mix);
}

const heedi_family heedi_family_rwkv6 = {
    .info = {.name = "rwkv6",
             .gguf = "rwkv6",
             .summary = "RWKV-6 (Finch)",
             .method = "attn_lrp"},
    .prefix = "rwkv.",
    .params = params,
    .keys = keys,
    .size = sizeof(rwkv6),
    .configure = configure,
    .finish = finish,
    .build = build,
};
