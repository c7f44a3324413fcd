/* ssd_chunk.h - what the passes of ssd.h share: chunks, working memory, the
 * matrices of a chunk. */
#ifndef HEEDI_SSD_CHUNK_H
#define HEEDI_SSD_CHUNK_H

#include <omp.h>

#include "args.h"
#include "kernel.h"
#include "ssd.h"

/* Chunks of a wave. */
enum { Q = HEEDI_SSD_CHUNK, WAVE = 8 };

typedef struct chunk {
    int64_t seq, row, len; /* first row in the batch */
    int64_t number;        /* in the batch */
    bool first, last;      /* of its sequence */
} chunk;

/* The chunks from number `from` on, at most WAVE; how many. */
int64_t heedi_ssd_wave(const heedi_batch *b, int64_t from, chunk *c);
int64_t heedi_ssd_chunks(const heedi_batch *b);

/* Values of one head's state. */
static inline size_t state_size(const heedi_ssd_args *a)
{
    return (size_t)(a->head_dim * a->n_state);
}

/* Working memory. Of all threads: B C^T of each chunk and group of a wave, a
 * state of each head, and for the full gradient one of each head and chunk. Of
 * each thread: the rest. */
typedef struct room {
    heed_real *gram, *carry, *after;
    heed_real *decay, *m, *gm, *gg; /* (Q, Q) */
    heed_real *in, *dt, *l, *w;     /* (Q) */
    heed_real *wide, *more; /* (Q, the larger of head_dim and n_state) */
    double *sum;            /* (longest) */
} room;

room heedi_ssd_room(const heedi_node *y, const heedi_run *run);

static inline heed_real *gram_of(const heedi_node *y, const room *r, int64_t i,
                                 int64_t group)
{
    const heedi_ssd_args *a = y->args;
    return r->gram + (i * a->groups + group) * Q * Q;
}

/* gram[r][c] = C_r B_c, for every chunk of a wave and group; all threads. */
void heedi_ssd_grams(const heedi_node *y, const heedi_run *run, const chunk *c,
                     int64_t n);

/* What a head has in a chunk: r->dt, r->l = A dt, r->decay, r->in; r->w: what
 * the state after the chunk has of each step's x B. */
void heedi_ssd_decays(const heedi_node *y, const room *r, const chunk *c,
                      int64_t h);
/* That, and r->m with `skip` on its diagonal. */
void heedi_ssd_matrices(const heedi_node *y, const room *r, const chunk *c,
                        const heed_real *gram, int64_t h, heed_real skip);

/* gx (+)= m^T gy, and from g, the gradient of the state after the chunk, or
 * NULL. gy, gx: of the head, in rows of y->cols. */
void heedi_ssd_give(const heedi_node *y, const room *r, const chunk *c,
                    int64_t h, const heed_real *gy, const heed_real *g,
                    heed_real *gx, bool assign);
/* g: that of the state after the chunk (zero where nothing comes after it)
 * becomes that of the state before it. */
void heedi_ssd_before(const heedi_node *y, const room *r, const chunk *c,
                      int64_t h, const heed_real *gy, heed_real *g);

/* Rows of the inputs of a head: dt, B and C. */
static inline const heed_real *dt_of(const heedi_node *y, int64_t row,
                                     int64_t h)
{
    return y->in[1]->x + row * y->in[1]->cols + h;
}

static inline int64_t group_of(const heedi_ssd_args *a, int64_t h)
{
    return h / (a->heads / a->groups);
}

/* of B (which = 2) or C (3) */
static inline const heed_real *bc_of(const heedi_node *y, int which,
                                     int64_t row, int64_t h)
{
    const heedi_ssd_args *a = y->args;
    return y->in[which]->x + row * y->in[which]->cols +
           group_of(a, h) * a->n_state;
}

#endif
