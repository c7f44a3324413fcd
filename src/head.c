#include "head.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "ctx.h"
#include "gemm.h"
#include "kernel.h"

enum { BLOCK = HEEDI_HEAD_BLOCK, CHUNK = 16 * BLOCK };

static int64_t chunks(const heedi_weight *w)
{
    return (w->rows + CHUNK - 1) / CHUNK;
}

size_t heedi_head_scratch(const heedi_exec *e)
{
    const heedi_weight *w = &e->m->head;
    size_t panels = (size_t)e->run.threads * BLOCK * (size_t)w->cols;
    size_t sums = (size_t)chunks(w) * (size_t)w->cols;
    return panels * sizeof(heed_real) + sums * sizeof(double);
}

static heed_real *panel(const heedi_exec *e)
{
    return (heed_real *)e->run.scratch +
           (size_t)omp_get_thread_num() * BLOCK * (size_t)e->m->head.cols;
}

/* Logits of the block of tokens that starts at v0, of one row. */
static void block(const heedi_exec *e, const heed_real *x, int64_t v0,
                  heed_real *w, bool decode, heed_real *out)
{
    const heedi_weight *h = &e->m->head;
    const int64_t n = h->rows - v0 < BLOCK ? h->rows - v0 : BLOCK;
    for (int64_t r = 0; decode && r < n; r++)
        heedi_weight_row(h, v0 + r, 0, h->cols, w + r * h->cols);
    heedi_blas(false, true, 1, n, h->cols, 1, x, h->cols, w, h->cols, 0, out,
               n);
    for (int64_t r = 0; e->m->head_bias && r < n; r++)
        out[r] += e->m->head_bias[v0 + r];
}

const heed_real *heedi_head_state(const heedi_exec *e, int64_t row)
{
    return e->border[e->n_blocks - 1] + row * e->m->head.cols;
}

static heed_status bad(const heedi_exec *e, int64_t v)
{
    return heedi_fail(e->ctx, HEED_ENUMERIC,
                      "head: tensor %s: the logit of token %lld is not finite",
                      e->m->head.name, (long long)v);
}

heed_status heedi_head_row(const heedi_exec *e, int64_t row, heed_real *logit)
{
    const heed_real *x = heedi_head_state(e, row);
    const int64_t v = e->m->head.rows;
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t v0 = 0; v0 < v; v0 += BLOCK)
        block(e, x, v0, panel(e), true, logit + v0);
    for (int64_t i = 0; i < v; i++)
        if (!isfinite((double)logit[i]))
            return bad(e, i);
    return HEED_OK;
}

heed_status heedi_head_tokens(const heedi_exec *e, int64_t row,
                              const int32_t *id, int n, heed_real *logit)
{
    heed_real out[BLOCK];
    for (int i = 0; i < n; i++) {
        int64_t v0 = id[i] / BLOCK * BLOCK;
#pragma omp parallel /* as in heedi_head_row(): BLAS sees a team */
#pragma omp single
        block(e, heedi_head_state(e, row), v0, panel(e), true, out);
        logit[i] = out[id[i] - v0];
        if (!isfinite((double)logit[i]))
            return bad(e, id[i]);
    }
    return HEED_OK;
}

heed_status heedi_head_difference(const heedi_exec *e, int64_t row,
                                  const int32_t id[2], double *out)
{
    const heedi_weight *h = &e->m->head;
    heed_real *w = e->run.scratch;
    double z[2];
    for (int i = 0; i < 2; i++) {
        heedi_weight_row(h, id[i], 0, h->cols, w);
        z[i] =
            heedi_vector()->dot((size_t)h->cols, heedi_head_state(e, row), w);
        z[i] += e->m->head_bias ? (double)e->m->head_bias[id[i]] : 0;
        if (!isfinite(z[i]))
            return bad(e, id[i]);
    }
    *out = z[0] - z[1];
    return HEED_OK;
}

/* g += sum of c_v W_v over all tokens: chunks of the vocabulary, added up in
 * their order. In double, for the coefficients cancel: what float loses here,
 * times x, is a residual of the account. */
static void dense(const heedi_exec *e, const heed_real *c, heed_real *g)
{
    const heedi_weight *h = &e->m->head;
    const int64_t n = chunks(h);
    double *sums = (double *)((heed_real *)e->run.scratch +
                              (size_t)e->run.threads * BLOCK * (size_t)h->cols);
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t k = 0; k < n; k++) {
        heed_real *row = panel(e);
        double *sum = sums + k * h->cols;
        int64_t end = (k + 1) * CHUNK < h->rows ? (k + 1) * CHUNK : h->rows;
        memset(sum, 0, (size_t)h->cols * sizeof *sum);
        for (int64_t r = k * CHUNK; r < end; r++) {
            heedi_weight_row(h, r, 0, h->cols, row);
            for (int64_t i = 0; i < h->cols; i++)
                sum[i] += (double)c[r] * (double)row[i];
        }
    }
    for (int64_t i = 0; i < h->cols; i++) {
        double sum = (double)g[i];
        for (int64_t k = 0; k < n; k++)
            sum += sums[k * h->cols + i];
        g[i] = (heed_real)sum;
    }
}

static void sparse(const heedi_exec *e, const heedi_seed *s, heed_real *g)
{
    const heedi_weight *h = &e->m->head;
    heed_real *row = e->run.scratch;
    for (int i = 0; i < s->n; i++) {
        heedi_weight_row(h, s->id[i], 0, h->cols, row);
        heedi_vector()->axpy((size_t)h->cols, (heed_real)s->c[i], row, g);
    }
}

static double bias_share(const heedi_exec *e, const heedi_seed *s)
{
    const heed_real *b = e->m->head_bias;
    double sum = 0;
    if (!b)
        return 0;
    if (s->dense)
        return heedi_vector()->dot((size_t)e->m->head.rows, b, s->dense);
    for (int i = 0; i < s->n; i++)
        sum += s->c[i] * (double)b[s->id[i]];
    return sum;
}

/* The account of a seed without a head: what the target gives, the rows
 * take. */
static void seed_rows(heedi_exec *e, const heedi_seed *s, heed_real *g,
                      double value)
{
    const int64_t c = e->m->head.cols, row[2] = {s->row, s->other};
    double x = 0;
    for (int k = 0; k < 2 && row[k] >= 0; k++) {
        const heed_real *h = s->hidden + k * c;
        memcpy(g + row[k] * c, h, (size_t)c * sizeof *h);
        x += heedi_vector()->dot((size_t)c, heedi_head_state(e, row[k]), h);
    }
    if (!e->o.account)
        return;
    int64_t at = heedi_sequence_of(&e->batch, s->row) * e->n_ops + e->n_ops - 1;
    e->ledger.in[at] += value;
    e->ledger.out[at] += x;
}

void heedi_head_seed(heedi_exec *e, const heedi_seed *seed, int64_t n,
                     double *value)
{
    const int64_t c = e->m->head.cols;
    heed_real *g = heedi_exec_g(e, e->n_blocks - 1);
    memset(g, 0, (size_t)(e->batch.rows * c) * sizeof *g);
    for (int64_t i = 0; i < n; i++) {
        heed_real *row = g + seed[i].row * c;
        if (seed[i].hidden) {
            seed_rows(e, &seed[i], g, value[i]);
            continue;
        }
        if (seed[i].dense)
            dense(e, seed[i].dense, row);
        else
            sparse(e, &seed[i], row);
        double x = heedi_vector()->dot((size_t)c,
                                       heedi_head_state(e, seed[i].row), row);
        double bias = bias_share(e, &seed[i]);
        if (!e->o.account)
            continue;
        int64_t s = heedi_sequence_of(&e->batch, seed[i].row);
        int64_t at = s * e->n_ops + e->n_ops - 1;
        heedi_deposit(&e->ledger, s, e->n_ops - 1, HEEDI_ENTRY_bias, bias);
        e->ledger.in[at] += value[i];
        e->ledger.out[at] += x;
    }
}
