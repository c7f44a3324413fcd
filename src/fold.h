/* fold.h - one matrix made of those of all channels.
 *
 * An operation that has nothing faster in its `mixing` row is served by its
 * rows alone: a few rows of one head at a time, heads in their order, so that
 * nothing of size heads x T x T exists and the bits depend neither on threads
 * nor on what else is asked for together with these rows in other calls. */
#ifndef HEEDI_FOLD_H
#define HEEDI_FOLD_H

#include "mixing.h"

/* Rows of a generic fold that are made together, from a multiple of it. */
enum { HEEDI_FOLD_ROWS = 8 };

/* Bytes of f->scratch for folds of at most nq rows. */
size_t heedi_fold_scratch(const heedi_node *y, const heedi_batch *b,
                          int threads, int64_t nq);
/* f->out; all threads. Cannot fail. */
void heedi_fold_run(const heedi_node *y, const heedi_run *run,
                    const heedi_fold *f);
/* The same by rows alone: what an operation's own fold calls for what it does
 * not do. */
void heedi_fold_rows(const heedi_node *y, const heedi_run *run,
                     const heedi_fold *f);

/* Entries of M of the head that column d is of, rows f->q0 + i ..., to those
 * that are folded: m[i][c] becomes left K post of column d, with the skip;
 * (n, T) in place. One thread. */
void heedi_fold_entries(const heedi_node *y, const heedi_run *run,
                        const heedi_fold *f, int64_t d, int64_t i, int64_t n,
                        heed_real *m);

#endif
