/* scan.h - the selective scan, for the files that it is made of. */
#ifndef HEEDI_SCAN_H
#define HEEDI_SCAN_H

#include "kernel.h"
#include "op.h"

/* Channels come in groups of HEEDI_LANES. */
int64_t heedi_scan_groups(const heedi_node *y);
/* Values of one group's states. */
size_t heedi_scan_unit(const heedi_node *y);
/* The row of the batch that step t of a sequence is at, and by how many rows
 * the next step is further: 1, or -1 where time runs back. */
int64_t heedi_scan_row(const heedi_node *y, const heedi_batch *b, int64_t seq,
                       int64_t t);
int64_t heedi_scan_step(const heedi_node *y);
/* Steps t ... t+len-1 of a sequence, of one group. */
heedi_scan heedi_scan_part(const heedi_node *y, const heedi_batch *b,
                           int64_t seq, int64_t t, int64_t len, int64_t group);
/* Working memory of the thread that asks: HEEDI_SCAN_CHUNK + HEEDI_SCAN_PIECE
 * states at least. */
heed_real *heedi_scan_own(const heedi_node *y, const heedi_run *run);

/* scan_fold.c */
void heedi_scan_fold(const heedi_node *y, const heedi_run *run,
                     const heedi_fold *f);
size_t heedi_scan_fold_scratch(const heedi_node *y, const heedi_batch *b,
                               int threads, int64_t nq);

/* scan_mixing.c */
extern const heedi_mixing heedi_scan_mixing;

#endif
