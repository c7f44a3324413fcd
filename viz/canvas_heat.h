/* canvas_heat.h - the text of an explanation on its colours, with the colour
 * bar and the account below: what figures of relevance are made of. */
#ifndef HEEDI_CANVAS_HEAT_H
#define HEEDI_CANVAS_HEAT_H

#include "canvas_text.h"

typedef struct heedi_heat {
    heedi_view view;
    heedi_text text;
    double x, width;  /* of the column, px */
    double text_size; /* px */
    double bottom;    /* of what has been drawn */
} heedi_heat;

/* Errors as heedi_view_init(). Clear it in any case. */
heed_status heedi_heat_init(heedi_heat *h, heed_ctx *ctx,
                            const heed_figure_part *part,
                            const heed_figure_options *o);
void heedi_heat_clear(heedi_heat *h);

/* The text from y down; sets the range of colours. x, width and text_size
 * must be set. */
heed_status heedi_heat_text(heedi_heat *h, heedi_canvas *c,
                            const heed_figure_options *o, double y);
/* Bar and what is not on the colour scale, the bar's top at y. */
heed_status heedi_heat_bar(heedi_heat *h, heedi_canvas *c, double y);
/* Bar, account and what is not on the colour scale, the bar's top at y. */
heed_status heedi_heat_legend(heedi_heat *h, heedi_canvas *c, double y);

#endif
