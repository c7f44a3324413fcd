/* What models with other heads than the next token's do: labels, masked
 * tokens, embeddings and their similarity; segments. */
#include "testlib.h"

#include "ask.h"
#include "exec.h"
#include "head.h"
#include "modeldir.h"
#include "text.h"

static const int32_t ids[] = {2, 11, 7, 40, 3, 22, 22, 5, 60, 3};
enum { T = sizeof ids / sizeof *ids, HALF = 5 };

static double limit(void)
{
    return sizeof(heed_real) == 4 ? 2e-5 : 1e-11;
}

static world enter_pair(const char *family, int64_t half)
{
    world w = enter(family, ids, T);
    for (int64_t i = 0; i < T; i++)
        w.t->token[i].segment = i >= half;
    return w;
}

static void refused(heed_ctx *ctx, heed_status st, heed_status want,
                    const char *says)
{
    if (st != want || !strstr(heed_error(ctx), says))
        fail_msg("%d '%s', and not '%s'", st, heed_error(ctx), says);
}

/* ---- labels ---- */

static void test_labels(void **state)
{
    heed_candidate best[5];
    const int64_t at = 0, one = 1;
    double sum = 0;
    (void)state;
    world w = enter_pair("bert", HALF);
    const heed_model_info *m = heed_model_about(w.m);
    assert_int_equal(m->head, HEED_HEAD_CLASS);
    assert_int_equal(m->n_labels, 3);
    assert_string_equal(m->label[2], "POSITIVE");
    assert_int_equal(heed_predict_tokens(w.ctx, w.m, w.t, &at, 1, 3, best), 0);
    for (int i = 0; i < 3; i++)
        sum += exp(best[i].logprob);
    assert_true(fabs(sum - 1) < limit());
    const double z = best[0].logit;
    assert_int_equal(heed_predict(w.ctx, w.m, ids, T, &at, 1, 3, best), 0);
    assert_true(fabs(best[0].logit - z) > 1e-3); /* segments count */
    refused(w.ctx, heed_predict(w.ctx, w.m, ids, T, &one, 1, 1, best),
            HEED_EINVAL, "position 1: labels are of the whole text");
    refused(w.ctx, heed_predict(w.ctx, w.m, ids, T, &at, 1, 4, best),
            HEED_EINVAL, "4 labels");
    int64_t n;
    int32_t out;
    refused(w.ctx, heed_generate(w.ctx, w.m, ids, T, 1, -1, &out, &n),
            HEED_ENOTSUP, "'class'");
    double x[24];
    refused(w.ctx, heed_embed(w.ctx, w.m, w.t, x), HEED_ENOTSUP, "'class'");
    leave(&w);

    w = enter("bert/cls_multi_bf16", ids, T);
    assert_true(heed_model_about(w.m)->multi_label);
    assert_int_equal(heed_predict(w.ctx, w.m, ids, T, &at, 1, 5, best), 0);
    for (int i = 0; i < 5; i++)
        assert_true(fabs(exp(best[i].logprob) - 1 / (1 + exp(-best[i].logit))) <
                    1e-12);
    ask(&w, (call){.method = "attn_lrp",
                   .target = {"probability", HEED_AT_HEAD, 1, -1}});
    refused(w.ctx, w.st, HEED_ENOTSUP, "do not exclude");
    leave(&w);
}

static void test_class(void **state)
{
    heed_candidate best;
    const int64_t at = 0;
    (void)state;
    world w = enter("bert", ids, T);
    assert_int_equal(heed_predict(w.ctx, w.m, ids, T, &at, 1, 1, &best), 0);
    ok(&w, (call){.method = "attn_lrp"});
    assert_string_equal(heed_result_str(w.r, w.group, "target_kind"), "class");
    assert_string_equal(heed_result_str(w.r, w.group, "target_text"),
                        heed_model_about(w.m)->label[best.id]);
    assert_true(fabs(number(&w, "target_value") - best.logit) == 0);
    heed_real *predicted = copy(&w);
    ok(&w, (call){.method = "attn_lrp", .target = {"logit", 0, best.id, -1}});
    assert_true(same(&w, predicted));
    ok(&w, (call){.method = "attn_lrp",
                  .target = {"contrast", HEED_AT_HEAD, 0, 1}});
    static const struct {
        heed_target target;
        const char *says;
    } rows[] = {
        {{NULL, 2, -1, -1}, "position 2: a model with a head 'class'"},
        {{NULL, -1, -1, -1}, "position -1"},
        {{NULL, HEED_AT_HEAD, 3, -1}, "label 3 is out of range"},
        {{"similarity", HEED_AT_HEAD, -1, -1}, "'similarity': this model"},
        {{"class", HEED_AT_HEAD, 0, 1}, "takes no foil"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ask(&w, (call){.method = "attn_lrp", .target = rows[i].target});
        refused(w.ctx, w.st, HEED_EINVAL, rows[i].says);
    }
    w.t->token[3].segment = 2;
    ask(&w, (call){.method = "attn_lrp"});
    refused(w.ctx, w.st, HEED_EINVAL, "token 3 is of segment 2");
    leave(&w);
}

/* What attn_lrp leaves unread of positions and types is theirs. */
static void test_types(void **state)
{
    (void)state;
    world w = enter_pair("bert", HALF);
    ok(&w, (call){.method = "attn_lrp"});
    const double unread = number(&w, "absorbed"), sum = number(&w, "sum");
    ok(&w, (call){.method = "pa_lrp"});
    const double type = number(&w, "type_sum");
    const double position = number(&w, "position_sum");
    const heed_array *a = heed_result_get(w.r, w.group, "type_relevance");
    double all = 0;
    assert_non_null(a);
    for (int i = 0; i < T; i++)
        all += (double)((const heed_real *)a->data)[i];
    assert_true(fabs(all - type) < limit() && type != 0);
    assert_true(fabs(number(&w, "token_sum") - sum) < limit());
    assert_true(fabs(number(&w, "absorbed") + type + position - unread) <
                limit());
    leave(&w);
}

/* R_t = F(x) - F(x with zeros at t), one run after the other; labels see every
 * token. */
static void test_occlusion(void **state)
{
    (void)state;
    world w = enter_pair("bert", HALF);
    uint8_t segment[T];
    heedi_exec e;
    const int64_t len = T;
    const int32_t label = 1;
    heed_real z, value = 0, x[T * 24], y[T * 24];
    for (int i = 0; i < T; i++)
        segment[i] = i >= HALF;
    const heedi_exec_options o = {.segment = segment, .head_full = true};
    ok(&w, (call){.method = "occlusion",
                  .target = {NULL, HEED_AT_HEAD, label, -1}});
    assert_int_equal(heedi_exec_init(&e, w.ctx, w.m, &len, 1, ids, &o), 0);
    heedi_exec_leaf(&e, ids, T, x);
    for (int t = -1; t < T; t++) {
        memcpy(y, x, sizeof y);
        for (int c = 0; t >= 0 && c < 24; c++)
            y[t * 24 + c] = 0;
        e.run.leaf = y;
        assert_int_equal(heedi_exec_forward(&e, NULL, NULL), HEED_OK);
        assert_int_equal(heedi_head_tokens(&e, 0, &label, 1, &z), HEED_OK);
        if (t < 0)
            value = z;
        else
            assert_true(fabs((double)(value - z) - (double)relevance(&w)[t]) <
                        limit());
    }
    heedi_exec_clear(&e);
    leave(&w);
}

/* ---- masks ---- */

static heed_tokenizer *with_mask(heed_ctx *ctx)
{
    static heedi_str token[67];
    static int32_t type[67];
    static char name[67][16];
    for (int i = 0; i < 67; i++) {
        snprintf(name[i], sizeof name[i], "%s%d", i % 2 ? "" : "\u2581", i);
        token[i] = (heedi_str){name[i], strlen(name[i])};
        type[i] = 1;
    }
    token[0] = (heedi_str){"[UNK]", 5};
    token[2] = (heedi_str){"[CLS]", 5};
    token[3] = (heedi_str){"[SEP]", 5};
    token[5] = (heedi_str){"[MASK]", 6};
    type[0] = type[2] = type[3] = type[5] = 3;
    const heedi_vocab v = {.path = "x",
                           .model = "bert",
                           .n = 67,
                           .token = token,
                           .type = type,
                           .bos = -1,
                           .eos = -1,
                           .unk = -1,
                           .sep = -1,
                           .pad = -1,
                           .cls = -1,
                           .add_bos = -1,
                           .add_eos = -1};
    heed_tokenizer *t;
    if (heedi_tokenizer_from_vocab(&t, ctx, &v) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    return t;
}

static void test_masked(void **state)
{
    (void)state;
    world w = enter("bert/masked", ids, T); /* token 5 is at 7 */
    heed_tokenizer *t = with_mask(w.ctx);
    assert_int_equal(heed_tokenizer_about(t)->mask, 5);
    const heed_target target = HEED_TARGET;
    heed_input in = {w.t, &target, 1, NULL};
    heed_request q = {
        .model = w.m, .tokenizer = t, .input = &in, .n_inputs = 1};
    assert_int_equal(heed_result_new(&w.r, w.ctx), HEED_OK);
    heed_sink sink = heed_result_sink(w.r);
    assert_int_equal(heed_attribute(w.ctx, &q, &sink), HEED_OK);
    w.group = "explanations/attn_lrp";
    assert_int_equal((int)heed_result_num(w.r, w.group, "target_pos"), 7);
    assert_string_equal(heed_result_str(w.r, w.group, "head"), "masked token");
    w.t->token[2].id = 5;
    refused(w.ctx, heed_attribute(w.ctx, &q, &sink), HEED_EINVAL,
            "has 2 mask tokens");
    q.tokenizer = NULL;
    refused(w.ctx, heed_attribute(w.ctx, &q, &sink), HEED_EINVAL,
            "has 0 mask tokens");
    heed_tokenizer_free(t);
    leave(&w);
}

/* ---- embeddings ---- */

static void test_embed(void **state)
{
    double x[24], length = 0;
    heed_candidate best;
    const int64_t at = 0;
    (void)state;
    world w = enter("bert/embed_mean", ids, T);
    const heed_model_info *m = heed_model_about(w.m);
    assert_string_equal(m->pooling, "mean");
    assert_int_equal(m->normalizes, 1);
    assert_int_equal(heed_embed(w.ctx, w.m, w.t, x), HEED_OK);
    for (int i = 0; i < 24; i++)
        length += x[i] * x[i];
    assert_true(fabs(length - 1) < 1e-12);
    refused(w.ctx, heed_predict(w.ctx, w.m, ids, T, &at, 1, 1, &best),
            HEED_ENOTSUP, "it makes embeddings (heed embed)");
    leave(&w);
    w = enter_pair("bert/embed_cls_one_type", HALF);
    assert_string_equal(heed_model_about(w.m)->pooling, "cls");
    refused(w.ctx, heed_embed(w.ctx, w.m, w.t, x), HEED_EINVAL,
            "the model has 1: it takes no second text");
    leave(&w);
}

/* The texts in the other order: the same value, relevance in that order. */
static void test_similarity(void **state)
{
    (void)state;
    world w = enter_pair("bert/embed_mean", 4);
    ok(&w, (call){.method = "attn_lrp"});
    heed_real *r = copy(&w);
    const double value = number(&w, "target_value");
    assert_string_equal(heed_result_str(w.r, w.group, "target_kind"),
                        "similarity");
    const double rest = number(&w, "conservation_residual");
    assert_true(value > -1 && value < 1 && fabs(rest) < limit());
    int32_t other[T];
    for (int i = 0; i < T; i++)
        other[i] = ids[(i + 4) % T];
    world v = enter("bert/embed_mean", other, T);
    for (int i = T - 4; i < T; i++)
        v.t->token[i].segment = 1;
    ok(&v, (call){.method = "attn_lrp"});
    assert_true(fabs(number(&v, "target_value") - value) < 1e-12);
    for (int i = 0; i < T; i++)
        assert_true(fabs((double)(relevance(&v)[i] - r[(i + 4) % T])) <
                    limit());
    free(r);
    leave(&v);

    /* in a batch: the same bits */
    ok(&w, (call){.method = "input_x_gradient"});
    r = copy(&w);
    heed_tokens *t;
    assert_int_equal(heed_tokens_of(&t, w.ctx, NULL, other, T), HEED_OK);
    t->token[T - 1].segment = 1;
    heed_input in[] = {{t, NULL, 0, NULL}, {w.t, NULL, 0, NULL}};
    heed_request q = {
        .model = w.m, .method = "input_x_gradient", .input = in, .n_inputs = 2};
    heed_result *out[MOST_INPUTS];
    attribute(w.ctx, &q, out);
    const heed_array *a =
        heed_result_get(out[1], "explanations/input_x_gradient", "relevance");
    assert_memory_equal(a->data, r, T * sizeof *r);
    free(r);
    free_results(out, 2);
    heed_tokens_free(w.ctx, t);
    leave(&w);

    /* a text and itself are at the maximum */
    int32_t twice[8];
    for (int i = 0; i < 8; i++)
        twice[i] = ids[i % 4];
    w = enter("bert/embed_mean", twice, 8);
    for (int i = 4; i < 8; i++)
        w.t->token[i].segment = 1;
    ok(&w, (call){.method = "saliency"});
    assert_true(fabs(number(&w, "target_value") - 1) < limit());
    for (int i = 0; i < 8; i++)
        assert_true((double)relevance(&w)[i] < limit());
    leave(&w);
}

static void test_no_pair(void **state)
{
    (void)state;
    world w = enter("bert/embed_mean", ids, T);
    ask(&w, (call){.method = "attn_lrp"});
    refused(w.ctx, w.st, HEED_EINVAL, "needs a second text");
    for (int i = 0; i < T; i++)
        w.t->token[i].segment = 1;
    ask(&w, (call){.method = "attn_lrp"});
    refused(w.ctx, w.st, HEED_EINVAL, "needs a second text");
    w.t->token[0].segment = w.t->token[5].segment = 0;
    ask(&w, (call){.method = "attn_lrp"});
    refused(w.ctx, w.st, HEED_EINVAL, "needs a second text");
    w.t->token[5].segment = 1;
    ask(&w, (call){.method = "attn_lrp",
                   .target = {"similarity", HEED_AT_HEAD, 4, -1}});
    refused(w.ctx, w.st, HEED_EINVAL, "of no token");
    ask(&w, (call){.method = "occlusion"});
    refused(w.ctx, w.st, HEED_ENOTSUP, "similarity of two");
    leave(&w);
}

/* ---- configurations that are not understood ---- */

/* config.json of a golden model with one more member, first: what is there
 * twice is refused by jansson, so the old one is renamed. */
static void change(const char *model, const char *key, const char *member)
{
    char path[128], quoted[64];
    size_t n;
    snprintf(path, sizeof path, "tests/golden/bert/%s/config.json", model);
    char *old = modeldir_read(path, &n), *new = malloc(n + 512);
    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    char *at = strstr(old, quoted);
    if (at)
        at[1] = '_';
    snprintf(new, n + 512, "{%s, %s", member, strchr(old, '{') + 1);
    modeldir_write("config.json", new, strlen(new));
    free(old);
    free(new);
}

static void test_configs(void **state)
{
    static const struct {
        const char *model, *key, *member;
        heed_status st;
        const char *says;
    } rows[] = {
        {"plain", "is_decoder", "\"is_decoder\": true", HEED_ENOTSUP,
         "is_decoder"},
        {"plain", "", "\"add_cross_attention\": true", HEED_ENOTSUP, "cross"},
        {"plain", "", "\"position_embedding_type\": \"nosuch\"", HEED_ENOTSUP,
         "'nosuch'"},
        {"plain", "", "\"position_embedding_type\": \"relative_key\"",
         HEED_EFORMAT,
         "layer.0.attention.self.distance_embedding.weight is missing"},
        {"plain", "architectures",
         "\"architectures\": [\"BertForTokenClassification\"]", HEED_ENOTSUP,
         "'BertForTokenClassification'"},
        {"plain", "architectures", "\"architectures\": [\"BertForMaskedLM\"]",
         HEED_EFORMAT, "cls.predictions.transform.dense.weight is missing"},
        {"masked", "architectures",
         "\"architectures\": [\"BertForSequenceClassification\"]", HEED_EFORMAT,
         "classifier.weight is missing"},
        {"plain", "id2label", "\"id2label\": {\"0\": \"A\", \"7\": \"B\"}",
         HEED_EFORMAT, "no text of label 1"},
        {"plain", "id2label", "\"id2label\": {\"0\": \"A\", \"1\": \"B\"}",
         HEED_ESHAPE, "classifier.weight has shape (3, 24)"},
        {"plain", "id2label", "\"num_labels\": 2.5", HEED_EFORMAT,
         "'num_labels' is 2.5"},
        {"plain", "hidden_act", "\"hidden_act\": \"nosuch\"", HEED_ENOTSUP,
         "'nosuch'"},
        {"plain", "num_attention_heads", "\"num_attention_heads\": 5",
         HEED_EFORMAT, "no multiple of 5 heads"},
    };
    heed_ctx *ctx = new_ctx();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char weights[64];
        heed_model *m;
        snprintf(weights, sizeof weights, "../bert/%s", rows[i].model);
        modeldir_weights(weights);
        change(rows[i].model, rows[i].key, rows[i].member);
        refused(ctx, heed_model_load(&m, ctx, modeldir), rows[i].st,
                rows[i].says);
        assert_null(m);
    }
    heed_ctx_free(ctx);
}

/* By the tensors, where no architecture is named. */
static void test_unnamed(void **state)
{
    static const struct {
        const char *model;
        heed_head head;
    } rows[] = {{"plain", HEED_HEAD_CLASS},
                {"masked", HEED_HEAD_MASKED},
                {"embed_mean", HEED_HEAD_EMBEDDING}};
    heed_ctx *ctx = new_ctx();
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char weights[64];
        heed_model *m;
        snprintf(weights, sizeof weights, "../bert/%s", rows[i].model);
        modeldir_weights(weights);
        change(rows[i].model, "architectures", "\"x\": 1");
        if (heed_model_load(&m, ctx, modeldir) != HEED_OK)
            fail_msg("%s", heed_error(ctx));
        assert_int_equal(heed_model_about(m)->head, rows[i].head);
        heed_model_free(m);
    }
    heed_ctx_free(ctx);
}

static void test_pooling(void **state)
{
    static const struct {
        const char *modules;
        heed_status st;
        const char *says;
    } rows[] = {
        {"{}", HEED_EFORMAT, "modules.json is not a list"},
        {"[1]", HEED_EFORMAT, "without type or path"},
        {"[{\"type\": \"a.Dense\", \"path\": \"2_Dense\"}]", HEED_ENOTSUP,
         "module 'Dense'"},
        {"[{\"type\": \"a.Pooling\", \"path\": \"../x\"}]", HEED_EFORMAT,
         "no folder in it"},
        {"[{\"type\": \"a.Pooling\", \"path\": \"none\"}]", HEED_EFORMAT,
         "0 kinds of pooling"},
        {"[", HEED_EFORMAT, "modules.json: line 1"},
    };
    heed_ctx *ctx = new_ctx();
    heed_model *m;
    (void)state;
    modeldir_weights("../bert/embed_mean");
    change("embed_mean", "", "\"x\": 1");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        modeldir_write("modules.json", rows[i].modules,
                       strlen(rows[i].modules));
        refused(ctx, heed_model_load(&m, ctx, modeldir), rows[i].st,
                rows[i].says);
    }
    static const char at_top[] = "[{\"type\": \"a.Pooling\", \"path\": \".\"}]";
    modeldir_write("modules.json", at_top, strlen(at_top));
    change("embed_mean", "", "\"pooling_mode_max_tokens\": true");
    refused(ctx, heed_model_load(&m, ctx, modeldir), HEED_ENOTSUP,
            "pooling 'max'");
    change("embed_mean", "", "\"pooling_mode_lasttoken\": true");
    assert_int_equal(heed_model_load(&m, ctx, modeldir), HEED_OK);
    assert_string_equal(heed_model_about(m)->pooling, "last");
    heed_model_free(m);
    remove(modeldir_file("modules.json"));
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_labels),     test(test_class),   test(test_occlusion),
        test(test_types),      test(test_masked),  test(test_embed),
        test(test_similarity), test(test_no_pair), test(test_configs),
        test(test_unnamed),    test(test_pooling)};
    return cmocka_run_group_tests_name(__FILE__, tests, modeldir_setup,
                                       modeldir_teardown) != 0;
}
