/* flowtest.h - what is asked of every method that is a product over layers.
 * Needs testlib.h and ask.h before it. */
#ifndef FLOWTEST_H
#define FLOWTEST_H

#include "expect.h"

typedef struct variant {
    const char *method, *option[2];
} variant;

/* The largest difference, relative to the largest value. */
static inline double flow_apart(const heed_real *got, const double *want,
                                int64_t n)
{
    double worst = 0, most = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)got[i] - want[i]);
        worst = d <= worst ? worst : d; /* NaN stays */
        most = fmax(most, fabs(want[i]));
    }
    return most > 0 ? worst / most : worst;
}

/* The target of an expect file: (position, id), or with a foil. */
static inline heed_target flow_target(const expect *x, const char *prefix,
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

/* Three inputs of `longest` tokens and a little less, by three threads; the
 * second alone, by one, with half of the memory. */
static inline void flow_alike(heed_ctx *ctx, const heed_model *m,
                              int64_t longest, const variant *v, int n)
{
    heed_tokens *t[3];
    heed_input in[3];
    for (int i = 0; i < 3; i++) {
        t[i] = some_tokens(ctx, m, longest - 7 * i, (uint32_t)i);
        in[i] = (heed_input){.tokens = t[i]};
    }
    for (int k = 0; k < n; k++) {
        const heed_setting set[] = {{v[k].option[0], v[k].option[1]}, {0}};
        heed_request q = {.model = m,
                          .method = v[k].method,
                          .settings = set,
                          .input = in,
                          .n_inputs = 3};
        heed_result *all[MOST_INPUTS], *one[MOST_INPUTS];
        heed_plan p;
        assert_int_equal(heed_ctx_threads(ctx, 3), HEED_OK);
        attribute(ctx, &q, all);
        q.input = &in[1];
        q.n_inputs = 1;
        assert_int_equal(heed_ctx_threads(ctx, 1), HEED_OK);
        assert_int_equal(heed_plan_of(ctx, &q, &p), HEED_OK);
        heed_ctx_max_memory(ctx, p.peak_min + (p.peak_max - p.peak_min) / 2);
        assert_int_equal(heed_plan_of(ctx, &q, &p), HEED_OK);
        assert_true(p.n_kept < p.n_blocks);
        attribute(ctx, &q, one);
        heed_ctx_max_memory(ctx, 0);
        same_results(all[1], one[0]);
        free_results(all, 3);
        free_results(one, 1);
    }
    for (int i = 0; i < 3; i++)
        heed_tokens_free(ctx, t[i]);
}

/* Several targets, each as if it were the only one. */
static inline void flow_targets(const char *model, const variant *v, int n)
{
    enum { TOKENS = 20 };
    static const heed_target many[] = {
        {NULL, -1, -1, -1}, {NULL, 3, 7, -1}, {NULL, 0, -1, -1}};
    world w = enter_some(model, TOKENS);
    for (int k = 0; k < n; k++) {
        const heed_setting set[] = {{v[k].option[0], v[k].option[1]}, {0}};
        heed_input in = {w.t, many, 3, NULL};
        heed_request q = {.model = w.m,
                          .method = v[k].method,
                          .settings = set,
                          .input = &in,
                          .n_inputs = 1};
        heed_result *r[MOST_INPUTS];
        attribute(w.ctx, &q, r);
        for (int i = 0; i < 3; i++) {
            ok(&w, (call){.method = v[k].method,
                          .option = {v[k].option[0], v[k].option[1]},
                          .target = many[i]});
            const heed_array *a = heed_result_get(r[0], w.group, "relevance");
            assert_int_equal(a->var.len[0], 3);
            assert_memory_equal((const heed_real *)a->data + TOKENS * i,
                                relevance(&w), TOKENS * sizeof(heed_real));
        }
        free_results(r, 1);
    }
    leave(&w);
}

#endif
