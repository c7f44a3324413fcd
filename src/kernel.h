/* kernel.h - inner loops that exist once for each instruction set.
 *
 * Every file src/kernel/<name>.c is compiled several times, with HEEDI_ISA set
 * to base, avx2 or avx512, and defines one table HEEDI_K(heedi_<name>). The
 * best one that the processor has is picked at the first use. Vector code is
 * written with GCC vector extensions or intrinsics guarded by the compiler's
 * own feature macros (__AVX512F__, __AVX2__). All functions are plain loops:
 * no allocation, no threads. */
#ifndef HEEDI_KERNEL_H
#define HEEDI_KERNEL_H

#include "dtype.h"

#define HEEDI_PASTE_(a, b) a##_##b
#define HEEDI_PASTE(a, b)  HEEDI_PASTE_(a, b)
#define HEEDI_K(name)      HEEDI_PASTE(name, HEEDI_ISA)

#if defined(__x86_64__)
#define HEEDI_ISA_LIST(X) X(base) X(avx2) X(avx512)
#else
#define HEEDI_ISA_LIST(X) X(base)
#endif

/* decode.c: one for each dtype */
enum { HEEDI_N_DECODE = 12 };
typedef struct heedi_decode_table {
    heedi_decode_fn *decode[HEEDI_N_DECODE];
} heedi_decode_table;

/* The instruction set in use: "avx512". HEED_ISA=avx2 in the environment picks
 * another one, for tests. */
const char *heedi_isa(void);
int heedi_isa_index(void); /* 0 base, 1 avx2, 2 avx512 */

#define X(isa) extern const heedi_decode_table heedi_decode_table_##isa;
HEEDI_ISA_LIST(X)
#undef X

#endif
