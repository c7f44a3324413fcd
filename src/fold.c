#include "fold.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "gemm.h"

int64_t heedi_mixing_width(const heedi_node *y)
{
    return y->cols / y->op->mixing->heads(y);
}

int64_t heedi_mixing_column(const heedi_node *y, int64_t d)
{
    const heedi_node *v = y->in[y->op->mixing->operand];
    const int64_t w = heedi_mixing_width(y);
    return d / w / (y->cols / v->cols) * w + d % w;
}

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

void heedi_fold_entries(const heedi_node *y, const heedi_run *run,
                        const heedi_fold *f, int64_t d, int64_t i, int64_t n,
                        heed_real *m)
{
    const int64_t row0 = run->batch->start[f->seq], cols = y->cols;
    const int64_t len = heedi_len(run->batch, f->seq), at = row0 * cols + d;
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
            heed_real x = from >= 0 && from < t->len;
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

static void one_head(tile *t, const room *r)
{
    const heedi_fold *f = t->f;
    const int64_t w = heedi_mixing_width(t->y);
    const bool weighted = f->left || f->right || f->post || f->filter;
    const heedi_view v = {.seq = f->seq,
                          .head = t->head,
                          .q0 = f->q0 + t->i,
                          .nq = t->n,
                          .out = r->m,
                          .before = f->before};
    t->y->op->mixing->rows(t->y, t->run, &v);
    t->end = last_column(t, r->m);
    if (!weighted)
        take(t, r->m, f->by_head ? 1 : (double)w, r->acc);
    else if (w > 1 && (f->by_head || f->f == HEEDI_FOLD_SUM))
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
    if (m->fold)
        return m->fold_scratch ? m->fold_scratch(y, b, threads, nq) : 0;
    return (size_t)threads * room_size(y, b->longest);
}

void heedi_fold_run(const heedi_node *y, const heedi_run *run,
                    const heedi_fold *f)
{
    if (y->op->mixing->fold) {
        y->op->mixing->fold(y, run, f);
        return;
    }
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t i = 0; i < f->nq; i += HEEDI_FOLD_ROWS) {
        const room r = room_of(y, run->batch, f->scratch);
        tile t = {.y = y,
                  .run = run,
                  .f = f,
                  .i = i,
                  .n =
                      f->nq - i < HEEDI_FOLD_ROWS ? f->nq - i : HEEDI_FOLD_ROWS,
                  .len = heedi_len(run->batch, f->seq)};
        one_tile(&t, &r);
    }
}

/* ---- products ---- */

size_t heedi_mixing_scratch(const heedi_node *y, const heedi_batch *b,
                            int threads)
{
    const heedi_mixing *m = y->op->mixing;
    if (m->transpose && m->apply)
        return 0;
    return (size_t)threads * (size_t)(HEEDI_SMALL_TILE * b->longest) *
           sizeof(heed_real);
}

static heed_real *tile_of(const heedi_batch *b, void *scratch)
{
    return (heed_real *)scratch +
           omp_get_thread_num() * HEEDI_SMALL_TILE * b->longest;
}

/* Of one part of the operand: the heads that read it, row after row. */
static void transpose_part(const heedi_node *y, const heedi_run *run,
                           int64_t seq, int64_t part, const heed_real *g,
                           heed_real *gv, heed_real *m)
{
    const heedi_node *v = y->in[y->op->mixing->operand];
    const int64_t w = heedi_mixing_width(y), heads = y->cols / w;
    const int64_t each = y->cols / v->cols, len = heedi_len(run->batch, seq);
    const int64_t row0 = run->batch->start[seq];
    heed_real *to = gv + row0 * v->cols + part * w;
    for (int64_t c = 0; c < len; c++)
        memset(to + c * v->cols, 0, (size_t)w * sizeof *to);
    for (int64_t h = part * each; h < (part + 1) * each && h < heads; h++)
        for (int64_t q = 0; q < len; q += HEEDI_SMALL_TILE) {
            const int64_t n =
                len - q < HEEDI_SMALL_TILE ? len - q : HEEDI_SMALL_TILE;
            const heedi_view view = {
                .seq = seq, .head = h, .q0 = q, .nq = n, .out = m};
            y->op->mixing->rows(y, run, &view);
            heedi_blas(true, false, len, w, n, 1, m, len,
                       g + (row0 + q) * y->cols + h * w, y->cols, 1, to,
                       v->cols);
        }
}

void heedi_mixing_transpose(const heedi_node *y, const heedi_run *run,
                            const heed_real *g, heed_real *gv, void *scratch)
{
    const heedi_node *v = y->in[y->op->mixing->operand];
    const int64_t parts = v->cols / heedi_mixing_width(y);
    if (y->op->mixing->transpose) {
        y->op->mixing->transpose(y, run, g, gv);
        return;
    }
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < run->batch->n_seq; seq++)
        for (int64_t part = 0; part < parts; part++)
            transpose_part(y, run, seq, part, g, gv,
                           tile_of(run->batch, scratch));
}

void heedi_mixing_apply(const heedi_node *y, const heedi_run *run,
                        const heed_real *x, heed_real *out, void *scratch)
{
    const heedi_node *v = y->in[y->op->mixing->operand];
    const heedi_batch *b = run->batch;
    const int64_t w = heedi_mixing_width(y), heads = y->cols / w;
    if (y->op->mixing->apply) {
        y->op->mixing->apply(y, run, x, out);
        return;
    }
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t k = 0; k < b->n_small; k++) {
        const heedi_tile t = b->small[k];
        const int64_t row0 = b->start[t.seq], len = heedi_len(b, t.seq);
        heed_real *m = tile_of(b, scratch);
        for (int64_t h = 0; h < heads; h++) {
            const heedi_view view = {.seq = t.seq,
                                     .head = h,
                                     .q0 = t.row - row0,
                                     .nq = t.n,
                                     .out = m};
            y->op->mixing->rows(y, run, &view);
            heedi_blas(false, false, t.n, w, len, 1, m, len,
                       x + row0 * v->cols + heedi_mixing_column(y, h * w),
                       v->cols, 0, out + t.row * y->cols + h * w, y->cols);
        }
    }
}
