/* normalize.c - the parts that rewrite a text before it is cut. */
#include <string.h>
#include <utf8proc.h>

#include "ctx.h"
#include "fields.h"
#include "utf8.h"

/* Every step reads w->norm and writes w->next, which it then becomes. */
heed_status heedi_normalized(heedi_work *w)
{
    heedi_rope old = w->norm;
    w->norm = w->next;
    w->next = old;
    return HEED_OK;
}

static heed_status copy(heedi_work *w, size_t from, size_t to)
{
    return heedi_rope_copy(&w->next, w->ctx, &w->norm, from, to);
}

heed_status heedi_lowercase(heedi_work *w, const heedi_step *s)
{
    const heedi_rope *r = &w->norm;
    (void)s;
    heedi_rope_clear(&w->next);
    for (size_t i = 0, len; i < r->n; i += len) {
        uint32_t c = heedi_utf8_get(r->s + i, r->n - i, &len);
        uint32_t l = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
        char buf[8];
        if (c == 0x130) /* the one letter that becomes two characters */
            l = 'i';
        size_t n = heedi_utf8_put(buf, l);
        if (c == 0x130)
            n += heedi_utf8_put(buf + n, 0x307);
        if (l == c)
            HEEDI_TRY(copy(w, i, i + len));
        else
            HEEDI_TRY(heedi_rope_put(&w->next, w->ctx, buf, n,
                                     heedi_rope_span(r, i, i + len)));
    }
    return heedi_normalized(w);
}

static heed_status strip_accents(heedi_work *w, const heedi_step *s)
{
    const heedi_rope *r = &w->norm;
    (void)s;
    heedi_rope_clear(&w->next);
    for (size_t i = 0, len; i < r->n; i += len)
        if (!heedi_is_mark(heedi_utf8_get(r->s + i, r->n - i, &len)))
            HEEDI_TRY(copy(w, i, i + len));
    return heedi_normalized(w);
}

static heed_status read_strip(heed_tokenizer *t, heedi_step *s, const json_t *j)
{
    bool left = true, right = true;
    HEEDI_TRY(heedi_field_bool(t->ctx, j, "Strip", "strip_left", &left));
    HEEDI_TRY(heedi_field_bool(t->ctx, j, "Strip", "strip_right", &right));
    s->left = left;
    s->right = right;
    return HEED_OK;
}

static heed_status strip(heedi_work *w, const heedi_step *s)
{
    const heedi_rope *r = &w->norm;
    size_t from = 0, to = 0;
    bool text = false;
    for (size_t i = 0, len; i < r->n; i += len) {
        bool space = heedi_is_space(heedi_utf8_get(r->s + i, r->n - i, &len));
        if (!space && !text)
            from = i;
        if (!space)
            to = i + len;
        text = text || !space;
    }
    if (!text)
        from = to = s->left ? r->n : 0;
    heedi_rope_clear(&w->next);
    HEEDI_TRY(copy(w, s->left ? from : 0, s->right ? to : r->n));
    return heedi_normalized(w);
}

static heed_status read_prepend(heed_tokenizer *t, heedi_step *s,
                                const json_t *j)
{
    return heedi_read_str(t, s, j, "prepend", &s->with);
}

/* What is put in front stands for no bytes of the input. */
static heed_status prepend(heedi_work *w, const heedi_step *s)
{
    const heedi_rope *r = &w->norm;
    if (r->n == 0)
        return HEED_OK;
    uint32_t at = heedi_rope_at(r, 0).start;
    heedi_rope_clear(&w->next);
    HEEDI_TRY(heedi_rope_put(&w->next, w->ctx, s->with.s, s->with.len,
                             (heedi_span){at, at}));
    HEEDI_TRY(copy(w, 0, r->n));
    return heedi_normalized(w);
}

heed_status heedi_replace_read(heed_tokenizer *t, heedi_step *s,
                               const json_t *j)
{
    s->with = (heedi_str){"", 0};
    HEEDI_TRY(heedi_read_str(t, s, j, "content", &s->with));
    return heedi_read_pattern(t, s, j);
}

/* A match of nothing puts the content between two characters; it stands for
 * no bytes of the input. */
static heed_status replace(heedi_work *w, const heedi_step *s)
{
    const heedi_rope *r = &w->norm;
    size_t gap = 0, from = 0, start, end;
    heedi_rope_clear(&w->next);
    while (from <= r->n) {
        if (s->re) {
            HEEDI_TRY(heedi_regex_find(&w->matcher, w->ctx, s->re, r->s, r->n,
                                       from, &start, &end));
        } else {
            const char *p =
                s->what.len && from < r->n
                    ? memmem(r->s + from, r->n - from, s->what.s, s->what.len)
                    : NULL;
            start = p ? (size_t)(p - r->s) : r->n + 1;
            end = start + s->what.len;
        }
        if (start > r->n)
            break;
        HEEDI_TRY(copy(w, gap, start));
        heedi_span at = {0};
        if (end > start) {
            at = heedi_rope_span(r, start, end);
        } else if (r->n > 0) {
            at.start = start < r->n ? heedi_rope_at(r, start).start
                                    : heedi_rope_at(r, start - 1).end;
            at.end = at.start;
        }
        HEEDI_TRY(heedi_rope_put(&w->next, w->ctx, s->with.s, s->with.len, at));
        gap = from = end;
        size_t len = 1;
        if (end == start && end < r->n)
            heedi_utf8_get(r->s + end, r->n - end, &len);
        from += end == start ? len : 0;
    }
    if (gap < r->n)
        HEEDI_TRY(copy(w, gap, r->n));
    return heedi_normalized(w);
}

static heed_status read_nfc(heed_tokenizer *t, heedi_step *s, const json_t *j)
{
    (void)t, (void)j;
    s->form = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    return HEED_OK;
}

static heed_status read_nfd(heed_tokenizer *t, heedi_step *s, const json_t *j)
{
    (void)t, (void)j;
    s->form = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
    return HEED_OK;
}

static heed_status read_nfkc(heed_tokenizer *t, heedi_step *s, const json_t *j)
{
    (void)t, (void)j;
    s->form = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT;
    return HEED_OK;
}

static heed_status read_nfkd(heed_tokenizer *t, heedi_step *s, const json_t *j)
{
    (void)t, (void)j;
    s->form = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT;
    return HEED_OK;
}

const heedi_part heedi_normalizers[] = {
    {"NFC", "", read_nfc, heedi_unicode_form, NULL},
    {"NFD", "", read_nfd, heedi_unicode_form, NULL},
    {"NFKC", "", read_nfkc, heedi_unicode_form, NULL},
    {"NFKD", "", read_nfkd, heedi_unicode_form, NULL},
    {"Lowercase", "", NULL, heedi_lowercase, NULL},
    {"StripAccents", "", NULL, strip_accents, NULL},
    {"Strip", "strip_left strip_right", read_strip, strip, NULL},
    {"Prepend", "prepend", read_prepend, prepend, NULL},
    {"Replace", "pattern content", heedi_replace_read, replace, NULL},
    {"BertNormalizer",
     "clean_text handle_chinese_chars strip_accents lowercase",
     heedi_bert_normalizer_read, heedi_bert_normalize, NULL},
    {0},
};
