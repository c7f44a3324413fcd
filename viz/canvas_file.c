/* canvas_file.c - a page becomes PNG, SVG or PDF: equal pages, equal bytes. */
#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <heed/version.h>
#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "canvas.h"
#include "canvas_svg.h"

/* ---- contexts ------------------------------------------------------------ */

/* Shapes of letters do not depend on the output: no hinting, no environment. */
static void set_fonts(heedi_canvas *c)
{
    cairo_font_options_t *o = cairo_font_options_create();
    cairo_font_options_set_antialias(o, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(o, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(o, CAIRO_HINT_METRICS_OFF);
    pango_cairo_context_set_font_options(c->pango, o);
    cairo_font_options_destroy(o);
    pango_cairo_context_set_resolution(c->pango, 96);
    pango_context_set_language(c->pango, pango_language_from_string("en"));
    pango_context_set_base_dir(c->pango, PANGO_DIRECTION_LTR);
    pango_context_set_round_glyph_positions(c->pango, FALSE);
}

static heed_status draw_on(heedi_picture *p, const heedi_figure *f,
                           PangoFontMap *fonts, cairo_surface_t *s,
                           double scale, heedi_canvas *c)
{
    heed_status st;
    c->ctx = p->ctx;
    c->min_font = p->o.min_font;
    c->cr = cairo_create(s);
    c->pango = pango_font_map_create_context(fonts);
    set_fonts(c);
    cairo_scale(c->cr, scale, scale);
    cairo_set_source_rgb(c->cr, 1, 1, 1);
    cairo_paint(c->cr);
    *p->low = *p->high = '\0';
    st = f->draw(p, c);
    cairo_status_t bad = cairo_status(c->cr);
    if (st == HEED_OK && bad == CAIRO_STATUS_NO_MEMORY)
        st = heedi_fail(p->ctx, HEED_ENOMEM, "no memory for the picture");
    else if (st == HEED_OK && bad != CAIRO_STATUS_SUCCESS)
        st = heedi_fail(p->ctx, HEED_EINTERNAL, "Cairo: %s",
                        cairo_status_to_string(bad));
    g_object_unref(c->pango);
    cairo_destroy(c->cr);
    return st;
}

void heedi_picture_range(heedi_picture *p, double low, double high)
{
    char a[32], b[32];
    size_t m = strlen(p->low), n = strlen(p->high);
    snprintf(a, sizeof a, "%s%.9g", m ? " " : "", low);
    snprintf(b, sizeof b, "%s%.9g", n ? " " : "", high);
    if (m + strlen(a) >= sizeof p->low || n + strlen(b) >= sizeof p->high)
        return;
    strcpy(p->low + m, a);
    strcpy(p->high + n, b);
}

/* "explanations/attn_lrp of SmolLM2-135M", of each part. */
static void write_source(char *out, size_t size, const heedi_picture *p)
{
    size_t n = 0;
    for (int64_t i = 0; i < p->n_parts && n + 1 < size; i++) {
        const char *model = heed_result_str(p->part[i].r, "", "model_name");
        int wrote =
            snprintf(out + n, size - n, "%s%s%s%s", i ? "; " : "",
                     p->part[i].group, model ? " of " : "", model ? model : "");
        n += wrote > 0 ? (size_t)wrote : 0;
    }
}

/* ---- PNG ----------------------------------------------------------------- */

typedef struct png_job {
    heed_ctx *ctx;
    heedi_out *o;
    cairo_surface_t *s;
    unsigned char *row;
    png_text *text;
    int n_text;
    double scale;
} png_job;

static void png_bytes(png_structp png, png_bytep p, size_t n)
{
    png_job *j = png_get_io_ptr(png);
    heedi_out_bytes(j->o, p, n);
    if (j->o->err)
        png_error(png, "write");
}

static void png_nothing(png_structp png)
{
    (void)png;
}

static void png_quiet(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void png_fail(png_structp png, png_const_charp text)
{
    (void)text;
    png_longjmp(png, 1);
}

static png_voidp png_get(png_structp png, png_alloc_size_t n)
{
    const png_job *j = png_get_mem_ptr(png);
    return heedi_alloc(j->ctx, n);
}

static void png_put(png_structp png, png_voidp p)
{
    const png_job *j = png_get_mem_ptr(png);
    heedi_free(j->ctx, p);
}

/* Holds nothing that a longjmp() could lose. */
static bool png_write_all(png_structp png, png_infop info, const png_job *j)
{
    if (setjmp(png_jmpbuf(png)))
        return false;
    int w = cairo_image_surface_get_width(j->s);
    int h = cairo_image_surface_get_height(j->s);
    int stride = cairo_image_surface_get_stride(j->s);
    const unsigned char *data = cairo_image_surface_get_data(j->s);
    png_uint_32 per_metre = (png_uint_32)lrint(96 * j->scale / 0.0254);
    png_set_IHDR(png, info, (png_uint_32)w, (png_uint_32)h, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    /* Flat areas and letters: whole rows repeat, and a filter hides it. */
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
    png_set_compression_level(png, 9);
    png_set_pHYs(png, info, per_metre, per_metre, PNG_RESOLUTION_METER);
    png_set_text(png, info, j->text, j->n_text);
    png_write_info(png, info);
    for (int y = 0; y < h; y++) {
        const unsigned char *from = data + (size_t)y * (size_t)stride;
        for (int x = 0; x < w; x++) {
            uint32_t pixel;
            memcpy(&pixel, from + 4 * (size_t)x, sizeof pixel);
            j->row[3 * x] = (unsigned char)(pixel >> 16);
            j->row[3 * x + 1] = (unsigned char)(pixel >> 8);
            j->row[3 * x + 2] = (unsigned char)pixel;
        }
        png_write_row(png, j->row);
    }
    png_write_end(png, info);
    return true;
}

static heed_status write_png(heedi_picture *p, heedi_out *o, cairo_surface_t *s)
{
    char source[512];
    char keys[5][16] = {"Software", "heed:cmap", "heed:vmin", "heed:vmax",
                        "heed:source"};
    char version[] = "heed " HEED_VERSION, cmap[32];
    snprintf(cmap, sizeof cmap, "%s", p->cmap ? p->cmap->name : "");
    write_source(source, sizeof source, p);
    char *values[5] = {version, cmap, p->low, p->high, source};
    png_text text[5];
    memset(text, 0, sizeof text);
    for (int i = 0; i < 5; i++) {
        text[i].compression =
            i == 4 ? PNG_ITXT_COMPRESSION_NONE : PNG_TEXT_COMPRESSION_NONE;
        text[i].key = keys[i];
        text[i].text = values[i];
        text[i].lang = text[i].lang_key = keys[0] + 8; /* "" */
    }
    png_job j = {p->ctx, o, s, NULL, text, 5, p->o.scale};
    j.row = heedi_alloc(p->ctx, 3 * (size_t)cairo_image_surface_get_width(s));
    if (!j.row)
        return HEED_ENOMEM;
    png_structp png = png_create_write_struct_2(
        PNG_LIBPNG_VER_STRING, &j, png_fail, png_quiet, &j, png_get, png_put);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    heed_status st = HEED_OK;
    if (info) {
        png_set_write_fn(png, &j, png_bytes, png_nothing);
        if (!png_write_all(png, info, &j) && !o->err)
            st = heedi_fail(p->ctx, HEED_ENOMEM, "no memory for the picture");
    } else {
        st = HEED_ENOMEM;
    }
    png_destroy_write_struct(&png, &info);
    heedi_free(p->ctx, j.row);
    return st;
}

/* ---- surfaces ------------------------------------------------------------ */

/* Always succeeds: the output remembers its failure, and Cairo loses memory
 * when it is told of one. */
static cairo_status_t stream(void *ud, const unsigned char *p, unsigned n)
{
    heedi_out_bytes(ud, p, n);
    return CAIRO_STATUS_SUCCESS;
}

static cairo_status_t collect(void *ud, const unsigned char *p, unsigned n)
{
    heedi_svg_add(ud, p, n);
    return CAIRO_STATUS_SUCCESS;
}

/* The time in a PDF, which needs one: SOURCE_DATE_EPOCH, else always the
 * same. */
static void set_date(cairo_surface_t *s)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    time_t t = epoch ? (time_t)strtoll(epoch, NULL, 10) : 946684800;
    struct tm tm;
    char text[32] = "2000-01-01T00:00:00Z";
    if (gmtime_r(&t, &tm))
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    cairo_pdf_surface_set_metadata(s, CAIRO_PDF_METADATA_CREATE_DATE, text);
    cairo_pdf_surface_set_metadata(s, CAIRO_PDF_METADATA_CREATOR,
                                   "heed " HEED_VERSION);
}

/* In px for PNG, in points otherwise. */
static cairo_surface_t *new_surface(const heedi_picture *p, heedi_out *o,
                                    heedi_svg *svg, double *scale)
{
    *scale = p->kind == HEEDI_PNG   ? p->o.scale
             : p->kind == HEEDI_PDF ? 0.75
                                    : 1;
    double w = p->width * *scale, h = p->height * *scale;
    cairo_surface_t *s;
    if (p->kind == HEEDI_PNG)
        return cairo_image_surface_create(CAIRO_FORMAT_RGB24,
                                          (int)fmin(ceil(w), 1e9),
                                          (int)fmin(ceil(h), 1e9));
    if (p->kind == HEEDI_PDF) {
        s = cairo_pdf_surface_create_for_stream(stream, o, w, h);
        set_date(s);
        return s;
    }
    s = cairo_svg_surface_create_for_stream(collect, svg, w, h);
    cairo_svg_surface_set_document_unit(s, CAIRO_SVG_UNIT_PX);
    return s;
}

static heed_status paint(heedi_picture *p, const heedi_figure *f,
                         PangoFontMap *fonts, heedi_canvas *c, heedi_out *o)
{
    double scale;
    heedi_svg svg = {.ctx = p->ctx};
    cairo_surface_t *s = new_surface(p, o, &svg, &scale);
    heed_status st = HEED_OK;
    if (cairo_surface_status(s) == CAIRO_STATUS_INVALID_SIZE)
        st = heedi_fail(p->ctx, HEED_EINVAL,
                        "a picture of %.0f x %.0f pixels is too large; a "
                        "smaller scale, or .svg, will do",
                        p->width * scale, p->height * scale);
    else if (cairo_surface_status(s) != CAIRO_STATUS_SUCCESS)
        st = heedi_fail(p->ctx, HEED_ENOMEM, "no memory for the picture");
    if (st == HEED_OK)
        st = draw_on(p, f, fonts, s, scale, c);
    if (st == HEED_OK && p->kind == HEEDI_PNG) {
        cairo_surface_flush(s);
        st = write_png(p, o, s);
    }
    cairo_surface_finish(s);
    cairo_surface_destroy(s);
    heed_status end = heedi_svg_write(&svg, o);
    return st == HEED_OK ? end : st;
}

heed_status heedi_canvas_render(heedi_picture *p, const heedi_figure *f,
                                const heedi_place *place)
{
    heedi_out o;
    heedi_canvas c = {0};
    PangoFontMap *fonts = pango_cairo_font_map_new();
    cairo_surface_t *nothing =
        cairo_recording_surface_create(CAIRO_CONTENT_COLOR_ALPHA, NULL);
    heed_status st = draw_on(p, f, fonts, nothing, 1, &c);
    cairo_surface_destroy(nothing);
    if (st == HEED_OK)
        st = heedi_out_open(&o, p->ctx, place);
    if (st == HEED_OK) {
        st = paint(p, f, fonts, &c, &o);
        heed_status end = heedi_out_close(&o, p->ctx, place);
        st = st == HEED_OK ? end : st;
    }
    g_object_unref(fonts);
    return st;
}
