/* What relevance holds constant is held constant. A ledger alone does not show
 * it: B and C that are normalised do not move the account of a Falcon Mamba,
 * yet with them relevance is another one. */
#include "testlib.h"

#include <stdlib.h>

#include "account.h"

enum { ALL = HEEDI_IN0 | HEEDI_IN1 | HEEDI_IN2 | HEEDI_IN3 };

static const struct held {
    const char *model;
    const heedi_op *mixer;
    bool closes; /* the account with live B and C */
} held[] = {
    {"mamba/plain", &heedi_op_scan, false},
    {"mamba2/groups2", &heedi_op_ssd, false},
    {"falcon_mamba/plain", &heedi_op_scan, true},
    {"falcon_mamba/eps_large", &heedi_op_scan, false},
};

static void nothing(const heedi_node *y, heedi_run *run)
{
    (void)y;
    (void)run;
}

static const struct held *now;
static heed_real *tokens; /* relevance at the leaf */
static int64_t n_tokens;

static void keep_tokens(const heedi_exec *e)
{
    n_tokens = e->batch.rows * e->leaf->cols;
    tokens = malloc((size_t)n_tokens * sizeof *tokens);
    for (int64_t i = 0; i < n_tokens; i++)
        tokens[i] = e->leaf->x[i] * e->leaf->g[i];
}

/* Of each mixer: its operand is live, nothing before its coefficients is. */
static void keep_and_look(const heedi_exec *e)
{
    int found = 0;
    for (int64_t b = 0; b < e->n_blocks; b++)
        for (const heedi_node *y = e->block[b].tape.first; y; y = y->next) {
            if (y->op != now->mixer)
                continue;
            found++;
            assert_true(y->in[0]->live);
            for (int i = 1; i < y->op->n_in; i++)
                for (const heedi_node *c = y->in[i];
                     c && c != y->in[0] && c->op != &heedi_op_rmsnorm;
                     c = c->in[0])
                    if (c->live)
                        fail_msg("%s: %s is live", now->model, c->name);
        }
    assert_true(found > 0);
    keep_tokens(e);
}

static void test_coefficients(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        char path[128];
        account a;
        now = &held[i];
        const heedi_rule live[] = {
            {.op = now->mixer, .back = now->mixer->vjp, .needs = ALL},
            {&heedi_op_rmsnorm, "mixer.?_norm", .back = heedi_op_rmsnorm.vjp,
             .needs = ALL},
            {&heedi_op_act, "mixer.softplus", .back = nothing},
            {0}};
        snprintf(path, sizeof path, "../%s", now->model);
        heed_model *m = golden(ctx, path);
        account_run(ctx, m, NULL, &a, keep_and_look);
        assert_true(a.residual <= account_tol());
        heed_real *right = tokens;
        account_run(ctx, m, live, &a, keep_tokens);
        double off = 0, most = 0;
        for (int64_t k = 0; k < n_tokens; k++) {
            off = fmax(off, fabs((double)(tokens[k] - right[k])));
            most = fmax(most, fabs((double)right[k]));
        }
        printf("%-24s account %.1e, relevance %.1e\n", now->model, a.residual,
               off / most);
        assert_true(off / most > 0.01);
        assert_true(now->closes ? a.residual < 1e-5 : a.residual > 1e-3);
        free(right);
        free(tokens);
        heed_model_free(m);
    }
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_coefficients)};
    RUN(tests);
}
