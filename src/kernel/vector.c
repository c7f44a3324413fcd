#include "act.h"
#include "kernel.h"

/* A loop over the elements of arrays that do not overlap (or are equal). */
#define EACH(n) _Pragma("omp simd") for (size_t i = 0; i < (n); i++)

/* The six loops of one activation. */
#define X(A)                                                                \
    static void A##_each(size_t n, const real *a, real *y)                  \
    {                                                                       \
        EACH(n) y[i] = A##_f(a[i]);                                         \
    }                                                                       \
    static void A##_deach(size_t n, const real *a, const real *g, real *ga) \
    {                                                                       \
        EACH(n) ga[i] += A##_d(a[i]) * g[i];                                \
    }                                                                       \
    static void A##_qeach(size_t n, const real *a, const real *g, real *ga) \
    {                                                                       \
        EACH(n) ga[i] += A##_q(a[i]) * g[i];                                \
    }                                                                       \
    static void A##_glu(size_t n, const real *a, const real *u, real *y)    \
    {                                                                       \
        EACH(n) y[i] = A##_f(a[i]) * u[i];                                  \
    }                                                                       \
    static void A##_dglu(size_t n, const real *a, const real *u,            \
                         const real *g, real c, real d, real *ga, real *gu) \
    {                                                                       \
        EACH(n)                                                             \
        {                                                                   \
            ga[i] = c * A##_d(a[i]) * u[i] * g[i];                          \
            gu[i] = d * A##_f(a[i]) * g[i];                                 \
        }                                                                   \
    }                                                                       \
    static void A##_qglu(size_t n, const real *a, const real *u,            \
                         const real *g, real c, real d, real *ga, real *gu) \
    {                                                                       \
        EACH(n)                                                             \
        {                                                                   \
            ga[i] = c * A##_q(a[i]) * u[i] * g[i];                          \
            gu[i] = d * A##_f(a[i]) * g[i];                                 \
        }                                                                   \
    }
HEEDI_ACT_LIST(X)
#undef X

static void add(size_t n, const real *a, const real *b, real *y)
{
    EACH(n) y[i] = a[i] + b[i];
}

static void addto(size_t n, const real *a, real *y)
{
    EACH(n) y[i] += a[i];
}

/* Sixteen sums in a fixed order, whatever the vector length. */
static double dot(size_t n, const real *a, const real *b)
{
    double s[16] = {0}, t = 0;
    size_t k = 0;
    for (; k + 16 <= n; k += 16)
        EACH(16) s[i] += (double)a[k + i] * (double)b[k + i];
    for (; k < n; k++)
        t += (double)a[k] * (double)b[k];
    for (int i = 0; i < 16; i++)
        t += s[i];
    return t;
}

static void scale(size_t n, const real *x, const real *w, real c, real *y)
{
    EACH(n) y[i] = x[i] * c * w[i];
}

static void scale_add(size_t n, const real *g, const real *w, real c, real *y)
{
    EACH(n) y[i] += g[i] * c * w[i];
}

static void axpy(size_t n, real c, const real *x, real *y)
{
    EACH(n) y[i] += c * x[i];
}

static real softmax(size_t len, real *s, real scale_)
{
    real m = s[0], sum = 0;
    _Pragma("omp simd reduction(max : m)") for (size_t i = 0; i < len; i++) m =
        s[i] > m ? s[i] : m;
    m *= scale_;
    _Pragma("omp simd reduction(+ : sum)") for (size_t i = 0; i < len; i++)
    {
        s[i] = v_exp(scale_ * s[i] - m);
        sum += s[i];
    }
    real inv = 1 / sum;
    EACH(len) s[i] *= inv;
    return m + v_log(sum);
}

static void exp_lse(size_t len, real *s, real scale_, real lse)
{
    EACH(len) s[i] = v_exp(scale_ * s[i] - lse);
}

static void softmax_back(size_t len, real *s, const real *p, real c, real delta)
{
    EACH(len) s[i] = c * p[i] * (s[i] - delta);
}

static double sum_exp(size_t n, const real *x, real max)
{
    double t = 0;
    real e[256];
    for (size_t k = 0; k < n; k += 256) {
        size_t m = n - k < 256 ? n - k : 256;
        EACH(m) e[i] = v_exp(x[k + i] - max);
        for (size_t i = 0; i < m; i++)
            t += (double)e[i];
    }
    return t;
}

const heedi_vector_table HEEDI_K(heedi_vector_table) = {
    .act =
        {
#define X(A) {A##_each, A##_deach, A##_qeach, A##_glu, A##_dglu, A##_qglu},
            HEEDI_ACT_LIST(X)
#undef X
        },
    .add = add,
    .addto = addto,
    .dot = dot,
    .scale = scale,
    .scale_add = scale_add,
    .axpy = axpy,
    .softmax = softmax,
    .exp_lse = exp_lse,
    .softmax_back = softmax_back,
    .sum_exp = sum_exp,
};
