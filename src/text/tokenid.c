/* tokenid.c - the id of a token given by its text. */
#include <stdio.h>
#include <string.h>

#include "ctx.h"
#include "tokenizer.h"

/* Added tokens before those of the model, then the lowest id. */
static int32_t named(const heedi_decoded *d, const char *text, size_t len)
{
    const heed_tokenizer *t = d->t;
    int32_t best = -1;
    for (size_t from = 0, to; from < d->n; from = to) {
        uint32_t id = d->owner[from];
        for (to = from; to < d->n && d->owner[to] == id;)
            to++;
        if (to - from != len || memcmp(d->s + from, text, len) != 0 ||
            (t->flag[id] & (HEEDI_FILLER | HEEDI_BYTE)))
            continue;
        if (t->flag[id] & HEEDI_ADDED)
            return (int32_t)id;
        if (best < 0)
            best = (int32_t)id;
    }
    return best;
}

static heed_status exact(int32_t *id, heed_ctx *ctx, const heed_tokenizer *t,
                         const char *text)
{
    heedi_decoded d = {.ctx = ctx};
    size_t n = (size_t)t->info.n_tokens;
    int32_t *all = heedi_alloc(ctx, n * sizeof *all);
    if (!all)
        return HEED_ENOMEM;
    for (size_t i = 0; i < n; i++)
        all[i] = (int32_t)i;
    heed_status st = heedi_decode(&d, ctx, t, all, n, true);
    if (st == HEED_OK)
        *id = named(&d, text, strlen(text));
    heedi_decoded_free(&d);
    heedi_free(ctx, all);
    return st;
}

heed_status heed_token_id(int32_t *id, heed_ctx *ctx, const heed_tokenizer *t,
                          const char *text)
{
    heedi_begin(ctx);
    *id = -1;
    HEEDI_TRY(exact(id, ctx, t, text));
    if (*id >= 0)
        return HEED_OK;
    heed_tokens *k;
    heed_encode_options o = {.plain = 1, .special = 1};
    HEEDI_TRY(heed_encode(&k, ctx, t, text, (int64_t)strlen(text), &o));
    char pieces[256] = "";
    size_t at = 0;
    for (int64_t i = 0; i < k->n && at < sizeof pieces; i++)
        at += (size_t)snprintf(pieces + at, sizeof pieces - at, "%s\"%s\"",
                               i ? ", " : "", k->token[i].text);
    int64_t n = k->n;
    if (n == 1)
        *id = k->token[0].id;
    heed_tokens_free(ctx, k);
    if (n == 1)
        return HEED_OK;
    return heedi_fail(ctx, HEED_EINVAL, "\"%.80s\" is %lld tokens%s%s", text,
                      (long long)n, n ? ": " : "", pieces);
}
