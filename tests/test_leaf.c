/* Explanations read at other tensors than the word embeddings, against what
 * tests/golden/leaf.py had of torch in float64; what is refused. */
#include "testlib.h"

#include "engine.h"
#include "expect.h"
#include "ledger.h"

enum { MAX = 37 };

static const struct row {
    const char *model, *values;
    const char *leaf[3];
} models[] = {
    {"bert/plain", "bert_plain", {"sum", "normed"}},
    {"bert/relkey", "bert_relkey", {"sum", "normed"}},
    {"gpt2/plain", "gpt2_plain", {"sum"}},
    {"bloom/plain", "bloom_plain", {"normed"}},
};

/* What is asked, the key of its values, and that of its baseline's target. */
static const struct way {
    const char *method, *key, *base;
    heed_setting set[4];
} ways[] = {
    {"input_x_gradient", "gxi", NULL, {{0}}},
    {"integrated_gradients",
     "ig_zero",
     "base_zero",
     {{"steps", "6"}, {"quadrature", "riemann_middle"}, {"baseline", "zero"}}},
    {"integrated_gradients",
     "ig_token5",
     "base_token5",
     {{"steps", "6"},
      {"quadrature", "riemann_middle"},
      {"baseline", "token:5"}}},
    {"attn_lrp", "lrp", "rest", {{0}}},
};
enum { N_WAYS = sizeof ways / sizeof *ways };

typedef struct subject {
    heed_ctx *ctx;
    const heed_model *m;
    heed_tokens *tokens;
    heed_target target;
    const expect *x;
    char prefix[16];
} subject;

static heed_status ask(const subject *s, const struct way *w, const char *leaf,
                       heed_result **r)
{
    const heed_input in = {s->tokens, &s->target, 1, NULL};
    const heed_request q = {.model = s->m,
                            .method = w->method,
                            .settings = w->set,
                            .input = &in,
                            .n_inputs = 1,
                            .leaf = leaf,
                            .group = "x"};
    assert_int_equal(heed_result_new(r, s->ctx), HEED_OK);
    const heed_sink sink = heed_result_sink(*r);
    return heed_attribute(s->ctx, &q, &sink);
}

static void one(const subject *s, const struct way *w, const char *leaf)
{
    const double tol = sizeof(heed_real) == 4 ? 2e-5 : 1e-11;
    char key[64];
    int64_t n;
    heed_result *r;
    heed_status st = ask(s, w, leaf, &r);
    if (st != HEED_OK)
        fail_msg("%s: %s", w->method, heed_error(s->ctx));
    const heed_attr *at = heed_result_attr(r, "x", "leaf");
    assert_string_equal(*(const char *const *)at->data, leaf);
    snprintf(key, sizeof key, "%s_%s", leaf, w->key);
    const double *want = expect_get(s->x, s->prefix, key, &n);
    const heed_array *got = heed_result_get(r, "x", "relevance");
    assert_int_equal(n, s->tokens->n);
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = (double)((const heed_real *)got->data)[i] - want[i];
        worst = fmax(worst, fabs(d));
    }
    char size[80];
    snprintf(size, sizeof size, "%s_size", key);
    const double most = *(const double *)expect_get(s->x, s->prefix, size, &n);
    if (!(worst <= tol * most))
        fail_msg("%s %s %s: off by %g", s->prefix, w->method, key,
                 worst / most);
    if (w->base) {
        snprintf(key, sizeof key, "%s_%s", leaf, w->base);
        const double *base = expect_get(s->x, s->prefix, key, &n);
        const double *value = expect_get(s->x, s->prefix, "value", &n);
        const double d = heed_result_num(r, "x", "absorbed") - *base;
        if (!(fabs(d) <= tol * fmax(fmax(fabs(*base), fabs(*value)), most)))
            fail_msg("%s %s %s: off by %g", s->prefix, w->method, key, d);
    }
    heed_result_free(r);
}

static void test_values(void **state)
{
    static const int64_t lengths[] = {1, 2, 37};
    heed_ctx *ctx = new_ctx();
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        char path[256];
        expect x;
        heed_model *m;
        snprintf(path, sizeof path, "tests/golden/leaf/%s.expect.safetensors",
                 models[i].values);
        assert_true(expect_open(&x, path));
        snprintf(path, sizeof path, "tests/golden/%s", models[i].model);
        assert_int_equal(heed_model_load(&m, ctx, path), HEED_OK);
        for (int k = 0; k < 3; k++) {
            subject s = {.ctx = ctx, .m = m, .x = &x};
            int64_t n, t;
            int32_t ids[MAX];
            snprintf(s.prefix, sizeof s.prefix, "T%d", (int)lengths[k]);
            const int64_t *id = expect_get(&x, s.prefix, "ids", &t);
            const int64_t *type = expect_get(&x, s.prefix, "segments", &n);
            const int64_t *target = expect_get(&x, s.prefix, "target", &n);
            for (int64_t j = 0; j < t; j++)
                ids[j] = (int32_t)id[j];
            s.target = (heed_target){NULL, target[0], (int32_t)target[1], -1};
            assert_int_equal(heed_tokens_of(&s.tokens, ctx, NULL, ids, t),
                             HEED_OK);
            for (int64_t j = 0; j < t; j++)
                s.tokens->token[j].segment = (uint8_t)type[j];
            for (int w = 0; w < N_WAYS; w++)
                for (int l = 0; models[i].leaf[l]; l++)
                    one(&s, &ways[w], models[i].leaf[l]);
            heed_tokens_free(ctx, s.tokens);
        }
        heed_model_free(m);
        expect_close(&x);
    }
    heed_ctx_free(ctx);
}

/* Of the sum positions are a part; word is what is explained by default. */
static void test_differ(void **state)
{
    static const int32_t ids[] = {3, 1, 4, 1, 5};
    heed_ctx *ctx = new_ctx();
    heed_model *m;
    heed_result *r[3];
    subject s = {.ctx = ctx, .target = HEED_TARGET};
    (void)state;
    assert_int_equal(heed_model_load(&m, ctx, "tests/golden/gpt2/plain"),
                     HEED_OK);
    s.m = m;
    assert_int_equal(heed_tokens_of(&s.tokens, ctx, NULL, ids, 5), HEED_OK);
    assert_int_equal(ask(&s, &ways[0], "word", &r[0]), HEED_OK);
    assert_int_equal(ask(&s, &ways[0], "sum", &r[1]), HEED_OK);
    assert_int_equal(ask(&s, &ways[0], NULL, &r[2]), HEED_OK);
    assert_null(heed_result_attr(r[0], "x", "leaf"));
    const void *a = heed_result_get(r[0], "x", "relevance")->data;
    const void *b = heed_result_get(r[1], "x", "relevance")->data;
    const void *c = heed_result_get(r[2], "x", "relevance")->data;
    assert_memory_not_equal(a, b, 5 * sizeof(heed_real));
    assert_memory_equal(a, c, 5 * sizeof(heed_real));
    for (int i = 0; i < 3; i++)
        heed_result_free(r[i]);
    heed_tokens_free(ctx, s.tokens);
    heed_model_free(m);
    heed_ctx_free(ctx);
}

/* What every model takes: the default by its name. */
static void test_word(void **state)
{
    static const char *const names[] = {"llama/plain", "mamba/plain",
                                        "bloom/plain", "bert/relkey",
                                        "rwkv/plain"};
    static const int32_t ids[] = {3, 1, 4};
    heed_ctx *ctx = new_ctx();
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[64];
        heed_model *m;
        heed_result *r;
        subject s = {.ctx = ctx, .target = HEED_TARGET};
        snprintf(path, sizeof path, "tests/golden/%s", names[i]);
        assert_int_equal(heed_model_load(&m, ctx, path), HEED_OK);
        s.m = m;
        assert_int_equal(heed_tokens_of(&s.tokens, ctx, NULL, ids, 3), HEED_OK);
        if (ask(&s, &ways[0], "word", &r) != HEED_OK)
            fail_msg("%s: %s", names[i], heed_error(ctx));
        heed_result_free(r);
        heed_tokens_free(ctx, s.tokens);
        heed_model_free(m);
    }
    heed_ctx_free(ctx);
}

static void test_refused(void **state)
{
    static const struct {
        const char *model, *method, *leaf;
        heed_status st;
        const char *says;
    } rows[] = {
        {"llama/plain", "attn_lrp", "normed", HEED_ENOTSUP,
         "'llama' models have no norm right behind their embeddings"},
        {"gpt2/plain", "attn_lrp", "normed", HEED_ENOTSUP, "no norm"},
        {"llama/plain", "saliency", "sum", HEED_ENOTSUP,
         "leaf 'sum': this 'llama' model adds no positions or token types"},
        {"mamba/plain", "mamba_lrp", "sum", HEED_ENOTSUP, "'mamba' model adds"},
        {"bloom/plain", "attn_lrp", "sum", HEED_ENOTSUP, "'bloom' model adds"},
        {"llama/plain", "attn_lrp", "logits", HEED_EINVAL,
         "leaf 'logits': must be word, sum or normed"},
        {"bert/plain", "occlusion", "sum", HEED_EINVAL,
         "occlusion: leaf 'sum' is for methods"},
        {"bert/plain", "attention_rollout", "normed", HEED_EINVAL,
         "attention_rollout: leaf 'normed' is for methods"},
    };
    static const int32_t ids[] = {3, 1, 4};
    heed_ctx *ctx = new_ctx();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[64];
        heed_model *m;
        heed_result *r;
        const struct way w = {rows[i].method, NULL, NULL, {{0}}};
        subject s = {.ctx = ctx, .target = HEED_TARGET};
        snprintf(path, sizeof path, "tests/golden/%s", rows[i].model);
        assert_int_equal(heed_model_load(&m, ctx, path), HEED_OK);
        s.m = m;
        assert_int_equal(heed_tokens_of(&s.tokens, ctx, NULL, ids, 3), HEED_OK);
        assert_int_equal(ask(&s, &w, rows[i].leaf, &r), rows[i].st);
        if (!strstr(heed_error(ctx), rows[i].says))
            fail_msg("'%s', and not '%s'", heed_error(ctx), rows[i].says);
        heed_result_free(r);
        heed_tokens_free(ctx, s.tokens);
        heed_model_free(m);
    }
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_values), test(test_differ),
                                       test(test_word), test(test_refused)};
    RUN(tests);
}
