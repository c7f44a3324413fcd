/* rglru.h - the RG-LRU, for the files that it is made of. */
#ifndef HEEDI_RGLRU_H
#define HEEDI_RGLRU_H

#include <math.h>

#include "kernel.h"
#include "op.h"

/* Channels come in groups of HEEDI_LANES. */
int64_t heedi_rglru_groups(const heedi_node *y);
/* One group of a sequence; *at: its first value. */
heedi_rglru heedi_rglru_part(const heedi_node *y, const heedi_batch *b,
                             int64_t seq, int64_t group, int64_t *at);

/* sigmoid(x), of a gate */
static inline heed_real heedi_rglru_gate(heed_real x)
{
    return (heed_real)(1 / (1 + exp(-(double)x)));
}

/* rglru_mixing.c */
extern const heedi_mixing heedi_rglru_mixing;
/* rglru_fold.c */
extern const struct heedi_separable heedi_rglru_separable;

#endif
