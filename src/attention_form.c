#include <string.h>

#include "attention_block.h"
#include "choices.h"
#include "gemm.h"

/* Relevance form of attention, R of the output in y->g. With / as
 * heedi_form_ratio() divides and Z = Q K^T before scaling,
 *     N = R / O,  R_A = A (N V^T) / 2,  R_V = V (A^T N) / 2
 *     M = R_A / Z,  R_Q = Q (M K) / 2,  R_K = K (M^T Q) / 2
 * in the blocks of attention.h; relative keys count to Z, and half of their
 * part goes to the query or key. Keys and values get the sum over the heads of
 * their group. */

typedef struct form {
    const heedi_node *y;
    const heedi_run *run;
    int64_t seq, h;
    room r;
    heed_real *dk, *dv; /* (T, D) of this head, in rows of y->cols */
} form;

static void zero(const form *t, heed_real *x, int64_t len)
{
    const heedi_attention_args *a = t->y->args;
    for (int64_t i = 0; i < len; i++)
        memset(x + i * t->y->cols, 0, (size_t)a->head_dim * sizeof *x);
}

/* n rows of d columns: x y / 2 to out, all with a step of their own. */
static void half(int64_t n, int64_t d, const heed_real *x, int64_t ldx,
                 const heed_real *y, int64_t ldy, heed_real *out, int64_t ldo,
                 bool assign)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < d; k++) {
            const heed_real r =
                (heed_real)0.5 * x[i * ldx + k] * y[i * ldy + k];
            out[i * ldo + k] = assign ? r : out[i * ldo + k] + r;
        }
}

/* r.p holds A and gets Z, r.s gets M; r.dq is N, then M K. */
static void one_block(const form *t, const block *c, const heed_real *key,
                      const heed_real *val, int64_t start)
{
    const heedi_node *y = t->y;
    const heedi_attention_args *a = y->args;
    const room *r = &t->r;
    const int64_t d = a->head_dim, ldq = y->cols, ldk = y->in[1]->cols;
    const int64_t n = c->n, w = c->w, o = (start + c->i0) * ldq + t->h * d;
    const heed_real *q = y->in[0]->x + o;
    heedi_attention_weights(y, key, t->h, start + c->i0, c, r);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < d; k++)
            r->dq[i * d + k] =
                heedi_form_ratio(y->g[o + i * ldq + k], y->x[o + i * ldq + k]);
    heedi_blas(true, false, w, d, n, 1, r->p, w, r->dq, d, 1,
               t->dv + c->j0 * ldq, ldq);
    heedi_blas(false, true, n, w, d, 1, r->dq, d, val + c->j0 * ldk, ldk, 0,
               r->s, w);
    half(n, w, r->p, w, r->s, w, r->s, w, true);
    heedi_attention_products(y, c, q, key, r->p);
    for (int64_t i = 0; i < n * w; i++)
        r->s[i] = heedi_form_ratio(r->s[i], r->p[i]);
    heedi_blas(false, false, n, d, w, 1, r->s, w, key + c->j0 * ldk, ldk, 0,
               r->dq, d);
    heedi_blas(true, false, w, d, n, 1, r->s, w, q, ldq, 1, t->dk + c->j0 * ldq,
               ldq);
    if (relative(a))
        heedi_relative_back(a, c, r->s, 1, r->dq, d, t->dk, ldq);
    half(n, d, q, ldq, r->dq, d, y->in[0]->g + o, ldq, y->first[0]);
}

static void one_head(const form *t)
{
    const heedi_node *y = t->y;
    const heedi_attention_args *a = y->args;
    const int64_t d = a->head_dim, ldq = y->cols, ldk = y->in[1]->cols;
    const int64_t start = t->run->batch->start[t->seq];
    const int64_t len = heedi_len(t->run->batch, t->seq);
    const int64_t first = start * ldk + t->h / (a->heads / a->kv_heads) * d;
    const heed_real *key = y->in[1]->x + first, *val = y->in[2]->x + first;
    zero(t, t->dk, len);
    zero(t, t->dv, len);
    for (int64_t i0 = (blocks(len) - 1) * BLOCK; i0 >= 0; i0 -= BLOCK) {
        const block c =
            block_at(a, i0, len - i0 < BLOCK ? len - i0 : BLOCK, len);
        one_block(t, &c, key, val, start);
    }
    half(len, d, key, ldk, t->dk, ldq, t->dk, ldq, true);
    half(len, d, val, ldk, t->dv, ldq, t->dv, ldq, true);
}

size_t heedi_form_attention_scratch(const heedi_node *y, const heedi_batch *b,
                                    int threads)
{
    return heedi_attention_scratch(y, b, threads);
}

void heedi_form_attention(const heedi_node *y, heedi_run *run)
{
    const heedi_attention_args *a = y->args;
    const heedi_batch *b = run->batch;
    heed_real *dk = run->scratch, *dv = dk + b->rows * y->cols;
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t h = 0; h < a->heads; h++) {
            const int64_t o = b->start[seq] * y->cols + h * a->head_dim;
            const form t = {y,
                            run,
                            seq,
                            h,
                            room_of(a, b->longest, dv + b->rows * y->cols),
                            dk + o,
                            dv + o};
            one_head(&t);
        }
    heedi_attention_gather(y, run, dk, y->in[1], y->first[1]);
    heedi_attention_gather(y, run, dv, y->in[2], y->first[2]);
}
