/* ledger.c - where relevance goes: a waterfall from the target through the
 * blocks to the tokens, one colour for each entry of the ledger. */
#include <math.h>
#include <stdlib.h>

#include "axis.h"
#include "canvas_legend.h"
#include "steps.h"

enum { HEIGHT = 190, MOST_FINAL = 3 };
static const double slot_most = 64, fill = 0.88, thinnest = 0.75;
static const uint32_t grid_color = 0xe4e4e4, zero_color = 0x999999;
static const uint32_t target_color = 0x4d4d4d;
static const heedi_type bold = {9.5, 0x111111, true, HEEDI_LEFT, 0};

/* A share of relevance that is left at the end. */
typedef struct final {
    const char *text;
    double value;
    uint32_t color;
} final;

typedef struct waterfall {
    heedi_steps s;
    heedi_scale y;
    final last[MOST_FINAL];
    int n_last;
    double x, slot; /* of the target's bar; from each bar to the next, px */
    int entry[HEEDI_MAX_STEP_ENTRIES]; /* those that are not 0 everywhere */
    int n_entries;
} waterfall;

static double slot_at(const waterfall *w, int64_t i)
{
    return w->x + (double)i * w->slot;
}

/* ---- what is drawn ------------------------------------------------------- */

static void set_range(waterfall *w)
{
    const heedi_steps *s = &w->s;
    double at = s->target, low = fmin(0, at), high = fmax(0, at);
    for (int64_t b = 0; b < s->n_blocks; b++)
        for (int i = 0; i < s->n_entries; i++) {
            at -= s->block[b].sink[i];
            low = fmin(low, at);
            high = fmax(high, at);
        }
    for (int i = 0; i < w->n_last; i++) {
        low = fmin(low, w->last[i].value);
        high = fmax(high, w->last[i].value);
    }
    if (low == high)
        high = 1;
    double step = heedi_round_up((high - low) / 5);
    w->y.low = step * floor(low / step + 1e-9);
    w->y.high = step * ceil(high / step - 1e-9);
}

static void set_last(waterfall *w, const heedi_view *v)
{
    const heedi_steps *s = &w->s;
    double size = fabs(s->tokens);
    w->last[w->n_last++] =
        (final){"tokens", s->tokens,
                heedi_rgb_hex(heedi_cmap_color(
                    v->cmap, size > 0 ? s->tokens / size : 1))};
    for (int i = 0; i < s->n_entries; i++) {
        if (s->look[i]->is_relevance && w->n_last < MOST_FINAL)
            w->last[w->n_last++] =
                (final){s->look[i]->text, s->total[i], s->look[i]->color};
        for (int64_t b = 0; b < s->n_blocks; b++)
            if (s->block[b].sink[i] != 0) {
                w->entry[w->n_entries++] = i;
                break;
            }
    }
}

/* ---- the parts ----------------------------------------------------------- */

static void draw_axis(waterfall *w, heedi_canvas *c, heedi_view *v,
                      double right)
{
    double tick[HEEDI_MAX_TICKS];
    char num[HEEDI_NUMBER];
    heedi_type t = heedi_small_type, unit = heedi_small_type;
    int n = heedi_scale_ticks(&w->y, 26, tick);
    t.align = HEEDI_RIGHT;
    unit.align = HEEDI_MIDDLE;
    unit.most = HEIGHT + 20;
    for (int i = 0; i < n; i++) {
        double y = heedi_scale_at(&w->y, tick[i]);
        bool zero = tick[i] == 0;
        heedi_canvas_box(c, w->x, y - 0.4, right - w->x, zero ? 0.8 : 0.6, 0,
                         heedi_rgb_of(zero ? zero_color : grid_color));
        heedi_canvas_text(c, w->x - 7, y + 0.36 * fmax(t.size, c->min_font), t,
                          heedi_tick_text(num, tick[i]));
    }
    const char *kind = heedi_view_unit(v);
    const char *label =
        kind ? heedi_arena_print(&v->arena, "relevance (%s)", kind) : NULL;
    if (!label)
        return;
    cairo_save(c->cr);
    cairo_translate(c->cr, HEEDI_MARGIN + 8, (w->y.from + w->y.to) / 2);
    cairo_rotate(c->cr, -1.5707963267948966);
    heedi_canvas_text(c, 0, 0, unit, label);
    cairo_restore(c->cr);
}

/* A bar between two values; one that gives relevance back is pale with an
 * outline. */
static void draw_step(const waterfall *w, heedi_canvas *c, double x,
                      double width, double from, double to, uint32_t color)
{
    double a = heedi_scale_at(&w->y, from), b = heedi_scale_at(&w->y, to);
    double top = fmin(a, b), high = fabs(a - b);
    bool back = b < a;
    heedi_rgb k = heedi_rgb_of(color);
    if (high < thinnest) {
        top -= (thinnest - high) / 2;
        high = thinnest;
    }
    if (!back || high < 2.4 || width < 2.4) {
        heedi_canvas_box(c, x, top, width, high, 0,
                         back ? heedi_rgb_pale(k) : k);
        return;
    }
    heedi_canvas_box(c, x, top, width, high, 0, heedi_rgb_pale(k));
    heedi_canvas_outline(c, x + 0.4, top + 0.4, width - 0.8, high - 0.8, 0, 0.8,
                         k);
}

/* The level between a bar and the next. */
static void draw_level(const waterfall *w, heedi_canvas *c, double from,
                       double to, double value)
{
    heedi_canvas_box(c, from, heedi_scale_at(&w->y, value) - 0.25, to - from,
                     0.5, 0, heedi_rgb_of(0x888888));
}

/* Bars of all blocks; returns what is left. `highest` of the first places
 * keeps the label of the target off them. */
static double draw_blocks(waterfall *w, heedi_canvas *c, double clear,
                          double *highest)
{
    const heedi_steps *s = &w->s;
    double at = s->target;
    const double all = fill * w->slot;
    const double each = all / (w->n_entries ? w->n_entries : 1);
    *highest = heedi_scale_at(&w->y, at);
    for (int64_t b = 0; b < s->n_blocks; b++) {
        double x = slot_at(w, b + 1), end = x - w->slot + all;
        for (int i = 0; i < w->n_entries; i++) {
            double sink = s->block[b].sink[w->entry[i]];
            double bar = x + i * each;
            if (sink == 0)
                continue;
            draw_level(w, c, end, bar, at);
            draw_step(w, c, bar, each, at, at - sink,
                      s->look[w->entry[i]]->color);
            at -= sink;
            end = bar + each;
            if (bar < clear)
                *highest = fmin(*highest, heedi_scale_at(&w->y, at));
        }
        draw_level(w, c, end, x + all, at);
    }
    draw_level(w, c, slot_at(w, s->n_blocks) + all, slot_at(w, s->n_blocks + 1),
               at);
    return at;
}

/* Tokens and what was read out beside them, with their labels at the right. */
static heed_status draw_last(waterfall *w, heedi_canvas *c, heedi_view *v)
{
    double x = slot_at(w, w->s.n_blocks + 1), zero = heedi_scale_at(&w->y, 0);
    double right = slot_at(w, w->s.n_blocks + 1 + w->n_last);
    double label[MOST_FINAL];
    int order[MOST_FINAL];
    const double pitch = 13;
    for (int i = 0; i < w->n_last; i++) {
        double y = heedi_scale_at(&w->y, w->last[i].value);
        heedi_canvas_box(c, x + i * w->slot, fmin(y, zero), fill * w->slot,
                         fmax(fabs(y - zero), thinnest), 0,
                         heedi_rgb_of(w->last[i].color));
        label[i] = y + 3.5;
        order[i] = i;
    }
    for (int i = 1; i < w->n_last; i++) /* from the top down */
        for (int k = i; k > 0 && label[order[k]] < label[order[k - 1]]; k--) {
            int swap = order[k];
            order[k] = order[k - 1];
            order[k - 1] = swap;
        }
    for (int i = w->n_last - 2; i >= 0; i--) /* none covers another */
        label[order[i]] = fmin(label[order[i]], label[order[i + 1]] - pitch);
    for (int i = 0; i < w->n_last; i++) {
        heedi_type t = bold;
        const char *text =
            heedi_named_number(v, w->last[i].text, w->last[i].value);
        if (!text)
            return HEED_ENOMEM;
        t.color = w->last[i].color;
        heedi_canvas_text(c, right + 4, label[i], t, text);
    }
    return HEED_OK;
}

static heed_status draw_target(waterfall *w, heedi_canvas *c, heedi_view *v,
                               double highest)
{
    double y = heedi_scale_at(&w->y, w->s.target);
    double zero = heedi_scale_at(&w->y, 0);
    const char *text = heedi_named_number(v, "target", w->s.target);
    if (!text)
        return HEED_ENOMEM;
    heedi_canvas_box(c, w->x, fmin(y, zero), fill * w->slot,
                     fmax(fabs(y - zero), thinnest), 0,
                     heedi_rgb_of(target_color));
    heedi_canvas_text(c, w->x, fmin(fmin(highest, zero), y) - 5, bold, text);
    return HEED_OK;
}

/* Names of what is no numbered block first, then every fifth number where
 * there is room. */
static void draw_block_labels(waterfall *w, heedi_canvas *c, double y)
{
    const heedi_steps *s = &w->s;
    heedi_type t = heedi_small_type;
    t.align = HEEDI_MIDDLE;
    const double size = fmax(t.size, c->min_font);
    int64_t step = heedi_step(2.2 * size / w->slot);
    step = step > 1 && step < 5 ? 5 : step;
    double left = -1e9, right = 1e9; /* that the names leave free */
    for (int64_t b = 0; b < s->n_blocks; b++) {
        if (s->block[b].is_numbered)
            continue;
        double x = slot_at(w, b + 1) + fill * w->slot / 2;
        double half = heedi_canvas_width(c, t, s->block[b].label) / 2 + 4;
        if (x - half < left)
            continue;
        heedi_canvas_text(c, x, y, t, s->block[b].label);
        if (b < s->n_blocks / 2 + 1 && b + 1 < s->n_blocks)
            left = fmax(left, x + half);
        else
            right = fmin(right, x - half);
    }
    for (int64_t b = 0; b < s->n_blocks; b++) {
        const char *text = s->block[b].label;
        double x = slot_at(w, b + 1) + fill * w->slot / 2;
        double half = heedi_canvas_width(c, t, text) / 2;
        if (s->block[b].is_numbered && strtoll(text, NULL, 10) % step == 0 &&
            x - half >= left && x + half <= right)
            heedi_canvas_text(c, x, y, t, text);
    }
    t.most = slot_at(w, s->n_blocks + 1 + w->n_last) - w->x;
    heedi_canvas_text(c, (w->x + slot_at(w, s->n_blocks + 1 + w->n_last)) / 2,
                      y + fmax(15, 1.3 * c->min_font), t,
                      "block, from the last to the first");
}

/* A square of each entry with its sum; returns the last baseline, and where
 * it ends. */
static double draw_entries(waterfall *w, heedi_canvas *c, heedi_view *v,
                           double y, double right, double *end)
{
    const heedi_steps *s = &w->s;
    double x = w->x;
    bool back = false;
    for (int64_t b = 0; b < s->n_blocks; b++)
        for (int i = 0; i < s->n_entries; i++)
            back |= s->block[b].sink[i] < 0;
    for (int k = 0; k < w->n_entries + back; k++) {
        const bool is_entry = k < w->n_entries;
        const int i = is_entry ? w->entry[k] : 0;
        const char *text =
            is_entry ? heedi_named_number(v, s->look[i]->text, s->total[i])
                     : "pale: given back";
        if (!text)
            return -1;
        double width = heedi_canvas_width(c, heedi_remark_type, text);
        heedi_rgb color = heedi_rgb_of(is_entry ? s->look[i]->color : 0x777777);
        if (x > w->x && x + 15 + width > right) {
            x = w->x;
            y += fmax(17, 1.3 * c->min_font);
        }
        heedi_canvas_box(c, x, y - 8.5, 10, 10, 0,
                         is_entry ? color : heedi_rgb_pale(color));
        if (!is_entry)
            heedi_canvas_outline(c, x + 0.4, y - 8.1, 9.2, 9.2, 0, 0.8, color);
        heedi_canvas_text(c, x + 15, y, heedi_remark_type, text);
        x += 15 + width + 20;
    }
    *end = x;
    return y;
}

static heed_status draw_legend(waterfall *w, heedi_picture *p, heedi_canvas *c,
                               heedi_view *v, double y)
{
    const double right = p->o.width - HEEDI_MARGIN;
    const char *account = heedi_view_account(v);
    const char *residual = heedi_view_residual(v);
    double end;
    y = draw_entries(w, c, v, y, right, &end);
    if (y < 0 || !account || !residual)
        return HEED_ENOMEM;
    bool any = w->n_entries > 0;
    double base = heedi_legend_remark(
        c, w->x, right - w->x, end - w->x, y,
        y + (any ? fmax(19, 1.3 * c->min_font) : 0), account, residual);
    p->height = ceil(base + 22);
    return HEED_OK;
}

/* ---- the whole ----------------------------------------------------------- */

/* Room for the labels left and right of the bars. */
static heed_status place(waterfall *w, heedi_picture *p, heedi_canvas *c,
                         heedi_view *v)
{
    double tick[HEEDI_MAX_TICKS], left = 0, right = 0;
    char num[HEEDI_NUMBER];
    int n = heedi_scale_ticks(&w->y, 26, tick);
    for (int i = 0; i < n; i++)
        left = fmax(left, heedi_canvas_width(c, heedi_small_type,
                                             heedi_tick_text(num, tick[i])));
    for (int i = 0; i < w->n_last; i++) {
        const char *text =
            heedi_named_number(v, w->last[i].text, w->last[i].value);
        if (!text)
            return HEED_ENOMEM;
        right = fmax(right, heedi_canvas_width(c, bold, text));
    }
    w->x = HEEDI_MARGIN + 16 + left + 7;
    double room = p->o.width - HEEDI_MARGIN - w->x - right - 4;
    double slots = (double)(1 + w->s.n_blocks + w->n_last);
    w->slot = fmin(slot_most, fmax(room, 40) / slots);
    return HEED_OK;
}

static heed_status draw_waterfall(waterfall *w, heedi_picture *p,
                                  heedi_canvas *c, heedi_view *v)
{
    const char *title =
        p->o.title ? p->o.title
                   : "Where the relevance goes, from the target to the tokens";
    const char *source = heedi_view_source(v), *target = heedi_view_target(v);
    if (!source || !target)
        return HEED_ENOMEM;
    const char *sub = heedi_arena_print(
        &v->arena, "%s%s%s \xc2\xb7 %lld block%s", source,
        *source ? " \xc2\xb7 " : "", target, (long long)w->s.n_numbered,
        w->s.n_numbered == 1 ? "" : "s");
    if (!sub)
        return HEED_ENOMEM;
    w->y.to = heedi_heading(c, p, title, sub) + 34;
    w->y.from = w->y.to + HEIGHT;
    HEEDI_TRY(place(w, p, c, v));
    double right = slot_at(w, 1 + w->s.n_blocks + w->n_last), highest;
    draw_axis(w, c, v, right);
    const char *label = heedi_named_number(v, "target", w->s.target);
    if (!label)
        return HEED_ENOMEM;
    draw_blocks(w, c, w->x + heedi_canvas_width(c, bold, label) + 4, &highest);
    HEEDI_TRY(draw_target(w, c, v, highest));
    HEEDI_TRY(draw_last(w, c, v));
    draw_block_labels(w, c, w->y.from + 17);
    HEEDI_TRY(draw_legend(w, p, c, v, w->y.from + 56));
    p->width = p->o.width;
    p->cmap = v->cmap;
    heedi_picture_range(p, w->y.low, w->y.high);
    return HEED_OK;
}

static heed_status draw(heedi_picture *p, heedi_canvas *c)
{
    heedi_view v;
    waterfall w = {0};
    heed_status st = heedi_view_init(&v, p->ctx, p->r, p->group, &p->o);
    if (st == HEED_OK)
        st = heedi_view_sign(&v, true, &p->o);
    if (st == HEED_OK)
        st = heedi_steps_init(&w.s, &v);
    if (st == HEED_OK) {
        set_last(&w, &v);
        set_range(&w);
        st = draw_waterfall(&w, p, c, &v);
    }
    heedi_view_clear(&v);
    return st;
}

const heedi_figure heedi_figure_ledger = {
    .info = {.name = "ledger",
             .draws = "ledger/op_name",
             .summary = "what each block keeps on the way from the target to "
                        "the tokens"},
    .draw = draw,
};
