#include <string.h>

#include "attention_block.h"
#include "gemm.h"
#include "kernel.h"
#include "readout.h"

/* Of a pair of query i and key j, with the score's gradient dS under the
 * AttnLRP rule, belongs to positions
 *     1/4 dS s   of the score s of the dimensions that are rotated,
 *     1/2 dS b   of a bias b,
 *     1/4 dS r   of what relative keys add, r,
 * half to i and half to j. The rotations' part is what the rope operations read
 * by themselves; here it is split by head and distance. */

static int64_t rotated(const heedi_node *y)
{
    const heedi_node *q = y->in[0];
    const heedi_rope_args *a = q->args;
    return q->op == &heedi_op_rope ? a->rope->rot : 0;
}

/* Doubles of one row and head. */
enum { ARRAYS = 4 };

static void to_distance(const reading *o, int64_t query, int64_t key, double p)
{
    if (o->distance)
        o->distance[query > key ? query - key : key - query] += p;
    if (o->distance && key > query)
        o->ahead[key - query] += p;
}

size_t heedi_attention_read_bytes(const heedi_node *y, const heedi_batch *b,
                                  int threads)
{
    const heedi_attention_args *a = y->args;
    return (size_t)(ARRAYS * b->rows * a->heads) * sizeof(double) +
           (size_t)threads * align16((size_t)(BLOCK * b->longest)) *
               sizeof(heed_real);
}

reading heedi_attention_reading(const heedi_node *y, const heedi_run *run,
                                void *at, int64_t seq, int64_t h)
{
    const heedi_attention_args *a = y->args;
    const heedi_batch *b = run->batch;
    const heedi_readout *o = run->readout;
    const int64_t n = heedi_len(b, seq);
    if (!at)
        return (reading){0};
    double *mine = (double *)at + ARRAYS * (b->start[seq] * a->heads + h * n);
    heed_real *scores =
        (heed_real *)(void *)((double *)at + ARRAYS * b->rows * a->heads);
    return (reading){.rot = o->head || o->distance ? rotated(y) : 0,
                     .to_key = (o->what & HEEDI_READ_KEY) != 0,
                     .absolute = (o->what & HEEDI_READ_ABSOLUTE) != 0,
                     .rotated = mine,
                     .bias = mine + n,
                     .distance = o->distance ? mine + 2 * n : NULL,
                     .ahead = mine + 3 * n,
                     .scores =
                         scores + (size_t)omp_get_thread_num() *
                                      align16((size_t)(BLOCK * b->longest))};
}

static void read_rotated(const task *t, const block *k, int64_t i)
{
    const reading *o = t->read;
    const int64_t qi = k->i0 + i;
    const heed_real *s = t->r.s + i * k->w, *raw = o->scores + i * k->w;
    double sum = 0;
    for (int64_t j = 0; j < k->w; j++) {
        double p = (double)t->c_qk * (double)s[j] * (double)raw[j];
        const int64_t kj = k->j0 + j;
        sum += p;
        o->rotated[kj] += p / 2;
        to_distance(o, qi, kj, p);
    }
    o->rotated[qi] += sum / 2;
}

static void read_bias(const task *t, const block *k, int64_t i)
{
    const reading *o = t->read;
    const heedi_attention_args *a = t->y->args;
    const int64_t qi = k->i0 + i;
    const heed_real *s = t->r.s + i * k->w, *b = bias_of(&t->r, k, i);
    const double f = 2 * (double)t->c_qk / a->scale;
    const double to_query = o->to_key ? 0 : 0.5;
    const double more =
        o->absolute && a->slope ? a->slope[t->h] * (double)qi : 0;
    double sum = 0;
    for (int64_t j = 0; j < k->w; j++) {
        double p = f * ((double)b[j] + more) * (double)s[j];
        const int64_t kj = k->j0 + j;
        sum += p;
        o->bias[kj] += (1 - to_query) * p;
        to_distance(o, qi, kj, p);
    }
    o->bias[qi] += to_query * sum;
}

/* The table's half of what relative keys add. */
static void read_relative(const task *t, const block *k, int64_t i)
{
    const reading *o = t->read;
    const int64_t qi = k->i0 + i;
    const heed_real *s = t->r.s + i * k->w, *rel = t->r.p + i * k->w;
    const double to_query = o->to_key ? 0 : 0.5;
    double sum = 0;
    for (int64_t j = 0; j < k->w; j++) {
        double p = (double)t->c_rel * (double)s[j] * (double)rel[j];
        const int64_t kj = k->j0 + j;
        sum += p;
        o->bias[kj] += (1 - to_query) * p;
        to_distance(o, qi, kj, p);
    }
    o->bias[qi] += to_query * sum;
}

void heedi_attention_read_block(const task *t, const block *k,
                                const heed_real *q, const heed_real *keys)
{
    const heedi_attention_args *a = t->y->args;
    const reading *o = t->read;
    const int64_t ldq = t->y->cols, ldk = t->y->in[1]->cols;
    if (k->i0 + k->n == k->len) { /* the first block that comes */
        const size_t bytes = (size_t)k->len * sizeof(double);
        memset(o->rotated, 0, bytes);
        memset(o->bias, 0, bytes);
        memset(o->ahead, 0, bytes);
        if (o->distance)
            memset(o->distance, 0, bytes);
    }
    if (o->rot)
        heedi_blas(false, true, k->n, k->w, o->rot, 1, q, ldq,
                   keys + k->j0 * ldk, ldk, 0, o->scores, k->w);
    for (int64_t i = 0; i < k->n; i++) {
        if (o->rot)
            read_rotated(t, k, i);
        if (biased(a))
            read_bias(t, k, i);
        if (relative(a))
            read_relative(t, k, i);
    }
}

void heedi_attention_read_end(const heedi_node *y, const heedi_run *run,
                              void *at)
{
    const heedi_attention_args *a = y->args;
    const heedi_batch *b = run->batch;
    heedi_readout *o = run->readout;
    if (!biased(a) && !relative(a) && !rotated(y))
        return;
    const int64_t slot = heedi_readout_slot(o, y);
    o->both_ways = a->bidirectional;
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t h = 0; h < a->heads; h++) {
            const reading r = heedi_attention_reading(y, run, at, seq, h);
            const int64_t n = heedi_len(b, seq), row = b->start[seq];
            for (int64_t i = 0; i < n; i++) {
                o->add[slot * o->rows + row + i] += r.bias[i];
                if (o->head)
                    o->head[(slot * o->heads + h) * o->rows + row + i] +=
                        r.rotated[i] + r.bias[i];
                if (!o->distance)
                    continue;
                o->distance[slot * o->rows + row + i] += r.distance[i];
                o->ahead[slot * o->rows + row + i] += r.ahead[i];
            }
        }
}
