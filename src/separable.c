#include "separable.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "mixing.h"
#include "separable_sum.h"

enum {
    ROWS = HEEDI_SEP_ROWS,
    COLS = HEEDI_SEP_COLS,
    STRIP = HEEDI_SEP_STRIP,
    LD = HEEDI_SEP_LD,
    HEADS = HEEDI_SEP_HEADS
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static size_t aligned(size_t n)
{
    return (n + 63) / 64 * 64;
}

static const heedi_separable *of(const heedi_node *y)
{
    return y->op->mixing->separable;
}

bool heedi_separable_does(const heedi_fold *f)
{
    return !f->pick &&
           (!f->filter || (!f->reversed && f->width <= HEEDI_SEP_TAPS));
}

/* ---- memory ---- */

/* Of a thread: factors, gram, a tile of the sum; the operation's own. */
static size_t factors(void)
{
    return (size_t)(ROWS + LD) * HEADS + HEEDI_LANES + (size_t)ROWS * LD +
           (size_t)ROWS * COLS;
}

static size_t per_thread(const heedi_node *y)
{
    return aligned(factors() * sizeof(heed_real)) +
           aligned(heedi_separable_sum_room()) + aligned(of(y)->own(y));
}

/* Rows of the blocks that nq rows can be in. */
static int64_t most_rows(int64_t nq, int64_t len)
{
    return least((nq + 2 * ROWS - 2) / ROWS * ROWS, len);
}

size_t heedi_separable_scratch(const heedi_node *y, const heedi_batch *b,
                               int threads, int64_t nq)
{
    return 64 +
           aligned(of(y)->shared(y, b->longest, most_rows(nq, b->longest))) +
           (size_t)threads * per_thread(y);
}

typedef struct room {
    heed_real *p, *q, *gram, *acc;
    void *sum, *own;
} room;

static room room_of(const heedi_node *y, char *at)
{
    room r;
    at += (size_t)omp_get_thread_num() * per_thread(y);
    r.p = (heed_real *)(void *)at;
    r.q = r.p + ROWS * HEADS;
    r.gram = r.q + LD * HEADS + HEEDI_LANES;
    r.acc = r.gram + ROWS * LD;
    r.sum = at + aligned(factors() * sizeof(heed_real));
    r.own = (char *)r.sum + aligned(heedi_separable_sum_room());
    return r;
}

/* ---- parts of a block ---- */

typedef struct call {
    heedi_separable_call c;
    const heedi_fold *f;
    int64_t lag; /* columns before a reference whose filter may read beyond it:
                    they are made with those next to the diagonal */
    char *threads;
} call;

/* Rows r0 ..., whose reference is r0, and columns before it, of all heads. */
static void far(const call *k, const room *r, int64_t r0, int64_t n, int64_t c0,
                int64_t m, heed_real *acc)
{
    const heedi_node *y = k->c.y;
    const heedi_separable *s = of(y);
    const int64_t heads = y->op->mixing->heads(y), unit = s->unit(y);
    const int64_t more = k->f->filter ? k->f->width - 1 : 0;
    for (int64_t u = 0; u < heads; u += unit)
        for (int64_t h = u; h < least(u + unit, heads); h += HEADS) {
            const int64_t left = least(u + unit, heads) - h;
            heedi_separable_part x = {r0,       n, c0,
                                      m + more, h, least(left, HEADS)};
            s->far(&k->c, &x, r->own, r->gram, r->p, r->q);
            x.m = m;
            const heedi_separable_tile t = {.c = &k->c,
                                            .f = k->f,
                                            .x = x,
                                            .gram = s->grams ? r->gram : NULL,
                                            .p = s->scales ? r->p : NULL,
                                            .q = s->scales ? r->q : NULL,
                                            .acc = acc};
            heedi_separable_sum(&t, r->sum);
        }
}

/* What is at the diagonal, head by head. */
typedef struct corner {
    const call *k;
    const room *r;
    heedi_separable_part x;
} corner;

static void fill(const void *arg, int64_t head)
{
    const corner *a = arg;
    const heedi_fold *f = a->k->f;
    const heedi_node *y = a->k->c.y;
    heedi_separable_part x = a->x;
    heed_real *g = a->r->gram;
    x.h0 = head;
    x.nh = 1;
    for (int64_t i = 0; i < x.n; i++)
        memset(g + i * LD, 0, (size_t)(x.m + HEEDI_SEP_AHEAD) * sizeof *g);
    of(y)->near(&a->k->c, &x, a->r->own, g);
    for (int64_t i = 0; f->skip && i < x.n; i++)
        g[i * LD + x.r0 + i - x.c0] += f->skip[head * heedi_mixing_width(y)];
}

/* Rows r0 ... r0+n-1 and columns from c0 on to them. */
static void near(const call *k, const room *r, int64_t r0, int64_t n,
                 int64_t c0, heed_real *acc)
{
    const int64_t heads = k->c.y->op->mixing->heads(k->c.y);
    const corner a = {k, r, {r0, n, c0, r0 + STRIP - c0, 0, heads}};
    const heedi_separable_tile t = {
        .c = &k->c, .f = k->f, .x = a.x, .gram = r->gram, .acc = acc};
    heedi_separable_each(&t, fill, &a, r->sum);
}

static void put(const call *k, const room *r, int64_t r0, int64_t n, int64_t c0,
                int64_t m)
{
    const heedi_fold *f = k->f;
    const int64_t len = heedi_len(k->c.run->batch, f->seq);
    for (int64_t i = r0; i < r0 + n; i++) {
        const heed_real *from = r->acc + (i - r0) * COLS;
        heed_real *out = f->out + (i - f->q0) * len;
        if (i < f->q0 || i >= f->q0 + f->nq)
            continue;
        for (int64_t c = c0; c < c0 + m && c <= i; c++)
            out[c] = from[c - c0] + 0; /* no -0 */
        if (c0 + m > i)
            memset(out + i + 1, 0, (size_t)(len - i - 1) * sizeof *out);
    }
}

/* Tile number j of the block of rows from r0 on; 0 is the one at the diagonal:
 * of each STRIP rows, what has their first as its reference, and the rest. */
static void tile(const call *k, int64_t r0, int64_t j)
{
    const room r = room_of(k->c.y, k->threads);
    const int64_t n = least(ROWS, k->c.end - r0);
    const int64_t begin = r0 > k->lag ? r0 - k->lag : 0;
    int64_t c0 = (j - 1) * COLS, m = least(COLS, begin - c0);
    for (int64_t i = 0; i < ROWS * COLS; i++)
        r.acc[i] = k->f->f == HEEDI_FOLD_MAX ? -(heed_real)HUGE_VAL : 0;
    if (j > 0) {
        far(k, &r, r0, n, c0, m, r.acc);
        put(k, &r, r0, n, c0, m);
        return;
    }
    c0 = begin;
    m = r0 + n - begin;
    for (int64_t i = 0; i < n; i += STRIP) {
        const int64_t s = r0 + i, rows = least(STRIP, n - i);
        const int64_t to = s > k->lag ? s - k->lag : 0;
        heed_real *acc = r.acc + i * COLS;
        if (to > c0)
            far(k, &r, s, rows, c0, to - c0, acc);
        near(k, &r, s, rows, to, acc + to - c0);
    }
    put(k, &r, r0, n, c0, m);
}

void heedi_separable_fold(const heedi_node *y, const heedi_run *run,
                          const heedi_fold *f)
{
    const int64_t len = heedi_len(run->batch, f->seq);
    const int64_t from = f->q0 / ROWS * ROWS;
    const int64_t end = least((f->q0 + f->nq + ROWS - 1) / ROWS * ROWS, len);
    char *at = (char *)f->scratch + (64 - (uintptr_t)f->scratch % 64) % 64;
    const call k = {
        .c = {.y = y,
              .run = run,
              .seq = f->seq,
              .row0 = run->batch->start[f->seq],
              .from = from,
              .end = end,
              .before = f->before,
              .shared = at},
        .f = f,
        .lag = f->filter ? HEEDI_SEP_AHEAD : 0,
        .threads =
            at + aligned(of(y)->shared(y, run->batch->longest,
                                       most_rows(f->nq, run->batch->longest)))};
    const int64_t blocks = (end - from + ROWS - 1) / ROWS;
    const int64_t tiles = 1 + (end + COLS - 1) / COLS;
    of(y)->prepare(&k.c);
    /* The last blocks have most tiles. */
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t b = blocks - 1; b >= 0; b--)
        for (int64_t j = 0; j < tiles; j++)
            if (j == 0 || (j - 1) * COLS < from + b * ROWS - k.lag)
                tile(&k, from + b * ROWS, j);
}
