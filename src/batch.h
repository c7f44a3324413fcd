/* batch.h - the sequences of a run, packed row after row without padding. */
#ifndef HEEDI_BATCH_H
#define HEEDI_BATCH_H

#include <heed/ctx.h>

#include "arena.h"

/* Work is cut into tiles of rows that start at sequence starts and never
 * cross one, so that neither the number of threads nor the company in a batch
 * changes a bit of the result. */
enum { HEEDI_TILE = 256, HEEDI_SMALL_TILE = 32 };

typedef struct heedi_tile {
    int64_t seq, row, n; /* first row in the batch, number of rows */
} heedi_tile;

typedef struct heedi_batch {
    int64_t n_seq, rows;
    const int64_t *start; /* n_seq + 1 rows where sequences start */
    int64_t pos0; /* position of the first row of each sequence: 0, except when
                     a kept state is continued */
    int64_t longest;
    int64_t n_tiles, n_small;
    const heedi_tile *tile;  /* of HEEDI_TILE rows, for matrix products */
    const heedi_tile *small; /* of HEEDI_SMALL_TILE rows, for the rest */
} heedi_batch;

/* Tables in the arena. len: n_seq lengths, each >= 1. */
heed_status heedi_batch_init(heedi_batch *b, heedi_arena *mem,
                             const int64_t *len, int64_t n_seq, int64_t pos0);

/* The sequence of a row. */
static inline int64_t heedi_sequence_of(const heedi_batch *b, int64_t row)
{
    int64_t s = 0;
    while (row >= b->start[s + 1])
        s++;
    return s;
}

static inline int64_t heedi_len(const heedi_batch *b, int64_t seq)
{
    return b->start[seq + 1] - b->start[seq];
}

#endif
