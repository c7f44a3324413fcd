#include "rope.h"

#include <string.h>

#include "ctx.h"

void heedi_rope_view(heedi_rope *r, const heedi_rope *src, size_t from,
                     size_t to)
{
    r->s = src->s + from;
    r->at = src->at ? src->at + from : NULL;
    r->base = src->base + (uint32_t)from;
    r->n = to - from;
}

void heedi_rope_clear(heedi_rope *r)
{
    r->s = r->room;
    r->at = r->room_at;
    r->n = 0;
}

static heed_status room(heedi_rope *r, heed_ctx *ctx, size_t more)
{
    if (more > UINT32_MAX / 2 - r->n)
        return heedi_fail(ctx, HEED_ENOTSUP,
                          "the rewritten text is over %u bytes long",
                          UINT32_MAX / 2);
    char *s = heedi_grow(ctx, r->room, &r->cap, r->n + more, 1);
    if (!s)
        return HEED_ENOMEM;
    r->s = r->room = s;
    heedi_span *at =
        heedi_grow(ctx, r->room_at, &r->cap_at, r->n + more, sizeof *at);
    if (!at)
        return HEED_ENOMEM;
    r->at = r->room_at = at;
    return HEED_OK;
}

heed_status heedi_rope_put(heedi_rope *r, heed_ctx *ctx, const char *s,
                           size_t n, heedi_span span)
{
    HEEDI_TRY(room(r, ctx, n));
    memcpy(r->room + r->n, s, n);
    for (size_t i = 0; i < n; i++)
        r->room_at[r->n + i] = span;
    r->n += n;
    return HEED_OK;
}

heed_status heedi_rope_copy(heedi_rope *r, heed_ctx *ctx, const heedi_rope *src,
                            size_t from, size_t to)
{
    HEEDI_TRY(room(r, ctx, to - from));
    memcpy(r->room + r->n, src->s + from, to - from);
    for (size_t i = from; i < to; i++)
        r->room_at[r->n++] = heedi_rope_at(src, i);
    return HEED_OK;
}

void heedi_rope_free(heedi_rope *r, heed_ctx *ctx)
{
    heedi_free(ctx, r->room);
    heedi_free(ctx, r->room_at);
    *r = (heedi_rope){0};
}
