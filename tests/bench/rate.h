/* rate.h - what benchmarks in C share: the best of some rounds, and the rate
 * of products that others are measured by. */
#ifndef RATE_H
#define RATE_H

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "gemm.h"

enum { ROUNDS = 5 };

#define BEST(seconds, statement)                       \
    double seconds = HUGE_VAL;                         \
    for (int round = 0; round < ROUNDS; round++) {     \
        const double t0 = omp_get_wtime();             \
        statement;                                     \
        seconds = fmin(seconds, omp_get_wtime() - t0); \
    }

/* FLOP/s of one product of 1024 x 1024 matrices on each thread. */
static inline double rate(int threads)
{
    enum { M = 1024 };
    heed_real *x = calloc((size_t)(3 * threads) * M * M, sizeof *x);
    if (!x)
        exit(1);
    BEST(best, {
        _Pragma("omp parallel num_threads(threads)")
        {
            heed_real *a = x + (size_t)omp_get_thread_num() * 3 * M * M;
            heedi_blas(false, false, M, M, M, 1, a, M, a + M * M, M, 0,
                       a + 2 * M * M, M);
}
})
    free(x);
return 2.0 * M * M * M * threads / best;
}

#endif
