#include "rounds.h"

#include <math.h>
#include <stdio.h>

#include "ctx.h"
#include "patches.h"

heed_status heedi_rounds_init(heedi_rounds *r, heedi_job *j, heedi_exec *e)
{
    *r = (heedi_rounds){.j = j, .e = e};
    const size_t n = (size_t)j->n, v = (size_t)heedi_target_room(e->m);
    bool all = false;
    for (int64_t s = 0; s < j->n; s++)
        for (int64_t k = 0; k < j->n_targets[s]; k++) {
            const heedi_target_kind *kind;
            HEEDI_TRY(heedi_target_check(j->ctx, &j->target[s][k], j->len[s],
                                         e->m, &kind));
            all = all || heedi_target_dense(e, kind);
        }
    r->out = heedi_arena_alloc(&j->mem, n * (size_t)j->rounds * sizeof *r->out);
    r->now = heedi_arena_alloc(&j->mem, n * sizeof *r->now);
    r->logit = heedi_arena_alloc(&j->mem, v * sizeof *r->logit);
    r->seed = heedi_arena_alloc(&j->mem, n * sizeof *r->seed);
    r->value = heedi_arena_alloc(&j->mem, n * sizeof *r->value);
    if (all)
        r->dense = heedi_arena_alloc(&j->mem, n * v * sizeof *r->dense);
    return r->out && r->now && r->logit && r->seed && r->value &&
                   (r->dense || !all)
               ? HEED_OK
               : HEED_ENOMEM;
}

bool heedi_has_target(const heedi_rounds *r, int64_t s)
{
    return r->round < r->j->n_targets[s];
}

heedi_outcome *heedi_outcome_of(const heedi_rounds *r, int64_t s)
{
    return &r->out[s * r->j->rounds + r->round];
}

static heed_status aim(heedi_rounds *r, int64_t s, const heed_target *t,
                       heedi_aim *out)
{
    heedi_exec *e = r->e;
    return heedi_aim_at(
        out, e, t, heedi_first_row(r->j, e, s), r->j->len[s], r->logit,
        r->dense ? r->dense + s * heedi_target_room(e->m) : NULL);
}

/* A logit below 0 turns the signs of all relevance round. */
static void warn_negative(heedi_job *j, const heedi_aim *a)
{
    if (!j->o.account || j->warned || a->value >= 0 || !heedi_aim_is_logit(a))
        return;
    heedi_warn(j->ctx,
               "%s: the logit that is explained is negative, %.6g, and "
               "relevance adds up to it; --center-logits explains it less the "
               "mean of the others",
               j->info->name, a->value);
    j->warned = true;
}

static heed_status begin_pixels(heedi_job *j, heedi_outcome *o)
{
    const heedi_patch *p = &j->q->model->patch;
    const size_t n = (size_t)(p->image_h * p->image_w);
    if (n == 0)
        return HEED_OK;
    o->pixel = heedi_arena_alloc(&j->mem, n * sizeof *o->pixel);
    o->channel = heedi_arena_alloc(&j->mem, n * (size_t)p->channels *
                                                sizeof *o->channel);
    return o->pixel && o->channel ? HEED_OK : HEED_ENOMEM;
}

static heed_status relevance(heedi_job *j, heedi_outcome *o, int64_t s)
{
    o->absorbed = o->residual = (double)NAN;
    o->relevance =
        heedi_arena_alloc(&j->mem, sizeof(heed_real) * (size_t)j->len[s]);
    return o->relevance ? HEED_OK : HEED_ENOMEM;
}

heed_status heedi_rounds_place(heedi_rounds *r)
{
    for (int64_t s = 0; s < r->j->n; s++) {
        heedi_outcome *o = heedi_outcome_of(r, s);
        if (!heedi_has_target(r, s))
            continue;
        o->aim =
            (heedi_aim){.at = heedi_target_at(
                            r->e->m, &r->j->target[s][r->round], r->j->len[s]),
                        .token = -1,
                        .foil = -1,
                        .value = (double)NAN};
        HEEDI_TRY(relevance(r->j, o, s));
    }
    return HEED_OK;
}

static heed_status begin(heedi_rounds *r, int64_t s)
{
    heedi_job *j = r->j;
    heedi_outcome *o = heedi_outcome_of(r, s);
    const size_t bytes = sizeof(heed_real) * (size_t)j->len[s];
    HEEDI_TRY(aim(r, s, &j->target[s][r->round], &o->aim));
    if (!o->aim.centered)
        warn_negative(j, &o->aim);
    HEEDI_TRY(relevance(j, o, s));
    HEEDI_TRY(begin_pixels(j, o));
    if (r->e->o.keep & HEEDI_KEEP_LAYER) {
        o->layer =
            heedi_arena_alloc(&j->mem, bytes * (size_t)(r->e->m->dim['L'] + 1));
        if (!o->layer)
            return HEED_ENOMEM;
    }
    if (!(r->e->o.keep & ~HEEDI_KEEP_LAYER))
        return HEED_OK;
    o->latent = heedi_arena_alloc(&j->mem, sizeof *o->latent);
    return o->latent ? heedi_latent_init(o->latent, &j->mem, r->e->o.keep,
                                         r->e->m->dim['L'], r->e->m->dim['H'],
                                         j->neurons, j->len[s], j->q->top)
                     : HEED_ENOMEM;
}

static void seed(heedi_rounds *r, int64_t s, const heedi_aim *a, int64_t *n)
{
    r->now[s] = a->value;
    r->seed[*n] = a->seed;
    r->value[(*n)++] = a->seed_value;
}

heed_status heedi_rounds_aim(heedi_rounds *r)
{
    int64_t n = 0;
    for (int64_t s = 0; s < r->j->n; s++) {
        if (!heedi_has_target(r, s))
            continue;
        HEEDI_TRY(begin(r, s));
        seed(r, s, &heedi_outcome_of(r, s)->aim, &n);
    }
    if (r->e->o.account)
        heedi_ledger_zero(&r->e->ledger);
    if (r->e->o.readout)
        heedi_readout_zero(&r->e->readout);
    return heedi_head_seed(r->e, r->seed, n, r->value);
}

heed_status heedi_rounds_again(heedi_rounds *r)
{
    int64_t n = 0;
    for (int64_t s = 0; s < r->j->n; s++) {
        if (!heedi_has_target(r, s))
            continue;
        heed_target t = heedi_target_of(&heedi_outcome_of(r, s)->aim);
        heedi_aim a;
        HEEDI_TRY(aim(r, s, &t, &a));
        seed(r, s, &a, &n);
    }
    return heedi_head_seed(r->e, r->seed, n, r->value);
}

/* Relevance of the pixels of a patch: of each channel, and of all. */
static void read_patch(const heedi_rounds *r, heedi_outcome *o, int64_t t,
                       const heed_real *x, const heed_real *g)
{
    const heed_model *m = r->e->m;
    const int64_t area = m->patch.height * m->patch.width;
    for (int64_t k = 0; k < area; k++) {
        enum { MOST = 64 }; /* channels, as heedi_patches_configure() checks */
        heed_real px[MOST], pg[MOST];
        for (int64_t c = 0; c < m->patch.channels; c++) {
            const int64_t i = c * area + k;
            px[c] = x ? x[i] : 1;
            pg[c] = g[i];
            o->channel[heedi_patch_pixel(m, t, i)] = px[c] * pg[c];
        }
        o->pixel[heedi_patch_pixel(m, t, k)] =
            (heed_real)heedi_reduce(r->j->reduce, px, pg, m->patch.channels);
    }
}

heed_status heedi_rounds_read(heedi_rounds *r, int64_t s, const heed_real *x,
                              const heed_real *g)
{
    const heedi_job *j = r->j;
    const heedi_node *prefix = r->learned ? r->e->prefix : NULL;
    const int64_t before = r->e->m->patch.prefix;
    heedi_outcome *o = heedi_outcome_of(r, s);
    for (int64_t t = 0; t < j->len[s]; t++) {
        int64_t c = r->e->leaf->cols;
        const heed_real *xt = x ? x + t * c : NULL, *gt = g + t * c;
        if (t >= before && o->pixel)
            read_patch(r, o, t, xt, gt);
        if (t < before && prefix) {
            c = prefix->cols;
            xt = x ? prefix->x + (r->e->batch.start[s] + t) * c : NULL;
            gt = prefix->g + (r->e->batch.start[s] + t) * c;
        }
        double sum = heedi_reduce(HEEDI_SUM, xt, gt, c);
        if (!isfinite(sum))
            return heedi_fail(j->ctx, HEED_ENUMERIC,
                              "%s: the relevance of token %lld is not finite",
                              j->info->name, (long long)t);
        o->relevance[t] = (heed_real)(j->reduce == HEEDI_SUM
                                          ? sum
                                          : heedi_reduce(j->reduce, xt, gt, c));
        o->sum += j->info->is_signed ? sum : (double)o->relevance[t];
        o->magnitude += fabs(sum);
    }
    return HEED_OK;
}

void heedi_outcome_close(heedi_job *j, heedi_outcome *o, double tol)
{
    const double scale = fmax(fabs(o->aim.value), o->magnitude);
    o->residual = o->aim.value - o->sum - o->absorbed;
    if (fabs(o->residual) <= tol * scale || j->late != HEED_OK)
        return;
    j->late = HEED_ENUMERIC;
    snprintf(j->late_msg, sizeof j->late_msg,
             "%s: the account does not close: target %.9g = tokens %.9g + "
             "absorbed %.9g + residual %.3g, more than %.3g of %.9g",
             j->info->name, o->aim.value, o->sum, o->absorbed, o->residual, tol,
             scale);
}

heed_status heedi_rounds_report(heedi_rounds *r)
{
    for (int64_t s = 0; s < r->j->n; s++)
        HEEDI_TRY(heedi_report(r->j, s, r->out + s * r->j->rounds));
    return HEED_OK;
}
