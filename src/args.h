/* args.h - what operations are told beyond their inputs and weights. */
#ifndef HEEDI_ARGS_H
#define HEEDI_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "activation.h"
#include "rope.h"

typedef struct heedi_norm_args {
    double eps;
    int64_t width; /* columns that are normalised together, a part of the gain's
                      length; 0: that length */
} heedi_norm_args;

typedef struct heedi_layernorm_args {
    double eps;
    const heed_real *beta; /* or NULL */
} heedi_layernorm_args;

typedef struct heedi_act_args {
    const heedi_activation *f;
} heedi_act_args;

typedef struct heedi_rope_args {
    const heedi_rope *rope;
    int64_t head_dim;
} heedi_rope_args;

/* Query head h uses key and value head h / (heads / kv_heads). A query sees
 * itself and what is before it, or, bidirectional, everything. */
typedef struct heedi_attention_args {
    int64_t heads, kv_heads, head_dim;
    double scale;   /* of the scores: 1/sqrt(head_dim) unless stated */
    int64_t window; /* 0: none; else so many keys, the query's own included;
                       bidirectional: the keys at most so far away */
    bool bidirectional;

    /* What is added to the scaled score of query i and key j, by head and
     * distance; of both, the sum. NULL: nothing. */
    const double *slope;      /* (heads): -slope |i - j| (ALiBi) */
    const heed_real *by_step; /* (heads, 2 reach + 1): of j - i = -reach ...
                                 reach; a farther key has the value at the
                                 end */
    int64_t reach;

    /* What a query, and a key, adds to the score before scaling, by distance
     * (relative keys): q E[j - i] + k F[j - i]. NULL: nothing. */
    const heed_real *by_query, *by_key; /* E, F: (2 span + 1, head_dim), of
                                           j - i = -span ... span; a farther key
                                           has the row at the end */
    int64_t span;
} heedi_attention_args;

/* Causal, one filter for each channel. */
typedef struct heedi_conv_args {
    int64_t width;
    const heed_real *w; /* (width, channels), the last row meets the present */
    bool reversed;      /* it looks ahead; the sequence cannot be continued */
} heedi_conv_args;

/* A selective state space (S6): channels in groups of HEEDI_LANES. */
typedef struct heedi_scan_args {
    int64_t channels, n_state;
    const heed_real *a; /* (groups, n_state, LANES): -exp(A_log), 0 beyond */
    const heed_real *d; /* (groups LANES): the skip, 0 beyond */
    bool reversed;      /* time runs from the last position to the first; the
                           sequence cannot be continued */
} heedi_scan_args;

/* Gated linear attention: heads side by side, each with so many keys and
 * values. The log decay is -exp(w), or -softplus(-w) / tau = log sigmoid(w) /
 * tau. The output reads the state before the step (the present then counts by
 * the bonus alone), or inclusive: after it. */
typedef struct heedi_gla_args {
    int64_t heads, keys, values;
    bool inclusive;
    double tau; /* 0: -exp(w) */
} heedi_gla_args;

/* Groups of neighbouring columns, each normalised by itself. */
typedef struct heedi_groupnorm_args {
    int64_t groups;
    double eps;
    const heed_real *beta; /* (cols), or NULL */
} heedi_groupnorm_args;

/* The weighted mean of RWKV-4. */
typedef struct heedi_wkv_args {
    int64_t channels;
    const double *w; /* -exp(time_decay): at most 0, at least HEEDI_WKV_NONE;
                        LANES to a group, 0 beyond the channels */
    const double *u; /* time_first, likewise */
} heedi_wkv_args;

/* A block-diagonal matrix, its blocks one below the other: (inputs, outputs of
 * a block). */
typedef struct heedi_blockdiag_args {
    int64_t blocks;
} heedi_blockdiag_args;

/* A real-gated linear recurrent unit (RG-LRU): channels in groups of
 * HEEDI_LANES. */
typedef struct heedi_rglru_args {
    int64_t channels;
    const heed_real *rate; /* (groups LANES): log a at an open gate, at most 0;
                              0 beyond */
} heedi_rglru_args;

typedef struct heedi_clamp_args {
    heed_real low, high;
} heedi_clamp_args;

/* A state space with one decay for each head (SSD): head h has the group
 * h / (heads / groups). */
typedef struct heedi_ssd_args {
    int64_t heads, head_dim, groups, n_state;
    const heed_real *a; /* (heads): -exp(A_log) */
    const heed_real *d; /* (heads): the skip */
} heedi_ssd_args;

typedef struct heedi_pixels_args {
    int64_t cols; /* channels times the pixels of a patch */
} heedi_pixels_args;

typedef struct heedi_prefix_args {
    int64_t n, cols;
    const heed_real *c; /* (n, cols) */
} heedi_prefix_args;

typedef struct heedi_stack_args {
    int64_t n; /* rows that are put side by side */
} heedi_stack_args;

/* Which row, or what sum of rows, stands for a sequence. */
typedef enum heedi_pooling {
    HEEDI_POOL_MEAN,
    HEEDI_POOL_ROOT, /* sum / sqrt(T) */
    HEEDI_POOL_FIRST,
    HEEDI_POOL_LAST
} heedi_pooling;

typedef struct heedi_pool_args {
    heedi_pooling how;
} heedi_pool_args;

/* The weight of row i of n. */
double heedi_pool_weight(const heedi_pool_args *a, int64_t i, int64_t n);

typedef struct heedi_embed_args {
    double scale; /* the embedding is multiplied by it: 1, sqrt(C), ... */
} heedi_embed_args;

#endif
