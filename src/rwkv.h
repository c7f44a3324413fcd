/* rwkv.h - pieces of blocks that the RWKV families have. All of them fail as
 * heedi_apply() does. */
#ifndef HEEDI_RWKV_H
#define HEEDI_RWKV_H

#include "model.h"

/* y = n + mu (n' - n), n' being the row before; mu: (n->cols). */
heedi_node *heedi_rwkv_shift(heedi_tape *t, const char *name,
                             const heed_real *mu, heedi_node *n);

/* sigmoid(W_r n_r) (W_v relu(W_k n_k)^2), n_r and n_k being n shifted: the
 * feed-forward part, "mlp.shift_k" ... "mlp.glu". */
typedef struct heedi_channel_mix {
    const heed_real *mu_k, *mu_r;
    const heedi_weight *key, *receptance, *value;
} heedi_channel_mix;

heedi_node *heedi_rwkv_channel_mix(heedi_tape *t, const heedi_channel_mix *c,
                                   const heedi_act_args *relu2, heedi_node *n);

#endif
