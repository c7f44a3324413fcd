/* tokens.c - tokenized texts: made, joined, freed. */
#include <stdio.h>
#include <string.h>

#include "ctx.h"
#include "tokenizer.h"
#include "utf8.h"

/* Bytes as valid UTF-8, into p unless it is NULL; returns the length. What is
 * no whole character, and NUL, is written as bytes: "⟨F0 9F⟩". */
static size_t show(char *p, const char *s, size_t n)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t k = 0;
    bool open = false;
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t c = heedi_utf8_get(s + i, n - i, &len);
        bool raw = c == HEEDI_BAD_CHAR || c == 0;
        unsigned char b = (unsigned char)s[i];
        char buf[8];
        size_t m = 0;
        if (open != raw) {
            memcpy(buf, raw ? "\u27E8" : "\u27E9", 3);
            m = 3;
        } else if (raw) {
            buf[m++] = ' ';
        }
        open = raw;
        if (raw) {
            buf[m++] = hex[b >> 4];
            buf[m++] = hex[b & 15];
        }
        if (p)
            memcpy(p + k, buf, m);
        k += m;
        if (p && !raw)
            memcpy(p + k, s + i, len);
        k += raw ? 0 : len;
    }
    if (open && p)
        memcpy(p + k, "\u27E9", 3);
    return k + (open ? 3 : 0);
}

/* One block: the struct, the tokens, the text, and `shown` bytes of display
 * text, which begin at *at. */
static heed_tokens *block(heed_ctx *ctx, size_t n, const char *text, size_t len,
                          size_t shown, char **at)
{
    size_t bytes;
    if (!heedi_mul(n, sizeof(heed_token), &bytes) || bytes > SIZE_MAX / 8 ||
        len > SIZE_MAX / 8 || shown > SIZE_MAX / 8) {
        heedi_fail(ctx, HEED_ENOMEM, "no memory for %zu tokens", n);
        return NULL;
    }
    heed_tokens *k = heedi_alloc(ctx, sizeof *k + bytes + len + 1 + shown);
    if (!k)
        return NULL;
    k->n = (int64_t)n;
    k->token = (heed_token *)(k + 1);
    k->text = (char *)(k->token + n);
    k->text_len = (int64_t)len;
    if (len)
        memcpy(k->text, text, len);
    *at = k->text + len + 1;
    return k;
}

/* A token is of the word that it has its first byte of. */
static heed_status set_words(heed_tokens *k, heed_ctx *ctx, size_t cut)
{
    size_t n = (size_t)k->text_len;
    int32_t *word = heedi_alloc(ctx, n * sizeof *word);
    if (!word)
        return HEED_ENOMEM;
    int32_t words = heedi_words(word, k->text, cut, 0);
    heedi_words(word + cut, k->text + cut, n - cut, words);
    for (int64_t i = 0; i < k->n; i++) {
        heed_token *t = k->token + i;
        t->word_id = -1;
        for (int64_t b = t->byte_start; b < t->byte_end && t->word_id < 0; b++)
            t->word_id = word[b];
    }
    heedi_free(ctx, word);
    return HEED_OK;
}

static size_t run_of(const heedi_decoded *d, size_t from, size_t owner)
{
    size_t to = from;
    while (to < d->n && d->owner[to] == owner)
        to++;
    return to;
}

/* "#123" for an id without text. */
static size_t show_id(char *p, int32_t id)
{
    char buf[16];
    size_t n = (size_t)snprintf(buf, sizeof buf, "#%d", id);
    if (p)
        memcpy(p, buf, n);
    return n;
}

static bool known(const heed_tokenizer *t, int32_t id)
{
    return t && id < t->info.n_tokens && t->str[id].s;
}

static size_t show_token(char *p, const heed_tokenizer *t, int32_t id,
                         const heedi_decoded *d, size_t from, size_t to)
{
    return known(t, id) ? show(p, d->s + from, to - from) : show_id(p, id);
}

heed_status heedi_tokens_make(heed_tokens **out, heed_ctx *ctx,
                              const heed_tokenizer *t, const heedi_hit *hit,
                              size_t n, const heedi_decoded *shown,
                              const char *text, size_t len, size_t cut)
{
    size_t bytes = n;
    for (size_t i = 0, from = 0, to; i < n; i++, from = to) {
        to = run_of(shown, from, i);
        bytes += show_token(NULL, t, hit[i].id, shown, from, to);
    }
    char *p;
    heed_tokens *k = block(ctx, n, text, len, bytes, &p);
    if (!k)
        return HEED_ENOMEM;
    for (size_t i = 0, from = 0, to; i < n; i++, from = to) {
        int32_t id = hit[i].id;
        to = run_of(shown, from, i);
        k->token[i] = (heed_token){
            .id = id,
            .byte_start = hit[i].span.start,
            .byte_end = hit[i].span.end,
            .text = p,
            .is_special = known(t, id) && (t->flag[id] & HEEDI_SPECIAL),
            .is_added = hit[i].added,
            .segment = hit[i].segment,
        };
        p += show_token(p, t, id, shown, from, to) + 1;
    }
    heed_status st = set_words(k, ctx, cut);
    if (st != HEED_OK) {
        heed_tokens_free(ctx, k);
        return st;
    }
    *out = k;
    return HEED_OK;
}

void heed_tokens_free(heed_ctx *ctx, heed_tokens *tokens)
{
    heedi_free(ctx, tokens);
}

static void append(heed_tokens *k, int64_t at, const heed_tokens *from,
                   int64_t shift, char **p)
{
    for (int64_t i = 0; i < from->n; i++) {
        heed_token *t = k->token + at + i;
        size_t n = strlen(from->token[i].text) + 1;
        *t = from->token[i];
        t->byte_start += shift;
        t->byte_end += shift;
        t->text = memcpy(*p, from->token[i].text, n);
        *p += n;
    }
}

static heed_status join(heed_tokens **out, heed_ctx *ctx, const heed_tokens *a,
                        const heed_tokens *b, size_t cut)
{
    size_t bytes = 0;
    heedi_begin(ctx);
    *out = NULL;
    for (int64_t i = 0; i < a->n; i++)
        bytes += strlen(a->token[i].text) + 1;
    for (int64_t i = 0; i < b->n; i++)
        bytes += strlen(b->token[i].text) + 1;
    char *p;
    heed_tokens *k =
        block(ctx, (size_t)a->n + (size_t)b->n, NULL, 0,
              bytes + (size_t)a->text_len + (size_t)b->text_len, &p);
    if (!k)
        return HEED_ENOMEM;
    memcpy(k->text, a->text, (size_t)a->text_len);
    memcpy(k->text + a->text_len, b->text, (size_t)b->text_len);
    k->text_len = a->text_len + b->text_len;
    p = k->text + k->text_len + 1;
    append(k, 0, a, 0, &p);
    append(k, a->n, b, a->text_len, &p);
    heed_status st = set_words(k, ctx, cut);
    if (st != HEED_OK) {
        heed_tokens_free(ctx, k);
        return st;
    }
    *out = k;
    return HEED_OK;
}

heed_status heed_tokens_join(heed_tokens **out, heed_ctx *ctx,
                             const heed_tokens *a, const heed_tokens *b)
{
    return join(out, ctx, a, b, 0);
}

heed_status heed_tokens_pair(heed_tokens **out, heed_ctx *ctx,
                             const heed_tokens *a, const heed_tokens *b)
{
    HEEDI_TRY(join(out, ctx, a, b, (size_t)a->text_len));
    for (int64_t i = 0; i < (*out)->n; i++)
        (*out)->token[i].segment = i >= a->n;
    return HEED_OK;
}

/* Make the text valid: what is no character becomes U+FFFD, one for each token
 * that it is of. Then the tokens' ranges in it. */
static heed_status to_text(heedi_decoded *d, heedi_hit *hit, size_t n)
{
    for (size_t i = 0, len, bad = SIZE_MAX; i < d->n; i += len) {
        uint32_t c = heedi_utf8_get(d->s + i, d->n - i, &len);
        bool first = c == HEEDI_BAD_CHAR && bad != d->owner[i];
        bad = c == HEEDI_BAD_CHAR ? d->owner[i] : SIZE_MAX;
        if (first)
            HEEDI_TRY(heedi_decoded_put(d, "\uFFFD", 3, d->owner[i]));
        for (size_t k = i; c != HEEDI_BAD_CHAR && k < i + len; k++)
            HEEDI_TRY(heedi_decoded_put(d, d->s + k, 1, d->owner[k]));
    }
    HEEDI_TRY(heedi_decoded_end(d));
    heedi_decoded_swap(d);
    for (size_t i = 0, from = 0; i < n; i++) {
        size_t to = run_of(d, from, i);
        hit[i].span = (heedi_span){(uint32_t)from, (uint32_t)to};
        from = to;
    }
    return HEED_OK;
}

static heed_status tokens_of(heed_tokens **out, heed_ctx *ctx,
                             const heed_tokenizer *t, const int32_t *id,
                             heedi_hit *hit, size_t n)
{
    heedi_decoded text = {.ctx = ctx}, shown = {.ctx = ctx};
    heed_status st = HEED_OK;
    for (size_t i = 0; i < n; i++)
        hit[i] = (heedi_hit){.id = id[i]};
    if (t)
        st = heedi_decode(&text, ctx, t, id, n, false);
    if (t && st == HEED_OK)
        st = to_text(&text, hit, n);
    if (t && st == HEED_OK)
        st = heedi_decode(&shown, ctx, t, id, n, true);
    if (st == HEED_OK)
        st = heedi_tokens_make(out, ctx, t, hit, n, &shown, text.s, text.n, 0);
    heedi_decoded_free(&text);
    heedi_decoded_free(&shown);
    return st;
}

heed_status heed_tokens_of(heed_tokens **out, heed_ctx *ctx,
                           const heed_tokenizer *t, const int32_t *id,
                           int64_t n)
{
    heedi_begin(ctx);
    *out = NULL;
    if (n < 0 || n > INT32_MAX / 4)
        return heedi_fail(ctx, HEED_EINVAL, "%lld ids, must be from 0 to %d",
                          (long long)n, INT32_MAX / 4);
    for (int64_t i = 0; i < n; i++)
        if (id[i] < 0)
            return heedi_fail(ctx, HEED_EINVAL, "id %lld is %d, below 0",
                              (long long)i, id[i]);
    heedi_hit *hit = heedi_alloc(ctx, (size_t)n * sizeof *hit);
    if (!hit)
        return HEED_ENOMEM;
    heed_status st = tokens_of(out, ctx, t, id, hit, (size_t)n);
    heedi_free(ctx, hit);
    return st;
}
