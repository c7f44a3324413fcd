/* layers.c - relevance by block and token: a row for the input of each block,
 * the last one at the top, and above it what enters the head. */
#include <math.h>

#include "axis.h"
#include "canvas_grid.h"
#include "canvas_labels.h"
#include "canvas_legend.h"
#include "field.h"

static const double row_most = 16, row_least = 1;
static const double height = 196, height_most = 400;
static const double column_most = 26, column_least = 1;

typedef struct layers {
    heedi_view view;
    heedi_field field;
    const heedi_piece **column; /* those that are tokens */
    const char **label;
    double *weight; /* the greatest of each column, by size */
    int64_t n;
} layers;

static double value_at(const void *ud, int64_t row, int64_t column)
{
    const layers *l = ud;
    return heedi_field_piece(&l->field, row, l->column[column]);
}

static heedi_rgb color_of(const void *ud, double x)
{
    const layers *l = ud;
    return heedi_view_color(&l->view, x);
}

static heed_status columns(layers *l)
{
    heedi_view *v = &l->view;
    size_t n = (size_t)v->n + 1;
    l->column = heedi_arena_alloc(&v->arena, n * sizeof *l->column);
    l->label = heedi_arena_alloc(&v->arena, n * sizeof *l->label);
    l->weight = heedi_arena_alloc(&v->arena, n * sizeof *l->weight);
    if (!l->column || !l->label || !l->weight)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < v->n; i++) {
        if (v->piece[i].first < 0)
            continue;
        l->column[l->n] = &v->piece[i];
        l->label[l->n] = heedi_piece_label(v, &v->piece[i]);
        if (!l->label[l->n])
            return HEED_ENOMEM;
        for (int64_t k = 0; k < l->field.n_rows; k++)
            l->weight[l->n] = fmax(l->weight[l->n], fabs(value_at(l, k, l->n)));
        l->n++;
    }
    return HEED_OK;
}

/* "out" for the last row, numbers at every fifth of the others. */
static void row_labels(const layers *l, heedi_canvas *c, const heedi_grid *g)
{
    char text[24];
    const int64_t n = l->field.n_rows - 1; /* blocks */
    heedi_type t = heedi_small_type;
    t.align = HEEDI_RIGHT;
    const double size = fmax(t.size, c->min_font), down = 0.36 * size;
    const double pitch = g->cell_h / (double)g->pool_rows;
    int64_t step = heedi_step(1.1 * size / pitch);
    step = step > 1 && step < 5 ? 5 : step;
    const double top = heedi_grid_row_at(g, n);
    heedi_canvas_text(c, g->x - 7, top + down, t, "out");
    for (int64_t i = 0; i < n; i += step) {
        double y = heedi_grid_row_at(g, i);
        if (y - top < 1.1 * size)
            break;
        snprintf(text, sizeof text, "%lld", (long long)i);
        heedi_canvas_text(c, g->x - 7, y + down, t, text);
    }
}

static const char *subtitle(layers *l, const heedi_grid *g)
{
    heedi_view *v = &l->view;
    const char *source = heedi_view_subtitle(v);
    const char *pooled = heedi_grid_pooling(g, &v->arena, "blocks");
    return source && pooled
               ? heedi_arena_print(&v->arena,
                                   "%s \xc2\xb7 at the input of each block, "
                                   "last block at the top%s",
                                   source, pooled)
               : NULL;
}

static heed_status legend(layers *l, heedi_picture *p, heedi_canvas *c,
                          double x, double y)
{
    heedi_view *v = &l->view;
    const double width = p->o.width - HEEDI_MARGIN - x;
    double most = 0;
    for (int64_t i = 0; i < l->n; i++)
        most = fmax(most, l->weight[i]);
    double bar = heedi_legend_bar(v, c, x, y, width);
    const char *covers = heedi_view_covers(v, &p->o, most);
    if (bar < 0 || !covers)
        return HEED_ENOMEM;
    double base = heedi_legend_beside(c, x, y, width, bar, covers, "");
    p->height = ceil(base + 22);
    return HEED_OK;
}

static heed_status draw_layers(layers *l, heedi_picture *p, heedi_canvas *c)
{
    heedi_view *v = &l->view;
    heedi_grid g = {.n_rows = l->field.n_rows,
                    .n_columns = l->n,
                    .is_flipped = true,
                    .at = value_at,
                    .color = color_of,
                    .ud = l};
    heedi_type small = heedi_small_type;
    g.x = HEEDI_MARGIN + heedi_canvas_width(c, small, "out") + 9;
    heedi_grid_fit(fmin(height_most, fmax(height, 2 * (double)g.n_rows)),
                   g.n_rows, row_most, row_least, &g.cell_h, &g.pool_rows);
    heedi_grid_fit(p->o.width - HEEDI_MARGIN - g.x, g.n_columns, column_most,
                   column_least, &g.cell_w, &g.pool_columns);
    const char *title = p->o.title ? p->o.title : heedi_view_title(v, NULL);
    const char *sub = subtitle(l, &g);
    if (!title || !sub)
        return HEED_ENOMEM;
    g.y = ceil(heedi_heading(c, p, title, sub) + 18);
    HEEDI_TRY(heedi_grid_draw(&g, c));
    row_labels(l, c, &g);
    const heedi_labels labels = {l->label,
                                 l->weight,
                                 l->n,
                                 heedi_grid_column_at(&g, 0),
                                 g.cell_w / (double)g.pool_columns,
                                 0.35 * v->high};
    double y = heedi_labels_below(&labels, c, &v->arena,
                                  g.y + heedi_grid_height(&g) + 5);
    if (y < 0)
        return HEED_ENOMEM;
    HEEDI_TRY(legend(l, p, c, g.x, y + 26));
    p->width = p->o.width;
    p->cmap = v->cmap;
    heedi_picture_range(p, v->low, v->high);
    return HEED_OK;
}

static heed_status draw(heedi_picture *p, heedi_canvas *c)
{
    layers l = {0};
    heedi_view *v = &l.view;
    heed_status st = heedi_view_init(v, p->ctx, p->r, p->group, &p->o);
    if (st == HEED_OK)
        st = heedi_view_sign(v, true, &p->o);
    if (st == HEED_OK)
        st = heedi_field_init(&l.field, v, "relevance_layer", v->n_tokens);
    if (st == HEED_OK)
        st = heedi_field_range(&l.field, v, &p->o, true);
    if (st == HEED_OK)
        st = columns(&l);
    if (st == HEED_OK)
        st = draw_layers(&l, p, c);
    heedi_view_clear(v);
    return st;
}

/* The rows at the top hold all of the target in one token, ten times what a
 * token has further down: they do not set the range. */
const heedi_figure heedi_figure_layers = {
    .info = {.name = "layers",
             .draws = "relevance_layer",
             .summary = "relevance by block and token, the last block at the "
                        "top",
             .keep = "layer"},
    .robust = 99.5,
    .least_dims = 2,
    .draw = draw,
};
