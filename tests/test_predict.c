/* heed_predict() and heed_generate(): order, ties, ranges, and that feeding
 * one token at a time goes where whole passes go. */
#include "testlib.h"

#include "engine.h"
#include "modeldir.h"

enum { V = 61, T = 12 };

static void predict(heed_ctx *ctx, const heed_model *m, const int32_t *id,
                    int64_t n, int64_t at, int64_t top, heed_candidate *out)
{
    if (heed_predict(ctx, m, id, n, &at, 1, top, out) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
}

static void test_order(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m = golden(ctx, "plain");
    static heed_candidate all[3 * V], one[V];
    int32_t id[T];
    const int64_t at[] = {T - 1, 0, T - 1};
    some_ids(id, T, 3, V);
    assert_int_equal(heed_predict(ctx, m, id, T, at, 3, V, all), HEED_OK);
    assert_memory_equal(all, all + 2 * V, V * sizeof *all);
    for (int k = 0; k < 2; k++) {
        const heed_candidate *c = all + k * V;
        int seen[V] = {0};
        double p = 0;
        for (int i = 0; i < V; i++) {
            assert_true(c[i].id >= 0 && c[i].id < V && !seen[c[i].id]++);
            assert_true(i == 0 || c[i].logit <= c[i - 1].logit);
            assert_close(c[i].logit - c[i].logprob, c[0].logit - c[0].logprob,
                         1e-12);
            p += exp(c[i].logprob);
        }
        assert_close(p, 1, 1e-6);
        for (int64_t top = 1; top <= V; top += 6) {
            predict(ctx, m, id, T, at[k], top, one);
            assert_memory_equal(one, c, (size_t)top * sizeof *one);
        }
    }
    predict(ctx, m, id, 1, 0, V, one); /* nothing after it has a say */
    for (int i = 0; i < V; i++) {
        assert_int_equal(one[i].id, all[V + i].id);
        assert_close(one[i].logit, all[V + i].logit, 1e-5);
    }
    heed_model_free(m);
    heed_ctx_free(ctx);
}

/* A head of zeros: all logits are equal. */
static void test_ties(void **state)
{
    (void)state;
    size_t n, size;
    char *config = modeldir_read("tests/golden/llama/plain/config.json", &n);
    modeldir_write("config.json", config, n);
    char *bytes =
        modeldir_read("tests/golden/llama/plain/model.safetensors", &n);
    char *head = modeldir_tensor(bytes, "lm_head.weight", &size);
    memset(head, 0, size);
    modeldir_write("model.safetensors", bytes, n);
    free(bytes);
    free(config);
    heed_ctx *ctx = new_ctx();
    heed_model *m;
    assert_int_equal(heed_model_load(&m, ctx, modeldir), HEED_OK);
    heed_candidate c[V];
    int32_t id[T], out[3];
    int64_t n_out;
    some_ids(id, T, 3, V);
    for (int64_t top = 1; top <= V; top += 20) {
        predict(ctx, m, id, T, 5, top, c);
        for (int i = 0; i < top; i++) {
            assert_int_equal(c[i].id, i);
            assert_true(c[i].logit == 0);
            assert_close(c[i].logprob, -log(V), 1e-7);
        }
    }
    assert_int_equal(heed_generate(ctx, m, id, T, 3, -1, out, &n_out), HEED_OK);
    assert_true(n_out == 3 && out[0] == 0 && out[1] == 0 && out[2] == 0);
    heed_target target = {"contrast", -1, -1, -1};
    heed_tokens *t = some_tokens(ctx, m, T, 3);
    heed_input in = {t, &target, 1, NULL};
    heed_request q = {.model = m, .method = "saliency"};
    q.input = &in;
    q.n_inputs = 1;
    heed_result *r[MOST_INPUTS];
    const char *g = "explanations/saliency";
    attribute(ctx, &q, r);
    assert_true(heed_result_num(r[0], g, "target_id") == 0);
    assert_true(heed_result_num(r[0], g, "foil_id") == 1);
    free_results(r, 1);
    heed_tokens_free(ctx, t);
    heed_model_free(m);
    heed_ctx_free(ctx);
}

static void refused(heed_ctx *ctx, heed_status st, const char *text)
{
    if (st != HEED_EINVAL || !strstr(heed_error(ctx), text))
        fail_msg("got %d '%s', want '%s'", st, heed_error(ctx), text);
}

static void test_ranges(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m = golden(ctx, "plain");
    heed_candidate c[V + 1];
    int32_t id[T], out[4];
    int64_t n = 9;
    some_ids(id, T, 3, V);
#define PREDICT(n, at, top) \
    heed_predict(ctx, m, id, n, &(int64_t){at}, 1, top, c)
    refused(ctx, PREDICT(T, 0, 0),
            "0 tokens are asked for, the vocabulary has 61");
    refused(ctx, PREDICT(T, 0, V + 1), "62 tokens are asked for");
    refused(ctx, PREDICT(T, -1, 1), "position -1 is out of range");
    refused(ctx, PREDICT(T, T, 1),
            "position 12 is out of range, the input has 12 tokens");
    refused(ctx, heed_predict(ctx, m, id, 0, NULL, 0, 1, c),
            "the input has no tokens");
    refused(ctx, heed_generate(ctx, m, id, 0, 1, -1, out, &n),
            "the input has no tokens");
    assert_int_equal(n, 0);
    refused(ctx, heed_generate(ctx, m, id, T, -1, -1, out, &n),
            "-1 new tokens are asked for");
    refused(ctx, heed_generate(ctx, m, id, T, (1 << 20) + 1, -1, out, &n),
            "at most 1048576 are possible");
    id[4] = V;
    refused(ctx, PREDICT(T, 0, 1),
            "token id 61 is out of range, the vocabulary has 61");
    id[4] = -1;
    refused(ctx, PREDICT(T, 0, 1), "token id -1 is out of range");
    refused(ctx, heed_generate(ctx, m, id, T, 1, -1, out, &n),
            "token id -1 is out of range");
    assert_int_equal(heed_generate(ctx, m, id, T, 0, -1, out, &n), HEED_OK);
    assert_int_equal(n, 0);
    assert_int_equal(PREDICT(4, 3, 1), HEED_OK);
    assert_string_equal(heed_error(ctx), "");
    heed_model_free(m);
    heed_ctx_free(ctx);
}

/* n_new tokens against as many whole passes; then with an end. */
static void continues(heed_ctx *ctx, const heed_model *m, int64_t n,
                      int64_t n_new)
{
    int32_t id[MOST_TOKENS], got[MOST_TOKENS], again[MOST_TOKENS];
    int64_t n_got, end = 0;
    some_ids(id, n, 4, (int32_t)heed_model_about(m)->vocab);
    if (heed_generate(ctx, m, id, n, n_new, -1, got, &n_got) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    assert_int_equal(n_got, n_new);
    for (int64_t i = 0; i < n_new; i++) {
        heed_candidate best;
        predict(ctx, m, id, n + i, n + i - 1, 1, &best);
        if (best.id != got[i])
            fail_msg("%s: token %d of %d is %d, not %d",
                     heed_model_about(m)->path, (int)i, (int)n_new, got[i],
                     best.id);
        id[n + i] = got[i];
    }
    while (got[end] != got[n_new - 1])
        end++;
    assert_int_equal(
        heed_generate(ctx, m, id, n, n_new, got[end], again, &n_got), HEED_OK);
    assert_int_equal(n_got, end + 1);
    assert_memory_equal(got, again, (size_t)n_got * sizeof *got);
}

static void test_generate(void **state)
{
    (void)state;
    static const char *const name[] = {"plain",
                                       "gqa2_tied_bf16",
                                       "mqa_bias",
                                       "gguf_yarn.gguf",
                                       "rope_llama3",
                                       "rope_dynamic",
                                       "rope_longrope",
                                       "../gpt_neox/plain",
                                       "../gptj/plain",
                                       "../bloom/three_heads",
                                       "../recurrent_gemma/window5",
                                       "../recurrent_gemma/cap3",
                                       "../gemma3/plain",
                                       "../gemma3/gguf_tied.gguf"};
    heed_ctx *ctx = new_ctx();
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        heed_model *m = golden(ctx, name[i]);
        continues(ctx, m, 1, 8);
        continues(ctx, m, 60, 8); /* over the trained context of 64 */
        continues(ctx, m, 125, 6);
        heed_model_free(m);
    }
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_order), test(test_ties),
                                       test(test_ranges), test(test_generate)};
    return cmocka_run_group_tests_name(__FILE__, tests, modeldir_setup,
                                       modeldir_teardown) != 0;
}
