/* addend.h - y = x + P[i]: what operations share that add to each row one of a
 * table, which the weight is. */
#ifndef HEEDI_ADDEND_H
#define HEEDI_ADDEND_H

#include "op.h"

/* The row of the table for a row of the batch. */
typedef int64_t heedi_addend_at(const heedi_node *y, const heedi_run *run,
                                int64_t seq, int64_t row);

/* HEED_EINVAL without a table, or with one of another width. */
heed_status heedi_addend_infer(heed_ctx *ctx, heedi_node *y);
size_t heedi_addend_scratch(const heedi_node *y, const heedi_batch *b,
                            int threads);
void heedi_addend_forward(const heedi_node *y, heedi_run *run,
                          heedi_addend_at *at);
/* <P, g> into an entry, and that of each row added to row[] (or NULL). */
void heedi_addend_share(const heedi_node *y, heedi_run *run,
                        heedi_addend_at *at, heedi_entry entry, double *row);
/* plus[row] += the sum of the positive parts of table and gradient, by channel,
 * after heedi_addend_share(). */
void heedi_addend_positive(const heedi_node *y, const heedi_run *run,
                           double *plus);
/* g to x. */
void heedi_addend_pass(const heedi_node *y, const heedi_run *run);

#endif
