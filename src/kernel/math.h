/* math.h - branch-free functions for loops that the compiler vectorises. */
#ifndef HEEDI_KERNEL_MATH_H
#define HEEDI_KERNEL_MATH_H

#include <heed/real.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef heed_real real;

/* exp within 1.5 ulp; 0 below -87.3 and the value at 88.7 above it, so that a
 * loop over it vectorises. The double variant of the library takes libm's. */
static inline float exp_f(float x)
{
    float z = x < 88.7f ? x : 88.7f; /* so that a NaN has an exponent, too */
    z = z > -87.3f ? z : -87.3f;
    float t = z * 1.44269504f + 12582912.0f; /* 1.5 2^23: rounds to nearest */
    float k = t - 12582912.0f;
    float r = z - k * 0.693359375f;
    r = r + k * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t i, e = (int32_t)k;
    memcpy(&i, &p, 4);
    i += (int32_t)((uint32_t)e << 23);
    memcpy(&p, &i, 4);
    p = x < -87.3f ? 0.0f : p;
    return x != x ? x : p; /* a NaN stays one */
}

/* f for float, f of libm for double */
#define BOTH(name, f, d)                                               \
    static inline real name(real x)                                    \
    {                                                                  \
        return sizeof x == 4 ? (real)f((float)x) : (real)d((double)x); \
    }
BOTH(v_exp, exp_f, exp)
BOTH(v_erf, erff, erf)
BOTH(v_tanh, tanhf, tanh)
BOTH(v_expm1, expm1f, expm1)
BOTH(v_log, logf, log)

/* log(1 + e), 0 <= e <= 1: 2 atanh(e / (2 + e)) by its series */
static inline float log1p_f(float e)
{
    float s = e / (2 + e), z = s * s;
    float p = 1.0f / 17;
    p = p * z + 1.0f / 15;
    p = p * z + 1.0f / 13;
    p = p * z + 1.0f / 11;
    p = p * z + 1.0f / 9;
    p = p * z + 1.0f / 7;
    p = p * z + 1.0f / 5;
    p = p * z + 1.0f / 3;
    return 2 * s + 2 * s * z * p;
}
BOTH(v_log1p, log1p_f, log1p)

static inline real v_sigmoid(real x)
{
    return 1 / (1 + v_exp(-x));
}

#endif
