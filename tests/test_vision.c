/* Models that read images, through the public interface: relevance of patches,
 * pixels and learned tokens, and what is refused. */
#include "testlib.h"

#include <stdlib.h>

#include "engine.h"
#include "expect.h"
#include "modeldir.h"

static const double far_f = 2e-5, far_d = 1e-11;

static double tol(void)
{
    return sizeof(heed_real) == 4 ? far_f : far_d;
}

static heed_model *load(heed_ctx *ctx, const char *name, expect *x)
{
    char path[256];
    heed_model *m;
    snprintf(path, sizeof path, "tests/golden/vit/%s", name);
    if (heed_model_load(&m, ctx, path) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    snprintf(path, sizeof path, "tests/golden/vit/%s/expect.safetensors", name);
    assert_true(!x || expect_open(x, path));
    return m;
}

/* The picture of a golden model, or another one if seed is not 0. */
static heed_pixels picture(const heed_model *m, const expect *x, uint32_t seed)
{
    const heed_model_info *i = heed_model_about(m);
    heed_pixels p = {.channels = i->image_channels,
                     .height = i->image_height,
                     .width = i->image_width};
    int64_t n = p.channels * p.height * p.width, got = 0;
    const double *want = x ? expect_get(x, "image", "pixels", &got) : NULL;
    p.x = malloc((size_t)n * sizeof *p.x);
    for (int64_t k = 0; k < n; k++)
        p.x[k] = seed ? rnd(&seed) : (heed_real)want[k];
    return p;
}

static const heed_real *array(const heed_result *r, const char *group,
                              const char *name, int64_t n)
{
    const heed_array *a = heed_result_get(r, group, name);
    if (!a)
        fail_msg("no %s", name);
    assert_int_equal(n_values(&a->var), n);
    return a->data;
}

static void same(const heed_real *got, const double *want, int64_t n)
{
    double worst = 0, most = 0;
    for (int64_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs((double)got[i] - want[i]));
        most = fmax(most, fabs(want[i]));
    }
    if (!(worst <= tol() * most))
        fail_msg("differs by %g of %g", worst, most);
}

static const char *const models[] = {"vit_plain",     "vit_odd",
                                     "vit_oblong",    "vit_no_bias",
                                     "vit_one_patch", "deit_teacher"};
enum { N_MODELS = sizeof models / sizeof *models };
static const char lrp[] = "explanations/attn_lrp";

/* Patches are the sums of their pixels, pixels those of their channels, and all
 * with the learned tokens and what is absorbed the target. */
static void adds_up(const heed_result *r, const heed_model_info *m,
                    int64_t learned)
{
    const int64_t ph = m->patch_height, pw = m->patch_width;
    const int64_t w = m->image_width, area = m->image_height * w;
    const int64_t cols = w / pw;
    const heed_real *token = array(r, lrp, "relevance", m->context);
    const heed_real *pixel = array(r, lrp, "pixel_relevance", area);
    const heed_real *channel =
        array(r, lrp, "channel_relevance", m->image_channels * area);
    for (int64_t t = learned; t < m->context; t++) {
        double sum = 0, size = 0;
        const int64_t k = t - learned;
        for (int64_t i = 0; i < ph * pw; i++) {
            int64_t at = (k / cols * ph + i / pw) * w + k % cols * pw + i % pw;
            double all = 0;
            for (int64_t c = 0; c < m->image_channels; c++)
                all += (double)channel[c * area + at];
            assert_close(pixel[at], all, 1e-5);
            sum += (double)pixel[at];
            size += fabs((double)pixel[at]);
        }
        assert_true(fabs((double)token[t] - sum) <= 1e-5 * (size + 1e-3));
    }
    double sum = 0, size = 0;
    for (int64_t t = 0; t < m->context; t++) {
        sum += (double)token[t];
        size += fabs((double)token[t]);
    }
    double value = heed_result_num(r, lrp, "target_value");
    double rest = value - sum - heed_result_num(r, lrp, "absorbed");
    assert_true(fabs(rest) <= 1e-5 * fmax(size, fabs(value)));
    assert_true(fabs(heed_result_num(r, lrp, "conservation_residual")) <=
                1e-5 * fmax(size, fabs(value)));
}

static void test_relevance(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    for (int i = 0; i < N_MODELS; i++) {
        expect x;
        int64_t n;
        heed_model *m = load(ctx, models[i], &x);
        const heed_model_info *info = heed_model_about(m);
        heed_pixels p = picture(m, &x, 0);
        const char *const keep[] = {"channel", NULL};
        heed_input in = {.pixels = &p};
        heed_request q = {
            .model = m, .input = &in, .n_inputs = 1, .keep = keep, .ledger = 1};
        heed_result *r[MOST_INPUTS];
        attribute(ctx, &q, r);
        const double *want = expect_get(&x, "image", "lrp_token", &n);
        same(array(r[0], lrp, "relevance", n), want, n);
        adds_up(r[0], info, models[i][0] == 'd' ? 2 : 1);
        const int64_t *target = expect_get(&x, "image", "target", &n);
        assert_string_equal(heed_result_str(r[0], lrp, "target_kind"), "class");
        assert_string_equal(heed_result_str(r[0], lrp, "target_text"),
                            info->label[target[1]]);
        heed_candidate best[2];
        assert_int_equal(heed_predict_image(ctx, m, &p, 2, best), HEED_OK);
        assert_int_equal(best[0].id, target[1]);
        assert_close(best[0].logit, heed_result_num(r[0], lrp, "target_value"),
                     0);
        free_results(r, 1);
        free(p.x);
        expect_close(&x);
        heed_model_free(m);
    }
    heed_ctx_free(ctx);
}

/* Reading a picture that takes more than the run is the peak of its plan. */
static void reads_a_picture(heed_ctx *ctx, heed_request q, const heed_pixels *a,
                            const heed_plan *run)
{
    heed_pixels p = *a;
    heed_plan plan;
    p.source.memory = 2 * run->peak_max;
    q.input = &(heed_input){.pixels = &p};
    q.n_inputs = 1;
    q.program = run->program;
    assert_int_equal(heed_plan_of(ctx, &q, &plan), HEED_OK);
    assert_int_equal(plan.peak, run->program + p.source.memory);
    assert_int_equal(plan.peak_min, plan.peak);
    assert_int_equal(plan.peak_max, plan.peak);
    heed_ctx_max_memory(ctx, plan.peak - 1);
    assert_int_equal(heed_plan_of(ctx, &q, &plan), HEED_ENOMEM);
    heed_ctx_max_memory(ctx, 0);
    p.source.memory = run->weights;
    assert_int_equal(heed_plan_of(ctx, &q, &plan), HEED_OK);
    assert_int_equal(plan.peak, run->peak);
}

/* Every method: a batch of two, one thread and computing everything again give
 * the same bits as one image with two threads. */
static void test_same_bits(void **state)
{
    (void)state;
    static const char *const methods[] = {"attn_lrp",    "pa_lrp",
                                          "cp_lrp",      "input_x_gradient",
                                          "saliency",    "integrated_gradients",
                                          "smooth_grad", "attention"};
    static const char *const names[] = {"vit_long", "deit_teacher"};
    heed_ctx *ctx = new_ctx();
    for (int i = 0; i < 2; i++) {
        heed_model *m = load(ctx, names[i], NULL);
        heed_pixels a = picture(m, NULL, 5), b = picture(m, NULL, 6);
        heed_input in[2] = {{.pixels = &a}, {.pixels = &b}};
        for (size_t k = 0; k < sizeof methods / sizeof *methods; k++) {
            heed_result *two[MOST_INPUTS], *one[MOST_INPUTS];
            heed_request q = {
                .model = m, .method = methods[k], .input = in, .n_inputs = 2};
            assert_int_equal(heed_ctx_threads(ctx, 1), HEED_OK);
            attribute(ctx, &q, two);
            q.input = &in[1];
            q.n_inputs = 1;
            assert_int_equal(heed_ctx_threads(ctx, 2), HEED_OK);
            attribute(ctx, &q, one);
            same_results(one[0], two[1]);
            heed_plan plan;
            assert_int_equal(heed_plan_of(ctx, &q, &plan), HEED_OK);
            reads_a_picture(ctx, q, &a, &plan);
            heed_ctx_max_memory(ctx, plan.peak_min + plan.peak_min / 8);
            free_results(one, 1);
            attribute(ctx, &q, one);
            heed_ctx_max_memory(ctx, 0);
            same_results(one[0], two[1]);
            free_results(one, 1);
            free_results(two, 2);
        }
        free(a.x);
        free(b.x);
        heed_model_free(m);
    }
    heed_ctx_free(ctx);
}

/* Learned tokens are no pixels: methods that change pixels give them 0. */
static void test_points(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m = load(ctx, "deit_plain", NULL);
    heed_pixels p = picture(m, NULL, 9);
    heed_input in = {.pixels = &p};
    heed_result *r[MOST_INPUTS];
    heed_setting steps[] = {{"steps", "200"}, {0}};
    heed_request q = {.model = m,
                      .method = "integrated_gradients",
                      .settings = steps,
                      .input = &in,
                      .n_inputs = 1,
                      .tol = 1e-3};
    attribute(ctx, &q, r);
    const heed_real *x =
        array(r[0], "explanations/integrated_gradients", "relevance", 11);
    assert_true(x[0] == 0 && x[1] == 0 && x[2] != 0);
    free_results(r, 1);
    free(p.x);
    heed_model_free(m);
    heed_ctx_free(ctx);
}

static void wrong(heed_ctx *ctx, const heed_request *q, heed_status st,
                  const char *why)
{
    heed_result *r;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    heed_sink s = heed_result_sink(r);
    assert_int_equal(heed_attribute(ctx, q, &s), st);
    if (!strstr(heed_error(ctx), why))
        fail_msg("'%s' does not say '%s'", heed_error(ctx), why);
    heed_result_free(r);
}

static void test_refused(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m = load(ctx, "vit_plain", NULL), *text = golden(ctx, "plain");
    heed_tokens *t = some_tokens(ctx, text, 5, 1);
    heed_pixels p = picture(m, NULL, 9), other = p;
    heed_input in[2] = {{.tokens = t}, {.pixels = &p}};
    heed_request q = {.model = m, .input = in, .n_inputs = 1};
    heed_setting pad[] = {{"baseline", "token:1"}, {0}};
    heed_candidate best;
    wrong(ctx, &q, HEED_EINVAL, "'vit' models read an image");
    q.n_inputs = 2;
    wrong(ctx, &q, HEED_EINVAL, "another is not");
    q.n_inputs = 1;
    in[0] = (heed_input){.tokens = t, .pixels = &p};
    wrong(ctx, &q, HEED_EINVAL, "5 tokens for an image of 10");
    in[0] = (heed_input){.pixels = &other};
    other.width = 16;
    wrong(ctx, &q, HEED_ENOTSUP, "interpolation of positions");
    assert_int_equal(heed_predict_image(ctx, m, &other, 1, &best),
                     HEED_ENOTSUP);
    other = p;
    other.channels = 1;
    wrong(ctx, &q, HEED_EINVAL, "the image has 1 channels, the model reads 3");
    other = p;
    assert_int_equal(heed_predict_image(ctx, m, &p, 6, &best), HEED_EINVAL);
    assert_non_null(strstr(heed_error(ctx), "6 labels are asked for"));
    heed_target target = {"class", 0, 5, -1};
    in[0] = (heed_input){.pixels = &p, .target = &target, .n_targets = 1};
    wrong(ctx, &q, HEED_EINVAL, "5 is out of range");
    in[0] = (heed_input){.pixels = &p};
    static const struct {
        heed_setting set[3];
        heed_status st;
        const char *why;
    } presets[] = {
        {{{"preset", "bertpe"}},
         HEED_ENOTSUP,
         "preset bertpe is not for 'vit'"},
        {{{"preset", "pa_vit"}, {"aggregate", "paper"}},
         HEED_EINVAL,
         "not by aggregate paper"},
        {{{"preset", "deit"}}, HEED_EINVAL, "must be one of none|pa_vit"},
    };
    q.method = "pa_lrp";
    for (int i = 0; i < 3; i++) {
        q.settings = presets[i].set;
        wrong(ctx, &q, presets[i].st, presets[i].why);
    }
    q.method = "ig";
    q.settings = pad;
    wrong(ctx, &q, HEED_EINVAL, "of an image it can only be zero or mean");
    q = (heed_request){.model = text, .input = in, .n_inputs = 1};
    wrong(ctx, &q, HEED_EINVAL, "'llama' models read text");
    target = (heed_target){"class", 0, 1, -1};
    in[0] = (heed_input){.tokens = t, .target = &target, .n_targets = 1};
    wrong(ctx, &q, HEED_EINVAL, "'class': this model has another head");
    free(p.x);
    heed_tokens_free(ctx, t);
    heed_model_free(text);
    heed_model_free(m);
    heed_ctx_free(ctx);
}

/* config.json of vit_plain with one thing changed. */
static void test_configs(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        heed_status st;
        const char *why;
    } bad[] = {
        {"\"patch_size\": 4", "\"patch_size\": 13", HEED_EFORMAT,
         "larger than the image"},
        {"\"patch_size\": 4", "\"patch_size\": 3", HEED_ESHAPE, "position"},
        {"\"patch_size\": 4", "\"patch_size\": [4]", HEED_EFORMAT,
         "'patch_size'"},
        {"\"image_size\": 12", "\"image_size\": \"x\"", HEED_EFORMAT,
         "'image_size'"},
        {"\"image_size\": 12", "\"image_size\": 12, \"qkv_bias\": false",
         HEED_EFORMAT, "'qkv_bias' is false, but tensor"},
        {"\"image_size\": 12", "\"image_size\": 12, \"hidden_act\": \"snake\"",
         HEED_ENOTSUP, "'snake'"},
        {"\"image_size\": 12", "\"image_size\": 12, \"num_channels\": 0",
         HEED_EFORMAT, "num_channels"},
        {"\"4\": \"class 4\"", "\"7\": \"class 4\"", HEED_EFORMAT,
         "no text of label 4"},
        {"\"4\": \"class 4\"", "\"4\": 4", HEED_EFORMAT, "no text of label 4"},
        {"\"num_attention_heads\": 4", "\"num_attention_heads\": 3",
         HEED_EFORMAT, "no multiple"},
        {"\"model_type\": \"vit\"", "\"model_type\": \"timm_wrapper\"",
         HEED_ENOTSUP, "'timm_wrapper'"},
        {"\"model_type\": \"vit\"", "\"model_type\": \"deit\"", HEED_EFORMAT,
         "is missing"},
    };
    heed_ctx *ctx = new_ctx();
    modeldir_weights("../vit/vit_plain");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        heed_model *m;
        modeldir_config("vit/vit_plain", bad[i].from, bad[i].to);
        assert_int_equal(heed_model_load(&m, ctx, modeldir), bad[i].st);
        if (!strstr(heed_error(ctx), bad[i].why))
            fail_msg("'%s' does not say '%s'", heed_error(ctx), bad[i].why);
    }
    heed_ctx_free(ctx);
}

static void test_no_memory(void **state)
{
    (void)state;
    for (long k = 2, done = 0; !done; k++) {
        ration r = {.fail_at = k};
        heed_allocator alloc = {ration_resize, &r};
        heed_ctx *ctx;
        heed_model *m = NULL;
        heed_result *res = NULL;
        assert_int_equal(heed_ctx_new(&ctx, &alloc), HEED_OK);
        heed_status st =
            heed_model_load(&m, ctx, "tests/golden/vit/deit_teacher");
        if (st == HEED_OK)
            st = heed_result_new(&res, ctx);
        if (st == HEED_OK) {
            heed_pixels p = picture(m, NULL, 3);
            heed_input in = {.pixels = &p};
            heed_request q = {.model = m, .input = &in, .n_inputs = 1};
            heed_sink s = heed_result_sink(res);
            heed_candidate best;
            st = heed_attribute(ctx, &q, &s);
            if (st == HEED_OK)
                st = heed_predict_image(ctx, m, &p, 1, &best);
            free(p.x);
        }
        done = st == HEED_OK;
        if (!done)
            assert_int_equal(st, HEED_ENOMEM);
        heed_result_free(res);
        heed_model_free(m);
        heed_ctx_free(ctx);
        assert_int_equal(r.out, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_relevance), test(test_same_bits), test(test_points),
        test(test_refused),   test(test_configs),   test(test_no_memory),
    };
    return cmocka_run_group_tests_name(__FILE__, tests, modeldir_setup,
                                       modeldir_teardown) != 0;
}
