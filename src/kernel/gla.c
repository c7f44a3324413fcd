#include "kernel.h"
#include "lanes.h"

/* Lanes are value channels where values are made, key channels where keys get
 * gradients: so that no sum crosses lanes. */
#define INLINE static inline __attribute__((always_inline))

/* Beyond it exp(-exp(w)) is 0 in any precision, and exp(w) still finite. */
#define LARGEST ((heed_real)80)

INLINE vec at(const heed_real *p, int64_t k)
{
    vec v;
    memcpy(&v, p + k * L, sizeof v);
    return v;
}

INLINE void put(heed_real *p, int64_t k, vec v)
{
    memcpy(p + k * L, &v, sizeof v);
}

/* ---- decays ---- */

/* Of lanes, without tau in [-LARGEST, LARGEST], from e = exp(-|w|): exp(w), or
 * softplus(-w) / tau, which is minus the log of the decay; and minus its
 * derivative. Loops over arrays, which the compiler turns into vectors. */
INLINE void rates(const heed_real *w, const heed_real *e, heed_real tau,
                  heed_real *rate, heed_real *slope)
{
    for (int i = 0; i < L && tau == 0; i++)
        slope[i] = -(rate[i] = w[i] > 0 ? 1 / e[i] : e[i]);
    for (int i = 0; i < L && tau != 0; i++) {
        const heed_real sum = 1 + e[i];
        slope[i] = (w[i] > 0 ? e[i] : 1) / (sum * tau);
        rate[i] = (v_log1p(e[i]) + (w[i] > 0 ? 0 : -w[i])) / tau;
    }
}

/* Of step t: minus the logarithm of the decay, and its derivative. */
INLINE void gate(const heedi_gla_gate *s, int64_t t, heed_real *rate,
                 heed_real *slope)
{
    heed_real w[L], e[L];
    put(w, 0, load(s->w + t * s->ld, s->lanes));
    for (int i = 0; i < L && s->tau == 0; i++) /* a NaN stays one */
        w[i] = w[i] > LARGEST ? LARGEST : w[i] < -LARGEST ? -LARGEST : w[i];
    for (int i = 0; i < L; i++)
        e[i] = w[i] > 0 ? -w[i] : w[i];
    put(e, 0, exp_scaled(at(e, 0) * EXP_SCALE));
    rates(w, e, s->tau, rate, slope);
}

static void decay(const heedi_gla_gate *s, heed_real *d, heed_real *slope)
{
    for (int64_t t = 0; t < s->len; t++) {
        heed_real rate[L], up[L];
        gate(s, t, rate, up);
        put(d + t * s->to, 0, exp_scaled(at(rate, 0) * -EXP_SCALE));
        if (slope)
            memcpy(slope + t * s->to, up, sizeof up);
    }
}

static void logs(const heedi_gla_gate *s, heed_real *d)
{
    for (int64_t t = 0; t < s->len; t++) {
        heed_real rate[L], up[L];
        gate(s, t, rate, up);
        store(d + t * s->to, s->lanes, -at(rate, 0));
    }
}

/* ---- values ---- */

/* sum of read u write */
INLINE heed_real present(const heedi_gla *s, int64_t t)
{
    const heed_real *r = s->read + t * s->ld, *w = s->write + t * s->ld;
    vec sum = {0};
    for (int64_t i = 0; s->bonus && i < s->keys; i += L) {
        const int64_t n = s->keys - i < L ? s->keys - i : L;
        sum += load(r + i, n) * load(s->bonus + i, n) * load(w + i, n);
    }
    return lane_sum(sum);
}

/* The compiler keeps an array in registers only if it sees its indices early:
 * hence written-out loops over the vectors of channels. */
#define EACH(n, f) \
    f(0);          \
    if (n > 1) {   \
        f(1);      \
    }              \
    if (n > 2) {   \
        f(2);      \
    }              \
    if (n > 3) {   \
        f(3);      \
    }
#define LANES_OF(j) (j == n - 1 ? last : L)

/* n vectors of channels, of which the last has `last`. */
INLINE void pass_n(const heedi_gla *s, const int n, const int64_t last,
                   const bool inclusive, heed_real *state, heed_real *y)
{
    for (int64_t t = 0; t < s->len; t++) {
        const heed_real *r = s->read + t * s->ld, *w = s->write + t * s->ld;
        const heed_real *d = s->decay + t * s->ld_decay;
        const heed_real *from = s->x + t * s->ld_x;
        heed_real *h = state, *out = y + t * s->ld_x;
        const heed_real now = present(s, t);
        vec x[4], sum[4];
#define F(j)                                \
    x[j] = load(from + j * L, LANES_OF(j)); \
    sum[j] = x[j] * now
        EACH(n, F)
#undef F
        for (int64_t i = 0; i < s->keys; i++, h += n * L) {
#define F(j)                                     \
    {                                            \
        const vec was = at(h, j);                \
        const vec is = was * d[i] + x[j] * w[i]; \
        sum[j] += (inclusive ? is : was) * r[i]; \
        put(h, j, is);                           \
    }
            EACH(n, F)
#undef F
        }
#define F(j)                        \
    store(out + j * L, LANES_OF(j), \
          s->add ? sum[j] + load(out + j * L, LANES_OF(j)) : sum[j])
        EACH(n, F)
#undef F
    }
}

INLINE void pass_of(const heedi_gla *s, const bool inclusive, heed_real *state,
                    heed_real *y)
{
    const int64_t last = (s->values - 1) % L + 1;
    switch ((s->values + L - 1) / L) {
    case 1:
        pass_n(s, 1, last, inclusive, state, y);
        break;
    case 2:
        pass_n(s, 2, last, inclusive, state, y);
        break;
    case 3:
        pass_n(s, 3, last, inclusive, state, y);
        break;
    default:
        pass_n(s, 4, last, inclusive, state, y);
    }
}

static void pass(const heedi_gla *s, heed_real *state, heed_real *y)
{
    if (s->inclusive)
        pass_of(s, true, state, y);
    else
        pass_of(s, false, state, y);
}

/* ---- keys ---- */

/* What the sums over the value channels go to. */
typedef struct sums {
    vec r, k, d;
} sums;

/* was: S of channel j before the step; g: gradient of S after it, which
 * becomes that of S before it. */
INLINE void channel(const heedi_gla_keys *s, vec was, heed_real *carry,
                    int64_t j, vec r, vec k, vec d, heed_real v, heed_real o,
                    sums *to)
{
    vec g = at(carry, j);
    if (s->inclusive)
        g += r * o;
    to->k += g * v;
    to->d += g * was;
    to->r += (s->inclusive ? d * was + k * v : was) * o;
    put(carry, j, s->inclusive ? d * g : d * g + r * o);
}

static void restate(const heedi_gla_keys *s, const heed_real *before,
                    heed_real *step)
{
    const int64_t n = s->values;
    memcpy(step, before, (size_t)n * sizeof(vec));
    for (int64_t t = 0; t + 1 < s->len; t++, step += n * L) {
        const vec k = load(s->k + t * s->ld, s->lanes), d = at(s->decay, t);
        const heed_real *v = s->v + t * s->ld_v;
        for (int64_t j = 0; j < n; j++)
            put(step, n + j, d * at(step, j) + k * v[j]);
    }
}

INLINE void give(heed_real *p, int64_t lanes, bool add, vec v)
{
    if (add)
        v += load(p, lanes);
    store(p, lanes, v);
}

static void keys(const heedi_gla_keys *s, const heed_real *before,
                 heed_real *carry, const heedi_gla_grad *to, heed_real *step)
{
    const int64_t n = s->values, lanes = s->lanes;
    restate(s, before, step);
    const vec u = s->bonus ? load(s->bonus, lanes) : (vec){0};
    for (int64_t t = s->len - 1; t >= 0; t--) {
        const vec r = load(s->r + t * s->ld, lanes);
        const vec k = load(s->k + t * s->ld, lanes), d = at(s->decay, t);
        const heed_real *v = s->v + t * s->ld_v, *o = s->o + t * s->ld_v;
        const heed_real *was = step + t * n * L;
        sums a = {0}, b = {0};
        heed_real now = 0;
        int64_t j = 0;
        for (; j + 1 < n; j += 2) {
            channel(s, at(was, j), carry, j, r, k, d, v[j], o[j], &a);
            channel(s, at(was, j + 1), carry, j + 1, r, k, d, v[j + 1],
                    o[j + 1], &b);
        }
        if (j < n)
            channel(s, at(was, j), carry, j, r, k, d, v[j], o[j], &a);
        for (j = 0; s->bonus && j < n; j++)
            now += v[j] * o[j];
        const vec both = u * now;
        give(to->r + t * s->ld, lanes, to->add_r, a.r + b.r + both * k);
        /* after r is there: the three may be one value */
        give(to->k + t * s->ld, lanes, to->add_k, a.k + b.k + both * r);
        give(to->w + t * s->ld, lanes, to->add_w,
             (a.d + b.d) * d * at(s->slope, t));
    }
}

/* ---- rows of the matrix ---- */

static void row(int64_t n, const heed_real *g, const heed_real *k,
                heed_real *out)
{
    enum { N = HEEDI_GLA_CHUNK / L };
    vec sum[N] = {{0}};
    for (int64_t i = 0; i < n; i++)
        for (int c = 0; c < N; c++)
            sum[c] += at(k + i * HEEDI_GLA_CHUNK, c) * g[i];
    for (int c = 0; c < N; c++)
        put(out, c, sum[c]);
}

const heedi_gla_table HEEDI_K(heedi_gla_table) = {
    .decay = decay,
    .logs = logs,
    .pass = pass,
    .keys = keys,
    .row = row,
};
