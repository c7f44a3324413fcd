/* The figure of a picture, from results made by hand; pictures that it draws
 * are read back. */
#include "folder.h"

#include "color.h"
#include "engine.h"

static const char *const group = "explanations/attn_lrp";

/* 2 x 3 patches of 4 x 2 pixels, one learned token; the picture is 8 x 7, so
 * that a column of it is in no patch. */
enum { ROWS = 2, COLUMNS = 3, PH = 4, PW = 2, H = 8, W = 7, T = 7 };

typedef struct shape {
    int64_t targets;
    bool picture, is_signed;
    const char *word;
    double rows; /* what input/patch_rows says */
} shape;

static void put(const heed_sink *s, heed_ctx *ctx, heed_var v, const void *x)
{
    assert_int_equal(heed_put(s, ctx, &v, x), HEED_OK);
}

static heed_var var(const char *name, heed_type type, int64_t targets)
{
    heed_var v = {.group = group, .name = name, .type = type};
    if (targets > 1) {
        v.dim[v.nd] = "target";
        v.len[v.nd++] = targets;
    }
    return v;
}

static void dim(heed_var *v, const char *name, int64_t n)
{
    v->dim[v->nd] = name;
    v->len[v->nd++] = n;
}

static void put_input(const heed_sink *s, heed_ctx *ctx, const shape *q)
{
    static const char *const token[T] = {"[CLS]", "a", "b", "c", "d", "e", "f"};
    static const uint8_t special[T] = {1};
    unsigned char rgb[H * W * 3];
    memset(rgb, 255, sizeof rgb);
    heed_var v = {.group = "input", .name = "token", .type = HEED_STR};
    dim(&v, "pos", T);
    put(s, ctx, v, token);
    v.name = "is_special";
    v.type = HEED_U8;
    put(s, ctx, v, special);
    heed_var w = {.group = "input", .name = "image", .type = HEED_U8};
    dim(&w, "row", H);
    dim(&w, "column", W);
    dim(&w, "rgb", 3);
    if (q->picture)
        put(s, ctx, w, rgb);
    const struct {
        const char *key;
        double x;
    } a[] = {{"patch_rows", q->rows},
             {"patch_columns", COLUMNS},
             {"patch_height", PH},
             {"patch_width", PW}};
    for (int i = 0; i < 4; i++)
        assert_int_equal(heed_put_num(s, ctx, "input", a[i].key, a[i].x),
                         HEED_OK);
}

/* Patch k has k/5 - 2/5 of the second target's, with the sign of the first. */
static heed_result *result(heed_ctx *ctx, const shape *q)
{
    heed_result *r;
    double token[2][T], pixel[2][H][W];
    memset(pixel, 0, sizeof pixel);
    for (int t = 0; t < 2; t++) {
        token[t][0] = 100;
        for (int k = 0; k < T - 1; k++)
            token[t][k + 1] = (t ? -1 : 1) * ((double)k / 5 - 0.4);
        for (int i = 0; i < H; i++)
            for (int k = 0; k < COLUMNS * PW; k++)
                pixel[t][i][k] =
                    token[t][1 + i / PH * COLUMNS + k / PW] / (PH * PW);
        for (int k = 0; !q->is_signed && k < T; k++)
            token[t][k] = fabs(token[t][k]);
    }
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    heed_sink s = heed_result_sink(r);
    put_input(&s, ctx, q);
    heed_var v = var("relevance", HEED_F64, q->targets), w;
    dim(&v, "pos", T);
    put(&s, ctx, v, token);
    w = var("pixel_relevance", HEED_F64, q->targets);
    dim(&w, "row", H);
    dim(&w, "column", W);
    put(&s, ctx, w, pixel);
    const char *const word[2] = {q->word, q->word};
    heed_attr text = {HEED_STR, q->targets > 1 ? q->targets : -1, word};
    assert_int_equal(s.attr(s.ud, ctx, group, "target_text", text), HEED_OK);
    assert_int_equal(heed_put_str(&s, ctx, group, "target_kind", "class"),
                     HEED_OK);
    assert_int_equal(heed_put_str(&s, ctx, group, "sign",
                                  q->is_signed ? "signed" : "unsigned"),
                     HEED_OK);
    return r;
}

static const shape plain = {1, true, true, "cat", ROWS};

static heed_status draw(heed_ctx *ctx, const shape *q, const char *path,
                        heed_figure_options o)
{
    heed_result *r = result(ctx, q);
    o.force = 1;
    heed_status st = heed_figure_draw(ctx, "image_heat", path, r, group, &o);
    heed_result_free(r);
    return st;
}

static size_t slurp(const char *path, char *p, size_t n)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    n = fread(p, 1, n, f);
    fclose(f);
    return n;
}

static int count(const heed_image *p, heedi_rgb c)
{
    const unsigned want = heedi_rgb_hex(c);
    int n = 0;
    for (int64_t i = 0; i < p->width * p->height; i++) {
        const unsigned char *x = p->rgb + 3 * i;
        n += (unsigned)(x[0] << 16 | x[1] << 8 | x[2]) == want;
    }
    return n;
}

/* On a white picture patches have the exact colours of the scale; each covers
 * as much as it should, in both maps. */
static void test_colors(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    const heedi_cmap *m = heedi_cmap_named("rdbu_r");
    heed_image *p[2];
    for (int t = 0; t < 2; t++) {
        shape q = plain;
        q.targets = 2;
        const char *path = in_folder(t ? "1.png" : "0.png");
        heed_figure_options o = {.target = t, .robust = 100};
        assert_int_equal(draw(ctx, &q, path, o), HEED_OK);
        assert_int_equal(heed_image_load(&p[t], ctx, path), HEED_OK);
        assert_int_equal(p[t]->width, 1520);
    }
    /* of -2/3, -1/3, 0, 1/3, 2/3, 1 of the range: one patch each */
    int one = count(p[0], heedi_cmap_color(m, 1.0 / 3));
    assert_true(one > 2 * 60 * 60);
    for (int k = -2; k <= 2; k++) {
        int n = count(p[0], heedi_cmap_color(m, k / 3.0));
        if (k != 0 && abs(n - one) > one / 50)
            fail_msg("%d: %d pixels, not %d", k, n, one);
        int other = count(p[1], heedi_cmap_color(m, -k / 3.0));
        if (k != 0 && abs(n - other) > one / 50)
            fail_msg("%d: %d pixels of the other target, not %d", k, other, n);
    }
    heed_image_free(ctx, p[0]);
    heed_image_free(ctx, p[1]);
    heed_ctx_free(ctx);
}

/* Same result, same bytes, in all kinds; without a picture; of saliency; with
 * a name that is longer than the bar; on a narrow page in large letters. */
static void test_kinds(void **state)
{
    (void)state;
    static char a[1 << 20], b[1 << 20];
    static const char *const kind[] = {"a.png", "a.svg", "a.pdf"};
    static const shape shapes[] = {
        {1, true, true, "cat", ROWS},
        {1, false, true, "cat", ROWS},
        {1, true, false, "cat", ROWS},
        {1, true, true, "a name that is much longer than a bar of colours",
         ROWS}};
    heed_ctx *ctx = new_ctx();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int k = 0; k < 3; k++) {
            heed_figure_options o = {.width = i % 2 ? 300 : 0,
                                     .min_font = i % 2 ? 16 : 0};
            assert_int_equal(draw(ctx, &shapes[i], in_folder(kind[k]), o),
                             HEED_OK);
            size_t n = slurp(in_folder(kind[k]), a, sizeof a);
            assert_int_equal(draw(ctx, &shapes[i], in_folder(kind[k]), o),
                             HEED_OK);
            assert_int_equal(slurp(in_folder(kind[k]), b, sizeof b), n);
            assert_memory_equal(a, b, n);
        }
    heed_ctx_free(ctx);
}

static void test_refused(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_figure_options o = {.force = 1};
    shape q = plain;
    q.rows = 0;
    assert_int_equal(draw(ctx, &q, in_folder("r.png"), o), HEED_EINVAL);
    assert_non_null(strstr(heed_error(ctx), "patch_rows"));
    q.rows = 3; /* of 4 pixels, in 8 */
    assert_int_equal(draw(ctx, &q, in_folder("r.png"), o), HEED_EINVAL);
    assert_non_null(strstr(heed_error(ctx), "do not fit 7 tokens"));
    heed_result *r;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    assert_int_equal(
        heed_figure_draw(ctx, "image_heat", in_folder("r.png"), r, group, &o),
        HEED_EINVAL);
    heed_result_free(r);
    assert_int_not_equal(access(in_folder("r.png"), F_OK), 0);
    heed_ctx_free(ctx);
}

static void test_no_memory(void **state)
{
    (void)state;
    heed_ctx *ok = new_ctx();
    heed_result *r = result(ok, &plain);
    heed_figure_options o = {.force = 1};
    for (long k = 2, done = 0; !done; k++) {
        ration m = {.fail_at = k};
        heed_allocator alloc = {ration_resize, &m};
        heed_ctx *ctx;
        assert_int_equal(heed_ctx_new(&ctx, &alloc), HEED_OK);
        heed_status st = heed_figure_draw(ctx, "image_heat", in_folder("m.png"),
                                          r, group, &o);
        done = st == HEED_OK;
        if (!done)
            assert_int_equal(st, HEED_ENOMEM);
        heed_ctx_free(ctx);
        assert_int_equal(m.out, 0);
    }
    heed_result_free(r);
    heed_ctx_free(ok);
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    static const char *const all[] = {"0.png", "1.png", "a.png",
                                      "a.svg", "a.pdf", "m.png"};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        remove(in_folder(all[i]));
    return rmdir(folder);
}

int main(void)
{
#if !defined(HEEDI_HAVE_CAIRO) || !defined(HEEDI_HAVE_IMAGES)
    printf("test_image_heat: this build draws or reads no images\n");
    return 0;
#endif
    const struct CMUnitTest tests[] = {test(test_colors), test(test_kinds),
                                       test(test_refused),
                                       test(test_no_memory)};
    return cmocka_run_group_tests_name(__FILE__, tests, setup, teardown) != 0;
}
