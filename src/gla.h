/* gla.h - what the operation gla and its mixing matrix share. */
#ifndef HEEDI_GLA_H
#define HEEDI_GLA_H

#include "args.h"
#include "kernel.h"
#include "op.h"

/* n, or a row of n values, in whole vectors. */
static inline int64_t heedi_gla_up(int64_t n)
{
    return (n + HEEDI_LANES - 1) / HEEDI_LANES * HEEDI_LANES;
}

/* Values of a state of a head, (keys, values): HEEDI_GLA_VALUES values of all
 * keys after another, in rows of whole vectors. */
static inline int64_t heedi_gla_unit(const heedi_node *y)
{
    const heedi_gla_args *a = y->args;
    return a->keys * heedi_gla_up(a->values);
}

/* Where key i and value j are in it. */
static inline int64_t heedi_gla_at(const heedi_gla_args *a, int64_t i,
                                   int64_t j)
{
    const int64_t j0 = j / HEEDI_GLA_VALUES * HEEDI_GLA_VALUES;
    const int64_t left = a->values - j0;
    return a->keys * j0 +
           i * heedi_gla_up(left < HEEDI_GLA_VALUES ? left : HEEDI_GLA_VALUES) +
           j - j0;
}

/* Values that rows and rest of the matrix need for each thread. */
int64_t heedi_gla_rows_room(const heedi_node *y);

/* The calling thread's part of run->scratch. */
heed_real *heedi_gla_own(const heedi_node *y, const heedi_run *run);

/* Decays of `len` <= HEEDI_GLA_CHUNK rows of a head, rows of up(keys) values.
 */
void heedi_gla_decays(const heedi_node *y, int64_t row, int64_t len,
                      int64_t head, heed_real *d);

/* gla_fold.c */
extern const struct heedi_separable heedi_gla_separable;

/* heedi_mixing's functions of the same names. */
void heedi_gla_rows(const heedi_node *y, const heedi_run *run,
                    const heedi_view *v);
void heedi_gla_rest(const heedi_node *y, const heedi_run *run,
                    const heedi_view *v);
int64_t heedi_gla_states(const heedi_node *y);
void heedi_gla_rates(const heedi_node *y, const heedi_run *run,
                     const heedi_steps *s, double *out);

#endif
