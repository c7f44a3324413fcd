/* The greatest heads and neurons: those of the whole arrays, in order, for one
 * target and for several. */
#include "testlib.h"

#include "ask.h"

enum { TOKENS = 9, TOP = 7 };

static const heed_target targets[] = {HEED_TARGET, {NULL, 3, 7, -1}};

static heed_result *explain(world *w, int64_t n_targets, int64_t top)
{
    static const char *const keep[] = {"head", "neuron", NULL};
    heed_input in = {w->t, targets, n_targets, NULL};
    heed_request q = {.model = w->m,
                      .method = "attn_lrp",
                      .input = &in,
                      .n_inputs = 1,
                      .keep = keep,
                      .top = top};
    heed_result *r[MOST_INPUTS];
    attribute(w->ctx, &q, r);
    return r[0];
}

static const heed_array *of(const heed_result *r, const char *name)
{
    return heed_result_get(r, "explanations/attn_lrp", name);
}

/* Sums of the units of a whole array, of one target. */
static int64_t sums(const heed_array *a, int64_t target, int64_t n_targets,
                    bool by_token, double *out)
{
    const int nd = a->var.nd, first = n_targets > 1;
    const int64_t width = by_token ? a->var.len[nd - 1] : 1;
    int64_t n = 1;
    for (int d = first; d < nd - by_token; d++)
        n *= a->var.len[d];
    const heed_real *x = (const heed_real *)a->data + target * n * width;
    for (int64_t i = 0; i < n; i++) {
        out[i] = 0;
        for (int64_t k = 0; k < width; k++)
            out[i] += (double)x[i * width + k];
    }
    return n;
}

static void compare(const heed_result *all, const heed_result *some,
                    const char *unit, int64_t n_targets)
{
    char name[64];
    double x[512];
    const heed_array *a[3];
    static const char *const column[] = {"layer", "number", "relevance"};
    snprintf(name, sizeof name, "relevance_%s", unit);
    const heed_array *whole = of(all, name);
    const bool head = strcmp(unit, "head") == 0;
    assert_null(of(some, name));
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "top_%s_%s", unit, column[i]);
        a[i] = of(some, name);
        assert_non_null(a[i]);
        assert_null(of(all, name));
    }
    const int64_t per_layer =
        whole->var.len[whole->var.nd - 1 - head]; /* heads or neurons */
    for (int64_t t = 0; t < n_targets; t++) {
        const int64_t n = sums(whole, t, n_targets, head, x);
        const int64_t top = n < TOP ? n : TOP;
        assert_int_equal(a[0]->var.len[a[0]->var.nd - 1], top);
        for (int64_t i = 0; i < top; i++) {
            int64_t best = 0;
            for (int64_t k = 1; k < n; k++)
                best = fabs(x[k]) > fabs(x[best]) ? k : best;
            const int64_t at = t * top + i;
            assert_int_equal(((const int32_t *)a[0]->data)[at],
                             best / per_layer);
            assert_int_equal(((const int32_t *)a[1]->data)[at],
                             best % per_layer);
            assert_true(((const heed_real *)a[2]->data)[at] ==
                        (heed_real)x[best]);
            x[best] = 0;
        }
    }
}

static void test_top(void **state)
{
    (void)state;
    world w = enter_some("llama/gqa2_tied_bf16", TOKENS);
    for (int64_t n = 1; n <= 2; n++) {
        heed_result *all = explain(&w, n, 0), *some = explain(&w, n, TOP);
        compare(all, some, "head", n);
        compare(all, some, "neuron", n);
        heed_result_free(all);
        heed_result_free(some);
    }
    leave(&w);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const layer[] = {"layer", NULL};
    world w = enter_some("llama/plain", 3);
    heed_input in = {w.t, targets, 1, NULL};
    heed_result *r;
    assert_int_equal(heed_result_new(&r, w.ctx), HEED_OK);
    heed_sink sink = heed_result_sink(r);
    for (int i = 0; i < 3; i++) {
        heed_request q = {.model = w.m,
                          .method = "attn_lrp",
                          .input = &in,
                          .n_inputs = 1,
                          .keep = i == 1 ? layer : NULL,
                          .top = i == 2 ? -1 : 4};
        assert_int_equal(heed_attribute(w.ctx, &q, &sink), HEED_EINVAL);
        assert_non_null(strstr(heed_error(w.ctx), "heads or neurons"));
    }
    heed_result_free(r);
    leave(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_top), test(test_refusals)};
    RUN(tests);
}
