/* decays.h - products of decays on both sides of a reference, from their
 * logarithms: separable.h for an operation whose decays are given at each step,
 * one for each of `units` (heads, keys, channels). Sums are made from their own
 * end, in double, whole blocks of steps at a time: no difference of sums. */
#ifndef HEEDI_DECAYS_H
#define HEEDI_DECAYS_H

#include "separable.h"

enum { HEEDI_DECAYS_BLOCK = 64 };

typedef struct heedi_decays {
    int64_t units;
    heed_real *log; /* (end, units), at most 0 */
    double *sum;    /* (blocks, units): of BLOCK steps */
} heedi_decays;

/* Bytes at the start of the call's shared memory. */
size_t heedi_decays_bytes(int64_t end, int64_t units);
heedi_decays heedi_decays_of(const heedi_separable_call *c, int64_t units);
/* Sums of the logarithms, which are there; all threads. */
void heedi_decays_sum(const heedi_separable_call *c, const heedi_decays *d);

/* Of n units from u0 on: p[r] = exp(logs of r0 ... r), or without r's;
 * q[c] = exp(logs of c+1 ... r0-1). Rows of n values, room for LANES more. */
void heedi_decays_far(const heedi_decays *d, const heedi_separable_part *x,
                      int64_t u0, int64_t n, bool without, heed_real *p,
                      heed_real *q);

#endif
