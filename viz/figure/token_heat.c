/* token_heat.c - the text, each token on the colour of its relevance. */
#include <math.h>

#include "canvas_heat.h"
#include "canvas_legend.h"

static heed_status draw_heat(heedi_picture *p, heedi_canvas *c, heedi_heat *h)
{
    const char *title = heedi_view_title(&h->view, p->o.title);
    const char *subtitle = heedi_view_subtitle(&h->view);
    if (!title || !subtitle)
        return HEED_ENOMEM;
    h->x = HEEDI_MARGIN;
    h->width = p->o.width - 2 * HEEDI_MARGIN;
    h->text_size = 15;
    double y = heedi_heading(c, p, title, subtitle) + 20;
    HEEDI_TRY(heedi_heat_text(h, c, &p->o, y));
    HEEDI_TRY(heedi_heat_legend(h, c, h->bottom + 21));
    p->width = p->o.width;
    p->height = ceil(h->bottom + 22);
    heedi_picture_range(p, h->view.low, h->view.high);
    p->cmap = h->view.cmap;
    return HEED_OK;
}

static heed_status draw(heedi_picture *p, heedi_canvas *c)
{
    heedi_heat h = {0};
    heed_status st = heedi_heat_init(&h, p->ctx, p->part, &p->o);
    if (st == HEED_OK)
        st = draw_heat(p, c, &h);
    heedi_heat_clear(&h);
    return st;
}

const heedi_figure heedi_figure_token_heat = {
    .info = {.name = "token_heat",
             .draws = "relevance",
             .summary = "the text, each token on the colour of its relevance"},
    .draw = draw,
};
