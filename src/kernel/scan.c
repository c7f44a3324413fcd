#include "kernel.h"
#include "lanes.h"

/* Lanes are channels. Every loop exists once for 16 states of 16 channels,
 * which stay in registers, and once for any number, in memory. The compiler
 * keeps an array in registers only if it sees its indices early: hence
 * written-out loops, and no memcpy of the whole. */
#define INLINE     static inline __attribute__((always_inline))
#define PAIR(f, k) f(k, 0) f(k + 1, 1)
#define SIXTEEN(f) \
    PAIR(f, 0)     \
    PAIR(f, 2)     \
    PAIR(f, 4) PAIR(f, 6) PAIR(f, 8) PAIR(f, 10) PAIR(f, 12) PAIR(f, 14)
/* f(k, odd) for each state; n is a constant 16, or anything. Which of two sums
 * a state goes to is written out, so that compilers fuse multiply-adds in the
 * same places wherever f is the same. */
#define EACH(n, f)                                   \
    do {                                             \
        if (n == 16) {                               \
            SIXTEEN(f)                               \
        } else {                                     \
            for (int64_t k = 0; k + 1 < n; k += 2) { \
                PAIR(f, k)                           \
            }                                        \
            if (n & 1) {                             \
                f(n - 1, 0)                          \
            }                                        \
        }                                            \
    } while (0)

INLINE bool known(const heedi_scan *s)
{
    return s->n_state == 16 && s->lanes == L;
}

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

/* A state to registers, and back. */
#define GET(k, odd)  h[k] = at(state, k);
#define BACK(k, odd) put(state, k, h[k]);

INLINE vec next(const heedi_scan *s, int64_t k, vec e, vec h, vec u,
                heed_real b)
{
    return exp_scaled(e * at(s->a, k)) * h + u * b;
}

/* y: NULL for the states alone. */
INLINE void forward_n(const heedi_scan *s, const int64_t n, const int64_t lanes,
                      vec *h, heed_real *y, heed_real *marks, int64_t every)
{
    const vec d = load(s->d, lanes);
    for (int64_t t = 0; t < s->len; t++) {
        if (marks && t % every == 0) {
#define F(k, odd) put(marks, k, h[k]);
            EACH(n, F);
#undef F
            marks += n * L;
        }
        const vec x = load(s->x + t * s->ld, lanes);
        const vec dt = load(s->dt + t * s->ld, lanes);
        const heed_real *b = s->b + t * s->ldb, *c = s->c + t * s->ldb;
        __builtin_prefetch(s->x + (t + 8) * s->ld);
        __builtin_prefetch(s->dt + (t + 8) * s->ld);
        const vec u = dt * x, e = dt * EXP_SCALE;
        vec y0 = d * x, y1 = {0};
#define F(k, odd)                        \
    h[k] = next(s, k, e, h[k], u, b[k]); \
    if (y && odd)                        \
        y1 += h[k] * c[k];               \
    else if (y)                          \
        y0 += h[k] * c[k];
        EACH(n, F);
#undef F
        if (y)
            store(y + t * s->ld, lanes, y0 + y1);
    }
}

static void forward(const heedi_scan *s, heed_real *state, heed_real *y,
                    heed_real *marks)
{
    if (known(s)) {
        vec h[16];
        SIXTEEN(GET)
        forward_n(s, 16, L, h, y, marks, HEEDI_SCAN_CHUNK);
        SIXTEEN(BACK)
        return;
    }
    forward_n(s, s->n_state, s->lanes, (vec *)(void *)state, y, marks,
              HEEDI_SCAN_CHUNK);
}

static void restate(const heedi_scan *s, const heed_real *state,
                    heed_real *work, heed_real *marks)
{
    if (known(s)) {
        vec h[16];
        SIXTEEN(GET)
        forward_n(s, 16, L, h, NULL, marks, HEEDI_SCAN_PIECE);
        return;
    }
    memcpy(work, state, (size_t)s->n_state * sizeof(vec));
    forward_n(s, s->n_state, s->lanes, (vec *)(void *)work, NULL, marks,
              HEEDI_SCAN_PIECE);
}

/* What both backward functions give x. */
INLINE vec to_x(vec dt, vec sum, vec d, vec gy)
{
    return dt * sum + d * gy;
}

/* g holds exp(dt a) g of the step after. */
INLINE void relevance_n(const heedi_scan *s, const int64_t n,
                        const int64_t lanes, vec *g, const heed_real *gy,
                        heed_real *gx, bool add)
{
    const vec d = load(s->d, lanes);
    for (int64_t t = s->len - 1; t >= 0; t--) {
        const vec o = load(gy + t * s->ld, lanes);
        const vec dt = load(s->dt + t * s->ld, lanes);
        const heed_real *b = s->b + t * s->ldb, *c = s->c + t * s->ldb;
        if (t >= 8) {
            __builtin_prefetch(gy + (t - 8) * s->ld);
            __builtin_prefetch(s->dt + (t - 8) * s->ld);
        }
        const vec e = dt * EXP_SCALE;
        vec s0 = {0}, s1 = {0};
#define F(k, odd)                               \
    {                                           \
        const vec w = g[k] + o * c[k];          \
        if (odd)                                \
            s1 += w * b[k];                     \
        else                                    \
            s0 += w * b[k];                     \
        g[k] = exp_scaled(e * at(s->a, k)) * w; \
    }
        EACH(n, F);
#undef F
        vec r = to_x(dt, s0 + s1, d, o);
        if (add)
            r += load(gx + t * s->ld, lanes);
        store(gx + t * s->ld, lanes, r);
    }
}

static void relevance(const heedi_scan *s, heed_real *state,
                      const heed_real *gy, heed_real *gx, bool add)
{
    if (known(s)) {
        vec h[16];
        SIXTEEN(GET)
        relevance_n(s, 16, L, h, gy, gx, add);
        SIXTEEN(BACK)
        return;
    }
    relevance_n(s, s->n_state, s->lanes, (vec *)(void *)state, gy, gx, add);
}

/* A step of a piece: decay and state after it, of every n; and sums over the
 * groups of channels of what B and C get. */
typedef struct pair {
    vec a, h;
} pair;

/* Decays and states of the piece again. step: of len + 1 steps, the one before
 * the piece first. */
INLINE void replay_n(const heedi_scan *s, const int64_t n, const int64_t lanes,
                     vec *h, pair *step)
{
#define F(k, odd) step[k].h = h[k];
    EACH(n, F);
#undef F
    for (int64_t t = 0; t < s->len; t++) {
        const vec dt = load(s->dt + t * s->ld, lanes);
        const vec u = dt * load(s->x + t * s->ld, lanes);
        const vec e = dt * EXP_SCALE;
        const heed_real *b = s->b + t * s->ldb;
        step += n;
#define F(k, odd)                            \
    step[k].a = exp_scaled(e * at(s->a, k)); \
    step[k].h = h[k] = step[k].a * h[k] + u * b[k];
        EACH(n, F);
#undef F
    }
}

INLINE void vjp_n(const heedi_scan *s, const int64_t n, const int64_t lanes,
                  vec *g, const heed_real *gy, const heedi_scan_grad *to,
                  const pair *step)
{
    const vec d = load(s->d, lanes);
    for (int64_t t = s->len - 1; t >= 0; t--) {
        const int64_t row = t * s->ld;
        const vec x = load(s->x + row, lanes);
        const vec dt = load(s->dt + row, lanes);
        const vec o = load(gy + row, lanes), u = dt * x;
        const heed_real *b = s->b + t * s->ldb, *c = s->c + t * s->ldb;
        const pair *was = step + t * n, *is = was + n;
        pair *sum = (pair *)(void *)to->sum + t * n;
        vec s0 = {0}, s1 = {0}, q0 = {0}, q1 = {0};
        const int64_t ahead = row - HEEDI_SCAN_PIECE * s->ld;
        __builtin_prefetch(gy + ahead); /* of the piece before */
        __builtin_prefetch(to->x + ahead, 1);
        __builtin_prefetch(to->dt + ahead, 1);
#define F(k, odd)                             \
    {                                         \
        const vec w = g[k] + o * c[k];        \
        const vec q = at(s->a, k) * was[k].h; \
        sum[k].a += w * u;                    \
        sum[k].h += o * is[k].h;              \
        g[k] = is[k].a * w;                   \
        if (odd) {                            \
            s1 += w * b[k];                   \
            q1 += g[k] * q;                   \
        } else {                              \
            s0 += w * b[k];                   \
            q0 += g[k] * q;                   \
        }                                     \
    }
        EACH(n, F);
#undef F
        vec r = to_x(dt, s0 + s1, d, o), q = x * (s0 + s1) + (q0 + q1);
        if (to->add_x)
            r += load(to->x + row, lanes);
        store(to->x + row, lanes, r);
        if (to->add_dt) /* after x is there: x and dt may be one value */
            q += load(to->dt + row, lanes);
        store(to->dt + row, lanes, q);
    }
}

static void vjp(const heedi_scan *s, const heed_real *before, heed_real *carry,
                const heed_real *gy, const heedi_scan_grad *to, heed_real *work)
{
    pair *step = (pair *)(void *)(work + s->n_state * L);
    if (known(s)) {
        vec h[16];
        const heed_real *from = before;
        heed_real *state = carry;
#define F(k, odd) h[k] = at(from, k);
        SIXTEEN(F)
#undef F
        replay_n(s, 16, L, h, step);
        SIXTEEN(GET)
        vjp_n(s, 16, L, h, gy, to, step);
        SIXTEEN(BACK)
        return;
    }
    memcpy(work, before, (size_t)s->n_state * sizeof(vec));
    replay_n(s, s->n_state, s->lanes, (vec *)(void *)work, step);
    vjp_n(s, s->n_state, s->lanes, (vec *)(void *)carry, gy, to, step);
}

static void fold(int64_t n, const heed_real *sum, heed_real *gb, heed_real *gc)
{
    for (int64_t i = 0; i < n; i++) {
        gb[i] = lane_sum(at(sum, 2 * i));
        gc[i] = lane_sum(at(sum, 2 * i + 1));
    }
}

static void decay(int64_t n, const heed_real *x, heed_real *y)
{
    for (int64_t i = 0; i < n; i += L)
        store(y + i, L, exp_scaled(load(x + i, L) * EXP_SCALE));
}

const heedi_scan_table HEEDI_K(heedi_scan_table) = {
    .forward = forward,
    .restate = restate,
    .relevance = relevance,
    .vjp = vjp,
    .fold = fold,
    .decay = decay,
};
