/* lanes.h - vectors of HEEDI_LANES values, which the compiler splits into what
 * the instruction set has, and the exponential of a decay. */
#ifndef HEEDI_KERNEL_LANES_H
#define HEEDI_KERNEL_LANES_H

#include <stdint.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "kernel.h"
#include "math.h"

enum { L = HEEDI_LANES };
typedef heed_real vec
    __attribute__((vector_size(L * sizeof(heed_real)), aligned(64)));
typedef heed_real vec8 __attribute__((vector_size(8 * sizeof(heed_real))));
typedef heed_real vec4 __attribute__((vector_size(4 * sizeof(heed_real))));

static inline vec splat(heed_real x)
{
    return x - (vec){0};
}

static inline vec load(const heed_real *p, int64_t lanes)
{
    vec v = {0};
    if (lanes == L)
        memcpy(&v, p, sizeof v);
    else
        memcpy(&v, p, (size_t)lanes * sizeof *p);
    return v;
}

static inline void store(heed_real *p, int64_t lanes, vec v)
{
    if (lanes == L)
        memcpy(p, &v, sizeof v);
    else
        memcpy(p, &v, (size_t)lanes * sizeof *p);
}

static inline heed_real lane_sum(vec v)
{
    vec8 h[2];
    vec4 q[2];
    memcpy(h, &v, sizeof v);
    h[0] += h[1];
    memcpy(q, h, sizeof *h);
    q[0] += q[1];
    return (q[0][0] + q[0][1]) + (q[0][2] + q[0][3]);
}

/* exp(x) is exp_scaled(x EXP_SCALE): the factor goes to what many x share. */
#if HEED_REAL_IS_DOUBLE
#define EXP_SCALE 1

static inline vec exp_scaled(vec x)
{
    for (int i = 0; i < L; i++)
        x[i] = exp(x[i]);
    return x;
}
#else
#define EXP_SCALE 1.44269504f
typedef int32_t ivec __attribute__((vector_size(L * sizeof(int32_t))));

/* 2^f for |f| <= 1/2 within 1e-7, and 1 at 0 exactly: what a decay close to 1
 * lacks is lost at every step. */
static inline vec exp2_part(vec f)
{
    vec p = f * 1.32647273e-3f + 9.67151299e-3f;
    p = p * f + 5.55073358e-2f;
    p = p * f + 2.40222424e-1f;
    p = p * f + 6.93147004e-1f;
    return p * f + 1.0f;
}

/* 2^t for t <= 0; what is not a normal number is 0, a NaN stays one. */
#if defined(__AVX512DQ__)
static inline vec exp_scaled(vec t)
{
    vec f = (vec)_mm512_reduce_ps((__m512)t, 8); /* nearest, no exceptions */
    return (vec)_mm512_scalef_ps((__m512)exp2_part(f), (__m512)(t - f));
}
#else
static inline vec exp_scaled(vec t)
{
    const ivec below = t < splat(-126.0f);
    t = (vec)((ivec)t & ~below);
    vec z = t + 12582912.0f; /* 1.5 2^23: its low bits are t to the nearest */
    vec p = exp2_part(t - (z - 12582912.0f));
    p = (vec)((ivec)p + ((ivec)z << 23));
    return (vec)((ivec)p & ~below);
}
#endif
#endif

#endif
