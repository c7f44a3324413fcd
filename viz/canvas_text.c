#include "canvas_text.h"

#include <math.h>
#include <string.h>

#include "utf8.h"

/* Lines are laid out whole, so that scripts that join letters are shaped
 * across tokens; the boxes come from where Pango put the bytes of each token.
 * A line breaks only where a word starts, and a space belongs to the word
 * after it, as in the tokens. */

static const char nbsp[] = "\xc2\xa0";

/* From a box to its text, at the left and at the right; in text sizes. */
static const double pad = 0.1;
/* Words stay further apart than boxes inside of a word. */
static const double more_space = 0.12;

static int piece_at(const heedi_text *t, int byte)
{
    int low = 0, high = (int)t->view->n; /* start[low] <= byte < start[high] */
    while (high - low > 1) {
        int mid = (low + high) / 2;
        if (t->start[mid] <= byte)
            low = mid;
        else
            high = mid;
    }
    return low;
}

/* ---- attributes ---------------------------------------------------------- */

static void set(PangoAttrList *list, PangoAttribute *a, int from, int to)
{
    a->start_index = (guint)from;
    a->end_index = (guint)to;
    pango_attr_list_insert(list, a);
}

static void set_ink(PangoAttrList *list, uint32_t c, int from, int to)
{
    set(list,
        pango_attr_foreground_new((guint16)((c >> 16 & 255) * 257),
                                  (guint16)((c >> 8 & 255) * 257),
                                  (guint16)((c & 255) * 257)),
        from, to);
}

static uint32_t ink_of(const heedi_view *v, const heedi_piece *p)
{
    heedi_rgb ink = {0, 0, 0};
    if (p->first >= 0 && !p->drop)
        ink = heedi_ink(heedi_view_color(v, p->value));
    if (ink.r > 0)
        return 0xffffff;
    return p->kind == HEEDI_CHIP ? 0x444444 : 0x111111;
}

/* Grey signs can be told from a background of this luminance, 2 : 1. */
static const double pale_from = 0.7;

/* Signs that stand for white space are paler than the text. */
static void set_pale(PangoAttrList *list, const char *line, int from, int to)
{
    static const char *const sign[] = {"\xe2\x8f\x8e", "\xe2\x87\xa5",
                                       "\xe2\x90\xa3"};
    for (int i = from; i + 3 <= to; i++)
        for (int k = 0; k < 3; k++)
            if (memcmp(line + i, sign[k], 3) == 0)
                set_ink(list, 0x9a9a9a, i, i + 3);
}

static bool is_light(const heedi_view *v, const heedi_piece *p)
{
    return p->first < 0 || p->drop ||
           heedi_luminance(heedi_view_color(v, p->value)) >= pale_from;
}

static PangoAttrList *attributes(const heedi_text *t, int from, int to)
{
    const heedi_view *v = t->view;
    PangoAttrList *list = pango_attr_list_new();
    /* no glyph for the letters of two pieces */
    set(list, pango_attr_font_features_new("liga=0, clig=0, dlig=0"), 0,
        to - from);
    for (int i = piece_at(t, from); i < v->n && t->start[i] < to; i++) {
        const heedi_piece *p = &v->piece[i];
        int a = t->start[i] < from ? 0 : t->start[i] - from;
        int b = (t->start[i + 1] > to ? to : t->start[i + 1]) - from;
        uint32_t ink = ink_of(v, p);
        set_ink(list, ink, a, b);
        if (p->kind == HEEDI_CHIP)
            set(list,
                pango_attr_size_new_absolute(
                    (int)(0.73 * t->size * PANGO_SCALE)),
                a, b);
        if (p->kind == HEEDI_TARGET || p->is_target)
            set(list, pango_attr_weight_new(PANGO_WEIGHT_BOLD), a, b);
        if (is_light(v, p))
            set_pale(list, t->text + from, a, b);
    }
    return list;
}

/* Letters of these scripts join, also across tokens. */
static bool joins(const char *before, const char *after)
{
    static const GUnicodeScript script[] = {
        G_UNICODE_SCRIPT_ARABIC,    G_UNICODE_SCRIPT_SYRIAC,
        G_UNICODE_SCRIPT_MONGOLIAN, G_UNICODE_SCRIPT_NKO,
        G_UNICODE_SCRIPT_MANDAIC,   G_UNICODE_SCRIPT_DEVANAGARI,
        G_UNICODE_SCRIPT_BENGALI};
    const GUnicodeScript a = g_unichar_get_script(g_utf8_get_char(before));
    const GUnicodeScript b = g_unichar_get_script(g_utf8_get_char(after));
    for (size_t i = 0; i < sizeof script / sizeof *script; i++)
        if (a == script[i] && b == script[i])
            return true;
    return false;
}

/* Whether the piece that starts here has a space before its word: its box
 * begins at the word. */
static bool is_spaced(const heedi_text *t, int i, int at)
{
    return t->text[at] == ' ' && t->start[i + 1] > at + 1;
}

/* Whether two boxes meet before this byte without a space between them. */
static bool meets(const heedi_text *t, int at)
{
    const int i = at > 0 && at < t->len ? piece_at(t, at) : 0;
    if (i == 0 || t->start[i] != at || t->text[at - 1] == '\n' ||
        is_spaced(t, i, at) ||
        (t->view->piece[i].first < 0 && t->view->piece[i - 1].first < 0))
        return false;
    const char *before = g_utf8_find_prev_char(t->text, t->text + at);
    return before && !joins(before, t->text + at);
}

static int room_of(const heedi_text *t)
{
    return (int)(2 * pad * t->size * PANGO_SCALE);
}

/* Room for the padding of two boxes behind the glyph that ends the first, and
 * between words. */
static void widen(const heedi_text *t, int from, PangoLayoutRun *run)
{
    PangoGlyphString *g = run->glyphs;
    const bool rtl = run->item->analysis.level % 2;
    const int at = from + run->item->offset;
    for (int i = 0; i < g->num_glyphs; i++) {
        const int cluster = at + g->log_clusters[i];
        const int k = rtl ? i - 1 : i + 1; /* the next one of the text */
        const int end = k < 0 || k >= g->num_glyphs ? at + run->item->length
                                                    : at + g->log_clusters[k];
        PangoGlyphGeometry *to = &g->glyphs[i].geometry;
        if (t->text[cluster] == ' ')
            to->width += (int)(more_space * t->size * PANGO_SCALE);
        if (end == cluster || !meets(t, end))
            continue;
        to->width += room_of(t);
        to->x_offset += rtl ? room_of(t) : 0;
    }
}

/* Whether the text at a byte of a line runs from right to left. */
static bool is_rtl_at(PangoLayoutLine *line, int at)
{
    for (GSList *r = line->runs; r; r = r->next) {
        const PangoItem *i = ((PangoLayoutRun *)r->data)->item;
        if (i->offset <= at && at < i->offset + i->length)
            return i->analysis.level % 2;
    }
    return false;
}

/* Valid until the next one, which may run in another direction. */
static PangoLayout *layout(const heedi_text *t, heedi_canvas *c, int from,
                           int to, bool is_rtl)
{
    pango_context_set_base_dir(c->pango, is_rtl ? PANGO_DIRECTION_RTL
                                                : PANGO_DIRECTION_LTR);
    PangoLayout *l = heedi_canvas_layout(c, t->size, false, "");
    PangoAttrList *list = attributes(t, from, to);
    pango_layout_set_text(l, t->text + from, to - from);
    pango_layout_set_auto_dir(l, FALSE);
    pango_layout_set_single_paragraph_mode(l, TRUE);
    pango_layout_set_attributes(l, list);
    pango_attr_list_unref(list);
    return l;
}

/* The only line of a layout, with room between boxes. */
static PangoLayoutLine *spread(const heedi_text *t, PangoLayout *l, int from)
{
    PangoLayoutLine *line = pango_layout_get_line(l, 0);
    for (GSList *r = line->runs; r; r = r->next)
        widen(t, from, r->data);
    return line;
}

static double width_of(PangoLayoutLine *line)
{
    int w = 0;
    for (GSList *r = line->runs; r; r = r->next)
        w += pango_glyph_string_get_width(((PangoLayoutRun *)r->data)->glyphs);
    return w / (double)PANGO_SCALE;
}

static double measure(const heedi_text *t, heedi_canvas *c, int from, int to)
{
    PangoLayout *l = layout(t, c, from, to, false);
    const double w = width_of(spread(t, l, from));
    g_object_unref(l);
    return w;
}

/* ---- breaking ------------------------------------------------------------ */

static heed_status add_line(heedi_text *t, int from, int to, bool is_rtl)
{
    void *grown = heedi_grow(t->view->ctx, t->line, &t->cap_lines,
                             t->n_lines + 1, sizeof *t->line);
    if (!grown)
        return HEED_ENOMEM;
    t->line = grown;
    t->line[t->n_lines++] = (heedi_line){from, to, is_rtl};
    return HEED_OK;
}

/* Where the line may break for the break that Unicode allows at `at`: before
 * the spaces that belong to the word there; -1 if inside a token. */
static int break_before(const heedi_text *t, int at)
{
    int i = piece_at(t, at), b = at;
    while (b > t->start[i] && t->text[b - 1] == ' ')
        b--;
    if (b == t->start[i] || t->view->piece[i].kind == HEEDI_PLAIN)
        return b;
    return t->text[at - 1] == ' ' ? at : -1;
}

/* The bytes of [from, to) that fit one line, at least one letter; the end of
 * a token if there is one. */
static int fitting(const heedi_text *t, heedi_canvas *c, int from, int to)
{
    PangoLayout *l = layout(t, c, from, to, false);
    pango_layout_set_width(l, (int)(t->width * PANGO_SCALE));
    pango_layout_set_wrap(l, PANGO_WRAP_CHAR);
    int n = pango_layout_get_line_readonly(l, 0)->length;
    g_object_unref(l);
    if (n >= to - from || n <= 0)
        return to;
    int whole = t->start[piece_at(t, from + n)];
    return whole > from ? whole : from + n;
}

typedef struct filler {
    int from, to; /* the line so far */
    double width;
    bool is_rtl;
} filler;

/* The next unbreakable stretch of text. */
static heed_status fill(heedi_text *t, heedi_canvas *c, filler *f, int to)
{
    double w = measure(t, c, f->to, to);
    if (f->to > f->from && f->width + w > t->width) {
        HEEDI_TRY(add_line(t, f->from, f->to, f->is_rtl));
        f->from = f->to;
        f->width = 0;
    }
    while (f->width + w > t->width) {
        int end = fitting(t, c, f->from, to);
        if (end >= to)
            break;
        HEEDI_TRY(add_line(t, f->from, end, f->is_rtl));
        f->from = end;
        w = measure(t, c, end, to);
    }
    f->width += w;
    f->to = to;
    return HEED_OK;
}

static heed_status break_paragraph(heedi_text *t, heedi_canvas *c, int from,
                                   int to)
{
    PangoLayout *l = heedi_canvas_layout(c, t->size, false, "");
    int n, i = 0;
    pango_layout_set_text(l, t->text + from, to - from);
    pango_layout_set_single_paragraph_mode(l, TRUE);
    const PangoLogAttr *attr = pango_layout_get_log_attrs_readonly(l, &n);
    bool is_rtl = heedi_utf8_is_rtl(t->text + from, to - from);
    filler f = {from, from, 0, is_rtl};
    heed_status st = HEED_OK;
    for (const char *p = t->text + from; p < t->text + to && st == HEED_OK;
         p += heedi_utf8_length(p), i++) {
        int at = (int)(p - t->text), piece = piece_at(t, at);
        heedi_piece_kind kind = t->view->piece[piece].kind;
        bool starts = at == t->start[piece];
        int b = -1;
        if (starts && (kind == HEEDI_TARGET || kind == HEEDI_CHIP ||
                       memcmp(p, "\xe2\x90\xa3", 3) == 0))
            b = at;
        else if (i < n && attr[i].is_line_break && kind != HEEDI_TARGET)
            b = break_before(t, at);
        if (b > f.to)
            st = fill(t, c, &f, b);
    }
    if (st == HEED_OK && to > f.to)
        st = fill(t, c, &f, to);
    if (st == HEED_OK)
        st = add_line(t, f.from, f.to, is_rtl);
    g_object_unref(l);
    return st;
}

static heed_status break_lines(heedi_text *t, heedi_canvas *c)
{
    int from = 0;
    while (from < t->len) {
        const char *nl = memchr(t->text + from, '\n', (size_t)(t->len - from));
        int to = nl ? (int)(nl - t->text) : t->len;
        HEEDI_TRY(break_paragraph(t, c, from, to));
        from = to + 1;
    }
    return HEED_OK;
}

/* ---- the text ------------------------------------------------------------ */

static heed_status gather(heedi_text *t)
{
    heedi_view *v = t->view;
    size_t n = 1;
    for (int64_t i = 0; i < v->n; i++)
        n += strlen(v->piece[i].text) + 8;
    if (n > INT32_MAX / 2)
        return heedi_fail(v->ctx, HEED_EINVAL,
                          "a text of %zu bytes is too long for a picture", n);
    t->text = heedi_arena_alloc(&v->arena, n);
    t->start =
        heedi_arena_alloc(&v->arena, (size_t)(v->n + 1) * sizeof *t->start);
    if (!t->text || !t->start)
        return HEED_ENOMEM;
    char *p = t->text;
    for (int64_t i = 0; i < v->n; i++) {
        bool padded =
            v->piece[i].kind == HEEDI_TARGET || v->piece[i].kind == HEEDI_CHIP;
        t->start[i] = (int)(p - t->text);
        p = stpcpy(p, padded ? nbsp : "");
        p = stpcpy(p, v->piece[i].text);
        p = stpcpy(p, padded ? nbsp : "");
    }
    t->len = t->start[v->n] = (int)(p - t->text);
    return HEED_OK;
}

/* Join pieces that share a letter as a reader sees it: a consonant and its
 * mark, the parts of an emoji. */
static heed_status join_letters(heedi_text *t, heedi_canvas *c)
{
    heedi_view *v = t->view;
    int n;
    int64_t i = 1;
    const char *p = t->text;
    bool *joined = heedi_arena_alloc(&v->arena, (size_t)v->n + 1);
    if (!joined)
        return HEED_ENOMEM;
    PangoLayout *l = heedi_canvas_layout(c, t->size, false, t->text);
    const PangoLogAttr *attr = pango_layout_get_log_attrs_readonly(l, &n);
    for (int k = 0; k < n && *p && i < v->n; k++, p += heedi_utf8_length(p)) {
        int at = (int)(p - t->text);
        while (i < v->n && t->start[i] < at)
            i++;
        joined[i] = i < v->n && t->start[i] == at &&
                    !attr[k].is_cursor_position &&
                    v->piece[i].kind == HEEDI_TOKEN &&
                    v->piece[i - 1].kind == HEEDI_TOKEN;
    }
    g_object_unref(l);
    for (i = v->n - 1; i > 0; i--)
        if (joined[i])
            HEEDI_TRY(heedi_view_join(v, i - 1));
    return gather(t);
}

heed_status heedi_text_init(heedi_text *t, heedi_canvas *c, heedi_view *v,
                            double size, double width)
{
    *t = (heedi_text){.view = v, .size = size, .width = width};
    HEEDI_TRY(gather(t));
    HEEDI_TRY(join_letters(t, c));
    return break_lines(t, c);
}

void heedi_text_clear(heedi_text *t)
{
    heedi_free(t->view->ctx, t->line);
}

/* ---- drawing ------------------------------------------------------------- */

static void draw_piece(const heedi_text *t, heedi_canvas *c,
                       const heedi_piece *p, double x, double y, double w,
                       double h)
{
    static const heedi_rgb black = {0.067, 0.067, 0.067};
    const double gap = 0.5;
    bool target = p->kind == HEEDI_TARGET || p->is_target;
    if (p->first >= 0 && !p->drop)
        heedi_canvas_box(c, x + gap, y, w - 2 * gap, h, 2.5,
                         heedi_view_color(t->view, p->value));
    if (target) /* around the box */
        heedi_canvas_outline(c, x, y + 0.6, w, h - 1.2, 3, 1.2, black);
    else if (heedi_view_outside(t->view, p))
        heedi_canvas_outline(c, x + gap + 0.4, y + 0.4, w - 2 * gap - 0.8,
                             h - 0.8, 2.5, 0.8, black);
    else if (p->kind == HEEDI_CHIP)
        heedi_canvas_outline(c, x + gap + 0.3, y + 0.3, w - 2 * gap - 0.6,
                             h - 0.6, 2.5, 0.6, heedi_rgb_of(0xbbbbbb));
}

/* Pango gives a range for each letter pair that is kerned; those that touch or
 * overlap become one. */
static int merge(int *range, int n)
{
    int kept = 0;
    for (int i = 0; i < n; i++) {
        int from = range[2 * i], to = range[2 * i + 1], j = i;
        for (; j > 0 && range[2 * j - 2] > from; j--) { /* in order of x */
            range[2 * j] = range[2 * j - 2];
            range[2 * j + 1] = range[2 * j - 1];
        }
        range[2 * j] = from;
        range[2 * j + 1] = to;
    }
    for (int i = 0; i < n; i++) {
        if (kept && range[2 * i] <= range[2 * kept - 1] + 2 * PANGO_SCALE) {
            if (range[2 * i + 1] > range[2 * kept - 1])
                range[2 * kept - 1] = range[2 * i + 1];
            continue;
        }
        range[2 * kept] = range[2 * i];
        range[2 * kept + 1] = range[2 * i + 1];
        kept++;
    }
    return kept;
}

/* The space before the first word of a line that goes on from the one above:
 * its box hangs in the margin, and words begin below each other. */
static double hanging(const heedi_text *t, const heedi_line *ln,
                      PangoLayoutLine *line)
{
    int x = 0;
    if (!ln->is_rtl && ln->from > 0 && t->text[ln->from] == ' ' &&
        t->text[ln->from - 1] != '\n')
        pango_layout_line_index_to_x(line, 1, FALSE, &x);
    return x / (double)PANGO_SCALE;
}

void heedi_text_draw(const heedi_text *t, heedi_canvas *c, size_t i, double x,
                     double y, double height)
{
    const heedi_line *ln = &t->line[i];
    PangoLayout *l = layout(t, c, ln->from, ln->to, ln->is_rtl);
    PangoLayoutLine *line = spread(t, l, ln->from);
    if (ln->is_rtl)
        x += t->width - width_of(line);
    x -= hanging(t, ln, line);
    heedi_canvas_check(c, l);
    for (int k = piece_at(t, ln->from); k < t->view->n && t->start[k] < ln->to;
         k++) {
        int from = t->start[k] < ln->from ? 0 : t->start[k] - ln->from;
        int to = t->start[k + 1] > ln->to ? ln->to : t->start[k + 1];
        int *range, n;
        if (to - ln->from <= from)
            continue;
        const bool spaced =
            t->start[k] >= ln->from && is_spaced(t, k, t->start[k]);
        pango_layout_line_get_x_ranges(line, from + spaced, to - ln->from,
                                       &range, &n);
        n = merge(range, n);
        /* the room behind its last glyph belongs to both boxes */
        const bool rtl = is_rtl_at(line, to - ln->from - 1);
        const int more = room_of(t) / 2, behind = meets(t, to) ? -more : more;
        for (int j = 0; j < n; j++) {
            const int a = range[2 * j] - (rtl ? behind : more);
            const int b = range[2 * j + 1] + (rtl ? more : behind);
            draw_piece(t, c, &t->view->piece[k], x + a / (double)PANGO_SCALE, y,
                       (b - a) / (double)PANGO_SCALE, height);
        }
        g_free(range);
    }
    cairo_move_to(c->cr, x, y + 0.718 * height); /* baseline */
    heedi_canvas_color(c, heedi_rgb_of(0x111111));
    pango_cairo_show_layout_line(c->cr, line);
    g_object_unref(l);
    pango_context_set_base_dir(c->pango, PANGO_DIRECTION_LTR);
}
