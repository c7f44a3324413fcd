/* unicode.c - NFC, NFD, NFKC and NFKD, keeping where characters came from. */
#include <string.h>
#include <utf8proc.h>

#include "ctx.h"
#include "tokenizer.h"
#include "utf8.h"

/* A run is normalised as one. A character that may combine with the one before
 * it, or be moved before it, goes on with the run. Besides marks these are
 * vowels and finals of Hangul, the compatibility forms of both, and the
 * halfwidth voicing marks. */
static bool goes_on(uint32_t c)
{
    return c >= 0x300 &&
           (heedi_is_mark(c) || (c >= 0x1160 && c <= 0x11FF) ||
            (c >= 0x3131 && c <= 0x318E) || (c >= 0xD7B0 && c <= 0xD7FF) ||
            (c >= 0xFF9E && c <= 0xFFDC));
}

/* Longer runs are cut, as Unicode's stream-safe form cuts after 30 marks. */
enum { RUN_MAX = 1024, OUT_MAX = 18 * RUN_MAX };

/* End of the run that begins at i: characters below U+0300 that no mark
 * follows are a run of one. */
static size_t run_end(const heedi_rope *r, size_t i)
{
    size_t len, k = 1;
    heedi_utf8_get(r->s + i, r->n - i, &len);
    for (i += len; i < r->n && k < RUN_MAX; i += len, k++)
        if (!goes_on(heedi_utf8_get(r->s + i, r->n - i, &len)))
            break;
    return i;
}

static heed_status run(heedi_work *w, const heedi_step *s, size_t from,
                       size_t to, utf8proc_int32_t *buf, char *utf8)
{
    const heedi_rope *r = &w->norm;
    const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)r->s + from;
    utf8proc_option_t form = (utf8proc_option_t)s->form;
    utf8proc_ssize_t n = utf8proc_decompose(p, (utf8proc_ssize_t)(to - from),
                                            buf, OUT_MAX, form);
    if (n >= 0 && n <= OUT_MAX)
        n = utf8proc_normalize_utf32(buf, n, form);
    if (n < 0 || n > OUT_MAX)
        return heedi_fail(w->ctx, HEED_EINTERNAL,
                          "%zu bytes cannot be normalised (%s)", to - from,
                          utf8proc_errmsg(n));
    size_t len = 0;
    for (utf8proc_ssize_t i = 0; i < n; i++)
        len += heedi_utf8_put(utf8 + len, (uint32_t)buf[i]);
    if (len == to - from && memcmp(utf8, p, len) == 0)
        return heedi_rope_copy(&w->next, w->ctx, r, from, to);
    return heedi_rope_put(&w->next, w->ctx, utf8, len,
                          heedi_rope_span(r, from, to));
}

heed_status heedi_unicode_form(heedi_work *w, const heedi_step *s)
{
    heedi_rope *r = &w->norm;
    size_t i = 0;
    while (i < r->n && (unsigned char)r->s[i] < 0x80)
        i++;
    if (i == r->n)
        return HEED_OK; /* ASCII is its own normal form */
    utf8proc_int32_t *buf = heedi_alloc(w->ctx, OUT_MAX * sizeof *buf);
    char *utf8 = buf ? heedi_alloc(w->ctx, 4 * OUT_MAX) : NULL;
    heed_status st = utf8 ? HEED_OK : HEED_ENOMEM;
    heedi_rope_clear(&w->next);
    for (size_t from = 0, to; st == HEED_OK && from < r->n; from = to) {
        for (to = from; to < r->n && (unsigned char)r->s[to] < 0x80;)
            to++;
        /* a mark may belong to the last character of plain text */
        if (to < r->n && to > from)
            to--;
        if (to > from) {
            st = heedi_rope_copy(&w->next, w->ctx, r, from, to);
        } else {
            to = run_end(r, from);
            st = run(w, s, from, to, buf, utf8);
        }
    }
    heedi_free(w->ctx, utf8);
    heedi_free(w->ctx, buf);
    if (st == HEED_OK) {
        heedi_rope old = w->norm;
        w->norm = w->next;
        w->next = old;
    }
    return st;
}
