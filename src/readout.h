/* readout.h - relevance that is read inside of the model rather than at its
 * token embeddings: of positions, where a layer uses them, and of token types.
 *
 * Rows are those of the batch. Slot 0 is the embedding (layer -1), slot l + 1
 * layer l. */
#ifndef HEEDI_READOUT_H
#define HEEDI_READOUT_H

#include "arena.h"
#include "op.h"

/* What is read, as bits of heedi_exec_options.readout. */
enum {
    HEEDI_READ_POSITION = 1,
    HEEDI_READ_CHANNEL = 2,  /* every dimension by itself */
    HEEDI_READ_HEAD = 4,     /* every query head */
    HEEDI_READ_DISTANCE = 8, /* by query - key */
    HEEDI_READ_KEY = 16,     /* a score bias belongs to the key alone, rather
                                than a half to the query */
    HEEDI_READ_ABSOLUTE = 32 /* ALiBi's bias is slope * key, rather than
                                -slope * (query - key) */
};

typedef struct heedi_readout {
    int what;
    int64_t rows, slots, heads, rot;
    bool *seen;        /* slots: somebody wrote there */
    bool *rotary;      /* slots: ... a rotation */
    double *cos, *sin; /* (slots, rows): terms of rotations */
    double *add;       /* (slots, rows): sums and score biases */
    double *type;      /* rows: token types */
    bool typed;        /* somebody wrote there */
    double *channel;   /* (slots, rows, 2, rot): cos, sin; or NULL */
    double *plus;      /* rows: of what a learned table gets, positive parts
                          by dimension; or NULL */
    double *type_plus; /* rows: the same of token types; or NULL */
    double *head;      /* (slots, heads, rows), or NULL */
    double *distance;  /* (slots, rows): distance d of a sequence at its
                          row d; or NULL */
    double *ahead;     /* the same of keys after the query, a part of it */
    bool both_ways;    /* there are such keys */
} heedi_readout;

size_t heedi_readout_bytes(int what, int64_t rows, int64_t layers,
                           int64_t heads, int64_t rot);
heed_status heedi_readout_init(heedi_readout *r, heedi_arena *mem, int what,
                               int64_t rows, int64_t layers, int64_t heads,
                               int64_t rot);
void heedi_readout_zero(heedi_readout *r);

/* Relevance of the position and of the type of one row. */
double heedi_readout_row(const heedi_readout *r, int64_t row);

/* The slot of a node, marked as seen. */
static inline int64_t heedi_readout_slot(heedi_readout *r, const heedi_node *y)
{
    r->seen[y->layer + 1] = true;
    return y->layer + 1;
}

#endif
