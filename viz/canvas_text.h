/* canvas_text.h - pieces of text in lines, each piece with a box. */
#ifndef HEEDI_CANVAS_TEXT_H
#define HEEDI_CANVAS_TEXT_H

#include "canvas.h"
#include "view.h"

/* A line: bytes of `text`, which holds all pieces one after the other. */
typedef struct heedi_line {
    int from, to;
    bool is_rtl; /* of a paragraph that runs from right to left */
} heedi_line;

typedef struct heedi_text {
    heedi_view *view;
    char *text;
    int len, *start; /* start[i], start[i + 1]: bytes of piece i */
    heedi_line *line;
    size_t n_lines, cap_lines;
    double size, width; /* px */
} heedi_text;

/* Breaks the text of the view into lines not wider than t->width. Pieces that
 * share a letter are joined. Clear it in any case. */
heed_status heedi_text_init(heedi_text *t, heedi_canvas *c, heedi_view *v,
                            double size, double width);
void heedi_text_clear(heedi_text *t);

/* Boxes and text of line i, with the top of the boxes at y. */
void heedi_text_draw(const heedi_text *t, heedi_canvas *c, size_t i, double x,
                     double y, double height);

#endif
