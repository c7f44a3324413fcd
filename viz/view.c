#include "view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "range.h"
#include "result.h"

/* ---- attributes ---------------------------------------------------------- */

double heedi_view_num(const heedi_view *v, const char *key)
{
    const heed_attr *a = heed_result_attr(v->r, v->group, key);
    int64_t i = a && a->n > v->target ? v->target : 0;
    return a ? heedi_number(a->type, a->data, i) : (double)NAN;
}

const char *heedi_view_str(const heedi_view *v, const char *key)
{
    const heed_attr *a = heed_result_attr(v->r, v->group, key);
    int64_t i = a && a->n > v->target ? v->target : 0;
    return a && a->type == HEED_STR ? ((const char *const *)a->data)[i] : NULL;
}

/* ---- text as it is drawn ------------------------------------------------- */

static const char *drawn(unsigned char c, bool space, char buf[8])
{
    if (c == '\n' || c == '\r')
        return "\xe2\x8f\x8e\n"; /* ⏎ */
    if (c == '\t')
        return "\xe2\x87\xa5\xe2\x80\x83"; /* ⇥ and an em space */
    if (c == ' ' && space)
        return "\xe2\x90\xa3"; /* ␣ */
    if (c < 0x20 || c == 0x7f) {
        /* U+2400 ... are pictures of the control characters */
        snprintf(buf, 8, "\xe2\x90%c", c == 0x7f ? 0xa1 : 0x80 + c);
        return buf;
    }
    return NULL;
}

const char *heedi_display(heedi_arena *a, const char *s, size_t n, bool space)
{
    char *out = heedi_arena_alloc(a, 6 * n + 1), *p = out, buf[8];
    if (!out)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        const char *d = drawn((unsigned char)s[i], space, buf);
        if (s[i] == '\r' && i + 1 < n && s[i + 1] == '\n')
            continue;
        if (!d) {
            *p++ = s[i];
            continue;
        }
        size_t len = strlen(d);
        memcpy(p, d, len);
        p += len;
    }
    return out;
}

const char *heedi_label(heedi_arena *a, const char *s)
{
    if (*s == ' ' && s[1])
        s++;
    size_t n = strlen(s);
    char *copy = heedi_arena_alloc(a, 6 * n + 1);
    const char *d = copy ? heedi_display(a, s, n, s[0] == ' ') : NULL;
    for (char *p = copy; d && *d; d++)
        if (*d != '\n')
            *p++ = *d;
    return d ? copy : NULL;
}

const char *heedi_piece_label(heedi_view *v, const heedi_piece *p)
{
    const char *s = p->text + (*p->text == ' ' && p->text[1]);
    size_t n = strlen(s);
    char *out = heedi_arena_alloc(&v->arena, n + 4), *to = out;
    if (out && strspn(s, " ") == n)
        return strcpy(out, "\xe2\x90\xa3"); /* ␣ */
    for (; out && *s; s++)
        if (*s != '\n')
            *to++ = *s;
    return out;
}

/* ---- pieces -------------------------------------------------------------- */

typedef struct source {
    const char *text; /* of the whole input, or NULL */
    int64_t len;
    const char *const *token;
    const int64_t *start, *end;
    const uint8_t *special;
    const int32_t *id;
    const heed_array *value;
    int64_t offset; /* of the first value */
    bool show_space;
    heed_status st;
} source;

static bool inside_character(const source *s, int64_t at)
{
    return at > 0 && at < s->len && ((unsigned char)s->text[at] & 0xC0) == 0x80;
}

/* The array of `input`, or NULL; another length than the values is an error. */
static const void *column(source *s, heed_ctx *ctx, const heed_result *r,
                          const char *name, heed_type type, int64_t n)
{
    const heed_array *a = heed_result_get(r, "input", name);
    if (!a)
        return NULL;
    if (a->var.type != type || a->var.nd != 1 || a->var.len[0] != n) {
        s->st = heedi_fail(ctx, HEED_EINVAL,
                           "input/%s does not fit %lld values of %s", name,
                           (long long)n, s->value->var.name);
        return NULL;
    }
    return a->data;
}

static heed_status open_source(source *s, heedi_view *v,
                               const heed_figure_options *o)
{
    const heed_array *a = heed_result_get(v->r, v->group, "relevance");
    if (!a || a->var.type == HEED_STR || a->var.nd < 1 || a->var.nd > 2)
        return heedi_fail(v->ctx, HEED_EINVAL, "no relevance of tokens in %s",
                          v->group);
    int64_t n = a->var.len[a->var.nd - 1];
    int64_t targets = a->var.nd == 2 ? a->var.len[0] : 1;
    if (o->target < 0 || o->target >= targets)
        return heedi_fail(v->ctx, HEED_EINVAL,
                          "target %lld: there are %lld, counted from 0",
                          (long long)o->target, (long long)targets);
    v->target = o->target;
    v->n_tokens = n;
    s->value = a;
    s->offset = o->target * n;
    s->token = column(s, v->ctx, v->r, "token", HEED_STR, n);
    s->start = column(s, v->ctx, v->r, "byte_start", HEED_I64, n);
    s->end = column(s, v->ctx, v->r, "byte_end", HEED_I64, n);
    s->special = column(s, v->ctx, v->r, "is_special", HEED_U8, n);
    s->id = column(s, v->ctx, v->r, "token_id", HEED_I32, n);
    const heed_array *text = heed_result_get(v->r, "input", "text");
    if (text && text->var.type == HEED_STR && s->start && s->end) {
        s->text = *(const char *const *)text->data;
        s->len = (int64_t)strlen(s->text);
    }
    return s->st;
}

static heedi_piece *add(heedi_view *v, heedi_piece_kind kind, int64_t first,
                        int64_t last)
{
    heedi_piece *p = &v->piece[v->n++];
    *p = (heedi_piece){.kind = kind, .first = first, .last = last};
    return p;
}

/* "#123" is a token known only by its id. */
static bool is_number(const source *s, int64_t t)
{
    char name[16];
    if (!s->id || !s->token)
        return false;
    snprintf(name, sizeof name, "#%d", (int)s->id[t]);
    return strcmp(s->token[t], name) == 0;
}

static bool has_text(const source *s, int64_t t)
{
    return s->text && s->start[t] >= 0 && s->start[t] < s->end[t] &&
           s->end[t] <= s->len && !(s->special && s->special[t]) &&
           !is_number(s, t);
}

static bool is_bracketed(const char *s)
{
    size_t n = strlen(s);
    return n > 2 && ((s[0] == '<' && s[n - 1] == '>') ||
                     (s[0] == '[' && s[n - 1] == ']'));
}

static const char *chip_text(const source *s, heedi_view *v, int64_t t)
{
    if (!s->token)
        return heedi_arena_print(&v->arena, "#%lld", (long long)t);
    const char *text = s->token[t];
    if (!s->special || !s->special[t] || is_bracketed(text))
        return heedi_display(&v->arena, text, strlen(text), true);
    return heedi_arena_print(&v->arena, "\xe2\x9f\xa8%s\xe2\x9f\xa9", text);
}

static bool is_blank(const char *s, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!strchr(" \t", s[i]))
            return false;
    return true;
}

/* One piece from token t on; returns the token after it. */
static int64_t take(const source *s, heedi_view *v, int64_t t, int64_t *at)
{
    if (!has_text(s, t)) {
        heedi_piece *p = add(v, HEEDI_CHIP, t, t);
        p->special = s->special && s->special[t];
        p->text = chip_text(s, v, t);
        if (s->text && s->end[t] > *at && s->end[t] <= s->len)
            *at = s->end[t];
        return t + 1;
    }
    int64_t from = s->start[t], to = s->end[t], last = t;
    while (last + 1 < v->n_tokens && has_text(s, last + 1) &&
           (inside_character(s, to) || s->start[last + 1] < to)) {
        last++;
        if (s->end[last] > to)
            to = s->end[last];
    }
    while (inside_character(s, from))
        from--;
    while (inside_character(s, to))
        to++;
    if (from > *at && is_blank(s->text + *at, from - *at)) {
        from = *at; /* a box covers the space before its word */
    } else if (from > *at) {
        add(v, HEEDI_PLAIN, -1, -1)->text = heedi_display(
            &v->arena, s->text + *at, (size_t)(from - *at), s->show_space);
    } else if (from < *at) {
        from = *at < to ? *at : to;
    }
    add(v, HEEDI_TOKEN, t, last)->text = heedi_display(
        &v->arena, s->text + from, (size_t)(to - from), s->show_space);
    *at = to > *at ? to : *at;
    return last + 1;
}

static heed_status sum_values(const source *s, heedi_view *v, heedi_piece *p,
                              const heed_figure_options *o)
{
    for (int64_t t = p->first; t >= 0 && t <= p->last; t++) {
        double x =
            heedi_number(s->value->var.type, s->value->data, s->offset + t);
        if (!isfinite(x))
            return heedi_fail(v->ctx, HEED_ENUMERIC,
                              "%s/relevance is not finite at token %lld",
                              v->group, (long long)t);
        p->value += x;
    }
    p->drop =
        (o->drop_first && p->first == 0) || (o->drop_special && p->special);
    return HEED_OK;
}

/* The explained token: outlined where it is in the text, else put there. */
static void place_target(heedi_view *v, int64_t t)
{
    heedi_piece *p = &v->piece[v->n - 1];
    if (p->first <= t && t <= p->last)
        p->is_target = true;
}

/* Where the target stands: after the position it is explained at, in a masked
 * model at it, nowhere if it is of the text as a whole (-1). */
static int64_t place_of(heedi_view *v, bool *masked)
{
    const char *head = heedi_view_str(v, "head");
    double pos = heedi_view_num(v, "target_pos");
    *masked = head && strcmp(head, "masked token") == 0;
    if (head && !*masked)
        return -1;
    return pos >= 0 && pos < (double)v->n_tokens ? (int64_t)pos + !*masked
                                                 : v->n_tokens;
}

static void add_target(heedi_view *v)
{
    if (!v->target_text)
        return;
    add(v, HEEDI_PLAIN, -1, -1)->text = " ";
    add(v, HEEDI_TARGET, -1, -1)->text = v->target_text;
}

static heed_status make_pieces(const source *s, heedi_view *v,
                               const heed_figure_options *o)
{
    size_t bytes;
    int64_t at = 0;
    bool masked;
    int64_t target = place_of(v, &masked);
    bool in_text = target >= 0 && target < v->n_tokens && s->id &&
                   (masked || s->id[target] == heedi_view_num(v, "target_id"));
    if (!heedi_mul((size_t)v->n_tokens + 2, 2 * sizeof *v->piece, &bytes))
        return heedi_fail(v->ctx, HEED_ENOMEM, "too many tokens");
    v->piece = heedi_arena_alloc(&v->arena, bytes);
    if (!v->piece)
        return HEED_ENOMEM;
    for (int64_t t = 0; t < v->n_tokens;) {
        if (t == target && !in_text)
            add_target(v);
        int64_t next = take(s, v, t, &at);
        heedi_piece *p = &v->piece[v->n - 1];
        if (!p->text || (v->n > 1 && !p[-1].text))
            return HEED_ENOMEM;
        HEEDI_TRY(sum_values(s, v, p, o));
        if (in_text && t <= target && target < next)
            place_target(v, target);
        else if (!in_text && t < target && target < next)
            target = next; /* not inside a character */
        t = next;
    }
    if (s->text && at < s->len) {
        heedi_piece *p = add(v, HEEDI_PLAIN, -1, -1);
        p->text = heedi_display(&v->arena, s->text + at, (size_t)(s->len - at),
                                s->show_space);
        if (!p->text)
            return HEED_ENOMEM;
    }
    if (target >= v->n_tokens)
        add_target(v);
    return HEED_OK;
}

heed_status heedi_view_join(heedi_view *v, int64_t i)
{
    heedi_piece *p = &v->piece[i], *q = p + 1;
    p->text = heedi_arena_print(&v->arena, "%s%s", p->text, q->text);
    if (!p->text)
        return HEED_ENOMEM;
    if (p->first < 0)
        p->first = q->first;
    if (q->last >= 0)
        p->last = q->last;
    if (p->kind == HEEDI_PLAIN)
        p->kind = q->kind;
    p->value += q->value;
    p->is_target |= q->is_target;
    p->drop |= q->drop;
    memmove(q, q + 1, (size_t)(v->n - i - 2) * sizeof *q);
    v->n--;
    return HEED_OK;
}

/* ---- range --------------------------------------------------------------- */

heed_status heedi_view_range(heedi_view *v, const heed_figure_options *o)
{
    heedi_range range;
    double *x = heedi_arena_alloc(&v->arena, (size_t)(v->n + 1) * sizeof *x);
    if (!x)
        return HEED_ENOMEM;
    int64_t n = 0;
    for (int64_t i = 0; i < v->n; i++)
        if (v->piece[i].first >= 0 && !v->piece[i].drop)
            x[n++] = fabs(v->piece[i].value);
    HEEDI_TRY(heedi_range_of(&range, v->ctx, x, n, v->is_signed, o));
    v->low = range.low;
    v->high = range.high;
    return HEED_OK;
}

heedi_rgb heedi_view_color(const heedi_view *v, double x)
{
    return heedi_cmap_color(v->cmap, v->cmap->diverging
                                         ? x / v->high
                                         : (x - v->low) / (v->high - v->low));
}

bool heedi_view_outside(const heedi_view *v, const heedi_piece *p)
{
    double slack = 1e-6 * (v->high - v->low);
    return p->first >= 0 &&
           (p->drop || p->value > v->high + slack || p->value < v->low - slack);
}

/* ---- the whole ----------------------------------------------------------- */

heed_status heedi_view_sign(heedi_view *v, bool is_signed,
                            const heed_figure_options *o)
{
    v->is_signed = is_signed;
    const char *name = o->cmap ? o->cmap : v->is_signed ? "rdbu_r" : "blues";
    v->cmap = heedi_cmap_named(name);
    return v->cmap ? HEED_OK
                   : heedi_fail(v->ctx, HEED_EINVAL, "no colour map %s", name);
}

/* The text of a token in a sentence. */
static const char *named(heedi_view *v, const char *key)
{
    const char *s = heedi_view_str(v, key);
    return s ? heedi_label(&v->arena, s) : NULL;
}

heed_status heedi_view_one(heed_ctx *ctx, const heed_result *r)
{
    const heed_array *a = heed_result_get(r, "input", "sample_start");
    if (!a)
        return HEED_OK;
    return heedi_fail(ctx, HEED_EINVAL,
                      "the file is of %lld inputs, and a picture is of one: "
                      "`heed attribute --per-file` writes a file for each",
                      (long long)a->var.len[0]);
}

heed_status heedi_view_init(heedi_view *v, heed_ctx *ctx, const heed_result *r,
                            const char *group, const heed_figure_options *o)
{
    *v = (heedi_view){.ctx = ctx, .r = r, .group = group};
    source s = {.show_space = o->show_space};
    heedi_arena_init(&v->arena, ctx);
    HEEDI_TRY(open_source(&s, v, o));
    const char *sign = heedi_view_str(v, "sign");
    HEEDI_TRY(heedi_view_sign(v, !sign || strcmp(sign, "unsigned") != 0, o));
    v->target_text = named(v, "target_text");
    v->foil_text = named(v, "foil_text");
    if ((!v->target_text && heedi_view_str(v, "target_text")) ||
        (!v->foil_text && heedi_view_str(v, "foil_text")))
        return HEED_ENOMEM;
    if (v->foil_text && !*v->foil_text)
        v->foil_text = NULL;
    if (v->target_text && !*v->target_text)
        v->target_text = NULL;
    HEEDI_TRY(make_pieces(&s, v, o));
    return heedi_view_range(v, o);
}

void heedi_view_clear(heedi_view *v)
{
    heedi_arena_clear(&v->arena);
}
