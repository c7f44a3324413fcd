/* process.h - what a program, and never a library, may change about its own
 * process so that a run is fast. */
#ifndef HEED_PROCESS_H
#define HEED_PROCESS_H

#include <heed/ctx.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Call once at the start of main(), before any other use of heed or BLAS:
 *  - OpenBLAS chooses its kernels by processor model, and falls to SSE ones on
 *    models newer than itself; if the processor has AVX-512 or AVX2 and the
 *    chosen kernels have not, they are chosen again in this process, or, where
 *    that is not possible, a warning names the variable to set;
 *  - if the threads take all processors this process may use and nobody said
 *    otherwise (OMP_PROC_BIND, GOMP_CPU_AFFINITY), each is bound to one.
 * Cannot fail. */
HEED_API void heed_tune_process(heed_ctx *ctx);

/* How this build computes: "avx512, OpenBLAS 0.3.21 SkylakeX". Static storage,
 * set by the first call. Cannot fail. */
HEED_API const char *heed_build(void);

#ifdef __cplusplus
}
#endif
#endif
