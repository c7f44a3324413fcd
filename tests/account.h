/* account.h - one backward pass under given rules, and what the account says of
 * every operation. Needs testlib.h before it. */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include <stdbool.h>

#include "engine.h"
#include "exec.h"
#include "optest.h"
#include "patches.h"
#include "readout.h"
#include "target.h"

enum { T = 40, MOST_OPS = 128 };

static inline double account_tol(void)
{
    return optest_tol(1e-5, 1e-12);
}

/* ---- one backward pass under given rules ---- */

typedef struct account {
    int n;
    char name[MOST_OPS][48];
    const heedi_op *op[MOST_OPS];
    double rest[MOST_OPS]; /* in - out - sinks, relative */
    double residual;       /* of the whole, relative */
} account;

static inline double account_sinks(const heedi_ledger *l, int op)
{
    double sum = 0;
    for (int k = 0; k < HEEDI_N_ENTRIES; k++)
        sum += l->sink[op * HEEDI_N_ENTRIES + k];
    return sum;
}

static inline void account_settle(const heedi_exec *e, double value, account *a)
{
    const heedi_ledger *l = &e->ledger;
    const heedi_node *leaf = e->leaf;
    double sum = 0, magnitude = 0;
    *a = (account){.n = l->n_ops};
    for (int64_t t = 0; t < e->batch.rows; t++) {
        double r = 0;
        for (int64_t c = t * leaf->cols; c < (t + 1) * leaf->cols; c++)
            r += (double)leaf->x[c] * (double)leaf->g[c];
        sum += r;
        magnitude += fabs(r);
    }
    const double scale = fmax(fabs(value), magnitude);
    a->residual = fabs(value - sum - heedi_ledger_total(l, 0)) / scale;
    assert_true(l->n_ops <= MOST_OPS);
    for (int k = 0; k < l->n_ops; k++) {
        snprintf(a->name[k], sizeof a->name[k], "%s", l->op_name[k]);
        a->rest[k] = fabs(l->in[k] - l->out[k] - account_sinks(l, k)) / scale;
        if (strcmp(a->name[k], "embed") == 0)
            a->rest[k] = 0; /* the leaf, which is the sum */
    }
    for (int64_t b = 0; b < e->n_blocks; b++)
        for (const heedi_node *y = e->block[b].tape.first; y; y = y->next)
            a->op[y->id] = y->op;
}

/* check: called before the run's memory is given back; or NULL */
static inline void account_run(heed_ctx *ctx, const heed_model *m,
                               const heedi_rule *rule, account *a,
                               void (*check)(const heedi_exec *e))
{
    int32_t id[T];
    const bool vision = m->patch.rows > 0;
    const int64_t len = vision ? heedi_patch_tokens(m) : T;
    const int64_t v = heedi_target_room(m);
    const int64_t pixels = vision ? len * heedi_patch_size(m) : 0;
    heed_real *x = malloc((size_t)(pixels + 1) * sizeof *x);
    uint32_t seed = 3;
    heedi_exec e;
    heedi_exec_options o = {.rules = {HEEDI_RELEVANCE, rule},
                            .account = true,
                            .detail = true,
                            .head_full = true,
                            .readout = HEEDI_READ_POSITION};
    for (int64_t i = 0; i < pixels; i++)
        x[i] = i < m->patch.prefix * heedi_patch_size(m) ? 0 : rnd(&seed);
    o.pixels = vision ? x : NULL;
    assert_true(len <= T);
    if (!vision)
        some_ids(id, T, 3, (int32_t)heed_model_about(m)->vocab);
    if (heedi_exec_init(&e, ctx, m, &len, 1, id, &o) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    heed_target target = HEED_TARGET;
    if (m->info.head == HEED_HEAD_MASKED)
        target.at = -1;
    heedi_aim aim;
    heed_real *z = heedi_arena_alloc(&e.mem, (size_t)v * sizeof *z);
    assert_non_null(z);
    assert_int_equal(heedi_exec_forward(&e, NULL, NULL), HEED_OK);
    assert_int_equal(heedi_aim_at(&aim, &e, &target, 0, len, z, NULL), HEED_OK);
    assert_int_equal(heedi_head_seed(&e, &aim.seed, 1, &aim.seed_value),
                     HEED_OK);
    assert_int_equal(heedi_exec_backward(&e, NULL, NULL), HEED_OK);
    account_settle(&e, aim.value, a);
    if (check)
        check(&e);
    heedi_exec_clear(&e);
    free(x);
}

/* Exactly one operation is beyond `least`, all others within the tolerance. */
static inline void account_names(const account *a, const char *what,
                                 const char *node, double least)
{
    bool found = false;
    for (int k = 0; k < a->n; k++) {
        bool it = strcmp(a->name[k], node) == 0;
        found = found || it;
        if (it ? !(a->rest[k] > least) : !(a->rest[k] <= account_tol()))
            fail_msg("%s at %s: %s has a rest of %.3g", what, node, a->name[k],
                     a->rest[k]);
    }
    assert_true(found);
    if (!(a->residual > least))
        fail_msg("%s at %s: residual %.3g", what, node, a->residual);
}

#endif
