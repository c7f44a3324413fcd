#include "canvas_grid.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "view.h"

static const double gap = 0.6;

const char *heedi_grid_pooling(const heedi_grid *g, heedi_arena *mem,
                               const char *rows)
{
    if (g->pool_rows == 1 && g->pool_columns == 1)
        return "";
    if (g->pool_rows == 1)
        return heedi_arena_print(
            mem, " \xc2\xb7 each column is the greatest of %lld tokens",
            (long long)g->pool_columns);
    return heedi_arena_print(mem,
                             " \xc2\xb7 each cell is the greatest of %lld %s "
                             "\xc3\x97 %lld token%s",
                             (long long)g->pool_rows, rows,
                             (long long)g->pool_columns,
                             g->pool_columns == 1 ? "" : "s");
}

int64_t heedi_grid_rows(const heedi_grid *g)
{
    return (g->n_rows + g->pool_rows - 1) / g->pool_rows;
}

int64_t heedi_grid_columns(const heedi_grid *g)
{
    return (g->n_columns + g->pool_columns - 1) / g->pool_columns;
}

double heedi_grid_width(const heedi_grid *g)
{
    return (double)heedi_grid_columns(g) * g->cell_w;
}

double heedi_grid_height(const heedi_grid *g)
{
    return (double)heedi_grid_rows(g) * g->cell_h;
}

double heedi_grid_row_at(const heedi_grid *g, int64_t row)
{
    double at = ((double)row + 0.5) * g->cell_h / (double)g->pool_rows;
    return g->is_flipped ? g->y + heedi_grid_height(g) - at : g->y + at;
}

double heedi_grid_column_at(const heedi_grid *g, int64_t column)
{
    return g->x + ((double)column + 0.5) * g->cell_w / (double)g->pool_columns;
}

static double cell_value(const heedi_grid *g, int64_t i, int64_t k)
{
    double best = (double)NAN;
    int64_t rows = g->pool_rows, columns = g->pool_columns;
    for (int64_t a = i * rows; a < (i + 1) * rows && a < g->n_rows; a++)
        for (int64_t b = k * columns; b < (k + 1) * columns && b < g->n_columns;
             b++) {
            double x = g->at(g->ud, a, b);
            if (isnan(best) || fabs(x) > fabs(best))
                best = x;
        }
    return best;
}

/* ".58", "1", "−.35" */
static void draw_number(heedi_canvas *c, const heedi_grid *g, double x,
                        double y, double value, heedi_rgb color)
{
    char text[32];
    double a = fabs(value);
    heedi_type t = {7.5, heedi_rgb_hex(heedi_ink(color)), false, HEEDI_MIDDLE,
                    0};
    if (a >= 0.995 && a < 1.005)
        snprintf(text, sizeof text, "1");
    else
        snprintf(text, sizeof text, "%.*f", a >= 9.95 ? 0 : a > 1 ? 1 : 2, a);
    char *digits = text[0] == '0' && text[1] == '.' ? text + 1 : text;
    char buf[40];
    snprintf(buf, sizeof buf, "%s%s", value < 0 ? "\xe2\x88\x92" : "", digits);
    double keep = c->min_font; /* numbers in cells may be smaller than text */
    c->min_font = fmin(keep, 7.5);
    heedi_canvas_text(c, x + g->cell_w / 2, y + g->cell_h / 2 + 3, t, buf);
    c->min_font = keep;
}

static void draw_cells(const heedi_grid *g, heedi_canvas *c)
{
    const int64_t rows = heedi_grid_rows(g), columns = heedi_grid_columns(g);
    double space = !g->edge && g->cell_w >= 8 && g->cell_h >= 8 ? gap : 0;
    cairo_antialias_t keep = cairo_get_antialias(c->cr);
    if (space == 0) /* no seams where cells meet inside a pixel */
        cairo_set_antialias(c->cr, CAIRO_ANTIALIAS_NONE);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < columns; k++) {
            double value = cell_value(g, i, k);
            double x = g->edge ? g->edge[k] : g->x + (double)k * g->cell_w;
            double w = g->edge ? g->edge[k + 1] - g->edge[k] : g->cell_w;
            double y =
                g->y + (double)(g->is_flipped ? rows - 1 - i : i) * g->cell_h;
            if (isnan(value))
                continue;
            heedi_rgb color = g->color(g->ud, value);
            if (heedi_rgb_hex(color) == 0xffffff)
                continue;
            heedi_canvas_box(c, x, y, w - space, g->cell_h - space, 0, color);
            if (g->number > 0 && fabs(value) >= g->number)
                draw_number(c, g, x, y, value, color);
        }
    cairo_set_antialias(c->cr, keep);
}

/* A pixel for each cell. */
static heed_status draw_pixels(const heedi_grid *g, heedi_canvas *c)
{
    const int64_t rows = heedi_grid_rows(g), columns = heedi_grid_columns(g);
    cairo_surface_t *s =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)columns, (int)rows);
    if (cairo_surface_status(s) != CAIRO_STATUS_SUCCESS) {
        cairo_surface_destroy(s);
        return heedi_fail(c->ctx, HEED_ENOMEM, "no memory for the picture");
    }
    int stride = cairo_image_surface_get_stride(s);
    unsigned char *data = cairo_image_surface_get_data(s);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < columns; k++) {
            double value = cell_value(g, i, k);
            uint32_t pixel =
                isnan(value) ? 0xffffff : heedi_rgb_hex(g->color(g->ud, value));
            int64_t line = g->is_flipped ? rows - 1 - i : i;
            memcpy(data + line * stride + 4 * k, &pixel, sizeof pixel);
        }
    cairo_surface_mark_dirty(s);
    cairo_save(c->cr);
    cairo_translate(c->cr, g->x, g->y);
    cairo_scale(c->cr, g->cell_w, g->cell_h);
    cairo_set_source_surface(c->cr, s, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(c->cr), CAIRO_FILTER_NEAREST);
    cairo_paint(c->cr);
    cairo_restore(c->cr);
    cairo_surface_destroy(s);
    return HEED_OK;
}

heed_status heedi_grid_draw(const heedi_grid *g, heedi_canvas *c)
{
    if (!g->edge && (g->cell_w < 3 || g->cell_h < 3))
        return draw_pixels(g, c);
    draw_cells(g, c);
    return HEED_OK;
}

void heedi_grid_edge(const heedi_grid *g, heedi_canvas *c, bool is_causal,
                     double line)
{
    const int64_t rows = heedi_grid_rows(g);
    const double w = heedi_grid_width(g), h = heedi_grid_height(g);
    const double x = g->x - gap / 2, y = g->y - gap / 2;
    const bool steps = g->cell_w >= 3 && g->cell_h >= 3;
    cairo_t *cr = c->cr;
    cairo_move_to(cr, x, y);
    if (!is_causal)
        cairo_line_to(cr, x + w, y);
    if (is_causal && !steps) { /* a stair so fine would look dashed */
        cairo_line_to(cr, x + g->cell_w, y);
        cairo_line_to(cr, x + w, y + h - g->cell_h);
    }
    for (int64_t i = 0; is_causal && steps && i < rows; i++) {
        double right = x + (double)(i + 1) * g->cell_w;
        cairo_line_to(cr, right, y + (double)i * g->cell_h);
        cairo_line_to(cr, right, y + (double)(i + 1) * g->cell_h);
    }
    cairo_line_to(cr, x + w, y + h);
    cairo_line_to(cr, x, y + h);
    cairo_close_path(cr);
    heedi_canvas_color(c, heedi_rgb_of(0xbbbbbb));
    cairo_set_line_width(cr, line);
    cairo_stroke(cr);
}

double heedi_shades_bar(const heedi_shades *s, heedi_canvas *c, double x,
                        double y, double w, const char *legend)
{
    char low[HEEDI_NUMBER], high[HEEDI_NUMBER];
    const double font = c->min_font;
    heedi_type left = {9, 0x444444, false, HEEDI_LEFT, 0}, right = left,
               middle = left;
    right.align = HEEDI_RIGHT;
    middle.align = HEEDI_MIDDLE;
    heedi_number_text(low, s->low, s->is_signed);
    heedi_number_text(high, s->high, s->is_signed);
    const double a = heedi_canvas_width(c, left, low);
    const double b = heedi_canvas_width(c, right, high);
    const double zero = heedi_canvas_width(c, middle, "0");
    const double base = y + fmax(19, 7 + 1.2 * font);
    const double other = a + b + 4 > w ? base + 1.2 * font : base;
    heedi_canvas_text(c, x, y - fmax(5, 0.25 * font), left, legend);
    heedi_canvas_bar(c, x, y, w, 8, s->cmap);
    heedi_canvas_text(c, x, base, left, low);
    heedi_canvas_text(c, x + w, other, right, high);
    if (s->is_signed && 2 * fmax(a, b) + zero + 8 <= w)
        heedi_canvas_text(c, x + w / 2, base, middle, "0");
    return other;
}
