#include "shift.h"

#include <string.h>

#include "kernel.h"
#include "threads.h"

enum { CHUNK = 512 };

/* Columns c ... c+n-1 of mu of a row: the vector itself, or in `room`. */
static const heed_real *weight(const heedi_node *y, int64_t row, int64_t c,
                               size_t n, heed_real *room)
{
    const heedi_node *m = y->in[1];
    if (!m)
        return y->vec + c;
    heedi_vector()->add(n, y->vec + c, m->x + row * y->cols + c, room);
    return room;
}

/* The row before, or NULL: there is none. */
static const heed_real *before(const heedi_node *y, const heedi_batch *b,
                               int64_t seq, int64_t row)
{
    if (row > b->start[seq])
        return y->in[0]->x + (row - 1) * y->cols;
    return heedi_state(y, seq);
}

typedef void piece_fn(const heedi_node *y, const heedi_batch *b, int64_t seq,
                      int64_t row, int64_t c, size_t n);

static void each(const heedi_node *y, const heedi_batch *b, piece_fn *fn)
{
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        const heedi_tile t = b->small[k];
        for (int64_t r = t.row; r < t.row + t.n; r++)
            for (int64_t c = 0; c < y->cols; c += CHUNK)
                fn(y, b, t.seq, r, c,
                   (size_t)(y->cols - c < CHUNK ? y->cols - c : CHUNK));
    }
}

static void blend(const heedi_node *y, const heedi_batch *b, int64_t seq,
                  int64_t row, int64_t c, size_t n)
{
    const heedi_vector_table *v = heedi_vector();
    heed_real room[CHUNK], *o = y->x + row * y->cols + c;
    const heed_real *mu = weight(y, row, c, n, room);
    const heed_real *now = y->in[0]->x + row * y->cols + c;
    const heed_real *was = before(y, b, seq, row);
    memcpy(o, now, n * sizeof *o);
    v->scale_add(n, now, mu, -1, o);
    if (was)
        v->scale_add(n, was + c, mu, 1, o);
}

void heedi_shift_forward(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    each(y, b, blend);
    for (int64_t s = 0; y->state && s < b->n_seq; s++)
        memcpy(heedi_state(y, s), y->in[0]->x + (b->start[s + 1] - 1) * y->cols,
               (size_t)y->cols * sizeof(heed_real));
}

static void to_row(const heedi_node *y, const heedi_batch *b, int64_t seq,
                   int64_t row, int64_t c, size_t n)
{
    const heedi_vector_table *v = heedi_vector();
    const int64_t at = row * y->cols + c;
    heed_real room[CHUNK], *gn = y->in[0]->g + at;
    v->addto(n, y->g + at, gn);
    v->scale_add(n, y->g + at, weight(y, row, c, n, room), -1, gn);
    if (row + 1 < b->start[seq + 1])
        v->scale_add(n, y->g + at + y->cols, weight(y, row + 1, c, n, room), 1,
                     gn);
}

void heedi_shift_back(const heedi_node *y, heedi_run *run)
{
    each(y, run->batch, to_row);
}

static void to_weight(const heedi_node *y, const heedi_batch *b, int64_t seq,
                      int64_t row, int64_t c, size_t n)
{
    const heedi_vector_table *v = heedi_vector();
    const int64_t at = row * y->cols + c;
    const heed_real *was = before(y, b, seq, row);
    heed_real *gm = y->in[1]->g + at;
    v->scale_add(n, y->g + at, y->in[0]->x + at, -1, gm);
    if (was)
        v->scale_add(n, y->g + at, was + c, 1, gm);
}

void heedi_shift_back_weight(const heedi_node *y, heedi_run *run)
{
    each(y, run->batch, to_weight);
}

size_t heedi_shift_state(const heedi_node *y, int64_t len)
{
    (void)len;
    return (size_t)y->cols * sizeof(heed_real);
}

void heedi_shift_state_init(const heedi_node *y, int64_t len)
{
    (void)y; /* nothing came before: zeros */
    (void)len;
}
