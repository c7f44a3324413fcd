#include "attention.h"

#include <omp.h>
#include <string.h>

#include "args.h"
#include "gemm.h"
#include "kernel.h"

enum { BLOCK = 128 }; /* query rows at a time */

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

/* The first key that a query at position i sees. */
static int64_t first_key(const heedi_attention_args *a, int64_t i)
{
    return a->window > 0 && i - a->window + 1 > 0 ? i - a->window + 1 : 0;
}

/* Tasks: (sequence, head), and in the forward pass blocks of queries too. */
static int64_t blocks(int64_t t)
{
    return (t + BLOCK - 1) / BLOCK;
}

static size_t align16(size_t n)
{
    return (n + 15) / 16 * 16;
}

/* One thread: scores and gradients of a block, and its dQ. */
static size_t per_thread(const heedi_attention_args *a, int64_t keys_)
{
    return 2 * align16((size_t)(BLOCK * keys_)) +
           align16((size_t)(BLOCK * a->head_dim));
}

size_t heedi_attention_scratch(const heedi_node *y, const heedi_batch *b,
                               int threads)
{
    const heedi_attention_args *a = y->args;
    size_t n = (size_t)threads * per_thread(a, b->pos0 + b->longest) +
               2 * (size_t)(b->rows * y->cols);
    return n * sizeof(heed_real) +
           (size_t)(b->n_seq * a->heads) * sizeof(double);
}

/* Scores of b query rows from position i0 against keys j0 ... i0+b, into s of
 * row length w = i0 + b - j0. */
static void scores(const heedi_attention_args *a, const heed_real *q,
                   int64_t ldq, const heed_real *k, int64_t ldk, int64_t i0,
                   int64_t n, int64_t j0, heed_real *s)
{
    heedi_blas(false, true, n, i0 + n - j0, a->head_dim, 1, q, ldq,
               k + j0 * ldk, ldk, 0, s, i0 + n - j0);
}

/* Zero what row i may not see of columns j0 ... j0+w. */
static void mask(const heedi_attention_args *a, heed_real *row, int64_t i,
                 int64_t j0, int64_t w)
{
    int64_t lo = first_key(a, i) - j0, hi = i + 1 - j0;
    if (lo > 0)
        memset(row, 0, (size_t)lo * sizeof *row);
    if (hi < w)
        memset(row + hi, 0, (size_t)(w - hi) * sizeof *row);
}

static void forward_block(const heedi_node *y, const heedi_run *run,
                          int64_t seq, int64_t h, int64_t r0, heed_real *s)
{
    const source src = keys(y, run, seq);
    const heedi_attention_args *a = y->args;
    const heedi_vector_table *v = heedi_vector();
    const int64_t d = a->head_dim, ldq = y->cols, ldk = y->in[1]->cols;
    const int64_t g = h / (a->heads / a->kv_heads) * d;
    const int64_t start = run->batch->start[seq];
    const int64_t len = heedi_len(run->batch, seq);
    const int64_t n = len - r0 < BLOCK ? len - r0 : BLOCK;
    const int64_t i0 = src.before + r0, j0 = first_key(a, i0);
    const int64_t w = i0 + n - j0, row = start + r0;
    heed_real *lse = y->saved;
    scores(a, y->in[0]->x + row * ldq + h * d, ldq, src.k + g, ldk, i0, n, j0,
           s);
    for (int64_t i = 0; i < n; i++) {
        heed_real *p = s + i * w;
        int64_t lo = first_key(a, i0 + i) - j0;
        heed_real l = v->softmax((size_t)(i0 + i + 1 - j0 - lo), p + lo,
                                 (heed_real)a->scale);
        mask(a, p, i0 + i, j0, w);
        if (lse)
            lse[(row + i) * a->heads + h] = l;
    }
    heedi_blas(false, false, n, d, w, 1, s, w, src.v + j0 * ldk + g, ldk, 0,
               y->x + row * ldq + h * d, ldq);
}

void heedi_attention_forward(const heedi_node *y, heedi_run *run)
{
    const heedi_attention_args *a = y->args;
    const heedi_batch *b = run->batch;
    const size_t room = per_thread(a, b->pos0 + b->longest);
    const int64_t most = blocks(b->longest);
    if (y->state)
        append(y, run);
#pragma omp parallel for collapse(3) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t k = 0; k < most; k++)
            for (int64_t h = 0; h < a->heads; h++) {
                int64_t r0 = (blocks(heedi_len(b, seq)) - 1 - k) * BLOCK;
                heed_real *s = (heed_real *)run->scratch +
                               room * (size_t)omp_get_thread_num();
                if (r0 >= 0)
                    forward_block(y, run, seq, h, r0, s);
            }
}

/* Weights of a block again, from the kept log-sum-exp. */
static void weights(const heedi_node *y, const heed_real *k, int64_t h,
                    int64_t row, int64_t i0, int64_t n, int64_t j0,
                    heed_real *p)
{
    const heedi_attention_args *a = y->args;
    const heedi_vector_table *v = heedi_vector();
    const heed_real *lse = y->saved;
    const int64_t w = i0 + n - j0, ldq = y->cols;
    scores(a, y->in[0]->x + row * ldq + h * a->head_dim, ldq, k, y->in[1]->cols,
           i0, n, j0, p);
    for (int64_t i = 0; i < n; i++) {
        int64_t lo = first_key(a, i0 + i) - j0;
        v->exp_lse((size_t)(i0 + i + 1 - j0 - lo), p + i * w + lo,
                   (heed_real)a->scale, lse[(row + i) * a->heads + h]);
        mask(a, p + i * w, i0 + i, j0, w);
    }
}

typedef struct task {
    const heedi_node *y;
    const heedi_run *run;
    int64_t seq, h;
    heed_real c_qk, c_v;
    heed_real *p, *s, *dq; /* working memory of the thread */
    heed_real *dk, *dv;    /* (T, D) of this head, in rows of y->cols */
} task;

/* Returns <O, g> - <q, dQ> of the head. */
static double back_head(const task *t)
{
    const heedi_node *y = t->y;
    const heedi_attention_args *a = y->args;
    const heedi_vector_table *v = heedi_vector();
    const int64_t d = a->head_dim, ldq = y->cols, ldk = y->in[1]->cols;
    const int64_t g0 = t->h / (a->heads / a->kv_heads) * d;
    const int64_t start = t->run->batch->start[t->seq];
    const int64_t len = heedi_len(t->run->batch, t->seq);
    const heed_real *k = y->in[1]->x + start * ldk + g0;
    const heed_real *val = y->in[2]->x + start * ldk + g0;
    double kappa = 0;
    for (int64_t r = 0; r < len; r++) {
        memset(t->dk + r * ldq, 0, (size_t)d * sizeof *t->dk);
        memset(t->dv + r * ldq, 0, (size_t)d * sizeof *t->dv);
    }
    for (int64_t i0 = (blocks(len) - 1) * BLOCK; i0 >= 0; i0 -= BLOCK) {
        const int64_t n = len - i0 < BLOCK ? len - i0 : BLOCK;
        const int64_t j0 = first_key(a, i0), w = i0 + n - j0;
        const int64_t o = (start + i0) * ldq + t->h * d;
        const heed_real *q = y->in[0]->x + o, *g = y->g + o;
        weights(y, k, t->h, start + i0, i0, n, j0, t->p);
        heedi_blas(true, false, w, d, n, t->c_v, t->p, w, g, ldq, 1,
                   t->dv + j0 * ldq, ldq);
        heedi_blas(false, true, n, w, d, 1, g, ldq, val + j0 * ldk, ldk, 0,
                   t->s, w);
        for (int64_t i = 0; i < n; i++) {
            double delta = v->dot((size_t)d, y->x + o + i * ldq, g + i * ldq);
            kappa += delta;
            v->softmax_back((size_t)w, t->s + i * w, t->p + i * w,
                            (heed_real)a->scale, (heed_real)delta);
        }
        heedi_blas(false, false, n, d, w, 1, t->s, w, k + j0 * ldk, ldk, 0,
                   t->dq, d);
        heedi_blas(true, false, w, d, n, t->c_qk, t->s, w, q, ldq, 1,
                   t->dk + j0 * ldq, ldq);
        for (int64_t i = 0; i < n; i++) {
            heed_real *gq = y->in[0]->g + o + i * ldq;
            kappa -= v->dot((size_t)d, q + i * ldq, t->dq + i * d);
            if (y->first[0])
                memset(gq, 0, (size_t)d * sizeof *gq);
            v->axpy((size_t)d, t->c_qk, t->dq + i * d, gq);
        }
    }
    return kappa;
}

/* Sum the heads of each group, in their order. */
static void gather(const heedi_node *y, const heedi_run *run,
                   const heed_real *head, const heedi_node *to, bool assign)
{
    const heedi_attention_args *a = y->args;
    const heedi_vector_table *v = heedi_vector();
    const heedi_batch *b = run->batch;
    const int64_t d = a->head_dim, size = a->heads / a->kv_heads;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++)
        for (int64_t r = b->small[k].row; r < b->small[k].row + b->small[k].n;
             r++)
            for (int64_t h = 0; h < a->heads; h++) {
                heed_real *g = to->g + r * to->cols + h / size * d;
                if (assign && h % size == 0)
                    memset(g, 0, (size_t)d * sizeof *g);
                v->addto((size_t)d, head + r * y->cols + h * d, g);
            }
}

void heedi_attention_back(const heedi_node *y, heedi_run *run, heed_real c_qk,
                          heed_real c_v, bool kappa)
{
    const heedi_attention_args *a = y->args;
    const heedi_batch *b = run->batch;
    const size_t room = per_thread(a, b->longest);
    const size_t part = align16((size_t)(BLOCK * b->longest));
    double *sum = run->scratch;
    heed_real *dk = (heed_real *)(void *)(sum + b->n_seq * a->heads);
    heed_real *dv = dk + b->rows * y->cols;
    heed_real *work = dv + b->rows * y->cols;
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t h = 0; h < a->heads; h++) {
            heed_real *p = work + room * (size_t)omp_get_thread_num();
            int64_t o = b->start[seq] * y->cols + h * a->head_dim;
            task t = {y, run,      seq,          h,      c_qk,  c_v,
                      p, p + part, p + 2 * part, dk + o, dv + o};
            sum[seq * a->heads + h] = back_head(&t);
        }
    gather(y, run, dk, y->in[1], y->first[1]);
    gather(y, run, dv, y->in[2], y->first[2]);
    for (int64_t k = 0; kappa && k < b->n_seq * a->heads; k++)
        heedi_deposit(run->ledger, k / a->heads, y->id, HEEDI_ENTRY_kappa,
                      0.5 * sum[k]);
}

void heedi_attention_mixing(const heedi_node *y, const heedi_run *run,
                            const heedi_view *v)
{
    const heedi_attention_args *a = y->args;
    const int64_t start = run->batch->start[v->seq];
    const int64_t len = heedi_len(run->batch, v->seq), ldk = y->in[1]->cols;
    const int64_t g = v->head / (a->heads / a->kv_heads) * a->head_dim;
    const heed_real *k = y->in[1]->x + start * ldk + g;
    for (int64_t i = 0; i < v->nq; i++) {
        int64_t q = v->q0 + i, j0 = first_key(a, q);
        heed_real *row = v->out + i * len;
        memset(row, 0, (size_t)len * sizeof *row);
        weights(y, k, v->head, start + q, q, 1, j0, row + j0);
    }
}
