#include "fold.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "gemm.h"
#include "separable.h"

/* ---- what is summed ---- */

/* acc[i] (+)= times f(x[i]) */
typedef void take_fn(int64_t n, const heed_real *x, double times, double *acc);

static void take_sum(int64_t n, const heed_real *x, double times, double *acc)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        acc[i] += times * (double)x[i];
}

static void take_positive(int64_t n, const heed_real *x, double times,
                          double *acc)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        acc[i] += x[i] > 0 ? times * (double)x[i] : 0;
}

static void take_absolute(int64_t n, const heed_real *x, double times,
                          double *acc)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        acc[i] += times * fabs((double)x[i]);
}

static void take_square(int64_t n, const heed_real *x, double times,
                        double *acc)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        acc[i] += times * (double)x[i] * (double)x[i];
}

static void take_max(int64_t n, const heed_real *x, double times, double *acc)
{
    (void)times;
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        acc[i] = (double)x[i] > acc[i] ? (double)x[i] : acc[i];
}

static const struct {
    take_fn *take;
    double start;
} kinds[HEEDI_N_FOLD] = {
    [HEEDI_FOLD_SUM] = {take_sum, 0},
    [HEEDI_FOLD_POSITIVE] = {take_positive, 0},
    [HEEDI_FOLD_ABSOLUTE] = {take_absolute, 0},
    [HEEDI_FOLD_SQUARE] = {take_square, 0},
    [HEEDI_FOLD_MAX] = {take_max, -HUGE_VAL},
};

/* ---- one column ---- */

/* m[r][c] *= x[c][d] */
static void scale_columns(heed_real *m, int64_t n, int64_t len,
                          const heed_real *x, int64_t cols)
{
    for (int64_t c = 0; x && c < len; c++)
        for (int64_t r = 0; r < n; r++)
            m[r * len + c] *= x[c * cols];
}

/* The filter of one channel over a row, in place: K[c] is read before anything
 * that it needs is overwritten. */
static void filter_row(heed_real *m, int64_t len, const heed_real *w,
                       int64_t cols, int64_t width, bool reversed)
{
    const int64_t step = reversed ? -1 : 1;
    for (int64_t i = 0; i < len; i++) {
        const int64_t c = reversed ? len - 1 - i : i;
        const int64_t most = len - i < width ? len - i : width;
        heed_real sum = 0;
        for (int64_t k = 0; k < most; k++)
            sum += m[c + step * k] * w[(width - 1 - k) * cols];
        m[c] = sum;
    }
}

static void add_skip(const heedi_fold *f, int64_t d, int64_t i, int64_t n,
                     int64_t len, heed_real *m)
{
    for (int64_t r = 0; f->skip && r < n; r++)
        m[r * len + f->q0 + i + r] += f->skip[d];
}

void heedi_fold_entries(const heedi_node *y, const heedi_run *run,
                        const heedi_fold *f, int64_t d, int64_t i, int64_t n,
                        heed_real *m)
{
    const int64_t row0 = run->batch->start[f->seq], cols = y->cols;
    const int64_t len = heedi_len(run->batch, f->seq), at = row0 * cols + d;
    add_skip(f, d, i, n, len, m);
    scale_columns(m, n, len, f->right ? f->right + at : NULL, cols);
    for (int64_t r = 0; f->filter && r < n; r++)
        filter_row(m + r * len, len, f->filter + d, cols, f->width,
                   f->reversed);
    scale_columns(m, n, len, f->post ? f->post + at : NULL, cols);
    for (int64_t r = 0; f->left && r < n; r++) {
        const heed_real l = f->left[(row0 + f->q0 + i + r) * cols + d];
        for (int64_t c = 0; c < len; c++)
            m[r * len + c] *= l;
    }
}

/* ---- a tile ---- */

typedef struct room {
    heed_real *m, *work; /* (ROWS, T) */
    heed_real *l, *r;    /* (ROWS, width), (T, width) */
    double *acc;         /* (ROWS, T) */
} room;

static size_t room_size(const heedi_node *y, int64_t longest)
{
    const size_t t = (size_t)longest, w = (size_t)heedi_mixing_width(y);
    const size_t reals = 2 * HEEDI_FOLD_ROWS * t + (HEEDI_FOLD_ROWS + t) * w;
    const size_t n =
        HEEDI_FOLD_ROWS * t * sizeof(double) + reals * sizeof(heed_real);
    return (n + 63) / 64 * 64;
}

static room room_of(const heedi_node *y, const heedi_batch *b, void *scratch)
{
    const int64_t t = b->longest, w = heedi_mixing_width(y);
    char *at = (char *)scratch +
               (size_t)omp_get_thread_num() * room_size(y, b->longest);
    room r = {.acc = (double *)(void *)at};
    r.m = (heed_real *)(void *)(r.acc + HEEDI_FOLD_ROWS * t);
    r.work = r.m + HEEDI_FOLD_ROWS * t;
    r.l = r.work + HEEDI_FOLD_ROWS * t;
    r.r = r.l + HEEDI_FOLD_ROWS * w;
    return r;
}

typedef struct tile {
    const heedi_node *y;
    const heedi_run *run;
    const heedi_fold *f;
    int64_t head, i, n; /* rows f->q0 + i ... + n - 1 */
    int64_t len, end;   /* columns; those that anything may enter */
} tile;

static void take(const tile *t, const heed_real *x, double times, double *acc)
{
    for (int64_t r = 0; r < t->n; r++)
        kinds[t->f->f].take(t->end, x + r * t->len, times, acc + r * t->len);
}

/* work[r][c] = sum over the head's columns of left_r x_c, x_c being
 * right_{c+k} post_c filter_k. */
static void weights(const tile *t, int64_t k, const room *r)
{
    const heedi_fold *f = t->f;
    const int64_t cols = t->y->cols, w = heedi_mixing_width(t->y);
    const int64_t row0 = t->run->batch->start[f->seq], d0 = t->head * w;
    const int64_t step = f->reversed ? -k : k;
    for (int64_t i = 0; i < t->n * w; i++)
        r->l[i] =
            f->left ? f->left[(row0 + f->q0 + t->i + i / w) * cols + d0 + i % w]
                    : 1;
    for (int64_t c = 0; c < t->end; c++)
        for (int64_t d = 0; d < w; d++) {
            const int64_t from = c + step, at = d0 + d;
            heed_real x = from >= 0 && from < t->len &&
                          (!f->pick || f->by_head || f->pick[at]);
            if (x != 0 && f->right)
                x = f->right[(row0 + from) * cols + at];
            if (f->post)
                x *= f->post[(row0 + c) * cols + at];
            if (f->filter)
                x *= f->filter[(f->width - 1 - k) * cols + at];
            r->r[c * w + d] = x;
        }
    heedi_blas(false, true, t->n, t->end, w, 1, r->l, w, r->r, w, 0, r->work,
               t->len);
}

/* A linear sum over the columns of a head, or f of it: products of M's entries
 * with a weight that is an inner product over the columns. */
static void by_weight(const tile *t, const room *r)
{
    const heedi_fold *f = t->f;
    for (int64_t k = 0; k < (f->filter ? f->width : 1); k++) {
        const int64_t step = f->reversed ? -k : k;
        weights(t, k, r);
        for (int64_t i = 0; i < t->n; i++) {
            heed_real *w = r->work + i * t->len;
            const heed_real *m = r->m + i * t->len;
            for (int64_t c = 0; c < t->end; c++)
                w[c] *= c + step >= 0 && c + step < t->len ? m[c + step] : 0;
        }
        take(t, r->work, 1, r->acc);
    }
}

static void by_column(const tile *t, const room *r)
{
    const int64_t w = heedi_mixing_width(t->y);
    for (int64_t d = 0; d < w; d++) {
        heed_real *x = d == w - 1 ? r->m : r->work;
        if (t->f->pick && !t->f->pick[t->head * w + d])
            continue;
        if (x != r->m)
            memcpy(x, r->m, (size_t)(t->n * t->len) * sizeof *x);
        heedi_fold_entries(t->y, t->run, t->f, t->head * w + d, t->i, t->n, x);
        take(t, x, 1, r->acc);
    }
}

/* Beyond it, every entry of the tile is 0, and f(0) is. */
static int64_t last_column(const tile *t, const heed_real *m)
{
    int64_t end = 0;
    if (t->f->f == HEEDI_FOLD_MAX)
        return t->len;
    for (int64_t r = 0; r < t->n; r++) {
        int64_t e = t->len;
        while (e > end && m[r * t->len + e - 1] == 0)
            e--;
        end = e;
    }
    end += t->f->filter && t->f->reversed ? t->f->width - 1 : 0;
    return end < t->len ? end : t->len;
}

/* Columns of the head that count. */
static int64_t n_picked(const tile *t, int64_t w)
{
    const bool *pick = t->f->pick;
    int64_t n = 0;
    if (!pick || t->f->by_head)
        return !pick || pick[t->head * w] ? w : 0;
    for (int64_t d = 0; d < w; d++)
        n += pick[t->head * w + d];
    return n;
}

static void one_head(tile *t, const room *r)
{
    const heedi_fold *f = t->f;
    const int64_t w = heedi_mixing_width(t->y), picked = n_picked(t, w);
    const bool weighted = f->left || f->right || f->post || f->filter;
    if (picked == 0)
        return;
    const heedi_view v = {.seq = f->seq,
                          .head = t->head,
                          .q0 = f->q0 + t->i,
                          .nq = t->n,
                          .out = r->m,
                          .before = f->before};
    t->y->op->mixing->rows(t->y, t->run, &v);
    const bool whole = w > 1 && (f->by_head || f->f == HEEDI_FOLD_SUM);
    if (!weighted || whole)
        add_skip(f, t->head * w, t->i, t->n, t->len, r->m);
    t->end = f->skip ? t->len : last_column(t, r->m);
    if (!weighted)
        take(t, r->m, f->by_head ? 1 : (double)picked, r->acc);
    else if (whole)
        by_weight(t, r);
    else
        by_column(t, r);
}

static void one_tile(tile *t, const room *r)
{
    const int64_t n = t->n * t->len;
    heed_real *out = t->f->out + t->i * t->len;
    for (int64_t k = 0; k < n; k++)
        r->acc[k] = kinds[t->f->f].start;
    for (t->head = 0; t->head < t->y->op->mixing->heads(t->y); t->head++)
        one_head(t, r);
    for (int64_t k = 0; k < n; k++)
        out[k] = (heed_real)(r->acc[k] + 0.0); /* no -0 */
}

size_t heedi_fold_scratch(const heedi_node *y, const heedi_batch *b,
                          int threads, int64_t nq)
{
    const heedi_mixing *m = y->op->mixing;
    const size_t rows = (size_t)threads * room_size(y, b->longest);
    const size_t own = m->separable ? heedi_separable_scratch(y, b, threads, nq)
                       : m->fold_scratch ? m->fold_scratch(y, b, threads, nq)
                                         : 0;
    return own > rows ? own : rows;
}

void heedi_fold_rows(const heedi_node *y, const heedi_run *run,
                     const heedi_fold *f)
{
    const int64_t end = f->q0 + f->nq;
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t k = f->q0 / HEEDI_FOLD_ROWS;
         k < (end + HEEDI_FOLD_ROWS - 1) / HEEDI_FOLD_ROWS; k++) {
        const room r = room_of(y, run->batch, f->scratch);
        const int64_t at = k * HEEDI_FOLD_ROWS, next = at + HEEDI_FOLD_ROWS;
        const int64_t q0 = at > f->q0 ? at : f->q0;
        tile t = {.y = y,
                  .run = run,
                  .f = f,
                  .i = q0 - f->q0,
                  .n = (next < end ? next : end) - q0,
                  .len = heedi_len(run->batch, f->seq)};
        one_tile(&t, &r);
    }
}

static double value(const heed_real *x, int64_t i)
{
    return x ? (double)x[i] : 1;
}

/* To entry (r, c = r - k) of a sum, what the skip gives. */
static double skipped(const heedi_node *y, const heedi_run *run,
                      const heedi_fold *f, int64_t r, int64_t c, int64_t k)
{
    const int64_t cols = y->cols, row0 = run->batch->start[f->seq];
    const bool once = f->by_head && !f->left && !f->right && !f->post;
    double sum = 0;
    for (int64_t d = 0; d < cols; d += once ? heedi_mixing_width(y) : 1)
        sum += value(f->left, (row0 + r) * cols + d) * (double)f->skip[d] *
               value(f->right, (row0 + r) * cols + d) *
               value(f->filter, (f->width - 1 - k) * cols + d) *
               value(f->post, (row0 + c) * cols + d);
    return sum;
}

static void add_skips(const heedi_node *y, const heedi_run *run,
                      const heedi_fold *f)
{
    const int64_t len = heedi_len(run->batch, f->seq);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < f->nq; i++)
        for (int64_t k = 0; k < (f->filter ? f->width : 1); k++) {
            const int64_t r = f->q0 + i, c = f->reversed ? r + k : r - k;
            if (c >= 0 && c < len)
                f->out[i * len + c] += (heed_real)skipped(y, run, f, r, c, k);
        }
}

void heedi_fold_run(const heedi_node *y, const heedi_run *run,
                    const heedi_fold *f)
{
    heedi_fold plain = *f;
    plain.skip = NULL;
    if (y->op->mixing->separable && heedi_separable_does(f)) {
        heedi_separable_fold(y, run, f);
        return;
    }
    if (!y->op->mixing->fold || f->pick ||
        (f->skip && f->f != HEEDI_FOLD_SUM)) {
        heedi_fold_rows(y, run, f);
        return;
    }
    y->op->mixing->fold(y, run, &plain);
    if (f->skip)
        add_skips(y, run, f);
}
