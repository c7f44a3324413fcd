/* The files of attention maps against their definitions: every kind and
 * reduction made again, in double, from single rows of single channels; what
 * is left over; contributions to a target; what does not depend on threads,
 * batches and memory; what is refused. */
#include "testlib.h"

#include <stdlib.h>

#include "ask.h"
#include "truth.h"

/* ---- files ---- */

typedef struct ask_maps {
    const char *method, *kind, *skip, *reduce, *variant;
    bool channels, heads, step;
    const int64_t *rows;
    int64_t n_rows;
} ask_maps;

static heed_status maps(world *w, const ask_maps *a, heed_result **out)
{
    const heed_setting set[] = {{"kind", a->kind ? a->kind : "auto"},
                                {"skip", a->skip ? a->skip : "separate"},
                                {"variant", a->variant ? a->variant : "exact"},
                                {0}};
    const heed_target target = {"logit", -1, 3, -1};
    const heed_input in = {w->t, &target, 1, NULL};
    const heed_request q = {.model = w->m,
                            .method = a->method ? a->method : "attention",
                            .settings = set,
                            .input = &in,
                            .n_inputs = 1,
                            .reduce = a->reduce,
                            .channels = a->channels ? few : NULL,
                            .n_channels = a->channels ? FEW : 0,
                            .heads = a->heads ? few : NULL,
                            .n_heads = a->heads ? FEW : 0,
                            .rows = a->rows,
                            .n_rows = a->n_rows,
                            .row_step = a->step ? 5 : 0};
    assert_int_equal(heed_result_new(out, w->ctx), HEED_OK);
    heed_sink sink = heed_result_sink(*out);
    return heed_attribute(w->ctx, &q, &sink);
}

static heed_result *made(world *w, const ask_maps *a)
{
    heed_result *r;
    if (maps(w, a, &r) != HEED_OK)
        fail_msg("%s", heed_error(w->ctx));
    return r;
}

static double at(const heed_array *a, int64_t i)
{
    return (double)((const heed_real *)a->data)[i];
}

static void check_errors(const heed_result *r, bool complete)
{
    const heed_attr *a =
        heed_result_attr(r, "attention", "reconstruction_error");
    assert_non_null(a);
    for (int64_t i = 0; i < a->n; i++) {
        const double x = ((const double *)a->data)[i];
        assert_true(complete ? x <= limit : x > 0.01);
    }
    assert_true(heed_result_num(r, "attention", "n_checked") == 16);
}

static int64_t row_at(const ask_maps *a, int64_t i)
{
    const int64_t q = a->rows ? a->rows[i] : a->step ? T % 5 - 1 + 5 * i : i;
    return q < 0 ? q + T : q;
}

/* One call, against the definition. */
static void check(const char *model, ask_maps a)
{
    world w = enter_some(model, T);
    truth t = {.block = a.kind && strcmp(a.kind, "block") == 0,
               .skip = a.skip && strcmp(a.skip, "fold") == 0};
    const bool weighted = a.method != NULL, some = a.channels || a.heads;
    char what[128];
    find(&t, &w, weighted);
    heed_result *r = made(&w, &a);
    const heed_array *m = array(r, "attention");
    const int64_t *n = m->var.len;
    const bool none = !weighted && a.reduce && strcmp(a.reduce, "none") == 0;
    assert_int_equal(n[0], L);
    assert_int_equal(n[1], !none ? 1 : some ? FEW : t.count);
    assert_int_equal(n[2], a.rows ? a.n_rows : a.step ? (T + 4) / 5 : T);
    assert_int_equal(n[3], T);
    double worst = 0, most = 0;
    for (int64_t i = 0; i < n[0] * n[1] * n[2] * n[3]; i++) {
        const int64_t c = i % T, q = row_at(&a, i / T % n[2]);
        const int64_t k = i / T / n[2] % n[1], l = i / T / n[2] / n[1];
        const int64_t index = some ? few[k] : k;
        const double want = weighted ? contribution(&t, l, q, c)
                            : none   ? t.m[l][(index * T + q) * T + c]
                                     : entry(&t, a.reduce, some, l, q, c);
        const double off = fabs(want - at(m, i));
        worst = off <= worst ? worst : off;
        most = fmax(most, fabs(want));
        if (c > q && at(m, i) != 0)
            fail_msg("%s: something from the future", model);
    }
    snprintf(what, sizeof what, "%s, %s, %s, %s", model,
             a.kind ? a.kind : "softmax", a.skip ? a.skip : "separate",
             a.reduce ? a.reduce : "weighted");
    near(worst, most, what);
    check_errors(r, !a.skip || strcmp(a.skip, "drop") != 0);
    heed_result_free(r);
    forget(&t);
    leave(&w);
}

static const char *const reductions[] = {"mean", "pos_mean", "abs_mean", "max",
                                         "l2"};
static const char *const kinds[] = {"core", "block"};
static const int64_t chosen[] = {0, 4, 5, 6, -2, -1};

static void test_reductions(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof reductions / sizeof *reductions; k++) {
        for (int b = 0; b < 2; b++) {
            ask_maps a = {.kind = kinds[b], .reduce = reductions[k]};
            check("mamba/plain", a);
            a.skip = "fold";
            check("mamba/state8_conv2_rank3", a);
            a.channels = true;
            check("mamba/plain", a);
        }
        check("llama/gqa8_gelu", (ask_maps){.reduce = reductions[k]});
        check("llama/gqa8_gelu",
              (ask_maps){.reduce = reductions[k], .heads = true});
    }
}

static void test_single(void **state)
{
    (void)state;
    for (int b = 0; b < 2; b++) {
        ask_maps a = {.kind = kinds[b], .reduce = "none", .channels = true};
        check("mamba/plain", a);
        a.rows = chosen;
        a.n_rows = sizeof chosen / sizeof *chosen;
        check("mamba/plain", a);
        a.skip = "fold";
        check("mamba/plain", a);
        a.skip = "drop";
        check("mamba/plain", a);
        a = (ask_maps){.kind = kinds[b], .reduce = "abs_mean", .step = true};
        check("mamba/plain", a);
    }
    check("llama/gqa8_gelu", (ask_maps){.reduce = "none"});
    check("llama/gqa8_gelu",
          (ask_maps){
              .reduce = "none", .heads = true, .rows = chosen, .n_rows = 6});
}

static void test_contributions(void **state)
{
    const char *method = "attention_contribution";
    (void)state;
    check("llama/gqa8_gelu", (ask_maps){.method = method});
    for (int b = 0; b < 2; b++) {
        check("mamba/plain", (ask_maps){.method = method, .kind = kinds[b]});
        check("mamba/state8_conv2_rank3",
              (ask_maps){.method = method, .kind = kinds[b], .skip = "fold"});
    }
}

/* ---- what is left over ---- */

/* Of every row, contributions, skip and bias are <g, output>; of a channel,
 * its matrix times the operand, skip and bias the output itself. */
static void leftovers(const char *kind, bool weighted)
{
    world w = enter_some("mamba/plain", T);
    truth t = {.block = strcmp(kind, "block") == 0};
    const ask_maps a = {.kind = kind,
                        .method = weighted ? "attention_contribution" : NULL,
                        .reduce = weighted ? NULL : "none",
                        .channels = !weighted};
    double worst = 0, most = 0, beside = 0;
    find(&t, &w, weighted);
    heed_result *r = made(&w, &a);
    const heed_array *m = array(r, "attention"), *s = array(r, "skip");
    const heed_array *b = array(r, "bias");
    const int64_t n = m->var.len[1];
    for (int64_t i = 0; i < L * n * T; i++) {
        const int64_t l = i / T / n, q = i % T, d = few[i / T % n];
        double want = 0, got = at(s, i) + at(b, i);
        for (int64_t c = 0; c < T; c++)
            got += at(m, i * T + c) *
                   (weighted ? 1 : t.operand[l][c * t.cols + d]);
        for (int64_t k = 0; k < t.cols; k++)
            want += weighted
                        ? t.g[l][q * t.cols + k] * t.output[l][q * t.cols + k]
                        : 0;
        want = weighted ? want : t.output[l][q * t.cols + d];
        worst = fmax(worst, fabs(want - got));
        most = fmax(most, fabs(want));
        beside = fmax(beside, fabs(at(s, i)));
    }
    near(worst, most, kind);
    assert_true(beside > 0.01 * most);
    heed_result_free(r);
    forget(&t);
    leave(&w);
}

static void test_leftovers(void **state)
{
    (void)state;
    for (int b = 0; b < 4; b++)
        leftovers(kinds[b % 2], b < 2);
}

/* ---- without the sizes of steps ---- */

/* Exact is raw times something of each column, and contributions are the same.
 */
static void raw(const char *model, bool channels)
{
    world w = enter_some(model, T);
    ask_maps a = {.kind = "core",
                  .reduce = "none",
                  .heads = !channels,
                  .channels = channels};
    heed_result *r[2];
    double worst = 0, least = HUGE_VAL, greatest = 0;
    for (int i = 0; i < 2; i++) {
        a.variant = i ? "raw" : "exact";
        r[i] = made(&w, &a);
        check_errors(r[i], true);
        assert_string_equal(heed_result_str(r[i], "attention", "variant"),
                            a.variant);
    }
    const heed_array *exact = array(r[0], "attention");
    const heed_array *bare = array(r[1], "attention");
    const int64_t *n = exact->var.len;
    for (int64_t m = 0; m < n[0] * n[1]; m++)
        for (int64_t c = 0; c < T; c++) {
            const int64_t own = (m * T + c) * T + c;
            const double size = at(exact, own) / at(bare, own);
            for (int64_t q = c; q < T; q++) {
                const int64_t i = (m * T + q) * T + c;
                const double off = fabs(size * at(bare, i) - at(exact, i));
                worst = fmax(worst, off / (fabs(at(exact, i)) + 1e-6));
            }
            least = fmin(least, size);
            greatest = fmax(greatest, size);
        }
    if (!(worst < (sizeof(heed_real) == 4 ? 1e-5 : 1e-12) && least > 0 &&
          greatest > 1.05 * least))
        fail_msg("%s: %g, sizes %g to %g", model, worst, least, greatest);
    for (int i = 0; i < 2; i++) {
        heed_result_free(r[i]);
        r[i] = made(&w, &(ask_maps){.method = "attention_contribution",
                                    .kind = "core",
                                    .variant = i ? "raw" : "exact"});
    }
    worst = 0, greatest = 0;
    exact = array(r[0], "attention");
    bare = array(r[1], "attention");
    n = exact->var.len;
    for (int64_t i = 0; i < n[0] * T * T; i++) {
        worst = fmax(worst, fabs(at(exact, i) - at(bare, i)));
        greatest = fmax(greatest, fabs(at(exact, i)));
    }
    near(worst, greatest, model);
    for (int i = 0; i < 2; i++)
        heed_result_free(r[i]);
    leave(&w);
}

static void test_raw(void **state)
{
    (void)state;
    raw("mamba2/columns1", false);
    raw("recurrent_gemma/no_attention", true);
}

/* ---- bits ---- */

static void test_bits(void **state)
{
    static const ask_maps all[] = {
        {.kind = "block", .reduce = "abs_mean"},
        {.kind = "core", .reduce = "none", .channels = true},
        {.kind = "block", .method = "attention_contribution"},
    };
    (void)state;
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        heed_result *r[3];
        world w = enter_some("mamba/plain", 150);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(heed_ctx_threads(w.ctx, i == 1 ? 3 : 1), HEED_OK);
            if (i == 2) { /* nothing is kept */
                const heed_input in = {w.t, NULL, 1, NULL};
                const heed_request q = {.model = w.m,
                                        .method = "attention",
                                        .input = &in,
                                        .n_inputs = 1};
                heed_plan p;
                assert_int_equal(heed_plan_of(w.ctx, &q, &p), HEED_OK);
                heed_ctx_max_memory(w.ctx, p.peak_max + (4 << 20));
            }
            r[i] = made(&w, &all[k]);
            if (i > 0)
                same_results(r[0], r[i]);
        }
        for (int i = 0; i < 3; i++)
            heed_result_free(r[i]);
        leave(&w);
    }
}

/* The least that a plan names is accepted, and one byte less is not. */
static void accepts_the_least(const world *w, const heed_request *asked)
{
    heed_request q = *asked;
    heed_plan p, least;
    q.program = heed_plan_program(w->m);
    q.files = 12345;
    heed_ctx_max_memory(w->ctx, 0);
    assert_int_equal(heed_plan_of(w->ctx, &q, &p), HEED_OK);
    heed_ctx_max_memory(w->ctx, p.peak_min);
    assert_int_equal(heed_plan_of(w->ctx, &q, &least), HEED_OK);
    assert_int_equal(least.peak, p.peak_min);
    assert_int_equal(least.peak_min, p.peak_min);
    assert_true(p.peak_min < p.peak);
    heed_ctx_max_memory(w->ctx, p.peak_min - 1);
    assert_int_equal(heed_plan_of(w->ctx, &q, &least), HEED_ENOMEM);
    q.files = 0;
    assert_int_equal(heed_plan_of(w->ctx, &q, &least), HEED_OK);
    assert_int_equal(least.peak_min, p.peak_min - 12345);
}

/* With less and less memory panels are of fewer rows: the same bits. Limits are
 * set beside what a plan says at the time. */
static void heights(const char *model, const char *method, const char *kind)
{
    enum { LONG = 300, STEP = 1 << 14, MOST = 8 };
    world w = enter_some(model, LONG);
    const ask_maps a = {.method = method, .kind = kind, .reduce = "abs_mean"};
    const heed_setting set[] = {{"kind", kind}, {0}};
    const heed_input in = {w.t, NULL, 1, NULL};
    const heed_request q = {.model = w.m,
                            .method = method,
                            .settings = set,
                            .reduce = a.reduce,
                            .input = &in,
                            .n_inputs = 1};
    heed_result *first = made(&w, &a), *r;
    uint64_t need[MOST], down = 0;
    int n = 1;
    heed_plan p;
    assert_int_equal(heed_plan_of(w.ctx, &q, &p), HEED_OK);
    need[0] = p.results;
    for (; n < MOST && down < need[0]; down += STEP) {
        heed_ctx_max_memory(w.ctx, 0);
        assert_int_equal(heed_plan_of(w.ctx, &q, &p), HEED_OK);
        heed_ctx_max_memory(w.ctx, p.peak - down);
        if (heed_plan_of(w.ctx, &q, &p) == HEED_OK && p.results < need[n - 1])
            need[n++] = p.results;
    }
    if (n < 4)
        fail_msg("%s, %s: %d heights of panels", model, method, n);
    accepts_the_least(&w, &q);
    for (int i = 1; i < n; i++) {
        heed_ctx_max_memory(w.ctx, 0);
        assert_int_equal(heed_plan_of(w.ctx, &q, &p), HEED_OK);
        heed_ctx_max_memory(w.ctx, p.peak - need[0] + need[i] +
                                       (need[i - 1] - need[i]) / 2);
        if (maps(&w, &a, &r) != HEED_OK)
            fail_msg("%s, %s: %s", model, method, heed_error(w.ctx));
        same_results(first, r);
        heed_result_free(r);
    }
    heed_result_free(first);
    leave(&w);
}

static void test_heights(void **state)
{
    (void)state;
    if (SANITIZED) /* what a sanitizer keeps is resident, and moves the limits
                    */
        skip();
    heights("mamba/plain", "attention_profile", "block");
    heights("mamba2/groups2", "attention", "core");
    heights("rwkv/plain", "attention", "core");
    heights("llama/plain", "attention_profile", "softmax");
}

/* Two inputs at once are each as alone. */
static void test_batch(void **state)
{
    heed_result *both[MOST_INPUTS], *alone[MOST_INPUTS];
    heed_ctx *ctx = new_ctx();
    heed_model *m = plain(ctx, "mamba");
    heed_tokens *t[2] = {some_tokens(ctx, m, 70, 1), some_tokens(ctx, m, 9, 2)};
    const heed_input in[2] = {{t[0], NULL, 1, NULL}, {t[1], NULL, 1, NULL}};
    heed_request q = {.model = m,
                      .method = "attention",
                      .reduce = "max",
                      .input = in,
                      .n_inputs = 2};
    (void)state;
    attribute(ctx, &q, both);
    for (int i = 0; i < 2; i++) {
        q.input = in + i;
        q.n_inputs = 1;
        attribute(ctx, &q, alone);
        same_results(both[i], alone[0]);
        free_results(alone, 1);
        heed_tokens_free(ctx, t[i]);
    }
    free_results(both, 2);
    heed_model_free(m);
    heed_ctx_free(ctx);
}

/* ---- what maps say of themselves ---- */

static const struct {
    const char *model;
    ask_maps a;
    const char *kind, *reduction, *direction;
    int n_without, without[2];
} told[] = {
    {"llama/plain", {0}, "softmax", "none", "forward", 0, {0}},
    {"bert/plain", {0}, "softmax", "none", "both", 0, {0}},
    {"mamba/plain", {0}, "block", "mean", "forward", 0, {0}},
    {"recurrent_gemma/plain", {0}, "mixed", "mean", "forward", 0, {0}},
    {"recurrent_gemma/plain",
     {.kind = "softmax"},
     "softmax",
     "none",
     "forward",
     2,
     {0, 1}},
    {"recurrent_gemma/plain",
     {.kind = "core"},
     "core",
     "mean",
     "forward",
     1,
     {2}},
};

static void test_told(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof told / sizeof *told; k++) {
        world w = enter_some(told[k].model, T);
        heed_result *r = made(&w, &told[k].a);
        const heed_attr *none =
            heed_result_attr(r, "attention", "layers_without");
        assert_string_equal(heed_result_str(r, "attention", "kind"),
                            told[k].kind);
        assert_string_equal(heed_result_str(r, "attention", "reduction"),
                            told[k].reduction);
        assert_string_equal(heed_result_str(r, "attention", "direction"),
                            told[k].direction);
        assert_int_equal(none ? none->n : 0, told[k].n_without);
        for (int i = 0; none && i < none->n; i++)
            assert_int_equal(((const int64_t *)none->data)[i],
                             told[k].without[i]);
        heed_result_free(r);
        leave(&w);
    }
}

/* ---- refusals ---- */

static const int64_t unsorted[] = {5, 4}, beyond_[] = {T}, before[] = {-T - 1};
static const struct {
    const char *model;
    heed_status st;
    ask_maps a;
    const char *text;
} refused[] = {
    {"llama/plain",
     HEED_ENOTSUP,
     {.kind = "block"},
     "no layers of kind 'block'"},
    {"mamba/plain", HEED_ENOTSUP, {.kind = "softmax"}, "of kind 'softmax'"},
    {"recurrent_gemma/plain", HEED_EINVAL, {.kind = "none"}, "none"},
    {"recurrent_gemma/plain",
     HEED_EINVAL,
     {.reduce = "none"},
     "layers differ in their heads"},
    {"recurrent_gemma/plain",
     HEED_EINVAL,
     {.heads = true},
     "layers differ in their heads"},
    {"recurrent_gemma/no_attention",
     HEED_ENOTSUP,
     {.kind = "softmax"},
     "of kind 'softmax'"},
    {"mamba/plain", HEED_EINVAL, {.reduce = "none"}, "--channels chooses"},
    {"mamba/plain", HEED_EINVAL, {.heads = true}, "of channels, not of heads"},
    {"llama/plain",
     HEED_EINVAL,
     {.channels = true},
     "of heads, not of channels"},
    {"llama/plain", HEED_EINVAL, {.rows = unsorted, .n_rows = 2}, "row 4"},
    {"llama/plain", HEED_EINVAL, {.rows = beyond_, .n_rows = 1}, "0 ... 36"},
    {"llama/plain", HEED_EINVAL, {.rows = before, .n_rows = 1}, "row -38"},
    {"llama/plain",
     HEED_EINVAL,
     {.rows = chosen, .n_rows = 6, .step = true},
     "one of the two"},
    {"mamba/plain",
     HEED_EINVAL,
     {.kind = "core", .variant = "raw"},
     "of kind core of Mamba 2 and RecurrentGemma"},
    {"mamba2/plain",
     HEED_EINVAL,
     {.kind = "block", .variant = "raw"},
     "of kind core"},
    {"mamba2/plain",
     HEED_EINVAL,
     {.kind = "core", .variant = "raw", .skip = "fold"},
     "no skip in its matrix"},
    {"llama/plain", HEED_EINVAL, {.reduce = "weighted"}, "no reduction"},
    {"llama/plain",
     HEED_EINVAL,
     {.method = "attention_profile", .reduce = "mean"},
     "not negative"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof refused / sizeof *refused; k++) {
        heed_result *r;
        world w = enter_some(refused[k].model, T);
        const heed_status st = maps(&w, &refused[k].a, &r);
        if (st != refused[k].st || !strstr(heed_error(w.ctx), refused[k].text))
            fail_msg("%d: %d, %s", (int)k, st, heed_error(w.ctx));
        heed_result_free(r);
        leave(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_reductions), test(test_single),  test(test_contributions),
        test(test_leftovers),  test(test_raw),     test(test_bits),
        test(test_batch),      test(test_heights), test(test_told),
        test(test_refused),
    };
    RUN(tests);
}
