/* image_heat.c - a picture, the relevance of its patches over it, and that of
 * its pixels. */
#include <math.h>
#include <string.h>

#include "canvas_legend.h"
#include "field.h"

#define ROBUST 99.5 /* of the pixels */
static const double gap = 18, tallest = 420;
static const double shade = 0.3; /* of the picture under its patches */

typedef struct scene {
    heedi_view patch, pixel;  /* each with its own range */
    heedi_field token, at;    /* relevance of tokens; of pixels */
    const unsigned char *rgb; /* (height, width, 3), or NULL */
    int64_t height, width;
    int64_t rows, columns, patch_h, patch_w, learned;
} scene;

static heed_status picture(scene *s)
{
    const heedi_view *v = &s->patch;
    const heed_array *a = heed_result_get(v->r, "input", "image");
    s->height = s->at.n_rows;
    s->width = s->at.n_columns;
    if (a && a->var.type == HEED_U8 && a->var.nd == 3 &&
        a->var.len[0] == s->height && a->var.len[1] == s->width &&
        a->var.len[2] == 3)
        s->rgb = a->data;
    const struct {
        const char *key;
        int64_t *to, most;
    } grid[] = {{"patch_rows", &s->rows, s->height},
                {"patch_columns", &s->columns, s->width},
                {"patch_height", &s->patch_h, s->height},
                {"patch_width", &s->patch_w, s->width}};
    for (int i = 0; i < 4; i++) {
        double x = heed_result_num(v->r, "input", grid[i].key);
        if (!(x >= 1 && x <= (double)grid[i].most))
            return heedi_fail(v->ctx, HEED_EINVAL,
                              "%s: no picture, or none whose %s is known",
                              v->group, grid[i].key);
        *grid[i].to = (int64_t)x;
    }
    s->learned = v->n_tokens - s->rows * s->columns;
    if (s->learned >= 0 && s->rows * s->patch_h <= s->height &&
        s->columns * s->patch_w <= s->width)
        return HEED_OK;
    return heedi_fail(v->ctx, HEED_EINVAL,
                      "%s: %lld x %lld patches of %lld x %lld pixels do not "
                      "fit %lld tokens and %lld x %lld pixels",
                      v->group, (long long)s->rows, (long long)s->columns,
                      (long long)s->patch_h, (long long)s->patch_w,
                      (long long)v->n_tokens, (long long)s->height,
                      (long long)s->width);
}

/* Learned tokens are no part of the picture: they are listed below it. */
static heed_status ranges(scene *s, const heed_figure_options *o)
{
    heedi_view *v = &s->patch;
    heed_figure_options of_patches = *o, of_pixels = *o;
    if (o->robust == ROBUST)
        of_patches.robust = 100;
    of_pixels.vmin = of_pixels.vmax = 0;
    for (int64_t i = 0; i < v->n; i++)
        v->piece[i].drop |= v->piece[i].first < s->learned;
    HEEDI_TRY(heedi_view_range(v, &of_patches));
    return heedi_field_range(&s->at, &s->pixel, &of_pixels, false);
}

/* ---- the three panels ---------------------------------------------------- */

static heedi_rgb of_picture(const scene *s, int64_t y, int64_t x)
{
    const unsigned char *p = s->rgb + 3 * (y * s->width + x);
    return (heedi_rgb){p[0] / 255.0, p[1] / 255.0, p[2] / 255.0};
}

static heedi_rgb of_patch(const scene *s, int64_t y, int64_t x)
{
    const int64_t row = y / s->patch_h, column = x / s->patch_w;
    heedi_rgb c = heedi_rgb_of(0xffffff);
    if (row < s->rows && column < s->columns)
        c = heedi_view_color(
            &s->patch, heedi_field_at(&s->token, 0,
                                      s->learned + row * s->columns + column));
    if (!s->rgb)
        return c;
    const heedi_rgb p = of_picture(s, y, x);
    const double grey = 0.299 * p.r + 0.587 * p.g + 0.114 * p.b;
    const double light = 1 - shade + shade * grey;
    return (heedi_rgb){c.r * light, c.g * light, c.b * light};
}

static heedi_rgb of_pixel(const scene *s, int64_t y, int64_t x)
{
    return heedi_view_color(&s->pixel, heedi_field_at(&s->at, y, x));
}

typedef heedi_rgb color_fn(const scene *s, int64_t y, int64_t x);

static heed_status panel(const scene *s, heedi_canvas *c, color_fn *color,
                         double x, double y, double unit)
{
    const int w = (int)s->width, h = (int)s->height;
    cairo_surface_t *f = cairo_image_surface_create(CAIRO_FORMAT_RGB24, w, h);
    if (cairo_surface_status(f) != CAIRO_STATUS_SUCCESS) {
        cairo_surface_destroy(f);
        return heedi_fail(c->ctx, HEED_ENOMEM, "no memory for the picture");
    }
    const int stride = cairo_image_surface_get_stride(f);
    unsigned char *data = cairo_image_surface_get_data(f);
    for (int i = 0; i < h; i++)
        for (int k = 0; k < w; k++) {
            uint32_t pixel = heedi_rgb_hex(color(s, i, k));
            memcpy(data + i * stride + 4 * k, &pixel, sizeof pixel);
        }
    cairo_surface_mark_dirty(f);
    cairo_save(c->cr);
    cairo_translate(c->cr, x, y);
    cairo_scale(c->cr, unit, unit);
    cairo_set_source_surface(c->cr, f, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(c->cr), CAIRO_FILTER_NEAREST);
    cairo_paint(c->cr);
    cairo_restore(c->cr);
    cairo_surface_destroy(f);
    cairo_rectangle(c->cr, x, y, w * unit, h * unit);
    heedi_canvas_color(c, heedi_rgb_of(0xbbbbbb));
    cairo_set_line_width(c->cr, 0.6);
    cairo_stroke(c->cr);
    return HEED_OK;
}

/* ---- the whole ----------------------------------------------------------- */

/* Account, then what the colours do not show; returns the last baseline. */
static double remarks(scene *s, heedi_canvas *c, const heedi_picture *p,
                      double y)
{
    heedi_view *v = &s->patch;
    const double pitch = fmax(13, 1.25 * c->min_font);
    const char *account = heedi_view_account(v);
    const char *residual = heedi_view_residual(v);
    const char *outside = heedi_view_outliers(v);
    heedi_type t = heedi_remark_type;
    t.most = p->o.width - 2 * HEEDI_MARGIN;
    if (!account || !residual || !outside)
        return -1;
    if (*account || *residual)
        y = heedi_legend_remark(c, HEEDI_MARGIN, t.most, t.most, y, y, account,
                                residual);
    return *outside
               ? heedi_canvas_lines(c, HEEDI_MARGIN, *account ? y + pitch : y,
                                    pitch, t, outside)
               : y;
}

/* Words at the ends of a bar as wide as a panel: a long name is in the title
 * already. */
static heed_status shorten(scene *s, heedi_canvas *c, double room)
{
    heedi_view *both[] = {&s->patch, &s->pixel};
    for (int i = 0; i < 2; i++) {
        const char *low = heedi_view_low(both[i]);
        const char *high = heedi_view_high(both[i]);
        if (!low || !high)
            return HEED_ENOMEM;
        if (heedi_canvas_width(c, heedi_small_type, low) +
                heedi_canvas_width(c, heedi_small_type, high) + 14 >
            room)
            both[i]->target_text = both[i]->foil_text = NULL;
    }
    return HEED_OK;
}

static heed_status draw_scene(scene *s, heedi_picture *p, heedi_canvas *c)
{
    heedi_view *v = &s->patch;
    const struct {
        const char *name;
        color_fn *color;
        heedi_view *view;
    } all[] = {{"the picture, as the model reads it", of_picture, NULL},
               {"relevance of patches, over the picture", of_patch, &s->patch},
               {"relevance of pixels", of_pixel, &s->pixel}};
    const int first = s->rgb ? 0 : 1, n = 3 - first;
    const char *title = heedi_view_title(v, p->o.title);
    const char *source = heedi_view_source(v);
    const char *measure = heedi_view_measure(v);
    double most = 0, bottom = 0;
    for (int64_t i = 0; i < s->height; i++)
        for (int64_t k = 0; k < s->width; k++)
            most = fmax(most, fabs(heedi_field_at(&s->at, i, k)));
    const char *sub =
        source && measure
            ? heedi_arena_print(
                  &v->arena,
                  "%s%s%s \xc2\xb7 %lld \xc3\x97 %lld px, patches of %lld "
                  "\xc3\x97 %lld",
                  source, *source && *measure ? " \xc2\xb7 " : "", measure,
                  (long long)s->width, (long long)s->height,
                  (long long)s->patch_w, (long long)s->patch_h)
            : NULL;
    if (!title || !sub)
        return HEED_ENOMEM;
    const double room =
        (p->o.width - 2 * HEEDI_MARGIN - (n - 1) * gap) / (double)n;
    HEEDI_TRY(shorten(s, c, room));
    const double unit =
        fmin(room / (double)s->width, tallest / (double)s->height);
    const double label = fmax(9, c->min_font);
    const double y = ceil(heedi_heading(c, p, title, sub) + 16 + 1.2 * label);
    const double below = y + unit * (double)s->height;
    for (int i = first; i < 3; i++) {
        const double x = HEEDI_MARGIN + (i - first) * (room + gap);
        heedi_type t = heedi_small_type;
        t.most = room;
        heedi_canvas_text(c, x, y - 6, t, all[i].name);
        HEEDI_TRY(panel(s, c, all[i].color, x, y, unit));
        if (!all[i].view)
            continue;
        if (heedi_legend_bar(all[i].view, c, x, below + 12 + 1.3 * label,
                             room) < 0)
            return HEED_ENOMEM;
    }
    bottom = heedi_legend_base(c, below + 12 + 1.3 * label);
    const char *covers = heedi_view_covers(&s->pixel, &p->o, most);
    if (!covers)
        return HEED_ENOMEM;
    heedi_type t = heedi_small_type;
    t.most = room;
    if (*covers)
        bottom =
            heedi_canvas_lines(c, HEEDI_MARGIN + (2 - first) * (room + gap),
                               bottom + 1.5 * label, 1.3 * label, t, covers);
    bottom = remarks(s, c, p, bottom + 1.9 * label);
    if (bottom < 0)
        return HEED_ENOMEM;
    p->width = p->o.width;
    p->height = ceil(bottom + 22);
    p->cmap = v->cmap;
    heedi_picture_range(p, v->low, v->high);
    heedi_picture_range(p, s->pixel.low, s->pixel.high);
    return HEED_OK;
}

static heed_status draw(heedi_picture *p, heedi_canvas *c)
{
    scene s = {.rgb = NULL};
    heed_status st = heedi_view_init(&s.patch, p->ctx, p->r, p->group, &p->o);
    heed_status two = heedi_view_init(&s.pixel, p->ctx, p->r, p->group, &p->o);
    st = st == HEED_OK ? two : st;
    if (st == HEED_OK)
        st = heedi_field_init(&s.at, &s.pixel, "pixel_relevance", 0);
    if (st == HEED_OK)
        st =
            heedi_field_init(&s.token, &s.patch, "relevance", s.patch.n_tokens);
    if (st == HEED_OK)
        st = picture(&s);
    if (st == HEED_OK)
        st = ranges(&s, &p->o);
    if (st == HEED_OK)
        st = draw_scene(&s, p, c);
    heedi_view_clear(&s.patch);
    heedi_view_clear(&s.pixel);
    return st;
}

const heedi_figure heedi_figure_image_heat = {
    .info = {.name = "image_heat",
             .draws = "pixel_relevance",
             .summary = "a picture, the relevance of its patches over it, and "
                        "that of its pixels"},
    .robust = ROBUST,
    .least_dims = 2,
    .draw = draw,
};
