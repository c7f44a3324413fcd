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

/* What is drawn. The figure sets the size and the ranges that it used. */
typedef struct heedi_picture {
    heed_ctx *ctx;
    const heed_figure_part *part; /* n_parts; only a figure that draws several
                                     looks at more than the first */
    int64_t n_parts;
    const heed_result *r; /* of the first part */
    const char *group;
    const struct heedi_figure *figure;
    heed_figure_options o; /* with the defaults put in */
    heedi_picture_kind kind;
    double width, height;     /* px */
    char low[160], high[160]; /* heedi_picture_range() */
    const heedi_cmap *cmap;
} heedi_picture;

/* Note a range of colours that was used; of several panels, each in turn. */
void heedi_picture_range(heedi_picture *p, double low, double high);

struct heedi_canvas;

/* draw() is called twice: on a canvas that shows nothing, for the size, and
 * then on the page. */
typedef struct heedi_figure {
    heed_figure_info info;
    double robust;  /* percentile that is its default; 0: 100 */
    int least_dims; /* of the array that it draws; 0: any */
    heed_status (*draw)(heedi_picture *p, struct heedi_canvas *c);
} heedi_figure;

#endif
