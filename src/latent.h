/* latent.h - relevance inside of the model, at the outputs of attention heads
 * and at the inner units of feed-forward parts. */
#ifndef HEEDI_LATENT_H
#define HEEDI_LATENT_H

#include <heed/real.h>

#include "op.h"

/* What is kept, as bits. */
enum { HEEDI_KEEP_LAYER = 1, HEEDI_KEEP_HEAD = 2, HEEDI_KEEP_NEURON = 4 };

typedef enum heedi_unit {
    HEEDI_UNIT_HEAD,
    HEEDI_UNIT_NEURON,
    HEEDI_N_UNITS
} heedi_unit;

/* The n units of greatest |relevance|, summed over tokens, the greatest first;
 * of equal ones the earlier. n is less where there are fewer. */
typedef struct heedi_top {
    int64_t n;
    int32_t *layer, *number;
    heed_real *relevance;
} heedi_top;

/* Of one sequence of `len` tokens. */
typedef struct heedi_latent {
    int64_t layers, heads, neurons, len;
    heed_real *head;   /* (layers, heads, len), or NULL */
    heed_real *neuron; /* (layers, neurons), summed over tokens; or NULL */
    heedi_top top[HEEDI_N_UNITS]; /* filled by heedi_latent_rank() */
} heedi_latent;

/* Is it an operation whose output has heads; or neurons? */
bool heedi_has_heads(const heedi_node *y);
bool heedi_has_neurons(const heedi_node *y);

size_t heedi_latent_bytes(int keep, int64_t layers, int64_t heads,
                          int64_t neurons, int64_t len);
heed_status heedi_latent_init(heedi_latent *l, heedi_arena *mem, int keep,
                              int64_t layers, int64_t heads, int64_t neurons,
                              int64_t len, int64_t top);
/* Fill l->top, which has room for the `top` of heedi_latent_init(). */
void heedi_latent_rank(heedi_latent *l);

/* Relevance of y, x g, of the sequence whose rows start at `row`. */
void heedi_latent_read(heedi_latent *l, const heedi_node *y, int64_t row);

#endif
