/* Capped logits: the functions; that predictions, and targets of every kind
 * with their gradients and their relevance, are of capped logits. */
#include "testlib.h"

#include <stdlib.h>

#include "engine.h"
#include "exec.h"
#include "ledger.h"
#include "modeldir.h"
#include "softcap.h"
#include "target.h"

static const char *const model = "../recurrent_gemma/cap3"; /* cap 3 */
enum { T = 7, CAP = 3 };

/* ---- functions ---- */

static void test_functions(void **state)
{
    (void)state;
    static const double z[] = {0, 1e-9, -1e-3, 0.5, -2, 7, 29, -31, 90, -2e3};
    for (size_t i = 0; i < sizeof z / sizeof *z; i++) {
        const double y = heedi_softcap(30, z[i]), h = 1e-4;
        const double d =
            (heedi_softcap(30, z[i] + h) - heedi_softcap(30, z[i] - h)) /
            (2 * h);
        assert_true(fabs(y) <= 30 && fabs(y) <= fabs(z[i]));
        assert_true(fabs(heedi_softcap_slope(30, z[i]) - d) < 1e-8);
        assert_true(fabs(z[i] * heedi_softcap_quotient(30, z[i]) - y) < 1e-12);
        assert_true(heedi_softcap(0, z[i]) == z[i]);
        assert_true(heedi_softcap_slope(0, z[i]) == 1);
        assert_true(heedi_softcap_quotient(0, z[i]) == 1);
    }
    assert_true(heedi_softcap_quotient(30, 0) == 1);
    /* next to the cap, where 1 - y^2 has no digit left */
    assert_true(fabs(heedi_softcap_slope(1, 40) / (4 * exp(-80)) - 1) < 1e-12);
    assert_true(heedi_softcap_slope(1, 1e6) == 0);
}

/* ---- predictions ---- */

static heed_model *uncapped(heed_ctx *ctx)
{
    heed_model *m;
    char text[4096];
    size_t n;
    char *config =
        modeldir_read("tests/golden/recurrent_gemma/cap3/config.json", &n);
    char *at = strstr(config, "\"logits_soft_cap\": 3.0");
    assert_non_null(at);
    const int size = snprintf(
        text, sizeof text, "%.*s\"logits_soft_cap\": null%s",
        (int)(at - config), config, at + strlen("\"logits_soft_cap\": 3.0"));
    modeldir_write("config.json", text, (size_t)size);
    free(config);
    modeldir_weights("../recurrent_gemma/cap3");
    assert_int_equal(heed_model_load(&m, ctx, modeldir), HEED_OK);
    return m;
}

static void test_predict(void **state)
{
    (void)state;
    enum { V = 61 };
    heed_ctx *ctx = new_ctx();
    heed_model *m[2] = {golden(ctx, model), uncapped(ctx)};
    heed_candidate best[2][V];
    int32_t id[T];
    const int64_t at = T - 1;
    some_ids(id, T, 3, V);
    double beyond = 0;
    for (int k = 0; k < 2; k++)
        assert_int_equal(heed_predict(ctx, m[k], id, T, &at, 1, V, best[k]),
                         HEED_OK);
    for (int i = 0; i < V; i++) {
        const double z = best[1][i].logit;
        assert_int_equal(best[0][i].id, best[1][i].id);
        assert_true(fabs(best[0][i].logit - CAP * tanh(z / CAP)) < 1e-5);
        beyond = fmax(beyond, fabs(z) - CAP);
    }
    assert_true(beyond > 1); /* the cap has something to do */
    heed_model_free(m[1]);
    heed_model_free(m[0]);
    heed_ctx_free(ctx);
}

/* ---- targets ---- */

typedef struct pass {
    heedi_exec e;
    heed_real *z, *dense;
    heed_target target;
} pass;

static void begin(pass *p, heed_ctx *ctx, const heed_model *m, heedi_pass rules,
                  bool center)
{
    const int64_t len = T;
    int32_t id[T];
    some_ids(id, T, 3, 61);
    heedi_exec_options o = {.rules = {rules, NULL},
                            .account = rules == HEEDI_RELEVANCE,
                            .head_full = true,
                            .center = center};
    assert_int_equal(heedi_exec_init(&p->e, ctx, m, &len, 1, id, &o), HEED_OK);
}

static double value(pass *p, heedi_aim *a, const heed_real *leaf)
{
    p->e.run.leaf = leaf;
    assert_int_equal(heedi_exec_forward(&p->e, NULL, NULL), HEED_OK);
    assert_int_equal(heedi_aim_at(a, &p->e, &p->target, 0, T, p->z, p->dense),
                     HEED_OK);
    return a->value;
}

/* Both backward passes of a target: the gradient against a step along it, and
 * the account. */
static void check_target(heed_ctx *ctx, const heed_model *m, heed_target target,
                         bool center)
{
    heed_real z[61], dense[61];
    pass p = {.z = z, .dense = dense, .target = target};
    heedi_aim a;
    begin(&p, ctx, m, HEEDI_GRADIENT, center);
    value(&p, &a, NULL);
    assert_int_equal(heedi_head_seed(&p.e, &a.seed, 1, &a.seed_value), HEED_OK);
    assert_int_equal(heedi_exec_backward(&p.e, NULL, NULL), HEED_OK);
    const int64_t n = T * p.e.leaf->cols;
    heed_real *g = calloc(2 * (size_t)n, sizeof *g), *x = g + n;
    double length = 0, l[2];
    for (int64_t i = 0; i < n; i++) {
        g[i] = p.e.leaf->g[i];
        length += (double)g[i] * (double)g[i];
    }
    length = sqrt(length);
    heedi_exec_clear(&p.e);
    begin(&p, ctx, m, HEEDI_FORWARD, center);
    const double h = sizeof(heed_real) == 4 ? 0.02 : 1e-4;
    int32_t id[T];
    some_ids(id, T, 3, 61);
    for (int k = 0; k < 2; k++) {
        heedi_exec_leaf(&p.e, id, T, x);
        for (int64_t i = 0; i < n; i++)
            x[i] += (heed_real)((k ? h : -h) / length) * g[i];
        l[k] = value(&p, &a, x);
    }
    heedi_exec_clear(&p.e);
    const double got = (l[1] - l[0]) / (2 * h);
    if (!(fabs(got / length - 1) < (sizeof(heed_real) == 4 ? 2e-3 : 1e-6)))
        fail_msg("%s: slope %g, gradient %g", target.kind, got, length);
    free(g);
    begin(&p, ctx, m, HEEDI_RELEVANCE, center);
    value(&p, &a, NULL);
    heedi_ledger_zero(&p.e.ledger);
    assert_int_equal(heedi_head_seed(&p.e, &a.seed, 1, &a.seed_value), HEED_OK);
    assert_int_equal(heedi_exec_backward(&p.e, NULL, NULL), HEED_OK);
    double rest = a.seed_value - heedi_ledger_total(&p.e.ledger, 0), size = 0;
    for (int64_t i = 0; i < n; i++) {
        const double r = (double)p.e.leaf->x[i] * (double)p.e.leaf->g[i];
        rest -= r;
        size += fabs(r);
    }
    if (!(fabs(rest) < (sizeof(heed_real) == 4 ? 1e-5 : 1e-12) * size))
        fail_msg("%s: %g of %g is left over", target.kind, rest, size);
    heedi_exec_clear(&p.e);
}

static void test_targets(void **state)
{
    (void)state;
    static const heed_target targets[] = {{"logit", -1, 5, -1},
                                          {"probability", -1, 5, -1},
                                          {"logprob", -1, 5, -1},
                                          {"entropy", -1, -1, -1},
                                          {"perplexity", -1, -1, -1},
                                          {"contrast", -1, 5, 9},
                                          {"contrast_prob_diff", -1, 5, 9}};
    heed_ctx *ctx = new_ctx();
    heed_model *m = golden(ctx, model);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        check_target(ctx, m, targets[i], false);
    check_target(ctx, m, targets[0], true);
    heed_model_free(m);
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_functions), test(test_predict),
                                       test(test_targets)};
    return cmocka_run_group_tests_name(__FILE__, tests, modeldir_setup,
                                       modeldir_teardown) != 0;
}
