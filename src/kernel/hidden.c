#include <math.h>

#include "kernel.h"
#include "lanes.h"

/* Rows of the matrices of 16 channels, folded. A channel's entry is
 *     sum over n of C_r[n] exp(A[n] sum dt, c < k <= r) u_c B_c[n],
 * and with a reference between c and r a product of rank n_state:
 *     left_r C_r[n] exp(A[n] sum dt, ref <= k <= r)      the row's factor P
 *     u_c B_c[n] exp(A[n] sum dt, c < k < ref)           the column's Q
 * Both exponents are at most 0, and both sums are made from their own end, in
 * double: no difference of sums. A filter goes to Q. All rows of a tile have
 * its first as reference for columns well before it; then, for every BLOCK and
 * every SUB rows, their first for the columns after that; what remains near the
 * diagonal is a state that runs from row to row, lanes being columns. Of this,
 * only the rows that are asked for are made.
 *
 * Of a channel's states only those are made and multiplied in a tile that
 * count: whose largest C and B there, with the decay from the tile's last
 * column to the reference, are not 2^30 below those of another state. Columns
 * before and rows after that only widen the distance. */
#define INLINE static inline __attribute__((always_inline))

enum {
    SUB = HEEDI_HIDDEN_SUB,
    BLOCK = 4 * SUB,
    COLS = HEEDI_HIDDEN_COLS,
    VECS = COLS / L
};

/* A tile of products in registers: so many rows, and vectors of columns. */
#if defined(__AVX512F__)
enum { TALL = HEEDI_HIDDEN_TALL, WIDE = 3 };
#else
enum { TALL = HEEDI_HIDDEN_TALL / 2, WIDE = 1 };
#endif

/* What is so far below another is not seen in the sum: 2^-30, and e^-45 in
 * double, as exp_scaled() takes it. */
static const heed_real FAINT = sizeof(heed_real) == 4 ? -30 : -45;

/* States of a channel that count. */
typedef struct heard {
    int32_t n, *at;
} heard;

/* Working memory of a thread. */
typedef struct room {
    int64_t ld, np;        /* columns, states, rounded up */
    heed_real *dt, *u;     /* (LANES, ld): steps; what enters at a column */
    heed_real *post, *sum; /* the same: of filters; of Q's exponents */
    heed_real *p;          /* (LANES, rows, np) */
    heed_real *q;          /* (LANES, n_state, COLS) */
    heed_real *line;       /* a panel of Q before the filter; rows near the
                              diagonal, (SUB, ...) */
    heed_real *rate;       /* (LANES, np): A, as exponentials take it */
    heed_real *state;      /* (n_state, LANES) */
    heed_real *decay;      /* (np) */
    heed_real *heard;      /* (LANES, np): indices of states */
    heed_real *most;       /* (np): logarithms of a tile's largest |C| |B| */
} room;

static int64_t end_of(const heedi_hidden *h)
{
    return h->first + h->n;
}

static room room_of(const heedi_hidden *h, heed_real *work)
{
    room r = {.ld = heedi_hidden_columns(end_of(h)),
              .np = (h->n_state + L - 1) / L * L};
    const int64_t rows = (h->n + SUB - 1) / SUB * SUB;
    heed_real **const part[] = {&r.dt,    &r.u,     &r.post,  &r.sum,
                                &r.p,     &r.q,     &r.line,  &r.rate,
                                &r.state, &r.decay, &r.heard, &r.most};
    const int64_t size[] = {L * r.ld,
                            L * r.ld,
                            L * r.ld,
                            L * r.ld,
                            L * rows * r.np,
                            L * h->n_state * COLS,
                            SUB * heedi_hidden_line(h->width),
                            L * r.np,
                            h->n_state * L,
                            r.np,
                            L * r.np,
                            r.np};
    for (int i = 0; i < 12; i++) {
        *part[i] = work;
        work += size[i];
    }
    return r;
}

INLINE vec get(const heed_real *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void put(heed_real *p, vec v)
{
    memcpy(p, &v, sizeof v);
}

INLINE vec larger(vec a, vec b)
{
    for (int i = 0; i < L; i++)
        a[i] = a[i] > b[i] ? a[i] : b[i];
    return a;
}

INLINE vec folded(heedi_fold_kind f, vec sum, vec a)
{
    return f == HEEDI_FOLD_SUM        ? sum + a
           : f == HEEDI_FOLD_POSITIVE ? sum + larger(a, (vec){0})
           : f == HEEDI_FOLD_ABSOLUTE ? sum + larger(a, -a)
           : f == HEEDI_FOLD_SQUARE   ? sum + a * a
                                      : larger(sum, a);
}

/* ---- what does not depend on rows ---- */

/* Columns of one channel after the other. */
static void turn(const heedi_hidden *h, const room *r)
{
    const int64_t end = end_of(h);
    for (int64_t d = 0; d < L; d++) {
        for (int64_t i = 0; i < r->np; i++)
            r->rate[d * r->np + i] =
                i < h->n_state ? h->a[i * L + d] * (heed_real)EXP_SCALE : 0;
        memset(r->dt + d * r->ld + end, 0,
               (size_t)(r->ld - end) * sizeof *r->dt);
        memset(r->u + d * r->ld + end, 0, (size_t)(r->ld - end) * sizeof *r->u);
    }
    for (int64_t c = 0; c < end; c++) {
        const vec dt = load(h->dt + c * h->ld, h->lanes);
        vec u = dt, post = splat(1);
        if (h->right)
            u *= load(h->right + c * h->ld, h->lanes);
        if (h->post)
            post = load(h->post + c * h->ld, h->lanes);
        if (!h->filter)
            u *= post;
        for (int64_t d = 0; d < L; d++) {
            r->dt[d * r->ld + c] = dt[d];
            r->u[d * r->ld + c] = u[d];
            if (h->filter)
                r->post[d * r->ld + c] = post[d];
        }
    }
}

/* ---- factors, of states that count ---- */

/* P of n rows from `low` on of one channel, reference `from`. */
static void row_factors(const heedi_hidden *h, const room *r, int64_t d,
                        int64_t from, int64_t low, int64_t n, heed_real *p)
{
    const heed_real *rate = r->rate + d * r->np;
    double sum = 0;
    for (int64_t i = from; i < low; i++)
        sum += (double)r->dt[d * r->ld + i];
    for (int64_t i = 0; i < n; i++) {
        const heed_real *c = h->c + (low + i) * h->ldc;
        const heed_real left =
            h->left && d < h->lanes ? h->left[(low + i) * h->ld + d] : 1;
        sum += (double)r->dt[d * r->ld + low + i];
        for (int64_t k = 0; k < r->np; k += L) {
            const int64_t m = h->n_state - k < L ? h->n_state - k : L;
            put(p + i * r->np + k,
                load(c + k, m) * left *
                    exp_scaled(get(rate + k) * (heed_real)sum));
        }
    }
    for (int64_t i = n; i % TALL != 0; i++)
        memset(p + i * r->np, 0, (size_t)r->np * sizeof *p);
}

/* Sums of steps between each column c0 ... and the reference. */
static void column_sums(const room *r, int64_t d, int64_t c0, int64_t ref)
{
    double sum = 0;
    for (int64_t c = ref - 1; c >= c0; c--) {
        r->sum[d * r->ld + c] = (heed_real)sum;
        sum += (double)r->dt[d * r->ld + c];
    }
}

/* With the largest |B| of so many columns. */
static void tile_most(const heedi_hidden *h, const room *r, int64_t c0,
                      int64_t n_columns)
{
    for (int64_t n = 0; n < h->n_state; n++) {
        const heed_real *b = h->b + n * h->ldb + c0;
        heed_real most = 0;
        for (int64_t c = 0; c < n_columns; c++) {
            const heed_real size = b[c] < 0 ? -b[c] : b[c];
            most = size < most ? most : size;
        }
        r->most[n] = (heed_real)((double)EXP_SCALE *
                                 (log((double)most) + log((double)h->most[n])));
    }
}

/* States of channel d that count where `sum` is the steps between the tile's
 * last column and the reference. */
static heard states(const heedi_hidden *h, const room *r, int64_t d,
                    heed_real sum)
{
    const heed_real *rate = r->rate + d * r->np;
    const heed_real none = -(heed_real)HUGE_VAL;
    heard k = {0, (int32_t *)(void *)(r->heard + d * r->np)};
    heed_real top = none;
    for (int64_t n = 0; n < h->n_state; n++) {
        const heed_real x = r->most[n] + rate[n] * sum;
        top = x > top ? x : top;
    }
    for (int64_t n = 0; n < h->n_state; n++) {
        const heed_real x = r->most[n] + rate[n] * sum;
        if (!(x < top + FAINT || x == none)) /* a NaN counts */
            k.at[k.n++] = (int32_t)n;
    }
    return k;
}

/* Q of columns c0 ... c0 + 16 nv - 1 of one channel. */
static void column_factors(const heedi_hidden *h, const room *r, int64_t d,
                           int64_t c0, int64_t nv, heard k)
{
    const heed_real *sum = r->sum + d * r->ld + c0, *u = r->u + d * r->ld + c0;
    for (int32_t i = 0; i < k.n; i++) {
        const int64_t n = k.at[i];
        heed_real *q = r->q + (d * h->n_state + n) * COLS;
        const heed_real *b = h->b + n * h->ldb + c0;
        const heed_real rate = r->rate[d * r->np + n];
        const int64_t more = h->filter ? (h->width - 1 + L - 1) / L : 0;
        heed_real *to = h->filter ? r->line : q;
        for (int64_t v = 0; v < (nv + more) * L; v += L)
            put(to + v,
                get(u + v) * get(b + v) * exp_scaled(get(sum + v) * rate));
        for (int64_t v = 0; h->filter && v < nv * L; v += L) {
            vec x = {0};
            for (int64_t t = 0; t < h->width; t++)
                x += get(to + v + t) *
                     h->filter[(h->width - 1 - t) * h->ldw + d];
            put(q + v, x * get(r->post + d * r->ld + c0 + v));
        }
    }
}

/* ---- products ---- */

/* One state more. */
INLINE void multiply(const heed_real *p, int64_t np, const heed_real *q,
                     const int nv, vec acc[TALL][WIDE])
{
    vec x[WIDE];
#pragma GCC unroll 3
    for (int v = 0; v < nv; v++)
        x[v] = get(q + v * L);
#pragma GCC unroll 8
    for (int i = 0; i < TALL; i++) {
        const vec a = splat(p[i * np]);
#pragma GCC unroll 3
        for (int v = 0; v < nv; v++)
            acc[i][v] += a * x[v];
    }
}

/* Those that count; all, in order, need no list. */
INLINE void multiply_heard(const heed_real *p, int64_t np, const heed_real *q,
                           heard k, const int64_t n_state, const int nv,
                           vec acc[TALL][WIDE])
{
    if (k.n == n_state)
        for (int64_t n = 0; n < n_state; n++)
            multiply(p + n, np, q + n * COLS, nv, acc);
    else
        for (int32_t s = 0; s < k.n; s++)
            multiply(p + k.at[s], np, q + (int64_t)k.at[s] * COLS, nv, acc);
}

/* A tile of the accumulator, all channels. */
INLINE void tile(const heedi_hidden *h, const room *r, int64_t ldp,
                 const heed_real *p, const heed_real *q, const heard *k,
                 heed_real *m, const heedi_fold_kind f, const int64_t n_state,
                 const int nv)
{
    vec acc[TALL][WIDE];
    const int64_t np = n_state == L ? L : r->np;
    if (f == HEEDI_FOLD_SUM) {
#pragma GCC unroll 8
        for (int i = 0; i < TALL; i++)
#pragma GCC unroll 3
            for (int v = 0; v < nv; v++)
                acc[i][v] = get(m + i * h->lda + v * L);
        for (int64_t d = 0; d < h->lanes; d++)
            multiply_heard(p + d * ldp, np, q + d * n_state * COLS, k[d],
                           n_state, nv, acc);
#pragma GCC unroll 8
        for (int i = 0; i < TALL; i++)
#pragma GCC unroll 3
            for (int v = 0; v < nv; v++)
                put(m + i * h->lda + v * L, acc[i][v]);
        return;
    }
    for (int64_t d = 0; d < h->lanes; d++) {
#pragma GCC unroll 8
        for (int i = 0; i < TALL; i++)
#pragma GCC unroll 3
            for (int v = 0; v < nv; v++)
                acc[i][v] = (vec){0};
        multiply_heard(p + d * ldp, np, q + d * n_state * COLS, k[d], n_state,
                       nv, acc);
#pragma GCC unroll 8
        for (int i = 0; i < TALL; i++)
#pragma GCC unroll 3
            for (int v = 0; v < nv; v++) {
                heed_real *to = m + i * h->lda + v * L;
                put(to, folded(f, get(to), acc[i][v]));
            }
    }
}

/* nv vectors of columns, `rows` rows. */
INLINE void tiles(const heedi_hidden *h, const room *r, int64_t ldp,
                  int64_t rows, int64_t nv, const heard *k, heed_real *m,
                  const heedi_fold_kind f, const int64_t n_state)
{
    for (int64_t i = 0; i < rows; i += TALL) {
        const heed_real *p = r->p + i * r->np;
        heed_real *to = m + i * h->lda;
        int64_t v = 0;
        for (; v + WIDE <= nv; v += WIDE)
            tile(h, r, ldp, p, r->q + v * L, k, to + v * L, f, n_state, WIDE);
        for (; WIDE > 1 && v < nv; v++)
            tile(h, r, ldp, p, r->q + v * L, k, to + v * L, f, n_state, 1);
    }
}

#define TILES(f)                                                             \
    static void tiles_##f(const heedi_hidden *h, const room *r, int64_t ldp, \
                          int64_t rows, int64_t nv, const heard *k,          \
                          heed_real *m)                                      \
    {                                                                        \
        if (h->n_state == L)                                                 \
            tiles(h, r, ldp, rows, nv, k, m, HEEDI_FOLD_##f, L);             \
        else                                                                 \
            tiles(h, r, ldp, rows, nv, k, m, HEEDI_FOLD_##f, h->n_state);    \
    }
TILES(SUM)
TILES(POSITIVE)
TILES(ABSOLUTE)
TILES(SQUARE)
TILES(MAX)

typedef void tiles_fn(const heedi_hidden *h, const room *r, int64_t ldp,
                      int64_t rows, int64_t nv, const heard *k, heed_real *m);
static tiles_fn *const tiles_of[HEEDI_N_FOLD] = {
    [HEEDI_FOLD_SUM] = tiles_SUM,
    [HEEDI_FOLD_POSITIVE] = tiles_POSITIVE,
    [HEEDI_FOLD_ABSOLUTE] = tiles_ABSOLUTE,
    [HEEDI_FOLD_SQUARE] = tiles_SQUARE,
    [HEEDI_FOLD_MAX] = tiles_MAX,
};

/* Rows from ... of columns c0 ... c1-1, c1 - c0 a multiple of 16: all before
 * the reference `from`, and so is what the filter reads. Of rows to whose TALLs
 * others follow, there are whole TALLs. */
static void before(const heedi_hidden *h, const room *r, int64_t from,
                   int64_t rows, int64_t c0, int64_t c1)
{
    const int64_t low = from > h->first ? from : h->first;
    const int64_t last = from + rows < end_of(h) ? from + rows : end_of(h);
    const int64_t taps = h->filter ? h->width - 1 : 0;
    const int64_t n = last - low, ldp = (n + TALL - 1) / TALL * TALL * r->np;
    if (c0 >= c1)
        return;
    for (int64_t d = 0; d < h->lanes; d++) {
        row_factors(h, r, d, from, low, n, r->p + d * ldp);
        column_sums(r, d, c0, from);
    }
    for (int64_t c = c0; c < c1; c += COLS) {
        const int64_t nv = c1 - c < COLS ? (c1 - c) / L : VECS;
        const int64_t near = c + nv * L - 1 + taps;
        heard k[L];
        tile_most(h, r, c, near + 1 - c);
        for (int64_t d = 0; d < h->lanes; d++) {
            k[d] = states(h, r, d, r->sum[d * r->ld + near]);
            column_factors(h, r, d, c, nv, k[d]);
        }
        tiles_of[h->f](h, r, ldp, n, nv, k,
                       h->acc + (low - h->first) * h->lda + c);
    }
}

/* ---- near the diagonal ---- */

/* Rows of one channel's own matrix, 16 columns from c on, to `line`. The state
 * is in registers where their number is known. */
INLINE void run(const heedi_hidden *h, const room *r, int64_t d, int64_t from,
                int64_t rows, int64_t c, heed_real *line, int64_t ld, vec *s,
                heed_real *e, const int64_t n_state)
{
    const heed_real *dt = r->dt + d * r->ld, *rate = r->rate + d * r->np;
    const vec u = get(r->u + d * r->ld + c), sum = get(r->sum + d * r->ld + c);
    vec in = {0}; /* columns before the first row */
    for (int i = 0; i < L; i++)
        in[i] = c + i < from;
#pragma GCC unroll 16
    for (int64_t n = 0; n < n_state; n++)
        s[n] = in * u * get(h->b + n * h->ldb + c) * exp_scaled(sum * rate[n]);
    for (int64_t i = 0; i < rows; i++) {
        const int64_t row = from + i;
        const heed_real *cr = h->c + row * h->ldc;
        vec y0 = {0}, y1 = {0}, here = {0};
        if (row >= c && row < c + L)
            here[row - c] = u[row - c];
        for (int64_t n = 0; n < n_state; n += L)
            put(e + n, exp_scaled(get(rate + n) * dt[row]));
#pragma GCC unroll 16
        for (int64_t n = 0; n < n_state; n++) {
            s[n] = s[n] * e[n] + here * h->b[n * h->ldb + row];
            if (n & 1)
                y1 += s[n] * cr[n];
            else
                y0 += s[n] * cr[n];
        }
        put(line + i * ld, y0 + y1);
    }
}

/* Filter, weights and f of rows near the diagonal, columns c0 ... */
static void finish(const heedi_hidden *h, const room *r, int64_t d,
                   int64_t from, int64_t rows, int64_t c0, int64_t nv,
                   int64_t ld)
{
    const heed_real *post = r->post + d * r->ld + c0;
    for (int64_t i = from < h->first ? h->first - from : 0; i < rows; i++) {
        const heed_real *x = r->line + i * ld;
        heed_real *to = h->acc + (from - h->first + i) * h->lda + c0;
        const heed_real left =
            h->left ? h->left[(from + i) * h->ld + d] : (heed_real)1;
        for (int64_t v = 0; v < nv * L; v += L) {
            vec a = {0};
            for (int64_t k = 0; h->filter && k < h->width; k++)
                a +=
                    get(x + v + k) * h->filter[(h->width - 1 - k) * h->ldw + d];
            a = h->filter ? a * get(post + v) : get(x + v);
            put(to + v, folded(h->f, get(to + v), a * left));
        }
    }
}

static void near(const heedi_hidden *h, const room *r, int64_t from, int64_t c0)
{
    const int64_t left = end_of(h) - from, rows = left < SUB ? left : SUB;
    const int64_t nv = (from + rows - c0 + L - 1) / L;
    const int64_t ld = heedi_hidden_line(h->width);
    for (int64_t d = 0; d < h->lanes; d++) {
        column_sums(r, d, c0, from);
        memset(r->sum + d * r->ld + from, 0,
               (size_t)(c0 + nv * L - from) * sizeof *r->sum);
        for (int64_t i = 0; i < rows; i++)
            memset(r->line + i * ld + nv * L, 0,
                   (size_t)(ld - nv * L) * sizeof *r->line);
        for (int64_t v = 0; v < nv; v++) {
            vec s[L];
            heed_real e[L];
            if (h->n_state == L)
                run(h, r, d, from, rows, c0 + v * L, r->line + v * L, ld, s, e,
                    L);
            else
                run(h, r, d, from, rows, c0 + v * L, r->line + v * L, ld,
                    (vec *)(void *)r->state, r->decay, h->n_state);
        }
        finish(h, r, d, from, rows, c0, nv, ld);
    }
}

/* ---- all of it ---- */

static int64_t multiple(int64_t x, int64_t of)
{
    return x > 0 ? x / of * of : 0;
}

/* Rows from ..., of which columns before `done` are there: those well before
 * the first row with it as the reference, then the rest in parts. */
static void block(const heedi_hidden *h, const room *r, int64_t from,
                  int64_t rows, int64_t done)
{
    const int64_t taps = h->filter ? h->width - 1 : 0;
    const int64_t part = rows > BLOCK ? BLOCK : SUB;
    const int64_t c0 = done + multiple(from - taps - done, L);
    if (from >= end_of(h) || from + rows <= h->first)
        return;
    before(h, r, from, rows, done, c0);
    if (rows == SUB) {
        near(h, r, from, c0);
        return;
    }
    for (int64_t i = 0; i < rows; i += part)
        block(h, r, from + i, part, c0);
}

static void fold(const heedi_hidden *h, heed_real *work)
{
    const room r = room_of(h, work);
    turn(h, &r);
    block(h, &r, h->q0, HEEDI_HIDDEN_TILE, 0);
}

const heedi_hidden_table HEEDI_K(heedi_hidden_table) = {fold};
