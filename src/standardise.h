/* standardise.h - normalisation by mean and variance over groups of columns:
 * of a whole row in layernorm, of each head in groupnorm. */
#ifndef HEEDI_STANDARDISE_H
#define HEEDI_STANDARDISE_H

#include "args.h"
#include "op.h"

/* 1/s and the mean of each group of each row: what y->saved holds. */
size_t heedi_standardise_saved(const heedi_batch *b, int64_t groups);

/* y = w (x - mean) / s + beta, s = sqrt(var + eps) with the biased variance. */
void heedi_standardise(const heedi_node *y, const heedi_run *run,
                       const heedi_groupnorm_args *a);

/* v = w g / s, gx += v - mean v, and in full also s as a function of x. */
void heedi_standardise_back(const heedi_node *y, const heedi_run *run,
                            int64_t groups, bool full);

/* The shift keeps <beta, g>. */
void heedi_standardise_deposit(const heedi_node *y, heedi_run *run,
                               const heed_real *beta);

#endif
