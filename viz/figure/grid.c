/* grid.c - thumbnails of all maps: a row for each layer, a column for each
 * head; of one head each, one after the other. */
#include <math.h>
#include <string.h>

#include "axis.h"
#include "canvas_grid.h"
#include "canvas_legend.h"
#include "field.h"
#include "matrix.h"
#include "range.h"
#include "result.h"
#include "thumbnails.h"

enum { BAR = 150 };
static const uint32_t pale = 0xd8d8d8;

typedef struct grid {
    heed_ctx *ctx;
    heedi_arena arena;
    const heed_result *r;
    const char *group;
    heedi_pool pool;
    heedi_sheet sheet;
    heedi_shades shades;
    heedi_dropped dropped;
    bool is_causal;
    double most;     /* by size, of all cells */
    int64_t *number; /* (sheet.layers): the model's */
    int64_t *map;    /* (sheet.layers): -1: there is none */
    int64_t at;      /* the first cell of the map that is drawn */
    double page;     /* width, px */
} grid;

static double cell_at(const grid *g, int64_t i)
{
    return heedi_number(g->pool.type, g->pool.cell, i);
}

/* ---- what there is ------------------------------------------------------- */

static heed_status pool(grid *g, const heed_figure_options *o, int64_t blank)
{
    const heed_array *a = heed_result_get(g->r, g->group, "attention");
    const heed_var *v = a ? &a->var : NULL;
    const int64_t start[4] = {0};
    if (heedi_pool_of(&g->pool, g->r, g->group))
        return heedi_sheet_init(&g->sheet, g->ctx, v->len[0] + blank, v->len[1],
                                g->pool.len[2], g->pool.len[3], o);
    if (!v || v->nd != 4 || (v->type != HEED_F32 && v->type != HEED_F64))
        return heedi_fail(g->ctx, HEED_EINVAL, "no attention maps in %s",
                          g->group);
    HEEDI_TRY(heedi_sheet_init(&g->sheet, g->ctx, v->len[0] + blank, v->len[1],
                               v->len[2], v->len[3], o));
    g->pool = (heedi_pool){.group = g->group,
                           .type = v->type,
                           .pool_rows = g->sheet.pool_rows,
                           .pool_columns = g->sheet.pool_columns};
    memcpy(g->pool.len, v->len, sizeof g->pool.len);
    g->pool.cell =
        heedi_arena_alloc(&g->arena, (size_t)heedi_pool_cells(&g->pool) *
                                         heed_type_size(v->type));
    return g->pool.cell
               ? heedi_pool_add(&g->pool, g->ctx, start, v->len, a->data)
               : HEED_ENOMEM;
}

/* Layers in order of their numbers, those without a map among them. */
static heed_status rows(grid *g, const heed_attr *without)
{
    const int64_t n = g->sheet.layers, maps = g->pool.len[0];
    const heed_array *a = heedi_coordinates(g->r, g->group, "layer", maps);
    g->number = heedi_arena_alloc(&g->arena, (size_t)n * sizeof *g->number);
    g->map = heedi_arena_alloc(&g->arena, (size_t)n * sizeof *g->map);
    if (!g->number || !g->map)
        return HEED_ENOMEM;
    for (int64_t i = 0, m = 0, b = 0; i < n; i++) {
        int64_t here = !a ? m
                       : m < maps
                           ? (int64_t)heedi_number(a->var.type, a->data, m)
                           : INT64_MAX;
        int64_t gap =
            without && b < without->n
                ? (int64_t)heedi_number(without->type, without->data, b)
                : INT64_MAX;
        const bool blank = m >= maps || gap < here;
        g->number[i] = blank ? gap : here;
        g->map[i] = blank ? -1 : m;
        m += !blank;
        b += blank;
    }
    return HEED_OK;
}

static heed_status range(grid *g, const heed_figure_options *o)
{
    const int64_t n = heedi_pool_cells(&g->pool);
    const int64_t lines = heedi_pool_rows(&g->pool);
    const int64_t columns = heedi_pool_columns(&g->pool);
    const bool square = g->pool.len[2] == g->pool.len[3];
    const int64_t each[2] = {g->pool.pool_rows, g->pool.pool_columns};
    double least = (double)INFINITY;
    bool is_signed = false;
    int64_t k = 0;
    HEEDI_TRY(heedi_dropped_init(&g->dropped, &g->arena, g->r, g->group,
                                 g->pool.len + 2, each, o));
    double *x = heedi_alloc(g->ctx, (size_t)n * sizeof *x);
    if (!x)
        return HEED_ENOMEM;
    g->is_causal = square && lines > 1;
    for (int64_t i = 0; i < n; i++)
        if (i % columns > i / columns % lines && cell_at(g, i) != 0)
            g->is_causal = false;
    for (int64_t i = 0; i < n; i++) {
        const double v = cell_at(g, i);
        const int64_t row = i / columns % lines, column = i % columns;
        is_signed |= v < 0;
        g->most = fmax(g->most, fabs(v));
        if ((g->is_causal && column > row) || g->dropped.row[row] ||
            g->dropped.column[column])
            continue;
        if (v > 0)
            least = fmin(least, v);
        x[k++] = fabs(v);
    }
    heed_status st =
        heedi_shades_init(&g->shades, g->ctx, x, k, least, is_signed, o);
    heedi_free(g->ctx, x);
    return st;
}

/* ---- words --------------------------------------------------------------- */

static const char *title(grid *g)
{
    const char *name = heedi_map_name(g->r, g->group);
    const char *reduction = heedi_map_reduction(g->r, g->group);
    const heed_array *a = heed_result_get(g->r, g->group, "attention");
    const long long layers = g->sheet.layers, heads = g->sheet.heads;
    const char *s = layers == 1 ? "" : "s";
    if (reduction && strcmp(reduction, "weighted") == 0)
        return heedi_arena_print(
            &g->arena, "What enters the target, %lld layer%s", layers, s);
    if (reduction && heads == 1) {
        const char *of =
            heedi_map_reduced(&g->arena, g->r, g->group, "channel");
        return of ? heedi_arena_print(&g->arena, "%s, %lld layer%s, %s", name,
                                      layers, s, of)
                  : NULL;
    }
    return heedi_arena_print(&g->arena, "%s, %lld layer%s \xc3\x97 %lld %s%s",
                             name, layers, s, heads, a->var.dim[1],
                             heads == 1 ? "" : "s");
}

static const char *subtitle(grid *g)
{
    static const char dot[] = " \xc2\xb7 ";
    const char *kind = heed_result_str(g->r, g->group, "kind");
    const char *model = heedi_model_text(&g->arena, g->r);
    const heedi_grid shape = {.pool_rows = g->pool.pool_rows,
                              .pool_columns = g->pool.pool_columns};
    const char *pooled = heedi_grid_pooling(&shape, &g->arena, "queries");
    if (!model || !pooled)
        return NULL;
    return heedi_arena_print(&g->arena,
                             "%s%s%s%s%lld token%s%srow = query, column = "
                             "key%s",
                             kind ? kind : "", kind ? dot : "", model,
                             *model ? dot : "", (long long)g->pool.len[3],
                             g->pool.len[3] == 1 ? "" : "s", dot, pooled);
}

/* What the colours leave out, and what a cross means. */
static const char *remark(grid *g, const heed_figure_options *o)
{
    char num[HEEDI_NUMBER], end[HEEDI_NUMBER];
    const char *most = heedi_number_text(num, g->most, false);
    const char *covers = "", *cross = "";
    if (heedi_is_percentile(o) && g->most > g->shades.high &&
        strcmp(most, heedi_number_text(end, g->shades.high, false)) != 0)
        covers = heedi_arena_print(&g->arena,
                                   "range: %g %% of |cells|, the greatest %s",
                                   o->robust, most);
    for (int64_t i = 0; i < g->sheet.layers; i++)
        if (g->map[i] < 0)
            cross = "crossed: no such map";
    const char *const part[] = {covers, g->dropped.words, cross};
    const char *all = "";
    for (int i = 0; all && covers && i < 3; i++)
        if (*part[i])
            all = heedi_arena_print(&g->arena, "%s%s%s", all,
                                    *all ? " \xc2\xb7 " : "", part[i]);
    return covers ? all : NULL;
}

/* "attention weight, signed (block, mean)" */
static const char *legend_of(grid *g)
{
    const char *name = heedi_map_legend(g->r, g->group, &g->shades);
    const char *kind = heed_result_str(g->r, g->group, "kind");
    const heed_attr *some = heed_result_attr(g->r, g->group, "reduced");
    const char *reduction = heedi_map_reduction(g->r, g->group);
    if (reduction && some && some->n == 1 && strcmp(reduction, "mean") == 0)
        reduction = NULL; /* the title says which it is */
    if (!kind && !reduction)
        return name;
    return heedi_arena_print(&g->arena, "%s (%s%s%s)", name, kind ? kind : "",
                             kind && reduction ? ", " : "",
                             reduction ? reduction : "");
}

/* The longest caption that has the room. */
static const char *caption(grid *g, heedi_canvas *c, int64_t row)
{
    const heed_array *a = heed_result_get(g->r, g->group, "layer_kind");
    const char *kind = heed_result_str(g->r, g->group, "kind");
    const long long number = g->number[row];
    const char *text = NULL;
    if (kind && strcmp(kind, "mixed") == 0 && a && g->map[row] >= 0 &&
        a->var.type == HEED_STR && a->var.len[0] == g->pool.len[0])
        kind = ((const char *const *)a->data)[g->map[row]];
    else
        kind = NULL;
    for (int k = kind ? 0 : 1; k < 3; k++) {
        text = k == 0   ? heedi_arena_print(&g->arena, "layer %lld \xc2\xb7 %s",
                                            number, kind)
               : k == 1 ? heedi_arena_print(&g->arena, "layer %lld", number)
                        : heedi_arena_print(&g->arena, "%lld", number);
        if (!text || heedi_canvas_width(c, heedi_small_type, text) <=
                         g->sheet.width + g->sheet.gap / 2)
            break;
    }
    return text;
}

/* ---- thumbnails ---------------------------------------------------------- */

static double value_at(const void *ud, int64_t i, int64_t k)
{
    const grid *g = ud;
    return g->is_causal && k > i
               ? (double)NAN
               : cell_at(g, g->at + i * heedi_pool_columns(&g->pool) + k);
}

static heedi_rgb color_of(const void *ud, double x)
{
    const grid *g = ud;
    return heedi_shades_color(&g->shades, x);
}

static void blank(const grid *g, heedi_canvas *c, double x, double y)
{
    const heedi_sheet *s = &g->sheet;
    heedi_canvas_outline(c, x, y, s->width, s->height, 0, 0.5,
                         heedi_rgb_of(pale));
    cairo_move_to(c->cr, x, y);
    cairo_line_to(c->cr, x + s->width, y + s->height);
    cairo_move_to(c->cr, x, y + s->height);
    cairo_line_to(c->cr, x + s->width, y);
    cairo_stroke(c->cr);
}

static heed_status thumbnail(grid *g, heedi_canvas *c, int64_t row,
                             int64_t head, double x, double y)
{
    const int64_t cells =
        heedi_pool_rows(&g->pool) * heedi_pool_columns(&g->pool);
    const int64_t n[2] = {heedi_pool_rows(&g->pool),
                          heedi_pool_columns(&g->pool)};
    if (g->map[row] < 0) {
        blank(g, c, x, y);
        return HEED_OK;
    }
    g->at = (g->map[row] * g->sheet.heads + head) * cells;
    const heedi_grid m = {.x = x,
                          .y = y,
                          .cell_w = g->sheet.width / (double)n[1],
                          .cell_h = g->sheet.height / (double)n[0],
                          .n_rows = n[0],
                          .n_columns = n[1],
                          .pool_rows = 1,
                          .pool_columns = 1,
                          .at = value_at,
                          .color = color_of,
                          .ud = g};
    HEEDI_TRY(heedi_grid_draw(&m, c));
    heedi_grid_edge(&m, c, g->is_causal, g->sheet.width < 40 ? 0.3 : 0.5);
    return HEED_OK;
}

/* ---- the sheet ----------------------------------------------------------- */

static double block_width(const heedi_sheet *s)
{
    return s->label + (double)s->heads * (s->width + s->gap) - s->gap;
}

/* Of a row of thumbnails, the left top of the first. */
static void place(const heedi_sheet *s, int64_t row, double top, double *x,
                  double *y)
{
    const bool alone = s->heads == 1;
    const int64_t block = alone ? row % s->blocks : row / s->lines;
    const int64_t line = alone ? row / s->blocks : row % s->lines;
    *x = HEEDI_MARGIN + (double)block * (block_width(s) + s->aside) + s->label;
    *y = top + s->caption + (double)line * (s->height + s->caption + s->gap);
}

static void number_text(heedi_canvas *c, double x, double y, heedi_type t,
                        int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)number);
    heedi_canvas_text(c, x, y, t, text);
}

/* Around x, but on the page. */
static void middle_text(const grid *g, heedi_canvas *c, double x, double y,
                        const char *text)
{
    heedi_type t = heedi_small_type;
    const double half = heedi_canvas_width(c, t, text) / 2;
    t.align = HEEDI_MIDDLE;
    heedi_canvas_text(c, fmax(half, fmin(x, g->page - half)), y, t, text);
}

/* From the numbers of heads to the first thumbnails: what is written left of
 * these must not touch the word above it. */
static double lift(const heedi_sheet *s, double font)
{
    return fmax(5, 0.61 * font + 1 - s->height / 2);
}

/* Numbers of heads above each block, and what they count. */
static void head_labels(const grid *g, heedi_canvas *c, double top)
{
    const heedi_sheet *s = &g->sheet;
    const heed_array *a = heed_result_get(g->r, g->group, "attention");
    const char *dim = a->var.dim[1];
    const heed_array *at = heedi_coordinates(g->r, g->group, dim, s->heads);
    const double font = fmax(9, c->min_font), pitch = s->width + s->gap;
    const double base = top - lift(s, font);
    heedi_type right = heedi_small_type;
    char text[24];
    const int64_t last =
        at ? (int64_t)heedi_number(at->var.type, at->data, s->heads - 1)
           : s->heads - 1;
    const int64_t step = heedi_step(font *
                                    (last > 99  ? 2.5
                                     : last > 9 ? 1.9
                                                : 1.3) /
                                    pitch);
    right.align = HEEDI_RIGHT;
    for (int64_t row = 0; row < s->layers; row += s->lines) {
        double x, y;
        place(s, row, top, &x, &y);
        middle_text(g, c, x + (block_width(s) - s->label) / 2,
                    base - 1.25 * font, dim);
        for (int64_t h = 0; h < s->heads; h += step) {
            const int64_t n =
                at ? (int64_t)heedi_number(at->var.type, at->data, h) : h;
            const double mid = x + (double)h * pitch + s->width / 2;
            snprintf(text, sizeof text, "%lld", (long long)n);
            if (h == 0) { /* the word is left of the first number, too */
                double half = heedi_canvas_width(c, heedi_small_type, text) / 2;
                heedi_canvas_text(c, fmin(x - 6, mid - half - 4), base, right,
                                  "layer");
            }
            middle_text(g, c, mid, base, text);
        }
    }
}

static heed_status draw_rows(grid *g, heedi_canvas *c, double top)
{
    const heedi_sheet *s = &g->sheet;
    const double font = fmax(9, c->min_font);
    const int64_t step = heedi_step(1.15 * font / (s->height + s->gap));
    heedi_type t = heedi_small_type;
    t.align = HEEDI_RIGHT;
    for (int64_t row = 0; row < s->layers; row++) {
        double x, y;
        place(s, row, top, &x, &y);
        HEEDI_TRY(
            heedi_progress(c->ctx, "drawing", (double)row, (double)s->layers));
        if (s->heads == 1) {
            const char *text = caption(g, c, row);
            if (!text)
                return HEED_ENOMEM;
            heedi_canvas_text(c, x, y - 0.4 * font, heedi_small_type, text);
        } else if (row % s->lines % step == 0) {
            number_text(c, x - 6, y + s->height / 2 + 0.36 * font, t,
                        g->number[row]);
        }
        for (int64_t h = 0; h < s->heads; h++)
            HEEDI_TRY(thumbnail(g, c, row, h,
                                x + (double)h * (s->width + s->gap), y));
    }
    return HEED_OK;
}

/* The colour bar with its top at y and more below it if its words take
 * several lines; *right: how far it reaches. Returns the last baseline. Where
 * words would leave the page it begins at the margin, not at the thumbnails. */
static double draw_legend(const grid *g, heedi_canvas *c, double y,
                          const char *legend, const char *note, double *right)
{
    const double font = fmax(9, c->min_font), words = fmax(5, 0.25 * font);
    const double end = g->page - HEEDI_MARGIN;
    heedi_type t = heedi_small_type;
    const double wide = heedi_canvas_width(c, t, legend);
    const double most =
        fmax(wide, heedi_canvas_width(c, heedi_remark_type, note));
    double x = HEEDI_MARGIN + g->sheet.label;
    if (most > end - x)
        x = HEEDI_MARGIN;
    t.most = end - x;
    const double bar = fmin(fmax(BAR, wide), end - x);
    const double top = wide > t.most
                           ? words + heedi_canvas_lines(c, x, y - words,
                                                        1.25 * font, t, legend)
                           : y;
    const double numbers = heedi_shades_bar(&g->shades, c, x, top, bar,
                                            wide > t.most ? "" : legend);
    const double extra = numbers - (top + fmax(19, 7 + 1.2 * c->min_font));
    *right = fmin(fmax(*right, x + bar), end);
    return heedi_legend_beside(c, x, top + extra, *right - x, bar, note, "");
}

static heed_status draw_sheet(grid *g, heedi_picture *p, heedi_canvas *c)
{
    const heedi_sheet *s = &g->sheet;
    const double font = fmax(9, c->min_font);
    const char *head = p->o.title ? p->o.title : title(g), *sub = subtitle(g);
    const char *note = remark(g, &p->o);
    const char *legend = legend_of(g);
    if (!head || !sub || !note || !legend)
        return HEED_ENOMEM;
    double top = ceil(heedi_heading(c, p, head, sub) + 14);
    if (s->heads > 1) {
        top = ceil(top + 2.5 * font + lift(s, font));
        head_labels(g, c, top);
    }
    HEEDI_TRY(draw_rows(g, c, top));
    const double bottom =
        top + (double)s->lines * (s->height + s->caption + s->gap);
    double right = HEEDI_MARGIN +
                   (double)s->blocks * (block_width(s) + s->aside) - s->aside;
    right = fmax(right, heedi_heading_width(c, head, sub));
    const double base =
        draw_legend(g, c, ceil(bottom + 14 + font), legend, note, &right);
    p->width = ceil(right + HEEDI_MARGIN);
    p->height = ceil(base + 22);
    p->cmap = g->shades.cmap;
    heedi_picture_range(p, g->shades.low, g->shades.high);
    return HEED_OK;
}

static heed_status draw(heedi_picture *p, heedi_canvas *c)
{
    grid g = {.ctx = p->ctx, .r = p->r, .group = p->group, .page = p->o.width};
    const heed_attr *without = heedi_layers_without(p->r, p->group);
    heedi_arena_init(&g.arena, p->ctx);
    heed_status st = pool(&g, &p->o, without ? without->n : 0);
    if (st == HEED_OK)
        st = rows(&g, without);
    if (st == HEED_OK)
        st = range(&g, &p->o);
    if (st == HEED_OK)
        st = draw_sheet(&g, p, c);
    heedi_arena_clear(&g.arena);
    return st;
}

/* What the first token takes is far above the rest of most maps. */
const heedi_figure heedi_figure_grid = {
    .info = {.name = "grid",
             .draws = "attention",
             .summary = "thumbnails of all attention matrices: a row for each "
                        "layer, a column for each head"},
    .robust = 99,
    .least_dims = 4,
    .draw = draw,
};
