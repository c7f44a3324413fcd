#include "canvas_heat.h"

#include <math.h>

#include "canvas_legend.h"

/* in text sizes */
static const double pitch = 27.0 / 15, box = 24.1 / 15;

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

/* What is not on the colour scale, below everything else. */
static heed_status list_outliers(heedi_heat *h, heedi_canvas *c)
{
    const char *outliers = heedi_view_outliers(&h->view);
    if (h->bottom < 0 || !outliers)
        return HEED_ENOMEM;
    if (*outliers) {
        heedi_type list = heedi_remark_type;
        list.most = h->width;
        h->bottom =
            heedi_canvas_lines(c, h->x, h->bottom + fmax(18, 1.3 * c->min_font),
                               13, list, outliers);
    }
    return HEED_OK;
}

heed_status heedi_heat_bar(heedi_heat *h, heedi_canvas *c, double y)
{
    double bar = heedi_legend_bar(&h->view, c, h->x, y, h->width);
    h->bottom = bar < 0 ? -1 : heedi_legend_base(c, y);
    return list_outliers(h, c);
}

heed_status heedi_heat_legend(heedi_heat *h, heedi_canvas *c, double y)
{
    double bar = heedi_legend_bar(&h->view, c, h->x, y, h->width);
    h->bottom = bar < 0
                    ? -1
                    : heedi_legend_account(&h->view, c, h->x, y, h->width, bar);
    return list_outliers(h, c);
}
