/* canvas_labels.h - the texts of columns, below a figure. */
#ifndef HEEDI_CANVAS_LABELS_H
#define HEEDI_CANVAS_LABELS_H

#include "arena.h"
#include "canvas.h"

typedef struct heedi_labels {
    const char *const *text; /* n */
    const double *weight;    /* n: which matter most, if not all have room */
    int64_t n;
    double x, pitch; /* middle of the first, px from each to the next */
    double strong;   /* labels of this weight and more stand out */
} heedi_labels;

/* Upright, the ends of their lines at y. Without room for all, those of the
 * greatest weight, each with its number. Returns the lowest point; -1 without
 * memory. */
double heedi_labels_below(const heedi_labels *l, heedi_canvas *c,
                          heedi_arena *mem, double y);

/* Whether all have room. */
bool heedi_labels_fit(const heedi_labels *l, const heedi_canvas *c);

#endif
