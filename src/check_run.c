#include "check.h"
#include "ctx.h"

#include <math.h>
#include <string.h>

/* Whole runs of the conserving method: does the account close, and do other
 * ways to run give the same bits? */

static heed_status finite_row(heedi_check *k, const heedi_trace *t)
{
    heed_check_row *row =
        heedi_check_row(k, "finite", "every value of the run is finite", 0);
    if (!t->bad)
        return HEED_OK;
    HEEDI_TRY(heedi_check_worst(k, row, t->bad, 1));
    if (!t->why)
        return HEED_OK;
    size_t n = strlen(t->why) + 1;
    char *why = heedi_arena_alloc(&k->r->mem, n);
    if (!why)
        return HEED_ENOMEM;
    k->r->why = memcpy(why, t->why, n);
    return HEED_OK;
}

static heed_status account_rows(heedi_check *k, const heedi_trace *t)
{
    const double tol = heedi_check_tol(1e-4, 1e-10);
    heed_check_row *row = heedi_check_row(
        k, "account",
        "relevance that arrives at an operation is passed on or deposited",
        tol);
    int worst = -1;
    k->r->target = t->target;
    for (int i = 0; i < t->n_ops; i++)
        if (!t->leaf[i] &&
            (worst < 0 || !(fabs(t->lost[i]) <= fabs(t->lost[worst]))))
            worst = i;
    row->amount = t->lost[worst];
    HEEDI_TRY(heedi_check_worst(k, row, t->name[worst],
                                fabs(t->lost[worst]) / t->scale));
    row = heedi_check_row(
        k, "total", "the target is the sum of relevance and deposits", tol);
    row->amount = t->residual;
    return heedi_check_worst(k, row, t->name[worst],
                             fabs(t->residual) / t->scale);
}

/* The first operation with other values; else the first of the backward pass
 * whose relevance is another. */
static heed_status compare(heedi_check *k, heed_check_row *row,
                           const heedi_trace *a, const heedi_trace *b)
{
    const char *first = NULL;
    double count = 0;
    if (b->bad)
        return heedi_check_worst(k, row, b->bad, (double)INFINITY);
    for (int i = 0; i < a->n_ops; i++)
        if (a->value[i] != b->value[i]) {
            first = first ? first : a->name[i];
            count++;
        }
    for (int i = a->n_ops - 1; count == 0 && i >= 0; i--)
        if (a->relevance[i] != b->relevance[i]) {
            first = a->name[i];
            count++;
        }
    if (count == 0 && a->end != b->end) {
        first = a->name[0];
        count++;
    }
    return count > 0 ? heedi_check_worst(k, row, first, count) : HEED_OK;
}

/* The input between two others. */
static heed_status batch_row(heedi_check *k, const heedi_trace *base)
{
    heedi_check_input in;
    heedi_arena mem;
    heedi_trace t;
    heed_check_row *row = heedi_check_row(
        k, "batch", "alone and between two other inputs: the same bits", 0);
    heedi_arena_init(&mem, k->ctx);
    heed_status st = heedi_check_between(k, &mem, &in);
    if (st == HEED_OK)
        st = heedi_trace_run(k, &mem, &(heedi_trace_how){.in = &in, .seq = 1},
                             &t);
    if (st == HEED_OK)
        st = compare(k, row, base, &t);
    heedi_arena_clear(&mem);
    return st;
}

static heed_status one(heedi_check *k, heed_check_row *row,
                       const heedi_trace *base, int threads, bool recompute)
{
    heedi_arena mem;
    heedi_trace t;
    heedi_arena_init(&mem, k->ctx);
    heed_status st = heedi_trace_run(k, &mem,
                                     &(heedi_trace_how){.in = &k->in,
                                                        .threads = threads,
                                                        .recompute = recompute},
                                     &t);
    if (st == HEED_OK)
        st = compare(k, row, base, &t);
    heedi_arena_clear(&mem);
    return st;
}

static heed_status whole(heedi_check *k, heedi_arena *mem, bool *bad)
{
    heedi_trace base;
    HEEDI_TRY(heedi_trace_run(k, mem, &(heedi_trace_how){.in = &k->in}, &base));
    *bad = base.bad != NULL;
    HEEDI_TRY(finite_row(k, &base));
    if (*bad)
        return HEED_OK;
    HEEDI_TRY(account_rows(k, &base));
    HEEDI_TRY(batch_row(k, &base));
    heed_check_row *row = heedi_check_row(
        k, "threads", "with 1, 2 and 4 threads: the same bits", 0);
    for (int threads = 1; threads <= 4; threads *= 2)
        HEEDI_TRY(one(k, row, &base, threads, false));
    row = heedi_check_row(k, "recompute",
                          "values kept and computed again: the same bits", 0);
    return one(k, row, &base, 0, true);
}

heed_status heedi_check_whole(heedi_check *k, bool *bad)
{
    heedi_arena mem;
    heedi_arena_init(&mem, k->ctx);
    *bad = false;
    heed_status st = whole(k, &mem, bad);
    heedi_arena_clear(&mem);
    return st;
}
