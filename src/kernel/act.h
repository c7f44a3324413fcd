/* act.h - activations: f, its derivative d, and q = f(x)/x in closed form.
 * An f with f(0) != 0 has no q: as a gate it is held constant (q returns 0,
 * and src/activation.c marks it). */
#ifndef HEEDI_KERNEL_ACT_H
#define HEEDI_KERNEL_ACT_H

#include "math.h"

#define FN(name) static inline real name(real x)

FN(silu_q)
{
    return v_sigmoid(x);
}
FN(silu_f)
{
    return x * v_sigmoid(x);
}
FN(silu_d)
{
    real s = v_sigmoid(x);
    return s * (1 + x * (1 - s));
}

FN(gelu_q)
{
    return (real)0.5 * (1 + v_erf(x * (real)0.70710678118654752440));
}
FN(gelu_f)
{
    return x * gelu_q(x);
}
FN(gelu_d)
{
    return gelu_q(x) +
           x * (real)0.39894228040143267794 * v_exp((real)-0.5 * x * x);
}

/* 1/2 (1 + tanh u) = sigmoid(2u), u = c (x + 0.044715 x^3) */
static inline real tanh_gelu_q(real x, real c)
{
    return v_sigmoid(2 * c * x * (1 + (real)0.044715 * x * x));
}
static inline real tanh_gelu_d(real x, real c)
{
    real s = tanh_gelu_q(x, c);
    return s + 2 * c * x * s * (1 - s) * (1 + 3 * (real)0.044715 * x * x);
}
#define C1 (real)0.79788456080286535588 /* sqrt(2/pi) */
#define C2 (real)0.7978845608           /* as gelu_fast writes it */
#define C3 (real)0.79788456             /* as BLOOM writes it */
FN(gelu_tanh_q)
{
    return tanh_gelu_q(x, C1);
}
FN(gelu_tanh_f)
{
    return x * gelu_tanh_q(x);
}
FN(gelu_tanh_d)
{
    return tanh_gelu_d(x, C1);
}
FN(gelu_fast_q)
{
    return tanh_gelu_q(x, C2);
}
FN(gelu_fast_f)
{
    return x * gelu_fast_q(x);
}
FN(gelu_fast_d)
{
    return tanh_gelu_d(x, C2);
}
FN(gelu_bloom_q)
{
    return tanh_gelu_q(x, C3);
}
FN(gelu_bloom_f)
{
    return x * gelu_bloom_q(x);
}
FN(gelu_bloom_d)
{
    return tanh_gelu_d(x, C3);
}

/* clipped to [-10, 10]; GELU itself never goes below -0.17 */
FN(gelu_10_f)
{
    real y = gelu_f(x);
    return y > 10 ? 10 : y;
}
FN(gelu_10_q)
{
    return gelu_f(x) > 10 ? 10 / x : gelu_q(x);
}
FN(gelu_10_d)
{
    return gelu_f(x) > 10 ? 0 : gelu_d(x);
}

FN(quick_gelu_q)
{
    return v_sigmoid((real)1.702 * x);
}
FN(quick_gelu_f)
{
    return x * quick_gelu_q(x);
}
FN(quick_gelu_d)
{
    real s = quick_gelu_q(x);
    return s * (1 + (real)1.702 * x * (1 - s));
}

FN(relu_f)
{
    return x > 0 ? x : 0;
}
FN(relu_q)
{
    return x > 0 ? 1 : 0;
}
FN(relu_d)
{
    return x > 0 ? 1 : 0;
}

FN(relu2_f)
{
    return x > 0 ? x * x : 0;
}
FN(relu2_q)
{
    return x > 0 ? x : 0;
}
FN(relu2_d)
{
    return x > 0 ? 2 * x : 0;
}

FN(relu6_f)
{
    return x > 0 ? (x < 6 ? x : 6) : 0;
}
FN(relu6_q)
{
    return x > 0 ? (x < 6 ? 1 : 6 / x) : 0;
}
FN(relu6_d)
{
    return x > 0 && x < 6 ? 1 : 0;
}

FN(leaky_relu_q)
{
    return x > 0 ? 1 : (real)0.01;
}
FN(leaky_relu_f)
{
    return x * leaky_relu_q(x);
}
FN(leaky_relu_d)
{
    return leaky_relu_q(x);
}

/* tanh(softplus(x)) = (e^2 + 2e) / (e^2 + 2e + 2), e = exp(x); 1 to rounding
 * where e^2 would overflow */
FN(mish_q)
{
    real e = v_exp(x > 20 ? 20 : x), n = e * (e + 2);
    return n / (n + 2);
}
FN(mish_f)
{
    return x * mish_q(x);
}
FN(mish_d)
{
    real t = mish_q(x);
    return t + x * (1 - t * t) * v_sigmoid(x);
}

FN(tanh_f)
{
    return v_tanh(x);
}
FN(tanh_q)
{
    real x2 = x * x; /* below 4e-4 the series is exact to rounding */
    return x2 < (real)4e-4
               ? 1 - x2 / 3 + 2 * x2 * x2 / 15 - 17 * x2 * x2 * x2 / 315
               : v_tanh(x) / x;
}
FN(tanh_d)
{
    real t = v_tanh(x);
    return 1 - t * t;
}

FN(elu_f)
{
    return x > 0 ? x : v_expm1(x);
}
FN(elu_q)
{
    return x < 0 ? v_expm1(x) / x : 1;
}
FN(elu_d)
{
    return x > 0 ? 1 : v_exp(x);
}

FN(linear_f)
{
    return x;
}
FN(linear_q)
{
    (void)x;
    return 1;
}
FN(linear_d)
{
    (void)x;
    return 1;
}

FN(sigmoid_f)
{
    return v_sigmoid(x);
}
FN(sigmoid_q)
{
    (void)x;
    return 0;
}
FN(sigmoid_d)
{
    real s = v_sigmoid(x);
    return s * (1 - s);
}

/* 1/2 (1 + erf((x - mu) / (sigma sqrt 2))), mu = 0.707107, sigma = 0.282095 */
FN(laplace_f)
{
    return (real)0.5 *
           (1 + v_erf((x - (real)0.707107) /
                      ((real)0.282095 * (real)1.41421356237309504880)));
}
FN(laplace_q)
{
    (void)x;
    return 0;
}
FN(laplace_d)
{
    real z = (x - (real)0.707107) / (real)0.282095;
    return (real)0.39894228040143267794 / (real)0.282095 *
           v_exp((real)-0.5 * z * z);
}

/* max(x, 0) + log(1 + exp(-|x|)) */
FN(softplus_f)
{
    real a = x < 0 ? -x : x;
    return (x > 0 ? x : 0) + v_log1p(v_exp(-a));
}
FN(softplus_q)
{
    (void)x;
    return 0;
}
FN(softplus_d)
{
    return v_sigmoid(x);
}

#endif
