/* canvas_legend.h - what stands around a figure of relevance: its heading, the
 * colour bar, the account. */
#ifndef HEEDI_CANVAS_LEGEND_H
#define HEEDI_CANVAS_LEGEND_H

#include "canvas.h"
#include "view.h"

enum { HEEDI_MARGIN = 28 }; /* of the page, px */

extern const heedi_type heedi_small_type;  /* numbers at axes and bars */
extern const heedi_type heedi_remark_type; /* sentences below a figure */

/* Title and subtitle at the top of the page; returns the last baseline. */
double heedi_heading(heedi_canvas *c, const heedi_picture *p, const char *title,
                     const char *subtitle);

/* How far to the right it reaches if it need not be broken. */
double heedi_heading_width(heedi_canvas *c, const char *title,
                           const char *subtitle);

/* The colour bar of the view, with words and numbers, its top at y; returns
 * its width, or -1 without memory. */
double heedi_legend_bar(heedi_view *v, heedi_canvas *c, double x, double y,
                        double width);

/* The baseline of the numbers below it. */
double heedi_legend_base(const heedi_canvas *c, double y);

/* A sentence and, in red, what is wrong: with its baseline at `beside` and at
 * the right end of `width`, if the first `taken` px leave the room, else at
 * `below` and as many lines as it takes. Returns the last baseline; `beside` if
 * there is nothing to say. */
double heedi_legend_remark(heedi_canvas *c, double x, double width,
                           double taken, double beside, double below,
                           const char *remark, const char *wrong);
/* Beside or below a colour bar whose top is at y; returns the lowest baseline
 * of both. */
double heedi_legend_beside(heedi_canvas *c, double x, double y, double width,
                           double bar, const char *remark, const char *wrong);
/* The same of the view's account and residual; -1 without memory. */
double heedi_legend_account(heedi_view *v, heedi_canvas *c, double x, double y,
                            double width, double bar);

#endif
