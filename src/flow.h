/* flow.h - one row of the product of all layers' mixing matrices.
 *
 * Rollout and its kin multiply (I + A_L) ... (I + A_1) and read the row of the
 * explained position, or, of a pooled text, the mean over the rows that are
 * pooled. That row alone is v <- v + v A_l from the last layer
 * down, T numbers for each sequence: no T x T array exists. A layer's A is made
 * of its matrices of all heads or channels (implicit.h): their mean or another
 * fusion, or of g M v, and then what a method makes of that. It comes in one of
 * three ways:
 *
 *   tiles   a few rows of one head at a time, where all columns of a head have
 *           one matrix: softmax attention, and others of kind core
 *   panels  rows of the fusion of all channels, by heedi_fold_run()
 *   free    no entry at all: v A is the mixing operation's own M^T v, where the
 *           fusion is a mean and nothing is made of it (arXiv:2403.01590's
 *           rollout in time that is linear in T)
 *
 * The official form of rollout for Mamba is not that product: the row f of the
 * explained position is added to *every* row of the identity, v <- (v + f) /
 * (1 + sum f). It needs one row of each layer.
 *
 * Sums are of fixed tiles or rows in their order, whatever the threads. */
#ifndef HEEDI_FLOW_H
#define HEEDI_FLOW_H

#include "implicit.h"
#include "rounds.h"

typedef enum heedi_fusion {
    HEEDI_FUSE_MEAN,
    HEEDI_FUSE_MAX,
    HEEDI_FUSE_MIN,
    HEEDI_FUSE_POSITIVE, /* the mean of positive parts */
    HEEDI_FUSE_ABSOLUTE  /* the mean of |a| */
} heedi_fusion;

typedef enum heedi_form {
    HEEDI_FORM_AUTO, /* free where it can be, else matrix */
    HEEDI_FORM_MATRIX,
    HEEDI_FORM_FREE,
    HEEDI_FORM_VECTOR
} heedi_form;

typedef enum heedi_norming {
    HEEDI_NORM_AUTO, /* of softmax attention */
    HEEDI_NORM_ON,
    HEEDI_NORM_OFF
} heedi_norming;

typedef struct heedi_flow heedi_flow;

/* Turn the mixing matrix of a head, in v->out, (nq, T), into that head's A.
 * work: two arrays of its size. One thread. */
typedef void heedi_flow_entries(const heedi_flow *f, const heedi_node *y,
                                const heedi_view *v, heed_real *work[2]);

/* Turn rows of the fusion, in v->out, (nq, T), into those of A. One thread. */
typedef void heedi_flow_finish(const heedi_flow *f, const heedi_node *y,
                               const heedi_view *v);

/* Of form vector: the row of the explained position, v->q0, to v->out, (T). */
typedef void heedi_flow_row(heedi_flow *f, const heedi_node *y,
                            const heedi_view *v);

typedef struct heedi_flow_how {
    heedi_flow_entries *entries; /* of tiles; NULL: A is the mixing matrix */
    heedi_flow_finish *finish;   /* NULL: A is the fusion */
    heedi_flow_row *row;         /* NULL: that of the fusion */
    heedi_fusion heads;
    heedi_form form;
    heedi_norming row_norm; /* rows of I + A are divided by their sums */
    bool core;              /* kind core; else block, where there is one */
    bool gradient; /* of panels: positive parts of g M v of each channel, g the
                      gradient of the matrix's output: passes are watched */
    bool no_self;  /* less what only stayed at the explained position */
    bool no_softmax;     /* layers of softmax attention are left out */
    int64_t start_layer; /* the first layer that counts, from 0; below 0:
                            from the end, -1 is the last one */
    bool outputs;        /* room for what f->output and f->quotient hold */
    bool tokens;         /* room for f->token */
    /* Passes of one round, which hand mixing operations to
     * heedi_flow_layer() from the last one to the first. */
    heed_status (*passes)(heedi_flow *f);
} heedi_flow_how;

struct heedi_flow {
    heedi_flow_how how;
    heedi_rounds r;
    double *v, *next; /* (rows) */
    double *stay;     /* (rows): of v, the path that stays where it began */
    int64_t *at;      /* row of the batch that is explained; -1: none,
                         or a pooled text */
    double *part;     /* what each of a few tiles adds, (., longest) */
    bool *used;       /* of each of these tiles: it adds something */
    heed_real *tile;  /* of each thread */
    heedi_implicit m; /* of the layer that is on */
    void *matrix;     /* its arrays */
    heed_real *left, *post, *panel; /* (rows, columns), (rows, columns), (PANEL,
                                       T) */
    void *scratch;                  /* of folds and products */
    int64_t vanished;   /* layers whose gradients are nothing in the mean */
    bool warned;        /* of rows that cannot be divided by their sums */
    double *token;      /* (L, rows), of the method; with how.tokens */
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

/* All mixing operations from the last one to the first, after the values are
 * there: what passes without a gradient are. */
heed_status heedi_flow_revisit(heedi_flow *f);

/* out[i, j] = <x_i, operand_j> within the head, for the queries of v: the
 * derivative of <x, y> with respect to the mixing matrix. x: (rows, y->cols);
 * out: (nq, T). */
void heedi_flow_products(const heedi_flow *f, const heedi_node *y,
                         const heedi_view *v, const heed_real *x,
                         heed_real *out);

/* flow_implicit.c, for flow.c: layers that do not come in tiles. */
enum { HEEDI_PANEL = 128 };
/* Make f->m that of y; its arrays; true: it comes in tiles. */
bool heedi_flow_matrix(heedi_flow *f, const heedi_node *y);
void heedi_flow_fill(heedi_flow *f);
/* Rows q0 ... of a fusion by heedi_fold_run(), for the methods too. */
void heedi_flow_fused(heedi_flow *f, heedi_fusion how, const heedi_view *v);
void heedi_flow_panels(heedi_flow *f, const heedi_node *y);
bool heedi_flow_is_free(const heedi_flow *f);
void heedi_flow_free(heedi_flow *f);
void heedi_flow_vector(heedi_flow *f, const heedi_node *y);
/* The number that row i of I + A, of which the entries beside the diagonal's 1
 * are `a`, is divided by. */
double heedi_flow_divisor(heedi_flow *f, const heed_real *a, int64_t n);
bool heedi_flow_norms(const heedi_flow *f, const heedi_node *y);

#endif
