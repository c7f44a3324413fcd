/* positions.c - one text twice or three times: what its words carry, and what
 * their places do, each on a colour scale of its own. */
#include <math.h>
#include <string.h>

#include "canvas_heat.h"
#include "canvas_legend.h"
#include "field.h"

enum { SHARES = 3 };
static const double text_size = 13;
static const heedi_type head_type = {12, 0x111111, true, HEEDI_LEFT, 0};

/* A share of relevance: the sum of an array's rows for each token. */
static const struct {
    const char *array, *name;
    bool may_be_missing;
} shares[SHARES] = {
    {"token_relevance", "Tokens", false},
    {"position_relevance", "Positions", false},
    {"type_relevance", "Token types", true},
};

typedef struct panel {
    heedi_heat heat;
    heedi_field field;
    double sum;
    bool is_there;
} panel;

/* Values of the pieces from another array than relevance. */
static heed_status fill(panel *q, const char *array)
{
    heedi_view *v = &q->heat.view;
    HEEDI_TRY(heedi_field_init(&q->field, v, array, v->n_tokens));
    for (int64_t i = 0; i < v->n; i++) {
        heedi_piece *p = &v->piece[i];
        p->value = 0;
        for (int64_t k = 0; k < q->field.n_rows; k++)
            p->value += heedi_field_piece(&q->field, k, p);
        q->sum += p->value;
    }
    return HEED_OK;
}

static heed_status draw_panel(panel *q, heedi_picture *p, heedi_canvas *c,
                              const char *name, double *y)
{
    heedi_heat *h = &q->heat;
    const char *head = heedi_named_number(&h->view, name, q->sum);
    const int64_t n = q->field.n_rows;
    if (head && n > 1)
        head = heedi_arena_print(&h->view.arena, "%s, sum of %lld layers", head,
                                 (long long)n);
    if (!head)
        return HEED_ENOMEM;
    h->x = HEEDI_MARGIN;
    h->width = p->o.width - 2 * HEEDI_MARGIN;
    h->text_size = text_size;
    heedi_type t = head_type;
    t.most = h->width;
    *y += 30;
    heedi_canvas_text(c, h->x, *y, t, head);
    HEEDI_TRY(heedi_heat_text(h, c, &p->o, *y + 9));
    HEEDI_TRY(heedi_heat_bar(h, c, h->bottom + 19));
    *y = h->bottom;
    heedi_picture_range(p, h->view.low, h->view.high);
    return HEED_OK;
}

static heed_status draw_panels(panel *q, heedi_picture *p, heedi_canvas *c)
{
    heedi_view *v = &q->heat.view;
    const char *title = heedi_view_title(v, p->o.title);
    const char *sub = heedi_view_subtitle(v);
    const char *account = heedi_view_account(v);
    const char *residual = heedi_view_residual(v);
    if (!title || !sub || !account || !residual)
        return HEED_ENOMEM;
    double y = heedi_heading(c, p, title, sub);
    for (int i = 0; i < SHARES; i++)
        if (q[i].is_there)
            HEEDI_TRY(draw_panel(&q[i], p, c, shares[i].name, &y));
    if (*account || *residual)
        y = heedi_legend_remark(c, HEEDI_MARGIN, p->o.width - 2 * HEEDI_MARGIN,
                                0, y + 22, y + 22, account, residual);
    p->width = p->o.width;
    p->height = ceil(y + 22);
    p->cmap = v->cmap;
    return HEED_OK;
}

static heed_status draw(heedi_picture *p, heedi_canvas *c)
{
    panel q[SHARES];
    heed_status st = HEED_OK;
    memset(q, 0, sizeof q);
    for (int i = 0; st == HEED_OK && i < SHARES; i++) {
        q[i].is_there =
            !shares[i].may_be_missing ||
            heed_result_get(p->r, p->group, shares[i].array) != NULL;
        if (!q[i].is_there)
            continue;
        st = heedi_heat_init(&q[i].heat, p->ctx, p->part, &p->o);
        if (st == HEED_OK)
            st = heedi_view_sign(&q[i].heat.view, true, &p->o);
        if (st == HEED_OK)
            st = fill(&q[i], shares[i].array);
    }
    if (st == HEED_OK)
        st = draw_panels(q, p, c);
    for (int i = 0; i < SHARES; i++)
        heedi_heat_clear(&q[i].heat);
    return st;
}

const heedi_figure heedi_figure_positions = {
    .info = {.name = "positions",
             .draws = "position_relevance",
             .summary = "the text by what its tokens and what their positions "
                        "carry"},
    .draw = draw,
};
