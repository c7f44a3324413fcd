/* merge.h - byte-pair merging in O(n log n), whatever ranks the pairs. */
#ifndef HEEDI_MERGE_H
#define HEEDI_MERGE_H

#include <heed/ctx.h>
#include <stdbool.h>

/* A run of bytes [start, end) of a piece; id -1 if it is no token. */
typedef struct heedi_symbol {
    uint32_t start, end;
    int32_t id;
    int32_t prev, next; /* symbols; -1: none */
    uint32_t rank;      /* of the pair with the next one; UINT32_MAX: none */
    int32_t merged;     /* what that pair becomes */
} heedi_symbol;

/* Rank of a pair and what it becomes; UINT32_MAX if it does not merge. */
typedef uint32_t heedi_pair_fn(const void *model, const char *s,
                               const heedi_symbol *left,
                               const heedi_symbol *right, int32_t *merged);

/* Room that is used again from piece to piece. Zero-initialised: empty. */
typedef struct heedi_merger {
    heedi_symbol *symbol; /* symbol 0 is the first, then along next */
    size_t n, cap;
    uint64_t *heap; /* rank << 32 | symbol */
    size_t heap_n, heap_cap;
} heedi_merger;

/* Append a symbol. HEED_ENOMEM. */
heed_status heedi_merger_add(heedi_merger *m, heed_ctx *ctx, uint32_t start,
                             uint32_t end, int32_t id);
/* Merge the pair of the lowest rank, the leftmost among equals, until no pair
 * has a rank. HEED_ENOMEM. */
heed_status heedi_merger_run(heedi_merger *m, heed_ctx *ctx,
                             heedi_pair_fn *pair, const void *model,
                             const char *s);
void heedi_merger_free(heedi_merger *m, heed_ctx *ctx);

#endif
