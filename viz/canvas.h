/* canvas.h - drawing with Cairo and Pango; everything in px at 96 dpi. */
#ifndef HEEDI_CANVAS_H
#define HEEDI_CANVAS_H

#include <pango/pangocairo.h>

#include "color.h"
#include "ctx.h"
#include "picture.h"

typedef struct heedi_canvas {
    heed_ctx *ctx;
    cairo_t *cr;
    PangoContext *pango;
    double min_font;
    unsigned warned[8]; /* a bit for each script without a font */
} heedi_canvas;

typedef enum heedi_align { HEEDI_LEFT, HEEDI_MIDDLE, HEEDI_RIGHT } heedi_align;

/* How a line of text looks. */
typedef struct heedi_type {
    double size; /* px */
    uint32_t color;
    bool bold;
    heedi_align align;
    double most; /* width beyond which it is cut with an ellipsis; 0: never */
} heedi_type;

/* A new layout in the page's font; g_object_unref() it. */
PangoLayout *heedi_canvas_layout(heedi_canvas *c, double size, bool bold,
                                 const char *text);

/* Say by script which characters no font has. */
void heedi_canvas_check(heedi_canvas *c, PangoLayout *l);

/* One line with its baseline at y; returns its width. */
double heedi_canvas_text(heedi_canvas *c, double x, double y, heedi_type t,
                         const char *text);
double heedi_canvas_width(heedi_canvas *c, heedi_type t, const char *text);

/* Lines of text not wider than t.most, the first baseline at y, the others
 * `pitch` further down, or more if letters are large; returns the last
 * baseline. */
double heedi_canvas_lines(heedi_canvas *c, double x, double y, double pitch,
                          heedi_type t, const char *text);

void heedi_canvas_color(heedi_canvas *c, heedi_rgb color);
/* Rounded rectangles. */
void heedi_canvas_box(heedi_canvas *c, double x, double y, double w, double h,
                      double radius, heedi_rgb fill);
void heedi_canvas_outline(heedi_canvas *c, double x, double y, double w,
                          double h, double radius, double line, heedi_rgb ink);
/* The bar alone, with its frame. */
void heedi_canvas_bar(heedi_canvas *c, double x, double y, double w, double h,
                      const heedi_cmap *m);

/* Measure, then paint into the file at `place`. */
heed_status heedi_canvas_render(heedi_picture *p, const heedi_figure *figure,
                                const heedi_place *place);

#endif
