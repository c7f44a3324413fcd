/* linear_rule.h - what the rules of linear operations share.
 *
 * With z = W x + b a rule makes of each output one or two numbers, and passes
 * them back with parts of W (spec: Montavon et al. 2019,
 * doi:10.1007/978-3-030-28954-6_10, as gradients: docs/methods/rules.md). */
#ifndef HEEDI_LINEAR_RULE_H
#define HEEDI_LINEAR_RULE_H

#include "rule.h"

enum { HEEDI_RULE_ARRAYS = 3 };

typedef struct heedi_linear {
    const heedi_node *y;
    heedi_run *run;
    const heedi_map *map;
    heed_real *in[HEEDI_RULE_ARRAYS];  /* (rows, inputs) */
    heed_real *out[HEEDI_RULE_ARRAYS]; /* (rows, outputs) */
    double arg[HEED_RULE_ARGS];        /* those of run->rule, unless changed */
    double *sum; /* of each small tile: shares of the bias, of stabilisers */
} heedi_linear;

/* Bytes for a rule with so many arrays of inputs and of outputs. */
size_t heedi_linear_scratch(const heedi_node *y, const heedi_batch *b,
                            int threads, int n_in, int n_out);

heedi_linear heedi_linear_begin(const heedi_node *y, heedi_run *run, int n_in,
                                int n_out);

/* One row; sum[0] += what the bias keeps, sum[1] += what stabilisers lose. */
typedef void heedi_linear_row(const heedi_linear *l, int64_t row,
                              double sum[2]);

/* The positive or the negative part of the input. */
void heedi_linear_part(const heedi_linear *l, heedi_part part, heed_real *to);

/* R of every input, in x_r, becomes the gradient: R / x; what belongs to an
 * input that is 0 has nowhere to go and is deposited as `eps`. */
void heedi_linear_divide(const heedi_linear *l, const heed_real *x_r);

/* Every row, and both sums into the ledger. */
void heedi_linear_rows(const heedi_linear *l, heedi_linear_row *fn);

static inline double heedi_linear_bias(const heedi_linear *l, int64_t o)
{
    return l->y->vec ? (double)l->y->vec[o] : 0;
}

/* z + eps sign(z), sign(0) = 1 */
static inline double heedi_stabilised(double z, double eps)
{
    return z < 0 ? z - eps : z + eps;
}

#endif
