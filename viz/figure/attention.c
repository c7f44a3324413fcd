/* attention.c - one matrix: a row for each query, a column for each key. */
#include <math.h>

#include "axis.h"
#include "canvas_grid.h"
#include "matrix.h"
#include "view.h"

enum { MARGIN = 26, BAR = 120, LONGEST = 110 };
static const double cell_size = 22;
static const heedi_type title_type = {14, 0x111111, true, HEEDI_LEFT, 0};
static const heedi_type subtitle_type = {9.5, 0x666666, false, HEEDI_LEFT, 0};
static const heedi_type small = {9, 0x444444, false, HEEDI_LEFT, 0};
static const heedi_type label_type = {10.5, 0x333333, false, HEEDI_RIGHT,
                                      LONGEST};

/* Where everything is. */
typedef struct plan {
    double x, y, cell;         /* of the matrix, px */
    double label_size;         /* px */
    int64_t step;              /* a label for each `step` tokens */
    int64_t pool;              /* each cell shows the largest of pool^2 */
    int64_t n_rows, n_columns; /* cells */
} plan;

static const char *label_text(heedi_matrix *m, const plan *p,
                              const char *const *labels, int64_t i)
{
    return p->step > 1 ? heedi_arena_print(&m->arena, "%lld \xc2\xb7 %s",
                                           (long long)i, labels[i])
                       : labels[i];
}

static heedi_type label_style(const plan *p)
{
    heedi_type t = label_type;
    t.size = p->label_size;
    return t;
}

/* The widest label; -1 if there is no memory. */
static double widest(heedi_matrix *m, heedi_canvas *c, const plan *p,
                     const char *const *labels, int64_t n)
{
    double w = 0;
    for (int64_t i = 0; i < n; i += p->step) {
        const char *s = label_text(m, p, labels, i);
        if (!s)
            return -1;
        w = fmax(w, heedi_canvas_width(c, label_style(p), s));
    }
    return w;
}

/* Lines of slanted text this far apart do not touch, in sizes of the text; nor
 * do those of rows, which have all of it between them. */
static const double apart = 1.06 / 0.7071;

/* Cells beside labels of every step-th token, and whether these do not touch.
 */
static heed_status fit(plan *p, heedi_matrix *m, heedi_canvas *c, double width,
                       bool *fits)
{
    const int64_t n = m->n_columns > m->n_rows ? m->n_columns : m->n_rows;
    double left = 0, over = 0;
    for (int small_text = 0; small_text < 2; small_text++) {
        p->label_size = fmax(c->min_font, small_text ? 9 : 10.5);
        left = widest(m, c, p, m->row, m->n_rows);
        over = widest(m, c, p, m->column, m->n_columns) * 0.7071;
        if (left < 0 || over < 0)
            return HEED_ENOMEM;
        const double room =
            width - MARGIN - left - 7 - fmax(MARGIN, over + p->label_size / 2);
        p->pool = 1;
        p->cell = fmin(cell_size, room / (double)n);
        if (p->cell < 3)
            p->cell = p->cell >= 2 ? 2 : 1;
        if (p->cell <= 1)
            p->pool = (int64_t)fmax(1, ceil((double)n / fmax(room, 1)));
        if (p->cell >= 16)
            break;
    }
    p->x = MARGIN + left + 7;
    p->y = over + 21;
    *fits =
        (double)p->step * p->cell >= apart * p->label_size * (double)p->pool;
    return HEED_OK;
}

/* The size of a cell depends on the room that the labels leave, and that on
 * which labels there are: as many of them as do not touch. */
static heed_status make_plan(plan *p, heedi_matrix *m, heedi_canvas *c,
                             double width, double top)
{
    const int64_t n = m->n_columns > m->n_rows ? m->n_columns : m->n_rows;
    /* what would do if labels left all the room */
    double least = apart * fmax(9, c->min_font) * (double)n / width;
    bool fits = false;
    *p = (plan){0};
    for (; !fits; least = (double)p->step + 1) {
        p->step = heedi_step(least);
        HEEDI_TRY(fit(p, m, c, width, &fits));
    }
    p->n_rows = (m->n_rows + p->pool - 1) / p->pool;
    p->n_columns = (m->n_columns + p->pool - 1) / p->pool;
    p->y += top;
    return HEED_OK;
}

/* ---- the parts ----------------------------------------------------------- */

static double value_at(const void *ud, int64_t i, int64_t k)
{
    const heedi_matrix *m = ud;
    return m->is_causal && k > i ? (double)NAN : heedi_matrix_at(m, i, k);
}

static heedi_rgb color_of(const void *ud, double x)
{
    const heedi_matrix *m = ud;
    return heedi_shades_color(&m->shades, x);
}

static heed_status draw_values(const heedi_matrix *m, heedi_canvas *c,
                               const plan *p)
{
    double most = fmax(fabs(m->shades.low), fabs(m->shades.high));
    const heedi_grid g = {
        .x = p->x,
        .y = p->y,
        .cell_w = p->cell,
        .cell_h = p->cell,
        .n_rows = m->n_rows,
        .n_columns = m->n_columns,
        .pool_rows = p->pool,
        .pool_columns = p->pool,
        .at = value_at,
        .color = color_of,
        .ud = m,
        .number = p->cell >= 18 && most >= 0.03 ? 0.35 * most : 0,
    };
    HEEDI_TRY(heedi_grid_draw(&g, c));
    heedi_grid_edge(&g, c, m->is_causal, 0.6);
    return HEED_OK;
}

/* Labels, and how far to the right they reach. */
static double draw_labels(heedi_matrix *m, heedi_canvas *c, const plan *p)
{
    heedi_type t = label_style(p);
    double right = 0, unit = p->cell / (double)p->pool;
    for (int64_t i = 0; i < m->n_rows; i += p->step) {
        const char *s = label_text(m, p, m->row, i);
        if (!s)
            return -1;
        heedi_canvas_text(
            c, p->x - 7, p->y + ((double)i + 0.5) * unit + 0.33 * t.size, t, s);
    }
    t.align = HEEDI_LEFT;
    for (int64_t i = 0; i < m->n_columns; i += p->step) {
        const char *s = label_text(m, p, m->column, i);
        if (!s)
            return -1;
        double x = p->x + ((double)i + 0.5) * unit + 0.28 * t.size;
        cairo_save(c->cr);
        cairo_translate(c->cr, x, p->y - 6);
        cairo_rotate(c->cr, -0.78539816339744831);
        double w = heedi_canvas_text(c, 0, 0, t, s);
        cairo_restore(c->cr);
        right = fmax(right, x + w * 0.7071 + 4);
    }
    return right;
}

/* ---- the whole ----------------------------------------------------------- */

static heed_status draw_matrix(heedi_picture *q, heedi_canvas *c,
                               heedi_matrix *m)
{
    plan p;
    HEEDI_TRY(make_plan(&p, m, c, q->o.width, 54));
    double legend = fmax(BAR, heedi_canvas_width(c, small, m->legend));
    double w = (double)p.n_columns * p.cell, h = (double)p.n_rows * p.cell;
    /* in the empty triangle, if that has the room */
    bool inside = m->is_causal && w >= 1.9 * legend && h >= 110;
    double right = fmax(p.x + w, inside ? 0 : p.x + legend) + MARGIN;
    heedi_type title = title_type, sub = subtitle_type;
    right = fmax(right, 2 * MARGIN + heedi_canvas_width(c, title, m->title));
    right = fmax(right, MARGIN + 14 + heedi_canvas_width(c, sub, m->subtitle));
    right = fmin(right, q->o.width);
    title.most = right - 2 * MARGIN;
    sub.most = right - MARGIN - 12;
    double y = heedi_canvas_lines(c, MARGIN, 38, 18, title, m->title) + 16;
    const char *subtitle =
        p.pool > 1 ? heedi_arena_print(
                         &m->arena,
                         "%s \xc2\xb7 each pixel is the greatest of %lld x "
                         "%lld",
                         m->subtitle, (long long)p.pool, (long long)p.pool)
                   : m->subtitle;
    if (!subtitle)
        return HEED_ENOMEM;
    y = heedi_canvas_lines(c, MARGIN, y, 13, sub, subtitle);
    p.y += y - 54;
    HEEDI_TRY(draw_values(m, c, &p));
    double reach = draw_labels(m, c, &p);
    if (reach < 0)
        return HEED_ENOMEM;
    double bottom = p.y + h;
    if (inside) {
        heedi_shades_bar(&m->shades, c, p.x + w - legend,
                         p.y + fmin(48.4, h / 4), legend, m->legend);
    } else {
        heedi_shades_bar(&m->shades, c, p.x, bottom + 26, legend, m->legend);
        bottom += 47;
    }
    q->width = fmin(ceil(fmax(right, reach)), q->o.width);
    q->height = ceil(bottom + MARGIN);
    heedi_picture_range(q, m->shades.low, m->shades.high);
    q->cmap = m->shades.cmap;
    return HEED_OK;
}

static heed_status draw(heedi_picture *q, heedi_canvas *c)
{
    heedi_matrix m;
    heed_status st = heedi_matrix_init(&m, q->ctx, q->r, q->group, &q->o);
    if (st == HEED_OK)
        st = draw_matrix(q, c, &m);
    heedi_matrix_clear(&m);
    return st;
}

const heedi_figure heedi_figure_attention = {
    .info = {.name = "attention",
             .draws = "attention",
             .summary = "one attention matrix: a row for each query"},
    .least_dims = 2,
    .draw = draw,
};
