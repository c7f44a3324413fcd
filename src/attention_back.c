#include <string.h>

#include "attention_block.h"
#include "choices.h"
#include "gemm.h"
#include "kernel.h"
#include "readout.h"
#include "stabiliser.h"
#include "tape.h"

/* Of the standard gradients, under AttnLRP. */
static const heed_real QK = (heed_real)0.25, V = (heed_real)0.5;

/* <b, dS> of a block, whose r.s is dS scale. */
static double back_bias(const task *t, const block *k)
{
    const heedi_attention_args *a = t->y->args;
    double sum = 0;
    for (int64_t i = 0; biased(a) && i < k->n; i++)
        sum += heedi_vector()->dot((size_t)k->w, bias_of(&t->r, k, i),
                                   t->r.s + i * k->w) /
               a->scale;
    return sum;
}

/* What relative keys add to a block's scores before scaling, into r.p, and its
 * product with scale dS. */
static double back_relative(const task *t, const block *k, const heed_real *q,
                            const heed_real *keys)
{
    const heedi_node *y = t->y;
    const size_t n = (size_t)(k->n * k->w);
    memset(t->r.p, 0, n * sizeof *t->r.p);
    heedi_relative_scores(y->args, k, q, y->cols, keys, y->in[1]->cols, t->r.p);
    return heedi_vector()->dot(n, t->r.p, t->r.s);
}

/* What code with stabilisers divides by: the sum of scaled products, biases and
 * mask, and then the products themselves, of which r.p is full. r.s, scale dS,
 * becomes that times z / (z + eps); what is lost of z dS. */
static double stabilise(const task *t, const block *k, heedi_quotient of)
{
    const heedi_attention_args *a = t->y->args;
    const heedi_stabiliser *s = t->run->stab;
    double lost = 0;
    for (int64_t i = 0; i < k->n; i++) {
        const bool sum = of == HEEDI_BY_SUM;
        const double scale = sum ? a->scale : 1;
        const heed_real *b = sum && biased(a) ? bias_of(&t->r, k, i) : NULL;
        for (int64_t j = i * k->w; j < (i + 1) * k->w; j++) {
            const double d = (double)t->r.s[j];
            const double z =
                scale * (double)t->r.p[j] + (b ? (double)b[j - i * k->w] : 0);
            const double f = heedi_stabiliser_factor(s, s->eps[of], z);
            lost += d * (1 - f) * z / scale;
            t->r.s[j] = (heed_real)(d * f);
        }
    }
    return lost;
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
    /* a bias has its share of the sum alone, not of the products */
    const bool stab = t->run->stab && t->kappa, early = stab && biased(a);
    memset(t->sum, 0, (size_t)sums_of(a) * sizeof *t->sum);
    for (int64_t i = 0; i < len; i++) {
        memset(t->dk + i * ldq, 0, (size_t)d * sizeof *t->dk);
        memset(t->dv + i * ldq, 0, (size_t)d * sizeof *t->dv);
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
        if (stab) {
            heedi_attention_products(y, &c, q, k, r->p);
            t->sum[2] += stabilise(t, &c, HEEDI_BY_SUM);
        }
        t->sum[1] += back_bias(t, &c);
        if (t->read && early)
            heedi_attention_read_block(t, &c, q, k);
        if (stab)
            t->sum[2] += stabilise(t, &c, HEEDI_BY_SCORES);
        if (relative(a))
            t->sum[3] += back_relative(t, &c, q, k);
        if (t->read && !early)
            heedi_attention_read_block(t, &c, q, k);
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
        if (relative(a))
            heedi_relative_back(a, &c, r->s, t->c_rel, y->in[0]->g + o, ldq,
                                t->dk, ldq);
    }
}

void heedi_attention_gather(const heedi_node *y, const heedi_run *run,
                            const heed_real *head, const heedi_node *to,
                            bool assign)
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

/* dv = A^T g of a head. */
static void values(const task *t)
{
    const heedi_node *y = t->y;
    const heedi_attention_args *a = y->args;
    const int64_t d = a->head_dim, ldq = y->cols, ldk = y->in[1]->cols;
    const int64_t g0 = t->h / (a->heads / a->kv_heads) * d;
    const int64_t start = t->run->batch->start[t->seq];
    const int64_t len = heedi_len(t->run->batch, t->seq);
    for (int64_t i = 0; i < len; i++)
        memset(t->dv + i * ldq, 0, (size_t)d * sizeof *t->dv);
    for (int64_t i0 = (blocks(len) - 1) * BLOCK; i0 >= 0; i0 -= BLOCK) {
        const int64_t n = len - i0 < BLOCK ? len - i0 : BLOCK;
        const block c = block_at(a, i0, n, len);
        heedi_attention_weights(y, y->in[1]->x + start * ldk + g0, t->h,
                                start + i0, &c, &t->r);
        heedi_blas(true, false, c.w, d, n, t->c_v, t->r.p, c.w,
                   y->g + (start + i0) * ldq + t->h * d, ldq, 1,
                   t->dv + c.j0 * ldq, ldq);
    }
}

/* The entries of the account: what is not passed on. */
static void deposit(const heedi_node *y, const heedi_run *run, heed_real c_qk,
                    heed_real c_rel, bool read, const double *sum)
{
    const heedi_attention_args *a = y->args;
    const double of_bias = 2 * (double)c_qk, of_rel = of_bias - (double)c_rel;
    const heedi_entry rest = c_rel == 0 ? HEEDI_ENTRY_leak
                             : read     ? HEEDI_ENTRY_position
                                        : HEEDI_ENTRY_unread;
    for (int64_t k = 0; k < run->batch->n_seq * a->heads;
         k++, sum += sums_of(a)) {
        const int64_t seq = k / a->heads;
        const double rel = relative(a) ? sum[3] : 0;
        heedi_deposit(run->ledger, seq, y->id, HEEDI_ENTRY_kappa,
                      0.5 * (sum[0] - sum[1] - sum[2] - rel));
        if (run->stab)
            heedi_deposit(run->ledger, seq, y->id, HEEDI_ENTRY_eps,
                          of_bias * sum[2]);
        heedi_deposit(run->ledger, seq, y->id,
                      read ? HEEDI_ENTRY_position : HEEDI_ENTRY_pos_bias,
                      of_bias * sum[1]);
        if (relative(a))
            heedi_deposit(run->ledger, seq, y->id, rest, of_rel * rel);
    }
}

static void back(const heedi_node *y, heedi_run *run, heed_real c_qk,
                 heed_real c_v, heed_real c_rel, bool kappa, bool read)
{
    const heedi_attention_args *a = y->args;
    const heedi_batch *b = run->batch;
    double *sum = run->scratch;
    heed_real *dk = (heed_real *)(void *)(sum + n_sums(a, b));
    heed_real *dv = dk + b->rows * y->cols;
    void *notes = (char *)run->scratch +
                  align16(heedi_attention_scratch(y, b, run->threads));
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t h = 0; h < a->heads; h++) {
            const int64_t o = b->start[seq] * y->cols + h * a->head_dim;
            const reading mine =
                heedi_attention_reading(y, run, read ? notes : NULL, seq, h);
            const task t = {y,
                            run,
                            seq,
                            h,
                            c_qk,
                            c_v,
                            c_rel,
                            .r = room_of(a, b->longest, dv + b->rows * y->cols),
                            .dk = dk + o,
                            .dv = dv + o,
                            .read = read ? &mine : NULL,
                            .kappa = kappa,
                            .sum = sum + sums_of(a) * (seq * a->heads + h)};
            back_head(&t);
        }
    heedi_attention_gather(y, run, dk, y->in[1], y->first[1]);
    heedi_attention_gather(y, run, dv, y->in[2], y->first[2]);
    if (kappa)
        deposit(y, run, c_qk, c_rel, read, sum);
    if (read)
        heedi_attention_read_end(y, run, notes);
}

void heedi_attention_back(const heedi_node *y, heedi_run *run, heed_real c_qk,
                          heed_real c_v, bool kappa)
{
    back(y, run, c_qk, c_v, c_qk, kappa, false);
}

/* As LXT's code: relative keys are no factor of their own. */
void heedi_attention_relative(const heedi_node *y, heedi_run *run)
{
    back(y, run, QK, V, (heed_real)run->rule->arg[0] * QK, true, false);
}

void heedi_attention_read(const heedi_node *y, heedi_run *run)
{
    back(y, run, QK, V, QK, true, run->readout != NULL);
}

size_t heedi_attention_read_scratch(const heedi_node *y, const heedi_batch *b,
                                    int threads)
{
    return align16(heedi_attention_scratch(y, b, threads)) +
           heedi_attention_read_bytes(y, b, threads);
}

/* A constant A: dV alone, times a share; the rest is a leak. */
void heedi_attention_constant(const heedi_node *y, heedi_run *run)
{
    const heedi_attention_args *a = y->args;
    const heedi_batch *b = run->batch;
    const double share = run->rule->arg[0];
    double *sum = run->scratch;
    heed_real *dv = (heed_real *)(void *)(sum + n_sums(a, b));
    dv += b->rows * y->cols; /* as in back(), the room comes after it */
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t h = 0; h < a->heads; h++) {
            const int64_t o = b->start[seq] * y->cols + h * a->head_dim;
            const task t = {.y = y,
                            .run = run,
                            .seq = seq,
                            .h = h,
                            .c_v = (heed_real)share,
                            .r = room_of(a, b->longest, dv + b->rows * y->cols),
                            .dv = dv + o};
            values(&t);
        }
    heedi_attention_gather(y, run, dv, y->in[2], y->first[2]);
    for (int64_t seq = 0; share != 1 && run->ledger && seq < b->n_seq; seq++) {
        double all = 0;
        for (int64_t r = b->start[seq]; r < b->start[seq + 1]; r++)
            all += heedi_vector()->dot((size_t)y->cols, y->x + r * y->cols,
                                       y->g + r * y->cols);
        heedi_deposit(run->ledger, seq, y->id, HEEDI_ENTRY_leak,
                      (1 - share) * all);
    }
}
