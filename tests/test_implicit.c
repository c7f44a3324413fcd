/* Rollout, attention x gradient, mamba_attribution and unified_attribution on
 * the implicit attention of Mamba, against matrices that are written out
 * channel by channel in float64 (tests/golden/implicit.py): definitions and
 * released code; forms that must agree; what does not depend on threads,
 * batches and memory. */
#include "testlib.h"

#include "ask.h"
#include "flowtest.h"

static const double limit = sizeof(heed_real) == 4 ? 2e-5 : 1e-9;

static const char *const models[] = {
    "mamba/plain",        "mamba/state8_conv2_rank3", "mamba/expand1_bias",
    "mamba/no_conv_bias", "mamba/strong_decay",       "mamba/weak_decay"};
enum { N_MODELS = sizeof models / sizeof *models };

#define MAMBA   "mamba_attribution"
#define UNIFIED "unified_attribution"

static const struct {
    const char *key; /* of the array, without the target */
    const char *method, *option[6];
} calls[] = {
    {"rollout", "rollout", {0}},
    {"rollout", "rollout", {"form", "matrix"}},
    {"rollout", "rollout", {"form", "free"}},
    {"rollout_core", "rollout", {"kind", "core"}},
    {"rollout_core", "rollout", {"kind", "core", "form", "matrix"}},
    {"rollout_norm", "rollout", {"row_norm", "on", "head", "pos_mean"}},
#if HEED_REAL_IS_DOUBLE /* in float32, sums near 0 are not determined */
    {"rollout_sums", "rollout", {"row_norm", "on"}},
    {"rollout_sums", "rollout", {"row_norm", "on", "form", "free"}},
#endif
    {"rollout_abs",
     "rollout",
     {"kind", "core", "head", "abs_mean", "row_norm", "on"}},
    {"rollout_pos", "rollout", {"head", "pos_mean"}},
    {"rollout_max", "rollout", {"kind", "core", "head", "max"}},
    {"rollout_min", "rollout", {"kind", "core", "head", "min"}},
    {"rollout_late", "rollout", {"start_layer", "1"}},
    {"rollout_no_self", "rollout", {"self", "off"}},
    {"rollout_vector",
     "rollout",
     {"kind", "core", "head", "abs_mean", "form", "vector"}},
    {"attn_grad", "attn_grad", {0}},
    {"attn_grad", "tattr", {0}},
    {"attn_grad_core", "attn_grad", {"kind", "core"}},
    {"attn_grad_norm", "attn_grad", {"row_norm", "on"}},
    {"attn_grad_late", "attn_grad", {"start_layer", "1"}},
    {"mamba", MAMBA, {0}},
    {"mamba", UNIFIED, {"kind", "core"}},
    {"mamba_column", MAMBA, {"grad_axis", "column"}},
    {"mamba_in", MAMBA, {"grad_site", "residual_in"}},
    {"mamba_pos", MAMBA, {"head", "pos_mean"}},
    {"mamba_late", MAMBA, {"start_layer", "1"}},
    {"mamba_code", MAMBA, {"form", "code"}},
    {"mamba_code_exact",
     MAMBA,
     {"form", "code", "s6_row", "exact", "start_layer", "0"}},
    {"mamba_code_in",
     MAMBA,
     {"form", "code", "grad_site", "residual_in", "norm", "none"}},
    {"unified", UNIFIED, {0}},
    {"unified_norm", UNIFIED, {"row_norm", "on"}},
    {"unified_code", UNIFIED, {"form", "code"}},
    {"unified_code_all", UNIFIED, {"form", "code", "start_layer", "0"}},
};
enum { N_CALLS = sizeof calls / sizeof *calls };

static void one_length(world *w, const expect *x, const char *prefix,
                       double worst[N_CALLS])
{
    static const char *const tags[] = {"end", "middle"};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < N_CALLS; i++) {
            char key[64];
            int64_t n;
            snprintf(key, sizeof key, "%s_%s", calls[i].key, tags[k]);
            const double *want = expect_get(x, prefix, key, &n);
            call c = {.method = calls[i].method,
                      .target = flow_target(x, prefix, tags[k])};
            memcpy(c.option, calls[i].option, sizeof calls[i].option);
            assert_non_null(want);
            ok(w, c);
            assert_int_equal(n, w->t->n);
            const double d = flow_apart(relevance(w), want, n);
            worst[i] = d <= worst[i] ? worst[i] : d;
        }
}

static void test_golden(void **state)
{
    (void)state;
    static const char *const length[] = {"T1", "T5", "T37"};
    double worst[N_CALLS] = {0};
    int bad = 0;
    expect x;
    assert_true(expect_open(&x, "tests/golden/implicit/expect.safetensors"));
    for (int m = 0; m < N_MODELS; m++)
        for (int k = 0; k < 3; k++) {
            char prefix[64];
            int32_t id[64];
            int64_t n;
            snprintf(prefix, sizeof prefix, "%s/%s", models[m], length[k]);
            const int64_t *ids = expect_get(&x, prefix, "ids", &n);
            for (int64_t i = 0; i < n; i++)
                id[i] = (int32_t)ids[i];
            world w = enter(models[m], id, n);
            one_length(&w, &x, prefix, worst);
            leave(&w);
        }
    expect_close(&x);
    printf("of %d models, limit %.0e\n", N_MODELS, limit);
    for (int i = 0; i < N_CALLS; i++) {
        printf("%-18s %-20s", calls[i].key, calls[i].method);
        for (int k = 0; k < 6 && calls[i].option[k]; k += 2)
            printf(" %s %s", calls[i].option[k], calls[i].option[k + 1]);
        printf("  %.1e\n", worst[i]);
        bad += !(worst[i] <= limit);
    }
    assert_int_equal(bad, 0);
}

/* ---- controls ---- */

/* Of two calls the maps must differ. */
static void differ(world *w, call a, call b)
{
    ok(w, a);
    heed_real *first = copy(w);
    double x[64];
    for (int64_t i = 0; i < w->t->n; i++)
        x[i] = (double)first[i];
    free(first);
    ok(w, b);
    if (!(flow_apart(relevance(w), x, w->t->n) > 1e-4))
        fail_msg("%s %s and %s %s", a.method, a.option[1], b.method,
                 b.option[1]);
}

static void test_variants_differ(void **state)
{
    (void)state;
    static const int32_t id[] = {1, 2, 3, 4, 5, 6, 7};
    world w = enter("mamba/plain", id, 7);
    differ(&w, (call){.method = "rollout"},
           (call){.method = "rollout", .option = {"kind", "core"}});
    differ(
        &w,
        (call){.method = MAMBA, .option = {"form", "code", "start_layer", "0"}},
        (call){
            .method = MAMBA,
            .option = {"form", "code", "start_layer", "0", "s6_row", "exact"}});
    differ(&w, (call){.method = MAMBA},
           (call){.method = MAMBA, .option = {"grad_site", "residual_in"}});
    differ(&w, (call){.method = MAMBA}, (call){.method = UNIFIED});
    leave(&w);
}

/* ---- the same bits ---- */

static const variant methods[] = {{"rollout", {0}},
                                  {"rollout", {"form", "matrix"}},
                                  {"rollout", {"form", "vector"}},
                                  {"attn_grad", {0}},
                                  {MAMBA, {0}},
                                  {MAMBA, {"form", "code"}},
                                  {UNIFIED, {0}}};
enum { N_METHODS = sizeof methods / sizeof *methods };

static void test_alike(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m = plain(ctx, "mamba");
    flow_alike(ctx, m, 300, methods, N_METHODS);
    heed_model_free(m);
    heed_ctx_free(ctx);
}

static void test_targets(void **state)
{
    (void)state;
    flow_targets("mamba/plain", methods, N_METHODS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_golden),
                                       test(test_variants_differ),
                                       test(test_alike), test(test_targets)};
    RUN(tests);
}
