/* rope.h - rotary position encoding: the frequencies of every rope_scaling
 * type, and tables of cosines and sines for a batch. */
#ifndef HEEDI_ROPE_H
#define HEEDI_ROPE_H

#include <heed/ctx.h>
#include <heed/real.h>
#include <stdbool.h>

#include "batch.h"
#include "checkpoint.h"

/* Parameters as they stand in config.json; NAN: not given. */
typedef struct heedi_rope_scaling {
    double factor, original, low_freq, high_freq, beta_fast, beta_slow;
    double attention_factor, mscale, mscale_all_dim;
    bool truncate;
    int64_t n_ext; /* of the two lists: rot/2, or 0 */
    const double *long_factor, *short_factor;
    const double *freq_factor; /* GGUF's rope_freqs: f / factor; or NULL */
} heedi_rope_scaling;

typedef struct heedi_rope heedi_rope;
typedef struct heedi_rope_type {
    const char *name, *aliases;
    const char *needs; /* keys that must be given, space-separated */
    bool by_length;    /* frequencies depend on the length of the sequence */
    /* rot/2 inverse frequencies for sequences of length len; returns the
     * factor that cosines and sines are multiplied by. */
    double (*frequencies)(const heedi_rope *r, int64_t len, double *f);
} heedi_rope_type;

struct heedi_rope {
    int index;         /* of its table in a run */
    const char *where; /* the layers that have it, of several: "local" */
    int64_t rot;      /* dimensions that turn, even; the first ones of a head */
    bool interleaved; /* pairs (2i, 2i+1); else (i, i + rot/2) */
    double theta;
    int64_t context; /* max_position_embeddings */
    const heedi_rope_type *type;
    heedi_rope_scaling s;
    char text[160]; /* as understood: "llama3 theta=500000 factor=8 ..." */
};

/* Where the parameters of a rope stand, in either format. */
typedef struct heedi_rope_keys {
    const char *theta;      /* a key of config.json */
    const char *object[2];  /* that has the scaling, and maybe theta: the first
                               that is there; NULL: no other */
    const char *gguf_theta; /* after "ARCH.rope." */
    bool gguf_scaling;      /* its other keys are of this rope */
} heedi_rope_keys;

/* Read theta and scaling of either spelling (rope_theta + rope_scaling, or
 * rope_parameters), or of a GGUF file's keys "ARCH.rope...". rot, interleaved,
 * index and context are set by the caller before. HEED_ENOTSUP names an
 * unknown type, HEED_EFORMAT a missing or impossible value. */
heed_status heedi_rope_read(heedi_rope *r, heedi_checkpoint *c,
                            double default_theta);

/* The same of a model that has several. */
heed_status heedi_rope_read_at(heedi_rope *r, heedi_checkpoint *c,
                               double default_theta,
                               const heedi_rope_keys *keys);

/* cos and sin of every row, (rows, rot/2, 2), in double internally. work: rot
 * doubles. */
void heedi_rope_table(const heedi_rope *r, const heedi_batch *b, double *work,
                      heed_real *out);

#endif
