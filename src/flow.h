/* flow.h - one row of the product of all layers' mixing matrices.
 *
 * Rollout and its kin multiply (I + A_L) ... (I + A_1) and read the row of the
 * explained position, or, of a pooled text, the mean over the rows that are
 * pooled. That row alone is v <- v + v A_l from the last layer
 * down, T numbers for each sequence: no T x T array exists. A layer's A is the
 * mean (or another fusion) over its heads of what a method makes of the mixing
 * matrix of a head, which comes a few rows at a time, through `mixing` alone:
 * any operation that has such a view will do.
 *
 * Tasks are small tiles of rows; what they add is summed in their order. */
#ifndef HEEDI_FLOW_H
#define HEEDI_FLOW_H

#include "rounds.h"

typedef enum heedi_fusion {
    HEEDI_FUSE_MEAN,
    HEEDI_FUSE_MAX,
    HEEDI_FUSE_MIN
} heedi_fusion;

typedef struct heedi_flow heedi_flow;

/* Turn the mixing matrix of a head, in v->out, (nq, T), into that head's A.
 * work: two arrays of its size. One thread. */
typedef void heedi_flow_entries(const heedi_flow *f, const heedi_node *y,
                                const heedi_view *v, heed_real *work[2]);

typedef struct heedi_flow_how {
    heedi_flow_entries *entries; /* NULL: A is the mixing matrix */
    heedi_fusion heads;
    bool row_norm;       /* rows of I + A are divided by their sums */
    bool no_self;        /* less what only stayed at the explained position */
    int64_t start_layer; /* the first layer that counts, from 0; below 0:
                            from the end, -1 is the last one */
    bool outputs;        /* room for what f->output and f->quotient hold */
    /* Passes of one round, which hand mixing operations to
     * heedi_flow_layer() from the last one to the first. */
    heed_status (*passes)(heedi_flow *f);
} heedi_flow_how;

struct heedi_flow {
    heedi_flow_how how;
    heedi_rounds r;
    double *v, *next;   /* (rows) */
    double *stay;       /* (rows): of v, the path that stays where it began */
    double *part;       /* what each of a few tiles adds, (., longest) */
    bool *used;         /* of each of these tiles: it adds something */
    heed_real *tile;    /* of each thread */
    heed_real **output; /* of each mixing operation, by y->id: (rows, cols), for
                           the method; with how.outputs */
    heed_real *quotient; /* (rows, widest output), for the method; likewise */
};

/* For a method's `check`: add to j->o what a run will need. HEED_EINVAL: there
 * is no such layer. */
heed_status heedi_flow_check(heedi_job *j, const heedi_flow_how *how);

/* The whole of a method: forward, and how->passes for each round. */
heed_status heedi_run_flow(heedi_job *j, const heedi_flow_how *how);

/* v <- v + v A of one operation. */
void heedi_flow_layer(heedi_flow *f, const heedi_node *y);

/* out[i, j] = <x_i, operand_j> within the head, for the queries of v: the
 * derivative of <x, y> with respect to the mixing matrix. x: (rows, y->cols);
 * out: (nq, T). */
void heedi_flow_products(const heedi_flow *f, const heedi_node *y,
                         const heedi_view *v, const heed_real *x,
                         heed_real *out);

#endif
