/* scan.h - the selective scan, for the files that it is made of. */
#ifndef HEEDI_SCAN_H
#define HEEDI_SCAN_H

#include "kernel.h"
#include "op.h"

/* Channels come in groups of HEEDI_LANES. */
int64_t heedi_scan_groups(const heedi_node *y);
/* Values of one group's states. */
size_t heedi_scan_unit(const heedi_node *y);
/* Steps row ... row+len-1 of the batch, of one group. */
heedi_scan heedi_scan_part(const heedi_node *y, int64_t row, int64_t len,
                           int64_t group);
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
