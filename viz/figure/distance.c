/* distance.c - positional relevance by how far query and key are apart: the
 * sum of all layers as bars, and each layer in colours. */
#include <math.h>
#include <stdlib.h>

#include "axis.h"
#include "canvas_grid.h"
#include "canvas_legend.h"
#include "field.h"
#include "result.h"

enum { BARS = 130, MOST_LINEAR = 64, BENT_FROM = 10 };
static const double row_most = 14, row_least = 1;
static const double height = 196, height_most = 400;
static const double narrowest = 1.5; /* of a column, px */
static const uint32_t line_color = 0xe4e4e4, zero_color = 0x999999;
static const heedi_type head_type = {10.5, 0x111111, true, HEEDI_LEFT, 0};

/* A column: distances first ... last - 1, by index. */
typedef struct column {
    int64_t first, last;
    double total; /* of all layers; of several distances the greatest */
} column;

typedef struct profile {
    heedi_view view;
    heedi_field field;
    const heed_array *distance, *layer; /* their numbers, or NULL */
    double *total;                      /* of each distance */
    column *column;
    double *edge; /* px */
    int64_t n;    /* columns */
    bool is_pooled;
    heedi_scale x, y;
} profile;

static double number_of(const heed_array *a, int64_t i)
{
    return a ? heedi_number(a->var.type, a->data, i) : (double)i;
}

static double value_at(const void *ud, int64_t row, int64_t k)
{
    const profile *q = ud;
    double best = 0;
    for (int64_t i = q->column[k].first; i < q->column[k].last; i++) {
        double x = heedi_field_at(&q->field, row, i);
        best = fabs(x) > fabs(best) ? x : best;
    }
    return best;
}

static heedi_rgb color_of(const void *ud, double x)
{
    const profile *q = ud;
    return heedi_view_color(&q->view, x);
}

/* ---- scales -------------------------------------------------------------- */

/* Distances are evenly spaced up to ten if there are many: most of what
 * happens is near. */
static void set_x(profile *q, double from, double to)
{
    const int64_t n = q->field.n_columns;
    q->x = (heedi_scale){.low = number_of(q->distance, 0) - 0.5,
                         .high = number_of(q->distance, n - 1) + 0.5,
                         .from = from,
                         .to = to,
                         .threshold = n > MOST_LINEAR ? BENT_FROM : 0};
}

static heed_status set_columns(profile *q)
{
    const int64_t n = q->field.n_columns;
    heedi_arena *mem = &q->view.arena;
    q->column = heedi_arena_alloc(mem, (size_t)n * sizeof *q->column);
    q->edge = heedi_arena_alloc(mem, ((size_t)n + 1) * sizeof *q->edge);
    q->total = heedi_arena_alloc(mem, (size_t)n * sizeof *q->total);
    if (!q->column || !q->edge || !q->total)
        return HEED_ENOMEM;
    q->edge[0] = q->x.from;
    for (int64_t i = 0; i < n; i++) {
        column *k = &q->column[q->n];
        double end = heedi_scale_at(&q->x, number_of(q->distance, i) + 0.5);
        q->total[i] = heedi_field_column(&q->field, i);
        if (fabs(q->total[i]) > fabs(k->total))
            k->total = q->total[i];
        k->last = i + 1;
        if (end - q->edge[q->n] < narrowest && i + 1 < n)
            continue;
        q->is_pooled |= k->last - k->first > 1;
        q->edge[++q->n] = end;
        if (i + 1 < n)
            q->column[q->n].first = i + 1;
    }
    return HEED_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear, unless that would leave nothing but the greatest bars. */
static heed_status set_y(profile *q, bool logarithmic)
{
    double low = 0, high = 0, most, quarter;
    double *size =
        heedi_arena_alloc(&q->view.arena, (size_t)q->n * sizeof *size);
    if (!size)
        return HEED_ENOMEM;
    for (int64_t k = 0; k < q->n; k++) {
        size[k] = fabs(q->column[k].total);
        low = fmin(low, q->column[k].total);
        high = fmax(high, q->column[k].total);
    }
    qsort(size, (size_t)q->n, sizeof *size, by_value);
    most = size[q->n - 1];
    quarter = size[3 * q->n / 4]; /* of the bars are greater */
    if (most == 0)
        high = most = 1;
    if (quarter > 0 && (logarithmic || most > 100 * quarter))
        q->y.threshold = pow(10, floor(log10(fmax(quarter, most / 1e4))));
    q->y.low = low;
    q->y.high = high;
    return HEED_OK;
}

/* ---- the parts ----------------------------------------------------------- */

static void draw_bars(profile *q, heedi_canvas *c)
{
    double tick[HEEDI_MAX_TICKS], zero = heedi_scale_at(&q->y, 0);
    char num[HEEDI_NUMBER];
    heedi_type t = heedi_small_type;
    t.align = HEEDI_RIGHT;
    int n = heedi_scale_ticks(&q->y, 20, tick);
    for (int i = 0; i < n; i++) {
        double y = heedi_scale_at(&q->y, tick[i]);
        heedi_canvas_box(c, q->x.from, y - 0.3, q->x.to - q->x.from,
                         tick[i] == 0 ? 0.8 : 0.6, 0,
                         heedi_rgb_of(tick[i] == 0 ? zero_color : line_color));
        heedi_canvas_text(c, q->x.from - 7,
                          y + 0.36 * fmax(t.size, c->min_font), t,
                          heedi_tick_text(num, tick[i]));
    }
    for (int64_t k = 0; k < q->n; k++) {
        double total = q->column[k].total, w = q->edge[k + 1] - q->edge[k];
        double y = heedi_scale_at(&q->y, total), gap = w >= 4 ? 0.12 * w : 0;
        heedi_canvas_box(c, q->edge[k] + gap / 2, fmin(y, zero), w - gap,
                         fabs(y - zero), 0,
                         heedi_cmap_color(q->view.cmap, total < 0 ? -1 : 1));
    }
}

static void draw_x(const profile *q, heedi_canvas *c, double y)
{
    double tick[HEEDI_MAX_TICKS];
    char text[24];
    heedi_type t = heedi_small_type;
    t.align = HEEDI_MIDDLE;
    int n = heedi_scale_ticks(&q->x, 30, tick);
    for (int i = 0; i < n; i++) {
        if (fabs(tick[i] - rint(tick[i])) > 1e-6)
            continue;
        snprintf(text, sizeof text, "%s%.0f", tick[i] < 0 ? "\xe2\x88\x92" : "",
                 fabs(tick[i]));
        heedi_canvas_text(c, heedi_scale_at(&q->x, tick[i]), y, t, text);
    }
    t.most = q->x.to - q->x.from;
    heedi_canvas_text(c, (q->x.from + q->x.to) / 2,
                      y + fmax(15, 1.3 * c->min_font), t,
                      "distance, query \xe2\x88\x92 key");
}

static void draw_layers(const profile *q, heedi_canvas *c, const heedi_grid *g)
{
    char text[24];
    heedi_type t = heedi_small_type;
    t.align = HEEDI_RIGHT;
    const double size = fmax(t.size, c->min_font);
    const double pitch = g->cell_h / (double)g->pool_rows;
    int64_t step = heedi_step(1.1 * size / pitch);
    step = step > 1 && step < 5 ? 5 : step;
    for (int64_t i = 0; i < q->field.n_rows; i += step) {
        double layer = number_of(q->layer, i);
        snprintf(text, sizeof text, "%.0f", layer);
        heedi_canvas_text(c, g->x - 7, heedi_grid_row_at(g, i) + 0.36 * size, t,
                          layer < 0 ? "input" : text);
    }
    heedi_canvas_outline(c, q->x.from, g->y, q->x.to - q->x.from,
                         heedi_grid_height(g), 0, 0.6, heedi_rgb_of(0xcccccc));
}

/* "half of all |totals| within a distance of 3" */
static const char *nearness(profile *q)
{
    double all = 0, most = 0, sum = 0;
    const int64_t n = q->field.n_columns;
    heedi_arena *mem = &q->view.arena;
    for (int64_t i = 0; i < n; i++) {
        all += fabs(q->total[i]);
        most = fmax(most, fabs(number_of(q->distance, i)));
    }
    if (all == 0 || most > 4 * (double)n)
        return "";
    double *at = heedi_arena_alloc(mem, ((size_t)most + 1) * sizeof *at);
    if (!at)
        return NULL;
    for (int64_t i = 0; i < n; i++)
        at[(size_t)fabs(number_of(q->distance, i))] += fabs(q->total[i]);
    for (size_t d = 0; d <= (size_t)most; d++)
        if ((sum += at[d]) >= 0.5 * all)
            return heedi_arena_print(mem,
                                     "half of all |totals| within a distance "
                                     "of %zu",
                                     d);
    return "";
}

/* ---- words --------------------------------------------------------------- */

static const char *title(profile *q, const char *given)
{
    heedi_view *v = &q->view;
    if (given)
        return given;
    if (!v->target_text)
        return "At which distance do positions matter?";
    return heedi_arena_print(
        &v->arena,
        "At which distance do positions matter for \xe2\x80\x9c%s\xe2\x80\x9d%s"
        "%s%s?",
        v->target_text, v->foil_text ? " rather than \xe2\x80\x9c" : "",
        v->foil_text ? v->foil_text : "", v->foil_text ? "\xe2\x80\x9d" : "");
}

static const char *bars_head(profile *q)
{
    heedi_view *v = &q->view;
    const char *unit = heedi_view_unit(v), *bent = "";
    char num[HEEDI_NUMBER];
    if (q->y.threshold > 0)
        bent = heedi_arena_print(&v->arena, ", logarithmic beyond \xc2\xb1%s",
                                 heedi_number_text(num, q->y.threshold, false));
    return unit && bent
               ? heedi_arena_print(&v->arena,
                                   "Sum over layers: positional relevance "
                                   "(%s%s)",
                                   unit, bent)
               : NULL;
}

/* ---- the whole ----------------------------------------------------------- */

static heed_status legend(profile *q, heedi_picture *p, heedi_canvas *c,
                          double y)
{
    heedi_view *v = &q->view;
    double most = 0;
    for (int64_t i = 0; i < q->field.n_rows; i++)
        for (int64_t k = 0; k < q->n; k++)
            most = fmax(most, fabs(value_at(q, i, k)));
    const double width = q->x.to - q->x.from;
    double bar = heedi_legend_bar(v, c, q->x.from, y, width);
    const char *covers = heedi_view_covers(v, &p->o, most);
    const char *near = nearness(q);
    if (bar < 0 || !covers || !near)
        return HEED_ENOMEM;
    const char *remark = heedi_arena_print(
        &v->arena, "%s%s%s", near, *near && *covers ? "; " : "", covers);
    if (!remark)
        return HEED_ENOMEM;
    double base = heedi_legend_beside(c, q->x.from, y, width, bar, remark, "");
    p->height = ceil(base + 22);
    return HEED_OK;
}

static heed_status draw_profile(profile *q, heedi_picture *p, heedi_canvas *c)
{
    heedi_view *v = &q->view;
    heedi_grid g = {.n_rows = q->field.n_rows,
                    .is_flipped = true,
                    .pool_columns = 1,
                    .at = value_at,
                    .color = color_of,
                    .ud = q};
    const double left = HEEDI_MARGIN +
                        heedi_canvas_width(c, heedi_small_type,
                                           "\xe2\x88\x92"
                                           "0.0005") +
                        7;
    set_x(q, left, p->o.width - HEEDI_MARGIN);
    HEEDI_TRY(set_columns(q));
    HEEDI_TRY(set_y(q, p->o.log));
    const char *heading = title(q, p->o.title), *head = bars_head(q);
    const char *sub = heedi_view_subtitle(v);
    if (q->is_pooled && sub)
        sub =
            heedi_arena_print(&v->arena,
                              "%s \xc2\xb7 a narrow column is the greatest of "
                              "several distances",
                              sub);
    if (!heading || !head || !sub)
        return HEED_ENOMEM;
    double y = heedi_heading(c, p, heading, sub) + 28;
    heedi_type t = head_type;
    t.most = q->x.to - left;
    heedi_canvas_text(c, left, y, t, head);
    q->y.to = y + 14;
    q->y.from = q->y.to + BARS;
    draw_bars(q, c);
    y = q->y.from + 30;
    heedi_canvas_text(c, left, y, t,
                      q->field.n_rows > 1 ? "By layer, the last at the top"
                                          : "By layer");
    g.x = left;
    g.y = ceil(y + 8);
    g.n_columns = q->n;
    g.edge = q->edge;
    heedi_grid_fit(fmin(height_most, fmax(height, 2 * (double)g.n_rows)),
                   g.n_rows, row_most, row_least, &g.cell_h, &g.pool_rows);
    HEEDI_TRY(heedi_grid_draw(&g, c));
    draw_layers(q, c, &g);
    y = g.y + heedi_grid_height(&g) + 15;
    draw_x(q, c, y);
    HEEDI_TRY(legend(q, p, c, y + 46));
    p->width = p->o.width;
    p->cmap = v->cmap;
    heedi_picture_range(p, v->low, v->high);
    return HEED_OK;
}

static heed_status draw(heedi_picture *p, heedi_canvas *c)
{
    static const char name[] = "position_relevance_distance";
    profile q = {0};
    heedi_view *v = &q.view;
    heed_status st = heedi_view_init(v, p->ctx, p->r, p->group, &p->o);
    if (st == HEED_OK)
        st = heedi_view_sign(v, true, &p->o);
    if (st == HEED_OK)
        st = heedi_field_init(&q.field, v, name, 0);
    if (st == HEED_OK)
        st = heedi_field_range(&q.field, v, &p->o, false);
    if (st == HEED_OK) {
        q.distance =
            heedi_coordinates(p->r, p->group, "distance", q.field.n_columns);
        q.layer = heedi_coordinates(p->r, p->group, "layer", q.field.n_rows);
        st = draw_profile(&q, p, c);
    }
    heedi_view_clear(v);
    return st;
}

const heedi_figure heedi_figure_distance = {
    .info = {.name = "distance",
             .draws = "position_relevance_distance",
             .summary = "positional relevance by the distance of query and "
                        "key"},
    .robust = 99.5,
    .draw = draw,
};
