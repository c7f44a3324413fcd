#include "head.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "choices.h"
#include "ctx.h"
#include "gemm.h"
#include "kernel.h"
#include "softcap.h"
#include "stabiliser.h"

enum { BLOCK = HEEDI_HEAD_BLOCK, CHUNK = 16 * BLOCK };

static int64_t chunks(const heedi_weight *w)
{
    return (w->rows + CHUNK - 1) / CHUNK;
}

/* The head as an operation on one row of a batch, for a rule. */
typedef struct operation {
    heedi_node x, y;
    heedi_batch batch;
    heedi_tile tile;
    heedi_run run;
} operation;

static void as_operation(operation *o, const heedi_exec *e,
                         const heedi_weight *w, const heed_real *bias,
                         int64_t seq)
{
    *o = (operation){.tile = {seq, 0, 1}, .run = e->run};
    o->batch = (heedi_batch){.n_seq = 1,
                             .rows = 1,
                             .longest = 1,
                             .n_tiles = 1,
                             .n_small = 1,
                             .tile = &o->tile,
                             .small = &o->tile};
    o->x.cols = w->cols;
    o->y = (heedi_node){.op = &heedi_op_linear,
                        .name = "head",
                        .id = e->n_ops - 1,
                        .in = {&o->x},
                        .w = w,
                        .vec = bias,
                        .n_vec = bias ? w->rows : 0,
                        .cols = w->rows};
    o->run.batch = &o->batch;
    o->run.rule = heedi_head_rule(e->o.rules);
}

size_t heedi_head_scratch(const heedi_exec *e)
{
    const heedi_weight *w = &e->m->head;
    size_t panels = (size_t)e->run.threads * BLOCK * (size_t)w->cols;
    size_t sums = (size_t)chunks(w) * (size_t)w->cols;
    size_t n = panels * sizeof(heed_real) + sums * sizeof(double), more = 0;
    operation o;
    as_operation(&o, e, w, e->m->head_bias, 0);
    if (o.run.rule && o.run.rule->scratch)
        more = o.run.rule->scratch(&o.y, &o.batch, e->run.threads);
    return n > more ? n : more;
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

/* Logits before they are capped. */
static heed_status whole_row(const heedi_exec *e, int64_t row, heed_real *logit)
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

static heed_status one_token(const heedi_exec *e, int64_t row, int32_t id,
                             heed_real *logit)
{
    heed_real out[BLOCK];
    const int64_t v0 = id / BLOCK * BLOCK;
#pragma omp parallel /* as in whole_row(): BLAS sees a team */
#pragma omp single
    block(e, heedi_head_state(e, row), v0, panel(e), true, out);
    *logit = out[id - v0];
    return isfinite((double)*logit) ? HEED_OK : bad(e, id);
}

/* In double, and rounded once: a logit has the same bits in a row and by
 * itself. */
static void cap(const heedi_exec *e, int64_t n, heed_real *z)
{
    const double c = e->m->softcap;
    if (c == 0)
        return;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        z[i] = (heed_real)heedi_softcap(c, (double)z[i]);
}

heed_status heedi_head_row(const heedi_exec *e, int64_t row, heed_real *logit)
{
    HEEDI_TRY(whole_row(e, row, logit));
    cap(e, e->m->head.rows, logit);
    return HEED_OK;
}

heed_status heedi_head_tokens(const heedi_exec *e, int64_t row,
                              const int32_t *id, int n, heed_real *logit)
{
    for (int i = 0; i < n; i++)
        HEEDI_TRY(one_token(e, row, id[i], &logit[i]));
    cap(e, n, logit);
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
        z[i] = heedi_softcap(e->m->softcap, z[i]);
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

/* One output, or all of them: z are their logits, c their cotangents. */
static void pass_by_rule(const heedi_exec *e, const heedi_weight *w,
                         const heed_real *bias, const heedi_seed *s,
                         int64_t seq, heed_real *z, heed_real *c, heed_real *g)
{
    operation o;
    as_operation(&o, e, w, bias, seq);
    o.x.x = (heed_real *)(uintptr_t)heedi_head_state(e, s->row);
    o.x.g = g;
    o.y.x = z;
    o.y.g = c;
    o.run.rule->back(&o.y, &o.run);
}

static heed_status by_rule(heedi_exec *e, const heedi_seed *s, int64_t seq,
                           heed_real *g)
{
    const heed_real *b = e->m->head_bias;
    if (s->dense) {
        HEEDI_TRY(whole_row(e, s->row, e->logit));
        pass_by_rule(e, &e->m->head, b, s, seq, e->logit,
                     (heed_real *)(uintptr_t)s->dense, g);
    }
    for (int i = 0; !s->dense && i < s->n; i++) {
        heedi_weight w = heedi_weight_rows(&e->m->head, s->id[i], 1);
        heed_real z, c = (heed_real)s->c[i];
        HEEDI_TRY(one_token(e, s->row, s->id[i], &z));
        pass_by_rule(e, &w, b ? b + s->id[i] : NULL, s, seq, &z, &c, g);
    }
    return HEED_OK;
}

/* What the derivative of capped logits loses of their relevance: c y of the
 * capped one, less the same of what the seed became. */
static double lost(double cap, double seed, double z)
{
    return seed * (heedi_softcap(cap, z) - heedi_softcap_slope(cap, z) * z);
}

/* What the seed of a logit is multiplied with, for its value z before it is
 * capped, and then divided by; where relevance itself travels, a logit has what
 * its capped one has. */
typedef struct factors {
    double cap, stab;
} factors;

static bool by_slope(const heedi_exec *e)
{
    return e->o.cap_slope || e->o.rules.pass != HEEDI_RELEVANCE;
}

static factors factors_of(const heedi_exec *e, const heedi_rule *rule, double z)
{
    const double cap = e->m->softcap;
    const heedi_stabiliser *s = rule ? NULL : e->o.stab;
    factors f = {1, 1};
    if (cap != 0)
        f.cap = by_slope(e) ? heedi_softcap_slope(cap, z)
                            : heedi_softcap_quotient(cap, z);
    if (s)
        f.stab = heedi_stabiliser_factor(s, s->eps[HEEDI_BY_MAP], z);
    return f;
}

/* What is lost on the way. */
typedef struct loss {
    double softcap, eps;
} loss;

static void lose(const heedi_exec *e, const factors *f, double c, double z,
                 loss *gone)
{
    if (e->o.cap_slope)
        gone->softcap += lost(e->m->softcap, c, z);
    gone->eps += c * f->cap * (1 - f->stab) * z;
}

/* Of all logits. */
static heed_status before_row(heedi_exec *e, const heedi_rule *rule,
                              heedi_seed *s, loss *gone)
{
    const int64_t v = e->m->head.rows;
    const bool loses = e->o.account && (e->o.cap_slope || e->o.stab);
    heed_real *to = e->logit + v;
    HEEDI_TRY(whole_row(e, s->row, to));
    for (int64_t i = 0; loses && i < v; i++) {
        const factors f = factors_of(e, rule, (double)to[i]);
        lose(e, &f, (double)s->dense[i], (double)to[i], gone);
    }
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < v; i++) {
        const factors f = factors_of(e, rule, (double)to[i]);
        to[i] = (heed_real)((double)s->dense[i] * f.cap * f.stab);
    }
    s->dense = to;
    return HEED_OK;
}

/* Is a seed changed on the way to the head? */
static bool changes(const heedi_exec *e)
{
    return e->m->softcap != 0 || e->o.stab;
}

static heed_status unseed(heedi_exec *e, const heedi_rule *rule, heedi_seed *s)
{
    const int64_t seq = heedi_sequence_of(&e->batch, s->row);
    const int head = e->n_ops - 1;
    loss gone = {0};
    heed_real z;
    if (!changes(e) || (rule && rule->back == heedi_form_linear))
        return HEED_OK;
    for (int i = 0; !s->dense && i < s->n; i++) {
        HEEDI_TRY(one_token(e, s->row, s->id[i], &z));
        const factors f = factors_of(e, rule, (double)z);
        lose(e, &f, s->c[i], (double)z, &gone);
        s->c[i] *= f.cap * f.stab;
    }
    if (s->dense)
        HEEDI_TRY(before_row(e, rule, s, &gone));
    if (e->o.account && e->o.cap_slope)
        heedi_deposit(&e->ledger, seq, head, HEEDI_ENTRY_softcap, gone.softcap);
    if (e->o.account && e->o.stab)
        heedi_deposit(&e->ledger, seq, head, HEEDI_ENTRY_eps, gone.eps);
    return HEED_OK;
}

int64_t heedi_head_room(const heedi_exec *e)
{
    const int64_t v = e->m->head.rows;
    const bool back = e->o.rules.pass != HEEDI_FORWARD;
    if (!e->o.head_full || !back)
        return 0;
    return changes(e) ? 2 * v : heedi_head_rule(e->o.rules) ? v : 0;
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

static void by_transpose(const heedi_exec *e, const heedi_seed *s, heed_real *g)
{
    if (s->dense)
        dense(e, s->dense, g);
    else
        sparse(e, s, g);
}

heed_status heedi_head_seed(heedi_exec *e, const heedi_seed *seed, int64_t n,
                            double *value)
{
    const int64_t c = e->m->head.cols;
    const heedi_rule *rule = heedi_head_rule(e->o.rules);
    heed_real *g = heedi_exec_g(e, e->n_blocks - 1);
    memset(g, 0, (size_t)(e->batch.rows * c) * sizeof *g);
    for (int64_t i = 0; i < n; i++) {
        heed_real *row = g + seed[i].row * c;
        if (seed[i].hidden) {
            seed_rows(e, &seed[i], g, value[i]);
            continue;
        }
        const int64_t s = heedi_sequence_of(&e->batch, seed[i].row);
        const int64_t at = s * e->n_ops + e->n_ops - 1;
        heedi_seed raw = seed[i];
        HEEDI_TRY(unseed(e, rule, &raw));
        if (rule)
            HEEDI_TRY(by_rule(e, &raw, s, row));
        else
            by_transpose(e, &raw, row);
        if (!e->o.account)
            continue;
        if (!rule)
            heedi_deposit(&e->ledger, s, e->n_ops - 1, HEEDI_ENTRY_bias,
                          bias_share(e, &raw));
        e->ledger.in[at] += value[i];
        e->ledger.out[at] += heedi_vector()->dot(
            (size_t)c, heedi_head_state(e, seed[i].row), row);
    }
    return HEED_OK;
}
