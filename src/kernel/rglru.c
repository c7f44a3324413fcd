#include "kernel.h"
#include "math.h"

/* Lanes are channels. Gates do not depend on the state, so only one
 * multiply-add of a step waits for the step before it. */
enum { L = HEEDI_LANES };
#define INLINE static inline __attribute__((always_inline))
#define EACH   _Pragma("omp simd") for (int k = 0; k < L; k++)

/* exp(z) - 1, -0.7 < z <= 0, by the series. */
static inline float less_f(float z)
{
    float p = 1 + z * (1.0f / 9) * (1 + z * (1.0f / 10));
    p = 1 + z * (1.0f / 8) * p;
    p = 1 + z * (1.0f / 7) * p;
    p = 1 + z * (1.0f / 6) * p;
    p = 1 + z * (1.0f / 5) * p;
    p = 1 + z * (1.0f / 4) * p;
    p = 1 + z * (1.0f / 3) * p;
    return z * (1 + z * (1.0f / 2) * p);
}
BOTH(v_less, less_f, expm1)
BOTH(v_sqrt, sqrtf, sqrt)

INLINE void get(const heedi_rglru *s, const heed_real *p, int64_t t, real *to)
{
    if (s->lanes == L) {
        memcpy(to, p + t * s->ld, L * sizeof *to);
        return;
    }
    memset(to, 0, L * sizeof *to);
    memcpy(to, p + t * s->ld, (size_t)s->lanes * sizeof *to);
}

/* Rows lie on pages of their own, where no hardware looks ahead. */
enum { AHEAD = 8 };

INLINE void fetch(const heedi_rglru *s, int64_t t, const heed_real *a,
                  const heed_real *b)
{
    if (t < 0 || t >= s->len)
        return;
    __builtin_prefetch(a + t * s->ld);
    __builtin_prefetch(b + t * s->ld);
}

INLINE void put(const heedi_rglru *s, heed_real *p, int64_t t, const real *from,
                bool add)
{
    real was[L] = {0}, now[L];
    if (add)
        get(s, p, t, was);
    EACH now[k] = from[k] + was[k];
    if (s->lanes == L)
        memcpy(p + t * s->ld, now, L * sizeof *now);
    else
        memcpy(p + t * s->ld, now, (size_t)s->lanes * sizeof *now);
}

/* The step that starts a sequence keeps nothing and takes x as it is. */
INLINE bool starts(const heedi_rglru *s, int64_t t)
{
    return s->fresh && t == 0;
}

/* A decay, as one + part: a close to 1 does not lose what it lacks of 1, which
 * would be the same error at every step. */
typedef struct decay {
    real one, part, root; /* root: (1 - a^2)^1/2 */
} decay;

INLINE decay decay_of(real log_a)
{
    const real ln2 = (real)0.69314718;
    const bool near = log_a > -ln2;
    const real less = v_less(near ? log_a : -ln2), far = v_exp(log_a);
    const real gone = near ? -less * (2 + less) : 1 - far * far;
    return (decay){near ? 1 : 0, near ? less : far, v_sqrt(gone)};
}

/* Of a step: a = one + part, and w = m i. */
INLINE void gates(const heedi_rglru *s, int64_t t, const real *rate, real *one,
                  real *part, real *w)
{
    real in[L], rec[L];
    get(s, s->in, t, in);
    get(s, s->rec, t, rec);
    EACH
    {
        const decay d = decay_of(rate[k] * v_sigmoid(rec[k]));
        one[k] = d.one;
        part[k] = d.part;
        w[k] = d.root * v_sigmoid(in[k]);
    }
    if (starts(s, t))
        EACH
        {
            one[k] = part[k] = 0;
            w[k] = v_sigmoid(in[k]);
        }
}

static void forward(const heedi_rglru *s, heed_real *state, heed_real *y)
{
    real rate[L], h[L], x[L], one[L], part[L], w[L];
    memcpy(rate, s->rate, sizeof rate);
    memcpy(h, state, sizeof h);
    for (int64_t t = 0; t < s->len; t++) {
        fetch(s, t + AHEAD, s->in, s->rec);
        fetch(s, t + AHEAD, s->x, y);
        get(s, s->x, t, x);
        gates(s, t, rate, one, part, w);
        EACH h[k] = one[k] * h[k] + (part[k] * h[k] + w[k] * x[k]);
        put(s, y, t, h, false);
    }
    memcpy(state, h, sizeof h);
}

static void relevance(const heedi_rglru *s, const heed_real *gy, heed_real *gx,
                      bool add)
{
    real rate[L], carry[L] = {0}, g[L], one[L], part[L], w[L];
    memcpy(rate, s->rate, sizeof rate);
    for (int64_t t = s->len - 1; t >= 0; t--) {
        fetch(s, t - AHEAD, s->in, s->rec);
        fetch(s, t - AHEAD, gy, gx);
        get(s, gy, t, g);
        gates(s, t, rate, one, part, w);
        EACH
        {
            const real sum = g[k] + carry[k];
            carry[k] = one[k] * sum + part[k] * sum;
            g[k] = w[k] * sum;
        }
        put(s, gx, t, g, add);
    }
}

/* dm/d log a = -a^2/m, where m is not below the reference's bound on 1/m. */
static const real least_root = (real)5e-4;

INLINE void vjp_step(const heedi_rglru *s, int64_t t, const real *rate,
                     const real *h, const real *gy, real *carry, real *gx,
                     real *gin, real *grec)
{
    real x[L], in[L], rec[L];
    const real old = starts(s, t) ? 0 : 1;
    get(s, s->x, t, x);
    get(s, s->in, t, in);
    get(s, s->rec, t, rec);
    EACH
    {
        const real e = v_exp(-in[k]), i = 1 / (1 + e);
        const real f = v_exp(-rec[k]), r = 1 / (1 + f);
        const real log_a = rate[k] * r, g = gy[k] + carry[k];
        const decay d = decay_of(log_a);
        const real one = old * d.one, part = old * d.part, a = one + part;
        const real m = old * d.root + (1 - old);
        const real low = m > least_root ? m : least_root;
        gx[k] = m * i * g;
        gin[k] = gx[k] * x[k] * e * i;
        grec[k] = g * a * (h[k] - a / low * i * x[k]) * log_a * f * r;
        carry[k] = one * g + part * g;
    }
}

static void vjp(const heedi_rglru *s, const heed_real *y, const heed_real *gy,
                const heedi_rglru_grad *to)
{
    real rate[L], carry[L] = {0}, g[L], h[L] = {0}, gx[L], gin[L], grec[L];
    memcpy(rate, s->rate, sizeof rate);
    for (int64_t t = s->len - 1; t >= 0; t--) {
        fetch(s, t - AHEAD, s->in, s->rec);
        fetch(s, t - AHEAD, s->x, y);
        fetch(s, t - AHEAD, gy, to->x);
        fetch(s, t - AHEAD, to->in, to->rec);
        get(s, gy, t, g);
        if (t > 0)
            get(s, y, t - 1, h);
        else
            memset(h, 0, sizeof h);
        vjp_step(s, t, rate, h, g, carry, gx, gin, grec);
        put(s, to->x, t, gx, to->add_x);
        put(s, to->in, t, gin, to->add_in); /* all three may be one value */
        put(s, to->rec, t, grec, to->add_rec);
    }
}

static void coefficients(const heedi_rglru *s, heed_real *one, heed_real *part,
                         heed_real *w)
{
    real rate[L];
    memcpy(rate, s->rate, sizeof rate);
    for (int64_t t = 0; t < s->len; t++)
        gates(s, t, rate, one + t * L, part + t * L, w + t * L);
}

static void logs(const heedi_rglru *s, heed_real *log, heed_real *w, int64_t ld)
{
    const size_t size = (size_t)s->lanes * sizeof *log;
    real rate[L], rec[L], one[L], part[L], to[L];
    memcpy(rate, s->rate, sizeof rate);
    for (int64_t t = 0; t < s->len; t++) {
        gates(s, t, rate, one, part, to);
        memcpy(w + t * ld, to, size);
        get(s, s->rec, t, rec);
        EACH to[k] = rate[k] * v_sigmoid(rec[k]);
        memcpy(log + t * ld, to, size);
    }
}

const heedi_rglru_table HEEDI_K(heedi_rglru_table) = {
    .forward = forward,
    .relevance = relevance,
    .vjp = vjp,
    .coefficients = coefficients,
    .logs = logs,
};
