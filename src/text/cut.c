/* cut.c - pieces at matches, in the five ways of `behavior`. */
#include <string.h>

#include "ctx.h"
#include "tokenizer.h"
#include "utf8.h"

/* The pieces of one piece, as matches and gaps come in. */
typedef struct cutter {
    heedi_work *w;
    heedi_behavior behavior;
    bool invert;
    bool any, was_match; /* whether one came before, and which it was */
    bool waits;          /* a match that the next gap may take */
    heedi_piece waiting;
} cutter;

static heed_status piece(heedi_work *w, size_t start, size_t end)
{
    heedi_pieces *p = &w->cut;
    if (start == end)
        return HEED_OK;
    heedi_piece *v = heedi_grow(w->ctx, p->v, &p->cap, p->n + 1, sizeof *v);
    if (!v)
        return HEED_ENOMEM;
    p->v = v;
    v[p->n++] = (heedi_piece){(uint32_t)start, (uint32_t)end};
    return HEED_OK;
}

static heed_status flush(cutter *c)
{
    bool waits = c->waits;
    c->waits = false;
    return waits ? piece(c->w, c->waiting.start, c->waiting.end) : HEED_OK;
}

static heed_status isolated(cutter *c, size_t start, size_t end, bool match)
{
    (void)match;
    return piece(c->w, start, end);
}

static heed_status removed(cutter *c, size_t start, size_t end, bool match)
{
    return match ? HEED_OK : piece(c->w, start, end);
}

/* Make the last piece longer, if it ends where this one begins. */
static heed_status extend(cutter *c, size_t start, size_t end)
{
    heedi_pieces *p = &c->w->cut;
    if (p->n == 0 || p->v[p->n - 1].end != start)
        return piece(c->w, start, end);
    p->v[p->n - 1].end = (uint32_t)end;
    return HEED_OK;
}

static heed_status contiguous(cutter *c, size_t start, size_t end, bool match)
{
    bool same = c->any && c->was_match == match;
    return same ? extend(c, start, end) : piece(c->w, start, end);
}

static heed_status with_previous(cutter *c, size_t start, size_t end,
                                 bool match)
{
    bool joins = match && c->any && !c->was_match;
    return joins ? extend(c, start, end) : piece(c->w, start, end);
}

static heed_status with_next(cutter *c, size_t start, size_t end, bool match)
{
    if (!match && c->waits) {
        c->waits = false;
        return piece(c->w, c->waiting.start, end);
    }
    HEEDI_TRY(flush(c));
    if (!match)
        return piece(c->w, start, end);
    c->waits = true;
    c->waiting = (heedi_piece){(uint32_t)start, (uint32_t)end};
    return HEED_OK;
}

static heed_status (*const behave[])(cutter *, size_t, size_t, bool) = {
    [HEEDI_ISOLATED] = isolated,     [HEEDI_REMOVED] = removed,
    [HEEDI_CONTIGUOUS] = contiguous, [HEEDI_WITH_PREVIOUS] = with_previous,
    [HEEDI_WITH_NEXT] = with_next,
};

static heed_status part(cutter *c, size_t start, size_t end, bool match)
{
    match = match != c->invert;
    HEEDI_TRY(behave[c->behavior](c, start, end, match));
    c->any = true;
    c->was_match = match;
    return HEED_OK;
}

static heed_status find_string(const char *s, size_t n, size_t from,
                               heedi_str what, size_t *start, size_t *end)
{
    const char *p =
        what.len ? memmem(s + from, n - from, what.s, what.len) : NULL;
    *start = p ? (size_t)(p - s) : n + 1;
    *end = *start + what.len;
    return HEED_OK;
}

static heed_status matches(cutter *c, const heedi_step *st, heedi_piece p)
{
    const char *s = c->w->text.s + p.start;
    size_t n = p.end - p.start, gap = 0, from = 0, start, end;
    while (from <= n) {
        if (st->re)
            HEEDI_TRY(heedi_regex_find(&c->w->matcher, c->w->ctx, st->re, s, n,
                                       from, &start, &end));
        else
            HEEDI_TRY(find_string(s, n, from, st->what, &start, &end));
        if (start > n)
            break;
        if (start > gap)
            HEEDI_TRY(part(c, p.start + gap, p.start + start, false));
        /* an empty match right behind another is none */
        if (end > start || start > gap || !c->any)
            HEEDI_TRY(part(c, p.start + start, p.start + end, true));
        gap = from = end;
        if (end == start && end < n) {
            size_t len;
            heedi_utf8_get(s + end, n - end, &len);
            from = end + len;
        } else if (end == start) {
            break;
        }
    }
    return gap < n ? part(c, p.start + gap, p.end, false) : HEED_OK;
}

static heed_status chars(cutter *c, const heedi_step *st, heedi_piece p)
{
    const char *s = c->w->text.s;
    size_t gap = p.start;
    for (size_t i = p.start, len; i < p.end; i += len) {
        if (!st->is(heedi_utf8_get(s + i, p.end - i, &len)))
            continue;
        if (gap < i)
            HEEDI_TRY(part(c, gap, i, false));
        HEEDI_TRY(part(c, i, i + len, true));
        gap = i + len;
    }
    return gap < p.end ? part(c, gap, p.end, false) : HEED_OK;
}

static heed_status each(heedi_work *w, const heedi_step *s,
                        heed_status (*cut)(cutter *, const heedi_step *,
                                           heedi_piece))
{
    w->cut.n = 0;
    for (size_t i = 0; i < w->piece.n; i++) {
        cutter c = {.w = w,
                    .behavior = (heedi_behavior)s->behavior,
                    .invert = s->invert};
        HEEDI_TRY(cut(&c, s, w->piece.v[i]));
        HEEDI_TRY(flush(&c));
    }
    heedi_pieces old = w->piece;
    w->piece = w->cut;
    w->cut = old;
    return HEED_OK;
}

heed_status heedi_cut_regex(heedi_work *w, const heedi_step *s)
{
    return each(w, s, matches);
}

heed_status heedi_cut_chars(heedi_work *w, const heedi_step *s)
{
    return each(w, s, chars);
}
