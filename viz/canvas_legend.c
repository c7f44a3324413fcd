#include "canvas_legend.h"

#include <math.h>

enum { BAR = 210 };
static const heedi_type title_type = {15, 0x111111, true, HEEDI_LEFT, 0};
static const heedi_type subtitle_type = {10.5, 0x666666, false, HEEDI_LEFT, 0};
const heedi_type heedi_small_type = {9, 0x444444, false, HEEDI_LEFT, 0};
const heedi_type heedi_remark_type = {9.5, 0x444444, false, HEEDI_LEFT, 0};
static const uint32_t red = 0xc00000;

double heedi_heading(heedi_canvas *c, const heedi_picture *p, const char *title,
                     const char *subtitle)
{
    heedi_type t = title_type, s = subtitle_type;
    t.most = s.most = p->o.width - 2 * HEEDI_MARGIN;
    double y = heedi_canvas_lines(c, HEEDI_MARGIN, 42, 20, t, title);
    return heedi_canvas_lines(c, HEEDI_MARGIN, y + fmax(18, 1.3 * c->min_font),
                              14, s, subtitle);
}

double heedi_heading_width(heedi_canvas *c, const char *title,
                           const char *subtitle)
{
    return HEEDI_MARGIN + fmax(heedi_canvas_width(c, title_type, title),
                               heedi_canvas_width(c, subtitle_type, subtitle));
}

double heedi_legend_base(const heedi_canvas *c, double y)
{
    return y + fmax(21, 9 + 1.2 * c->min_font);
}

/* An end of the bar in its own colour, unless that is too pale to read. */
static uint32_t end_color(const heedi_view *v, double x)
{
    heedi_rgb c = heedi_view_color(v, x);
    return v->is_signed && heedi_luminance(c) < 0.25 ? heedi_rgb_hex(c)
                                                     : 0x444444;
}

double heedi_legend_bar(heedi_view *v, heedi_canvas *c, double x, double y,
                        double width)
{
    char num[HEEDI_NUMBER];
    const char *low = heedi_view_low(v), *high = heedi_view_high(v);
    heedi_type left = heedi_small_type, right = left, middle = left;
    if (!low || !high)
        return -1;
    const double base = heedi_legend_base(c, y);
    double need = heedi_canvas_width(c, left, low) +
                  heedi_canvas_width(c, left, high) + 14;
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
    left.color = right.color = heedi_small_type.color;
    heedi_canvas_text(c, x, base, left,
                      heedi_number_text(num, v->low, v->is_signed));
    heedi_canvas_text(c, x + w, base, right,
                      heedi_number_text(num, v->high, v->is_signed));
    if (v->is_signed)
        heedi_canvas_text(c, x + w / 2, base, middle, "0");
    return w;
}

double heedi_legend_remark(heedi_canvas *c, double x, double width,
                           double taken, double beside, double below,
                           const char *remark, const char *wrong)
{
    heedi_type t = heedi_remark_type, alarm = t;
    alarm.color = red;
    const double pitch = fmax(13, 1.25 * c->min_font);
    if (!*remark && !*wrong)
        return beside;
    double a = *remark ? heedi_canvas_width(c, t, remark) : 0;
    double r = *wrong ? heedi_canvas_width(c, alarm, wrong) : 0;
    double gap = *remark && *wrong ? 8 : 0;
    double at = x + width - a - gap - r, base = beside;
    if (taken + 24 + a + gap + r > width) {
        at = x;
        base = below;
    }
    if (a + gap + r > width) { /* narrow page */
        t.most = alarm.most = width;
        if (*remark)
            base = heedi_canvas_lines(c, at, base, pitch, t, remark) + pitch;
        return *wrong ? heedi_canvas_lines(c, at, base, pitch, alarm, wrong)
                      : base - pitch;
    }
    heedi_canvas_text(c, at, base, t, remark);
    heedi_canvas_text(c, at + a + gap, base, alarm, wrong);
    return base;
}

double heedi_legend_beside(heedi_canvas *c, double x, double y, double width,
                           double bar, const char *remark, const char *wrong)
{
    const double base = heedi_legend_base(c, y);
    return fmax(base, heedi_legend_remark(c, x, width, bar, y + 1,
                                          base + fmax(17, 1.3 * c->min_font),
                                          remark, wrong));
}

double heedi_legend_account(heedi_view *v, heedi_canvas *c, double x, double y,
                            double width, double bar)
{
    const char *account = heedi_view_account(v);
    const char *residual = heedi_view_residual(v);
    if (!account || !residual)
        return -1;
    return heedi_legend_beside(c, x, y, width, bar, account, residual);
}
