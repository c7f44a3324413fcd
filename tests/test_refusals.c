/* What heed_attribute() refuses, each with its sentence and before anything
 * has run, and values that are not finite, by the name of their tensor. */
#include "testlib.h"

#include <jansson.h>
#include <stdbool.h>

#include "engine.h"
#include "modeldir.h"

enum { T = 5, V = 61 };

static int count(void *ud, const char *what, double done, double total)
{
    (void)what;
    (void)done;
    (void)total;
    ++*(int *)ud;
    return 0;
}

/* ---- requests ---- */

static const heed_setting gamma_[] = {{"gamma", "0.5"}, {0}};
#define TARGET(...)      \
    &(const heed_target) \
    {                    \
        __VA_ARGS__      \
    }

static const struct refusal {
    const char *method, *text;
    heed_status st;
    const heed_setting *settings;
    const char *reduce, *keep;
    const heed_target *target;
    int64_t layer, head, n; /* layer, head: 1 more than asked for; n: tokens
                               less than T */
} refusals[] = {
    {.method = "lime",
     .text = "no method is called 'lime'; see 'heed methods'"},
    {.method = "", .text = "no method is called ''"},
    {.settings = gamma_, .text = "attn_lrp has no option 'gamma'"},
    {.method = "gxi",
     .settings = gamma_,
     .text = "input_x_gradient has no option 'gamma'"},
    {.reduce = "median",
     .text = "attn_lrp: no reduction 'median'; there are sum, mean, l1, l2, "
             "absmax, max"},
    {.reduce = "none", .text = "attn_lrp: no reduction 'none'"},
    {.method = "attention",
     .reduce = "sum",
     .text = "attention: no reduction 'sum'; there are mean, l2, max, "
             "pos_mean, abs_mean, none"},
    {.keep = "qk",
     .st = HEED_ENOTSUP,
     .text = "relevance of 'qk' cannot be kept; of layer, head and "
             "neuron it can"},
    {.target = TARGET("odds", -1, -1, -1),
     .text = "no kind of target is called 'odds'"},
    {.target = TARGET(NULL, T, -1, -1),
     .text = "position 5 is out of range, the input has 5 tokens"},
    {.target = TARGET(NULL, -T - 1, -1, -1),
     .text = "position -6 is out of range, the input has 5 tokens"},
    {.target = TARGET(NULL, -1, V, -1),
     .text = "target token id 61 is out of range, the vocabulary has 61"},
    {.target = TARGET("contrast", -1, 3, 99),
     .text = "target token id 99 is out of range, the vocabulary has 61"},
    {.target = TARGET(NULL, -1, 3, 4),
     .text = "target 'logit' takes no foil; a contrast does"},
    {.target = TARGET("prob", -1, 3, 4),
     .text = "target 'probability' takes no foil; a contrast does"},
    {.target = TARGET("contrast", -1, 3, 3),
     .text = "target and foil are the same token, 3"},
    {.target = TARGET("contrast_probs_diff", -1, 0, 0),
     .text = "target and foil are the same token, 0"},
    {.method = "attention",
     .layer = 3,
     .text = "layer 2: there are 2, named in rising order from 0"},
    {.method = "attention",
     .head = 5,
     .text = "head 4: there are 4, named in rising order from 0"},
    {.layer = 1,
     .text = "attn_lrp: layers are chosen of attention maps, which it does not "
             "make"},
    {.method = "rollout",
     .head = 1,
     .text = "attention_rollout: heads are chosen of attention maps"},
    {.n = T, .text = "the input has no tokens"},
    {.method = "attention", .n = T, .text = "the input has no tokens"},
};

static void wrong(heed_ctx *ctx, const heed_request *q, heed_status want,
                  const char *text)
{
    heed_result *r;
    int calls = 0;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    heed_sink sink = heed_result_sink(r);
    heed_ctx_listen(ctx, count, NULL, &calls);
    heed_status st = heed_attribute(ctx, q, &sink);
    heed_ctx_listen(ctx, NULL, NULL, NULL);
    if (st != want || !strstr(heed_error(ctx), text))
        fail_msg("got %d '%s', want %d '%s'", st, heed_error(ctx), want, text);
    assert_int_equal(calls, 0);
    assert_null(heed_result_at(r, 0));
    heed_result_free(r);
}

static void test_requests(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m = golden(ctx, "plain");
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *r = &refusals[i];
        heed_tokens *t = some_tokens(ctx, m, T - r->n, 1);
        const char *keep[] = {"layer", r->keep, NULL};
        const int64_t layer = r->layer - 1, head = r->head - 1;
        heed_input in = {t, r->target, 1, NULL};
        heed_request q = {.model = m,
                          .method = r->method ? r->method : "attn_lrp",
                          .settings = r->settings,
                          .reduce = r->reduce,
                          .keep = r->keep ? keep : NULL,
                          .input = &in,
                          .n_inputs = 1,
                          .layers = r->layer ? &layer : NULL,
                          .heads = r->head ? &head : NULL,
                          .n_layers = r->layer != 0,
                          .n_heads = r->head != 0};
        wrong(ctx, &q, r->st ? r->st : HEED_EINVAL, r->text);
        heed_tokens_free(ctx, t);
    }
    heed_model_free(m);
    heed_ctx_free(ctx);
}

/* Of maps, too: channels and rows. */
static void test_choices(void **state)
{
    (void)state;
    static const int64_t one[] = {0};
    const heed_request of[] = {
        {.method = "saliency", .channels = one, .n_channels = 1},
        {.method = "attn_lrp", .rows = one, .n_rows = 1},
        {.method = "occlusion", .row_step = 2},
        {.method = "cp_lrp", .n_layers = -1}};
    static const char *const why[] = {
        "saliency: channels are chosen of attention maps",
        "attn_lrp: rows are chosen of attention maps",
        "occlusion: rows are chosen of attention maps",
        "cp_lrp: layers are chosen of attention maps"};
    heed_ctx *ctx = new_ctx();
    heed_model *m = golden(ctx, "plain");
    heed_tokens *t = some_tokens(ctx, m, T, 1);
    const heed_input in = {.tokens = t};
    for (int i = 0; i < 4; i++) {
        heed_request q = of[i];
        q.model = m;
        q.input = &in;
        q.n_inputs = 1;
        wrong(ctx, &q, HEED_EINVAL, why[i]);
    }
    heed_tokens_free(ctx, t);
    heed_model_free(m);
    heed_ctx_free(ctx);
}

static void test_inputs(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m = golden(ctx, "plain");
    heed_tokens *t = some_tokens(ctx, m, T, 1), *none, *far;
    const int32_t id[] = {1, V};
    const heed_target target = HEED_TARGET;
    assert_int_equal(heed_tokens_of(&none, ctx, NULL, id, 0), HEED_OK);
    assert_int_equal(heed_tokens_of(&far, ctx, NULL, id, 2), HEED_OK);
    heed_input in[] = {{.tokens = t}, {.tokens = none}};
    heed_request q = {.model = m, .input = in};
    wrong(ctx, &q, HEED_EINVAL, "no input");
    q.n_inputs = 2;
    wrong(ctx, &q, HEED_EINVAL, "the input has no tokens");
    in[1] = (heed_input){.tokens = far};
    wrong(ctx, &q, HEED_EINVAL,
          "token id 61 is out of range, the vocabulary has 61");
    in[1] = (heed_input){t, &target, 0, NULL};
    wrong(ctx, &q, HEED_EINVAL, "input 1 has no target");
    q.n_inputs = 1;
    heed_plan p;
    q.method = "lime";
    assert_int_equal(heed_plan_of(ctx, &q, &p), HEED_EINVAL);
    heed_tokens_free(ctx, none);
    heed_tokens_free(ctx, far);
    heed_tokens_free(ctx, t);
    heed_model_free(m);
    heed_ctx_free(ctx);
}

/* A residual beyond the tolerance: everything is written, and it is told. */
static void test_residual(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m = golden(ctx, "bias_sharded");
    heed_tokens *t = some_tokens(ctx, m, 40, 1);
    heed_input in = {.tokens = t};
    heed_request q = {.model = m,
                      .method = "attn_lrp",
                      .input = &in,
                      .n_inputs = 1,
                      .tol = 1e-30};
    heed_result *r;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    heed_sink sink = heed_result_sink(r);
    assert_int_equal(heed_attribute(ctx, &q, &sink), HEED_ENUMERIC);
    assert_non_null(
        strstr(heed_error(ctx), "attn_lrp: the account does not close"));
    const char *g = "explanations/attn_lrp";
    assert_non_null(heed_result_get(r, g, "relevance"));
    assert_true(heed_result_num(r, g, "conservation_residual") != 0);
    heed_result_free(r);
    heed_tokens_free(ctx, t);
    heed_model_free(m);
    heed_ctx_free(ctx);
}

/* ---- values that are not finite ---- */

/* bad in the middle of a tensor, or at its start */
static void poison(char *bytes, const char *name, bool start, float bad)
{
    size_t size;
    char *p = modeldir_tensor(bytes, name, &size);
    memcpy(p + (start ? 0 : size / 8 * 4), &bad, sizeof bad);
}

static void one_tensor(heed_ctx *ctx, const char *name)
{
    heed_model *m;
    heed_status st = heed_model_load(&m, ctx, modeldir);
    if (st == HEED_OK) {
        int32_t id[] = {0, V / 2, V / 2 + 1, 1}; /* the rows that are bad */
        heed_tokens *t;
        heed_result *r;
        assert_int_equal(heed_tokens_of(&t, ctx, NULL, id, 4), HEED_OK);
        assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
        heed_sink sink = heed_result_sink(r);
        heed_input in = {.tokens = t};
        heed_request q = {.model = m, .input = &in, .n_inputs = 1};
        st = heed_attribute(ctx, &q, &sink);
        heed_result_free(r);
        if (st != HEED_ENUMERIC || !strstr(heed_error(ctx), name))
            fail_msg("%s: %d '%s'", name, st, heed_error(ctx));
        int64_t at = 3;
        heed_candidate best;
        st = heed_predict(ctx, m, id, 4, &at, 1, 1, &best);
        heed_tokens_free(ctx, t);
        heed_model_free(m);
    }
    if (st != HEED_ENUMERIC || !strstr(heed_error(ctx), name) ||
        !strstr(heed_error(ctx), "not finite"))
        fail_msg("%s: %d '%s'", name, st, heed_error(ctx));
}

static void test_not_finite(void **state)
{
    (void)state;
    const char *const file = "tests/golden/llama/plain/model.safetensors";
    size_t n;
    char *config = modeldir_read("tests/golden/llama/plain/config.json", &n);
    modeldir_write("config.json", config, n);
    free(config);
    char *bytes = modeldir_read(file, &n), *copy = malloc(n);
    uint64_t head;
    memcpy(&head, bytes, sizeof head);
    json_t *json = json_loadb(bytes + 8, head, 0, NULL), *value;
    const char *name;
    heed_ctx *ctx = new_ctx();
    int tensors = 0;
    json_object_foreach(json, name, value)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        for (int k = 0; k < 3; k++) {
            memcpy(copy, bytes, n);
            poison(copy, name, k > 0, k == 1 ? -HUGE_VALF : NAN);
            modeldir_write("model.safetensors", copy, n);
            one_tensor(ctx, name);
        }
        tensors++;
    }
    assert_int_equal(tensors, 3 + 2 * 9);
    heed_ctx_free(ctx);
    json_decref(json);
    free(copy);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_requests), test(test_choices),
                                       test(test_inputs), test(test_residual),
                                       test(test_not_finite)};
    return cmocka_run_group_tests_name(__FILE__, tests, modeldir_setup,
                                       modeldir_teardown) != 0;
}
