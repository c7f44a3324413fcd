#include "attention.h"

#include <string.h>

#include "attention_block.h"
#include "gemm.h"
#include "kernel.h"

/* Where keys and values lie: in the inputs, or in a kept state. */
typedef struct source {
    const heed_real *k, *v;
    int64_t before; /* positions of the state before the first row */
} source;

typedef struct kept {
    int64_t len, max;  /* in rows */
    int64_t unused[6]; /* to 64 bytes */
    heed_real x[];
} kept;

size_t heedi_attention_state(const heedi_node *y, int64_t len)
{
    const heedi_attention_args *a = y->args;
    if (a->bidirectional)
        return 0;
    return sizeof(kept) +
           2 * (size_t)(len * y->in[1]->cols) * sizeof(heed_real);
}

void heedi_attention_state_init(const heedi_node *y, int64_t len)
{
    kept *s = y->state;
    s->max = len;
}

/* Those of a sequence from its first position on; before the first block of it
 * runs, append(). */
static source keys(const heedi_node *y, const heedi_run *run, int64_t seq)
{
    const int64_t c = y->in[1]->cols, at = run->batch->start[seq] * c;
    const kept *s = heedi_state(y, seq);
    if (!s)
        return (source){y->in[1]->x + at, y->in[2]->x + at, 0};
    return (source){s->x, s->x + s->max * c, run->batch->pos0};
}

/* Add the new rows of every sequence to its state. */
static void append(const heedi_node *y, const heedi_run *run)
{
    const int64_t c = y->in[1]->cols, before = run->batch->pos0;
    for (int64_t seq = 0; seq < run->batch->n_seq; seq++) {
        kept *s = heedi_state(y, seq);
        const int64_t n = heedi_len(run->batch, seq);
        const int64_t at = run->batch->start[seq] * c;
        size_t bytes = (size_t)(n * c) * sizeof(heed_real);
        memcpy(s->x + before * c, y->in[1]->x + at, bytes);
        memcpy(s->x + (s->max + before) * c, y->in[2]->x + at, bytes);
        s->len = before + n;
    }
}

double heedi_attention_pairs(const heedi_node *y, const heedi_batch *b)
{
    double pairs = 0;
    for (int64_t s = 0; s < b->n_seq; s++)
        for (int64_t i = 0, n = heedi_len(b, s); i < n; i++) {
            range r = seen(y->args, b->pos0 + i, b->pos0 + n);
            pairs += (double)(r.to - r.from);
        }
    return pairs;
}

size_t heedi_attention_scratch(const heedi_node *y, const heedi_batch *b,
                               int threads)
{
    const heedi_attention_args *a = y->args;
    size_t n = (size_t)threads * room_of(a, b->pos0 + b->longest, NULL).size +
               2 * (size_t)(b->rows * y->cols);
    return n * sizeof(heed_real) + n_sums(a, b) * sizeof(double);
}

/* What is added to the scaled score of a key so many positions after the
 * query. */
static double bias_at(const heedi_attention_args *a, int64_t h, int64_t step)
{
    const int64_t m = a->reach, end = step < -m ? -m : step > m ? m : step;
    double b = a->slope ? a->slope[h] * (double)(step < 0 ? step : -step) : 0;
    return a->by_step ? b + (double)a->by_step[h * (2 * m + 1) + m + end] : b;
}

/* Scores of a block into r->p, before scaling; of row i only the columns that
 * it sees mean anything. */
static void scores(const heedi_attention_args *a, int64_t h, const block *t,
                   const heed_real *q, int64_t ldq, const heed_real *k,
                   int64_t ldk, const room *r)
{
    heedi_blas(false, true, t->n, t->w, a->head_dim, 1, q, ldq, k + t->j0 * ldk,
               ldk, 0, r->p, t->w);
    if (relative(a))
        heedi_relative_scores(a, t, q, ldq, k, ldk, r->p);
    if (!biased(a))
        return;
    const int64_t first = t->j0 - (t->i0 + t->n - 1);
    for (int64_t i = 0; !r->bias && i < t->n; i++)
        for (int64_t j = 0; j < t->w; j++)
            r->p[i * t->w + j] +=
                (heed_real)(bias_at(a, h, first + t->n - 1 - i + j) / a->scale);
    for (int64_t j = 0; r->bias && j < t->w + t->n - 1; j++)
        r->bias[j] = (heed_real)bias_at(a, h, first + j);
    for (int64_t i = 0; r->bias && i < t->n; i++)
        heedi_vector()->axpy((size_t)t->w, (heed_real)(1 / a->scale),
                             bias_of(r, t, i), r->p + i * t->w);
}

/* Zero what a row of w columns does not see. */
static void mask(heed_real *row, range see, int64_t w)
{
    memset(row, 0, (size_t)see.from * sizeof *row);
    memset(row + see.to, 0, (size_t)(w - see.to) * sizeof *row);
}

static void forward_block(const heedi_node *y, const heedi_run *run,
                          int64_t seq, int64_t h, int64_t r0, const room *r)
{
    const source src = keys(y, run, seq);
    const heedi_attention_args *a = y->args;
    const heedi_vector_table *v = heedi_vector();
    const int64_t d = a->head_dim, ldq = y->cols, ldk = y->in[1]->cols;
    const int64_t g = h / (a->heads / a->kv_heads) * d;
    const int64_t len = heedi_len(run->batch, seq);
    const int64_t n = len - r0 < BLOCK ? len - r0 : BLOCK;
    const int64_t row = run->batch->start[seq] + r0;
    const block t = block_at(a, src.before + r0, n, src.before + len);
    heed_real *lse = y->saved;
    scores(a, h, &t, y->in[0]->x + row * ldq + h * d, ldq, src.k + g, ldk, r);
    for (int64_t i = 0; i < n; i++) {
        heed_real *p = r->p + i * t.w;
        range c = columns(a, &t, i);
        heed_real l = v->softmax((size_t)(c.to - c.from), p + c.from,
                                 (heed_real)a->scale);
        mask(p, c, t.w);
        if (lse)
            lse[(row + i) * a->heads + h] = l;
    }
    heedi_blas(false, false, n, d, t.w, 1, r->p, t.w, src.v + t.j0 * ldk + g,
               ldk, 0, y->x + row * ldq + h * d, ldq);
}

/* Tasks: (sequence, block, head), the longest ones first. */
void heedi_attention_forward(const heedi_node *y, heedi_run *run)
{
    const heedi_attention_args *a = y->args;
    const heedi_batch *b = run->batch;
    const int64_t most = blocks(b->longest);
    if (y->state)
        append(y, run);
#pragma omp parallel for collapse(3) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t k = 0; k < most; k++)
            for (int64_t h = 0; h < a->heads; h++) {
                int64_t r0 = (blocks(heedi_len(b, seq)) - 1 - k) * BLOCK;
                const room r = room_of(a, b->pos0 + b->longest, run->scratch);
                if (r0 >= 0)
                    forward_block(y, run, seq, h, r0, &r);
            }
}

void heedi_attention_weights(const heedi_node *y, const heed_real *k, int64_t h,
                             int64_t row, const block *t, const room *r)
{
    const heedi_attention_args *a = y->args;
    const heed_real *lse = y->saved;
    scores(a, h, t, y->in[0]->x + row * y->cols + h * a->head_dim, y->cols, k,
           y->in[1]->cols, r);
    for (int64_t i = 0; i < t->n; i++) {
        heed_real *p = r->p + i * t->w;
        range c = columns(a, t, i);
        heedi_vector()->exp_lse((size_t)(c.to - c.from), p + c.from,
                                (heed_real)a->scale,
                                lse[(row + i) * a->heads + h]);
        mask(p, c, t->w);
    }
}

void heedi_attention_rows(const heedi_node *y, const heedi_run *run,
                          const heedi_view *v)
{
    const heedi_attention_args *a = y->args;
    const int64_t start = run->batch->start[v->seq];
    const int64_t len = heedi_len(run->batch, v->seq), ldk = y->in[1]->cols;
    const int64_t g = v->head / (a->heads / a->kv_heads) * a->head_dim;
    const block t = block_at(a, v->q0, v->nq, len);
    heedi_attention_weights(y, y->in[1]->x + start * ldk + g, v->head,
                            start + v->q0, &t, &(room){.p = v->out});
    /* (nq, w) to (nq, T) in place, the last row first */
    for (int64_t i = v->nq - 1; i >= 0; i--) {
        heed_real *row = v->out + i * len;
        memmove(row + t.j0, v->out + i * t.w, (size_t)t.w * sizeof *row);
        mask(row, (range){t.j0, t.j0 + t.w}, len);
    }
}

void heedi_attention_rest(const heedi_node *y, const heedi_run *run,
                          const heedi_view *v)
{
    const heedi_attention_args *a = y->args;
    const heedi_batch *b = run->batch;
    const kept *s = v->before;
    const int64_t row = b->start[v->seq] + v->q0, ldk = y->in[1]->cols;
    const room r = room_of(a, b->pos0 + b->longest, run->scratch);
    memset(v->out, 0, (size_t)(v->nq * y->cols) * sizeof *v->out);
    for (int64_t i = 0; s && i < v->nq; i += BLOCK)
        for (int64_t h = 0; h < a->heads; h++) {
            const int64_t n = v->nq - i < BLOCK ? v->nq - i : BLOCK;
            const block t = block_at(a, b->pos0 + v->q0 + i, n,
                                     b->pos0 + heedi_len(b, v->seq));
            const int64_t g = h / (a->heads / a->kv_heads) * a->head_dim;
            const int64_t w = b->pos0 - t.j0 < t.w ? b->pos0 - t.j0 : t.w;
            if (w <= 0)
                continue;
            heedi_attention_weights(y, s->x + g, h, row + i, &t, &r);
            heedi_blas(false, false, n, a->head_dim, w, 1, r.p, t.w,
                       s->x + (s->max + t.j0) * ldk + g, ldk, 0,
                       v->out + i * y->cols + h * a->head_dim, y->cols);
        }
}
