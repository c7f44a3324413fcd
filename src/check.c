#include "check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ctx.h"

enum { SHORT = 64 };

const heed_check_row *heed_check_at(const heed_check_report *r, int i)
{
    return i >= 0 && i < r->n ? &r->row[i] : NULL;
}

void heed_check_free(heed_check_report *r)
{
    if (!r)
        return;
    heed_ctx *ctx = r->mem.ctx;
    heedi_arena_clear(&r->mem);
    heedi_free(ctx, r);
}

heed_check_row *heedi_check_row(heedi_check *k, const char *name,
                                const char *summary, double tolerance)
{
    heed_check_row *row = &k->r->row[k->r->n++];
    *row = (heed_check_row){.name = name,
                            .summary = summary,
                            .worst = "",
                            .amount = (double)NAN,
                            .tolerance = tolerance,
                            .passed = 1,
                            .note = ""};
    return row;
}

heed_status heedi_check_worst(heedi_check *k, heed_check_row *row,
                              const char *op, double error)
{
    if (error <= row->error || isnan(row->error))
        return HEED_OK;
    size_t n = strlen(op) + 1;
    char *name = heedi_arena_alloc(&k->r->mem, n);
    if (!name)
        return HEED_ENOMEM;
    row->worst = memcpy(name, op, n);
    row->error = error;
    row->passed = error <= row->tolerance;
    return HEED_OK;
}

static heed_status check_options(const heedi_check *k)
{
    for (int64_t i = 0; i < k->o->n_layers; i++)
        if (k->o->layers[i] < 0 || k->o->layers[i] >= k->m->dim['L'])
            return heedi_fail(k->ctx, HEED_EINVAL,
                              "layer %lld is out of range, the model has %lld",
                              (long long)k->o->layers[i],
                              (long long)k->m->dim['L']);
    return HEED_OK;
}

static heed_status checks(heedi_check *k)
{
    bool bad;
    HEEDI_TRY(check_options(k));
    HEEDI_TRY(heedi_check_cut(
        k, &k->r->mem, k->o->tokens > 0 ? k->o->tokens : SHORT, &k->brief));
    HEEDI_TRY(heedi_check_whole(k, &bad));
    if (bad)
        return HEED_OK;
    HEEDI_TRY(heedi_check_steps(k));
    return heedi_check_nodes(k);
}

/* One sentence of the first check that failed, and how many others did. */
static heed_status verdict(const heedi_check *k)
{
    const heed_check_row *first = NULL;
    int failed = 0;
    char more[48] = "";
    for (int i = 0; i < k->r->n; i++)
        if (k->r->row[i].passed == 0) {
            first = first ? first : &k->r->row[i];
            failed++;
        }
    if (!first)
        return HEED_OK;
    if (failed > 1)
        snprintf(more, sizeof more, "; %d of %d checks failed", failed,
                 k->r->n);
    if (k->r->why)
        return heedi_fail(k->ctx, HEED_ENUMERIC, "check %s: %s", first->name,
                          k->r->why);
    if (!isnan(first->amount))
        return heedi_fail(k->ctx, HEED_ENUMERIC,
                          "check %s: %s: relevance of %.9g is %s, the target "
                          "is %.9g: the error is %.3g, at most %.3g is "
                          "allowed%s",
                          first->name, first->worst, fabs(first->amount),
                          first->amount < 0 ? "too much" : "missing",
                          k->r->target, first->error, first->tolerance, more);
    if (first->tolerance > 0)
        return heedi_fail(k->ctx, HEED_ENUMERIC,
                          "check %s: %s: the error is %.3g, at most %.3g is "
                          "allowed%s",
                          first->name, first->worst, first->error,
                          first->tolerance, more);
    return heedi_fail(k->ctx, HEED_ENUMERIC,
                      "check %s: %s is the first of %.0f operations that are "
                      "wrong%s",
                      first->name, first->worst, first->error, more);
}

heed_status heedi_check_run(heed_ctx *ctx, const heed_model *m,
                            const heedi_check_input *in,
                            const heed_check_options *o,
                            const heedi_check_rules *rules,
                            heed_check_report **out)
{
    static const heed_check_options defaults;
    heedi_check k = {
        .ctx = ctx, .m = m, .o = o ? o : &defaults, .rules = rules, .in = *in};
    *out = NULL;
    k.r = heedi_alloc(ctx, sizeof *k.r);
    if (!k.r)
        return HEED_ENOMEM;
    heedi_arena_init(&k.r->mem, ctx);
    heed_status st = checks(&k);
    if (st == HEED_OK)
        st = verdict(&k);
    if (st == HEED_OK || st == HEED_ENUMERIC)
        *out = k.r;
    else
        heed_check_free(k.r);
    return st;
}
