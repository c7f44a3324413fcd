/* Rollout, attention x gradient, mamba_attribution and unified_attribution on
 * the implicit attention of Mamba, against matrices that are written out
 * channel by channel in float64 (tests/golden/implicit.py): definitions and
 * released code; forms that must agree; what does not depend on threads,
 * batches and memory. */
#include "testlib.h"

#include "ask.h"
#include "expect.h"

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

/* The largest difference, relative to the largest value. */
static double apart(const heed_real *got, const double *want, int64_t n)
{
    double worst = 0, most = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)got[i] - want[i]);
        worst = d <= worst ? worst : d; /* NaN stays */
        most = fmax(most, fabs(want[i]));
    }
    return most > 0 ? worst / most : worst;
}

static heed_target target_of(const expect *x, const char *prefix,
                             const char *tag)
{
    int64_t n;
    const int64_t *t = expect_get(x, prefix, tag, &n);
    return (heed_target){"logit", t[0], (int32_t)t[1], -1};
}

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
                      .target = target_of(x, prefix, tags[k])};
            memcpy(c.option, calls[i].option, sizeof calls[i].option);
            assert_non_null(want);
            ok(w, c);
            assert_int_equal(n, w->t->n);
            const double d = apart(relevance(w), want, n);
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
    if (!(apart(relevance(w), x, w->t->n) > 1e-4))
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

static const struct {
    const char *method, *option[2];
} alike[] = {{"rollout", {0}},
             {"rollout", {"form", "matrix"}},
             {"rollout", {"form", "vector"}},
             {"attn_grad", {0}},
             {MAMBA, {0}},
             {MAMBA, {"form", "code"}},
             {UNIFIED, {0}}};

static void test_alike(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m = plain(ctx, "mamba");
    heed_tokens *t[3];
    heed_input in[3];
    for (int i = 0; i < 3; i++) {
        t[i] = some_tokens(ctx, m, 300 - 7 * i, (uint32_t)i);
        in[i] = (heed_input){.tokens = t[i]};
    }
    for (size_t k = 0; k < sizeof alike / sizeof *alike; k++) {
        const heed_setting set[] = {{alike[k].option[0], alike[k].option[1]},
                                    {0}};
        heed_request q = {.model = m,
                          .method = alike[k].method,
                          .settings = set,
                          .input = in,
                          .n_inputs = 3};
        heed_result *all[MOST_INPUTS], *one[MOST_INPUTS];
        heed_plan p;
        assert_int_equal(heed_ctx_threads(ctx, 3), HEED_OK);
        attribute(ctx, &q, all);
        q.input = &in[1];
        q.n_inputs = 1;
        assert_int_equal(heed_ctx_threads(ctx, 1), HEED_OK);
        assert_int_equal(heed_plan_of(ctx, &q, &p), HEED_OK);
        heed_ctx_max_memory(ctx, p.peak_min + (p.peak_max - p.peak_min) / 2);
        attribute(ctx, &q, one);
        heed_ctx_max_memory(ctx, 0);
        same_results(all[1], one[0]);
        free_results(all, 3);
        free_results(one, 1);
    }
    for (int i = 0; i < 3; i++)
        heed_tokens_free(ctx, t[i]);
    heed_model_free(m);
    heed_ctx_free(ctx);
}

/* Several targets, each as if it were the only one. */
static void test_targets(void **state)
{
    (void)state;
    static const heed_target many[] = {
        {NULL, -1, -1, -1}, {NULL, 3, 7, -1}, {NULL, 0, -1, -1}};
    world w = enter_some("mamba/plain", 20);
    for (size_t k = 0; k < sizeof alike / sizeof *alike; k++) {
        const heed_setting set[] = {{alike[k].option[0], alike[k].option[1]},
                                    {0}};
        heed_input in = {w.t, many, 3, NULL};
        heed_request q = {.model = w.m,
                          .method = alike[k].method,
                          .settings = set,
                          .input = &in,
                          .n_inputs = 1};
        heed_result *r[MOST_INPUTS];
        attribute(w.ctx, &q, r);
        for (int i = 0; i < 3; i++) {
            ok(&w, (call){.method = alike[k].method,
                          .option = {alike[k].option[0], alike[k].option[1]},
                          .target = many[i]});
            const heed_array *a = heed_result_get(r[0], w.group, "relevance");
            assert_int_equal(a->var.len[0], 3);
            assert_memory_equal((const heed_real *)a->data + 20 * i,
                                relevance(&w), 20 * sizeof(heed_real));
        }
        free_results(r, 1);
    }
    leave(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_golden),
                                       test(test_variants_differ),
                                       test(test_alike), test(test_targets)};
    RUN(tests);
}
