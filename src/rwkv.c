#include "rwkv.h"

heedi_node *heedi_rwkv_shift(heedi_tape *t, const char *name,
                             const heed_real *mu, heedi_node *n)
{
    return heedi_apply(
        t, &heedi_op_shift,
        ((heedi_with){.name = name, .vec = mu, .n_vec = n ? n->cols : 0}), n);
}

heedi_node *heedi_rwkv_channel_mix(heedi_tape *t, const heedi_channel_mix *c,
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
