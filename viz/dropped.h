/* dropped.h - positions of maps that do not count in their range of colours. */
#ifndef HEEDI_DROPPED_H
#define HEEDI_DROPPED_H

#include <heed/figure.h>
#include <stdbool.h>

#include "arena.h"

/* Of the cells of a map: whether a row or column of cells has a position in
 * it that is left out. */
typedef struct heedi_dropped {
    bool *row, *column;
    const char *words; /* "position 0 not in the range"; "": all count, or the
                          range is given */
} heedi_dropped;

/* What o->drop_first and o->drop_special leave out of n queries and keys, with
 * pool[0] queries and pool[1] keys in each cell. Flags are in the arena.
 * HEED_ENOMEM. */
heed_status heedi_dropped_init(heedi_dropped *d, heedi_arena *mem,
                               const heed_result *r, const char *group,
                               const int64_t n[2], const int64_t pool[2],
                               const heed_figure_options *o);

#endif
