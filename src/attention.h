/* attention.h - softmax attention in blocks of query rows. */
#ifndef HEEDI_ATTENTION_H
#define HEEDI_ATTENTION_H

#include "op.h"

size_t heedi_attention_scratch(const heedi_node *y, const heedi_batch *b,
                               int threads);
void heedi_attention_forward(const heedi_node *y, heedi_run *run);

/* g_q += c_qk dQ, g_k += c_qk dK, g_v += c_v dV with the standard gradients;
 * with `kappa`, 1/2 (<O, g> - <q, dQ>) is deposited for each sequence. */
void heedi_attention_back(const heedi_node *y, heedi_run *run, heed_real c_qk,
                          heed_real c_v, bool kappa);

/* Keys and values of up to `len` positions. */
size_t heedi_attention_state(const heedi_node *y, int64_t len);
void heedi_attention_state_init(const heedi_node *y, int64_t len);

void heedi_attention_mixing(const heedi_node *y, const heedi_run *run,
                            const heedi_view *v);

#endif
