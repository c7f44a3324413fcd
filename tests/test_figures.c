#include "folder.h"

#include <signal.h>
#include <sys/resource.h>

#include "color.h"
#include "explained.h"
#include "sample.h"

static const char *const extension[] = {".png", ".svg", ".pdf"};
static int warnings;
static char last_warning[512];

/* name and extension together are a name */
static const char *in_folder_as(const char *name, const char *ext)
{
    char whole[64];
    snprintf(whole, sizeof whole, "%s%s", name, ext);
    return in_folder(whole);
}

static void listen(void *ud, const char *text)
{
    (void)ud;
    warnings++;
    snprintf(last_warning, sizeof last_warning, "%s", text);
}

static heed_result *sample_result(heed_ctx *ctx)
{
    heed_result *r;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    heed_sink s = heed_result_sink(r);
    assert_int_equal(sample_all(&s, ctx, 12), HEED_OK);
    assert_int_equal(sample_positions(&s, ctx), HEED_OK);
    assert_int_equal(sample_pixels(&s, ctx), HEED_OK);
    return r;
}

/* ---- colours ------------------------------------------------------------- */

static void lightness(void **state)
{
    (void)state;
    const heedi_cmap *m;
    for (int i = 0; (m = heedi_cmap_at(i)); i++) {
        int turns = 0;
        double before = heedi_lightness(heedi_cmap_color(m, 0));
        double sign = heedi_lightness(heedi_cmap_color(m, 1)) - before;
        if (m->diverging)
            assert_int_equal(heedi_rgb_hex(heedi_cmap_color(m, 0)), 0xffffff);
        for (int k = 1; k <= 100; k++) {
            double x = k / 100.0;
            double up = heedi_lightness(heedi_cmap_color(m, x));
            turns += (up - before) * sign < 0;
            before = up;
            if (m->diverging) {
                double down = heedi_lightness(heedi_cmap_color(m, -x));
                assert_true(fabs(up - down) <= 5);
                assert_true(down <
                            heedi_lightness(heedi_cmap_color(m, -x + 0.01)));
            }
        }
        assert_int_equal(turns, 0);
        assert_ptr_equal(heedi_cmap_named(m->name), m);
        assert_string_equal(heed_cmap_at(i), m->name);
        assert_true(heed_cmap_known(m->name));
    }
    assert_null(heedi_cmap_named("jet"));
    assert_false(heed_cmap_known("jet"));
    assert_null(heed_cmap_at(-1));
    assert_null(heedi_cmap_at(-1));
    m = heedi_cmap_named("RdBu_r");
    assert_int_equal(heedi_rgb_hex(heedi_cmap_color(m, -1)), 0x2166ac);
    assert_int_equal(heedi_rgb_hex(heedi_cmap_color(m, 1)), 0xb2182b);
    assert_int_equal(heedi_rgb_hex(heedi_cmap_color(m, 7)), 0xb2182b);
}

static void ink_has_contrast(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x1000000; c += 0x0b0d11) {
        heedi_rgb back = heedi_rgb_of(c);
        double y = heedi_luminance(back);
        double t = heedi_luminance(heedi_ink(back));
        double ratio = (fmax(y, t) + 0.05) / (fmin(y, t) + 0.05);
        assert_true(ratio >= 4.5);
        assert_int_equal(heedi_rgb_hex(back), c);
    }
}

/* ---- terminal ------------------------------------------------------------ */

/* Columns of the widest line, without escape codes; ASCII only. */
static int widest(const char *s)
{
    int most = 0, n = 0;
    for (; *s; s++) {
        if (*s == '\033')
            s += strcspn(s, "m");
        else if (*s == '\n')
            n = 0;
        else
            most = ++n > most ? n : most;
    }
    return most;
}

static void terminal(void **state)
{
    (void)state;
    static const char *const word[] = {"The", " capital", " of",  " France",
                                       " is", " a",       " city"};
    heed_ctx *ctx = new_ctx();
    heed_result *r = explain(ctx, word, 7, NULL);
    heed_figure_options o = {.cmap = "bwr"};
    char *text;
    assert_int_equal(
        heed_terminal_heat(&text, ctx, r, "explanations/x", 20, &o), HEED_OK);
    assert_non_null(strstr(text, "\033[48;2;216;0;0m"));
    assert_non_null(strstr(text, " capital"));
    assert_true(widest(strstr(text, "The")) >= 10);
    char *bar = strstr(text, "\xe2\x88\x92"
                             "2.00");
    assert_non_null(bar);
    *bar = '\0';
    assert_true(widest(text) <= 20);
    heed_text_free(ctx, text);
    assert_int_equal(heed_terminal_heat(&text, ctx, r, "explanations/x", 5, &o),
                     HEED_EINVAL);
    assert_null(text);
    assert_int_equal(heed_terminal_heat(&text, ctx, r, "nothing", 50, NULL),
                     HEED_EINVAL);
    heed_result_free(r);

    /* parts of one character are one piece, with their sum */
    const char *const part[] = {"a", "\xf0\x9f", "\x98\x80"};
    const heed_real x[] = {1, (heed_real)0.25, (heed_real)0.75};
    r = explain(ctx, part, 3, x);
    assert_int_equal(
        heed_terminal_heat(&text, ctx, r, "explanations/x", 40, &o), HEED_OK);
    assert_non_null(strstr(text, "\033[48;2;216;0;0m\033[38;2;255;255;255m"
                                 "\xf0\x9f\x98\x80\033[0m"));
    heed_text_free(ctx, text);
    heed_result_free(r);
    heed_ctx_free(ctx);
}

/* ---- pictures ------------------------------------------------------------ */

/* What there is in the sample for a figure to draw: parts of one that draws
 * several, else the first of them. */
enum { N_PARTS = 3 };
static int64_t parts_of(heed_figure_part part[N_PARTS],
                        const heed_figure_info *f, const heed_result *r)
{
    const heed_figure_part relevance[N_PARTS] = {
        {r, "explanations/attn_lrp", 0},
        {r, "explanations/input_x_gradient", 0},
        {r, "explanations/input_x_gradient", 1}};
    memcpy(part, relevance, sizeof relevance);
    static const char *const other[] = {"explanations/input_x_gradient",
                                        "explanations/pa_lrp",
                                        "explanations/saliency", "attention"};
    for (int i = 0; i < 4 && !heed_figure_fits(f, r, part[0].group); i++)
        part[0] = (heed_figure_part){r, other[i], 0};
    return f->several ? N_PARTS : 1;
}

static void same_result_same_bytes(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_result *r = sample_result(ctx);
    heed_figure_options o = {.layer = 7, .head = 1};
    const heed_figure_info *f;
    heed_figure_part part[N_PARTS];
    for (int i = 0; (f = heed_figure_at(i)); i++) {
        const int64_t n = parts_of(part, f, r);
        for (int e = 0; e < 3; e++) {
            const char *a = in_folder_as("same", extension[e]);
            const char *b = in_folder_as("again", extension[e]);
            o.force = 1;
            assert_int_equal(
                heed_figure_draw_parts(ctx, f->name, a, part, n, &o), HEED_OK);
            sleep(i + e == 0);
            assert_int_equal(
                heed_figure_draw_parts(ctx, f->name, b, part, n, &o), HEED_OK);
            assert_same_bytes(a, b);
            o.force = 0;
            assert_int_equal(
                heed_figure_draw_parts(ctx, f->name, b, part, n, &o),
                HEED_EOUTPUT);
        }
    }
    heed_result_free(r);
    heed_ctx_free(ctx);
}

static void png_says_how(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_result *r = sample_result(ctx);
    const char *path = in_folder_as("text", ".png");
    const heed_figure_options o = {.cmap = "prgn", .width = 400, .scale = 3};
    static const char *const want[] = {"Software",
                                       "heed:cmap",
                                       "prgn",
                                       "heed:vmin",
                                       "heed:vmax",
                                       "heed:source",
                                       "explanations/attn_lrp"};
    size_t n;
    assert_int_equal(heed_figure_draw(ctx, "token_heat", path, r,
                                      "explanations/attn_lrp", &o),
                     HEED_OK);
    char *p = whole_file(path, &n);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        assert_non_null(memmem(p, n, want[i], strlen(want[i])));
    assert_null(memmem(p, n, "tIME", 4));
    const unsigned char *width = (const unsigned char *)p + 16;
    assert_int_equal(width[2] << 8 | width[3], 1200);
    free(p);
    heed_result_free(r);
    heed_ctx_free(ctx);
}

/* Several explanations in one picture: the range of each is told (the two parts
 * of the emoji are one piece of 0.95), and a page
 * that is wide enough has them side by side. */
static void compared(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_result *r = sample_result(ctx);
    const heed_figure_info *f;
    for (int i = 0; (f = heed_figure_at(i)); i++) {
        if (!f->several)
            continue;
        heed_figure_part part[N_PARTS];
        unsigned height[2];
        const int64_t n = parts_of(part, f, r);
        for (int k = 0; k < 2; k++) {
            const heed_figure_options o = {
                .width = k ? 1400 : 300, .scale = 1, .force = 1};
            const char *path = in_folder_as("side", ".png");
            size_t size;
            assert_int_equal(
                heed_figure_draw_parts(ctx, f->name, path, part, n, &o),
                HEED_OK);
            char *p = whole_file(path, &size);
            const unsigned char *at = (const unsigned char *)p + 20;
            height[k] = (unsigned)(at[2] << 8 | at[3]);
            assert_non_null(memmem(p, size, " -1 -1", 6));
            assert_non_null(
                memmem(p, size, "explanations/attn_lrp of SmolLM2", 32));
            assert_non_null(
                memmem(p, size, "; explanations/input_x_gradient of", 34));
            free(p);
        }
        assert_true(height[0] > 2 * height[1]);
        const heed_figure_options bad = {.cmap = "jet"};
        assert_int_equal(heed_figure_draw_parts(ctx, f->name,
                                                in_folder_as("side", ".svg"),
                                                part, n, &bad),
                         HEED_EINVAL);
        part[1].target = 2;
        assert_int_equal(heed_figure_draw_parts(ctx, f->name,
                                                in_folder_as("side", ".svg"),
                                                part, n, NULL),
                         HEED_EINVAL);
        assert_non_null(strstr(heed_error(ctx), "target 2"));
    }
    heed_result_free(r);
    heed_ctx_free(ctx);
}

static void how_many_parts(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_result *r = sample_result(ctx);
    const heed_figure_info *f;
    for (int i = 0; (f = heed_figure_at(i)); i++) {
        heed_figure_part part[N_PARTS];
        const char *path = in_folder_as("many", ".svg");
        parts_of(part, f, r);
        assert_int_equal(
            heed_figure_draw_parts(ctx, f->name, path, part, 0, NULL),
            HEED_EINVAL);
        if (!f->several)
            assert_int_equal(
                heed_figure_draw_parts(ctx, f->name, path, part, 2, NULL),
                HEED_EINVAL);
        assert_non_null(strstr(heed_error(ctx), f->name));
        assert_int_equal(access(path, F_OK), -1);
    }
    heed_result_free(r);
    heed_ctx_free(ctx);
}

static void refusals(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_result *r = sample_result(ctx);
    static const char *const g = "explanations/attn_lrp";
    const struct {
        const char *figure, *path, *group, *word;
        heed_figure_options o;
        heed_status st;
    } row[] = {
        {"pie", "x.png", g, "pie", {0}, HEED_EINVAL},
        {"token_heat", "x.jpg", g, ".png", {0}, HEED_ENOTSUP},
        {"token_heat", "no/x.png", g, "no/x.png", {0}, HEED_EOUTPUT},
        {"token_heat", "x.png", "none", "none", {0}, HEED_EINVAL},
        {"token_heat", "x.png", g, "jet", {.cmap = "jet"}, HEED_EINVAL},
        {"token_heat", "x.png", g, "width", {.width = 10}, HEED_EINVAL},
        {"token_heat", "x.png", g, "range", {.vmin = 1}, HEED_EINVAL},
        {"token_heat", "x.png", g, "robust", {.robust = 101}, HEED_EINVAL},
        {"token_heat", "x.png", g, "target", {.target = 1}, HEED_EINVAL},
        {"attention", "x.png", "attention", "3, 7", {.layer = 5}, HEED_EINVAL},
        {"attention", "x.png", g, "attention", {0}, HEED_EINVAL},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const char *path = in_folder_as(row[i].path, "");
        assert_int_equal(heed_figure_draw(ctx, row[i].figure, path, r,
                                          row[i].group, &row[i].o),
                         row[i].st);
        assert_non_null(strstr(heed_error(ctx), row[i].word));
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(access(in_folder_as(row[i].path, ".part"), F_OK), -1);
    }
    heed_result_free(r);
    const char *const word[] = {"a", " b"};
    const heed_real x[] = {1, (heed_real)NAN};
    r = explain(ctx, word, 2, x);
    assert_int_equal(heed_figure_draw(ctx, "token_heat",
                                      in_folder_as("nan", ".svg"), r,
                                      "explanations/x", NULL),
                     HEED_ENUMERIC);
    heed_result_free(r);
    heed_ctx_free(ctx);
}

/* Texts that are awkward; the page never gets wider than it should. */
static void awkward_texts(void **state)
{
    (void)state;
    static const char *const text[][4] = {
        {"\n", "\r\n", "\t", "\n"},
        {" ", "  ", "\x01", "x"},
        {"\xd8\xb9\xd8\xa7\xd8\xb5", "\xd9\x85\xd8\xa9", " a ", " b"},
        {"\xe0\xa4\x95", "\xe0\xa5\x8d", "\xe0\xa4\xaf", "\xe0\xa4\xbe"},
        {"\xf0\x9f\x91\xa8", "\xe2\x80\x8d", "\xf0\x9f\x91\xa9", "!"},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "x",
         "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
         "y",
         "z", "\xe4\xb8\xad"},
        {"a", "", "", "b"},
        {"\xf0", "\x9f", "\x98", "\x80"},
    };
    heed_ctx *ctx = new_ctx();
    heed_ctx_listen(ctx, NULL, listen, NULL);
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        heed_result *r = explain(ctx, text[i], 4, NULL);
        heed_figure_options o = {.force = 1,
                                 .width = 240,
                                 .drop_first = 1,
                                 .robust = 50,
                                 .show_space = i % 2};
        char *heat;
        const heed_figure_info *f;
        for (int k = 0; (f = heed_figure_at(k)); k++)
            if (heed_figure_fits(f, r, "explanations/x"))
                assert_int_equal(heed_figure_draw(ctx, f->name,
                                                  in_folder_as("odd", ".svg"),
                                                  r, "explanations/x", &o),
                                 HEED_OK);
        assert_int_equal(
            heed_terminal_heat(&heat, ctx, r, "explanations/x", 12, &o),
            HEED_OK);
        heed_text_free(ctx, heat);
        heed_result_free(r);
    }
    /* a script that no font here should have: Anatolian hieroglyphs */
    const char *const rare[] = {"\xf0\x94\x90\x80", " a"};
    heed_result *r = explain(ctx, rare, 2, NULL);
    warnings = 0;
    assert_int_equal(heed_figure_draw(ctx, "token_heat",
                                      in_folder_as("rare", ".png"), r,
                                      "explanations/x", NULL),
                     HEED_OK);
    if (warnings)
        assert_non_null(strstr(last_warning, "U+14400"));
    heed_result_free(r);
    heed_ctx_free(ctx);
}

static void full_disk(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_result *r = sample_result(ctx);
    struct rlimit old;
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    for (int e = 0; e < 3; e++)
        for (rlim_t size = 0; size <= 9000; size += 3000) {
            struct rlimit lim = {size, old.rlim_max};
            const char *path = in_folder_as("full", extension[e]);
            setrlimit(RLIMIT_FSIZE, &lim);
            heed_status st = heed_figure_draw(ctx, "token_heat", path, r,
                                              "explanations/attn_lrp", NULL);
            setrlimit(RLIMIT_FSIZE, &old);
            assert_int_equal(st, HEED_EOUTPUT);
            assert_int_equal(access(path, F_OK), -1);
        }
    heed_result_free(r);
    heed_ctx_free(ctx);
}

static heed_status show(heed_ctx *ctx, heed_result **r)
{
    const heed_figure_options o = {.robust = 90};
    char *text = NULL;
    TRY_(heed_result_new(r, ctx));
    heed_sink s = heed_result_sink(*r);
    TRY_(sample_all(&s, ctx, 4));
    TRY_(sample_positions(&s, ctx));
    TRY_(sample_pixels(&s, ctx));
    TRY_(heed_terminal_heat(&text, ctx, *r, "explanations/attn_lrp", 40, &o));
    heed_text_free(ctx, text);
    return HEED_OK;
}

static void draw_without_memory(heed_ctx *ctx, ration *m, const heed_result *r,
                                const heed_figure_info *f)
{
    const heed_figure_options o = {.force = 1, .layer = 3, .robust = 90};
    const long live = m->out;
    heed_figure_part part[N_PARTS];
    const int64_t n = parts_of(part, f, r);
    heed_status st = HEED_ENOMEM;
    for (long k = 0; st != HEED_OK; k++) {
        m->calls = 0;
        m->fail_at = k + 1;
        st = heed_figure_draw_parts(ctx, f->name, in_folder_as("nomem", ".png"),
                                    part, n, &o);
        m->fail_at = 0;
        assert_true(st == HEED_OK || st == HEED_ENOMEM);
        assert_int_equal(m->out, live);
    }
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    heed_status st = HEED_ENOMEM;
    for (long n = 0; st != HEED_OK; n++) {
        ration m = {.fail_at = n + 1, .last = true};
        heed_allocator alloc = {ration_resize, &m};
        heed_ctx *ctx;
        heed_result *r = NULL;
        const heed_figure_info *f;
        st = heed_ctx_new(&ctx, &alloc);
        if (st == HEED_OK)
            st = show(ctx, &r);
        assert_true(st == HEED_OK || st == HEED_ENOMEM);
        for (int i = 0; st == HEED_OK && (f = heed_figure_at(i)); i++)
            draw_without_memory(ctx, &m, r, f);
        heed_result_free(r);
        heed_ctx_free(ctx);
        assert_int_equal(m.out, 0);
    }
}

static void no_cairo(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_result *r = sample_result(ctx);
    assert_int_equal(heed_figure_draw(ctx, "token_heat",
                                      in_folder_as("x", ".png"), r,
                                      "explanations/attn_lrp", NULL),
                     HEED_ENOTSUP);
    assert_non_null(strstr(heed_error(ctx), "Cairo"));
    heed_result_free(r);
    heed_ctx_free(ctx);
}

int main(void)
{
    folder_open();
    const struct CMUnitTest everywhere[] = {
        test(lightness),
        test(ink_has_contrast),
        test(terminal),
        test(every_allocation_fails_once),
    };
    const struct CMUnitTest with[] = {
        test(same_result_same_bytes),
        test(png_says_how),
        test(compared),
        test(how_many_parts),
        test(refusals),
        test(awkward_texts),
        test(full_disk),
    };
    const struct CMUnitTest without[] = {test(no_cairo)};
    int bad = cmocka_run_group_tests_name(__FILE__, everywhere, NULL, NULL);
    bad += heed_figure_at(0)
               ? cmocka_run_group_tests_name("figures", with, NULL, NULL)
               : cmocka_run_group_tests_name("no Cairo", without, NULL, NULL);
    return folder_close(bad);
}
