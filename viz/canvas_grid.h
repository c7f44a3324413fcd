/* canvas_grid.h - a matrix in colours: boxes, or pixels where it is large. */
#ifndef HEEDI_CANVAS_GRID_H
#define HEEDI_CANVAS_GRID_H

#include "arena.h"
#include "canvas.h"
#include "grid_fit.h"
#include "shades.h"

/* A cell shows one value or, pooled, the greatest by size of several. */
typedef struct heedi_grid {
    double x, y, cell_w, cell_h; /* px */
    int64_t n_rows, n_columns;   /* of values */
    int64_t pool_rows, pool_columns;
    bool is_flipped; /* the first row at the bottom */
    /* NAN: nothing is there */
    double (*at)(const void *ud, int64_t row, int64_t column);
    heedi_rgb (*color)(const void *ud, double x);
    const void *ud;
    const double *edge; /* n_columns + 1 places in px; NULL: cell_w apart */
    double number;      /* values of this size and more are printed; 0: none */
} heedi_grid;

/* Cells, and px that they take. */
int64_t heedi_grid_rows(const heedi_grid *g);
int64_t heedi_grid_columns(const heedi_grid *g);
double heedi_grid_width(const heedi_grid *g);
double heedi_grid_height(const heedi_grid *g);
/* The middle of a row or column of values, px. */
double heedi_grid_row_at(const heedi_grid *g, int64_t row);
double heedi_grid_column_at(const heedi_grid *g, int64_t column);

/* " · each column is the greatest of 3 tokens", or ""; NULL without memory.
 * rows: "blocks" */
const char *heedi_grid_pooling(const heedi_grid *g, heedi_arena *mem,
                               const char *rows);

heed_status heedi_grid_draw(const heedi_grid *g, heedi_canvas *c);
/* The stair of a causal matrix, else a frame; line: its width, px. */
void heedi_grid_edge(const heedi_grid *g, heedi_canvas *c, bool is_causal,
                     double line);
/* A colour bar w px wide, its top at y, between its legend and its numbers,
 * which are below each other if they have no room beside each other; returns
 * the last baseline. */
double heedi_shades_bar(const heedi_shades *s, heedi_canvas *c, double x,
                        double y, double w, const char *legend);

#endif
