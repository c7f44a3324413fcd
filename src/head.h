/* head.h - logits, computed only where they are asked for.
 *
 * The vocabulary is cut into blocks of HEEDI_HEAD_BLOCK tokens at absolute
 * ids, and a block is multiplied with one row at a time: a logit has the same
 * bits whichever others are asked for, in `predict` and in `attribute`. Where a
 * model caps its logits (m->softcap), all logits here are the capped ones. */
#ifndef HEEDI_HEAD_H
#define HEEDI_HEAD_H

#include "exec.h"

enum { HEEDI_HEAD_BLOCK = 256 };

/* Working memory that the head takes of run->scratch. */
size_t heedi_head_scratch(const heedi_exec *e);

/* Values that e->logit holds: logits that a rule reads, and cotangents of
 * logits before they are capped. */
int64_t heedi_head_room(const heedi_exec *e);

/* All logits of one row of the batch, V values. HEED_ENUMERIC names the head's
 * tensor. */
heed_status heedi_head_row(const heedi_exec *e, int64_t row, heed_real *logit);

/* Some logits of one row. */
heed_status heedi_head_tokens(const heedi_exec *e, int64_t row,
                              const int32_t *id, int n, heed_real *logit);

/* The difference of the logits of two tokens, in double: its rounding would
 * otherwise be that of the logits, which may be much larger. */
heed_status heedi_head_difference(const heedi_exec *e, int64_t row,
                                  const int32_t id[2], double *out);

/* The output of the last block at a row: what the head reads. (C) */
const heed_real *heedi_head_state(const heedi_exec *e, int64_t row);

/* A cotangent of the logits of one row: coefficients of a few tokens, or of
 * all (dense, V values). Or, without a head, that of one or two rows. */
typedef struct heedi_seed {
    int64_t row, other;      /* other: with `hidden` only; -1: none */
    const heed_real *hidden; /* (2, C), (C) or NULL */
    int n;
    int32_t id[2];
    double c[2];
    const heed_real *dense; /* or NULL */
} heedi_seed;

/* Set the gradient at the output of the last block to the seeds' (other rows
 * are zero), and account for the head. value[s] = <seed, logits> of each
 * seed. HEED_ENUMERIC: a logit that a rule reads is not finite. */
heed_status heedi_head_seed(heedi_exec *e, const heedi_seed *seed, int64_t n,
                            double *value);

#endif
