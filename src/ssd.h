/* ssd.h - the state space of op/ssd.c in chunks of HEEDI_SSD_CHUNK steps:
 * within a chunk products of matrices, between chunks a state for each head,
 * (head_dim, n_state). A wave is some chunks, neighbours in the batch. */
#ifndef HEEDI_SSD_H
#define HEEDI_SSD_H

#include "op.h"

size_t heedi_ssd_saved(const heedi_node *y, const heedi_batch *b);
size_t heedi_ssd_scratch(const heedi_node *y, const heedi_batch *b,
                         int threads);
size_t heedi_ssd_state(const heedi_node *y, int64_t len);
double heedi_ssd_flops(const heedi_node *y, const heedi_batch *b);

void heedi_ssd_forward(const heedi_node *y, heedi_run *run);
/* To x alone, dt, B and C held constant; bits as in the full gradient. */
void heedi_ssd_relevance(const heedi_node *y, heedi_run *run);
void heedi_ssd_vjp(const heedi_node *y, heedi_run *run);

/* Without the skip, from a state of zeros; as op.h says. */
void heedi_ssd_transpose(const heedi_node *y, const heedi_run *run,
                         const heed_real *g, heed_real *gv);
void heedi_ssd_apply(const heedi_node *y, const heedi_run *run,
                     const heed_real *x, heed_real *out);
extern const heedi_mixing heedi_ssd_mixing;
extern const struct heedi_separable heedi_ssd_separable;

#endif
