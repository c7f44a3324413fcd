#include "rwkv.h"
#include "build.h"
#include "ctx.h"
#include "kernel.h"

#include <math.h>

/* RWKV-4 (Peng et al. 2023, arXiv:2305.13048). n = norm(x), and n_k, n_v, n_r
 * are n shifted: mix n + (1 - mix) (the row before), with vectors mix of their
 * own:
 *     x += W_o (sigmoid(W_r n_r) wkv(W_k n_k, W_v n_v; -exp(decay), first))
 *     n = norm(x):  x += sigmoid(W_r n_r) (W_v relu(W_k n_k)^2)
 * The embedding is normalised first. rescale_every says how float16 is kept
 * from overflowing, by halving the stream: nothing here is halved, and it is
 * not read. A channels of the time mix. */

#define R "rwkv.blocks.%d."
#define T R "attention."
#define M R "feed_forward."
#define PARAMS(P)                                           \
    P(decay, T "time_decay", NULL, "A", 1, 0)               \
    P(first, T "time_first", NULL, "A", 1, 0)               \
    P(mix_k, T "time_mix_key", NULL, "1,1,C", 1, 0)         \
    P(mix_v, T "time_mix_value", NULL, "1,1,C", 1, 0)       \
    P(mix_r, T "time_mix_receptance", NULL, "1,1,C", 1, 0)  \
    P(k, T "key.weight", NULL, "A,C", 1, 0)                 \
    P(v, T "value.weight", NULL, "A,C", 1, 0)               \
    P(r, T "receptance.weight", NULL, "A,C", 1, 0)          \
    P(out, T "output.weight", NULL, "C,A", 1, 0)            \
    P(mix_fk, M "time_mix_key", NULL, "1,1,C", 1, 0)        \
    P(mix_fr, M "time_mix_receptance", NULL, "1,1,C", 1, 0) \
    P(fk, M "key.weight", NULL, "F,C", 1, 0)                \
    P(fr, M "receptance.weight", NULL, "C,C", 1, 0)         \
    P(fv, M "value.weight", NULL, "C,F", 1, 0)
enum { HEEDI_RWKV_LAST_PARAM, PARAMS(HEEDI_PARAM_INDEX) };
static const heedi_param params[] = {HEEDI_RWKV_PARAMS(HEEDI_PARAM_ROW)
                                         PARAMS(HEEDI_PARAM_ROW){0}};

static const heedi_key keys[] = {
    {'C', "hidden_size", "", 4096},
    {'L', "num_hidden_layers", "", 32},
    {'V', "vocab_size", "", 50277},
    {'A', "attention_hidden_size", "", 0},
    {'F', "intermediate_size", "", 0},
    {'X', "context_length max_position_embeddings", "", 1024},
    {0},
};

typedef struct layer {
    const heed_real *mu_k, *mu_v, *mu_r; /* weights of the row before */
    heedi_wkv_args wkv;
} layer;

typedef struct rwkv {
    heedi_rwkv frame;
    layer *layer;
} rwkv;

static heed_status configure(heed_model *m)
{
    int64_t *d = m->dim;
    d['A'] = d['A'] ? d['A'] : d['C'];
    d['F'] = d['F'] ? d['F'] : 4 * d['C'];
    return heedi_rwkv_configure(m);
}

/* 1 - mix */
static heed_status weight_before(heed_model *m, int64_t l, int p,
                                 const heed_real **out)
{
    const heedi_weight *w = heedi_matrix(m, l, p);
    heed_real *mu = heedi_arena_alloc(&m->mem, (size_t)w->cols * sizeof *mu);
    if (!mu)
        return HEED_ENOMEM;
    heedi_weight_row(w, 0, 0, w->cols, mu);
    for (int64_t i = 0; i < w->cols; i++) {
        if (!isfinite((double)mu[i]))
            return heedi_fail(m->ctx, HEED_ENUMERIC,
                              "%s: tensor %s: value %lld is not finite",
                              m->info.path, w->name, (long long)i);
        mu[i] = 1 - mu[i];
    }
    *out = mu;
    return HEED_OK;
}

static heed_status decays(heed_model *m, int64_t l, heedi_wkv_args *out)
{
    int64_t n;
    const heed_real *decay = heedi_vector_of(m, l, P_decay, &n);
    const heed_real *first = heedi_vector_of(m, l, P_first, &n);
    const size_t lanes =
        (size_t)(n + HEEDI_LANES - 1) / HEEDI_LANES * HEEDI_LANES;
    double *w = heedi_arena_alloc(&m->mem, lanes * sizeof *w);
    double *u = heedi_arena_alloc(&m->mem, lanes * sizeof *u);
    if (!w || !u)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        w[i] = fmax(-exp((double)decay[i]), HEEDI_WKV_NONE);
        u[i] = (double)first[i];
    }
    *out = (heedi_wkv_args){n, w, u};
    return HEED_OK;
}

static heed_status finish_layer(heed_model *m, int64_t l, layer *k)
{
    const rwkv *a = m->impl;
    heedi_channel_mix *mlp = &a->frame.block[l].mlp;
    mlp->key = heedi_matrix(m, l, P_fk);
    mlp->receptance = heedi_matrix(m, l, P_fr);
    mlp->value = heedi_matrix(m, l, P_fv);
    HEEDI_TRY(weight_before(m, l, P_mix_k, &k->mu_k));
    HEEDI_TRY(weight_before(m, l, P_mix_v, &k->mu_v));
    HEEDI_TRY(weight_before(m, l, P_mix_r, &k->mu_r));
    HEEDI_TRY(weight_before(m, l, P_mix_fk, &mlp->mu_k));
    HEEDI_TRY(weight_before(m, l, P_mix_fr, &mlp->mu_r));
    return decays(m, l, &k->wkv);
}

static heed_status finish(heed_model *m)
{
    rwkv *a = m->impl;
    HEEDI_TRY(heedi_rwkv_finish(m));
    a->layer =
        heedi_arena_alloc(&m->mem, (size_t)m->dim['L'] * sizeof *a->layer);
    if (!a->layer)
        return HEED_ENOMEM;
    for (int64_t l = 0; l < m->dim['L']; l++)
        HEEDI_TRY(finish_layer(m, l, &a->layer[l]));
    return HEED_OK;
}

static heedi_node *time_mix(const heed_model *m, int64_t l, heedi_tape *t,
                            heedi_node *n)
{
    const rwkv *a = m->impl;
    const layer *c = &a->layer[l];
    heedi_node *k = heedi_rwkv_shift(t, "mixer.shift_k", c->mu_k, n);
    heedi_node *v = heedi_rwkv_shift(t, "mixer.shift_v", c->mu_v, n);
    heedi_node *r = heedi_rwkv_shift(t, "mixer.shift_r", c->mu_r, n);
    k = heedi_linear(t, "mixer.k", heedi_matrix(m, l, P_k), NULL, k);
    v = heedi_linear(t, "mixer.v", heedi_matrix(m, l, P_v), NULL, v);
    r = heedi_linear(t, "mixer.r", heedi_matrix(m, l, P_r), NULL, r);
    v = heedi_apply(t, &heedi_op_wkv,
                    ((heedi_with){.name = "mixer.wkv", .args = &c->wkv}), k, v);
    v = heedi_apply(t, &heedi_op_gate, ((heedi_with){.name = "mixer.gate"}), r,
                    v);
    return heedi_linear(t, "mixer.out", heedi_matrix(m, l, P_out), NULL, v);
}

static heedi_node *build(const heed_model *m, int64_t b, heedi_tape *t,
                         heedi_node *x)
{
    return heedi_rwkv_build(m, b, t, x, time_mix);
}

const heedi_family heedi_family_rwkv = {
    .info = {.name = "rwkv",
             .gguf = "",
             .summary = "RWKV-4, Hugging Face naming",
             .method = "attn_lrp"},
    .prefix = "rwkv.",
    .params = params,
    .keys = keys,
    .size = sizeof(rwkv),
    .configure = configure,
    .finish = finish,
    .build = build,
};
