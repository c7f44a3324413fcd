/* decode.h - which dtypes can be decoded: the order of heedi_decode_table. */
#ifndef HEEDI_DECODE_H
#define HEEDI_DECODE_H

#include "kernel.h"

// clang-format off
#define HEEDI_DECODE_LIST(X)                      \
    X(f32) X(f16) X(bf16) X(f64) X(q8_0) X(q4_0)  \
    X(q4_1) X(q5_0) X(q5_1) X(q4_k) X(q5_k) X(q6_k)
// clang-format on

enum {
#define X(name) HEEDI_DECODE_##name,
    HEEDI_DECODE_LIST(X)
#undef X
};

#define X(name) +1
_Static_assert(0 HEEDI_DECODE_LIST(X) == HEEDI_N_DECODE, "one function each");
#undef X

#endif
