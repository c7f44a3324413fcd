/* latent.h - relevance inside of the model, at the outputs of attention heads
 * and at the inner units of feed-forward parts. */
#ifndef HEEDI_LATENT_H
#define HEEDI_LATENT_H

#include <heed/real.h>

#include "op.h"

/* What is kept, as bits. */
enum { HEEDI_KEEP_LAYER = 1, HEEDI_KEEP_HEAD = 2, HEEDI_KEEP_NEURON = 4 };

/* Of one sequence of `len` tokens. */
typedef struct heedi_latent {
    int64_t layers, heads, neurons, len;
    heed_real *head;   /* (layers, heads, len), or NULL */
    heed_real *neuron; /* (layers, neurons), summed over tokens; or NULL */
} heedi_latent;

/* Is it an operation whose output has heads; or neurons? */
bool heedi_has_heads(const heedi_node *y);
bool heedi_has_neurons(const heedi_node *y);

size_t heedi_latent_bytes(int keep, int64_t layers, int64_t heads,
                          int64_t neurons, int64_t len);
heed_status heedi_latent_init(heedi_latent *l, heedi_arena *mem, int keep,
                              int64_t layers, int64_t heads, int64_t neurons,
                              int64_t len);

/* Relevance of y, x g, of the sequence whose rows start at `row`. */
void heedi_latent_read(heedi_latent *l, const heedi_node *y, int64_t row);

#endif
