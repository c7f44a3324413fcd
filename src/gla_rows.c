#include "gla.h"

#include <math.h>
#include <string.h>

/* Rows of the matrix of gated linear attention, one for each head:
 *     M[r][c] = sum over keys of r_r k_c times the decays of c+1 ... r-1,
 *     M[r][r] = r_r u . k_r;      inclusive: the decays of c+1 ... r, no u.
 * From the diagonal to the left, g = r_r times the decays so far. In the row's
 * own chunk step by step; in those before, g meets k_c times the decays from c
 * to the chunk's end, and then takes the chunk's decays together. All factors
 * are at most 1. What a row is does not depend on those it is asked for with.
 */

enum { CHUNK = HEEDI_GLA_CHUNK };

typedef struct room {
    heed_real *d;   /* (CHUNK, up(keys)): decays of a chunk */
    heed_real *g;   /* (CHUNK, up(keys)) */
    heed_real *k;   /* (keys, CHUNK): keys with the decays to the chunk's end */
    heed_real *all; /* (up(keys)): decays of the chunk */
} room;

int64_t heedi_gla_rows_room(const heedi_node *y)
{
    const heedi_gla_args *a = y->args;
    return (2 * CHUNK + 1) * heedi_gla_up(a->keys) + CHUNK * a->keys;
}

static room room_of(const heedi_node *y, const heedi_run *run)
{
    const heedi_gla_args *a = y->args;
    const int64_t up = heedi_gla_up(a->keys);
    room m = {.d = heedi_gla_own(y, run)};
    m.g = m.d + CHUNK * up;
    m.all = m.g + CHUNK * up;
    m.k = m.all + up;
    return m;
}

static const heed_real *key(const heedi_node *y, int64_t row, int64_t head)
{
    const heedi_gla_args *a = y->args;
    return y->in[1]->x + row * y->in[1]->cols + head * a->keys;
}

/* Columns of the chunk that row r is in, which begins at c0; out: the row. */
static void own_chunk(const heedi_node *y, const room *m, int64_t row0,
                      int64_t head, int64_t r, int64_t c0, heed_real *out)
{
    const heedi_gla_args *a = y->args;
    const heedi_vector_table *v = heedi_vector();
    const int64_t n = a->keys, up = heedi_gla_up(n);
    heed_real *g = m->g + (r - c0) * up;
    memcpy(g, y->in[0]->x + (row0 + r) * y->in[0]->cols + head * n,
           (size_t)n * sizeof *g);
    int64_t c = r;
    if (!a->inclusive) {
        const heed_real *k = key(y, row0 + r, head);
        double now = 0;
        for (int64_t i = 0; y->vec && i < n; i++)
            now += (double)(g[i] * y->vec[head * n + i]) * (double)k[i];
        out[c--] = (heed_real)now;
    }
    for (; c >= c0; c--) {
        out[c] = (heed_real)v->dot((size_t)n, g, key(y, row0 + c, head));
        for (int64_t i = 0; i < n; i++)
            g[i] *= m->d[(c - c0) * up + i];
    }
}

/* Keys of the chunk from c0 with the decays after them. */
static void keys_of(const heedi_node *y, const room *m, int64_t row0,
                    int64_t head, int64_t c0)
{
    const heedi_gla_args *a = y->args;
    const int64_t n = a->keys, up = heedi_gla_up(n);
    for (int64_t i = 0; i < n; i++)
        m->all[i] = 1;
    for (int64_t c = CHUNK - 1; c >= 0; c--) {
        const heed_real *k = key(y, row0 + c0 + c, head);
        for (int64_t i = 0; i < n; i++) {
            m->k[i * CHUNK + c] = k[i] * m->all[i];
            m->all[i] *= m->d[c * up + i];
        }
    }
}

/* Rows q0 ... q0+nq-1, all in one chunk. */
static void rows_of(const heedi_node *y, const room *m, const heedi_run *run,
                    const heedi_view *v, int64_t q0, int64_t nq)
{
    const heedi_gla_args *a = y->args;
    const heedi_gla_table *f = heedi_gla_kernels();
    const int64_t up = heedi_gla_up(a->keys), row0 = run->batch->start[v->seq];
    const int64_t len = heedi_len(run->batch, v->seq);
    const int64_t at = q0 / CHUNK * CHUNK;
    heed_real *out = v->out + (q0 - v->q0) * len;
    heedi_gla_decays(y, row0 + at, q0 + nq - at, v->head, m->d);
    for (int64_t q = 0; q < nq; q++) {
        memset(out + q * len + q0 + q, 0, (size_t)(len - q0 - q) * sizeof *out);
        own_chunk(y, m, row0, v->head, q0 + q, at, out + q * len);
    }
    for (int64_t c0 = at - CHUNK; c0 >= 0; c0 -= CHUNK) {
        heedi_gla_decays(y, row0 + c0, CHUNK, v->head, m->d);
        keys_of(y, m, row0, v->head, c0);
        for (int64_t q = 0; q < nq; q++) {
            heed_real *g = m->g + (q0 + q - at) * up;
            f->row(a->keys, g, m->k, out + q * len + c0);
            for (int64_t i = 0; i < a->keys; i++)
                g[i] *= m->all[i];
        }
    }
}

void heedi_gla_rows(const heedi_node *y, const heedi_run *run,
                    const heedi_view *v)
{
    const room m = room_of(y, run);
    for (int64_t q = v->q0, n; q < v->q0 + v->nq; q += n) {
        const int64_t left = v->q0 + v->nq - q;
        n = CHUNK - q % CHUNK;
        n = n < left ? n : left;
        rows_of(y, &m, run, v, q, n);
    }
}

/* A head's part of rest: r times all decays before it, times the state. */
static void rest_of(const heedi_node *y, const heedi_run *run,
                    const heedi_view *v, int64_t head)
{
    const heedi_gla_args *a = y->args;
    const heedi_vector_table *f = heedi_vector();
    const int64_t n = a->keys, up = heedi_gla_up(n);
    const int64_t row0 = run->batch->start[v->seq], end = v->q0 + v->nq;
    const heed_real *s =
        (const heed_real *)v->before + head * heedi_gla_unit(y);
    const room m = room_of(y, run);
    for (int64_t i = 0; i < n; i++)
        m.all[i] = 1;
    for (int64_t t = 0; t < end; t++) {
        if (t % CHUNK == 0)
            heedi_gla_decays(y, row0 + t, end - t < CHUNK ? end - t : CHUNK,
                             head, m.d);
        const heed_real *d = m.d + t % CHUNK * up;
        const heed_real *r =
            y->in[0]->x + (row0 + t) * y->in[0]->cols + head * n;
        for (int64_t i = 0; a->inclusive && i < n; i++)
            m.all[i] *= d[i];
        if (t >= v->q0) {
            heed_real *out = v->out + (t - v->q0) * y->cols + head * a->values;
            memset(out, 0, (size_t)a->values * sizeof *out);
            for (int64_t j = 0; j < a->values; j += HEEDI_GLA_VALUES) {
                const int64_t left = a->values - j;
                const int64_t w =
                    left < HEEDI_GLA_VALUES ? left : HEEDI_GLA_VALUES;
                for (int64_t i = 0; i < n; i++)
                    f->axpy((size_t)w, r[i] * m.all[i],
                            s + heedi_gla_at(a, i, j), out + j);
            }
        }
        for (int64_t i = 0; !a->inclusive && i < n; i++)
            m.all[i] *= d[i];
    }
}

void heedi_gla_rest(const heedi_node *y, const heedi_run *run,
                    const heedi_view *v)
{
    const heedi_gla_args *a = y->args;
    if (!v->before) {
        memset(v->out, 0, (size_t)(v->nq * y->cols) * sizeof *v->out);
        return;
    }
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t h = 0; h < a->heads; h++)
        rest_of(y, run, v, h);
}

/* A state's rows, one for each key, decay by the key. */
int64_t heedi_gla_states(const heedi_node *y)
{
    return ((const heedi_gla_args *)y->args)->keys;
}

void heedi_gla_rates(const heedi_node *y, const heedi_run *run,
                     const heedi_steps *s, double *out)
{
    const heedi_gla_args *a = y->args;
    const int64_t cols = y->in[3]->cols;
    for (int64_t t = 0; t < s->n; t++) {
        const int64_t row = run->batch->start[s->seq] + s->from + t;
        const heed_real *x = y->in[3]->x + row * cols + s->head * a->keys;
        for (int64_t i = 0; i < a->keys; i++) {
            const double w = (double)x[i];
            out[i * s->n + t] =
                a->tau > 0 ? (fmax(-w, 0) + log1p(exp(-fabs(w)))) / a->tau
                           : exp(w);
        }
    }
}
