/* How far rows reach: `heed attention --profile` against its definitions, and
 * rows whose measures are known. */
#include "testlib.h"

#include <stdlib.h>

#include "ask.h"
#include "profile.h"
#include "truth.h"

static double attribute_at(const heed_result *r, const char *key, int64_t l)
{
    const heed_attr *a = heed_result_attr(r, "attention", key);
    assert_non_null(a);
    return ((const double *)a->data)[l];
}

static double number_at(const heed_result *r, const char *name, int64_t i)
{
    return ((const double *)array(r, name)->data)[i];
}

static heed_result *profile_of(world *w, const char *order, const char *needle)
{
    const heed_setting set[] = {
        {"kind", "core"}, {"order", order}, {"needle", needle}, {0}};
    const heed_input in = {w->t, NULL, 1, NULL};
    const heed_request q = {.model = w->m,
                            .method = "attention_profile",
                            .settings = set,
                            .input = &in,
                            .n_inputs = 1};
    heed_result *r;
    assert_int_equal(heed_result_new(&r, w->ctx), HEED_OK);
    heed_sink sink = heed_result_sink(r);
    if (heed_attribute(w->ctx, &q, &sink) != HEED_OK)
        fail_msg("%s", heed_error(w->ctx));
    return r;
}

/* sum (q - c) |a| / sum |a| of one row of one channel */
static double distance(const double *a, int64_t q)
{
    double sum = 0, far = 0;
    for (int64_t c = 0; c <= q; c++) {
        sum += fabs(a[c]);
        far += (double)(q - c) * fabs(a[c]);
    }
    return far / sum;
}

static void test_profile(void **state)
{
    world w = enter_some("mamba/plain", T);
    truth t = {0};
    double share[T] = {0}, worst = 0, far[2] = {0};
    (void)state;
    find(&t, &w, false);
    heed_result *r = profile_of(&w, "ratio_of_sums", "2:6");
    heed_result *ratios = profile_of(&w, "mean_of_ratios", "");
    for (int64_t q = 0; q < T; q++) {
        double p[T], sum = 0, dist = 0, ent = 0, needle = 0, mean = 0;
        for (int64_t c = 0; c < T; c++)
            sum += p[c] = entry(&t, "abs_mean", false, 1, q, c);
        for (int64_t c = 0; c <= q; c++) {
            p[c] /= sum;
            dist += (double)(q - c) * p[c];
            ent -= p[c] > 0 ? p[c] * log(p[c]) : 0;
            needle += c >= 2 && c < 6 ? p[c] : 0;
            share[q - c] += p[c];
        }
        for (int64_t k = 0; k < t.count; k++)
            mean += distance(t.m[1] + (k * T + q) * T, q) / (double)t.count;
        const double off[] = {sum - number_at(r, "mass", T + q),
                              dist - number_at(r, "distance", T + q),
                              ent - number_at(r, "entropy", T + q),
                              p[0] - number_at(r, "first_mass", T + q),
                              needle - number_at(r, "needle_mass", T + q),
                              mean - number_at(ratios, "distance", T + q)};
        for (int k = 0; k < 6; k++)
            worst = fabs(off[k]) <= worst ? worst : fabs(off[k]);
        far[0] += dist / T;
        far[1] += mean / T;
    }
    near(worst, T, "measures of rows");
    for (int64_t lag = 0; lag < T; lag++) {
        assert_close(number_at(r, "lag_share", T + lag),
                     share[lag] / (double)(T - lag), limit);
        assert_true(number_at(r, "lag_rows", T + lag) == (double)(T - lag));
    }
    assert_close(attribute_at(r, "mean_distance", 1), far[0], limit);
    assert_close(attribute_at(ratios, "mean_distance", 1), far[1], limit);
    assert_true(fabs(far[0] - far[1]) > 0.01);
    assert_null(heed_result_get(ratios, "attention", "needle_mass"));
    assert_null(heed_result_get(r, "attention", "attention"));
    heed_result_free(r);
    heed_result_free(ratios);
    forget(&t);
    leave(&w);
}

/* Known rows: uniform ones, and shares that fall off as they are fitted. */
static void test_reach(void **state)
{
    heed_real a[50], zero[50] = {0};
    double share[50] = {0}, rows[50] = {0};
    (void)state;
    for (int i = 0; i < 50; i++)
        a[i] = 3;
    const heedi_reach u = heedi_reach_of(a, 50, 49, 10, 20);
    assert_close(u.distance, 24.5, 1e-12);
    assert_close(u.entropy, log(50), 1e-12);
    assert_close(u.first, 0.02, 1e-12);
    assert_close(u.needle, 0.2, 1e-12);
    const heedi_reach none = heedi_reach_of(zero, 50, 49, 10, 20);
    assert_true(none.mass == 0 && none.distance == 0 && none.entropy == 0);
    heedi_lag_add(zero, 49, 0, 0, 50, share, rows);
    assert_true(rows[0] == 0);
    for (int i = 0; i < 50; i++)
        share[i] = 0.3 * exp(-i / 7.0);
    assert_close(-1 / heedi_decay_fit(share, 50, 0).slope, 7, 1e-9);
    assert_close(heedi_decay_fit(share, 50, 0).r2, 1, 1e-9);
    for (int i = 1; i < 50; i++)
        share[i] = 0.3 * pow(i, -1.5);
    assert_close(heedi_decay_fit(share, 50, 1).slope, -1.5, 1e-9);
    assert_true(isnan(heedi_decay_fit(share, 5, 1).slope)); /* 2 points */
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_profile), test(test_reach)};
    RUN(tests);
}
