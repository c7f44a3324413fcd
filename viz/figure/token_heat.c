/* token_heat.c - the text, each token on the colour of its relevance. */
#include <math.h>

#include "canvas.h"
#include "canvas_text.h"
#include "view.h"

enum { MARGIN = 28, BAR = 210 };
static const double text_size = 15, pitch = 27, box = 24.1;
static const heedi_type title_type = {15, 0x111111, true, HEEDI_LEFT, 0};
static const heedi_type subtitle_type = {10.5, 0x666666, false, HEEDI_LEFT, 0};
static const heedi_type small = {9, 0x444444, false, HEEDI_LEFT, 0};
static const heedi_type account_type = {9.5, 0x444444, false, HEEDI_LEFT, 0};
static const uint32_t red = 0xc00000;

/* An end of the bar in its own colour, unless that is too pale to read. */
static uint32_t end_color(const heedi_view *v, double x)
{
    heedi_rgb c = heedi_view_color(v, x);
    return v->is_signed && heedi_luminance(c) < 0.25 ? heedi_rgb_hex(c)
                                                     : 0x444444;
}

/* The colour bar with its top at y; returns its width. */
static double draw_bar(heedi_view *v, heedi_canvas *c, double y, double width)
{
    char num[HEEDI_NUMBER];
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
    heedi_canvas_text(c, MARGIN, y - 5, left, low);
    heedi_canvas_text(c, MARGIN + w, y - 5, right, high);
    heedi_canvas_bar(c, MARGIN, y, w, 9, v->cmap);
    left.color = right.color = small.color;
    heedi_canvas_text(c, MARGIN, y + 21, left,
                      heedi_number_text(num, v->low, v->is_signed));
    heedi_canvas_text(c, MARGIN + w, y + 21, right,
                      heedi_number_text(num, v->high, v->is_signed));
    if (v->is_signed)
        heedi_canvas_text(c, MARGIN + w / 2, y + 21, middle, "0");
    return w;
}

/* target = tokens + absorbed, at the right of the bar where there is room,
 * else below it; returns the lowest baseline. */
static double draw_account(heedi_view *v, heedi_canvas *c, double y, double bar,
                           double width)
{
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
    double x = MARGIN + width - a - gap - r, base = y + 1;
    if (bar + 24 + a + gap + r > width) {
        x = MARGIN;
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

static heed_status draw_view(heedi_picture *p, heedi_canvas *c, heedi_view *v,
                             heedi_text *text)
{
    const double width = p->o.width - 2 * MARGIN;
    const char *title = heedi_view_title(v, p->o.title);
    const char *subtitle = heedi_view_subtitle(v);
    heedi_type t = title_type, s = subtitle_type;
    if (!title || !subtitle)
        return HEED_ENOMEM;
    t.most = s.most = width;
    double y = heedi_canvas_lines(c, MARGIN, 42, 20, t, title);
    y = heedi_canvas_lines(c, MARGIN, y + 18, 14, s, subtitle) + 20;
    HEEDI_TRY(
        heedi_text_init(text, c, v, fmax(text_size, p->o.min_font), width));
    HEEDI_TRY(heedi_view_range(v, &p->o)); /* pieces may have been joined */
    double grow = fmax(1, p->o.min_font / text_size);
    for (size_t i = 0; i < text->n_lines; i++) {
        HEEDI_TRY(heedi_progress(p->ctx, "drawing", (double)i,
                                 (double)text->n_lines));
        heedi_text_draw(text, c, i, MARGIN, y, grow * box);
        y += grow * pitch;
    }
    y += 21;
    double bar = draw_bar(v, c, y, width);
    double base = bar < 0 ? -1 : draw_account(v, c, y, bar, width);
    const char *outliers = heedi_view_outliers(v);
    if (base < 0 || !outliers)
        return HEED_ENOMEM;
    if (*outliers) {
        heedi_type list = account_type;
        list.most = width;
        base = heedi_canvas_lines(c, MARGIN, base + 18, 13, list, outliers);
    }
    p->width = p->o.width;
    p->height = ceil(base + 22);
    p->vmin = v->low;
    p->vmax = v->high;
    p->cmap = v->cmap;
    return HEED_OK;
}

static heed_status draw(heedi_picture *p, heedi_canvas *c)
{
    heedi_view v;
    heedi_text text = {.view = &v};
    heed_status st = heedi_view_init(&v, p->ctx, p->r, p->group, &p->o);
    if (st == HEED_OK)
        st = draw_view(p, c, &v, &text);
    heedi_text_clear(&text);
    heedi_view_clear(&v);
    return st;
}

const heedi_figure heedi_figure_token_heat = {
    .info = {"token_heat", "relevance",
             "the text, each token on the colour of its relevance"},
    .draw = draw,
};
