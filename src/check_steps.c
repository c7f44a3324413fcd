#include "check.h"
#include "ctx.h"
#include "head.h"

#include <math.h>

/* A sequence in one pass, and its first half followed by one token at a time
 * with the state kept. */

static double difference(const heed_real *a, const heed_real *b, int64_t n)
{
    double d = 0, most = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = fabs((double)a[i] - (double)b[i]);
        d = x <= d ? d : x; /* NaN stays */
        most = fmax(most, fabs((double)a[i]));
    }
    return most > 0 ? d / most : d;
}

/* Row t of one pass against row r of the steps: logits, and where they differ
 * the first block that does. */
static heed_status compare(heedi_check *k, heed_check_row *row,
                           const heedi_exec *whole, int64_t t,
                           const heedi_exec *steps, int64_t r, heed_real *z)
{
    const int64_t v = k->m->head.rows, c = k->m->dim['C'];
    const char *op = "head";
    HEEDI_TRY(heedi_head_row(whole, t, z));
    HEEDI_TRY(heedi_head_row(steps, r, z + v));
    double error = difference(z, z + v, v);
    for (int64_t b = 0; !(error <= row->tolerance) && b < whole->n_blocks; b++)
        if (!(difference(whole->border[b] + t * c, steps->border[b] + r * c,
                         c) <= row->tolerance)) {
            op = whole->block[b].out->name;
            break;
        }
    return heedi_check_worst(k, row, op, error);
}

static heed_status walk(heedi_check *k, heed_check_row *row, heedi_exec *whole,
                        heedi_exec *steps, int64_t prefill)
{
    const size_t v = (size_t)k->m->head.rows;
    heed_real *z = heedi_arena_alloc(&steps->mem, 2 * v * sizeof *z);
    if (!z)
        return HEED_ENOMEM;
    HEEDI_TRY(heedi_exec_forward(whole, NULL, NULL));
    HEEDI_TRY(heedi_exec_forward(steps, NULL, NULL));
    HEEDI_TRY(compare(k, row, whole, prefill - 1, steps, prefill - 1, z));
    for (int64_t t = prefill; t < k->brief.len[0]; t++) {
        HEEDI_TRY(heedi_exec_feed(steps, k->brief.id[t]));
        HEEDI_TRY(compare(k, row, whole, t, steps, 0, z));
    }
    return HEED_OK;
}

static bool keeps(const heedi_node *y, const void *unused)
{
    (void)unused;
    return y->op->state != NULL;
}

static const char *why_not(const heedi_check *k, bool state)
{
    for (int i = 0; i < k->m->n_rope; i++)
        if (k->m->rope[i].type->by_length)
            return "the frequencies of the rope change with the length";
    if (!state)
        return "no operation has a state";
    if (k->m->bidirectional)
        return "a position sees later ones";
    return k->brief.len[0] < 2 ? "there is one token only" : NULL;
}

heed_status heedi_check_steps(heedi_check *k)
{
    static const heedi_exec zero;
    heedi_exec whole = zero, steps = zero;
    const int64_t n = k->brief.len[0], prefill = (n + 1) / 2;
    bool state;
    heed_check_row *row = heedi_check_row(
        k, "steps", "logits of one pass and of single steps with a kept state",
        heedi_check_tol(1e-4, 1e-10));
    HEEDI_TRY(heedi_model_has(k->ctx, k->m, keeps, NULL, &state));
    const char *why = why_not(k, state);
    if (why) {
        row->passed = -1;
        row->note = why;
        return HEED_OK;
    }
    HEEDI_TRY(heedi_check_shortened(k, row));
    /* rules: so that every border is kept */
    heedi_exec_options o = {.rules = k->rules->relevance,
                            .recompute = true,
                            .head_rows = n,
                            .head_full = true,
                            .opt = k->rules->opt};
    o.results = 2 * (uint64_t)k->m->head.rows * sizeof(heed_real);
    HEEDI_TRY(heedi_exec_init(&whole, k->ctx, k->m, &n, 1, k->brief.id, &o));
    o.state = n;
    heed_status st =
        heedi_exec_init(&steps, k->ctx, k->m, &prefill, 1, k->brief.id, &o);
    if (st == HEED_OK) {
        st = walk(k, row, &whole, &steps, prefill);
        heedi_exec_clear(&steps);
    }
    heedi_exec_clear(&whole);
    return st;
}
