/* rope.h - a text that is being rewritten, and where its bytes came from. */
#ifndef HEEDI_ROPE_H
#define HEEDI_ROPE_H

#include <heed/ctx.h>
#include <stdbool.h>

/* Bytes [start, end) of the input. */
typedef struct heedi_span {
    uint32_t start, end;
} heedi_span;

/* n bytes at s. at[i] is where byte i came from; with at == NULL nothing was
 * rewritten, and byte i is byte base + i of the input. s and at are borrowed,
 * or the rope's own room. Zero-initialised: empty. */
typedef struct heedi_rope {
    const char *s;
    const heedi_span *at;
    size_t n;
    uint32_t base;
    char *room;
    heedi_span *room_at;
    size_t cap, cap_at;
} heedi_rope;

/* Bytes [from, to) of src, which must stay as it is meanwhile. */
void heedi_rope_view(heedi_rope *r, const heedi_rope *src, size_t from,
                     size_t to);
/* Empty, about to be written with put and copy. */
void heedi_rope_clear(heedi_rope *r);
/* Append n bytes that all stand for `span`. HEED_ENOMEM. */
heed_status heedi_rope_put(heedi_rope *r, heed_ctx *ctx, const char *s,
                           size_t n, heedi_span span);
/* Append bytes [from, to) of src as they are. HEED_ENOMEM. */
heed_status heedi_rope_copy(heedi_rope *r, heed_ctx *ctx, const heedi_rope *src,
                            size_t from, size_t to);
void heedi_rope_free(heedi_rope *r, heed_ctx *ctx);

static inline heedi_span heedi_rope_at(const heedi_rope *r, size_t i)
{
    uint32_t k = r->base + (uint32_t)i;
    return r->at ? r->at[i] : (heedi_span){k, k + 1};
}

/* What bytes [from, to) came from; from < to. */
static inline heedi_span heedi_rope_span(const heedi_rope *r, size_t from,
                                         size_t to)
{
    return (heedi_span){heedi_rope_at(r, from).start,
                        heedi_rope_at(r, to - 1).end};
}

#endif
