#include "testlib.h"

static const heed_var map = {"explanations/x",     "relevance", HEED_F32, 2,
                             {"target", "source"}, {2, 3},      "logit",  NULL};
static const heed_var word = {"input", "token", HEED_STR, 1,
                              {"pos"}, {3},     NULL,     NULL};

static heed_status fill_in(const heed_sink *s, heed_ctx *ctx)
{
    const float row[3] = {1, 2, 3}, cell = -1;
    const char *text[3] = {"a", "", "\xe4\xb8\xad"};
    const int64_t start[2] = {1, 0}, count[2] = {1, 3};
    const int64_t at[2] = {0, 2}, one[2] = {1, 1};
    const double number[2] = {0.5, 1.5};
    heed_status st = s->define(s->ud, ctx, &map);
    if (st == HEED_OK)
        st = s->write(s->ud, ctx, map.group, map.name, start, count, row);
    if (st == HEED_OK)
        st = s->write(s->ud, ctx, map.group, map.name, at, one, &cell);
    if (st == HEED_OK)
        st = heed_put(s, ctx, &word, text);
    if (st == HEED_OK)
        st = heed_put_str(s, ctx, "", "model_name", "one");
    if (st == HEED_OK)
        st = heed_put_str(s, ctx, "", "model_name", "two");
    if (st == HEED_OK)
        st = heed_put_int(s, ctx, map.group, "target_id", 7);
    if (st == HEED_OK)
        st = heed_put_num(s, ctx, map.group, "sum", 0.25);
    if (st == HEED_OK)
        st = s->attr(s->ud, ctx, map.group, "absorbed",
                     (heed_attr){HEED_F64, 2, number});
    return st;
}

static void check_filled(const heed_result *r)
{
    const heed_array *a = heed_result_get(r, "explanations/x", "relevance");
    const float want[6] = {0, 0, -1, 1, 2, 3};
    assert_non_null(a);
    assert_memory_equal(a->data, want, sizeof want);
    assert_ptr_equal(a, heed_result_at(r, 0));
    assert_string_equal(a->var.dim[1], "source");
    assert_string_equal(a->var.units, "logit");
    a = heed_result_at(r, 1);
    assert_string_equal(((const char *const *)a->data)[2], "\xe4\xb8\xad");
    assert_null(heed_result_at(r, 2));
    assert_null(heed_result_at(r, -1));
    assert_null(heed_result_get(r, "", "relevance"));
    assert_string_equal(heed_result_str(r, "", "model_name"), "two");
    assert_null(heed_result_str(r, "explanations/x", "sum"));
    assert_true(heed_result_num(r, "explanations/x", "target_id") == 7);
    assert_true(isnan(heed_result_num(r, "", "sum")));
    const char *group, *key;
    const heed_attr *v = heed_result_attr_at(r, 3, &group, &key);
    assert_string_equal(group, "explanations/x");
    assert_string_equal(key, "absorbed");
    assert_int_equal(v->n, 2);
    assert_true(((const double *)v->data)[1] == 1.5);
    assert_null(heed_result_attr_at(r, 4, NULL, NULL));
}

static void slabs_and_attributes(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_result *r, *again;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    assert_int_equal(heed_result_new(&again, ctx), HEED_OK);
    heed_sink s = heed_result_sink(r), t = heed_result_sink(again);
    assert_int_equal(fill_in(&s, ctx), HEED_OK);
    check_filled(r);
    assert_int_equal(heed_result_replay(r, ctx, &t), HEED_OK);
    check_filled(again);
    heed_result_free(again);
    heed_result_free(r);
    heed_result_free(NULL);
    heed_ctx_free(ctx);
}

static void refusals(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_result *r;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    heed_sink s = heed_result_sink(r);
    const int64_t start[2] = {1, 1}, count[2] = {1, 3};
    const float x[6] = {0};
    assert_int_equal(s.write(s.ud, ctx, map.group, map.name, start, count, x),
                     HEED_EINVAL);
    assert_non_null(strstr(heed_error(ctx), "explanations/x/relevance"));
    assert_int_equal(s.define(s.ud, ctx, &map), HEED_OK);
    assert_int_equal(s.define(s.ud, ctx, &map), HEED_OK); /* the same: fine */
    assert_int_equal(s.write(s.ud, ctx, map.group, map.name, start, count, x),
                     HEED_EINVAL);
    heed_var other = map;
    other.len[1] = 4;
    assert_int_equal(s.define(s.ud, ctx, &other), HEED_EINVAL);
    other = map;
    other.name = "r2";
    other.len[0] = 0;
    assert_int_equal(s.define(s.ud, ctx, &other), HEED_EINVAL);
    other.len[0] = INT64_MAX;
    assert_int_equal(s.define(s.ud, ctx, &other), HEED_EINVAL);
    other.len[0] = 1;
    other.nd = HEED_MAX_DIM + 1;
    assert_int_equal(s.define(s.ud, ctx, &other), HEED_EINVAL);
    heed_attr none = {HEED_F64, 0, x};
    assert_int_equal(s.attr(s.ud, ctx, "", "key", none), HEED_EINVAL);
    heed_result_free(r);
    heed_ctx_free(ctx);
}

static void four_dimensions(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_result *r;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    heed_sink s = heed_result_sink(r);
    const heed_var v = {"attention",
                        "attention",
                        HEED_I32,
                        4,
                        {"layer", "head", "query", "key"},
                        {2, 3, 4, 5},
                        NULL,
                        NULL};
    const int64_t start[4] = {1, 0, 1, 2}, count[4] = {1, 3, 2, 3};
    int32_t x[18];
    for (int i = 0; i < 18; i++)
        x[i] = i + 1;
    assert_int_equal(s.define(s.ud, ctx, &v), HEED_OK);
    assert_int_equal(s.write(s.ud, ctx, v.group, v.name, start, count, x),
                     HEED_OK);
    const int32_t *y = heed_result_at(r, 0)->data;
    int n = 0;
    for (int l = 0; l < 2; l++)
        for (int h = 0; h < 3; h++)
            for (int q = 0; q < 4; q++)
                for (int k = 0; k < 5; k++) {
                    bool in = l == 1 && q >= 1 && q < 3 && k >= 2;
                    assert_int_equal(y[((l * 3 + h) * 4 + q) * 5 + k],
                                     in ? ++n : 0);
                }
    heed_result_free(r);
    heed_ctx_free(ctx);
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    heed_status st = HEED_ENOMEM;
    long n = 0;
    for (; st != HEED_OK; n++) {
        ration m = {.fail_at = n + 1, .last = true};
        heed_allocator alloc = {ration_resize, &m};
        heed_ctx *ctx;
        heed_result *r = NULL;
        st = heed_ctx_new(&ctx, &alloc);
        if (st == HEED_OK)
            st = heed_result_new(&r, ctx);
        if (st == HEED_OK) {
            heed_sink s = heed_result_sink(r);
            st = fill_in(&s, ctx);
        }
        assert_true(st == HEED_OK || st == HEED_ENOMEM);
        heed_result_free(r);
        heed_ctx_free(ctx);
        assert_int_equal(m.out, 0);
    }
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(slabs_and_attributes),
        test(refusals),
        test(four_dimensions),
        test(every_allocation_fails_once),
    };
    RUN(tests);
}
