/* target_matrix.c - several targets: a row for each, a column for each token
 * that it can rest on. */
#include <math.h>
#include <string.h>

#include "axis.h"
#include "canvas_grid.h"
#include "canvas_labels.h"
#include "canvas_legend.h"
#include "field.h"

enum { LONGEST = 110 };
static const double cell_most = 22, row_least = 2, column_least = 1;
static const double rows_height = 640;
static const heedi_type row_type = {10.5, 0x333333, false, HEEDI_RIGHT,
                                    LONGEST};

typedef struct targets {
    heedi_view view;
    heedi_field field;
    const heedi_piece **column;
    const char **column_text, **row_text, **row_value;
    double *weight; /* the greatest of each column, by size */
    int64_t *last;  /* the last column that each row can rest on */
    int64_t n;
    double reach; /* to the right, px */
} targets;

static double value_at(const void *ud, int64_t row, int64_t column)
{
    const targets *t = ud;
    return column > t->last[row]
               ? (double)NAN
               : heedi_field_piece(&t->field, row, t->column[column]);
}

static heedi_rgb color_of(const void *ud, double x)
{
    const targets *t = ud;
    return heedi_view_color(&t->view, x);
}

/* ---- rows and columns ---------------------------------------------------- */

static heed_status columns(targets *t)
{
    heedi_view *v = &t->view;
    size_t n = (size_t)v->n + 1;
    t->column = heedi_arena_alloc(&v->arena, n * sizeof *t->column);
    t->column_text = heedi_arena_alloc(&v->arena, n * sizeof *t->column_text);
    t->weight = heedi_arena_alloc(&v->arena, n * sizeof *t->weight);
    if (!t->column || !t->column_text || !t->weight)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < v->n; i++) {
        if (v->piece[i].first < 0)
            continue;
        t->column[t->n] = &v->piece[i];
        t->column_text[t->n] = heedi_piece_label(v, &v->piece[i]);
        if (!t->column_text[t->n])
            return HEED_ENOMEM;
        for (int64_t k = 0; k < t->field.n_rows; k++)
            t->weight[t->n] =
                fmax(t->weight[t->n],
                     fabs(heedi_field_piece(&t->field, k, &v->piece[i])));
        t->n++;
    }
    return HEED_OK;
}

/* What is explained in row i, as the view words it for one target. */
static heed_status row(targets *t, int64_t i)
{
    heedi_view *v = &t->view;
    char num[HEEDI_NUMBER];
    v->target = i;
    const char *target = heedi_view_str(v, "target_text");
    const char *foil = heedi_view_str(v, "foil_text");
    double pos = heedi_view_num(v, "target_pos");
    double value = heedi_view_num(v, "target_value");
    target = target ? heedi_label(&v->arena, target)
                    : heedi_arena_print(&v->arena, "%lld", (long long)i);
    foil = foil && *foil ? heedi_label(&v->arena, foil) : "";
    if (target && foil && *foil)
        target =
            heedi_arena_print(&v->arena, "%s \xe2\x88\x92 %s", target, foil);
    t->row_text[i] = foil ? target : NULL;
    t->row_value[i] =
        isfinite(value) ? heedi_arena_print(&v->arena, "%s",
                                            heedi_number_text(num, value, true))
                        : "";
    t->last[i] = t->n - 1;
    for (int64_t k = 0; k < t->n && pos >= 0; k++)
        if ((double)t->column[k]->first > pos) {
            t->last[i] = k - 1;
            break;
        }
    return t->row_text[i] && t->row_value[i] ? HEED_OK : HEED_ENOMEM;
}

static heed_status rows(targets *t)
{
    heedi_view *v = &t->view;
    size_t n = (size_t)t->field.n_rows;
    t->row_text = heedi_arena_alloc(&v->arena, n * sizeof *t->row_text);
    t->row_value = heedi_arena_alloc(&v->arena, n * sizeof *t->row_value);
    t->last = heedi_arena_alloc(&v->arena, n * sizeof *t->last);
    if (!t->row_text || !t->row_value || !t->last)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < t->field.n_rows; i++)
        HEEDI_TRY(row(t, i));
    int64_t last = 0; /* columns that no target rests on are not drawn */
    for (int64_t i = 0; i < t->field.n_rows; i++)
        last = t->last[i] > last ? t->last[i] : last;
    t->n = last + 1;
    v->target = 0;
    /* the bar speaks of every target */
    v->target_text = v->foil_text = NULL;
    return HEED_OK;
}

/* ---- words --------------------------------------------------------------- */

/* The targets one after the other: "Why “ Paris. It”, token by token?" */
static const char *title(targets *t, const char *given)
{
    enum { MOST = 12 };
    heedi_view *v = &t->view;
    const char *all = "";
    if (given)
        return given;
    const int64_t n = t->field.n_rows;
    const heed_attr *text = heed_result_attr(v->r, v->group, "target_text");
    if (!text || text->n != n)
        return "What does each target rest on?";
    for (int64_t i = 0; all && i < n && i < MOST; i++) {
        const char *s = ((const char *const *)text->data)[i];
        const char *label = i ? heedi_display(&v->arena, s, strlen(s), false)
                              : heedi_label(&v->arena, s);
        all = label ? heedi_arena_print(&v->arena, "%s%s", all, label) : NULL;
    }
    if (!all)
        return NULL;
    all = heedi_label(&v->arena, all);
    return all ? heedi_arena_print(&v->arena,
                                   "Why \xe2\x80\x9c%s%s\xe2\x80\x9d, token "
                                   "by token?",
                                   all, n > MOST ? "\xe2\x80\xa6" : "")
               : NULL;
}

static const char *subtitle(targets *t, const heedi_grid *g)
{
    heedi_view *v = &t->view;
    const char *source = heedi_view_source(v);
    const char *pooled = heedi_grid_pooling(g, &v->arena, "targets");
    return source && pooled
               ? heedi_arena_print(
                     &v->arena,
                     "%s%s%lld targets \xc2\xb7 %lld tokens \xc2\xb7 row = "
                     "target, column = token%s",
                     source, *source ? " \xc2\xb7 " : "",
                     (long long)t->field.n_rows, (long long)v->n_tokens, pooled)
               : NULL;
}

/* ---- the parts ----------------------------------------------------------- */

/* Names of the rows at the left, values of the targets at the right. */
static void row_labels(const targets *t, heedi_canvas *c, const heedi_grid *g,
                       double right)
{
    heedi_type name = row_type, value = heedi_small_type;
    const double pitch = g->cell_h / (double)g->pool_rows;
    name.size = pitch >= 15 ? name.size : 9;
    value.align = HEEDI_RIGHT;
    const double size = fmax(name.size, c->min_font);
    const int64_t step = heedi_step(1.05 * size / pitch);
    for (int64_t i = 0; i < t->field.n_rows; i += step) {
        double y = heedi_grid_row_at(g, i);
        heedi_canvas_text(c, g->x - 7, y + 0.35 * size, name, t->row_text[i]);
        heedi_canvas_text(c, right, y + 0.35 * fmax(value.size, c->min_font),
                          value, t->row_value[i]);
    }
}

/* At 45 degrees above the columns. */
static void slanted(targets *t, heedi_canvas *c, const heedi_grid *g)
{
    heedi_type s = row_type;
    s.align = HEEDI_LEFT;
    for (int64_t i = 0; i < t->n; i++) {
        cairo_save(c->cr);
        double x = heedi_grid_column_at(g, i) + 0.28 * s.size;
        cairo_translate(c->cr, x, g->y - 6);
        cairo_rotate(c->cr, -0.78539816339744831);
        double w = heedi_canvas_text(c, 0, 0, s, t->column_text[i]);
        cairo_restore(c->cr);
        t->reach = fmax(t->reach, x + 0.7071 * w + 4);
    }
}

/* Around what can have a value. */
static void edge(const targets *t, heedi_canvas *c, const heedi_grid *g)
{
    cairo_t *cr = c->cr;
    const int64_t n = heedi_grid_rows(g);
    cairo_move_to(cr, g->x, g->y);
    for (int64_t i = 0; i < n; i++) {
        int64_t last = -1;
        for (int64_t k = i * g->pool_rows;
             k < (i + 1) * g->pool_rows && k < t->field.n_rows; k++)
            last = t->last[k] > last ? t->last[k] : last;
        double right = g->x + (double)(last / g->pool_columns + 1) * g->cell_w;
        cairo_line_to(cr, right, g->y + (double)i * g->cell_h);
        cairo_line_to(cr, right, g->y + (double)(i + 1) * g->cell_h);
    }
    cairo_line_to(cr, g->x, g->y + heedi_grid_height(g));
    cairo_close_path(cr);
    heedi_canvas_color(c, heedi_rgb_of(0xbbbbbb));
    cairo_set_line_width(cr, 0.6);
    cairo_stroke(cr);
}

static heed_status legend(targets *t, heedi_picture *p, heedi_canvas *c,
                          double x, double y)
{
    heedi_view *v = &t->view;
    const double width = p->o.width - HEEDI_MARGIN - x;
    double most = 0;
    for (int64_t i = 0; i < t->n; i++)
        most = fmax(most, t->weight[i]);
    double bar = heedi_legend_bar(v, c, x, y, width);
    const char *covers = heedi_view_covers(v, &p->o, most);
    if (bar < 0 || !covers)
        return HEED_ENOMEM;
    t->reach = fmax(t->reach, x + bar);
    if (*covers)
        t->reach = p->o.width;
    double base = heedi_legend_beside(c, x, y, width, bar, covers, "");
    p->height = ceil(base + 22);
    return HEED_OK;
}

/* ---- the whole ----------------------------------------------------------- */

/* The greatest width of n texts. */
static double widest(heedi_canvas *c, heedi_type type, const char *const *text,
                     int64_t n)
{
    double w = 0;
    for (int64_t i = 0; i < n; i++)
        w = fmax(w, heedi_canvas_width(c, type, text[i]));
    return w;
}

static heed_status draw_targets(targets *t, heedi_picture *p, heedi_canvas *c)
{
    heedi_view *v = &t->view;
    heedi_grid g = {.n_rows = t->field.n_rows,
                    .n_columns = t->n,
                    .at = value_at,
                    .color = color_of,
                    .ud = t};
    const char *unit = heedi_view_unit(v);
    if (!unit)
        return HEED_ENOMEM;
    heedi_type small = heedi_small_type;
    double values = fmax(widest(c, small, t->row_value, g.n_rows),
                         heedi_canvas_width(c, small, unit));
    g.x = HEEDI_MARGIN + widest(c, row_type, t->row_text, g.n_rows) + 7;
    double room = p->o.width - HEEDI_MARGIN - g.x - values - 10;
    heedi_grid_fit(rows_height, g.n_rows, cell_most, row_least, &g.cell_h,
                   &g.pool_rows);
    heedi_grid_fit(fmax(room, 60), g.n_columns, cell_most, column_least,
                   &g.cell_w, &g.pool_columns);
    g.number = g.cell_w >= 18 && g.cell_h >= 18 && v->high >= 0.03
                   ? 0.35 * v->high
                   : 0;
    const char *heading = title(t, p->o.title), *sub = subtitle(t, &g);
    if (!heading || !sub)
        return HEED_ENOMEM;
    const bool slant = g.cell_w >= 14;
    g.y = heedi_heading(c, p, heading, sub) + 30;
    if (slant)
        g.y += widest(c, row_type, t->column_text, t->n) * 0.7071;
    g.y = ceil(g.y);
    HEEDI_TRY(heedi_grid_draw(&g, c));
    edge(t, c, &g);
    double right = g.x + heedi_grid_width(&g) + 10 + values;
    row_labels(t, c, &g, right);
    small.align = HEEDI_RIGHT;
    heedi_canvas_text(c, right, g.y - 6, small, unit);
    double y = g.y + heedi_grid_height(&g);
    if (slant)
        slanted(t, c, &g);
    const heedi_labels below = {t->column_text,
                                t->weight,
                                t->n,
                                heedi_grid_column_at(&g, 0),
                                g.cell_w / (double)g.pool_columns,
                                0.35 * v->high};
    y = slant ? y : heedi_labels_below(&below, c, &v->arena, y + 5);
    if (y < 0)
        return HEED_ENOMEM;
    HEEDI_TRY(legend(t, p, c, g.x, y + 30));
    p->width = fmin(p->o.width, ceil(fmax(heedi_heading_width(c, heading, sub),
                                          fmax(right, t->reach)) +
                                     HEEDI_MARGIN));
    p->cmap = v->cmap;
    heedi_picture_range(p, v->low, v->high);
    return HEED_OK;
}

static heed_status draw(heedi_picture *p, heedi_canvas *c)
{
    targets t = {0};
    heedi_view *v = &t.view;
    heed_status st = heedi_view_init(v, p->ctx, p->r, p->group, &p->o);
    if (st == HEED_OK)
        st = heedi_field_targets(&t.field, v, "relevance", v->n_tokens);
    if (st == HEED_OK)
        st = heedi_field_range(&t.field, v, &p->o, true);
    if (st == HEED_OK)
        st = columns(&t);
    if (st == HEED_OK)
        st = rows(&t);
    if (st == HEED_OK)
        st = draw_targets(&t, p, c);
    heedi_view_clear(v);
    return st;
}

const heedi_figure heedi_figure_target_matrix = {
    .info = {.name = "target_matrix",
             .draws = "relevance",
             .summary = "several targets: a row for each, a column for each "
                        "token",
             .all_targets = 1},
    .least_dims = 2,
    .draw = draw,
};
