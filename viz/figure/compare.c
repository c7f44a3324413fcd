/* compare.c - several explanations side by side, each a token heat with a
 * colour scale of its own: those of two models have different units of size. */
#include <math.h>
#include <string.h>

#include "canvas_heat.h"

enum { MARGIN = 28, GUTTER = 36, NARROWEST = 260 };
static const double text_size = 13;
static const heedi_type title_type = {15, 0x111111, true, HEEDI_LEFT, 0};
static const heedi_type note_type = {10.5, 0x666666, false, HEEDI_LEFT, 0};
static const heedi_type head_type = {12, 0x111111, true, HEEDI_LEFT, 0};
static const heedi_type measure_type = {10, 0x666666, false, HEEDI_LEFT, 0};

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* Whether every panel answers the same question. */
static bool one_question(heedi_heat *h, int64_t n)
{
    const char *first = heedi_view_title(&h->view, NULL);
    for (int64_t i = 1; i < n; i++)
        if (!same(first, heedi_view_title(&h[i].view, NULL)))
            return false;
    return true;
}

static const char *title_of(heedi_heat *h, int64_t n, const char *given)
{
    if (given || one_question(h, n))
        return heedi_view_title(&h->view, given);
    return heedi_arena_print(&h->view.arena, "%lld explanations", (long long)n);
}

/* The heading of a panel from y down, with its question if the page has none;
 * returns its last baseline. */
static double draw_head(heedi_heat *h, heedi_canvas *c, double y,
                        bool own_question)
{
    heedi_type t = head_type, m = measure_type;
    t.most = m.most = h->width;
    const char *head = own_question ? heedi_view_title(&h->view, NULL)
                                    : heedi_view_source(&h->view);
    const char *below = own_question ? heedi_view_subtitle(&h->view)
                                     : heedi_view_measure(&h->view);
    if (!head || !below)
        return -1;
    y = heedi_canvas_lines(c, h->x, y, 16, t, head);
    return heedi_canvas_lines(c, h->x, y + 15, 13, m, below);
}

/* Panels of one row: their parts begin at the same heights. */
static heed_status draw_row(heedi_picture *p, heedi_canvas *c, heedi_heat *h,
                            int64_t n, bool own_question, double *y)
{
    double top = *y, bottom = 0;
    for (int64_t i = 0; i < n; i++) {
        double base = draw_head(&h[i], c, *y, own_question);
        if (base < 0)
            return HEED_ENOMEM;
        top = fmax(top, base);
    }
    for (int64_t i = 0; i < n; i++) {
        HEEDI_TRY(heedi_heat_text(&h[i], c, &p->o, top + 14));
        bottom = fmax(bottom, h[i].bottom);
    }
    for (int64_t i = 0; i < n; i++) {
        HEEDI_TRY(heedi_heat_legend(&h[i], c, bottom + 21));
        heedi_picture_range(p, h[i].view.low, h[i].view.high);
        *y = fmax(*y, h[i].bottom);
    }
    return HEED_OK;
}

static heed_status draw_panels(heedi_picture *p, heedi_canvas *c, heedi_heat *h)
{
    const int64_t n = p->n_parts;
    const double width = p->o.width - 2 * MARGIN;
    int64_t columns = (int64_t)((width + GUTTER) / (NARROWEST + GUTTER));
    columns = columns < 1 ? 1 : columns > n ? n : columns;
    const double each =
        (width - GUTTER * (double)(columns - 1)) / (double)columns;
    const char *title = title_of(h, n, p->o.title);
    const bool own_question = !one_question(h, n);
    heedi_type t = title_type, note = note_type;
    t.most = note.most = width;
    if (!title)
        return HEED_ENOMEM;
    double y = heedi_canvas_lines(c, MARGIN, 42, 20, t, title);
    y = heedi_canvas_lines(c, MARGIN, y + 18, 14, note,
                           n == 1 ? ""
                           : p->o.vmin == 0 && p->o.vmax == 0
                               ? "each panel has its own colour scale"
                               : "one colour scale");
    for (int64_t i = 0; i < n; i += columns) {
        for (int64_t k = 0; k < columns && i + k < n; k++) {
            h[i + k].x = MARGIN + (double)k * (each + GUTTER);
            h[i + k].width = each;
            h[i + k].text_size = text_size;
        }
        y += 28;
        HEEDI_TRY(draw_row(p, c, h + i, n - i < columns ? n - i : columns,
                           own_question, &y));
    }
    p->width = p->o.width;
    p->height = ceil(y + 22);
    p->cmap = h->view.cmap;
    return HEED_OK;
}

static heed_status draw(heedi_picture *p, heedi_canvas *c)
{
    size_t bytes;
    if (!heedi_mul((size_t)p->n_parts, sizeof(heedi_heat), &bytes))
        return heedi_fail(p->ctx, HEED_ENOMEM, "too many explanations");
    heedi_heat *h = heedi_alloc(p->ctx, bytes);
    heed_status st = h ? HEED_OK : HEED_ENOMEM;
    for (int64_t i = 0; st == HEED_OK && i < p->n_parts; i++)
        st = heedi_heat_init(&h[i], p->ctx, &p->part[i], &p->o);
    if (st == HEED_OK)
        st = draw_panels(p, c, h);
    for (int64_t i = 0; h && i < p->n_parts; i++)
        heedi_heat_clear(&h[i]);
    heedi_free(p->ctx, h);
    return st;
}

const heedi_figure heedi_figure_compare = {
    .info = {.name = "compare",
             .draws = "relevance",
             .summary =
                 "several explanations side by side: models, methods, targets",
             .several = 1},
    .draw = draw,
};
