#include "separable_sum.h"

#include <math.h>
#include <string.h>

#include "gemm.h"
#include "kernel.h"
#include "mixing.h"

/* An entry is that of a column of y, or of a head where nothing tells its
 * columns apart:
 *     gram[r][c] x[r][e] z[c][e], with a filter
 *     sum over k of gram[r][c+k] x[r][e] z_k[c][e].
 * Entries are taken at most WIDE at a time. */
enum {
    ROWS = HEEDI_SEP_ROWS,
    COLS = HEEDI_SEP_COLS,
    LD = HEEDI_SEP_LD,
    TAPS = HEEDI_SEP_TAPS,
    WIDE = 256,
    NARROW = 64 /* where they are not multiplied as matrices */
};

typedef struct work {
    const heedi_separable_tile *t;
    int64_t each, taps;   /* entries of a head */
    heed_real many;       /* columns that an entry stands for */
    bool weighted, signs; /* x z may be below 0 */
    heed_real *x, *z;     /* (ROWS, 2 WIDE), (COLS, 2 WIDE) */
    heed_real *in;        /* (LD, WIDE): z before a filter */
    heed_real *product;   /* (TAPS, ROWS, COLS) */
    heed_real *turned;    /* (COLS / LANES, NARROW, TAPS, LANES) */
} work;

size_t heedi_separable_sum_room(void)
{
    return sizeof(heed_real) *
           (size_t)(2 * WIDE * (ROWS + COLS) + LD * WIDE + TAPS * ROWS * COLS +
                    COLS * NARROW * TAPS);
}

static work work_of(const heedi_separable_tile *t, void *room)
{
    const heedi_fold *f = t->f;
    work w = {.t = t, .taps = f->filter ? f->width : 1, .x = room};
    w.weighted = f->left || f->right || f->post || f->filter;
    w.signs = w.weighted || !t->c->y->op->mixing->positive;
    w.each = w.weighted ? heedi_mixing_width(t->c->y) : 1;
    w.many =
        w.weighted || f->by_head ? 1 : (heed_real)heedi_mixing_width(t->c->y);
    w.z = w.x + 2 * WIDE * ROWS;
    w.in = w.z + 2 * WIDE * COLS;
    w.product = w.in + LD * WIDE;
    w.turned = w.product + TAPS * ROWS * COLS;
    return w;
}

/* ---- factors of entries e ... e+n-1 ---- */

/* s[head] of each entry, times a row of weights, or NULL. */
static void factor(const work *w, int64_t e, int64_t n, const heed_real *s,
                   const heed_real *weight, heed_real *out)
{
    const int64_t each = w->each;
    if (!s)
        for (int64_t i = 0; i < n; i++)
            out[i] = 1;
    else if (each == 1)
        memcpy(out, s + e, (size_t)n * sizeof *out);
    else
        for (int64_t i = 0, h = e / each; i < n; h++) {
            const int64_t to = (h + 1) * each - e < n ? (h + 1) * each - e : n;
            for (; i < to; i++)
                out[i] = s[h];
        }
    if (weight)
        heedi_vector()->scale((size_t)n, weight, out, 1, out);
}

/* Row `row` of the sequence, first column of the entries. */
static const heed_real *row_of(const work *w, const heed_real *x, int64_t row,
                               int64_t e)
{
    const heedi_separable_tile *t = w->t;
    const int64_t cols = t->c->y->cols;
    const int64_t d = t->x.h0 * heedi_mixing_width(t->c->y) + e;
    return x ? x + (t->c->row0 + row) * cols + d : NULL;
}

static const heed_real *tap_of(const work *w, int64_t k, int64_t e)
{
    const heedi_separable_tile *t = w->t;
    return t->f->filter + (w->taps - 1 - k) * t->c->y->cols +
           t->x.h0 * heedi_mixing_width(t->c->y) + e;
}

static void left_of(const work *w, int64_t e, int64_t n, int64_t ld)
{
    const heedi_separable_part *x = &w->t->x;
    for (int64_t i = 0; i < x->n; i++)
        factor(w, e, n, w->t->p ? w->t->p + i * x->nh : NULL,
               row_of(w, w->t->f->left, x->r0 + i, e), w->x + i * ld);
}

/* q right, of the columns and of those that a filter reads: 0 beyond the last
 * one of the sequence. */
static void right_of(const work *w, int64_t e, int64_t n)
{
    const heedi_separable_part *x = &w->t->x;
    const int64_t len = heedi_len(w->t->c->run->batch, w->t->c->seq);
    for (int64_t i = 0; i < x->m + w->taps - 1; i++)
        if (x->c0 + i < len)
            factor(w, e, n, w->t->q ? w->t->q + i * x->nh : NULL,
                   row_of(w, w->t->f->right, x->c0 + i, e), w->in + i * n);
        else
            memset(w->in + i * n, 0, (size_t)n * sizeof *w->in);
}

/* z_k of column i; without a gram, the sum over k. */
static void column(const work *w, int64_t i, int64_t k, int64_t e, int64_t n,
                   heed_real *out)
{
    const heedi_vector_table *v = heedi_vector();
    const int64_t len = heedi_len(w->t->c->run->batch, w->t->c->seq);
    const heed_real *in = w->in + (i + k) * n;
    const heed_real *post = row_of(w, w->t->f->post, w->t->x.c0 + i, e);
    if (!w->t->f->filter) {
        memcpy(out, in, (size_t)n * sizeof *out);
    } else {
        v->scale((size_t)n, in, tap_of(w, k, e), 1, out);
        for (int64_t j = 1; !w->t->gram && j < w->taps; j++)
            v->scale_add((size_t)n, in + j * n, tap_of(w, j, e), 1, out);
    }
    if (post && w->t->x.c0 + i < len)
        v->scale((size_t)n, post, out, 1, out);
}

/* ---- products ---- */

static void absolutes(heed_real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = x[i] < 0 ? -x[i] : x[i];
}

static void squares(heed_real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= x[i];
}

/* Rows of n values, 2 n apart: x becomes its positive parts, then the negative
 * ones. */
static void halves(heed_real *x, int64_t rows, int64_t n)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < n; i++) {
            const heed_real v = x[2 * r * n + i];
            x[2 * r * n + i] = v > 0 ? v : 0;
            x[(2 * r + 1) * n + i] = v < 0 ? -v : 0;
        }
}

/* product number k (+)= x z^T over n of ld entries. */
static void times(const work *w, int64_t k, const heed_real *x,
                  const heed_real *z, int64_t n, int64_t ld, bool add)
{
    heedi_blas(false, true, w->t->x.n, w->t->x.m, n, 1, x, ld, z, ld,
               add ? 1 : 0, w->product + k * ROWS * COLS, COLS);
}

/* (x z)+ = x+ z+ + x- z-, which a positive gram keeps; a negative one needs
 * those of the other sign. */
static void positive(const work *w, int64_t n, bool add)
{
    halves(w->x, w->t->x.n, n);
    halves(w->z, w->t->x.m, n);
    times(w, 0, w->x, w->z, 2 * n, 2 * n, add);
    if (!w->t->gram)
        return;
    times(w, 1, w->x, w->z + n, n, 2 * n, add);
    times(w, 1, w->x + n, w->z, n, 2 * n, true);
}

/* Of entries e ... e+n-1, as f needs them. */
static void multiply(const work *w, heedi_fold_kind f, int64_t e, int64_t n,
                     bool add)
{
    const heedi_separable_part *x = &w->t->x;
    const bool both = f == HEEDI_FOLD_POSITIVE && w->signs;
    const int64_t ld = both ? 2 * n : n;
    left_of(w, e, n, ld);
    right_of(w, e, n);
    if (f == HEEDI_FOLD_ABSOLUTE)
        absolutes(w->x, x->n * n);
    if (f == HEEDI_FOLD_SQUARE)
        squares(w->x, x->n * n);
    for (int64_t k = 0; k < (w->t->gram ? w->taps : 1); k++) {
        for (int64_t i = 0; i < x->m; i++)
            column(w, i, k, e, n, w->z + i * ld);
        if (f == HEEDI_FOLD_ABSOLUTE)
            absolutes(w->z, x->m * n);
        if (f == HEEDI_FOLD_SQUARE)
            squares(w->z, x->m * n);
        if (both)
            positive(w, n, add);
        else
            times(w, k, w->x, w->z, n, n, add);
    }
}

static heed_real taken(heedi_fold_kind f, heed_real acc, heed_real x)
{
    return f == HEEDI_FOLD_SUM        ? acc + x
           : f == HEEDI_FOLD_POSITIVE ? acc + (x > 0 ? x : 0)
           : f == HEEDI_FOLD_ABSOLUTE ? acc + (x < 0 ? -x : x)
           : f == HEEDI_FOLD_SQUARE   ? acc + x * x
           : x > acc                  ? x
                                      : acc;
}

/* f of the sums over the columns of a head */
static void finish_head(const work *w)
{
    const heedi_separable_tile *t = w->t;
    for (int64_t r = 0; r < t->x.n; r++)
        for (int64_t c = 0; c < t->x.m; c++) {
            const heed_real s = w->product[r * COLS + c];
            heed_real *to = t->acc + r * COLS + c;
            *to = taken(t->f->f, *to, t->gram ? t->gram[r * LD + c] * s : s);
        }
}

static void finish(const work *w)
{
    const heed_real many = w->many;
    const heedi_separable_tile *t = w->t;
    const heedi_fold_kind f = t->f->f;
    const int64_t m = t->x.m;
    for (int64_t r = 0; r < t->x.n; r++) {
        heed_real *to = t->acc + r * COLS;
        const heed_real *g = t->gram ? t->gram + r * LD : NULL;
        const heed_real *s = w->product + r * COLS, *other = s + ROWS * COLS;
        if (!g)
            heedi_vector()->axpy((size_t)m, many, s, to);
        for (int64_t k = 0; g && f == HEEDI_FOLD_SUM && k < w->taps; k++)
            heedi_vector()->scale_add((size_t)m, s + k * ROWS * COLS, g + k,
                                      many, to);
        for (int64_t c = 0; g && f == HEEDI_FOLD_ABSOLUTE && c < m; c++)
            to[c] += many * (g[c] < 0 ? -g[c] : g[c]) * s[c];
        for (int64_t c = 0; g && f == HEEDI_FOLD_SQUARE && c < m; c++)
            to[c] += many * g[c] * g[c] * s[c];
        for (int64_t c = 0; g && f == HEEDI_FOLD_POSITIVE && c < m; c++)
            to[c] += many * g[c] * (g[c] > 0 ? s[c] : -other[c]);
    }
}

static void products(const work *w, bool by_head)
{
    const heedi_fold_kind f = by_head ? HEEDI_FOLD_SUM : w->t->f->f;
    const int64_t all = w->t->x.nh * w->each, part = by_head ? w->each : all;
    for (int64_t e0 = 0; e0 < all; e0 += part) {
        for (int64_t e = e0; e < e0 + part; e += WIDE)
            multiply(w, f, e, e0 + part - e < WIDE ? e0 + part - e : WIDE,
                     e > e0);
        if (by_head)
            finish_head(w);
        else
            finish(w);
    }
}

/* ---- entry by entry ---- */

static void turn(const work *w, int64_t e, int64_t n, int64_t taps)
{
    enum { L = HEEDI_LANES };
    for (int64_t k = 0; k < taps; k++)
        for (int64_t i = 0; i < w->t->x.m; i++) {
            heed_real *to = w->turned + (i / L * n * taps + k) * L + i % L;
            column(w, i, k, e, n, w->z);
            for (int64_t j = 0; j < n; j++)
                to[j * taps * L] = w->z[j];
        }
}

static heedi_entries entries_of(const work *w, int64_t n, int64_t taps)
{
    const heedi_separable_tile *t = w->t;
    return (heedi_entries){.rows = t->x.n,
                           .cols = t->x.m,
                           .depth = n,
                           .taps = taps,
                           .ldg = LD,
                           .ldx = n,
                           .ldz = n * taps * HEEDI_LANES,
                           .ld = COLS,
                           .g = t->gram,
                           .x = w->x,
                           .z = w->turned,
                           .f = t->f->f,
                           .times = w->many,
                           .acc = t->acc};
}

/* Factors of entries e ... e+n-1; how many values z has of a column. */
static int64_t prepare(const work *w, int64_t e, int64_t n)
{
    const int64_t taps = w->t->gram ? w->taps : 1;
    left_of(w, e, n, n);
    right_of(w, e, n);
    turn(w, e, n, taps);
    return taps;
}

static void entries(const work *w)
{
    const int64_t all = w->t->x.nh * w->each;
    for (int64_t e = 0; e < all; e += NARROW) {
        const int64_t n = all - e < NARROW ? all - e : NARROW;
        const heedi_entries k = entries_of(w, n, prepare(w, e, n));
        heedi_fold_kernels()->entries(&k);
    }
}

/* One entry of each head. */
static void entry_of_each(const work *w,
                          void (*fill)(const void *arg, int64_t head),
                          const void *arg)
{
    const heedi_separable_part *x = &w->t->x;
    for (int64_t e = 0; e < x->nh; e += NARROW) {
        const int64_t n = x->nh - e < NARROW ? x->nh - e : NARROW;
        heedi_entries k = entries_of(w, n, prepare(w, e, n));
        k.depth = 1;
        for (int64_t i = 0; i < n; i++, k.x++, k.z += k.taps * HEEDI_LANES) {
            fill(arg, x->h0 + e + i);
            heedi_fold_kernels()->entries(&k);
        }
    }
}

/* An entry of one head is the gram's. */
static void as_it_is(const work *w)
{
    const heedi_separable_tile *t = w->t;
    const heedi_fold_kind f = t->f->f;
    for (int64_t r = 0; r < t->x.n; r++)
        for (int64_t c = 0; c < t->x.m; c++) {
            heed_real *to = t->acc + r * COLS + c;
            const heed_real x = t->gram[r * LD + c];
            *to = f == HEEDI_FOLD_MAX ? taken(f, *to, x)
                                      : *to + w->many * taken(f, 0, x);
        }
}

void heedi_separable_sum(const heedi_separable_tile *t, void *room)
{
    const work w = work_of(t, room);
    if (!w.weighted && !t->p && t->x.nh == 1) {
        as_it_is(&w);
        return;
    }
    const heedi_fold_kind f = t->f->f;
    const bool mixed = w.taps > 1 && t->gram && f != HEEDI_FOLD_SUM;
    if (t->f->by_head && w.each > 1 && f != HEEDI_FOLD_SUM)
        products(&w, true);
    else if (f == HEEDI_FOLD_MAX || mixed)
        entries(&w);
    else
        products(&w, false);
}

void heedi_separable_each(const heedi_separable_tile *t,
                          void (*fill)(const void *arg, int64_t head),
                          const void *arg, void *room)
{
    const work w = work_of(t, room);
    if (w.each == 1) {
        entry_of_each(&w, fill, arg);
        return;
    }
    for (int64_t h = t->x.h0; h < t->x.h0 + t->x.nh; h++) {
        heedi_separable_tile one = *t;
        one.x.h0 = h;
        one.x.nh = 1;
        fill(arg, h);
        heedi_separable_sum(&one, room);
    }
}
