/* Methods that try other embeddings: integrated gradients and occlusion against
 * captum and plain loops (tests/golden/methods.py), and smooth_grad against
 * what its definition says. */
#include "testlib.h"

#include <stdbool.h>

#include "engine.h"
#include "exec.h"
#include "expect.h"
#include "noise.h"
#include "quadrature.h"

static const char *const families[] = {"llama", "mamba", "gpt2"};
enum { N_FAMILIES = 3 };

static heed_model *plain(heed_ctx *ctx, const char *family)
{
    char path[128];
    heed_model *m;
    snprintf(path, sizeof path, "tests/golden/%s/plain", family);
    if (heed_model_load(&m, ctx, path) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    return m;
}

/* ---- one request ---- */

typedef struct call {
    const char *method, *option[6]; /* names and values */
    const char *reduce;
    heed_target target;
    double tol;
    uint64_t seed;
    int center, ledger;
} call;

typedef struct world {
    heed_ctx *ctx;
    heed_model *m;
    heed_tokens *t;
    heed_result *r;
    heed_status st;
    const char *group;
    char name[64];
    char warning[512];
} world;

static void on_warning(void *ud, const char *text)
{
    world *w = ud;
    snprintf(w->warning, sizeof w->warning, "%s", text);
}

static heed_request request(const call *c, const world *w, const heed_input *in,
                            heed_setting set[4])
{
    int n = 0;
    for (; n < 3 && c->option[2 * n]; n++)
        set[n] = (heed_setting){c->option[2 * n], c->option[2 * n + 1]};
    set[n] = (heed_setting){0};
    return (heed_request){.model = w->m,
                          .method = c->method,
                          .settings = set,
                          .input = in,
                          .n_inputs = 1,
                          .reduce = c->reduce,
                          .tol = c->tol,
                          .seed = c->seed,
                          .ledger = c->ledger,
                          .center_logits = c->center};
}

/* Into w->r, in place of what was there. */
static void ask(world *w, call c)
{
    heed_setting set[4];
    heed_target target = c.target;
    if (!target.kind && target.at == 0 && target.token == 0)
        target = (heed_target)HEED_TARGET;
    heed_input in = {w->t, &target, 1};
    heed_request q = request(&c, w, &in, set);
    heed_result_free(w->r);
    assert_int_equal(heed_result_new(&w->r, w->ctx), HEED_OK);
    heed_sink sink = heed_result_sink(w->r);
    w->warning[0] = '\0';
    w->st = heed_attribute(w->ctx, &q, &sink);
    const heed_method_info *info = heed_method_named(c.method);
    snprintf(w->name, sizeof w->name, "explanations/%s",
             info ? info->name : "");
    w->group = w->name;
}

static void ok(world *w, call c)
{
    ask(w, c);
    if (w->st != HEED_OK)
        fail_msg("%s", heed_error(w->ctx));
}

static const heed_real *relevance(const world *w)
{
    const heed_array *a = heed_result_get(w->r, w->group, "relevance");
    assert_non_null(a);
    return a->data;
}

static double number(const world *w, const char *key)
{
    const heed_attr *a = heed_result_attr(w->r, w->group, key);
    assert_non_null(a);
    assert_int_equal(a->type, HEED_F64);
    return *(const double *)a->data;
}

static world enter(const char *family, const int32_t *id, int64_t n)
{
    world w = {.ctx = new_ctx()};
    w.m = plain(w.ctx, family);
    assert_int_equal(heed_tokens_of(&w.t, w.ctx, NULL, id, n), HEED_OK);
    return w;
}

static world enter_some(const char *family, int64_t n)
{
    int32_t id[MOST_TOKENS];
    some_ids(id, n, 4, 61);
    return enter(family, id, n);
}

static void leave(world *w)
{
    heed_result_free(w->r);
    heed_tokens_free(w->ctx, w->t);
    heed_model_free(w->m);
    heed_ctx_free(w->ctx);
}

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
            "baseline", opt, "rule", word, "steps", n                   \
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
    call c = {.method = g->method, .target = {NULL, -1, -1, -1}};
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

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_golden)};
    RUN(tests);
}
