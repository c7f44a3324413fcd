/* parts.h - what makes up the relevance of each token, of methods that read
 * positions. */
#ifndef HEEDI_PARTS_H
#define HEEDI_PARTS_H

#include <heed/result.h>

#include "readout.h"

/* T: tokens of the input; n: layers that have an encoding. */
typedef struct heedi_parts {
    int64_t n, len;
    int32_t *layer;             /* (n): -1 is the embedding */
    heed_real *token;           /* (T) */
    heed_real *type;            /* (T), or NULL: there are none */
    heed_real *position;        /* (n, T) */
    heed_real *cos, *sin;       /* (n, T); the rest of `position` is neither
                                   a cosine's nor a sine's */
    int64_t heads, frequencies; /* of what is below; 0: not asked for, or no
                                   layer has it; rows of layers that have it
                                   not are NaN */
    heed_real *head;            /* (n, heads, T) */
    heed_real *frequency;       /* (n, frequencies, T) */
    heed_real *distance;        /* (n, T): query - key, or the other way where
                                   the key comes later; or NULL */
    heed_real *ahead;           /* (n, T): of it, later keys; or NULL */
    double *joint, *apart;      /* (T): positive parts by channel, of the
                                   sum and of cosines and sines; or NULL */
} heedi_parts;

/* At most, for `len` tokens; what: HEEDI_READ_... */
size_t heedi_parts_bytes(int what, int64_t len, int64_t layers, int64_t heads,
                         int64_t rot);

/* Of the sequence whose rows start at `row`, from a run's readout; pairs: the
 * model's dimensions are paired next to each other. */
heed_status heedi_parts_copy(heedi_parts *p, heedi_arena *mem,
                             const heedi_readout *r, int64_t row, int64_t len,
                             bool pairs);

#endif
