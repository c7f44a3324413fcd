#include "kernel.h"
#include "math.h"

#include <stdint.h>

/* Lanes are channels, in vectors that the compiler splits into what the
 * instruction set has. States stay in registers where there are 16 of them. */
enum { L = HEEDI_LANES };
typedef heed_real vec
    __attribute__((vector_size(L * sizeof(heed_real)), aligned(64)));

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

#if HEED_REAL_IS_DOUBLE
static inline vec vexp(vec x)
{
    for (int i = 0; i < L; i++)
        x[i] = exp(x[i]);
    return x;
}
#else
typedef int32_t ivec __attribute__((vector_size(L * sizeof(int32_t))));

/* exp_f() of math.h for x <= 0: decays only. Below -87.3 it is 0. */
static inline vec vexp(vec x)
{
    const ivec below = x < splat(-87.3f);
    vec z = (vec)((ivec)x & ~below);
    vec t = z * 1.44269504f + 12582912.0f;
    vec k = t - 12582912.0f;
    vec r = z - k * 0.693359375f;
    r = r + k * 2.12194440e-4f;
    vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    /* the low bits of t are k: they go to the exponent */
    p = (vec)((ivec)p + ((ivec)t << 23));
    return (vec)((ivec)p & ~below);
}
#endif

static inline double lane_sum(vec v)
{
    double s = 0;
    for (int i = 0; i < L; i++)
        s += (double)v[i];
    return s;
}

/* The loops once for a number of states that the compiler knows, and once for
 * any. n is inlined as a constant or as s->n_state. */
static inline __attribute__((always_inline)) void
forward_n(const heedi_scan *s, const int64_t n, vec *h, heed_real *y,
          heed_real *marks)
{
    const vec d = load(s->d, s->lanes);
    for (int64_t t = 0; t < s->len; t++) {
        if (marks && t % HEEDI_SCAN_CHUNK == 0)
            memcpy(marks + t / HEEDI_SCAN_CHUNK * n * L, h,
                   (size_t)n * sizeof *h);
        const vec x = load(s->x + t * s->ld, s->lanes);
        const vec dt = load(s->dt + t * s->ld, s->lanes);
        const heed_real *b = s->b + t * n, *c = s->c + t * n;
        __builtin_prefetch(s->x + (t + 8) * s->ld);
        __builtin_prefetch(s->dt + (t + 8) * s->ld);
        const vec u = dt * x;
        vec y0 = d * x, y1 = {0};
#pragma GCC unroll 16
        for (int64_t k = 0; k < n; k++) {
            vec a;
            memcpy(&a, s->a + k * L, sizeof a);
            h[k] = vexp(dt * a) * h[k] + u * b[k];
            if (k & 1)
                y1 += h[k] * c[k];
            else
                y0 += h[k] * c[k];
        }
        store(y + t * s->ld, s->lanes, y0 + y1);
    }
}

static void forward(const heedi_scan *s, heed_real *state, heed_real *y,
                    heed_real *marks)
{
    if (s->n_state == 16) {
        vec h[16];
        memcpy(h, state, sizeof h);
        forward_n(s, 16, h, y, marks);
        memcpy(state, h, sizeof h);
        return;
    }
    forward_n(s, s->n_state, (vec *)(void *)state, y, marks);
}

/* g holds exp(dt a) g of the step after. */
static inline __attribute__((always_inline)) void
relevance_n(const heedi_scan *s, const int64_t n, vec *g, const heed_real *gy,
            heed_real *gx, bool add)
{
    const vec d = load(s->d, s->lanes);
    for (int64_t t = s->len - 1; t >= 0; t--) {
        const vec o = load(gy + t * s->ld, s->lanes);
        const vec dt = load(s->dt + t * s->ld, s->lanes);
        const heed_real *b = s->b + t * n, *c = s->c + t * n;
        vec s0 = {0}, s1 = {0};
#pragma GCC unroll 16
        for (int64_t k = 0; k < n; k++) {
            vec a;
            memcpy(&a, s->a + k * L, sizeof a);
            const vec w = g[k] + o * c[k];
            if (k & 1)
                s1 += w * b[k];
            else
                s0 += w * b[k];
            g[k] = vexp(dt * a) * w;
        }
        vec r = dt * (s0 + s1) + d * o;
        if (add)
            r += load(gx + t * s->ld, s->lanes);
        store(gx + t * s->ld, s->lanes, r);
    }
}

static void relevance(const heedi_scan *s, heed_real *state,
                      const heed_real *gy, heed_real *gx, bool add)
{
    if (s->n_state == 16) {
        vec g[16];
        memcpy(g, state, sizeof g);
        relevance_n(s, 16, g, gy, gx, add);
        memcpy(state, g, sizeof g);
        return;
    }
    relevance_n(s, s->n_state, (vec *)(void *)state, gy, gx, add);
}

/* States and decays of the chunk again, then backwards through them. */
static void vjp(const heedi_scan *s, const heed_real *h0, heed_real *g0,
                const heed_real *gy, heed_real *gx, heed_real *gdt,
                heed_real *gb, heed_real *gc, bool add_x, bool add_dt,
                heed_real *work)
{
    const int64_t n = s->n_state;
    const vec d = load(s->d, s->lanes);
    vec *decay = (vec *)(void *)work, *h = decay + s->len * n;
    vec *g = (vec *)(void *)g0;
    const vec *before = (const vec *)(const void *)h0;
    for (int64_t t = 0; t < s->len; t++) {
        const vec x = load(s->x + t * s->ld, s->lanes);
        const vec dt = load(s->dt + t * s->ld, s->lanes);
        for (int64_t k = 0; k < n; k++) {
            vec a;
            memcpy(&a, s->a + k * L, sizeof a);
            decay[t * n + k] = vexp(dt * a);
            h[t * n + k] =
                decay[t * n + k] * (t ? h[(t - 1) * n + k] : before[k]) +
                dt * x * s->b[t * n + k];
        }
    }
    for (int64_t t = s->len - 1; t >= 0; t--) {
        const vec x = load(s->x + t * s->ld, s->lanes);
        const vec dt = load(s->dt + t * s->ld, s->lanes);
        const vec o = load(gy + t * s->ld, s->lanes);
        vec sx = {0}, sd = {0};
        for (int64_t k = 0; k < n; k++) {
            vec a;
            memcpy(&a, s->a + k * L, sizeof a);
            const vec w = g[k] + o * s->c[t * n + k];
            const vec e = decay[t * n + k] * w;
            gb[t * n + k] = (heed_real)lane_sum(w * dt * x);
            gc[t * n + k] = (heed_real)lane_sum(o * h[t * n + k]);
            sx += w * s->b[t * n + k];
            sd += e * a * (t ? h[(t - 1) * n + k] : before[k]);
            g[k] = e;
        }
        vec r = dt * sx + d * o, q = x * sx + sd;
        if (add_x)
            r += load(gx + t * s->ld, s->lanes);
        store(gx + t * s->ld, s->lanes, r);
        if (add_dt) /* after gx is there: x and dt may be one value */
            q += load(gdt + t * s->ld, s->lanes);
        store(gdt + t * s->ld, s->lanes, q);
    }
}

const heedi_scan_table HEEDI_K(heedi_scan_table) = {
    .forward = forward,
    .relevance = relevance,
    .vjp = vjp,
};
