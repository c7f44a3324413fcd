/* picture.h - a figure: one const row per file of viz/figure/. */
#ifndef HEEDI_PICTURE_H
#define HEEDI_PICTURE_H

#include <heed/figure.h>

#include "color.h"
#include "out.h"

typedef enum heedi_picture_kind {
    HEEDI_PNG,
    HEEDI_SVG,
    HEEDI_PDF
} heedi_picture_kind;

/* What is drawn. The figure sets the size and the range that it used. */
typedef struct heedi_picture {
    heed_ctx *ctx;
    const heed_result *r;
    const char *group;
    heed_figure_options o; /* with the defaults put in */
    heedi_picture_kind kind;
    double width, height; /* px */
    double vmin, vmax;
    const heedi_cmap *cmap;
} heedi_picture;

struct heedi_canvas;

/* draw() is called twice: on a canvas that shows nothing, for the size, and
 * then on the page. */
typedef struct heedi_figure {
    heed_figure_info info;
    heed_status (*draw)(heedi_picture *p, struct heedi_canvas *c);
} heedi_figure;

#endif
