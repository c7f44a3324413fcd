#include "kernel.h"
#include "lanes.h"

/* Lanes are channels. Exponents and sums are double: the maximum goes down by w
 * at every step, and the same rounding of a small w thousands of times would be
 * another decay. Of two exponentials whose larger argument is the maximum, one
 * is 1. */
#define INLINE static inline __attribute__((always_inline))
typedef double dvec
    __attribute__((vector_size(L * sizeof(double)), aligned(64)));
typedef int64_t dmask
    __attribute__((vector_size(L * sizeof(double)), aligned(64)));

INLINE dvec wide(vec x)
{
    return __builtin_convertvector(x, dvec);
}

INLINE vec narrow(dvec x)
{
    return __builtin_convertvector(x, vec);
}

INLINE dvec get(const double *p, int64_t k)
{
    dvec v;
    memcpy(&v, p + k * L, sizeof v);
    return v;
}

INLINE void put(double *p, int64_t k, dvec v)
{
    memcpy(p + k * L, &v, sizeof v);
}

INLINE dvec pick(dmask m, dvec a, dvec b)
{
    return (dvec)(((dmask)a & m) | ((dmask)b & ~m));
}

/* exp(x), x <= 0 but for rounding */
INLINE dvec falls(dvec x)
{
    return wide(exp_scaled(narrow(x * (double)EXP_SCALE)));
}

/* m, a e^(old - m) + b e^(new - m) with m the larger exponent: what is left of
 * a and of b, (a, b) being any pair. */
typedef struct blend {
    dvec max, a, b;
} blend;

INLINE blend blend_of(dvec a, dvec b)
{
    const dmask first = a > b;
    const dvec d = pick(first, b - a, a - b), e = falls(d), one = {0};
    return (blend){pick(first, a, b), pick(first, one + 1, e),
                   pick(first, e, one + 1)};
}

typedef struct state {
    dvec num, den, max;
} state;

INLINE state open_state(const double *p)
{
    return (state){get(p, 0), get(p, 1), get(p, 2)};
}

INLINE void keep(double *p, state h)
{
    put(p, 0, h.num);
    put(p, 1, h.den);
    put(p, 2, h.max);
}

/* Of one step: the maximum of the exponents that y is made of, 1 / the sum of
 * their weights beside it, and y. */
typedef struct result {
    dvec max, inv, y;
} result;

INLINE result next(state *h, dvec k, dvec v, dvec w, dvec u)
{
    const dvec one = {0};
    blend o = blend_of(h->max, u + k);
    const dvec inv = (one + 1) / (o.a * h->den + o.b);
    const result r = {o.max, inv, (o.a * h->num + o.b * v) * inv};
    o = blend_of(h->max + w, k);
    *h = (state){o.a * h->num + o.b * v, o.a * h->den + o.b, o.max};
    return r;
}

static void forward(const heedi_wkv *s, double *from, heed_real *y,
                    double *marks, double *steps)
{
    const dvec w = get(s->w, 0), u = get(s->u, 0);
    state h = open_state(from);
    for (int64_t t = 0; t < s->len; t++) {
        if (marks && t % HEEDI_WKV_CHUNK == 0)
            keep(marks + t / HEEDI_WKV_CHUNK * HEEDI_WKV_STATE, h);
        const dvec k = wide(load(s->k + t * s->ld, s->lanes));
        dvec v = {0};
        if (s->v)
            v = wide(load(s->v + t * s->ld, s->lanes));
        const result r = next(&h, k, v, w, u);
        if (y)
            store(y + t * s->ld, s->lanes, narrow(r.y));
        if (steps)
            keep(steps + t * HEEDI_WKV_STATE, (state){r.max, r.inv, r.y});
    }
    keep(from, h);
}

/* carry: sums over the later rows r of e^(w (r-c-1) - log Z_r - max) times g_r,
 * and times g_r y_r; and max. */
static void back(const heedi_wkv *s, const double *steps, double *carry,
                 const heed_real *gy, const heedi_wkv_grad *to)
{
    const dvec w = get(s->w, 0), u = get(s->u, 0);
    state h = open_state(carry);
    for (int64_t t = s->len - 1; t >= 0; t--) {
        const double *step = steps + t * HEEDI_WKV_STATE;
        const int64_t row = t * s->ld;
        const dvec max = get(step, 0), y = get(step, 2);
        const dvec g = wide(load(gy + row, s->lanes)) * get(step, 1);
        const dvec k = wide(load(s->k + row, s->lanes));
        const dvec own = falls(u + k - max), later = falls(k + h.max);
        const dvec gv = own * g + later * h.num;
        if (to->k) {
            const dvec v = wide(load(s->v + row, s->lanes));
            vec gk = narrow(v * gv - (own * g * y + later * h.den));
            if (to->add_k)
                gk += load(to->k + row, s->lanes);
            store(to->k + row, s->lanes, gk);
        }
        vec r = narrow(gv);
        if (to->add_v) /* after k is there: k and v may be one value */
            r += load(to->v + row, s->lanes);
        store(to->v + row, s->lanes, r);
        const blend o = blend_of(h.max + w, -max);
        h = (state){o.a * h.num + o.b * g, o.a * h.den + o.b * g * y, o.max};
    }
    keep(carry, h);
}

static void weights(int64_t n, const double *k, double w, double max,
                    double inv, heed_real *out)
{
    dvec lane;
    for (int i = 0; i < L; i++)
        lane[i] = i;
    for (int64_t i = 0; i < n; i += L) {
        const int64_t lanes = n - i < L ? n - i : L;
        dvec x = {0};
        memcpy(&x, k + i, (size_t)lanes * sizeof *k);
        x += w * ((double)(n - 1 - i) - lane) - max;
        store(out + i, lanes, narrow(falls(x) * inv));
    }
}

const heedi_wkv_table HEEDI_K(heedi_wkv_table) = {
    .forward = forward,
    .back = back,
    .weights = weights,
};
