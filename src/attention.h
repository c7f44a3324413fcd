/* attention.h - softmax attention in blocks of query rows. */
#ifndef HEEDI_ATTENTION_H
#define HEEDI_ATTENTION_H

#include "op.h"

size_t heedi_attention_scratch(const heedi_node *y, const heedi_batch *b,
                               int threads);
void heedi_attention_forward(const heedi_node *y, heedi_run *run);

/* g_q += c_qk dQ, g_k += c_qk dK, g_v += c_v dV with the standard gradients
 * dQ, dK, dV; dS is that of the scores, b what is added to them, rel what
 * relative keys add. With `kappa`, entries are deposited for each sequence:
 * kappa, which is 1/2 (<O, g> - <q, dQ> - <b, dS> - <rel, dS>) with the dQ of
 * Q K^T alone, pos_bias, 2 c_qk <b, dS>, and, with relative keys, unread, which
 * is c_qk <rel, dS>. */
void heedi_attention_back(const heedi_node *y, heedi_run *run, heed_real c_qk,
                          heed_real c_v, bool kappa);

/* Query-key pairs of the batch, of one head. */
double heedi_attention_pairs(const heedi_node *y, const heedi_batch *b);

/* Keys and values of up to `len` positions; 0: a query sees later keys, so
 * that nothing can be continued. */
size_t heedi_attention_state(const heedi_node *y, int64_t len);
void heedi_attention_state_init(const heedi_node *y, int64_t len);

void heedi_attention_rows(const heedi_node *y, const heedi_run *run,
                          const heedi_view *v);
/* What the keys of v->before give. */
void heedi_attention_rest(const heedi_node *y, const heedi_run *run,
                          const heedi_view *v);

#endif
