/* Rollout, attention x gradient and Transformer-Attribution against
 * transformers' attention weights, their gradients and a restatement of the
 * rules (tests/golden/attributions.py); what does not depend on threads,
 * batches and memory; rules by hand; refusals. */
#include "testlib.h"

#include "ask.h"
#include "choices.h"
#include "exec.h"
#include "flowtest.h"

static const double limit = sizeof(heed_real) == 4 ? 2e-5 : 1e-9;

static const char *const models[] = {
    "llama/plain",    "llama/gqa2_tied_bf16", "gpt2/plain",
    "gpt_neox/plain", "gpt_neox/sequential",  "gptj/plain",
    "bloom/plain",    "bloom/late_bf16",
};
enum { N_MODELS = sizeof models / sizeof *models };

static const struct {
    const char *key; /* of the array, without the target */
    const char *method, *option[6];
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
    /* its defaults are the family's */
    {"tattr",
     "transformer_attribution",
     {"row_norm", "off", "start_layer", "0"}},
    {"tattr_norm", "tattr", {"row_norm", "on", "start_layer", "0"}},
    {"tattr_late", "tattr", {"row_norm", "off", "start_layer", "1"}},
    {"tattr_no_self",
     "tattr",
     {"self", "off", "row_norm", "off", "start_layer", "0"}},
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

/* There, four times what the restatement changes by when its weights and values
 * are off by half a unit in the last place of float32, where that is more. */
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
                      .target = flow_target(x, prefix, tags[k])};
            memcpy(c.option, calls[i].option, sizeof calls[i].option);
            assert_non_null(want);
            ok(w, c);
            assert_int_equal(n, w->t->n);
            const double d = flow_apart(relevance(w), want, n);
            worst[col] = d <= worst[col] ? worst[col] : d;
            bad += !(d <= limit_of(x, prefix, col, tags[k]));
        }
    return bad;
}

/* ---- models that read both ways ---- */

/* Of tokens, or of pixels where they are given. */
static void explain(world *w, call c, const heed_pixels *p)
{
    heed_setting set[4];
    heed_target target = c.target;
    heed_input in = {p ? NULL : w->t, &target, 1, p};
    heed_request q = request(&c, w, &in, set);
    heed_result_free(w->r);
    assert_int_equal(heed_result_new(&w->r, w->ctx), HEED_OK);
    heed_sink sink = heed_result_sink(w->r);
    if (heed_attribute(w->ctx, &q, &sink) != HEED_OK)
        fail_msg("%s", heed_error(w->ctx));
    snprintf(w->name, sizeof w->name, "explanations/%s",
             heed_method_named(c.method)->name);
    w->group = w->name;
}

static heed_pixels picture(const world *w, const expect *x, const char *prefix)
{
    const heed_model_info *m = heed_model_about(w->m);
    int64_t n;
    const double *v = expect_get(x, prefix, "pixels", &n);
    heed_pixels p = {.channels = m->image_channels,
                     .height = m->image_height,
                     .width = m->image_width};
    p.x = malloc((size_t)(n + 1) * sizeof *p.x);
    for (int64_t i = 0; i < n; i++)
        p.x[i] = (heed_real)v[i];
    return p;
}

static world enter_input(const char *model, const expect *x, const char *prefix)
{
    int64_t n, k;
    int32_t id[64] = {1};
    const int64_t *ids = expect_get(x, prefix, "ids", &n);
    const int64_t *segment = expect_get(x, prefix, "segments", &k);
    for (int64_t i = 0; i < n; i++)
        id[i] = (int32_t)ids[i];
    world w = enter(model, id, n > 0 ? n : 1);
    for (int64_t i = 0; i < k; i++)
        w.t->token[i].segment = (uint8_t)segment[i];
    return w;
}

static int one_encoder(const char *model, const expect *x,
                       double worst[N_COLUMNS])
{
    char prefix[64];
    int bad = 0;
    snprintf(prefix, sizeof prefix, "%s/input", model);
    world w = enter_input(model, x, prefix);
    const bool pair = heed_model_about(w.m)->head == HEED_HEAD_EMBEDDING;
    heed_pixels p = picture(&w, x, prefix);
    for (int i = 0; i < N_CALLS; i++) {
        const int col = column_of(calls[i].key);
        char key[64];
        int64_t n;
        snprintf(key, sizeof key, "%s_end", calls[i].key);
        const double *want = expect_get(x, prefix, key, &n);
        call c = {.method = calls[i].method, .target = HEED_TARGET};
        memcpy(c.option, calls[i].option, sizeof calls[i].option);
        if (pair && col >= RELEVANCE)
            continue;
        if (!pair)
            c.target = flow_target(x, prefix, "end");
        assert_non_null(want);
        explain(&w, c, heed_model_about(w.m)->image_height ? &p : NULL);
        const double d = flow_apart(relevance(&w), want, n);
        worst[col] = d <= worst[col] ? worst[col] : d;
        bad += !(d <= (pair ? limit : limit_of(x, prefix, col, "end")));
    }
    free(p.x);
    leave(&w);
    return bad;
}

static const char *const encoders[] = {
    "bert/plain",       "bert/relkey",
    "bert/relkeyquery", "bert/masked_untied_f16",
    "bert/embed_mean",  "vit/vit_plain",
    "vit/deit_plain",   "vit/deit_teacher"};
enum { N_ENCODERS = sizeof encoders / sizeof *encoders };

/* The defaults of families are those of the official code. */
static void test_defaults(void **state)
{
    (void)state;
    static const struct {
        const char *model, *option[4];
    } rows[] = {{"bert/plain", {"row_norm", "on", "start_layer", "1"}},
                {"vit/vit_plain", {"row_norm", "off", "start_layer", "1"}}};
    expect x;
    assert_true(
        expect_open(&x, "tests/golden/attributions/expect.safetensors"));
    for (int i = 0; i < 2; i++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "%s/input", rows[i].model);
        world w = enter_input(rows[i].model, &x, prefix);
        heed_pixels p = picture(&w, &x, prefix);
        const heed_pixels *in = i == 1 ? &p : NULL;
        call c = {.method = "tattr", .target = HEED_TARGET};
        c.target.at = 0;
        explain(&w, c, in);
        heed_real *by_default = copy(&w), *again = copy(&w);
        memcpy(c.option, rows[i].option, sizeof rows[i].option);
        explain(&w, c, in);
        assert_true(same(&w, by_default));
        c.option[3] = "0";
        explain(&w, c, in);
        assert_false(same(&w, again));
        free(p.x);
        leave(&w);
    }
    expect_close(&x);
}

static void print_row(const char *model, const double worst[N_COLUMNS])
{
    printf("%-22s", model);
    for (int c = 0; c < N_COLUMNS; c++)
        printf(" %9.1e", worst[c]);
    printf("\n");
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
        print_row(models[m], worst);
    }
    for (int m = 0; m < N_ENCODERS; m++) {
        double worst[N_COLUMNS] = {0};
        bad += one_encoder(encoders[m], &x, worst);
        print_row(encoders[m], worst);
    }
    expect_close(&x);
    assert_int_equal(bad, 0);
}

/* ---- rollout, from the maps that heed attention stores ---- */

enum { SOME = 150 }; /* more than one block of queries, not a whole tile */

static void test_from_maps(void **state)
{
    (void)state;
    static const char *const model[] = {"llama/gqa2_tied_bf16", "gpt2/plain",
                                        "bloom/plain"};
    for (int k = 0; k < 3; k++) {
        world w = enter_some(model[k], k == 1 ? 64 : SOME);
        const int64_t n = w.t->n;
        ask(&w, (call){.method = "attention", .reduce = "mean"});
        assert_int_equal(w.st, HEED_OK);
        const heed_array *a = heed_result_get(w.r, "attention", "attention");
        const heed_real *m = a->data;
        double v[SOME] = {0}, next[SOME], sum = 0;
        v[n - 1] = 1;
        for (int64_t l = a->var.len[0] - 1; l >= 0; l--) {
            for (int64_t j = 0; j < n; j++)
                next[j] = v[j] / 2;
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = 0; j < n; j++)
                    next[j] += v[i] / 2 * (double)m[(l * n + i) * n + j];
            memcpy(v, next, sizeof v);
        }
        ok(&w, (call){.method = "rollout"});
        assert_true(flow_apart(relevance(&w), v, n) < limit);
        for (int64_t i = 0; i < n; i++)
            sum += (double)relevance(&w)[i];
        assert_close(sum, 1, limit);
        assert_close(number(&w, "sum"), sum, limit);
        assert_true(number(&w, "target_value") != number(&w, "target_value"));
        assert_null(heed_result_attr(w.r, w.group, "target_id"));
        leave(&w);
    }
}

/* Every row of the product sums to 1, and no later token enters. */
static void test_rows(void **state)
{
    (void)state;
    world w = enter_some("gpt_neox/plain", 60);
    for (int64_t at = 0; at < 60; at++) {
        double sum = 0;
        ok(&w, (call){.method = "rollout", .target = {NULL, at, -1, -1}});
        for (int64_t i = 0; i < 60; i++) {
            assert_true(i <= at ? relevance(&w)[i] > 0 : relevance(&w)[i] == 0);
            sum += (double)relevance(&w)[i];
        }
        assert_close(sum, 1, limit);
    }
    leave(&w);
}

/* ---- the same bits ---- */

static const variant methods[] = {
    {"rollout", {0}}, {"attn_grad", {0}}, {"tattr", {0}}};
enum { N_METHODS = sizeof methods / sizeof *methods };

/* Several waves of tiles. */
static void test_alike(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m = golden(ctx, "gqa2_tied_bf16");
    flow_alike(ctx, m, 900, methods, N_METHODS);
    heed_model_free(m);
    heed_ctx_free(ctx);
}

static void test_targets(void **state)
{
    (void)state;
    flow_targets("gptj/plain", methods, N_METHODS);
}

/* ---- sums of what runs together ---- */

/* The same input twice has the shares of one; another beside it has not. */
static void test_add_norm(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m = plain(ctx, "gpt_neox");
    heed_tokens *t[2] = {some_tokens(ctx, m, 9, 1), some_tokens(ctx, m, 30, 2)};
    static const heed_setting sample[] = {{"self", "off"}, {0}},
                              batch[] = {
                                  {"self", "off"}, {"add_norm", "batch"}, {0}};
    heed_result *r[3][MOST_INPUTS];
    for (int k = 0; k < 3; k++) {
        heed_input in[] = {{.tokens = t[0]}, {.tokens = t[k / 2]}};
        heed_request q = {.model = m,
                          .method = "tattr",
                          .settings = k ? batch : sample,
                          .input = in,
                          .n_inputs = 2};
        attribute(ctx, &q, r[k]);
    }
    double x[9];
    const char *g = "explanations/transformer_attribution";
    const heed_real *v[3];
    for (int k = 0; k < 3; k++)
        v[k] = heed_result_get(r[k][0], g, "relevance")->data;
    for (int i = 0; i < 9; i++)
        x[i] = (double)v[0][i];
    assert_true(flow_apart(v[1], x, 9) < 1e-5);
    assert_true(flow_apart(v[2], x, 9) > 1e-3);
    for (int k = 0; k < 3; k++)
        free_results(r[k], 2);
    heed_tokens_free(ctx, t[0]);
    heed_tokens_free(ctx, t[1]);
    heed_model_free(m);
    heed_ctx_free(ctx);
}

/* ---- what is refused ---- */

static const struct {
    const char *method, *name, *value, *text;
} wrong[] = {
    {"rollout", "head", "sum", "must be one of mean|max|min|pos_mean|abs_mean"},
    {"rollout", "row_norm", "yes", "must be one of auto|on|off"},
    {"rollout", "form", "fast", "must be one of auto|matrix|free|vector"},
    {"mamba_attribution", "start_layer", "2", "the model has layers 0 to 1"},
    {"unified_attribution", "grad_axis", "both",
     "must be one of auto|row|column"},
    {"rollout", "start_layer", "-3", "the model has layers 0 to 1"},
    {"rollout", "start_layer", "0.5", "must be a whole number"},
    {"rollout", "start_layer", "2", "the model has layers 0 to 1"},
    {"attn_grad", "start_layer", "2", "the model has layers 0 to 1"},
    {"attn_grad", "head", "max", "it has row_norm, start_layer, kind, self"},
    {"tattr", "start_layer", "2", "the model has layers 0 to 1"},
    {"tattr", "add_norm", "none", "must be one of sample|batch"},
};

static void refused(world *w, call c, heed_status st, const char *text)
{
    ask(w, c);
    if (w->st != st || !strstr(heed_error(w->ctx), text))
        fail_msg("got %d '%s', want '%s'", w->st, heed_error(w->ctx), text);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const kinds[] = {"contrast", "probability", "entropy"};
    world w = enter_some("llama/plain", 5);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refused(&w,
                (call){.method = wrong[i].method,
                       .option = {wrong[i].name, wrong[i].value}},
                HEED_EINVAL, wrong[i].text);
    for (int k = 0; k < 3; k++) {
        refused(&w, (call){.method = methods[k].method, .reduce = "l2"},
                HEED_EINVAL, "nothing to reduce");
        refused(&w, (call){.method = "tattr", .target = {kinds[k], -1, -1, -1}},
                HEED_EINVAL, "explains logits as they are");
    }
    refused(&w, (call){.method = "tattr", .center = 1}, HEED_EINVAL,
            "not less a mean");
    refused(&w, (call){.method = "rollout", .target = {NULL, 5, -1, -1}},
            HEED_EINVAL, "position 5 is out of range");
    refused(
        &w,
        (call){.method = "rollout", .option = {"form", "free", "head", "max"}},
        HEED_EINVAL, "form free is of the mean");
    leave(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_golden),   test(test_defaults), test(test_from_maps),
        test(test_rows),     test(test_alike),    test(test_targets),
        test(test_add_norm), test(test_refusals)};
    RUN(tests);
}
