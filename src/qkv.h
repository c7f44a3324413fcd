/* qkv.h - the projections to queries, keys and values, where they are one
 * matrix. */
#ifndef HEEDI_QKV_H
#define HEEDI_QKV_H

#include "build.h"

/* Of q, k, v. */
typedef struct heedi_qkv {
    heedi_weight w[3];
    const heed_real *b[3]; /* or NULL */
} heedi_qkv;

/* Views of w, (3 H D, C), and parts of its bias, (3 H D) or NULL. The rows are
 * all of q, of k, of v; or, by_head, q, k and v of the first head, then of the
 * next. They live as long as m. HEED_ENOMEM. */
heed_status heedi_qkv_split(heed_model *m, const heedi_weight *w,
                            const heed_real *bias, bool by_head,
                            heedi_qkv *out);

/* "attn.q", "attn.k", "attn.v" of x, and heedi_attend() of them. */
heedi_node *heedi_qkv_attend(heedi_tape *t, const heedi_qkv *p,
                             const heedi_attention_args *a,
                             const heedi_rope_args *rope, heedi_node *x);

#endif
