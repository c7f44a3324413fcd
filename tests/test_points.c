/* Gradients at several points: the rules of integration, the account of
 * integrated gradients, noise, and memory that does not depend on the number of
 * points. */
#include "testlib.h"

#include "ask.h"
#include "noise.h"
#include "quadrature.h"

/* ---- rules of integration ---- */

static void test_quadrature(void **state)
{
    (void)state;
    static heedi_quadrature *const rule[] = {heedi_gauss, heedi_midpoint,
                                             heedi_trapezoid};
    static const int64_t sizes[] = {1, 2, 3, 16, 50, 501, 4096};
    for (int r = 0; r < 3; r++)
        for (int i = r == 2; i < 7; i++) {
            const int64_t n = sizes[i], degree = r == 0 ? 2 * n - 1 : 1;
            double sum = 0, line = 0, power = 0, last = -1, x, w;
            for (int64_t k = 0; k < n; k++) {
                rule[r](n, k, &x, &w);
                assert_true(x > last && x >= 0 && x <= 1 && w > 0);
                last = x;
                sum += w;
                line += w * x;
                power += w * pow(x, (double)degree);
            }
            assert_close(sum, 1, 1e-13);
            assert_close(line, 0.5, 1e-13);
            assert_close(power * (double)(degree + 1), 1, 1e-10);
        }
}

/* ---- the account of integrated gradients ---- */

static void test_completeness(void **state)
{
    (void)state;
    world w = enter_some("llama", 9);
    heed_ctx_listen(w.ctx, NULL, on_warning, &w);
    ok(&w, (call){.method = "ig", .ledger = 1, .option = {"baseline", "zero"}});
    assert_non_null(strstr(w.warning, "--steps"));
    assert_close(number(&w, "target_value") - number(&w, "sum") -
                     number(&w, "absorbed"),
                 number(&w, "conservation_residual"), 1e-12);
    leave(&w);
    w = enter_some("gpt2", 9); /* whose positions speak at zero, too */
    ok(&w, (call){.method = "ig", .ledger = 1});
    const char *group = "explanations/integrated_gradients/ledger";
    const heed_array *base = heed_result_get(w.r, group, "sink_baseline");
    assert_non_null(base);
    assert_true(*(const double *)base->data == number(&w, "absorbed"));
    assert_non_null(heed_result_get(w.r, group, "relevance_in"));
    leave(&w);
    w = enter_some("llama", 9);
    heed_ctx_listen(w.ctx, NULL, on_warning, &w);
    /* only a tolerance that was given can be missed; all is written then */
    ask(&w,
        (call){.method = "ig", .tol = 1e-6, .option = {"baseline", "zero"}});
    assert_int_equal(w.st, HEED_ENUMERIC);
    assert_non_null(strstr(heed_error(w.ctx), "does not close"));
    assert_true(fabs(number(&w, "conservation_residual")) > 0);
    ok(&w, (call){.method = "ig", .tol = 10, .option = {"baseline", "zero"}});
    /* from a token the path is smooth */
    ok(&w,
       (call){.method = "ig", .tol = 1e-4, .option = {"baseline", "token:7"}});
    assert_string_equal(w.warning, "");
    leave(&w);
}

/* One run serves all points: what it takes does not depend on their number. */
static void test_memory(void **state)
{
    (void)state;
    static const char *const method[] = {"ig", "smooth_grad"};
    static const char *const name[] = {"steps", "samples"};
    static const char *const count[] = {"16", "256"};
    for (int i = 0; i < 2; i++) {
        heed_plan p[2];
        long taken[2], out = 0;
        for (int k = 0; k < 2; k++) {
            ration memory = {0};
            heed_allocator alloc = {ration_resize, &memory};
            world w = {0};
            int32_t id[20];
            some_ids(id, 20, 1, 61);
            assert_int_equal(heed_ctx_new(&w.ctx, &alloc), HEED_OK);
            w.m = plain(w.ctx, "llama");
            assert_int_equal(heed_tokens_of(&w.t, w.ctx, NULL, id, 20),
                             HEED_OK);
            call c = {.method = method[i], .option = {name[i], count[k]}};
            heed_setting set[4];
            heed_input in = {.tokens = w.t};
            heed_request q = request(&c, &w, &in, set);
            assert_int_equal(heed_plan_of(w.ctx, &q, &p[k]), HEED_OK);
            out = memory.out;
            memory.calls = 0;
            ok(&w, c);
            taken[k] = memory.calls;
            assert_true(memory.out > out);
            leave(&w);
            assert_int_equal(memory.out, 0);
        }
        assert_int_equal(taken[0], taken[1]);
        assert_true(p[0].results == p[1].results);
        assert_true(p[0].scratch == p[1].scratch);
        assert_true(p[0].weights == p[1].weights);
        assert_true(p[0].activations == p[1].activations);
    }
}

/* ---- smooth_grad ---- */

static void test_noise(void **state)
{
    (void)state;
    enum { N = 1001, TOKENS = 200 };
    static heed_real zero[N], a[N], b[N];
    double sum = 0, square = 0, cube = 0;
    for (uint64_t t = 0; t < TOKENS; t++) {
        heedi_noise_add(3, t % 7, t, 1, zero, N, a);
        heedi_noise_add(3, t % 7, t, 1, zero, N - 2, b);
        assert_memory_equal(a, b, (N - 2) * sizeof *a); /* of any width */
        for (int i = 0; i < N; i++) {
            double z = (double)a[i];
            assert_true(fabs(z) < 9);
            sum += z;
            square += z * z;
            cube += z * z * z;
        }
    }
    const double n = N * TOKENS;
    assert_true(fabs(sum / n) < 0.01);
    assert_true(fabs(square / n - 1) < 0.01);
    assert_true(fabs(cube / n) < 0.03);
    heedi_noise_add(3, 0, 0, 1, zero, N, a);
    for (int i = 0; i < 3; i++) {
        heedi_noise_add(i == 0 ? 4 : 3, i == 1, i == 2, 1, zero, N, b);
        for (int k = 0; k < N; k++)
            assert_true(a[k] != b[k]);
    }
}

static void test_smooth(void **state)
{
    (void)state;
    world w = enter_some("mamba", 11);
    call c = {.method = "smoothgrad", .seed = 7};
    ok(&w, c);
    heed_real *first = copy(&w), *again = copy(&w), *on = copy(&w);
    assert_true(isnan(number(&w, "absorbed")));
    ok(&w, c);
    assert_true(same(&w, first));
    c.seed = 8;
    ok(&w, c);
    assert_false(same(&w, again));
    /* without noise it is the gradient */
    ok(&w, (call){.method = "smooth_grad", .option = {"sigma", "0"}});
    heed_real *none = copy(&w);
    ok(&w, (call){.method = "saliency"});
    for (int64_t i = 0; i < w.t->n; i++)
        assert_close(none[i], relevance(&w)[i], 1e-6);
    free(none);
    ok(&w, (call){.method = "smooth_grad",
                  .option = {"sigma", "0", "times_input", "on"},
                  .reduce = "sum"});
    none = copy(&w);
    const heed_attr *sign = heed_result_attr(w.r, w.group, "sign");
    assert_string_equal(*(const char *const *)sign->data, "signed");
    ok(&w, (call){.method = "gxi"});
    for (int64_t i = 0; i < w.t->n; i++)
        assert_close(none[i], relevance(&w)[i], 1e-6);
    free(none);
    /* with little noise, near it */
    ok(&w, (call){.method = "saliency"});
    none = copy(&w);
    ok(&w, (call){.method = "smooth_grad", .option = {"sigma", "0.001"}});
    for (int64_t i = 0; i < w.t->n; i++)
        assert_close(none[i], relevance(&w)[i], 0.05);
    free(none);
    free(on);
    leave(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_quadrature), test(test_completeness), test(test_memory),
        test(test_noise), test(test_smooth)};
    RUN(tests);
}
