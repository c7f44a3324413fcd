#include <math.h>
#include <string.h>

#include "ctx.h"
#include "rounds.h"

/* Relevance at the input of layer b - 1, for every target of this round. */
static heed_status visit(void *ud, heedi_exec *e, int64_t b)
{
    const heedi_rounds *r = ud;
    const int64_t c = e->m->dim['C'];
    if (b < 1)
        return HEED_OK;
    const heed_real *x = e->border[b - 1], *g = heedi_exec_g(e, b - 1);
    for (int64_t s = 0; s < r->j->n; s++) {
        heedi_outcome *o = heedi_outcome_of(r, s);
        const int64_t row = heedi_first_row(r->j, e, s), len = r->j->len[s];
        for (int64_t t = 0; heedi_has_target(r, s) && t < len; t++)
            o->layer[(b - 1) * len + t] = (heed_real)heedi_reduce(
                HEEDI_SUM, x + (row + t) * c, g + (row + t) * c, c);
    }
    return HEED_OK;
}

static void watch(void *ud, const heedi_exec *e, const heedi_node *y)
{
    const heedi_rounds *r = ud;
    for (int64_t s = 0; s < r->j->n; s++)
        if (heedi_has_target(r, s))
            heedi_latent_read(heedi_outcome_of(r, s)->latent, y,
                              heedi_first_row(r->j, e, s));
}

/* The part of the run's ledger that belongs to one input. */
static heed_status copy_ledger(const heedi_rounds *r, int64_t s)
{
    const heedi_ledger *from = &r->e->ledger;
    heedi_ledger *to = &heedi_outcome_of(r, s)->ledger;
    const size_t n = (size_t)from->n_ops;
    HEEDI_TRY(heedi_ledger_init(to, &r->j->mem, 1, from->n_ops, from->detail));
    for (size_t k = 0; k < n; k++) {
        size_t chars = strlen(from->op_name[k]) + 1;
        char *name = heedi_arena_alloc(&r->j->mem, chars);
        if (!name)
            return HEED_ENOMEM;
        to->op_name[k] = memcpy(name, from->op_name[k], chars);
    }
    for (int64_t p = s * r->j->parts; p < (s + 1) * r->j->parts; p++) {
        const size_t at = (size_t)p * n;
        for (size_t k = 0; k < n * HEEDI_N_ENTRIES; k++)
            to->sink[k] += from->sink[at * HEEDI_N_ENTRIES + k];
        for (size_t k = 0; k < n; k++) {
            to->in[k] += from->in[at + k];
            to->out[k] += from->out[at + k];
        }
    }
    return HEED_OK;
}

/* The sum of the positive parts of x g of a token: at the leaf, or, of a
 * learned token, where it enters. */
static double positive(const heedi_rounds *r, int64_t row, int64_t t)
{
    const heedi_exec *e = r->e;
    const bool learned = e->prefix && t < e->m->patch.prefix;
    const heedi_node *y = learned ? e->prefix : e->leaf;
    double sum = 0;
    for (int64_t i = (row + t) * y->cols; i < (row + t + 1) * y->cols; i++)
        sum += fmax(0, (double)y->x[i] * (double)y->g[i]);
    return sum;
}

/* Tokens, positions and types together are the relevance. */
static heed_status read_parts(heedi_rounds *r, int64_t s)
{
    heedi_job *j = r->j;
    heedi_exec *e = r->e;
    heedi_outcome *o = heedi_outcome_of(r, s);
    const int64_t row = heedi_first_row(j, e, s), len = j->len[s];
    o->parts = heedi_arena_alloc(&j->mem, sizeof *o->parts);
    o->positive = heedi_arena_alloc(&j->mem, (size_t)len * sizeof *o->positive);
    if (!o->parts || !o->positive)
        return HEED_ENOMEM;
    HEEDI_TRY(heedi_parts_copy(o->parts, &j->mem, &e->readout, row, len,
                               e->m->n_rope > 0 && e->m->rope[0].interleaved));
    o->magnitude = 0;
    for (int64_t t = 0; t < len; t++) {
        o->positive[t] = positive(r, row, t);
        if (e->readout.type_plus)
            o->positive[t] += e->readout.type_plus[row + t];
        const double more = heedi_readout_row(&e->readout, row + t);
        const double all = (double)o->relevance[t] + more;
        o->parts->token[t] = o->relevance[t];
        o->relevance[t] = (heed_real)all;
        o->sum += more;
        o->magnitude += fabs(all);
    }
    j->aggregate(j, o);
    return HEED_OK;
}

static heed_status settle(heedi_rounds *r, int64_t s)
{
    heedi_job *j = r->j;
    heedi_exec *e = r->e;
    heedi_outcome *o = heedi_outcome_of(r, s);
    const int64_t first = s * j->parts;
    const int64_t at = heedi_first_row(j, e, s) * e->leaf->cols;
    HEEDI_TRY(heedi_rounds_read(r, s, j->times_input ? e->leaf->x + at : NULL,
                                e->leaf->g + at));
    if (e->o.readout)
        HEEDI_TRY(read_parts(r, s));
    if (!e->o.account)
        return HEED_OK;
    const double beyond = o->aim.value - o->aim.seed_value;
    heedi_deposit(&e->ledger, first, e->n_ops - 1, HEEDI_ENTRY_target, beyond);
    e->ledger.in[first * e->n_ops + e->n_ops - 1] += beyond; /* the head's */
    HEEDI_TRY(copy_ledger(r, s));
    o->absorbed = heedi_ledger_absorbed(&o->ledger, 0);
    heedi_outcome_close(j, o, j->q->tol > 0 ? j->q->tol : 1e-4);
    return HEED_OK;
}

static heed_status one_round(heedi_rounds *r)
{
    HEEDI_TRY(heedi_rounds_aim(r));
    const int keep = r->e->o.keep;
    r->e->watch = keep & ~HEEDI_KEEP_LAYER ? watch : NULL;
    r->e->watch_ud = r;
    HEEDI_TRY(
        heedi_exec_backward(r->e, keep & HEEDI_KEEP_LAYER ? visit : NULL, r));
    for (int64_t s = 0; s < r->j->n; s++)
        if (heedi_has_target(r, s))
            HEEDI_TRY(settle(r, s));
    return HEED_OK;
}

static heed_status all_rounds(heedi_job *j, heedi_exec *e)
{
    heedi_rounds r;
    HEEDI_TRY(heedi_rounds_init(&r, j, e));
    r.learned = true;
    HEEDI_TRY(heedi_exec_forward(e, NULL, NULL));
    for (; r.round < j->rounds; r.round++)
        HEEDI_TRY(one_round(&r));
    return heedi_rounds_report(&r);
}

heed_status heedi_run_gradient(heedi_job *j)
{
    heedi_exec e;
    HEEDI_TRY(heedi_job_exec(j, &e));
    heed_status st = all_rounds(j, &e);
    heedi_exec_clear(&e);
    return st;
}
