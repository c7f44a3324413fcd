/* Thumbnails of attention maps: cells against their rectangles, the same
 * picture from maps that are whole and from maps that came in pieces, its
 * pixels, what is refused. */
#include "folder.h"

#include "color.h"
#include "sample.h"
#include "thumbnails.h"

enum { LAYERS = 3, HEADS = 4, LONG = 437 };
static const char group[] = "attention";

/* ---- maps ---------------------------------------------------------------- */

typedef struct shape {
    int64_t layers, heads, rows, columns;
    const double *value; /* NULL: random, with both signs */
    int64_t step;        /* rows of a slab */
} shape;

static heed_var var_of(const shape *q)
{
    return (heed_var){.group = group,
                      .name = "attention",
                      .type = HEED_F64,
                      .nd = 4,
                      .dim = {"layer", "head", "query", "key"},
                      .len = {q->layers, q->heads, q->rows, q->columns}};
}

static double *values_of(const shape *q)
{
    const int64_t n = q->layers * q->heads * q->rows * q->columns;
    uint32_t seed = 7;
    double *x = calloc((size_t)n, sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++) {
        const int64_t row = i / q->columns % q->rows, column = i % q->columns;
        const double v = q->value ? q->value[i] : (double)rnd(&seed);
        x[i] = q->rows == q->columns && column > row ? 0 : v;
    }
    return x;
}

static heed_status feed(heed_ctx *ctx, const heed_sink *s, const shape *q)
{
    const heed_var v = var_of(q);
    heed_status st = s->define(s->ud, ctx, &v);
    double *x = values_of(q);
    for (int64_t m = 0; st == HEED_OK && m < q->layers * q->heads; m++)
        for (int64_t i = 0; st == HEED_OK && i < q->rows; i += q->step) {
            const int64_t n = q->rows - i < q->step ? q->rows - i : q->step;
            const int64_t start[] = {m / q->heads, m % q->heads, i, 0};
            const int64_t count[] = {1, 1, n, q->columns};
            st = s->write(s->ud, ctx, group, "attention", start, count,
                          x + (m * q->rows + i) * q->columns);
        }
    free(x);
    if (st == HEED_OK)
        st = heed_put_str(s, ctx, group, "kind", "softmax");
    return st;
}

static heed_result *whole(heed_ctx *ctx, const shape *q)
{
    heed_result *r;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    const heed_sink s = heed_result_sink(r);
    assert_int_equal(feed(ctx, &s, q), HEED_OK);
    return r;
}

static heed_result *pooled(heed_ctx *ctx, const shape *q,
                           const heed_figure_options *o)
{
    heed_thumbnails t = {.options = o};
    assert_int_equal(heed_result_new(&t.result, ctx), HEED_OK);
    const heed_sink s = heed_thumbnails_sink(&t);
    if (feed(ctx, &s, q) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    return t.result;
}

/* ---- cells --------------------------------------------------------------- */

static double greatest(const double *x, const shape *q, int64_t map,
                       const heedi_pool *p, int64_t row, int64_t column)
{
    double best = 0;
    for (int64_t i = row * p->pool_rows; i < (row + 1) * p->pool_rows; i++)
        for (int64_t k = column * p->pool_columns;
             k < (column + 1) * p->pool_columns; k++) {
            if (i >= q->rows || k >= q->columns)
                continue;
            const double v = x[(map * q->rows + i) * q->columns + k];
            best = fabs(v) > fabs(best) ? v : best;
        }
    return best;
}

static void check_cells(const shape *q, int64_t least_pool)
{
    heed_ctx *ctx = new_ctx();
    heed_result *r = pooled(ctx, q, NULL);
    heedi_pool p;
    double *x = values_of(q);
    assert_true(heedi_pool_of(&p, r, group));
    assert_true(p.pool_columns >= least_pool);
    const int64_t rows = heedi_pool_rows(&p), columns = heedi_pool_columns(&p);
    for (int64_t i = 0; i < heedi_pool_cells(&p); i++) {
        const int64_t map = i / (rows * columns);
        const double want =
            greatest(x, q, map, &p, i / columns % rows, i % columns);
        if (((const double *)p.cell)[i] != want)
            fail_msg("cell %lld: %g, not %g", (long long)i,
                     ((const double *)p.cell)[i], want);
    }
    free(x);
    heed_result_free(r);
    heed_ctx_free(ctx);
}

static void cells_are_the_greatest(void **state)
{
    (void)state;
    check_cells(&(shape){LAYERS, HEADS, LONG, LONG, .step = 64}, 3);
    check_cells(&(shape){LAYERS, 1, LONG, LONG, .step = 5}, 2);
    check_cells(&(shape){LAYERS, HEADS, 7, LONG, .step = 7}, 3);
    check_cells(&(shape){LAYERS, HEADS, 9, 9, .step = 2}, 1);
    check_cells(&(shape){40, 12, 130, 130, .step = 130}, 4);
}

/* At most a value for each px of the picture, whatever the length. */
static void memory_is_bounded(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    for (int64_t n = 8; n < 100000; n *= 3)
        for (int64_t layers = 1; layers <= 48; layers += 47) {
            heedi_sheet s;
            const heed_figure_options o = {0};
            assert_int_equal(heedi_sheet_init(&s, ctx, layers, 16, n, n, &o),
                             HEED_OK);
            heedi_pool p = {.len = {layers, 16, n, n},
                            .pool_rows = s.pool_rows,
                            .pool_columns = s.pool_columns};
            assert_true(heedi_pool_cells(&p) <= 760 * 920);
            assert_true(s.width >= 5);
        }
    heed_ctx_free(ctx);
}

/* A single map is not changed. */
static void one_map_stays(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    const shape q = {1, 1, LONG, LONG, .step = 100};
    heedi_pool p;
    heed_result *r = pooled(ctx, &q, NULL);
    const heed_array *a = heed_result_get(r, group, "attention");
    double *x = values_of(&q);
    assert_int_equal(a->var.len[3], LONG);
    assert_memory_equal(a->data, x, LONG * LONG * sizeof *x);
    assert_false(heedi_pool_of(&p, r, group));
    free(x);
    heed_result_free(r);
    heed_ctx_free(ctx);
}

/* ---- refusals ------------------------------------------------------------ */

static void refuses(heed_ctx *ctx, const shape *q, heed_status st,
                    const char *word)
{
    heed_thumbnails t = {0};
    assert_int_equal(heed_result_new(&t.result, ctx), HEED_OK);
    const heed_sink s = heed_thumbnails_sink(&t);
    const heed_status got = feed(ctx, &s, q);
    if (got != st || !strstr(heed_error(ctx), word))
        fail_msg("%d, %s", got, heed_error(ctx));
    if (st == HEED_EINVAL) /* before there is anything */
        assert_null(heed_result_get(t.result, group, "attention"));
    heed_result_free(t.result);
}

static void refusals(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    double bad[2 * 9] = {0};
    bad[9 + 6] = (double)NAN;
    refuses(ctx, &(shape){2, 200, 4, 4, .step = 4}, HEED_EINVAL,
            "2 x 200 maps leave");
    refuses(ctx, &(shape){2000, 4, 4, 4, .step = 4}, HEED_EINVAL,
            "2000 x 4 maps leave");
    refuses(ctx, &(shape){2, 1, 3, 3, bad, 3}, HEED_ENUMERIC,
            "not finite at query 2, key 0");
    heed_thumbnails t = {0};
    assert_int_equal(heed_result_new(&t.result, ctx), HEED_OK);
    const heed_sink s = heed_thumbnails_sink(&t);
    const int64_t start[] = {0, 0, 8, 0}, count[] = {1, 1, 2, 9};
    double x[18] = {0};
    assert_int_equal(feed(ctx, &s, &(shape){2, 2, 9, 9, .step = 9}), HEED_OK);
    assert_int_equal(s.write(s.ud, ctx, group, "attention", start, count, x),
                     HEED_EINVAL);
    assert_int_equal(heed_put_int(&s, ctx, group, "pooled", 2), HEED_EINVAL);
    heed_result_free(t.result);
    heed_ctx_free(ctx);
}

/* What a file says of cells need not be true. */
static void bad_pools(void **state)
{
    (void)state;
    static const int64_t bad[][4] = {
        {9, 9, 0, 1},  {9, 9, -1, 1}, {8, 9, 1, 1},  {INT64_MAX, 9, 1, 1},
        {9, 9, 10, 1}, {0, 9, 1, 1},  {18, 9, 1, 1}, {9, 9, 1, 2}};
    static const int64_t good[] = {17, 9, 2, 1};
    heed_ctx *ctx = new_ctx();
    heedi_pool p;
    heed_result *r = whole(ctx, &(shape){2, 2, 9, 9, .step = 9});
    const heed_sink s = heed_result_sink(r);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(s.attr(s.ud, ctx, group, "pooled",
                                (heed_attr){HEED_I64, 4, bad[i]}),
                         HEED_OK);
        assert_false(heedi_pool_of(&p, r, group));
    }
    assert_int_equal(
        s.attr(s.ud, ctx, group, "pooled", (heed_attr){HEED_I64, 4, good}),
        HEED_OK);
    assert_true(heedi_pool_of(&p, r, group));
    heed_result_free(r);
    heed_ctx_free(ctx);
}

static void fails_without_memory(void **state)
{
    (void)state;
    heed_status st = HEED_ENOMEM;
    for (long n = 0; st != HEED_OK; n++) {
        ration m = {.fail_at = n + 1, .last = true};
        heed_allocator alloc = {ration_resize, &m};
        heed_ctx *ctx;
        heed_thumbnails t = {0};
        st = heed_ctx_new(&ctx, &alloc);
        if (st == HEED_OK)
            st = heed_result_new(&t.result, ctx);
        const heed_sink s = heed_thumbnails_sink(&t);
        if (st == HEED_OK)
            st = sample_attention(&s, ctx, 4);
        assert_true(st == HEED_OK || st == HEED_ENOMEM);
        heed_result_free(t.result);
        heed_ctx_free(ctx);
        assert_int_equal(m.out, 0);
    }
}

/* ---- files --------------------------------------------------------------- */

/* A file in slabs is the same as one in memory, more than a slab of rows and
 * more than a slab of maps included; one that is cut short is not read. */
static void files_in_slabs(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    const char *path = in_folder("maps.h5");
    static const shape shapes[] = {{2, 3, 500, 500, .step = 500},
                                   {2, 2, 1100, 600, .step = 1100},
                                   {5, 40, 60, 60, .step = 60}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        heed_result *back, *r = whole(ctx, &shapes[i]);
        heed_thumbnails t = {0};
        heedi_pool p, q;
        assert_int_equal(heed_write(ctx, path, NULL, 1, r), HEED_OK);
        assert_int_equal(heed_read(&back, ctx, path), HEED_OK);
        const heed_array *a = heed_result_get(r, group, "attention");
        const heed_array *b = heed_result_get(back, group, "attention");
        assert_memory_equal(a->data, b->data,
                            (size_t)(a->var.len[0] * a->var.len[1] *
                                     a->var.len[2] * a->var.len[3]) *
                                sizeof(double));
        heed_result_free(back);
        assert_int_equal(heed_result_new(&t.result, ctx), HEED_OK);
        const heed_sink s = heed_thumbnails_sink(&t);
        assert_int_equal(heed_read_into(ctx, path, &s), HEED_OK);
        heed_result *whole_way = pooled(ctx, &shapes[i], NULL);
        assert_true(heedi_pool_of(&p, t.result, group));
        assert_true(heedi_pool_of(&q, whole_way, group));
        assert_int_equal(heedi_pool_cells(&p), heedi_pool_cells(&q));
        assert_memory_equal(p.cell, q.cell,
                            (size_t)heedi_pool_cells(&p) * sizeof(double));
        heed_result_free(whole_way);
        heed_result_free(t.result);
        heed_result_free(r);
    }
    size_t size;
    free(whole_file(path, &size));
    for (size_t n = size - 1; n > size / 9; n -= size / 9) {
        heed_thumbnails t = {0};
        assert_int_equal(truncate(path, (off_t)n), 0);
        assert_int_equal(heed_result_new(&t.result, ctx), HEED_OK);
        const heed_sink s = heed_thumbnails_sink(&t);
        assert_int_equal(heed_read_into(ctx, path, &s), HEED_EFORMAT);
        heed_result_free(t.result);
    }
    heed_ctx_free(ctx);
}

/* ---- pictures ------------------------------------------------------------ */

static void whole_or_in_pieces(void **state)
{
    (void)state;
    static const char *const extension[] = {"png", "svg", "pdf"};
    heed_ctx *ctx = new_ctx();
    const heed_figure_options o = {.width = 500, .robust = 90, .force = 1};
    for (int64_t step = 1; step < 300; step *= 17) {
        const shape q = {LAYERS, HEADS, LONG, LONG, .step = step};
        heed_result *r = whole(ctx, &q), *p = pooled(ctx, &q, &o);
        for (int e = 0; e < 3; e++) {
            char name[2][16];
            snprintf(name[0], sizeof name[0], "a.%s", extension[e]);
            snprintf(name[1], sizeof name[1], "b.%s", extension[e]);
            const char *a = in_folder(name[0]), *b = in_folder(name[1]);
            assert_int_equal(heed_figure_draw(ctx, "grid", a, r, group, &o),
                             HEED_OK);
            assert_int_equal(heed_figure_draw(ctx, "grid", b, p, group, &o),
                             HEED_OK);
            assert_same_bytes(a, b);
        }
        assert_int_equal(heed_figure_draw(ctx, "attention", in_folder("c.png"),
                                          p, group, &o),
                         HEED_EINVAL);
        assert_non_null(strstr(heed_error(ctx), "figure grid"));
        heed_result_free(r);
        heed_result_free(p);
    }
    heed_ctx_free(ctx);
}

/* Pixels of a colour; Cairo and we may round it differently. */
static int count(const heed_image *p, double x, const char *cmap)
{
    const unsigned want =
        heedi_rgb_hex(heedi_cmap_color(heedi_cmap_named(cmap), x));
    int n = 0;
    for (int64_t i = 0; i < p->width * p->height; i++) {
        const unsigned char *c = p->rgb + 3 * i;
        n += abs(c[0] - (int)(want >> 16)) <= 1 &&
             abs(c[1] - (int)(want >> 8 & 255)) <= 1 &&
             abs(c[2] - (int)(want & 255)) <= 1;
    }
    return n;
}

static heed_image *picture(heed_ctx *ctx, const shape *q, heed_figure_options o,
                           const int32_t *without)
{
    heed_image *p;
    const char *path = in_folder("pixels.png");
    heed_result *r = whole(ctx, q);
    const heed_sink s = heed_result_sink(r);
    if (without)
        assert_int_equal(s.attr(s.ud, ctx, group, "layers_without",
                                (heed_attr){HEED_I32, 2, without}),
                         HEED_OK);
    o.force = 1;
    if (heed_figure_draw(ctx, "grid", path, r, group, &o) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    assert_int_equal(heed_image_load(&p, ctx, path), HEED_OK);
    heed_result_free(r);
    return p;
}

/* Maps of two tokens: each of the three cells of each has the exact colour of
 * one scale, as large as the others; what is twice there is seen twice. */
static void pixels(void **state)
{
    (void)state;
    enum { N = 2 * 2 * 4 };
    static const double positive[N] = {1,   0, .25, .75, .5, 0, .25, .75,
                                       .25, 0, .5,  .5,  .5, 0, .25, .25};
    double mixed[N];
    for (int i = 0; i < N; i++)
        mixed[i] = i < N / 2 ? positive[i] : -positive[i];
    heed_ctx *ctx = new_ctx();
    shape q = {2, 2, 2, 2, positive, 2};
    const heed_figure_options o = {.robust = 100};
    heed_image *p = picture(ctx, &q, o, NULL);
    const int one = count(p, 1, "blues");
    const double areas[][2] = {{.25, 5}, {.5, 4}, {.75, 2}};
    assert_true(one > 120 * 120);
    for (int k = 0; k < 3; k++) {
        const int n = count(p, areas[k][0], "blues");
        if (fabs(n - areas[k][1] * one) > 0.02 * one * areas[k][1])
            fail_msg("%g: %d pixels, one cell has %d", areas[k][0], n, one);
    }
    heed_image_free(ctx, p);
    q.value = mixed;
    p = picture(ctx, &q, o, NULL);
    assert_int_equal(count(p, 1, "rdbu_r") > one / 2, 1);
    assert_true(abs(count(p, -.25, "rdbu_r") - 3 * one) < one / 10);
    assert_true(abs(count(p, .25, "rdbu_r") - 2 * one) < one / 10);
    heed_image_free(ctx, p);
    heed_ctx_free(ctx);
}

/* Layers without a map have the room of one, and are crossed. */
static void layers_without_maps(void **state)
{
    (void)state;
    static const int32_t without[] = {0, 5};
    heed_ctx *ctx = new_ctx();
    const shape q = {2, 3, 6, 6, .step = 6};
    const heed_figure_options o = {.scale = 1};
    heed_image *a = picture(ctx, &q, o, NULL);
    heed_image *b = picture(ctx, &q, o, without);
    heedi_sheet s;
    assert_int_equal(heedi_sheet_init(&s, ctx, 2, 3, 6, 6, &o), HEED_OK);
    assert_true(fabs((double)(b->height - a->height) - 2 * (s.height + s.gap)) <
                2.5);
    heed_image_free(ctx, a);
    heed_image_free(ctx, b);
    heed_ctx_free(ctx);
}

/* Ink in columns from..to of a picture. */
static int64_t ink(const heed_image *p, int64_t from, int64_t to)
{
    int64_t n = 0;
    for (int64_t y = 0; y < p->height; y++)
        for (int64_t i = 3 * from; i < 3 * to; i++)
            n += p->rgb[3 * y * p->width + i] != 255;
    return n;
}

/* Whatever the page and the text, nothing leaves the page; what cannot be
 * written on it is refused before there are maps. */
static void margins(void **state)
{
    (void)state;
    enum { HALF = 14, THIN = 4 };
    static const double width[] = {200, 400, 0}, font[] = {8, 24, 32};
    static const double value[6 * 16] = {1,   0,  0, 0,   .3,  .2, 0,  0,  0.1,
                                         0.6, .4, 0, .01, .04, .2, .9, 0.1};
    heed_ctx *ctx = new_ctx();
    for (int i = 0; i < 3 * 3 * 2 * 2; i++) {
        const int64_t heads = i % 2 ? 1 : 6;
        const shape q = {heads == 1 ? 6 : 1,       heads, 4, 4,
                         i / 2 % 2 ? value : NULL, 4};
        const heed_figure_options o = {.scale = 1,
                                       .robust = 80,
                                       .width = width[i / 4 % 3],
                                       .min_font = font[i / 12]};
        heedi_sheet s;
        if (o.width == 200 && o.min_font == 32) {
            assert_int_equal(heedi_sheet_init(&s, ctx, 6, 1, 4, 4, &o),
                             HEED_EINVAL);
            assert_non_null(strstr(heed_error(ctx), "choose smaller text"));
            continue;
        }
        heed_image *p = picture(ctx, &q, o, NULL);
        const int64_t right =
            ink(p, p->width - (heads == 1 ? HALF : THIN), p->width);
        if (ink(p, 0, HALF) > 0 || right > 0 ||
            p->width > (int64_t)(o.width > 0 ? o.width : HEEDI_PAGE_WIDTH))
            fail_msg("%lld heads, page of %g px, text of %g px: %lld at the "
                     "right edge",
                     (long long)heads, o.width, o.min_font, (long long)right);
        heed_image_free(ctx, p);
    }
    heed_ctx_free(ctx);
}

/* Of one head each, layers follow each other like words, near a square; rows of
 * several heads are cut into blocks if they would be a tower. */
static void layouts(void **state)
{
    (void)state;
    static const struct {
        int64_t layers, heads, blocks, lines;
    } row[] = {{2, 1, 2, 1},   {4, 1, 2, 2},    {24, 1, 5, 5},  {4, 6, 1, 4},
               {30, 9, 2, 15}, {12, 12, 1, 12}, {32, 32, 1, 32}};
    heed_ctx *ctx = new_ctx();
    const heed_figure_options o = {0};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        heedi_sheet s;
        assert_int_equal(
            heedi_sheet_init(&s, ctx, row[i].layers, row[i].heads, 50, 50, &o),
            HEED_OK);
        if (s.blocks != row[i].blocks || s.lines != row[i].lines)
            fail_msg("%d: %lld blocks of %lld lines", (int)i,
                     (long long)s.blocks, (long long)s.lines);
    }
    heed_ctx_free(ctx);
}

static bool reads_files(void)
{
    const heed_format_info *f;
    for (int i = 0; (f = heed_format_at(i)); i++)
        if (f->reads)
            return true;
    return false;
}

int main(void)
{
    folder_open();
    const struct CMUnitTest always[] = {
        test(cells_are_the_greatest),
        test(memory_is_bounded),
        test(one_map_stays),
        test(refusals),
        test(fails_without_memory),
        test(bad_pools),
        test(layouts),
    };
    const struct CMUnitTest files[] = {test(files_in_slabs)};
    const struct CMUnitTest drawn[] = {test(whole_or_in_pieces), test(pixels),
                                       test(layers_without_maps),
                                       test(margins)};
    int bad = cmocka_run_group_tests_name(__FILE__, always, NULL, NULL);
    if (reads_files())
        bad += cmocka_run_group_tests_name("files", files, NULL, NULL);
    if (heed_figure_at(0))
        bad += cmocka_run_group_tests_name("pictures", drawn, NULL, NULL);
    return folder_close(bad);
}
