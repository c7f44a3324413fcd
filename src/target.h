/* target.h - the one number that is explained, and its cotangent. */
#ifndef HEEDI_TARGET_H
#define HEEDI_TARGET_H

#include <heed/attribute.h>

#include "head.h"

/* A kind of target: one const row. */
typedef struct heedi_target_kind {
    heed_target_info info;
    bool all; /* needs every logit, and its cotangent is dense */
    /* Where `all`: the value from all logits z, and the cotangent in c. Else
     * NULL: the logit of the token, less that of the foil if it has one. */
    double (*value)(const heed_real *z, int64_t v, int32_t token, int32_t foil,
                    heed_real *c);
} heedi_target_kind;

const heedi_target_kind *heedi_target_kind_named(const char *name);
/* The kind of a target, or what the model's head is made for; NULL: there is
 * none of that name. */
const heedi_target_kind *heedi_target_kind_of(const heed_model *m,
                                              const heed_target *t);

/* A target with everything known. */
typedef struct heedi_aim {
    const heedi_target_kind *kind;
    int64_t at;          /* position in its sequence */
    int32_t token, foil; /* foil: -1 without a contrast */
    bool centered;       /* less the mean of the other logits */
    double value;        /* what is explained */
    double seed_value;   /* <seed, logits> */
    heedi_seed seed;
} heedi_aim;

/* Choose tokens, find the value and the cotangent after a forward pass.
 *   row0   first row of the sequence; of two texts, of the first one, whose
 *          sequence the other's follows
 *   len    tokens of the input: of both texts
 *   logit  heedi_target_room() values of working memory
 *   dense  as many for the cotangent, kept by the caller as long as the aim;
 *          may be NULL if heedi_target_dense() says so
 * HEED_EINVAL: position or id out of range, foil without a contrast. */
heed_status heedi_aim_at(heedi_aim *a, heedi_exec *e, const heed_target *t,
                         int64_t row0, int64_t len, heed_real *logit,
                         heed_real *dense);

/* Without a head and a second text: the length of the embedding, which its
 * direction, held constant, gives relevance. For tests of a model. */
heed_status heedi_aim_length(heedi_aim *a, const heedi_exec *e, int64_t row0,
                             heed_real *dense);

/* The logit of one token, rather than a difference or a probability. */
bool heedi_aim_is_logit(const heedi_aim *a);

/* A target that names what was chosen. */
heed_target heedi_target_of(const heedi_aim *a);

/* Checks that need no forward pass. */
heed_status heedi_target_check(heed_ctx *ctx, const heed_target *t, int64_t len,
                               const heed_model *m,
                               const heedi_target_kind **kind);

/* The position of a target that has passed them. */
int64_t heedi_target_at(const heed_model *m, const heed_target *t, int64_t len);

/* Does the target ask for all logits? */
bool heedi_target_full(const heed_model *m, const heed_target *t);
/* Values of working memory, and whether a kind needs as many for its
 * cotangent. */
int64_t heedi_target_room(const heed_model *m);
bool heedi_target_dense(const heedi_exec *e, const heedi_target_kind *kind);

#endif
