/* sheet.c - thumbnails on a page. */
#include <math.h>

#include "ctx.h"
#include "grid_fit.h"
#include "thumbnails.h"

/* px; a page is up to so many widths high */
static const double side = 28, least = 5, most = 150, most_alone = 220;
static const double tall = 1.2;
/* Rows are cut into blocks if thumbnails become so much larger by that. */
static const double worth = 1.12;
enum { MOST_BLOCKS = 4, MOST_ALONE = 4096 };

static double page_width(const heed_figure_options *o)
{
    return o->width > 0 ? o->width : HEEDI_PAGE_WIDTH;
}

/* The size of thumbnails in so many blocks, limited by both sides. */
static double size_with(const heedi_sheet *s, double page, int64_t blocks)
{
    const double b = (double)blocks, h = (double)s->heads;
    const double lines = ceil((double)s->layers / b);
    const double across = page - 2 * side - b * s->label - (b - 1) * s->aside;
    const double w = (across - b * (h - 1) * s->gap) / (b * h);
    return fmin(w, tall * page / lines - s->caption - s->gap);
}

static heed_status too_small(heed_ctx *ctx, const heedi_sheet *s, double page,
                             double size)
{
    return heedi_fail(ctx, HEED_EINVAL,
                      "grid: %lld x %lld maps leave %.1f px for each on a page "
                      "of %g px, less than %g: choose fewer layers or heads, "
                      "or a wider page",
                      (long long)s->layers, (long long)s->heads, fmax(size, 0),
                      page, least);
}

/* What stands at an end of the colour bar, at most "−4.2e−12", has to find
 * room: so many times the size of the text. */
static heed_status check_text(heed_ctx *ctx, double page, double font)
{
    const double need = 5.2 * font + 2 * side;
    if (need <= page)
        return HEED_OK;
    return heedi_fail(
        ctx, HEED_EINVAL,
        "grid: text of %g px does not fit a page of %g px: choose "
        "smaller text, or a page of %.0f px or more",
        font, page, ceil(need));
}

heed_status heedi_sheet_init(heedi_sheet *s, heed_ctx *ctx, int64_t layers,
                             int64_t heads, int64_t rows, int64_t columns,
                             const heed_figure_options *o)
{
    const double page = page_width(o), font = fmax(9, o->min_font);
    const bool alone = heads == 1;
    const double limit = alone ? most_alone : most;
    double size = 0;
    *s = (heedi_sheet){.layers = layers,
                       .heads = heads,
                       .label = alone ? 0 : 2.6 * font + 8,
                       .caption = alone ? 1.6 * font : 0,
                       .gap = alone ? 12 : 4,
                       .aside = alone ? 12 : 18};
    for (int64_t b = 1; b <= layers && b <= (alone ? MOST_ALONE : MOST_BLOCKS);
         b++) {
        double x = fmin(size_with(s, page, b), limit);
        const bool tower = alone && s->lines > s->blocks;
        if (b > 1 && x < size * (tower ? 1 : alone ? 1.01 : worth))
            continue;
        size = x;
        s->blocks = b;
        s->lines = (layers + b - 1) / b;
    }
    if (size < least)
        return too_small(ctx, s, page, size);
    HEEDI_TRY(check_text(ctx, page, font));
    /* chosen rows lie as far apart as in a square, but can be seen */
    const double share = (double)rows / (double)columns;
    s->width = size;
    s->height = fmin(size, fmax(size * share, 12));
    heedi_grid_fit(s->width, columns, s->width, 1, &s->cell_w,
                   &s->pool_columns);
    heedi_grid_fit(s->height, rows, s->height, 1, &s->cell_h, &s->pool_rows);
    return HEED_OK;
}
