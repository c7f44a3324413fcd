/* thumbnails.h - maps of layers and heads, pooled to the size that each of them
 * has on a page, as they come. */
#ifndef HEEDI_THUMBNAILS_H
#define HEEDI_THUMBNAILS_H

#include <heed/figure.h>
#include <stdbool.h>

enum { HEEDI_PAGE_WIDTH = 760 }; /* px, by default */

/* Where thumbnails lie. Rows of `heads` thumbnails, one row for each layer, are
 * `lines` below each other, and then the next block of them beside; with one
 * head each, layers follow each other as words do. */
typedef struct heedi_sheet {
    int64_t layers, heads;
    int64_t blocks, lines;
    double width, height; /* of a thumbnail, px */
    double label;         /* room at the left of a row, px */
    double caption;       /* room above each thumbnail, px */
    double gap, aside;    /* between thumbnails; between blocks */
    double cell_w, cell_h;
    int64_t pool_rows, pool_columns; /* values that a cell stands for */
} heedi_sheet;

/* For maps of so many rows and columns. HEED_EINVAL: thumbnails would be too
 * small to be seen. */
heed_status heedi_sheet_init(heedi_sheet *s, heed_ctx *ctx, int64_t layers,
                             int64_t heads, int64_t rows, int64_t columns,
                             const heed_figure_options *o);

/* Maps of which each cell is the greatest by size of a rectangle of values. */
typedef struct heedi_pool {
    const char *group;
    heed_type type;                  /* of values and cells */
    int64_t len[4];                  /* of the maps that are pooled */
    int64_t pool_rows, pool_columns; /* of a cell */
    void *cell; /* (layers, heads, rows, columns of cells), 0 at first */
} heedi_pool;

int64_t heedi_pool_rows(const heedi_pool *p);
int64_t heedi_pool_columns(const heedi_pool *p);
/* Cells of all maps. */
int64_t heedi_pool_cells(const heedi_pool *p);

/* A slab of values goes into its cells. HEED_EINVAL: it leaves the maps;
 * HEED_ENUMERIC: a value is not finite. */
heed_status heedi_pool_add(const heedi_pool *p, heed_ctx *ctx,
                           const int64_t *start, const int64_t *count,
                           const void *data);

/* Maps of a result that came through heed_thumbnails_sink(): false if they are
 * whole. */
bool heedi_pool_of(heedi_pool *p, const heed_result *r, const char *group);

/* Numbers of layers that have no map: attribute `layers_without`, or NULL. */
const heed_attr *heedi_layers_without(const heed_result *r, const char *group);

#endif
