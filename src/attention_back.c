#include <string.h>

#include "attention_block.h"
#include "gemm.h"
#include "kernel.h"

typedef struct task {
    const heedi_node *y;
    const heedi_run *run;
    int64_t seq, h;
    heed_real c_qk, c_v;
    room r;
    heed_real *dk, *dv; /* (T, D) of this head, in rows of y->cols */
    double *share;      /* (T), what rows get of b dS; NULL: nobody asks */
    double *sum;        /* <O, g> - <q, dQ>, <b, dS> */
} task;

/* <b, dS> of a block, whose r.s is dS scale. */
static double back_bias(const task *t, const block *k)
{
    const heedi_attention_args *a = t->y->args;
    double sum = 0;
    for (int64_t i = 0; biased(a) && i < k->n; i++) {
        const heed_real *b = bias_of(&t->r, k, i), *s = t->r.s + i * k->w;
        double x = heedi_vector()->dot((size_t)k->w, b, s) / a->scale;
        sum += x;
        if (!t->share)
            continue;
        const double half = (double)t->c_qk / a->scale; /* of 2 c_qk b dS */
        t->share[k->i0 + i] += (double)t->c_qk * x;
        for (int64_t j = 0; j < k->w; j++)
            t->share[k->j0 + j] += half * (double)b[j] * (double)s[j];
    }
    return sum;
}

static void back_head(const task *t)
{
    const heedi_node *y = t->y;
    const heedi_attention_args *a = y->args;
    const heedi_vector_table *v = heedi_vector();
    const room *r = &t->r;
    const int64_t d = a->head_dim, ldq = y->cols, ldk = y->in[1]->cols;
    const int64_t g0 = t->h / (a->heads / a->kv_heads) * d;
    const int64_t start = t->run->batch->start[t->seq];
    const int64_t len = heedi_len(t->run->batch, t->seq);
    const heed_real *k = y->in[1]->x + start * ldk + g0;
    const heed_real *val = y->in[2]->x + start * ldk + g0;
    t->sum[0] = t->sum[1] = 0;
    for (int64_t i = 0; i < len; i++) {
        memset(t->dk + i * ldq, 0, (size_t)d * sizeof *t->dk);
        memset(t->dv + i * ldq, 0, (size_t)d * sizeof *t->dv);
        if (t->share)
            t->share[i] = 0;
    }
    for (int64_t i0 = (blocks(len) - 1) * BLOCK; i0 >= 0; i0 -= BLOCK) {
        const int64_t n = len - i0 < BLOCK ? len - i0 : BLOCK;
        const block c = block_at(a, i0, n, len);
        const int64_t w = c.w, o = (start + i0) * ldq + t->h * d;
        const heed_real *q = y->in[0]->x + o, *g = y->g + o;
        heedi_attention_weights(y, k, t->h, start + i0, &c, r);
        heedi_blas(true, false, w, d, n, t->c_v, r->p, w, g, ldq, 1,
                   t->dv + c.j0 * ldq, ldq);
        heedi_blas(false, true, n, w, d, 1, g, ldq, val + c.j0 * ldk, ldk, 0,
                   r->s, w);
        for (int64_t i = 0; i < n; i++) {
            double delta = v->dot((size_t)d, y->x + o + i * ldq, g + i * ldq);
            t->sum[0] += delta;
            v->softmax_back((size_t)w, r->s + i * w, r->p + i * w,
                            (heed_real)a->scale, (heed_real)delta);
        }
        t->sum[1] += back_bias(t, &c);
        heedi_blas(false, false, n, d, w, 1, r->s, w, k + c.j0 * ldk, ldk, 0,
                   r->dq, d);
        heedi_blas(true, false, w, d, n, t->c_qk, r->s, w, q, ldq, 1,
                   t->dk + c.j0 * ldq, ldq);
        for (int64_t i = 0; i < n; i++) {
            heed_real *gq = y->in[0]->g + o + i * ldq;
            t->sum[0] -= v->dot((size_t)d, q + i * ldq, r->dq + i * d);
            if (y->first[0])
                memset(gq, 0, (size_t)d * sizeof *gq);
            v->axpy((size_t)d, t->c_qk, r->dq + i * d, gq);
        }
    }
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
    heedi_attention_back_share(y, run, c_qk, c_v, kappa, NULL);
}

void heedi_attention_back_share(const heedi_node *y, heedi_run *run,
                                heed_real c_qk, heed_real c_v, bool kappa,
                                double *share)
{
    const heedi_attention_args *a = y->args;
    const heedi_batch *b = run->batch;
    double *sum = run->scratch, *part = sum + n_sums(a, b);
    heed_real *dk = (heed_real *)(void *)(part + n_shares(a, b));
    heed_real *dv = dk + b->rows * y->cols;
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t h = 0; h < a->heads; h++) {
            const int64_t n = heedi_len(b, seq), first = b->start[seq];
            const int64_t o = first * y->cols + h * a->head_dim;
            const task t = {y,
                            run,
                            seq,
                            h,
                            c_qk,
                            c_v,
                            .r = room_of(a, b->longest, dv + b->rows * y->cols),
                            .dk = dk + o,
                            .dv = dv + o,
                            .share = share && biased(a)
                                         ? part + first * a->heads + h * n
                                         : NULL,
                            .sum = sum + 2 * (seq * a->heads + h)};
            back_head(&t);
        }
    gather(y, run, dk, y->in[1], y->first[1]);
    gather(y, run, dv, y->in[2], y->first[2]);
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t h = 0; h < a->heads; h++, sum += 2) {
            const int64_t n = heedi_len(b, seq), first = b->start[seq];
            if (kappa)
                heedi_deposit(run->ledger, seq, y->id, HEEDI_ENTRY_kappa,
                              0.5 * (sum[0] - sum[1]));
            if (kappa && !share)
                heedi_deposit(run->ledger, seq, y->id, HEEDI_ENTRY_pos_bias,
                              2 * (double)c_qk * sum[1]);
            for (int64_t i = 0; share && biased(a) && i < n; i++)
                share[first + i] += part[first * a->heads + h * n + i];
        }
}
