#include <string.h>

#include "ctx.h"
#include "tokenizer.h"
#include "utf8.h"

heed_status heedi_hit_add(heedi_work *w, int32_t id, heedi_span span,
                          bool added)
{
    heedi_hit *v =
        heedi_grow(w->ctx, w->hit, &w->cap_hits, w->n_hits + 1, sizeof *v);
    if (!v)
        return HEED_ENOMEM;
    w->hit = v;
    v[w->n_hits++] = (heedi_hit){id, span, added, w->segment};
    return HEED_OK;
}

void heedi_work_free(heedi_work *w)
{
    heed_ctx *ctx = w->ctx;
    heedi_rope_free(&w->norm, ctx);
    heedi_rope_free(&w->text, ctx);
    heedi_rope_free(&w->next, ctx);
    heedi_free(ctx, w->piece.v);
    heedi_free(ctx, w->cut.v);
    heedi_merger_free(&w->merger, ctx);
    heedi_matcher_free(&w->matcher);
    heedi_free(ctx, w->mapped);
    heedi_free(ctx, w->hit);
}

heed_status heedi_normalize(heedi_work *w)
{
    const heedi_steps *all = &w->t->normalizer;
    for (size_t i = 0; i < all->n; i++)
        HEEDI_TRY(all->v[i].part->run(w, all->v + i));
    return HEED_OK;
}

/* Bytes [from, to) of w->norm, which hold no added token. */
static heed_status encode_text(heedi_work *w, size_t from, size_t to)
{
    const heedi_steps *all = &w->t->pre;
    if (from == to)
        return HEED_OK;
    heedi_rope_view(&w->text, &w->norm, from, to);
    heedi_piece *v =
        heedi_grow(w->ctx, w->piece.v, &w->piece.cap, 1, sizeof *v);
    if (!v)
        return HEED_ENOMEM;
    w->piece.v = v;
    v[0] = (heedi_piece){0, (uint32_t)(to - from)};
    w->piece.n = 1;
    for (size_t i = 0; i < all->n; i++)
        HEEDI_TRY(all->v[i].part->run(w, all->v + i));
    for (size_t i = 0; i < w->piece.n; i++)
        HEEDI_TRY(w->t->model.kind->encode(w, w->piece.v[i].start,
                                           w->piece.v[i].end));
    return HEED_OK;
}

/* Bytes [from, to) of the input, which hold no added token of the first kind.
 */
static heed_status encode_part(heedi_work *w, const char *s, size_t from,
                               size_t to)
{
    size_t at = 0, taken = 0, start, end;
    const heedi_added *a;
    if (from == to)
        return HEED_OK;
    heedi_rope whole = {.s = s, .base = w->base};
    heedi_rope_view(&w->norm, &whole, from, to);
    HEEDI_TRY(heedi_normalize(w));
    while ((a = heedi_added_next(w, &w->t->normalized, w->norm.s, w->norm.n,
                                 &at, taken, &start, &end))) {
        w->first = from == 0 && taken == 0;
        HEEDI_TRY(encode_text(w, taken, start));
        HEEDI_TRY(heedi_hit_add(w, a->id, heedi_rope_span(&w->norm, start, end),
                                false));
        taken = end;
    }
    w->first = from == 0 && taken == 0;
    return encode_text(w, taken, w->norm.n);
}

static heed_status encode_all(heedi_work *w, const char *s, size_t n)
{
    size_t at = 0, taken = 0, start, end;
    const heedi_added *a;
    while (
        (a = heedi_added_next(w, &w->t->raw, s, n, &at, taken, &start, &end))) {
        HEEDI_TRY(encode_part(w, s, taken, start));
        HEEDI_TRY(heedi_hit_add(
            w, a->id,
            (heedi_span){w->base + (uint32_t)start, w->base + (uint32_t)end},
            false));
        taken = end;
    }
    return encode_part(w, s, taken, n);
}

/* What the post-processor adds, with the BOS that the caller chose. */
static heed_status add_ids(heedi_work *w, const heedi_ids *ids, int bos,
                           uint32_t at)
{
    heedi_span none = {at, at};
    int32_t id = w->t->info.bos;
    if (bos > 0 && !(ids->n > 0 && ids->v[0] == id))
        HEEDI_TRY(heedi_hit_add(w, id, none, true));
    for (size_t i = 0; i < ids->n; i++)
        if (!(bos < 0 && ids->v[i] == id))
            HEEDI_TRY(heedi_hit_add(w, ids->v[i], none, true));
    return HEED_OK;
}

/* Two texts, the second from byte n of s, in the places of a template. */
static heed_status encode_pair(heedi_work *w, const char *s, size_t n,
                               const heed_encode_options *o)
{
    static const heedi_slot bare[] = {{HEEDI_FIRST_TEXT, 0},
                                      {HEEDI_SECOND_TEXT, 1}};
    const heedi_slots *t = &w->t->pair;
    const bool plain = o->plain || !t->v;
    const heedi_slot *v = plain ? bare : t->v;
    const size_t all = plain ? 2 : t->n;
    const int32_t bos = w->t->info.bos;
    uint32_t at = 0;
    if (o->bos > 0 && !o->plain && v[0].id != bos)
        HEEDI_TRY(heedi_hit_add(w, bos, (heedi_span){0, 0}, true));
    for (size_t i = 0; i < all; i++) {
        const bool text = v[i].id < 0, second = v[i].id == HEEDI_SECOND_TEXT;
        w->segment = v[i].segment;
        w->base = second ? (uint32_t)n : 0;
        if (text)
            HEEDI_TRY(
                encode_all(w, s + w->base, second ? (size_t)o->pair_len : n));
        else if (!(o->bos < 0 && v[i].id == bos))
            HEEDI_TRY(heedi_hit_add(w, v[i].id, (heedi_span){at, at}, true));
        if (text)
            at = (uint32_t)(second ? n + (size_t)o->pair_len : n);
    }
    return HEED_OK;
}

static heed_status encode_single(heedi_work *w, const char *s, size_t n,
                                 const heed_encode_options *o)
{
    if (!o->plain)
        HEEDI_TRY(add_ids(w, &w->t->front, o->bos, 0));
    HEEDI_TRY(encode_all(w, s, n));
    return o->plain ? HEED_OK : add_ids(w, &w->t->back, 0, (uint32_t)n);
}

static heed_status encode_with(heedi_work *w, const char *s, size_t n,
                               const heed_encode_options *o)
{
    HEEDI_TRY(o->pair ? encode_pair(w, s, n, o) : encode_single(w, s, n, o));
    if (w->dropped)
        heedi_warn(w->ctx,
                   "%lld bytes of the text have no token in %s and are left "
                   "out",
                   (long long)w->dropped, w->t->info.path);
    if (w->seen_special >= 0)
        heedi_warn(w->ctx,
                   "\"%.60s\" in the text is read as text; --special reads "
                   "special tokens",
                   w->t->str[w->seen_special].s);
    return HEED_OK;
}

static heed_status finish(heed_tokens **out, heedi_work *w, const char *s,
                          size_t n, size_t cut)
{
    heedi_decoded d;
    int32_t *id = heedi_alloc(w->ctx, w->n_hits * sizeof *id);
    if (!id)
        return HEED_ENOMEM;
    for (size_t i = 0; i < w->n_hits; i++)
        id[i] = w->hit[i].id;
    heed_status st = heedi_decode(&d, w->ctx, w->t, id, w->n_hits, true);
    if (st == HEED_OK)
        st = heedi_tokens_make(out, w->ctx, w->t, w->hit, w->n_hits, &d, s, n,
                               cut);
    heedi_decoded_free(&d);
    heedi_free(w->ctx, id);
    return st;
}

static heed_status check_text(heed_ctx *ctx, const char *what, const char *text,
                              int64_t len)
{
    if (len < 0 || len > INT32_MAX / 4)
        return heedi_fail(ctx, HEED_EINVAL,
                          "the %s is %lld bytes long, must be from 0 to %d",
                          what, (long long)len, INT32_MAX / 4);
    size_t n = (size_t)len, bad = heedi_utf8_check(text, n);
    return bad == n ? HEED_OK
                    : heedi_fail(ctx, HEED_EFORMAT,
                                 "the %s is not UTF-8: byte %zu is 0x%02X",
                                 what, bad, (unsigned)(unsigned char)text[bad]);
}

/* The two texts of a pair as one. */
static heed_status both_texts(heedi_work *w, const char *text, size_t n,
                              const heed_encode_options *o, char **out)
{
    const heedi_slots *t = &w->t->pair;
    if (!o->plain && t->v && t->n == 0)
        return heedi_fail(w->ctx, HEED_ENOTSUP,
                          "%s: its template for a pair of texts has not each "
                          "of them once",
                          w->t->info.path);
    *out = heedi_alloc(w->ctx, n + (size_t)o->pair_len + 1);
    if (!*out)
        return HEED_ENOMEM;
    memcpy(*out, text, n);
    memcpy(*out + n, o->pair, (size_t)o->pair_len);
    return HEED_OK;
}

heed_status heed_encode(heed_tokens **out, heed_ctx *ctx,
                        const heed_tokenizer *t, const char *text, int64_t len,
                        const heed_encode_options *o)
{
    heedi_begin(ctx);
    *out = NULL;
    heed_encode_options none = {0};
    o = o ? o : &none;
    HEEDI_TRY(check_text(ctx, "text", text, len));
    if (o->pair)
        HEEDI_TRY(check_text(ctx, "second text", o->pair, o->pair_len));
    if (o->bos > 0 && !o->plain && t->info.bos < 0)
        return heedi_fail(ctx, HEED_EINVAL,
                          "BOS is asked for, but %s names no BOS token",
                          t->info.path);
    heedi_work w = {
        .ctx = ctx, .t = t, .special = o->special != 0, .seen_special = -1};
    const size_t n = (size_t)len, more = o->pair ? (size_t)o->pair_len : 0;
    char *both = NULL;
    heed_status st = o->pair ? both_texts(&w, text, n, o, &both) : HEED_OK;
    const char *s = both ? both : text;
    if (st == HEED_OK)
        st = encode_with(&w, s, n, o);
    if (st == HEED_OK)
        st = finish(out, &w, s, n + more, o->pair ? n : 0);
    heedi_free(ctx, both);
    heedi_work_free(&w);
    return st;
}
