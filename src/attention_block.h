/* attention_block.h - what the forward and the backward pass of attention.h
 * share: who sees whom, blocks of queries, their working memory, weights. */
#ifndef HEEDI_ATTENTION_BLOCK_H
#define HEEDI_ATTENTION_BLOCK_H

#include <omp.h>

#include "args.h"
#include "attention.h"

enum { BLOCK = 128 }; /* query rows at a time */

/* Keys or columns. */
typedef struct range {
    int64_t from, to; /* to: the first that is not seen */
} range;

/* Keys that the query at position i of len sees. */
static inline range seen(const heedi_attention_args *a, int64_t i, int64_t len)
{
    const int64_t w = a->window;
    range r = {0, a->bidirectional ? len : i + 1};
    if (w > 0 && i - w + !a->bidirectional > 0)
        r.from = i - w + !a->bidirectional;
    if (w > 0 && a->bidirectional && i + w + 1 < len)
        r.to = i + w + 1;
    return r;
}

/* Queries at positions i0 ... i0+n-1 against keys j0 ... j0+w-1, which are all
 * that any of them sees. */
typedef struct block {
    int64_t len, i0, n, j0, w;
} block;

static inline block block_at(const heedi_attention_args *a, int64_t i0,
                             int64_t n, int64_t len)
{
    block t = {.len = len, .i0 = i0, .n = n, .j0 = seen(a, i0, len).from};
    t.w = seen(a, i0 + n - 1, len).to - t.j0;
    return t;
}

/* The columns of a block that its row i sees. */
static inline range columns(const heedi_attention_args *a, const block *t,
                            int64_t i)
{
    range r = seen(a, t->i0 + i, t->len);
    return (range){r.from - t->j0, r.to - t->j0};
}

/* How many a sequence of t positions has. */
static inline int64_t blocks(int64_t t)
{
    return (t + BLOCK - 1) / BLOCK;
}

static inline size_t align16(size_t n)
{
    return (n + 15) / 16 * 16;
}

static inline bool biased(const heedi_attention_args *a)
{
    return a->slope || a->by_step;
}

static inline bool relative(const heedi_attention_args *a)
{
    return a->by_query || a->by_key;
}

/* Working memory of one thread: scores of a block, their gradients, its dQ, and
 * what is added to the scores. */
typedef struct room {
    heed_real *p, *s, *dq, *bias;
    size_t size;
} room;

static inline room room_of(const heedi_attention_args *a, int64_t n_keys,
                           heed_real *first)
{
    const size_t part = align16((size_t)(BLOCK * n_keys)),
                 dq = align16((size_t)(BLOCK * a->head_dim));
    const size_t bias = biased(a) ? align16((size_t)(BLOCK + n_keys)) : 0;
    room r = {.size = 2 * part + dq + bias};
    if (first) { /* that of the first thread */
        first += r.size * (size_t)omp_get_thread_num();
        r.p = first;
        r.s = r.p + part;
        r.dq = r.s + part;
        r.bias = r.dq + dq;
    }
    return r;
}

/* Sums of each sequence and head. */
static inline int64_t sums_of(const heedi_attention_args *a)
{
    return relative(a) ? 4 : 3;
}

static inline size_t n_sums(const heedi_attention_args *a, const heedi_batch *b)
{
    return (size_t)(sums_of(a) * b->n_seq * a->heads + 7) / 8 * 8;
}

/* What positions get of one sequence and head; see attention_read.c. */
typedef struct reading {
    int64_t rot;       /* dimensions that are rotated */
    bool to_key;       /* a bias belongs to the key alone */
    bool absolute;     /* -slope (i - j) is slope j */
    double *rotated;   /* (T) */
    double *bias;      /* (T): of biases and of relative keys */
    double *distance;  /* (T), or NULL */
    double *ahead;     /* (T): of it, keys after the query */
    heed_real *scores; /* of one block, in the dimensions that are rotated */
} reading;

/* The backward pass of one sequence and head. */
typedef struct task {
    const heedi_node *y;
    const heedi_run *run;
    int64_t seq, h;
    heed_real c_qk, c_v, c_rel;
    room r;
    heed_real *dk, *dv;  /* (T, D) of this head, in rows of y->cols */
    const reading *read; /* or NULL: nobody asks */
    bool kappa;          /* relevance, not a gradient */
    double *sum;         /* <O, g> - <q, dQ>, <b, dS>, what stabilisers of
                            scores lose, <rel, dS>: dQ of Q K^T, rel what
                            relative keys add to the scaled scores */
} task;

/* What relative keys add to the scores of a block before scaling: p (n, w) +=
 * it. q: of the block's first row; k: of the sequence's first. */
void heedi_relative_scores(const heedi_attention_args *a, const block *b,
                           const heed_real *q, int64_t ldq, const heed_real *k,
                           int64_t ldk, heed_real *p);
/* gq, gk += c times what s (n, w), gradients of these scores, gives; rows as
 * those of q and k. */
void heedi_relative_back(const heedi_attention_args *a, const block *b,
                         const heed_real *s, heed_real c, heed_real *gq,
                         int64_t ldq, heed_real *gk, int64_t ldk);

/* Scores of a block before scaling, into p (n, w): q k^T, and what relative
 * keys add. q: of its first row; k: of the sequence's first; both of the head.
 */
void heedi_attention_products(const heedi_node *y, const block *b,
                              const heed_real *q, const heed_real *k,
                              heed_real *p);

/* q, k: of the head; k from the first position of the sequence on. r.s holds
 * scale dS, r.p what relative keys add before scaling, if there are any. */
void heedi_attention_read_block(const task *t, const block *k,
                                const heed_real *q, const heed_real *keys);

/* The readings of all sequences and heads, in memory that follows `at`: bytes
 * (which it takes with at NULL), and the one of a task. */
size_t heedi_attention_read_bytes(const heedi_node *y, const heedi_batch *b,
                                  int threads);
reading heedi_attention_reading(const heedi_node *y, const heedi_run *run,
                                void *at, int64_t seq, int64_t h);
/* Add them up, in order of the heads, into run->readout. */
void heedi_attention_read_end(const heedi_node *y, const heedi_run *run,
                              void *at);

/* Sum the heads of each group, (rows, y->cols), in their order, into to->g. */
void heedi_attention_gather(const heedi_node *y, const heedi_run *run,
                            const heed_real *head, const heedi_node *to,
                            bool assign);

/* What is added to row i of a block. */
static inline const heed_real *bias_of(const room *r, const block *t, int64_t i)
{
    return r->bias + t->n - 1 - i;
}

/* Weights of a block again, from the kept log-sum-exp, into r->p. k: keys of
 * the head, from the first position of the sequence on; row: of the batch.
 * r->bias may be NULL: what is added to the scores is then not kept. */
void heedi_attention_weights(const heedi_node *y, const heed_real *k, int64_t h,
                             int64_t row, const block *t, const room *r);

#endif
