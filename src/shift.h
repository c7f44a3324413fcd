/* shift.h - the token shift of RWKV: a blend of each row with the row before
 * it, which the operations shift and lerp do with a constant and with a given
 * weight. */
#ifndef HEEDI_SHIFT_H
#define HEEDI_SHIFT_H

#include "op.h"

/* y = n + mu (n' - n), n' being the row before, or the state, or 0. mu is
 * y->vec plus, if y has a second input, that. */
void heedi_shift_forward(const heedi_node *y, heedi_run *run);

/* What n gets, mu held constant: g_n[t] += (1 - mu_t) g_t + mu_t+1 g_t+1. */
void heedi_shift_back(const heedi_node *y, heedi_run *run);

/* What the second input gets: g_m[t] += (n' - n) g_t. */
void heedi_shift_back_weight(const heedi_node *y, heedi_run *run);

/* The state is the last row. */
size_t heedi_shift_state(const heedi_node *y, int64_t len);
void heedi_shift_state_init(const heedi_node *y, int64_t len);

#endif
