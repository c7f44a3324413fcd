/* separable_sum.h - a tile of a separable matrix (separable.h), folded. */
#ifndef HEEDI_SEPARABLE_SUM_H
#define HEEDI_SEPARABLE_SUM_H

#include "separable.h"

enum { HEEDI_SEP_TAPS = 8 }; /* of a filter, at most */

/* acc becomes f of it and of the entries gram p q of the part's heads, at most
 * HEEDI_SEP_ROWS rows and HEEDI_SEP_COLS columns, a multiple of HEEDI_LANES. A
 * NULL is 1. p, q: rows of nh values; acc: rows of HEEDI_SEP_COLS. What a
 * filter reads beyond the columns is there, too. */
typedef struct heedi_separable_tile {
    const heedi_separable_call *c;
    const heedi_fold *f;
    heedi_separable_part x;
    const heed_real *gram, *p, *q;
    heed_real *acc;
} heedi_separable_tile;

/* Bytes of `room`. */
size_t heedi_separable_sum_room(void);
void heedi_separable_sum(const heedi_separable_tile *t, void *room);
/* The same where every head has a gram of its own: fill(arg, head) makes it,
 * p and q are NULL. */
void heedi_separable_each(const heedi_separable_tile *t,
                          void (*fill)(const void *arg, int64_t head),
                          const void *arg, void *room);

#endif
