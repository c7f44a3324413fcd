/* decode.c - ids to bytes, each of which keeps the token that it is from. */
#include <string.h>

#include "ctx.h"
#include "fields.h"
#include "utf8.h"

heed_status heedi_decoded_put(heedi_decoded *d, const char *s, size_t n,
                              uint32_t owner)
{
    char *p = heedi_grow(d->ctx, d->s2, &d->cap2, d->n2 + n, 1);
    if (!p)
        return HEED_ENOMEM;
    d->s2 = p;
    uint32_t *o =
        heedi_grow(d->ctx, d->owner2, &d->ocap2, d->n2 + n, sizeof *o);
    if (!o)
        return HEED_ENOMEM;
    d->owner2 = o;
    memcpy(p + d->n2, s, n);
    for (size_t i = 0; i < n; i++)
        o[d->n2++] = owner;
    return HEED_OK;
}

heed_status heedi_decoded_end(heedi_decoded *d)
{
    size_t *v =
        heedi_grow(d->ctx, d->item2, &d->icap2, d->items2 + 1, sizeof *v);
    if (!v)
        return HEED_ENOMEM;
    d->item2 = v;
    v[d->items2++] = d->n2;
    return HEED_OK;
}

#define SWAP(type, a, b) \
    do {                 \
        type t_ = a;     \
        a = b;           \
        b = t_;          \
    } while (0)

void heedi_decoded_swap(heedi_decoded *d)
{
    SWAP(char *, d->s, d->s2);
    SWAP(uint32_t *, d->owner, d->owner2);
    SWAP(size_t *, d->item, d->item2);
    SWAP(size_t, d->cap, d->cap2);
    SWAP(size_t, d->ocap, d->ocap2);
    SWAP(size_t, d->icap, d->icap2);
    d->n = d->n2;
    d->items = d->items2;
    d->n2 = d->items2 = 0;
}

void heedi_decoded_free(heedi_decoded *d)
{
    heedi_free(d->ctx, d->s);
    heedi_free(d->ctx, d->s2);
    heedi_free(d->ctx, d->owner);
    heedi_free(d->ctx, d->owner2);
    heedi_free(d->ctx, d->item);
    heedi_free(d->ctx, d->item2);
    heedi_matcher_free(&d->matcher);
}

static heed_status fill(heedi_decoded *d, size_t n)
{
    bool spaces = !d->t->decoder_given && !d->alone;
    for (size_t i = 0; i < n; i++) {
        int64_t id = d->id[i];
        heedi_str s = {0};
        if (id < d->t->info.n_tokens)
            s = d->t->str[id];
        if (spaces && i > 0 && s.s)
            HEEDI_TRY(heedi_decoded_put(d, " ", 1, (uint32_t)i));
        if (s.len)
            HEEDI_TRY(heedi_decoded_put(d, s.s, s.len, (uint32_t)i));
        HEEDI_TRY(heedi_decoded_end(d));
    }
    heedi_decoded_swap(d);
    return HEED_OK;
}

heed_status heedi_decode(heedi_decoded *d, heed_ctx *ctx,
                         const heed_tokenizer *t, const int32_t *id, size_t n,
                         bool alone)
{
    *d = (heedi_decoded){.ctx = ctx, .t = t, .id = id, .alone = alone};
    HEEDI_TRY(fill(d, n));
    for (size_t i = 0; i < t->decoder.n; i++)
        HEEDI_TRY(t->decoder.v[i].part->decode(d, t->decoder.v + i));
    return HEED_OK;
}

/* ---- the parts: they read d->s, write d->s2, and swap ---- */

static heed_status copy(heedi_decoded *d, size_t from, size_t to)
{
    for (size_t i = from, k; i < to; i = k) {
        for (k = i + 1; k < to && d->owner[k] == d->owner[i];)
            k++;
        HEEDI_TRY(heedi_decoded_put(d, d->s + i, k - i, d->owner[i]));
    }
    return HEED_OK;
}

/* Of one item; what replaces a match is of the token it began in. */
static heed_status replace_in(heedi_decoded *d, const heedi_step *st,
                              size_t from, size_t to)
{
    size_t n = to - from, at = 0, start, end;
    const char *s = d->s + from;
    /* PCRE2 reads only whole characters */
    if (st->re && heedi_utf8_check(s, n) < n)
        return copy(d, from, to);
    while (at < n) {
        if (st->re) {
            HEEDI_TRY(heedi_regex_find(&d->matcher, d->ctx, st->re, s, n, at,
                                       &start, &end));
        } else {
            const char *p =
                st->what.len ? memmem(s + at, n - at, st->what.s, st->what.len)
                             : NULL;
            start = p ? (size_t)(p - s) : n;
            end = start + st->what.len;
        }
        if (start >= n || end == start)
            break;
        HEEDI_TRY(copy(d, from + at, from + start));
        HEEDI_TRY(heedi_decoded_put(d, st->with.s, st->with.len,
                                    d->owner[from + start]));
        at = end;
    }
    return copy(d, from + at, to);
}

heed_status heedi_decoded_replace(heedi_decoded *d, const heedi_step *st)
{
    for (size_t k = 0, from = 0; k < d->items; from = d->item[k++]) {
        HEEDI_TRY(replace_in(d, st, from, d->item[k]));
        HEEDI_TRY(heedi_decoded_end(d));
    }
    heedi_decoded_swap(d);
    return HEED_OK;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

int heedi_named_byte(const char *s, size_t n)
{
    if (n != 6 || memcmp(s, "<0x", 3) != 0 || s[5] != '>')
        return -1;
    int a = hex(s[3]), b = hex(s[4]);
    return a < 0 || b < 0 ? -1 : 16 * a + b;
}

static heed_status byte_fallback(heedi_decoded *d, const heedi_step *st)
{
    (void)st;
    for (size_t k = 0, from = 0; k < d->items; from = d->item[k++]) {
        int b = heedi_named_byte(d->s + from, d->item[k] - from);
        char c = (char)b;
        HEEDI_TRY(b >= 0 ? heedi_decoded_put(d, &c, 1, d->owner[from])
                         : copy(d, from, d->item[k]));
        HEEDI_TRY(heedi_decoded_end(d));
    }
    heedi_decoded_swap(d);
    return HEED_OK;
}

static heed_status fuse(heedi_decoded *d, const heedi_step *st)
{
    (void)st;
    if (d->alone || d->items == 0)
        return HEED_OK;
    d->item[0] = d->n;
    d->items = 1;
    return HEED_OK;
}

static heed_status read_strip(heed_tokenizer *t, heedi_step *s, const json_t *j)
{
    int32_t left = 0, right = 0;
    HEEDI_TRY(heedi_read_str(t, s, j, "content", &s->what));
    HEEDI_TRY(heedi_field_int(t->ctx, j, "Strip", "start", &left));
    HEEDI_TRY(heedi_field_int(t->ctx, j, "Strip", "stop", &right));
    s->left = left;
    s->right = right;
    return HEED_OK;
}

static heed_status strip(heedi_decoded *d, const heedi_step *st)
{
    size_t len = st->what.len;
    if (d->alone || len == 0)
        return HEED_OK;
    for (size_t k = 0, from = 0; k < d->items; from = d->item[k++]) {
        size_t a = from, b = d->item[k];
        for (int i = 0; i < st->left && b - a >= len; i++, a += len)
            if (memcmp(d->s + a, st->what.s, len) != 0)
                break;
        for (int i = 0; i < st->right && b - a >= len; i++, b -= len)
            if (memcmp(d->s + b - len, st->what.s, len) != 0)
                break;
        HEEDI_TRY(copy(d, a, b));
        HEEDI_TRY(heedi_decoded_end(d));
    }
    heedi_decoded_swap(d);
    return HEED_OK;
}

static heed_status read_metaspace(heed_tokenizer *t, heedi_step *s,
                                  const json_t *j)
{
    HEEDI_TRY(heedi_read_metaspace(t, s, j));
    s->what = s->with;
    s->with = (heedi_str){" ", 1};
    return HEED_OK;
}

/* The one in front of the first token was put there when encoding. */
static heed_status metaspace(heedi_decoded *d, const heedi_step *st)
{
    for (size_t k = 0, from = 0; k < d->items; from = d->item[k++]) {
        size_t a = from, n = st->what.len;
        if (k == 0 && !d->alone && st->prefix != HEEDI_PREPEND_NEVER &&
            d->item[k] - a >= n && memcmp(d->s + a, st->what.s, n) == 0)
            a += n;
        HEEDI_TRY(replace_in(d, st, a, d->item[k]));
        HEEDI_TRY(heedi_decoded_end(d));
    }
    heedi_decoded_swap(d);
    return HEED_OK;
}

static heed_status read_bpe(heed_tokenizer *t, heedi_step *s, const json_t *j)
{
    s->what = (heedi_str){"</w>", 4};
    return heedi_read_str(t, s, j, "suffix", &s->what);
}

/* The end of a word is a space, but for the last. */
static heed_status bpe(heedi_decoded *d, const heedi_step *st)
{
    heedi_step s = *st;
    for (size_t k = 0, from = 0; k < d->items; from = d->item[k++]) {
        bool last = d->alone || k + 1 == d->items;
        s.with = (heedi_str){" ", last ? 0 : 1};
        HEEDI_TRY(replace_in(d, &s, from, d->item[k]));
        HEEDI_TRY(heedi_decoded_end(d));
    }
    heedi_decoded_swap(d);
    return HEED_OK;
}

const heedi_part heedi_decoders[] = {
    {"ByteLevel", "add_prefix_space use_regex trim_offsets", NULL, NULL,
     heedi_byte_level_decode},
    {"Replace", "pattern content", heedi_replace_read, NULL,
     heedi_decoded_replace},
    {"ByteFallback", "", NULL, NULL, byte_fallback},
    {"Fuse", "", NULL, NULL, fuse},
    {"Strip", "content start stop", read_strip, NULL, strip},
    {"Metaspace", "replacement add_prefix_space prepend_scheme split str_rep",
     read_metaspace, NULL, metaspace},
    {"BPEDecoder", "suffix", read_bpe, NULL, bpe},
    {"WordPiece", "prefix cleanup", heedi_wordpiece_decoder_read, NULL,
     heedi_wordpiece_decode},
    {0},
};
