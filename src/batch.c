#include "batch.h"

#include "ctx.h"

static const heedi_tile *tiles(const heedi_batch *b, heedi_arena *mem,
                               int64_t height, int64_t *count)
{
    int64_t n = 0, k = 0;
    for (int64_t s = 0; s < b->n_seq; s++)
        n += (heedi_len(b, s) + height - 1) / height;
    heedi_tile *t = heedi_arena_alloc(mem, (size_t)n * sizeof *t);
    if (!t)
        return NULL;
    for (int64_t s = 0; s < b->n_seq; s++)
        for (int64_t r = b->start[s]; r < b->start[s + 1]; r += height) {
            int64_t left = b->start[s + 1] - r;
            t[k++] = (heedi_tile){s, r, left < height ? left : height};
        }
    *count = n;
    return t;
}

heed_status heedi_batch_init(heedi_batch *b, heedi_arena *mem,
                             const int64_t *len, int64_t n_seq, int64_t pos0)
{
    *b = (heedi_batch){.n_seq = n_seq, .pos0 = pos0};
    int64_t *start =
        heedi_arena_alloc(mem, (size_t)(n_seq + 1) * sizeof *start);
    if (!start)
        return HEED_ENOMEM;
    for (int64_t s = 0; s < n_seq; s++) {
        start[s + 1] = start[s] + len[s];
        if (len[s] > b->longest)
            b->longest = len[s];
    }
    b->start = start;
    b->rows = start[n_seq];
    b->tile = tiles(b, mem, HEEDI_TILE, &b->n_tiles);
    b->small = tiles(b, mem, HEEDI_SMALL_TILE, &b->n_small);
    return b->tile && b->small ? HEED_OK : HEED_ENOMEM;
}
