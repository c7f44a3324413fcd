/* implicit.h - the matrix of a mixing operation, or of the block around it.
 *
 *     output_r = sum over c of M[d][r][c] operand_c + rest_r
 *
 * for each column d. Kind `core` is the mixing operation alone: its operand,
 * its output, M the same for all columns of a head. Kind `block` goes on
 * through what only multiplies or filters by channel, held fixed (factors and
 * filters of op.h): from the operand towards the input, from the output along
 * its only reader, to where a value is something else's. With factors l below
 * the mixing matrix A, r above it, a filter w and factors p above that,
 *     M[d] = diag(l_d) A diag(r_d) W_d diag(p_d),
 * and where something below takes off the mean over neighbouring columns, that
 * of the operand is taken off. Softmax attention has `core` only. */
#ifndef HEEDI_IMPLICIT_H
#define HEEDI_IMPLICIT_H

#include "fold.h"
#include "tape.h"

enum { HEEDI_MAX_CHAIN = 8 };

typedef struct heedi_implicit {
    const heedi_node *y; /* the mixing operation */
    bool block;
    bool by_channel; /* M is each column's own; else each head's */
    const heedi_node *up[HEEDI_MAX_CHAIN];   /* from the operand of y on */
    const heedi_node *down[HEEDI_MAX_CHAIN]; /* from the reader of y on */
    int n_up, n_down;
    int filter_at; /* in up; -1: there is none */
    heedi_filter filter;
    const heedi_node *operand, *output;
    const heedi_node *reader; /* of the output of the block, or NULL: what it
                                 gives is what the mixer adds to the stream */
    int64_t centred; /* the operand is less its mean over so many columns; 0 */
    bool raw; /* set by the caller, of kind core: the operand has the sizes of
                 steps, and run->raw is set */
    bool folds_skip; /* set by the caller: what the mixing operation gives a
                        row of its own operand stands on the diagonal */

    /* Set by heedi_implicit_fill(); NULL: 1, or 0 for `rest`. */
    heed_real *left, *right, *post; /* (rows, y->cols) */
    heed_real *w;                   /* (width, y->cols) */
    heed_real *skip;                /* (y->cols) */
    heed_real *size;                /* (rows, y->cols): times the operand */
    heed_real *rest; /* (rows, y's operand->cols): what the operand of y is
                        where that of the matrix is 0 */
    heed_real *work;
} heedi_implicit;

/* The first mixing operation of a tape from y on (NULL: from its first), or
 * NULL. */
const heedi_node *heedi_next_mixing(const heedi_tape *t, const heedi_node *y);

/* What the matrix is made of. Reads no values: may be called in planning. */
void heedi_implicit_of(heedi_implicit *m, const heedi_tape *t,
                       const heedi_node *y, bool block);

/* Is the value of x, or what x saved, read for it? */
bool heedi_implicit_reads(const heedi_implicit *m, const heedi_node *x);

/* Bytes that the arrays of a matrix need, and room to make them. */
size_t heedi_implicit_bytes(const heedi_implicit *m, const heedi_batch *b,
                            int threads);
/* Fill left, right, post, w, rest from values of the forward pass; all
 * threads. */
void heedi_implicit_fill(heedi_implicit *m, const heedi_run *run, void *mem);

/* Is there anything that `rest` would tell of: a skip, biases, shifts? */
bool heedi_implicit_rests(const heedi_implicit *m);

/* Indices of matrices: heads, or columns if m->by_channel. */
int64_t heedi_implicit_count(const heedi_implicit *m);

/* Set left, right, post and the filter of a fold. */
void heedi_implicit_fold(const heedi_implicit *m, heedi_fold *f);

/* v->out, (nq, T): the matrix number v->head. One thread. */
void heedi_implicit_rows(const heedi_implicit *m, const heedi_run *run,
                         const heedi_view *v);

/* The operand of column d of the output at a row of the batch. */
heed_real heedi_implicit_operand_at(const heedi_implicit *m, int64_t row,
                                    int64_t d);

/* Of g M operand, g (rows, y->cols) being the gradient of the output: left
 * becomes g times m->left, and post the operand times m->post; (rows,
 * y->cols). All threads. */
void heedi_implicit_weigh(const heedi_implicit *m, const heedi_run *run,
                          const heed_real *g, heed_real *left, heed_real *post);

/* ---- implicit_sums.c ---- */

/* At most so many rows at a time. */
enum { HEEDI_SUM_ROWS = 16 };

/* Of n rows q of a sequence, which began with this run: M times the operand,
 * made of rows of M and nothing else, and rest; both (n, y->cols), either may
 * be NULL. mem: heedi_implicit_sums_bytes(). */
size_t heedi_implicit_sums_bytes(const heedi_implicit *m, const heedi_batch *b,
                                 int threads);
void heedi_implicit_sums(const heedi_implicit *m, const heedi_run *run,
                         int64_t seq, const int64_t *q, int64_t n, void *mem,
                         heed_real *product, heed_real *rest);

/* max |M operand + rest - output| / max |output| over at most HEEDI_SUM_ROWS
 * rows of a sequence, the first and the last among them, and all columns; *n:
 * how many. drop: without the rest. mem: as above and twice
 * (HEEDI_SUM_ROWS, y->cols). */
double heedi_implicit_error(const heedi_implicit *m, const heedi_run *run,
                            int64_t seq, bool drop, void *mem, int64_t *n);

/* What factors below the mixing operation make of a row of rest, (y->cols), in
 * place; `work`: y->cols. One thread. */
void heedi_implicit_rest_below(const heedi_implicit *m, const heedi_run *run,
                               int64_t row, heed_real *work, heed_real *rest);

#endif
