#include "rwkv.h"
#include "build.h"
#include "ctx.h"

heed_status heedi_rwkv_configure(heed_model *m)
{
    heedi_rwkv *a = m->impl;
    HEEDI_TRY(heedi_key_eps(m, "layer_norm_epsilon",
                            "attention.layer_norm_epsilon", 1e-5, &a->eps));
    HEEDI_TRY(heedi_key_bool(m, "tie_word_embeddings", false, &a->tied));
    a->relu2.f = heedi_activation_named("relu2");
    a->embed.scale = 1;
    return HEED_OK;
}

static heedi_layernorm_args norm(const heed_model *m, double eps, int64_t l,
                                 int shift)
{
    int64_t n;
    return (heedi_layernorm_args){eps, heedi_vector_of(m, l, shift, &n)};
}

heed_status heedi_rwkv_finish(heed_model *m)
{
    heedi_rwkv *a = m->impl;
    const heedi_weight *head = heedi_matrix(m, 0, P_head);
    HEEDI_TRY(heedi_choose_head(m, heedi_matrix(m, 0, P_embed), head,
                                m->gguf ? head == NULL : a->tied));
    a->ln0 = norm(m, a->eps, 0, P_ln0_b);
    a->ln_out = norm(m, m->gguf ? a->eps : 1e-5, 0, P_ln_out_b);
    a->block =
        heedi_arena_alloc(&m->mem, (size_t)m->dim['L'] * sizeof *a->block);
    if (!a->block)
        return HEED_ENOMEM;
    for (int64_t l = 0; l < m->dim['L']; l++) {
        a->block[l].ln1 = norm(m, a->eps, l, P_ln1_b);
        a->block[l].ln2 = norm(m, a->eps, l, P_ln2_b);
    }
    return HEED_OK;
}

heedi_node *heedi_rwkv_shift(heedi_tape *t, const char *name,
                             const heed_real *mu, heedi_node *n)
{
    return heedi_apply(
        t, &heedi_op_shift,
        ((heedi_with){.name = name, .vec = mu, .n_vec = n ? n->cols : 0}), n);
}

static heedi_node *channel_mix(heedi_tape *t, const heedi_channel_mix *c,
                               const heedi_act_args *relu2, heedi_node *n)
{
    heedi_node *k = heedi_rwkv_shift(t, "mlp.shift_k", c->mu_k, n);
    heedi_node *r = heedi_rwkv_shift(t, "mlp.shift_r", c->mu_r, n);
    k = heedi_linear(t, "mlp.key", c->key, NULL, k);
    k = heedi_apply(t, &heedi_op_act,
                    ((heedi_with){.name = "mlp.act", .args = relu2}), k);
    k = heedi_linear(t, "mlp.value", c->value, NULL, k);
    r = heedi_linear(t, "mlp.receptance", c->receptance, NULL, r);
    return heedi_apply(t, &heedi_op_gate, ((heedi_with){.name = "mlp.glu"}), r,
                       k);
}

static heedi_node *layer(const heed_model *m, int64_t l, heedi_tape *t,
                         heedi_node *x, heedi_rwkv_time_mix *time_mix)
{
    const heedi_rwkv *a = m->impl;
    const heedi_rwkv_layer *c = &a->block[l];
    const heedi_op *ln = &heedi_op_layernorm;
    heedi_node *n = heedi_norm_of(m, t, l, ln, "mixer.norm", P_ln1, &c->ln1, x);
    x = heedi_sum(t, "mixer.add", x, time_mix(m, l, t, n));
    n = heedi_norm_of(m, t, l, ln, "mlp.norm", P_ln2, &c->ln2, x);
    return heedi_sum(t, "mlp.add", x, channel_mix(t, &c->mlp, &a->relu2, n));
}

heedi_node *heedi_rwkv_build(const heed_model *m, int64_t block, heedi_tape *t,
                             heedi_node *x, heedi_rwkv_time_mix *time_mix)
{
    const heedi_rwkv *a = m->impl;
    const heedi_op *ln = &heedi_op_layernorm;
    if (block == 0) {
        x = heedi_embedding(t, heedi_matrix(m, 0, P_embed), &a->embed);
        return heedi_norm_of(m, t, 0, ln, "embed.norm", P_ln0, &a->ln0, x);
    }
    if (block <= m->dim['L'])
        return layer(m, block - 1, t, x, time_mix);
    return heedi_norm_of(m, t, 0, ln, "norm", P_ln_out, &a->ln_out, x);
}
