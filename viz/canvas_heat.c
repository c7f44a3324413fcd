#include "canvas_heat.h"

#include <math.h>

enum { BAR = 210 };
/* in text sizes */
static const double pitch = 27.0 / 15, box = 24.1 / 15;
static const heedi_type small = {9, 0x444444, false, HEEDI_LEFT, 0};
static const heedi_type account_type = {9.5, 0x444444, false, HEEDI_LEFT, 0};
static const uint32_t red = 0xc00000;

heed_status heedi_heat_init(heedi_heat *h, heed_ctx *ctx,
                            const heed_figure_part *part,
                            const heed_figure_options *o)
{
    heed_figure_options own = *o;
    own.target = part->target;
    h->text = (heedi_text){.view = &h->view};
    return heedi_view_init(&h->view, ctx, part->r, part->group, &own);
}

void heedi_heat_clear(heedi_heat *h)
{
    if (!h->text.view)
        return; /* never begun */
    heedi_text_clear(&h->text);
    heedi_view_clear(&h->view);
}

heed_status heedi_heat_text(heedi_heat *h, heedi_canvas *c,
                            const heed_figure_options *o, double y)
{
    const double size = fmax(h->text_size, o->min_font);
    HEEDI_TRY(heedi_text_init(&h->text, c, &h->view, size, h->width));
    HEEDI_TRY(heedi_view_range(&h->view, o)); /* pieces may have been joined */
    for (size_t i = 0; i < h->text.n_lines; i++) {
        HEEDI_TRY(heedi_progress(c->ctx, "drawing", (double)i,
                                 (double)h->text.n_lines));
        heedi_text_draw(&h->text, c, i, h->x, y, size * box);
        y += size * pitch;
    }
    h->bottom = y;
    return HEED_OK;
}

/* ---- the legend ---------------------------------------------------------- */

/* An end of the bar in its own colour, unless that is too pale to read. */
static uint32_t end_color(const heedi_view *v, double x)
{
    heedi_rgb c = heedi_view_color(v, x);
    return v->is_signed && heedi_luminance(c) < 0.25 ? heedi_rgb_hex(c)
                                                     : 0x444444;
}

/* The colour bar with its top at y; returns its width. */
static double draw_bar(heedi_heat *h, heedi_canvas *c, double y)
{
    char num[HEEDI_NUMBER];
    heedi_view *v = &h->view;
    const double x = h->x, width = h->width;
    const char *low = heedi_view_low(v), *high = heedi_view_high(v);
    heedi_type left = small, right = small, middle = small;
    if (!low || !high)
        return -1;
    double need = heedi_canvas_width(c, small, low) +
                  heedi_canvas_width(c, small, high) + 14;
    double w = fmin(width, fmin(fmax(BAR, need), 1.6 * BAR));
    left.most = right.most = need > w ? (w - 14) / 2 : 0;
    if (!*high)
        left.most = w;
    left.color = end_color(v, v->low);
    right.color = end_color(v, v->high);
    right.align = HEEDI_RIGHT;
    middle.align = HEEDI_MIDDLE;
    heedi_canvas_text(c, x, y - 5, left, low);
    heedi_canvas_text(c, x + w, y - 5, right, high);
    heedi_canvas_bar(c, x, y, w, 9, v->cmap);
    left.color = right.color = small.color;
    heedi_canvas_text(c, x, y + 21, left,
                      heedi_number_text(num, v->low, v->is_signed));
    heedi_canvas_text(c, x + w, y + 21, right,
                      heedi_number_text(num, v->high, v->is_signed));
    if (v->is_signed)
        heedi_canvas_text(c, x + w / 2, y + 21, middle, "0");
    return w;
}

/* target = tokens + absorbed, at the right of the bar where there is room,
 * else below it; returns the lowest baseline. */
static double draw_account(heedi_heat *h, heedi_canvas *c, double y, double bar)
{
    heedi_view *v = &h->view;
    const double width = h->width;
    heedi_type t = account_type, wrong = account_type;
    const char *account = heedi_view_account(v);
    const char *residual = heedi_view_residual(v);
    wrong.color = red;
    if (!account || !residual)
        return -1;
    if (!*account && !*residual)
        return y + 21;
    double a = heedi_canvas_width(c, t, account);
    double r = *residual ? heedi_canvas_width(c, t, residual) : 0;
    double gap = *account && *residual ? 8 : 0;
    double x = h->x + width - a - gap - r, base = y + 1;
    if (bar + 24 + a + gap + r > width) {
        x = h->x;
        base = y + 38;
    }
    if (a + gap + r > width) { /* narrow page: as many lines as it takes */
        t.most = wrong.most = width;
        base = heedi_canvas_lines(c, x, base, 13, t, account);
        return *residual
                   ? heedi_canvas_lines(c, x, base + 13, 13, wrong, residual)
                   : base;
    }
    heedi_canvas_text(c, x, base, t, account);
    heedi_canvas_text(c, x + a + gap, base, wrong, residual);
    return fmax(base, y + 21);
}

heed_status heedi_heat_legend(heedi_heat *h, heedi_canvas *c, double y)
{
    double bar = draw_bar(h, c, y);
    h->bottom = bar < 0 ? -1 : draw_account(h, c, y, bar);
    const char *outliers = heedi_view_outliers(&h->view);
    if (h->bottom < 0 || !outliers)
        return HEED_ENOMEM;
    if (*outliers) {
        heedi_type list = account_type;
        list.most = h->width;
        h->bottom =
            heedi_canvas_lines(c, h->x, h->bottom + 18, 13, list, outliers);
    }
    return HEED_OK;
}
