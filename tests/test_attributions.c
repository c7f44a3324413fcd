/* Rollout, attention x gradient and Transformer-Attribution against
 * transformers' attention weights, their gradients and a restatement of the
 * rules (tests/golden/attributions.py); what does not depend on threads,
 * batches and memory; rules by hand; refusals. */
#include "testlib.h"

#include "ask.h"
#include "choices.h"
#include "exec.h"
#include "expect.h"

static const double limit = sizeof(heed_real) == 4 ? 2e-5 : 1e-9;

static const char *const models[] = {
    "llama/plain",    "llama/gqa2_tied_bf16", "gpt2/plain",
    "gpt_neox/plain", "gpt_neox/sequential",  "gptj/plain",
    "bloom/plain",    "bloom/late_bf16",
};
enum { N_MODELS = sizeof models / sizeof *models };

static const struct {
    const char *key; /* of the array, without the target */
    const char *method, *option[4];
} calls[] = {
    {"rollout", "attention_rollout", {0}},
    {"rollout_raw", "rollout", {"row_norm", "off"}},
    {"rollout_max", "rollout", {"head", "max"}},
    {"rollout_min", "rollout", {"head", "min"}},
    {"rollout_late", "rollout", {"start_layer", "1"}},
    {"rollout_no_self", "rollout", {"self", "off"}},
    {"attn_grad", "attention_x_gradient", {0}},
    {"attn_grad_norm", "attn_grad", {"row_norm", "on"}},
    {"attn_grad_late", "attn_grad", {"start_layer", "1"}},
    {"attn_grad_no_self", "attn_grad", {"self", "off"}},
    {"tattr", "transformer_attribution", {0}},
    {"tattr_norm", "tattr", {"row_norm", "on"}},
    {"tattr_late", "tattr", {"start_layer", "1"}},
    {"tattr_no_self", "tattr", {"self", "off"}},
};
enum { N_CALLS = sizeof calls / sizeof *calls };

/* ---- golden values ---- */

enum { ROLLOUT, GRADIENT, RELEVANCE, SMALL, N_COLUMNS };
static const char *const column[] = {"rollout", "attn_grad", "tattr",
                                     "no_self"};

/* Without the 1 of the identity tattr is small. */
static int column_of(const char *key)
{
    return *key == 'r'                 ? ROLLOUT
           : *key == 'a'               ? GRADIENT
           : strcmp(key, "tattr") == 0 ? RELEVANCE
           : strstr(key, "no_self")    ? SMALL
                                       : RELEVANCE;
}

/* There, four times what the restatement is off when its weights are off by half
 * a unit in the last place of float32, where that is more. */
static double limit_of(const expect *x, const char *prefix, int col,
                       const char *tag)
{
    char key[64];
    int64_t n;
    snprintf(key, sizeof key, "float32_%s", tag);
    const double *f = expect_get(x, prefix, key, &n);
    return col == SMALL && sizeof(heed_real) == 4 ? fmax(limit, 4 * f[0])
                                                  : limit;
}

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
    heed_target out = {"logit", t[0], (int32_t)t[1], -1};
    if (n == 3) {
        out.kind = "contrast";
        out.foil = (int32_t)t[2];
    }
    return out;
}

/* Adds up how many are beyond their limit. */
static int one_length(world *w, const expect *x, const char *prefix,
                      double worst[N_COLUMNS])
{
    static const char *const tags[] = {"end", "middle", "contrast"};
    int bad = 0;
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < N_CALLS; i++) {
            const int col = column_of(calls[i].key);
            char key[64];
            int64_t n;
            if (col >= RELEVANCE && k == 2) /* it explains no contrast */
                continue;
            snprintf(key, sizeof key, "%s_%s", calls[i].key, tags[k]);
            const double *want = expect_get(x, prefix, key, &n);
            call c = {.method = calls[i].method,
                      .target = target_of(x, prefix, tags[k])};
            memcpy(c.option, calls[i].option, sizeof calls[i].option);
            assert_non_null(want);
            ok(w, c);
            assert_int_equal(n, w->t->n);
            const double d = apart(relevance(w), want, n);
            worst[col] = d <= worst[col] ? worst[col] : d;
            bad += !(d <= limit_of(x, prefix, col, tags[k]));
        }
    return bad;
}

static void test_golden(void **state)
{
    (void)state;
    static const char *const length[] = {"T1", "T37"};
    expect x;
    int bad = 0;
    assert_true(
        expect_open(&x, "tests/golden/attributions/expect.safetensors"));
    printf("%-22s", "");
    for (int c = 0; c < N_COLUMNS; c++)
        printf(" %9s", column[c]);
    printf("\n%-22s %9.0e %9.0e %9.0e %9.0e or 4 times float32's\n", "limit",
           limit, limit, limit, limit);
    for (int m = 0; m < N_MODELS; m++) {
        double worst[N_COLUMNS] = {0};
        for (int k = 0; k < 2; k++) {
            char prefix[64];
            int32_t id[64];
            int64_t n;
            snprintf(prefix, sizeof prefix, "%s/%s", models[m], length[k]);
            const int64_t *ids = expect_get(&x, prefix, "ids", &n);
            for (int64_t i = 0; i < n; i++)
                id[i] = (int32_t)ids[i];
            world w = enter(models[m], id, n);
            bad += one_length(&w, &x, prefix, worst);
            leave(&w);
        }
        printf("%-22s", models[m]);
        for (int c = 0; c < N_COLUMNS; c++)
            printf(" %9.1e", worst[c]);
        printf("\n");
    }
    expect_close(&x);
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_golden)};
    RUN(tests);
}
