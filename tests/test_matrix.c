/* One attention matrix: which values its range of colours covers, and what its
 * title says it is of. */
#include "folder.h"

#include "matrix.h"
#include "sample.h"

static const char group[] = "attention";
enum { N = 4 };

/* Of a softmax that falls on the first key; row 2 of the second token. */
static const double causal[N * N] = {1,  0,   0,   0, .8, .2,  0,   0,
                                     .6, .15, .25, 0, .5, .05, .05, .4};

typedef struct shape {
    int64_t rows;
    const int32_t *query;   /* NULL: all */
    const uint8_t *special; /* NULL: not known */
    const char *reduction;  /* NULL: none */
    const char *index, *kind;
    const int64_t *reduced;
    int64_t n_reduced, of;
} shape;

static heed_result *make(heed_ctx *ctx, const shape *q)
{
    heed_result *r;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    const heed_sink s = heed_result_sink(r);
    heed_var v = {.group = group,
                  .name = "attention",
                  .type = HEED_F64,
                  .nd = 4,
                  .dim = {"layer", "head", "query", "key"},
                  .len = {1, 1, q->rows, N}};
    double x[N * N];
    for (int64_t i = 0; i < q->rows; i++)
        memcpy(x + i * N, causal + (q->query ? q->query[i] : i) * N,
               N * sizeof *x);
    assert_int_equal(heed_put(&s, ctx, &v, x), HEED_OK);
    if (q->query)
        assert_int_equal(sample_put(&s, ctx, "", "query", HEED_I32, "query",
                                    q->rows, q->query),
                         HEED_OK);
    if (q->special)
        assert_int_equal(sample_put(&s, ctx, "input", "is_special", HEED_U8,
                                    "pos", N, q->special),
                         HEED_OK);
    if (q->reduction)
        assert_int_equal(
            heed_put_str(&s, ctx, group, "reduction", q->reduction), HEED_OK);
    if (q->index)
        assert_int_equal(heed_put_str(&s, ctx, group, "index", q->index),
                         HEED_OK);
    if (q->kind)
        assert_int_equal(heed_put_str(&s, ctx, group, "kind", q->kind),
                         HEED_OK);
    if (q->reduced)
        assert_int_equal(
            s.attr(s.ud, ctx, group, "reduced",
                   (heed_attr){HEED_I64, q->n_reduced, q->reduced}),
            HEED_OK);
    if (q->of)
        assert_int_equal(heed_put_int(&s, ctx, group, "reduced_of", q->of),
                         HEED_OK);
    return r;
}

/* ---- range --------------------------------------------------------------- */

static void ranges(void **state)
{
    (void)state;
    static const uint8_t last[N] = {0, 0, 0, 1}, first[N] = {1, 0, 0, 0};
    static const int32_t some[] = {0, 2, 3}, late[] = {2, 3};
    static const char zero[] = "position 0 not in the range";
    static const char special[] = "special tokens not in the range";
    static const struct {
        shape q;
        heed_figure_options o;
        double high;
        const char *words;
    } row[] = {
        {{.rows = N}, {0}, 1, ""},
        {{.rows = N}, {.drop_first = 1}, .4, zero},
        {{.rows = N}, {.drop_first = 1, .robust = 50}, .175, zero},
        {{.rows = N}, {.drop_first = 1, .vmax = .7}, .7, ""},
        {{.rows = N}, {.drop_special = 1}, 1, ""}, /* not known which */
        {{.rows = N, .special = first}, {.drop_special = 1}, .4, special},
        {{.rows = N, .special = last}, {.drop_special = 1}, 1, special},
        {{.rows = N, .special = last},
         {.drop_special = 1, .drop_first = 1},
         .25,
         "position 0 and special tokens not in the range"},
        /* rows by their positions, not by their places */
        {{.rows = 3, .query = some}, {.drop_first = 1}, .4, zero},
        {{.rows = 2, .query = late}, {0}, .6, ""},
        {{.rows = 2, .query = late}, {.drop_first = 1}, .4, zero},
        {{.rows = 2, .query = late, .special = last},
         {.drop_special = 1},
         .6,
         special},
    };
    heed_ctx *ctx = new_ctx();
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        heedi_matrix m;
        heed_result *r = make(ctx, &row[i].q);
        if (heedi_matrix_init(&m, ctx, r, group, &row[i].o) != HEED_OK)
            fail_msg("%d: %s", (int)i, heed_error(ctx));
        if (fabs(m.shades.high - row[i].high) > 1e-12)
            fail_msg("%d: to %g, not %g", (int)i, m.shades.high, row[i].high);
        assert_string_equal(m.dropped.words, row[i].words);
        assert_true(!*row[i].words || strstr(m.subtitle, row[i].words));
        heedi_matrix_clear(&m);
        heed_result_free(r);
    }
    heed_ctx_free(ctx);
}

/* A logarithmic range begins at the least value that counts. */
static void logarithmic(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    const shape q = {.rows = N};
    const heed_figure_options o = {.log = 1, .drop_first = 1};
    heed_result *r = make(ctx, &q);
    heedi_matrix m;
    assert_int_equal(heedi_matrix_init(&m, ctx, r, group, &o), HEED_OK);
    assert_close(m.shades.low, .05, 1e-12);
    assert_close(m.shades.high, .4, 1e-12);
    heedi_matrix_clear(&m);
    heed_result_free(r);
    heed_ctx_free(ctx);
}

/* The grid, whole and pooled: the range that a PNG says it has. */
static double grid_range(heed_ctx *ctx, const heed_result *r, int drop_first)
{
    size_t n;
    double high = -1;
    const char *path = in_folder("grid.png"), *at = NULL;
    const heed_figure_options o = {
        .robust = 100, .drop_first = drop_first, .force = 1};
    if (heed_figure_draw(ctx, "grid", path, r, group, &o) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    char *png = whole_file(path, &n);
    for (size_t i = 0; i + 12 < n && !at; i++)
        if (memcmp(png + i, "heed:vmax", 10) == 0)
            at = png + i + 10;
    assert_non_null(at);
    assert_int_equal(sscanf(at, "%lf", &high), 1);
    free(png);
    return high;
}

static void grids(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    const shape q = {.rows = N};
    heed_result *r = make(ctx, &q);
    assert_close(grid_range(ctx, r, 0), 1, 1e-9);
    assert_close(grid_range(ctx, r, 1), .4, 1e-9);
    heed_result_free(r);
    /* cells of two positions: those of position 0 do not count */
    static const int64_t pooled[4] = {N, N, 2, 2};
    static const double cell[4] = {1, 0, .6, .4};
    const heed_var v = {.group = group,
                        .name = "attention",
                        .type = HEED_F64,
                        .nd = 4,
                        .dim = {"layer", "head", "query_cell", "key_cell"},
                        .len = {1, 1, 2, 2}};
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    const heed_sink s = heed_result_sink(r);
    assert_int_equal(heed_put(&s, ctx, &v, cell), HEED_OK);
    assert_int_equal(
        s.attr(s.ud, ctx, group, "pooled", (heed_attr){HEED_I64, 4, pooled}),
        HEED_OK);
    assert_close(grid_range(ctx, r, 0), 1, 1e-9);
    assert_close(grid_range(ctx, r, 1), .4, 1e-9);
    heed_result_free(r);
    heed_ctx_free(ctx);
}

/* ---- labels -------------------------------------------------------------- */

/* Px from each slanted label to the next: glyphs on one line that are equally
 * far apart are their first ones. */
static double pitch_of_labels(const char *svg)
{
    enum { MOST = 8192 };
    static double x[MOST], y[MOST];
    double best = 0;
    int n = 0, most = 0;
    for (; (svg = strstr(svg, "<use xlink:href=\"#glyph")); svg++) {
        const char *at = strstr(svg, "x=\"");
        assert_true(n < MOST);
        assert_int_equal(sscanf(at, "x=\"%lf\" y=\"%lf\"", x + n, y + n), 2);
        n++;
    }
    for (int i = 0; i < n; i++) {
        double last = x[i], pitch = 0;
        int found = 1;
        bool even = true;
        for (int k = i + 1; k < n && even; k++) {
            if (fabs(y[k] - y[i]) > 1e-6)
                continue;
            even = found == 1 || fabs(x[k] - last - pitch) < 0.02;
            pitch = found == 1 ? x[k] - last : pitch;
            last = x[k];
            found++;
        }
        if (even && found > 3 &&
            (found > most || (found == most && pitch > best))) {
            most = found;
            best = pitch;
        }
    }
    return best;
}

/* Slanted lines of text lie apart by its height, whatever the room. */
static void labels(void **state)
{
    (void)state;
    static const int64_t tokens[] = {4, 33, 41, 60, 109, 300, 700};
    static const double width[] = {500, 760, 1100};
    heed_ctx *ctx = new_ctx();
    for (int i = 0; i < 7; i++) {
        heed_result *r;
        assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
        const heed_sink s = heed_result_sink(r);
        assert_int_equal(sample_attention(&s, ctx, tokens[i]), HEED_OK);
        for (int k = 0; k < 3; k++) {
            size_t n;
            const char *path = in_folder("labels.svg");
            const heed_figure_options o = {
                .layer = 3, .width = width[k], .force = 1};
            if (heed_figure_draw(ctx, "attention", path, r, group, &o) !=
                HEED_OK)
                fail_msg("%s", heed_error(ctx));
            char *svg = whole_file(path, &n);
            const double pitch = pitch_of_labels(svg);
            if (!(pitch * 0.7071 >= 9) || (i == 0 && fabs(pitch - 22) > 0.02))
                fail_msg("%d tokens, %g px: labels %g px apart", (int)tokens[i],
                         width[k], pitch);
            free(svg);
        }
        heed_result_free(r);
    }
    heed_ctx_free(ctx);
}

/* ---- title --------------------------------------------------------------- */

static void titles(void **state)
{
    (void)state;
    static const int64_t three[] = {3}, four[] = {3, 4, 5, 9};
    static const struct {
        shape q;
        const char *title;
    } row[] = {
        {{.rows = N}, "Attention, layer 0, head 0"},
        {{.rows = N, .reduction = "mean", .index = "head"},
         "Attention, layer 0, mean of heads"},
        {{N, NULL, NULL, "mean", "channel", "block", three, 1, 336},
         "Implicit attention, layer 0, channel 3"},
        {{N, NULL, NULL, "abs_mean", "channel", "core", three, 1, 336},
         "Implicit attention, layer 0, abs_mean of channel 3"},
        {{N, NULL, NULL, "mean", "channel", "block", four, 4, 336},
         "Implicit attention, layer 0, mean of 4 of 336 channels"},
        {{N, NULL, NULL, "mean", "head", "softmax", four, 4, 0},
         "Attention, layer 0, mean of 4 heads"},
        {{N, NULL, NULL, "mean", "head", "mixed", four, 4, 0},
         "Softmax and implicit attention, layer 0, mean of 4 heads or "
         "channels"},
        {{N, NULL, NULL, "mean", "head", "mixed", three, 1, 0},
         "Softmax and implicit attention, layer 0, head or channel 3"},
    };
    heed_ctx *ctx = new_ctx();
    const heed_figure_options o = {0};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        heedi_matrix m;
        heed_result *r = make(ctx, &row[i].q);
        if (heedi_matrix_init(&m, ctx, r, group, &o) != HEED_OK)
            fail_msg("%d: %s", (int)i, heed_error(ctx));
        assert_string_equal(m.title, row[i].title);
        heedi_matrix_clear(&m);
        heed_result_free(r);
    }
    heed_ctx_free(ctx);
}

int main(void)
{
    folder_open();
    const struct CMUnitTest always[] = {
        test(ranges),
        test(logarithmic),
        test(titles),
    };
    const struct CMUnitTest drawn[] = {test(grids), test(labels)};
    int bad = cmocka_run_group_tests(always, NULL, NULL);
    if (heed_figure_at(0))
        bad += cmocka_run_group_tests(drawn, NULL, NULL);
    return folder_close(bad);
}
