/* separable.h - folds of matrices that fall apart away from the diagonal.
 *
 * A recurrence has, between a row r and a column c before it, nothing but
 * decays, and with a step `ref` between the two, c < ref <= r, an entry of head
 * h is
 *     M[r][c] = gram[r][c] p[r][h] q[c][h],
 * gram being the same for the heads of a unit, p of what lies between ref and
 * r, q of what lies between c and ref, so that no exponent is positive. So a
 * sum over columns of the heads is a product of matrices, and so is that of
 * absolute values, of squares and of positive parts: all columns of a unit at
 * once. Entries next to the diagonal are made head by head. What is not a
 * product (a filter over c below f, the maximum) is summed in tiles by
 * src/kernel/fold.c. */
#ifndef HEEDI_SEPARABLE_H
#define HEEDI_SEPARABLE_H

#include "op.h"

/* Rows have one reference, columns lie in one tile, and rows near the diagonal
 * are made by so many. Filters reach over at most AHEAD columns. All are
 * counted from the start of the sequence, so that an entry has the same bits
 * whichever rows are asked for, and however many threads do it. */
enum {
    HEEDI_SEP_ROWS = 64,
    HEEDI_SEP_COLS = 128,
    HEEDI_SEP_STRIP = 16,
    HEEDI_SEP_AHEAD = 16,
    HEEDI_SEP_LD = HEEDI_SEP_COLS + HEEDI_SEP_AHEAD, /* of gram and near */
    HEEDI_SEP_HEADS = 128                            /* of a unit, at most */
};

typedef struct heedi_separable_call {
    const heedi_node *y;
    const heedi_run *run;
    int64_t seq, row0; /* of the batch */
    int64_t from, end; /* rows of whole blocks that are made; columns */
    const void *before;
    void *shared; /* of the operation: see `shared` */
} heedi_separable_call;

/* Rows r0 ... r0+n-1, columns c0 ... c0+m-1, of heads h0 ... h0+nh-1, which are
 * of one unit. */
typedef struct heedi_separable_part {
    int64_t r0, n, c0, m, h0, nh;
} heedi_separable_part;

typedef struct heedi_separable {
    int64_t (*unit)(const heedi_node *y); /* heads */
    bool grams, scales; /* else gram is 1, or p and q are and are not made */
    /* Bytes for one sequence of at most `end` columns and `rows` rows, for all
     * threads; of each thread. */
    size_t (*shared)(const heedi_node *y, int64_t end, int64_t rows);
    size_t (*own)(const heedi_node *y);
    /* Fill c->shared; all threads. */
    void (*prepare)(const heedi_separable_call *c);
    /* All columns are before r0. gram: rows of HEEDI_SEP_LD values; p: (n, nh),
     * q: (m, nh), room for HEEDI_LANES more values. */
    void (*far)(const heedi_separable_call *c, const heedi_separable_part *x,
                void *own, heed_real *gram, heed_real *p, heed_real *q);
    /* M of head h0, 0 where nothing can enter; rows of HEEDI_SEP_LD values. At
     * most STRIP rows; after a head comes the next, or another part. */
    void (*near)(const heedi_separable_call *c, const heedi_separable_part *x,
                 void *own, heed_real *m);
} heedi_separable;

/* Can it do this fold? */
bool heedi_separable_does(const heedi_fold *f);
size_t heedi_separable_scratch(const heedi_node *y, const heedi_batch *b,
                               int threads, int64_t nq);
void heedi_separable_fold(const heedi_node *y, const heedi_run *run,
                          const heedi_fold *f);

#endif
