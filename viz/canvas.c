#include "canvas.h"

#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

PangoLayout *heedi_canvas_layout(heedi_canvas *c, double size, bool bold,
                                 const char *text)
{
    PangoLayout *l = pango_layout_new(c->pango);
    PangoFontDescription *d = pango_font_description_new();
    pango_font_description_set_family_static(d, "sans-serif");
    pango_font_description_set_absolute_size(d, fmax(size, c->min_font) *
                                                    PANGO_SCALE);
    if (bold)
        pango_font_description_set_weight(d, PANGO_WEIGHT_BOLD);
    pango_layout_set_font_description(l, d);
    pango_font_description_free(d);
    pango_layout_set_text(l, text, -1);
    return l;
}

/* ---- missing glyphs ------------------------------------------------------ */

static void warn(heedi_canvas *c, gunichar u)
{
    GUnicodeScript script = g_unichar_get_script(u);
    unsigned i = (unsigned)script;
    if (i / 32 < sizeof c->warned / sizeof *c->warned) {
        if (c->warned[i / 32] & 1u << i % 32)
            return;
        c->warned[i / 32] |= 1u << i % 32;
    }
    char name[40] = "symbols";
    GEnumClass *all = g_type_class_ref(PANGO_TYPE_SCRIPT);
    const GEnumValue *v = g_enum_get_value(all, (int)script);
    uint32_t iso = g_unicode_script_to_iso15924(script);
    if (script == G_UNICODE_SCRIPT_COMMON ||
        script == G_UNICODE_SCRIPT_INHERITED)
        snprintf(name, sizeof name, "%s", u >= 0x1F000 ? "emoji" : "symbols");
    else if (v)
        snprintf(name, sizeof name, "%s", v->value_nick);
    else if (iso) /* four letters: Hluw */
        snprintf(name, sizeof name, "script %c%c%c%c", (int)(iso >> 24),
                 (int)(iso >> 16 & 255), (int)(iso >> 8 & 255),
                 (int)(iso & 255));
    g_type_class_unref(all);
    heedi_warn(c->ctx, "no font has a glyph for U+%04X (%s)", (unsigned)u,
               name);
}

void heedi_canvas_check(heedi_canvas *c, PangoLayout *l)
{
    if (pango_layout_get_unknown_glyphs_count(l) == 0)
        return;
    const char *text = pango_layout_get_text(l);
    PangoLayoutIter *it = pango_layout_get_iter(l);
    do {
        const PangoLayoutRun *run = pango_layout_iter_get_run_readonly(it);
        for (int i = 0; run && i < run->glyphs->num_glyphs; i++) {
            PangoGlyph g = run->glyphs->glyphs[i].glyph;
            if (g != PANGO_GLYPH_EMPTY && (g & PANGO_GLYPH_UNKNOWN_FLAG))
                warn(c, g & ~PANGO_GLYPH_UNKNOWN_FLAG
                            ? (gunichar)(g & ~PANGO_GLYPH_UNKNOWN_FLAG)
                            : g_utf8_get_char(text + run->item->offset +
                                              run->glyphs->log_clusters[i]));
        }
    } while (pango_layout_iter_next_run(it));
    pango_layout_iter_free(it);
}

/* ---- text ---------------------------------------------------------------- */

void heedi_canvas_color(heedi_canvas *c, heedi_rgb k)
{
    cairo_set_source_rgb(c->cr, k.r, k.g, k.b);
}

static PangoLayout *line(heedi_canvas *c, heedi_type t, const char *text,
                         double *width)
{
    PangoLayout *l = heedi_canvas_layout(c, t.size, t.bold, text);
    int w;
    pango_layout_set_single_paragraph_mode(l, TRUE);
    pango_layout_get_size(l, &w, NULL);
    if (t.most > 0 && w > t.most * PANGO_SCALE) {
        pango_layout_set_ellipsize(l, PANGO_ELLIPSIZE_END);
        pango_layout_set_width(l, (int)(t.most * PANGO_SCALE));
        pango_layout_get_size(l, &w, NULL);
    }
    /* a text from right to left would be put at the right of its width */
    pango_layout_set_auto_dir(l, FALSE);
    *width = w / (double)PANGO_SCALE;
    return l;
}

double heedi_canvas_width(heedi_canvas *c, heedi_type t, const char *text)
{
    double w;
    g_object_unref(line(c, t, text, &w));
    return w;
}

double heedi_canvas_text(heedi_canvas *c, double x, double y, heedi_type t,
                         const char *text)
{
    double w;
    PangoLayout *l = line(c, t, text, &w);
    heedi_canvas_check(c, l);
    x -= t.align == HEEDI_LEFT ? 0 : t.align == HEEDI_MIDDLE ? w / 2 : w;
    heedi_canvas_color(c, heedi_rgb_of(t.color));
    cairo_move_to(c->cr, x, y);
    pango_cairo_show_layout_line(c->cr, pango_layout_get_line_readonly(l, 0));
    g_object_unref(l);
    return w;
}

double heedi_canvas_lines(heedi_canvas *c, double x, double y, double pitch,
                          heedi_type t, const char *text)
{
    PangoLayout *l = heedi_canvas_layout(c, t.size, t.bold, text);
    pitch = fmax(pitch, 1.25 * c->min_font);
    pango_layout_set_width(l, (int)(t.most * PANGO_SCALE));
    pango_layout_set_wrap(l, PANGO_WRAP_WORD_CHAR);
    heedi_canvas_check(c, l);
    heedi_canvas_color(c, heedi_rgb_of(t.color));
    int n = pango_layout_get_line_count(l);
    for (int i = 0; i < n; i++) {
        cairo_move_to(c->cr, x, y + i * pitch);
        pango_cairo_show_layout_line(c->cr,
                                     pango_layout_get_line_readonly(l, i));
    }
    g_object_unref(l);
    return y + (n - 1) * pitch;
}

/* ---- shapes -------------------------------------------------------------- */

static void path(cairo_t *cr, double x, double y, double w, double h, double r)
{
    r = fmin(r, fmin(w, h) / 2);
    cairo_new_sub_path(cr);
    cairo_arc(cr, x + w - r, y + r, r, -pi / 2, 0);
    cairo_arc(cr, x + w - r, y + h - r, r, 0, pi / 2);
    cairo_arc(cr, x + r, y + h - r, r, pi / 2, pi);
    cairo_arc(cr, x + r, y + r, r, pi, 3 * pi / 2);
    cairo_close_path(cr);
}

void heedi_canvas_box(heedi_canvas *c, double x, double y, double w, double h,
                      double radius, heedi_rgb fill)
{
    if (w <= 0 || h <= 0)
        return;
    if (radius > 0)
        path(c->cr, x, y, w, h, radius);
    else
        cairo_rectangle(c->cr, x, y, w, h);
    heedi_canvas_color(c, fill);
    cairo_fill(c->cr);
}

void heedi_canvas_outline(heedi_canvas *c, double x, double y, double w,
                          double h, double radius, double line_width,
                          heedi_rgb ink)
{
    if (w <= 0 || h <= 0)
        return;
    if (radius > 0)
        path(c->cr, x, y, w, h, radius);
    else
        cairo_rectangle(c->cr, x, y, w, h);
    heedi_canvas_color(c, ink);
    cairo_set_line_width(c->cr, line_width);
    cairo_stroke(c->cr);
}

/* Strips of half a pixel of a double-size picture; each covers the start of
 * the next one, so that no white shows between. */
void heedi_canvas_bar(heedi_canvas *c, double x, double y, double w, double h,
                      const heedi_cmap *m)
{
    for (double at = 0; at < w; at += 1) {
        double t = fmin((at + 0.5) / w, 1);
        double wide = fmin(1.6, w - at);
        heedi_canvas_box(c, x + at, y, wide, h, 0,
                         heedi_cmap_color(m, m->diverging ? 2 * t - 1 : t));
    }
    heedi_canvas_outline(c, x, y, w, h, 0, 0.6, heedi_rgb_of(0x999999));
}
