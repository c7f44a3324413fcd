/* Integrated gradients and occlusion against captum and plain loops
 * (tests/golden/methods.py), occlusion in batches, several targets, centred
 * logits, and what methods refuse. */
#include "testlib.h"

#include "ask.h"
#include "exec.h"
#include "expect.h"
#include "head.h"

/* Those of text that is read from the left come first. */
static const char *const families[] = {"llama", "mamba", "gpt2", "bert"};
enum { N_CAUSAL = 3, N_FAMILIES };

/* ---- golden values ---- */

typedef struct score {
    double worst;
    const char *what;
} score;

/* The largest difference, relative to the largest value. */
static void compare(score *s, const heed_real *got, const double *want,
                    int64_t n, const char *what)
{
    double d = 0, most = 0;
    for (int64_t i = 0; i < n; i++) {
        double e = fabs((double)got[i] - want[i]);
        d = e <= d ? d : e; /* NaN stays */
        most = fmax(most, fabs(want[i]));
    }
    d /= most;
    if (!(d <= s->worst)) {
        s->worst = d;
        s->what = what;
    }
}

static const double limit = sizeof(heed_real) == 4 ? 1e-5 : 1e-10;

typedef struct golden_call {
    const char *key, *gap, *base, *method;
    const char *option[6];
} golden_call;

#define IG(b, opt, rule, word, n)                                       \
    {                                                                   \
        "ig_" b "_" rule n, "ig_" b "_" rule n "_gap", "base_" b, "ig", \
        {                                                               \
            "baseline", opt, "quadrature", word, "steps", n             \
        }                                                               \
    }
#define RULES(b, opt)                                                       \
    IG(b, opt, "gauss", "gauss", "16"), IG(b, opt, "gauss", "gauss", "50"), \
        IG(b, opt, "middle", "riemann_middle", "16"),                       \
        IG(b, opt, "middle", "Riemann-Middle", "50"),                       \
        IG(b, opt, "trapezoid", "trapezoid", "16"),                         \
        IG(b, opt, "trapezoid", "trapezoid", "50")

static const golden_call calls[] = {
    RULES("zero", "zero"),
    RULES("token5", "token:5"),
    {"occlusion_zero", NULL, NULL, "occlusion", {0}},
    {"occlusion_token5",
     NULL,
     NULL,
     "loo",
     {"replacement", "token:5", "batch", "7"}},
};

static void one_golden(world *w, const expect *x, const char *prefix,
                       const golden_call *g, score *s)
{
    int64_t n, one;
    const double *want = expect_get(x, prefix, g->key, &n);
    const int64_t *target = expect_get(x, prefix, "target", &one);
    const double *value = expect_get(x, prefix, "value", &one);
    call c = {.method = g->method, .target = {NULL, target[0], -1, -1}};
    memcpy(c.option, g->option, sizeof c.option);
    ok(w, c);
    assert_non_null(want);
    compare(s, relevance(w), want, n, g->key);
    const heed_attr *id = heed_result_attr(w->r, w->group, "target_id");
    assert_int_equal(*(const int32_t *)id->data, target[1]);
    const heed_real got = (heed_real)number(w, "target_value");
    compare(s, &got, value, 1, "value");
    if (!g->gap)
        return;
    const double *gap = expect_get(x, prefix, g->gap, &one);
    const double *base = expect_get(x, prefix, g->base, &one);
    const double change = value[0] - base[0];
    const double off[] = {number(w, "conservation_residual") - gap[0],
                          number(w, "absorbed") - base[0]};
    double most = fabs(change);
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(want[i]));
    for (int i = 0; i < 2; i++)
        if (!(fabs(off[i]) / most <= s->worst)) {
            s->worst = fabs(off[i]) / most;
            s->what = i ? g->base : g->gap;
        }
    /* a gap is told from 1 % on */
    if (fabs(fabs(gap[0]) / fabs(change) - 0.01) > 1e-4)
        assert_int_equal(*w->warning != 0, fabs(gap[0]) > 0.01 * fabs(change));
}

static void test_golden(void **state)
{
    (void)state;
    expect x;
    assert_true(expect_open(&x, "tests/golden/methods/expect.safetensors"));
    static const char *const length[] = {"T2", "T37"};
    int bad = 0;
    for (int f = 0; f < N_FAMILIES; f++)
        for (int k = 0; k < 2; k++) {
            char prefix[32];
            int32_t id[64];
            int64_t n;
            snprintf(prefix, sizeof prefix, "%s/%s", families[f], length[k]);
            const int64_t *ids = expect_get(&x, prefix, "ids", &n);
            for (int64_t i = 0; i < n; i++)
                id[i] = (int32_t)ids[i];
            world w = enter(families[f], id, n);
            heed_ctx_listen(w.ctx, NULL, on_warning, &w);
            score s = {0, ""};
            for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
                one_golden(&w, &x, prefix, &calls[i], &s);
            printf("%-10s %8.1e of %.0e in %s\n", prefix, s.worst, limit,
                   s.what);
            bad += !(s.worst <= limit);
            leave(&w);
        }
    expect_close(&x);
    assert_int_equal(bad, 0);
}

/* The whole (T, C) behind the sums, by another reduction of it. */
static void test_elements(void **state)
{
    (void)state;
    expect x;
    int32_t id[64];
    int64_t n, all;
    assert_true(expect_open(&x, "tests/golden/methods/expect.safetensors"));
    const int64_t *ids = expect_get(&x, "gpt2/T37", "ids", &n);
    const double *e =
        expect_get(&x, "gpt2/T37", "ig_zero_gauss16_elements", &all);
    double want[64] = {0};
    for (int64_t i = 0; i < n; i++)
        id[i] = (int32_t)ids[i];
    for (int64_t i = 0; i < all; i++)
        want[i / (all / n)] += e[i] * e[i];
    for (int64_t i = 0; i < n; i++)
        want[i] = sqrt(want[i]);
    world w = enter("gpt2", id, n);
    score s = {0, ""};
    ok(&w, (call){.method = "ig",
                  .option = {"steps", "16", "baseline", "zero"},
                  .reduce = "l2"});
    compare(&s, relevance(&w), want, n, "l2");
    assert_true(s.worst < limit);
    leave(&w);
    expect_close(&x);
}

/* ---- occlusion ---- */

/* Whatever runs together, and under any limit that allows one copy. */
static void test_batches(void **state)
{
    (void)state;
    static const char *const size[] = {"1", "3", "7", "8"};
    for (int f = 0; f < N_CAUSAL; f++) {
        world w = enter_some(families[f], 40);
        const heed_target at = {NULL, 30, -1, -1};
        ok(&w, (call){.method = "occlusion", .target = at});
        for (int64_t t = 31; t < 40; t++)
            assert_true(relevance(&w)[t] == 0);
        for (int i = 0; i < 4; i++) {
            heed_real *x = copy(&w);
            call c = {.method = "occlusion",
                      .option = {"batch", size[i]},
                      .target = at};
            ok(&w, c);
            assert_true(same(&w, x));
        }
        leave(&w);
    }
}

/* The logit of token 3 at the end, with one embedding replaced by the mean of
 * all, by a run of our own: from the start, without batch and state. */
static double by_hand(const world *w, int64_t at)
{
    const int64_t len = w->t->n, v = heed_model_about(w->m)->vocab;
    const int32_t three = 3;
    int32_t id[64], every[256];
    heed_real z;
    heedi_exec e;
    heedi_exec_options o = {.head_full = true};
    for (int64_t i = 0; i < len; i++)
        id[i] = w->t->token[i].id;
    for (int32_t i = 0; i < v; i++)
        every[i] = i;
    assert_int_equal(heedi_exec_init(&e, w->ctx, w->m, &len, 1, id, &o),
                     HEED_OK);
    const int64_t c = e.leaf->cols;
    heed_real *x = calloc((size_t)(v * c), sizeof *x);
    heed_real *leaf = calloc((size_t)(len * c), sizeof *leaf);
    heedi_exec_leaf(&e, every, v, x);
    heedi_exec_leaf(&e, id, len, leaf);
    for (int64_t i = 0; i < c; i++) {
        double sum = 0;
        for (int64_t k = 0; k < v; k++)
            sum += (double)x[k * c + i];
        leaf[at * c + i] = (heed_real)(sum / (double)v);
    }
    e.run.leaf = leaf;
    assert_int_equal(heedi_exec_forward(&e, NULL, NULL), HEED_OK);
    assert_int_equal(heedi_head_tokens(&e, len - 1, &three, 1, &z), HEED_OK);
    heedi_exec_clear(&e);
    free(x);
    free(leaf);
    return (double)z;
}

static void test_from_start(void **state)
{
    (void)state;
    static const char *const model[] = {
        "gpt2", "mamba", "llama", "llama/rope_dynamic", "llama/rope_longrope"};
    static const int64_t at[] = {0, 15, 16, 30, 39};
    for (int i = 0; i < 5; i++) {
        world w = enter_some(model[i], 40);
        ok(&w, (call){.method = "occlusion",
                      .option = {"replacement", "mean"},
                      .target = {NULL, -1, 3, -1}});
        for (int k = 0; k < 5; k++)
            assert_close(relevance(&w)[at[k]],
                         number(&w, "target_value") - by_hand(&w, at[k]),
                         limit);
        leave(&w);
    }
}

/* ---- several targets ---- */

static void test_targets(void **state)
{
    (void)state;
    static const heed_target many[] = {{NULL, -1, -1, -1},
                                       {"probability", 3, -1, -1},
                                       {"contrast", 5, -1, -1}};
    static const heed_setting few[2][2] = {{{"steps", "3"}, {0}},
                                           {{"batch", "4"}, {0}}};
    for (int k = 0; k < 2; k++) {
        world w = enter_some("llama", 8), v = enter_some("llama", 8);
        heed_input in = {w.t, many, 3, NULL};
        heed_request q = {.model = w.m,
                          .method = k ? "occlusion" : "ig",
                          .settings = few[k],
                          .input = &in,
                          .n_inputs = 1};
        heed_result *r[MOST_INPUTS];
        attribute(w.ctx, &q, r);
        for (int i = 0; i < 3; i++) {
            ok(&v, (call){.method = q.method,
                          .option = {few[k][0].name, few[k][0].value},
                          .target = many[i]});
            const heed_array *a = heed_result_get(r[0], v.group, "relevance");
            assert_int_equal(a->var.len[0], 3);
            assert_memory_equal((const heed_real *)a->data + 8 * i,
                                relevance(&v), 8 * sizeof(heed_real));
        }
        free_results(r, 1);
        leave(&w);
        leave(&v);
    }
}

/* ---- centred logits ---- */

static void test_center(void **state)
{
    (void)state;
    world w = enter_some("llama", 6);
    heed_candidate all[61];
    int32_t id[6];
    int64_t at = 5;
    double sum = 0;
    for (int i = 0; i < 6; i++)
        id[i] = w.t->token[i].id;
    assert_int_equal(heed_predict(w.ctx, w.m, id, 6, &at, 1, 61, all), HEED_OK);
    for (int i = 0; i < 61; i++)
        sum += all[i].logit;
    const heed_candidate low = all[60];
    heed_ctx_listen(w.ctx, NULL, on_warning, &w);
    call c = {.method = "attn_lrp", .target = {NULL, -1, low.id, -1}};
    ok(&w, c);
    assert_true(low.logit < 0);
    assert_non_null(strstr(w.warning, "--center-logits"));
    assert_null(heed_result_attr(w.r, w.group, "centered"));
    c.center = 1;
    static const char *const method[] = {"attn_lrp", "ig", "occlusion", "gxi"};
    for (int i = 0; i < 4; i++) {
        c.method = method[i];
        ok(&w, c);
        assert_close(number(&w, "target_value"),
                     low.logit - (sum - low.logit) / 60, 1e-5);
        assert_non_null(heed_result_attr(w.r, w.group, "centered"));
        const heed_attr *kind = heed_result_attr(w.r, w.group, "target_kind");
        assert_string_equal(*(const char *const *)kind->data, "logit");
        if (i == 0)
            assert_string_equal(w.warning, "");
    }
    c.target.kind = "probability";
    ask(&w, c);
    assert_int_equal(w.st, HEED_EINVAL);
    assert_non_null(strstr(heed_error(w.ctx), "not 'probability'"));
    leave(&w);
}

/* ---- what is refused ---- */

static const struct {
    const char *method, *name, *value, *text;
} wrong[] = {
    {"ig", "steps", "0", "steps is 0, must be from 1 to 4096"},
    {"ig", "steps", "4097", "steps is 4097, must be from 1 to 4096"},
    {"ig", "steps", "2.5", "steps is 2.5, must be a whole number"},
    {"ig", "steps", "many", "steps is 'many', not a number"},
    {"ig", "quadrature", "simpson",
     "must be one of gauss|riemann_middle|trapezoid"},
    {"ig", "baseline", "one", "must be zero, pad, mean or token:ID"},
    {"ig", "baseline", "", "must be zero, pad, mean or token:ID"},
    {"ig", "baseline", "token:", "the id must be from 0 to 60"},
    {"ig", "baseline", "token:61", "the id must be from 0 to 60"},
    {"ig", "baseline", "token:-1", "the id must be from 0 to 60"},
    {"ig", "baseline", "token:5x", "the id must be from 0 to 60"},
    {"ig", "baseline", "token:99999999999999999999", "from 0 to 60"},
    {"ig", "baseline", "pad", "there is no padding token; zero, mean and"},
    {"ig", "samples", "3",
     "no option 'samples'; it has steps, quadrature, baseline"},
    {"smooth_grad", "samples", "0", "samples is 0, must be from 1"},
    {"smooth_grad", "samples", "65537", "must be from 1 to 65536"},
    {"smooth_grad", "sigma", "-0.1", "sigma is -0.1, must be from 0"},
    {"smooth_grad", "sigma", "nan", "sigma is nan, must be from 0"},
    {"smooth_grad", "sigma", "1e7", "sigma is 1e7, must be from 0 to 1e+06"},
    {"smooth_grad", "times_input", "yes", "must be one of off|on"},
    {"smooth_grad", "steps", "3", "it has samples, sigma, times_input"},
    {"occlusion", "batch", "0", "batch is 0, must be from 1 to 8"},
    {"occlusion", "batch", "9", "batch is 9, must be from 1 to 8"},
    {"occlusion", "replacement", "blur", "must be zero, pad, mean or token:ID"},
    {"occlusion", "baseline", "zero", "it has replacement, batch"},
};

static void test_refusals(void **state)
{
    (void)state;
    world w = enter_some("llama", 3);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ask(&w, (call){.method = wrong[i].method,
                       .option = {wrong[i].name, wrong[i].value}});
        if (w.st != HEED_EINVAL || !strstr(heed_error(w.ctx), wrong[i].text))
            fail_msg("got %d '%s', want '%s'", w.st, heed_error(w.ctx),
                     wrong[i].text);
        assert_null(heed_result_at(w.r, 0));
    }
    ask(&w, (call){.method = "ig",
                   .option = {"quadrature", "trapezoid", "steps", "1"}});
    assert_int_equal(w.st, HEED_EINVAL);
    assert_non_null(strstr(heed_error(w.ctx), "at least 2"));
    ask(&w, (call){.method = "occlusion", .reduce = "l2"});
    assert_int_equal(w.st, HEED_EINVAL);
    assert_non_null(strstr(heed_error(w.ctx), "nothing to reduce by 'l2'"));
    ask(&w, (call){.method = "occlusion", .target = {NULL, 3, -1, -1}});
    assert_int_equal(w.st, HEED_EINVAL);
    /* at their bounds */
    ok(&w, (call){.method = "ig", .option = {"steps", "1"}});
    ok(&w, (call){.method = "ig", .option = {"steps", "4096"}});
    ok(&w, (call){.method = "ig",
                  .option = {"quadrature", "trapezoid", "steps", "2"}});
    ok(&w, (call){.method = "smooth_grad", .option = {"samples", "1"}});
    ok(&w,
       (call){.method = "occlusion", .option = {"replacement", "token:60"}});
    leave(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_golden),     test(test_elements), test(test_batches),
        test(test_from_start), test(test_targets),  test(test_center),
        test(test_refusals)};
    RUN(tests);
}
