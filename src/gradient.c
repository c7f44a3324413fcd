#include "job.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ctx.h"

typedef struct pass {
    heedi_job *j;
    heedi_exec *e;
    heedi_outcome *out; /* (n, rounds) */
    int64_t round;
    heed_real *logit;
    heed_real *dense; /* (n, V), or NULL */
} pass;

static heedi_outcome *outcome(const pass *p, int64_t input)
{
    return &p->out[input * p->j->rounds + p->round];
}

static bool has_target(const pass *p, int64_t input)
{
    return p->round < p->j->n_targets[input];
}

/* One value of a row of relevance or of a gradient. */
static double reduced(heedi_reduction r, const heed_real *x, const heed_real *g,
                      int64_t n)
{
    double sum = 0, l1 = 0, l2 = 0, max = -HUGE_VAL, most = 0;
    for (int64_t i = 0; i < n; i++) {
        double v = (double)g[i] * (x ? (double)x[i] : 1);
        sum += v;
        l1 += fabs(v);
        l2 += v * v;
        max = v > max ? v : max;
        most = fabs(v) > fabs(most) ? v : most;
    }
    switch (r) {
    case HEEDI_MEAN:
        return sum / (double)n;
    case HEEDI_L1:
        return l1;
    case HEEDI_L2:
        return sqrt(l2);
    case HEEDI_ABSMAX:
        return fabs(most);
    case HEEDI_MAX:
        return max;
    default:
        return sum;
    }
}

/* Relevance at the input of layer b - 1, for every target of this round. */
static heed_status visit(void *ud, heedi_exec *e, int64_t b)
{
    const pass *p = ud;
    const int64_t c = e->m->dim['C'];
    if (b < 1)
        return HEED_OK;
    const heed_real *x = e->border[b - 1], *g = heedi_exec_g(e, b - 1);
    for (int64_t s = 0; s < p->j->n; s++) {
        heedi_outcome *o = outcome(p, s);
        const int64_t row = e->batch.start[s], len = p->j->len[s];
        for (int64_t t = 0; has_target(p, s) && t < len; t++)
            o->layer[(b - 1) * len + t] = (heed_real)reduced(
                HEEDI_SUM, x + (row + t) * c, g + (row + t) * c, c);
    }
    return HEED_OK;
}

static heed_status read_leaf(const pass *p, int64_t s)
{
    const heedi_exec *e = p->e;
    const heedi_job *j = p->j;
    const heedi_node *leaf = e->leaf;
    heedi_outcome *o = outcome(p, s);
    for (int64_t t = 0; t < j->len[s]; t++) {
        int64_t at = (e->batch.start[s] + t) * leaf->cols;
        const heed_real *g = leaf->g + at;
        const heed_real *x = j->times_input ? leaf->x + at : NULL;
        double r = reduced(HEEDI_SUM, x, g, leaf->cols);
        if (!isfinite(r))
            return heedi_fail(j->ctx, HEED_ENUMERIC,
                              "%s: the relevance of token %lld is not finite",
                              j->info->name, (long long)t);
        o->relevance[t] =
            (heed_real)(j->reduce == HEEDI_SUM
                            ? r
                            : reduced(j->reduce, x, g, leaf->cols));
        o->sum += j->info->is_signed ? r : (double)o->relevance[t];
        o->magnitude += fabs(r);
    }
    return HEED_OK;
}

/* The part of the run's ledger that belongs to one sequence. */
static heed_status copy_ledger(const pass *p, int64_t s)
{
    const heedi_ledger *from = &p->e->ledger;
    heedi_ledger *to = &outcome(p, s)->ledger;
    const size_t n = (size_t)from->n_ops;
    HEEDI_TRY(heedi_ledger_init(to, &p->j->mem, 1, from->n_ops, from->detail));
    for (size_t k = 0; k < n; k++) {
        size_t chars = strlen(from->op_name[k]) + 1;
        char *name = heedi_arena_alloc(&p->j->mem, chars);
        if (!name)
            return HEED_ENOMEM;
        to->op_name[k] = memcpy(name, from->op_name[k], chars);
    }
    memcpy(to->sink, from->sink + (size_t)s * n * HEEDI_N_ENTRIES,
           n * HEEDI_N_ENTRIES * sizeof *to->sink);
    memcpy(to->in, from->in + (size_t)s * n, n * sizeof *to->in);
    memcpy(to->out, from->out + (size_t)s * n, n * sizeof *to->out);
    return HEED_OK;
}

static heed_status settle(const pass *p, int64_t s)
{
    heedi_job *j = p->j;
    heedi_outcome *o = outcome(p, s);
    HEEDI_TRY(read_leaf(p, s));
    o->absorbed = o->residual = (double)NAN;
    if (!j->info->conserves)
        return HEED_OK;
    heedi_deposit(&p->e->ledger, s, p->e->n_ops - 1, HEEDI_ENTRY_target,
                  o->aim.value - o->aim.seed_value);
    HEEDI_TRY(copy_ledger(p, s));
    o->absorbed = heedi_ledger_total(&o->ledger, 0);
    o->residual = o->aim.value - o->sum - o->absorbed;
    double tol = j->q->tol > 0 ? j->q->tol : 1e-4;
    double scale = fmax(fabs(o->aim.value), o->magnitude);
    if (!(fabs(o->residual) <= tol * scale) && j->late == HEED_OK) {
        j->late = HEED_ENUMERIC;
        snprintf(j->late_msg, sizeof j->late_msg,
                 "%s: the account does not close: target %.9g = tokens %.9g + "
                 "absorbed %.9g + residual %.3g, more than %.3g of %.9g",
                 j->info->name, o->aim.value, o->sum, o->absorbed, o->residual,
                 tol, scale);
    }
    return HEED_OK;
}

static heed_status aim(const pass *p, int64_t s, heedi_seed *seed,
                       double *value, int64_t *n)
{
    const heedi_job *j = p->j;
    heedi_outcome *o = outcome(p, s);
    const int64_t len = j->len[s], v = p->e->m->head.rows;
    HEEDI_TRY(heedi_aim_at(&o->aim, p->e, &j->target[s][p->round],
                           p->e->batch.start[s], len, p->logit,
                           p->dense ? p->dense + s * v : NULL));
    size_t bytes = sizeof(heed_real) * (size_t)len;
    o->relevance = heedi_arena_alloc(&p->j->mem, bytes);
    if (p->e->o.keep_layers)
        o->layer = heedi_arena_alloc(&p->j->mem,
                                     bytes * (size_t)(p->e->m->dim['L'] + 1));
    seed[*n] = o->aim.seed;
    value[(*n)++] = o->aim.seed_value;
    return o->relevance && (o->layer || !p->e->o.keep_layers) ? HEED_OK
                                                              : HEED_ENOMEM;
}

static heed_status one_round(pass *p, heedi_seed *seed, double *value)
{
    heedi_exec *e = p->e;
    int64_t n = 0;
    for (int64_t s = 0; s < p->j->n; s++)
        if (has_target(p, s))
            HEEDI_TRY(aim(p, s, seed, value, &n));
    if (e->o.account)
        heedi_ledger_zero(&e->ledger);
    heedi_head_seed(e, seed, n, value);
    HEEDI_TRY(heedi_exec_backward(e, e->o.keep_layers ? visit : NULL, p));
    for (int64_t s = 0; s < p->j->n; s++)
        if (has_target(p, s))
            HEEDI_TRY(settle(p, s));
    return HEED_OK;
}

static heed_status rounds(heedi_job *j, heedi_exec *e)
{
    pass p = {.j = j, .e = e};
    const size_t n = (size_t)j->n, v = (size_t)e->m->head.rows;
    bool all = false;
    for (int64_t s = 0; s < j->n; s++)
        for (int64_t k = 0; k < j->n_targets[s]; k++) {
            const heedi_target_kind *kind;
            HEEDI_TRY(heedi_target_check(j->ctx, &j->target[s][k], j->len[s],
                                         e->m->head.rows, &kind));
            all = all || kind->all;
        }
    p.out = heedi_arena_alloc(&j->mem, n * (size_t)j->rounds * sizeof *p.out);
    p.logit = heedi_arena_alloc(&j->mem, v * sizeof *p.logit);
    heedi_seed *seed = heedi_arena_alloc(&j->mem, n * sizeof *seed);
    double *value = heedi_arena_alloc(&j->mem, n * sizeof *value);
    if (all)
        p.dense = heedi_arena_alloc(&j->mem, n * v * sizeof *p.dense);
    if (!p.out || !p.logit || !seed || !value || (all && !p.dense))
        return HEED_ENOMEM;
    HEEDI_TRY(heedi_exec_forward(e, NULL, NULL));
    for (p.round = 0; p.round < j->rounds; p.round++)
        HEEDI_TRY(one_round(&p, seed, value));
    for (int64_t s = 0; s < j->n; s++)
        HEEDI_TRY(heedi_report(j, s, p.out + s * j->rounds));
    return HEED_OK;
}

heed_status heedi_run_gradient(heedi_job *j)
{
    heedi_exec e;
    HEEDI_TRY(
        heedi_exec_init(&e, j->ctx, j->q->model, j->len, j->n, j->id, &j->o));
    heed_status st = rounds(j, &e);
    heedi_exec_clear(&e);
    return st;
}
