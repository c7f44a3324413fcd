/* canvas_svg.h - the numbers in an SVG file that depend on what the process
 * drew before. */
#ifndef HEEDI_CANVAS_SVG_H
#define HEEDI_CANVAS_SVG_H

#include "ctx.h"
#include "out.h"

/* Cairo counts surfaces over the life of a process and names them so: here
 * they get numbers in order of appearance. The file passes through memory. */
typedef struct heedi_svg {
    heed_ctx *ctx;
    char *text;
    size_t n, cap;
    bool failed;
} heedi_svg;

void heedi_svg_add(heedi_svg *s, const void *p, size_t n);
/* HEED_ENOMEM. Frees the text in any case. */
heed_status heedi_svg_write(heedi_svg *s, heedi_out *o);

#endif
