#include "job.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "ctx.h"
#include "kernel.h"

/* Weights of every mixing operation, through its `mixing` view alone: any
 * kind of layer will do. Tiles of query rows go to the sink as they come, so
 * that memory is one tile, whatever the length. */

enum { TILE = 64, PART = 8, MAX_SAMPLES = 16 }; /* PART: of one thread */

typedef struct maps {
    heedi_job *j;
    const int64_t *layer, *head; /* the model's numbers; chosen ones */
    int64_t n_layers, n_heads;
    int64_t done;       /* layers written */
    heed_real *tile;    /* (TILE, T) */
    heed_real *reduced; /* the same, over heads */
    double *error;      /* of reconstruction, (n, n_layers) */
} maps;

static const heedi_node *mixer(const heedi_exec *e, int64_t block)
{
    for (const heedi_node *y = e->block[block].tape.first; y; y = y->next)
        if (y->op->mixing)
            return y;
    return NULL;
}

static void view(const heedi_exec *e, const heedi_node *y, int64_t seq,
                 int64_t head, int64_t q0, int64_t nq, heed_real *out)
{
    const int64_t t = heedi_len(&e->batch, seq);
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t i = 0; i < nq; i += PART) {
        const int64_t n = nq - i < PART ? nq - i : PART;
        heedi_view v = {.seq = seq,
                        .head = head,
                        .q0 = q0 + i,
                        .nq = n,
                        .out = out + i * t};
        y->op->mixing->rows(y, &e->run, &v);
    }
}

/* acc (+)= what one head adds to the reduction */
static void gather(heedi_reduction r, const heed_real *x, heed_real *acc,
                   int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double a = (double)acc[i], v = (double)x[i];
        a = r == HEEDI_MAX        ? (v > a ? v : a)
            : r == HEEDI_POS_MEAN ? a + (v > 0 ? v : 0)
            : r == HEEDI_ABS_MEAN ? a + fabs(v)
            : r == HEEDI_L2       ? a + v * v
                                  : a + v;
        acc[i] = (heed_real)a;
    }
}

static void finish(heedi_reduction r, heed_real *acc, int64_t n, int64_t heads)
{
    for (int64_t i = 0; i < n; i++)
        acc[i] = r == HEEDI_MAX  ? acc[i]
                 : r == HEEDI_L2 ? (heed_real)sqrt((double)acc[i])
                                 : acc[i] / (heed_real)heads;
}

static heed_status put(const maps *m, int64_t seq, int64_t layer, int64_t head,
                       int64_t q0, int64_t nq, int64_t t, const heed_real *x)
{
    const heed_sink *s = &m->j->sink[seq];
    const int64_t start[] = {layer, head, q0, 0}, count[] = {1, 1, nq, t};
    return s->write(s->ud, m->j->ctx, "attention", "attention", start, count,
                    x);
}

static heed_status one_tile(const maps *m, const heedi_exec *e,
                            const heedi_node *y, int64_t seq, int64_t q0)
{
    const int64_t t = m->j->len[seq];
    const int64_t nq = t - q0 < TILE ? t - q0 : TILE;
    const heedi_reduction r = m->j->reduce;
    for (int64_t i = 0; r != HEEDI_NONE && i < nq * t; i++)
        m->reduced[i] = r == HEEDI_MAX ? -(heed_real)HUGE_VAL : 0;
    for (int64_t h = 0; h < m->n_heads; h++) {
        view(e, y, seq, m->head[h], q0, nq, m->tile);
        if (r == HEEDI_NONE)
            HEEDI_TRY(put(m, seq, m->done, h, q0, nq, t, m->tile));
        else
            gather(r, m->tile, m->reduced, nq * t);
    }
    if (r == HEEDI_NONE)
        return HEED_OK;
    finish(r, m->reduced, nq * t, m->n_heads);
    return put(m, seq, m->done, 0, q0, nq, t, m->reduced);
}

/* max |M v - out| / max |out| over sampled rows and all heads: does the matrix
 * that is stored make what the layer made? */
static double residual(const maps *m, const heedi_exec *e, const heedi_node *y,
                       int64_t seq)
{
    const heedi_node *v = y->in[y->op->mixing->operand];
    const int64_t t = m->j->len[seq], heads = y->op->mixing->heads(y);
    const int64_t d = y->cols / heads, groups = v->cols / d;
    const int64_t row0 = e->batch.start[seq];
    const int64_t n = t < MAX_SAMPLES ? t : MAX_SAMPLES;
    double worst = 0, most = 0;
    for (int64_t k = 0; k < n; k++) {
        int64_t q = n == 1 ? 0 : k * (t - 1) / (n - 1);
        for (int64_t h = 0; h < heads; h++) {
            view(e, y, seq, h, q, 1, m->tile);
            for (int64_t c = 0; c < d; c++) {
                double sum = 0;
                int64_t col = h / (heads / groups) * d + c;
                for (int64_t i = 0; i < t; i++)
                    sum += (double)m->tile[i] *
                           (double)v->x[(row0 + i) * v->cols + col];
                double out = (double)y->x[(row0 + q) * y->cols + h * d + c];
                worst = fmax(worst, fabs(sum - out));
                most = fmax(most, fabs(out));
            }
        }
    }
    return most > 0 ? worst / most : worst;
}

static heed_status visit(void *ud, heedi_exec *e, int64_t block)
{
    maps *m = ud;
    const heedi_node *y = mixer(e, block);
    if (!y || m->done == m->n_layers || m->layer[m->done] != block - 1)
        return HEED_OK;
    for (int64_t s = 0; s < m->j->n; s++) {
        m->error[s * m->n_layers + m->done] = residual(m, e, y, s);
        for (int64_t q0 = 0; q0 < m->j->len[s]; q0 += TILE)
            HEEDI_TRY(one_tile(m, e, y, s, q0));
    }
    m->done++;
    return HEED_OK;
}

static heed_status coordinates(const maps *m, const heed_sink *s,
                               const char *name, const int64_t *x, int64_t n)
{
    int32_t *v = heedi_arena_alloc(&m->j->mem, (size_t)n * sizeof *v);
    if (!v)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        v[i] = (int32_t)x[i];
    heed_var var = {.group = "",
                    .name = name,
                    .type = HEED_I32,
                    .nd = 1,
                    .dim = {name},
                    .len = {n}};
    return heed_put(s, m->j->ctx, &var, v);
}

static heed_status tokens(const maps *m, const heed_sink *s, int64_t seq,
                          const char *name, const char *dim)
{
    const heed_tokens *t = m->j->tokens[seq];
    const char **text =
        heedi_arena_alloc(&m->j->mem, (size_t)t->n * sizeof *text);
    if (!text)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < t->n; i++)
        text[i] = t->token[i].text;
    heed_var var = {.group = "attention",
                    .name = name,
                    .type = HEED_STR,
                    .nd = 1,
                    .dim = {dim},
                    .len = {t->n}};
    return heed_put(s, m->j->ctx, &var, text);
}

static heed_status begin(const maps *m, int64_t seq)
{
    const heed_sink *s = &m->j->sink[seq];
    const int64_t zero = 0, t = m->j->len[seq];
    const bool all = m->j->reduce == HEEDI_NONE;
    HEEDI_TRY(heedi_report_input(m->j, seq));
    HEEDI_TRY(coordinates(m, s, "layer", m->layer, m->n_layers));
    HEEDI_TRY(
        coordinates(m, s, "head", all ? m->head : &zero, all ? m->n_heads : 1));
    heed_var v = {.group = "attention",
                  .name = "attention",
                  .type = HEED_TYPE_REAL,
                  .nd = 4,
                  .dim = {"layer", "head", "query", "key"},
                  .len = {m->n_layers, all ? m->n_heads : 1, t, t},
                  .units = "1",
                  .long_name = "attention weights"};
    HEEDI_TRY(s->define(s->ud, m->j->ctx, &v));
    HEEDI_TRY(tokens(m, s, seq, "query_token", "query"));
    return tokens(m, s, seq, "key_token", "key");
}

static heed_status end(const maps *m, int64_t seq)
{
    const heed_sink *s = &m->j->sink[seq];
    heed_ctx *ctx = m->j->ctx;
    const char *g = "attention";
    HEEDI_TRY(heed_put_str(s, ctx, g, "kind", "softmax"));
    HEEDI_TRY(heed_put_str(s, ctx, g, "variant", "exact"));
    HEEDI_TRY(heed_put_str(s, ctx, g, "normalisation", "none"));
    HEEDI_TRY(heed_put_str(s, ctx, g, "reduction", m->j->reduce_name));
    heed_attr a = {HEED_F64, m->n_layers, m->error + seq * m->n_layers};
    return s->attr(s->ud, ctx, g, "reconstruction_error", a);
}

/* The chosen numbers, or all n; HEED_EINVAL names one that is out of range or
 * not in rising order. */
static heed_status choose(heedi_job *j, const char *what, const int64_t *want,
                          int64_t n_want, int64_t n, const int64_t **out,
                          int64_t *n_out)
{
    int64_t *x = heedi_arena_alloc(&j->mem, (size_t)n * sizeof *x);
    if (!x)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        x[i] = i;
    *out = want ? want : x;
    *n_out = want ? n_want : n;
    for (int64_t i = 0; want && i < n_want; i++)
        if (want[i] < 0 || want[i] >= n || (i > 0 && want[i] <= want[i - 1]))
            return heedi_fail(j->ctx, HEED_EINVAL,
                              "%s %lld: there are %lld, named in rising order "
                              "from 0",
                              what, (long long)want[i], (long long)n);
    return HEED_OK;
}

static heed_status run(heedi_job *j, heedi_exec *e)
{
    maps m = {.j = j};
    const heed_request *q = j->q;
    const int64_t layers = q->model->dim['L'];
    const heedi_node *y = mixer(e, 1);
    int64_t longest = 0;
    if (!y)
        return heedi_fail(j->ctx, HEED_ENOTSUP,
                          "attention: '%s' models have no mixing layers",
                          q->model->family->info.name);
    HEEDI_TRY(choose(j, "layer", q->layers, q->n_layers, layers, &m.layer,
                     &m.n_layers));
    HEEDI_TRY(choose(j, "head", q->heads, q->n_heads, y->op->mixing->heads(y),
                     &m.head, &m.n_heads));
    for (int64_t s = 0; s < j->n; s++)
        longest = j->len[s] > longest ? j->len[s] : longest;
    size_t n = (size_t)(TILE * longest);
    m.tile = heedi_arena_alloc(&j->mem, n * sizeof *m.tile);
    m.reduced = heedi_arena_alloc(&j->mem, n * sizeof *m.reduced);
    m.error = heedi_arena_alloc(&j->mem,
                                (size_t)(j->n * m.n_layers) * sizeof *m.error);
    if (!m.tile || !m.reduced || !m.error)
        return HEED_ENOMEM;
    for (int64_t s = 0; s < j->n; s++)
        HEEDI_TRY(begin(&m, s));
    HEEDI_TRY(heedi_exec_forward(e, visit, &m));
    for (int64_t s = 0; s < j->n; s++)
        HEEDI_TRY(end(&m, s));
    return HEED_OK;
}

heed_status heedi_run_attention(heedi_job *j)
{
    heedi_exec e;
    HEEDI_TRY(heedi_job_exec(j, &e));
    heed_status st = run(j, &e);
    heedi_exec_clear(&e);
    return st;
}
