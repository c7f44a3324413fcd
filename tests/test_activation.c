/* The vector kernels of every instruction set: activations against formulas
 * in long double, exponentials against libm, the rest against plain loops. */
#include "testlib.h"

#include <float.h>
#include <stdlib.h>

#include "activation.h"
#include "kernel.h"

typedef long double wide;
static const bool single = sizeof(heed_real) == 4;
static const double ulp = sizeof(heed_real) == 4 ? 1.2e-7 : 2.3e-16;

typedef struct isa {
    const char *name;
    const heedi_vector_table *v;
    bool here;
} isa;

static int isas(isa *out)
{
    int n = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                  __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl") &&
                  __builtin_cpu_supports("avx512bw");
    const bool here[] = {true, avx2, avx512};
#else
    const bool here[] = {true};
#endif
#define X(set)                                                \
    out[n] = (isa){#set, &heedi_vector_table_##set, here[n]}; \
    n++;
    HEEDI_ISA_LIST(X)
#undef X
    int k = 0;
    for (int i = 0; i < n; i++)
        if (out[i].here)
            out[k++] = out[i];
    return k;
}

static wide sigmoid(wide x)
{
    return 1 / (1 + expl(-x));
}
static wide tanh_gelu(wide x, wide c)
{
    return x * (1 + tanhl(c * (x + 0.044715L * x * x * x))) / 2;
}
static wide phi(wide x)
{
    return erfcl(-x * sqrtl(0.5L)) / 2;
}

static wide f_silu(wide x)
{
    return x * sigmoid(x);
}
static wide f_gelu(wide x)
{
    return x * phi(x);
}
static wide f_gelu_tanh(wide x)
{
    return tanh_gelu(x, sqrtl(2 / acosl(-1)));
}
static wide f_gelu_fast(wide x)
{
    return tanh_gelu(x, 0.7978845608L);
}
static wide f_gelu_bloom(wide x)
{
    return tanh_gelu(x, 0.79788456L);
}
static wide f_gelu_10(wide x)
{
    return fminl(f_gelu(x), 10);
}
static wide f_quick_gelu(wide x)
{
    return x * sigmoid(1.702L * x);
}
static wide f_relu(wide x)
{
    return x > 0 ? x : 0;
}
static wide f_relu2(wide x)
{
    return x > 0 ? x * x : 0;
}
static wide f_relu6(wide x)
{
    return fminl(f_relu(x), 6);
}
static wide f_leaky_relu(wide x)
{
    return x > 0 ? x : 0.01L * x;
}
static wide f_mish(wide x)
{
    return x * tanhl(log1pl(expl(x)));
}
static wide f_elu(wide x)
{
    return x > 0 ? x : expm1l(x);
}
static wide f_linear(wide x)
{
    return x;
}
static wide f_laplace(wide x)
{
    return (1 + erfl((x - 0.707107L) / (0.282095L * sqrtl(2)))) / 2;
}

static wide f_softplus(wide x)
{
    return log1pl(expl(x));
}

/* q0: f(x)/x at 0, where it has a limit or a convention; kinks are where the
 * derivative jumps. */
#define NONE HUGE_VAL
static const struct formula {
    const char *name;
    wide (*f)(wide);
    double q0, kink[2];
    bool constant;
} formulas[] = {
    {"silu", f_silu, 0.5, {NONE, NONE}, false},
    {"gelu", f_gelu, 0.5, {NONE, NONE}, false},
    {"gelu_tanh", f_gelu_tanh, 0.5, {NONE, NONE}, false},
    {"gelu_fast", f_gelu_fast, 0.5, {NONE, NONE}, false},
    {"gelu_bloom", f_gelu_bloom, 0.5, {NONE, NONE}, false},
    {"gelu_10", f_gelu_10, 0.5, {10, NONE}, false},
    {"quick_gelu", f_quick_gelu, 0.5, {NONE, NONE}, false},
    {"relu", f_relu, 0, {0, NONE}, false},
    {"relu2", f_relu2, 0, {0, NONE}, false},
    {"relu6", f_relu6, 0, {0, 6}, false},
    {"leaky_relu", f_leaky_relu, 0.01, {0, NONE}, false},
    {"mish", f_mish, 0.6, {NONE, NONE}, false},
    {"tanh", tanhl, 1, {NONE, NONE}, false},
    {"elu", f_elu, 1, {0, NONE}, false},
    {"linear", f_linear, 1, {NONE, NONE}, false},
    {"sigmoid", sigmoid, 0, {NONE, NONE}, true},
    {"laplace", f_laplace, 0, {NONE, NONE}, true},
    {"softplus", f_softplus, 0, {NONE, NONE}, true},
};
enum { N_FORMULAS = sizeof formulas / sizeof *formulas };

enum { N = 4003 + 16 };

/* -50 ... 50 in steps of 1/40 (every other one off the grid), then tiny. */
static void grid(heed_real *x)
{
    int n = 0;
    for (int i = -2001; i <= 2001; i++)
        x[n++] = (heed_real)(i / 40.0 + (i % 2 ? 1e-3 : 0));
    const double tiny[] = {0, 1e-38, 1e-30, 1e-10, 1e-6, 1e-4, 1e-3, 0.019};
    for (int i = 0; i < 8; i++) {
        x[n++] = (heed_real)tiny[i];
        x[n++] = (heed_real)-tiny[i];
    }
}

static wide slope(wide (*f)(wide), wide x)
{
    const wide h = 2e-4L;
    return (f(x - 2 * h) - 8 * f(x - h) + 8 * f(x + h) - f(x + 2 * h)) /
           (12 * h);
}

static void near(const isa *k, const char *what, heed_real x, heed_real got,
                 wide want, double tol)
{
    if (!(fabs((double)got - (double)want) <= tol))
        fail_msg("%s: %s(%.9g) is %.17g, not %.17g (tolerance %.2g)", k->name,
                 what, (double)x, (double)got, (double)want, tol);
}

static void one_activation(const isa *k, const struct formula *r)
{
    static heed_real x[N], one[N], f[N], d[N], q[N], t[4][N];
    const heedi_activation *a = heedi_activation_named(r->name);
    char what[32];
    assert_non_null(a);
    const heedi_act_kernels *v = &k->v->act[a->kernel];
    assert_int_equal(a->constant, r->constant);
    grid(x);
    for (int i = 0; i < N; i++) {
        one[i] = 1;
        d[i] = q[i] = 3; /* they add */
    }
    v->f(N, x, f);
    v->df(N, x, one, d);
    v->qf(N, x, one, q);
    for (int i = 0; i < N; i++) {
        const double size = fabs((double)x[i]);
        wide X = (wide)x[i], want = r->f(X);
        near(k, r->name, x[i], f[i], want,
             6 * ulp * (1 + size + fabs((double)want)));
        snprintf(what, sizeof what, "%s'", r->name);
        if (!(fabs((double)x[i] - r->kink[0]) < 3e-3) &&
            !(fabs((double)x[i] - r->kink[1]) < 3e-3))
            near(k, what, x[i], d[i] - 3, slope(r->f, X),
                 16 * ulp * (1 + size) + 2e-12);
        want = r->constant ? 0 : size > 0 ? want / X : (wide)r->q0;
        snprintf(what, sizeof what, "%s/x", r->name);
        near(k, what, x[i], q[i] - 3, want, 8 * ulp * (1 + fabs((double)want)));
    }
    /* y = f(a) u, and its two backward forms: assigned */
    for (int i = 0; i < N; i++)
        t[0][i] = 2, t[1][i] = t[2][i] = t[3][i] = (heed_real)NAN;
    v->glu(N, x, t[0], t[1]);
    v->dglu(N, x, t[0], one, 3, 5, t[2], t[3]);
    for (int i = 0; i < N; i++) {
        near(k, "glu", x[i], t[1][i], 2 * (wide)f[i], 0);
        near(k, "dglu a", x[i], t[2][i], 6 * ((wide)d[i] - 3),
             60 * ulp * (1 + fabs((double)d[i])));
        near(k, "dglu u", x[i], t[3][i], 5 * (wide)f[i],
             20 * ulp * fabs((double)f[i]));
    }
    v->qglu(N, x, t[0], one, 3, 5, t[2], t[3]);
    for (int i = 0; i < N; i++) {
        near(k, "qglu a", x[i], t[2][i], 6 * ((wide)q[i] - 3),
             60 * ulp * (1 + fabs((double)q[i])));
        near(k, "qglu u", x[i], t[3][i], 5 * (wide)f[i],
             20 * ulp * fabs((double)f[i]));
    }
}

static void test_activations(void **state)
{
    (void)state;
    isa k[3];
    const int n = isas(k);
    for (int i = 0; i < n; i++)
        for (int r = 0; r < N_FORMULAS; r++)
            one_activation(&k[i], &formulas[r]);
}

/* Every row has a formula here, every alias its row. */
static void test_table(void **state)
{
    (void)state;
    int n = 0;
    for (const heedi_activation *a; (a = heedi_activation_at(n)); n++) {
        assert_true(n < N_FORMULAS);
        assert_string_equal(a->name, formulas[n].name);
        assert_ptr_equal(heedi_activation_named(a->name), a);
    }
    assert_int_equal(n, N_FORMULAS);
    assert_int_equal(n, HEEDI_N_ACT);
    assert_null(heedi_activation_at(-1));
    assert_null(heedi_activation_named("swiglu"));
    const char *const alias[][2] = {{"swish", "silu"},
                                    {"gelu_new", "gelu_tanh"},
                                    {"gelu_python", "gelu"},
                                    {"gelu_pytorch_tanh", "gelu_tanh"},
                                    {"gelu_accurate", "gelu_tanh"}};
    for (int i = 0; i < 5; i++)
        assert_string_equal(heedi_activation_named(alias[i][0])->name,
                            alias[i][1]);
}

/* ---- exponentials ---- */

static void test_exp(void **state)
{
    (void)state;
    isa k[3];
    const int n = isas(k);
    enum { M = 17511 };
    static heed_real x[M], y[M];
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < M; j++)
            y[j] = x[j] = (heed_real)(-87 + j / 100.06);
        k[i].v->exp_lse(M, y, 1, 0);
        for (int j = 0; j < M; j++) {
            double want = exp((double)x[j]);
            if (!(fabs((double)y[j] - want) <= (single ? 2e-7 : 1e-15) * want))
                fail_msg("%s: exp(%.9g) is %.9g, not %.9g", k[i].name,
                         (double)x[j], (double)y[j], want);
        }
        const heed_real far[] = {-88, -1000, -(heed_real)1e30,
                                 -(heed_real)HUGE_VAL};
        for (int j = 0; j < 4; j++) {
            y[0] = far[j];
            k[i].v->exp_lse(1, y, 1, 0);
            assert_true(y[0] == 0 || (!single && y[0] < (heed_real)1e-38));
        }
        for (int j = 0; j < 40; j++) /* in the vector part and in the rest */
            y[j] = j % 3 ? 1 : (heed_real)NAN;
        k[i].v->exp_lse(40, y, 1, 0);
        for (int j = 0; j < 40; j++)
            assert_int_equal(isnan((double)y[j]) != 0, j % 3 == 0);
    }
}

static void one_softmax(const isa *k, size_t len, double height)
{
    static heed_real x[72], p[72], e[72];
    uint32_t seed = (uint32_t)(9 + len * 31) * 2654435761u | 1u;
    for (size_t j = 0; j < 72; j++)
        e[j] = p[j] = x[j] = (heed_real)height * rnd(&seed);
    double most = -HUGE_VAL, sum = 0, total = 0;
    const heed_real c = (heed_real)0.37;
    const double s = (double)c;
    for (size_t j = 0; j < len; j++)
        most = fmax(most, s * (double)x[j]);
    for (size_t j = 0; j < len; j++)
        sum += exp(s * (double)x[j] - most);
    const double lse = most + log(sum), slack = 4 * ulp * (2 + fabs(lse));
    heed_real got = k->v->softmax(len, p, c);
    near(k, "log sum exp", (heed_real)len, got, (wide)lse, slack);
    k->v->exp_lse(len, e, c, got);
    for (size_t j = 0; j < len; j++) {
        wide want = expl((wide)(s * (double)x[j] - lse));
        near(k, "softmax", x[j], p[j], want, slack * (double)want + 1e-37);
        near(k, "exp_lse", x[j], e[j], want, slack * (double)want + 1e-37);
        total += (double)p[j];
    }
    near(k, "sum of softmax", 0, (heed_real)total, 1, 16 * ulp);
    for (size_t j = len; j < 72; j++) /* nothing beyond the end */
        assert_true(p[j] == x[j] && e[j] == x[j]);
}

static void test_softmax(void **state)
{
    (void)state;
    isa k[3];
    const int n = isas(k);
    for (int i = 0; i < n; i++)
        for (size_t len = 1; len <= 70; len++) {
            one_softmax(&k[i], len, 1);
            one_softmax(&k[i], len, 100);
            one_softmax(&k[i], len, 0);
        }
}

/* ---- the rest, against plain loops ---- */

static void one_length(const isa *k, size_t n)
{
    static heed_real a[800], b[800], y[800], z[800];
    uint32_t seed = (uint32_t)(n + 3) * 2654435761u | 1u;
    double sum = 0, mass = 1e-30, exps = 0;
    for (size_t i = 0; i < 800; i++) {
        a[i] = rnd(&seed);
        b[i] = rnd(&seed);
        y[i] = z[i] = 7;
    }
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
        mass += fabs((double)a[i] * (double)b[i]);
        exps += exp((double)a[i] - 1);
    }
    if (!(fabs(k->v->dot(n, a, b) - sum) <= 1e-15 * (double)(n + 1) * mass))
        fail_msg("%s: dot of %zu", k->name, n);
    if (!(fabs(k->v->sum_exp(n, a, 1) - exps) <= 4 * ulp * exps))
        fail_msg("%s: sum_exp of %zu", k->name, n);
#define EACH(call, value)                                                 \
    do {                                                                  \
        memcpy(y, z, sizeof y);                                           \
        call;                                                             \
        for (size_t i = 0; i < 800; i++)                                  \
            near(k, #call, (heed_real)i, y[i], i < n ? (wide)(value) : 7, \
                 i < n ? 20 * ulp : 0);                                   \
    } while (0)
    EACH(k->v->add(n, a, b, y), a[i] + b[i]);
    EACH(k->v->addto(n, a, y), 7 + a[i]);
    EACH(k->v->scale(n, a, b, 3, y), 3 * a[i] * b[i]);
    EACH(k->v->scale_add(n, a, b, 3, y), 7 + 3 * a[i] * b[i]);
    EACH(k->v->axpy(n, 3, a, y), 7 + 3 * a[i]);
    EACH(k->v->softmax_back(n, y, a, 2, 1), 2 * a[i] * (7 - 1));
#undef EACH
}

static void test_loops(void **state)
{
    (void)state;
    isa k[3];
    const int n = isas(k);
    for (int i = 0; i < n; i++) {
        for (size_t len = 0; len <= 70; len++)
            one_length(&k[i], len);
        one_length(&k[i], 256);
        one_length(&k[i], 777);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_activations), test(test_table),
                                       test(test_exp), test(test_softmax),
                                       test(test_loops)};
    RUN(tests);
}
