/* reach.c - how far attention reaches: its share by distance, a line for each
 * layer on logarithmic axes, and beside it the mean distance of each layer. */
#include <math.h>
#include <stdio.h>

#include "canvas.h"
#include "canvas_legend.h"
#include "field.h"
#include "result.h"
#include "view.h"

enum { HEIGHT = 300, GAP = 64, BARS = 200, LEFT = 46, DECADES = 6, THICK = 26 };
static const heedi_type head_type = {10.5, 0x111111, true, HEEDI_LEFT, 0};
static const uint32_t line_color = 0xe4e4e4;

typedef struct plot {
    heedi_arena arena;
    const heed_array *share, *layer;
    const heed_attr *distance; /* of each layer */
    int64_t n, t;              /* layers, lags */
    double x0, x1, y0, y1;     /* px; y0 is the bottom */
    double low, high;          /* log10 of shares */
    const heedi_cmap *cmap;
} plot;

static const char *plain(char text[HEEDI_NUMBER], double x)
{
    snprintf(text, HEEDI_NUMBER, "%g", x);
    return text;
}

static double share_at(const plot *q, int64_t layer, int64_t lag)
{
    return heedi_number(q->share->var.type, q->share->data, layer * q->t + lag);
}

static double layer_at(const plot *q, int64_t i)
{
    return q->layer ? heedi_number(q->layer->var.type, q->layer->data, i)
                    : (double)i;
}

static heedi_rgb color_at(const plot *q, int64_t i)
{
    return heedi_cmap_color(
        q->cmap, q->n > 1 ? 0.9 * (double)i / (double)(q->n - 1) : 0.3);
}

/* Shares that are shown: positive ones, at most DECADES below the greatest. */
static heed_status set_range(plot *q, heed_ctx *ctx)
{
    double least = HUGE_VAL, most = 0;
    for (int64_t i = 0; i < q->n; i++)
        for (int64_t lag = 1; lag < q->t; lag++) {
            const double x = share_at(q, i, lag);
            if (!(x > 0))
                continue;
            least = fmin(least, x);
            most = fmax(most, x);
        }
    if (!(most > 0))
        return heedi_fail(ctx, HEED_EINVAL,
                          "reach: no weight on any earlier token");
    q->high = ceil(log10(most));
    q->low = fmax(floor(log10(least)), q->high - DECADES);
    if (q->low == q->high)
        q->low--;
    return HEED_OK;
}

static double x_at(const plot *q, double lag)
{
    const double most = log10(fmax((double)(q->t - 1), 2));
    return q->x0 + log10(lag) / most * (q->x1 - q->x0);
}

static double y_at(const plot *q, double share)
{
    const double y = (log10(share) - q->low) / (q->high - q->low);
    return q->y0 + fmax(y, 0) * (q->y1 - q->y0);
}

static void draw_axes(const plot *q, heedi_canvas *c)
{
    char text[HEEDI_NUMBER];
    heedi_type right = heedi_small_type, middle = heedi_small_type;
    right.align = HEEDI_RIGHT;
    middle.align = HEEDI_MIDDLE;
    for (double k = q->low; k <= q->high; k++) {
        const double y = y_at(q, pow(10, k));
        heedi_canvas_box(c, q->x0, y - 0.3, q->x1 - q->x0, 0.6, 0,
                         heedi_rgb_of(line_color));
        heedi_canvas_text(c, q->x0 - 7, y + 3.5, right,
                          plain(text, pow(10, k)));
    }
    for (double lag = 1; lag < (double)q->t; lag *= 10)
        heedi_canvas_text(c, x_at(q, lag), q->y0 + 15, middle,
                          plain(text, lag));
    heedi_canvas_text(c, (q->x0 + q->x1) / 2, q->y0 + 31, middle,
                      "distance, query \xe2\x88\x92 key");
}

/* A line is broken where there is nothing to show. */
static void draw_lines(const plot *q, heedi_canvas *c)
{
    for (int64_t i = 0; i < q->n; i++) {
        bool on = false;
        for (int64_t lag = 1; lag < q->t; lag++) {
            const double s = share_at(q, i, lag);
            if (!(s >= pow(10, q->low))) {
                on = false;
                continue;
            }
            (on ? cairo_line_to : cairo_move_to)(c->cr, x_at(q, (double)lag),
                                                 y_at(q, s));
            on = true;
        }
        heedi_canvas_color(c, color_at(q, i));
        cairo_set_line_width(c->cr, 1.3);
        cairo_stroke(c->cr);
    }
}

/* The last layer at the top, as everywhere. */
static void draw_bars(const plot *q, heedi_canvas *c, double x)
{
    const double pitch = fmin((q->y0 - q->y1) / (double)q->n, THICK);
    double most = 0;
    char text[HEEDI_NUMBER];
    heedi_type right = heedi_small_type, value = heedi_small_type;
    const double size = fmax(right.size, c->min_font);
    const int64_t step = (int64_t)ceil(1.2 * size / pitch);
    const double *d = q->distance->data;
    right.align = HEEDI_RIGHT;
    for (int64_t i = 0; i < q->n; i++)
        most = d[i] > most ? d[i] : most;
    for (int64_t i = 0; i < q->n && most > 0; i++) {
        const double y = q->y0 - (double)(i + 1) * pitch;
        const double w = d[i] > 0 ? d[i] / most * (BARS - 50) : 0;
        heedi_canvas_box(c, x, y + 0.08 * pitch, w, 0.84 * pitch, 0,
                         color_at(q, i));
        if (i % step != 0)
            continue;
        heedi_canvas_text(c, x - 7, y + pitch / 2 + 0.36 * size, right,
                          plain(text, layer_at(q, i)));
        heedi_canvas_text(c, x + w + 5, y + pitch / 2 + 0.36 * size, value,
                          heedi_number_text(text, d[i], false));
    }
}

static heed_status draw_plot(heedi_picture *p, heedi_canvas *c, plot *q)
{
    const char *kind = heed_result_str(p->r, p->group, "kind");
    const char *reduce = heed_result_str(p->r, p->group, "reduction");
    const char *model = heedi_model_text(&q->arena, p->r);
    if (!model)
        return HEED_ENOMEM;
    const char *sub =
        heedi_arena_print(&q->arena, "%s, %s \xc2\xb7 %s \xc2\xb7 %lld tokens",
                          kind ? kind : "attention", reduce ? reduce : "",
                          model, (long long)q->t);
    if (!sub)
        return HEED_ENOMEM;
    double y = heedi_heading(
        c, p, p->o.title ? p->o.title : "How far does attention reach?", sub);
    q->x0 = HEEDI_MARGIN + LEFT;
    q->x1 = p->o.width - HEEDI_MARGIN - BARS - GAP;
    q->y1 = y + 46;
    q->y0 = q->y1 + HEIGHT;
    heedi_canvas_text(c, q->x0, y + 28, head_type,
                      "Share of a row's weight, by distance");
    heedi_canvas_text(c, q->x1 + GAP, y + 28, head_type,
                      "Mean distance, by layer (tokens)");
    draw_axes(q, c);
    draw_lines(q, c);
    draw_bars(q, c, q->x1 + GAP);
    p->width = p->o.width;
    p->height = ceil(q->y0 + 31 + HEEDI_MARGIN);
    p->cmap = q->cmap;
    heedi_picture_range(p, pow(10, q->low), pow(10, q->high));
    return HEED_OK;
}

static heed_status draw(heedi_picture *p, heedi_canvas *c)
{
    plot q = {.share = heed_result_get(p->r, p->group, "lag_share"),
              .distance = heed_result_attr(p->r, p->group, "mean_distance"),
              .cmap = heedi_cmap_named(p->o.cmap ? p->o.cmap : "viridis")};
    if (!q.cmap)
        return heedi_fail(p->ctx, HEED_EINVAL, "no colour map is called '%s'",
                          p->o.cmap);
    if (!q.share || q.share->var.nd != 2 || q.share->var.len[1] < 2 ||
        !q.distance || q.distance->type != HEED_F64 ||
        (q.distance->n > 0 ? q.distance->n : 1) != q.share->var.len[0])
        return heedi_fail(p->ctx, HEED_EINVAL,
                          "reach: %s has no lag_share of two tokens or more",
                          p->group);
    q.n = q.share->var.len[0];
    q.t = q.share->var.len[1];
    q.layer = heedi_coordinates(p->r, p->group, "layer", q.n);
    heedi_arena_init(&q.arena, p->ctx);
    heed_status st = set_range(&q, p->ctx);
    if (st == HEED_OK)
        st = draw_plot(p, c, &q);
    heedi_arena_clear(&q.arena);
    return st;
}

const heedi_figure heedi_figure_reach = {
    .info = {.name = "reach",
             .draws = "lag_share",
             .summary = "attention by distance, and mean distance, of each "
                        "layer"},
    .least_dims = 2,
    .draw = draw,
};
