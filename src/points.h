/* points.h - methods that average the gradient over several points of the
 * embeddings: on a path, or around the input. One run serves all points, one
 * after the other, so memory does not depend on their number. */
#ifndef HEEDI_POINTS_H
#define HEEDI_POINTS_H

#include "rounds.h"

/* x, point, mean: (rows of the batch, C). */
typedef struct heedi_points {
    int64_t n;
    void *ud;
    /* Once in each round, after the input has run: prepare; `point` is
     * free to use. NULL: nothing to do. */
    heed_status (*start)(void *ud, heedi_rounds *r, const heed_real *x,
                         heed_real *point);
    /* Make point k, return its weight. */
    double (*at)(void *ud, const heedi_rounds *r, int64_t k, const heed_real *x,
                 heed_real *point);
    /* The outcome of input s from the mean gradient; both start at its first
     * row, and x may be changed. */
    heed_status (*settle)(void *ud, heedi_rounds *r, int64_t s, heed_real *x,
                          const heed_real *mean);
} heedi_points;

/* The tokens that are explained are chosen at the input; at every point the
 * gradient is that of their target there. */
heed_status heedi_run_points(heedi_job *j, const heedi_points *p);

/* What it takes beyond the run, for the plan. */
uint64_t heedi_points_bytes(const heedi_job *j);

#endif
