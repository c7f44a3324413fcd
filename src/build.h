/* build.h - pieces of blocks that several families have. All of them fail as
 * heedi_apply() does. */
#ifndef HEEDI_BUILD_H
#define HEEDI_BUILD_H

#include "model.h"

/* y = W x + b by the numbers of parameters of layer l; no bias where the
 * checkpoint has none. */
heedi_node *heedi_linear_of(const heed_model *m, heedi_tape *t, int64_t l,
                            const char *name, int w, int bias, heedi_node *x);

/* A normalisation with the gain w. */
heedi_node *heedi_norm_of(const heed_model *m, heedi_tape *t, int64_t l,
                          const heedi_op *op, const char *name, int w,
                          const void *args, heedi_node *x);

/* A matrix and its bias, or NULL. */
typedef struct heedi_affine {
    const heedi_weight *w;
    const heed_real *b;
} heedi_affine;

heedi_affine heedi_affine_of(const heed_model *m, int64_t l, int w, int b);

/* proj f(fc x): a feed-forward part without a gate, "mlp.fc", "mlp.act",
 * "mlp.proj". */
heedi_node *heedi_mlp(heedi_tape *t, heedi_affine fc, const heedi_act_args *f,
                      heedi_affine proj, heedi_node *x);

/* down (f(gate x) up x): a gated feed-forward part, "mlp.gate", "mlp.up",
 * "mlp.glu", "mlp.down". */
heedi_node *heedi_gated_mlp(heedi_tape *t, heedi_affine gate, heedi_affine up,
                            const heedi_act_args *f, heedi_affine down,
                            heedi_node *x);

/* "attn", and "attn.q_rope", "attn.k_rope" before it unless rope is NULL. */
heedi_node *heedi_attend(heedi_tape *t, const heedi_attention_args *a,
                         const heedi_rope_args *rope, heedi_node *q,
                         heedi_node *k, heedi_node *v);

heedi_node *heedi_sum(heedi_tape *t, const char *name, heedi_node *a,
                      heedi_node *b);

/* The embedding of the tokens. */
heedi_node *heedi_embedding(heedi_tape *t, const heedi_weight *w,
                            const heedi_embed_args *args);

/* For `finish`: row r of w as numbers; HEED_ENUMERIC names one that is not
 * finite. */
heed_status heedi_finite_row(heed_model *m, const heedi_weight *w, int64_t r,
                             heed_real *row);

/* For `finish`: the filters of channels c0 ... c0+n-1 of w, (channels, width).
 */
heed_status heedi_filter_rows(heed_model *m, const heedi_weight *w, int64_t c0,
                              int64_t n, heedi_conv_args *out);

/* For `finish`: all rows of w, one after the other, as one vector. */
heed_status heedi_flat(heed_model *m, const heedi_weight *w,
                       const heed_real **out);

/* For `finish`: the vectors of parameter p, which is not optional, become
 * 1 + w: norms whose gain is stored without the 1 (Gemma). */
void heedi_add_one(heed_model *m, int p);

#endif
