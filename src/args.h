/* args.h - what operations are told beyond their inputs and weights. */
#ifndef HEEDI_ARGS_H
#define HEEDI_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "activation.h"
#include "rope.h"

typedef struct heedi_norm_args {
    double eps;
} heedi_norm_args;

typedef struct heedi_act_args {
    const heedi_activation *f;
} heedi_act_args;

typedef struct heedi_rope_args {
    const heedi_rope *rope;
    int64_t head_dim;
} heedi_rope_args;

/* Query head h uses key and value head h / (heads / kv_heads). */
typedef struct heedi_attention_args {
    int64_t heads, kv_heads, head_dim;
    double scale;   /* of the scores: 1/sqrt(head_dim) unless stated */
    int64_t window; /* keys that a query sees, itself included; 0: all */
} heedi_attention_args;

typedef struct heedi_embed_args {
    double scale; /* the embedding is multiplied by it: 1, sqrt(C), ... */
} heedi_embed_args;

#endif
