/* threads.h - the team of a run, and sums that do not depend on its size. */
#ifndef HEEDI_THREADS_H
#define HEEDI_THREADS_H

#include <heed/ctx.h>

#include "op.h"

typedef struct heedi_team {
    int before;           /* the caller's omp_get_max_threads() */
    unsigned int control; /* the caller's floating-point control word */
} heedi_team;

/* Set the number of threads and flush denormals in every one of them: a
 * zero-padded input is up to 24 times slower otherwise. Returns the number of
 * threads. */
int heedi_team_enter(heedi_team *t, const heed_ctx *ctx);
void heedi_team_leave(const heedi_team *t);

/* For each sequence, the sum of a . b over its rows, in double; added to
 * sum[seq * step]. a and b are (rows, cols). */
void heedi_dot_rows(const heedi_run *run, const heed_real *a,
                    const heed_real *b, int64_t cols, double *sum,
                    int64_t step);
/* The same with one vector of cols values for every row. */
void heedi_dot_vector(const heedi_run *run, const heed_real *v,
                      const heed_real *b, int64_t cols, double *sum,
                      int64_t step);

/* The bias of y = W x + b keeps <b, g>; in a plain gradient nobody reads it. */
void heedi_keep_bias(const heedi_node *y, const heedi_run *run);

#endif
