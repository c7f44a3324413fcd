/* How far back states hold: `heed attention --profile` of every recurrent mixer
 * against a restatement in float64, constant decay in closed form, layers
 * without states, and chosen channels. */
#include "testlib.h"

#include <stdlib.h>

#include "ask.h"
#include "expect.h"
#include "maps.h"
#include "optest.h"

enum { T = 37, LONG = 150 }; /* more than the steps of a chunk */

/* ---- a request ---- */

static heed_result *profile_of(world *w, const char *eps, bool rows,
                               const int64_t *channels, int64_t n)
{
    const heed_setting set[] = {{"kind", "auto"},
                                {"horizon", eps},
                                {"horizon_rows", rows ? "on" : "off"},
                                {0}};
    const heed_input in = {w->t, NULL, 1, NULL};
    const heed_request q = {.model = w->m,
                            .method = "attention_profile",
                            .settings = set,
                            .input = &in,
                            .n_inputs = 1,
                            .channels = channels,
                            .n_channels = n};
    heed_result *r;
    assert_int_equal(heed_result_new(&r, w->ctx), HEED_OK);
    heed_sink sink = heed_result_sink(r);
    if (heed_attribute(w->ctx, &q, &sink) != HEED_OK)
        fail_msg("%s", heed_error(w->ctx));
    return r;
}

static const heed_array *array_of(const heed_result *r, const char *name)
{
    return heed_result_get(r, "attention", name);
}

static double number_at(const heed_result *r, const char *name, int64_t i)
{
    const heed_array *a = array_of(r, name);
    assert_non_null(a);
    return ((const double *)a->data)[i];
}

static double attribute_at(const heed_result *r, const char *name, int64_t l)
{
    const heed_attr *a = heed_result_attr(r, "attention", name);
    assert_non_null(a);
    return ((const double *)a->data)[l];
}

/* ---- golden values ---- */

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median, mean, greatest and the share of open ones. */
static void summary(const double *x, int64_t n, double out[4])
{
    double *s = malloc((size_t)n * sizeof *s);
    memcpy(s, x, (size_t)n * sizeof *s);
    qsort(s, (size_t)n, sizeof *s, by_size);
    out[0] = (s[(n - 1) / 2] + s[n / 2]) / 2;
    out[2] = s[n - 1];
    out[1] = out[3] = 0;
    for (int64_t i = 0; i < n; i++) {
        out[1] += s[i] / (double)n;
        out[3] += s[i] == T - 1 ? 1 / (double)n : 0;
    }
    free(s);
}

/* Rounding of a mean. */
static void between(double low, double x, double high, const char *what)
{
    if (!(x >= low - 1e-9 && x <= high + 1e-9))
        fail_msg("%s: %.9g is not from %.9g to %.9g", what, x, low, high);
}

static const char *const measures[] = {"horizon_median", "horizon_mean",
                                       "horizon_max", "horizon_open"};

/* Layer l: states (n) whose horizons are from low to high. */
static void one_layer(const heed_result *r, int64_t l, int64_t heads, int64_t n,
                      const double *low, const double *high)
{
    double a[4], b[4];
    const int64_t each = n / heads;
    if (low[0] < 0) { /* it has no states */
        for (int k = 0; k < 4; k++)
            assert_true(isnan(attribute_at(r, measures[k], l)));
        for (int64_t h = 0; h < heads; h++)
            assert_true(isnan(number_at(r, "horizon_head_max", l * heads + h)));
        return;
    }
    summary(low, n, a);
    summary(high, n, b);
    for (int k = 0; k < 4; k++)
        between(a[k], attribute_at(r, measures[k], l), b[k], measures[k]);
    for (int64_t h = 0; h < heads; h++) {
        summary(low + h * each, each, a);
        summary(high + h * each, each, b);
        between(a[1], number_at(r, "horizon_head_mean", l * heads + h), b[1],
                "horizon_head_mean");
        between(a[2], number_at(r, "horizon_head_max", l * heads + h), b[2],
                "horizon_head_max");
    }
}

static const char *const models[] = {"mamba/plain",
                                     "mamba/state8_conv2_rank3",
                                     "mamba/strong_decay",
                                     "mamba/weak_decay",
                                     "falcon_mamba/plain",
                                     "mamba2/plain",
                                     "mamba2/groups2",
                                     "mamba2/strong_decay",
                                     "rwkv/plain",
                                     "rwkv/fast",
                                     "rwkv/slow",
                                     "rwkv6/plain",
                                     "rwkv6/extreme_decay",
                                     "rwkv6/weak_decay",
                                     "recurrent_gemma/plain",
                                     "recurrent_gemma/strong_decay",
                                     "recurrent_gemma/weak_decay"};
static const char *const eps[] = {"0.5", "0.05", "0.001"};

static void one_model(const expect *x, const char *model, const char *e)
{
    char key[4][32];
    int32_t id[T];
    int64_t n, all, rows;
    snprintf(key[0], sizeof key[0], "%s_low", e);
    snprintf(key[1], sizeof key[1], "%s_high", e);
    snprintf(key[2], sizeof key[2], "%s_rows_low", e);
    snprintf(key[3], sizeof key[3], "%s_rows_high", e);
    const int64_t *ids = expect_get(x, model, "ids", &n);
    assert_int_equal(n, T);
    for (int i = 0; i < T; i++)
        id[i] = (int32_t)ids[i];
    const double *low = expect_get(x, model, key[0], &all);
    const double *high = expect_get(x, model, key[1], &all);
    const double *row_low = expect_get(x, model, key[2], &rows);
    const double *row_high = expect_get(x, model, key[3], &rows);
    world w = enter(model, id, T);
    heed_result *r = profile_of(&w, e, true, NULL, 0);
    heed_result *last = profile_of(&w, e, false, NULL, 0);
    const heed_array *a = array_of(r, "horizon_head_mean");
    assert_non_null(a);
    const int64_t layers = a->var.len[0], heads = a->var.len[1];
    assert_int_equal(rows, layers * T);
    for (int64_t l = 0; l < layers; l++) {
        const int64_t at = l * (all / layers);
        one_layer(r, l, heads, all / layers, low + at, high + at);
        for (int64_t i = l * T; i < (l + 1) * T; i++)
            if (low[at] >= 0)
                between(row_low[i], number_at(r, "horizon", i), row_high[i],
                        "horizon");
            else
                assert_true(isnan(number_at(r, "horizon", i)));
    }
    assert_memory_equal(a->data, array_of(last, "horizon_head_mean")->data,
                        (size_t)(layers * heads) * sizeof(double));
    assert_null(array_of(last, "horizon"));
    heed_result_free(r);
    heed_result_free(last);
    leave(&w);
}

static void test_golden(void **state)
{
    expect x;
    (void)state;
    assert_true(expect_open(&x, "tests/golden/horizon/expect.safetensors"));
    for (size_t m = 0; m < sizeof models / sizeof *models; m++)
        for (int k = 0; k < 3; k++)
            one_model(&x, models[m], eps[k]);
    expect_close(&x);
}

/* ---- constant decay ---- */

/* Minus the log decay of a state of a head, from inputs that are the same at
 * every step. */
static double rate_of(const heedi_node *y, int64_t head, int64_t i)
{
    const char *mixer = y->op->mixing->mixer;
    if (strcmp(mixer, "s6") == 0) {
        const heedi_scan_args *a = y->args;
        return -(double)y->in[1]->x[head] *
               (double)
                   a->a[(head / HEEDI_LANES * a->n_state + i) * HEEDI_LANES +
                        head % HEEDI_LANES];
    }
    if (strcmp(mixer, "ssd") == 0)
        return -(double)y->in[1]->x[head] *
               (double)((const heedi_ssd_args *)y->args)->a[head];
    if (strcmp(mixer, "rg_lru") == 0)
        return -(double)((const heedi_rglru_args *)y->args)->rate[head] /
               (1 + exp(-(double)y->in[2]->x[head]));
    if (strcmp(mixer, "wkv") == 0)
        return -((const heedi_wkv_args *)y->args)->w[head];
    const heedi_gla_args *a = y->args;
    const double w = (double)y->in[3]->x[head * a->keys + i];
    assert_string_equal(mixer, "gla");
    return a->tau > 0 ? log(1 + exp(-w)) / a->tau : exp(w);
}

/* Horizons of states whose decay never changes: floor(log(1/eps) / rate), or
 * the row where that is more. */
static void constant(const heedi_op *op, const heedi_example *row, double limit)
{
    optest t;
    const int64_t len = LONG;
    assert_int_equal(
        optest_open(&t, op, row,
                    (optest_how){.len = &len, .n_seq = 1, .threads = 2}),
        HEED_OK);
    const heedi_mixing *mix = op->mixing;
    for (int i = 0; i < op->n_in; i++) {
        heed_real *x = t.in[i]->x;
        const int64_t cols = t.in[i]->cols;
        for (int64_t k = 0; i == mix->step && i > 0 && k < cols; k++)
            x[k] = (heed_real)fabs((double)x[k] / 30); /* sizes of steps */
        for (int64_t k = cols; k < len * cols; k++)
            x[k] = x[k - cols];
    }
    omp_set_num_threads(t.run.threads);
    assert_int_equal(heed_ctx_threads(t.ctx, 2), HEED_OK);
    heed_result *r;
    assert_int_equal(heed_result_new(&r, t.ctx), HEED_OK);
    const heed_sink sink = heed_result_sink(r);
    int64_t each[LONG], *rows = each, n_rows = LONG, length = LONG;
    for (int64_t i = 0; i < LONG; i++)
        each[i] = i;
    heedi_job j = {.ctx = t.ctx, .sink = &sink, .n = 1, .len = &length};
    heedi_map_layer l = {.heads = mix->heads(t.y), .states = mix->states(t.y)};
    heedi_maps m = {.j = &j,
                    .layer = &l,
                    .n_layers = 1,
                    .longest = LONG,
                    .row = &rows,
                    .n_rows = &n_rows,
                    .m = {.y = t.y},
                    .how = {.horizon = exp(-limit), .horizon_rows = true}};
    heedi_arena_init(&j.mem, t.ctx);
    assert_int_equal(heedi_maps_horizon_alloc(&m), HEED_OK);
    assert_int_equal(heedi_maps_horizon_define(&m, 0), HEED_OK);
    assert_int_equal(heedi_maps_horizon(&m, &t.run, 0, 0), HEED_OK);
    for (int64_t q = 0; q < LONG; q++) {
        double sum = 0;
        for (int64_t i = 0; i < l.heads * l.states; i++) {
            const double rate = rate_of(t.y, i / l.states, i % l.states);
            const double want =
                rate > 0 ? fmin((double)q, floor(limit / rate)) : (double)q;
            sum += want;
            if (q == LONG - 1 && (double)m.horizon.reach[i] != want)
                fail_msg("%s: state %d holds %d steps, not %g", op->name,
                         (int)i, (int)m.horizon.reach[i], want);
        }
        assert_close(number_at(r, "horizon", q),
                     sum / (double)(l.heads * l.states), 1e-12);
    }
    heed_result_free(r);
    heedi_arena_clear(&j.mem);
    optest_close(&t);
}

static void test_constant(void **state)
{
    int n = 0;
    (void)state;
    for (const heedi_op *const *op = heedi_ops; *op; op++)
        for (const heedi_example *e = (*op)->examples;
             (*op)->mixing && (*op)->mixing->rates && e->in[0] > 0; e++) {
            for (int k = 0; k < 3; k++)
                constant(*op, e, 0.3737 + 3.3 * k);
            n++;
        }
    assert_true(n > 10);
}

/* ---- what is asked for ---- */

/* Of some channels: theirs alone. */
static void test_some(void **state)
{
    static const int64_t few[] = {1, 4, 17};
    world w = enter_some("mamba/plain", T);
    (void)state;
    heed_result *all = profile_of(&w, "0.01", true, NULL, 0);
    heed_result *some = profile_of(&w, "0.01", true, few, 3);
    const heed_array *a = array_of(some, "horizon_head_mean");
    const int64_t heads = a->var.len[1];
    for (int64_t l = 0; l < a->var.len[0]; l++) {
        double mean = 0;
        int64_t n = 0;
        for (int64_t h = 0; h < heads; h++) {
            const double x =
                number_at(some, "horizon_head_mean", l * heads + h);
            if (h != few[n % 3]) {
                assert_true(isnan(x));
                continue;
            }
            assert_true(x ==
                        number_at(all, "horizon_head_mean", l * heads + h));
            mean += x / 3;
            n++;
        }
        assert_int_equal(n, 3);
        assert_close(attribute_at(some, "horizon_mean", l), mean, 1e-12);
        assert_close(number_at(some, "horizon", l * T + T - 1), mean, 1e-12);
    }
    heed_result_free(all);
    heed_result_free(some);
    leave(&w);
}

/* Softmax has no states. */
static void test_none(void **state)
{
    static const char *const arrays[] = {"horizon", "horizon_head_mean",
                                         "horizon_head_max"};
    world w = enter_some("llama/plain", T);
    (void)state;
    heed_result *r = profile_of(&w, "0.01", true, NULL, 0);
    for (int k = 0; k < 3; k++)
        assert_null(array_of(r, arrays[k]));
    for (int k = 0; k < 4; k++)
        assert_null(heed_result_attr(r, "attention", measures[k]));
    assert_null(heed_result_attr(r, "attention", "horizon_eps"));
    assert_non_null(heed_result_attr(r, "attention", "mean_distance"));
    heed_result_free(r);
    leave(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_golden), test(test_constant),
                                       test(test_some), test(test_none)};
    RUN(tests);
}
