#include "qkv.h"

#include "ctx.h"

#include <string.h>

/* Part p of each head, one head after the other. */
static heed_status by_head_bias(heed_model *m, const heed_real *bias, int p,
                                const heed_real **out)
{
    const int64_t heads = m->dim['H'], d = m->dim['D'];
    heed_real *b = heedi_arena_alloc(&m->mem, (size_t)(heads * d) * sizeof *b);
    if (!b)
        return HEED_ENOMEM;
    for (int64_t h = 0; h < heads; h++)
        memcpy(b + h * d, bias + (3 * h + p) * d, (size_t)d * sizeof *b);
    *out = b;
    return HEED_OK;
}

heed_status heedi_qkv_split(heed_model *m, const heedi_weight *w,
                            const heed_real *bias, bool by_head, heedi_qkv *out)
{
    const int64_t d = m->dim['D'], n = m->dim['H'] * d;
    *out = (heedi_qkv){0};
    for (int p = 0; p < 3; p++) {
        out->w[p] = by_head ? heedi_weight_runs(w, p * d, d, 3 * d)
                            : heedi_weight_rows(w, p * n, n);
        if (bias && by_head)
            HEEDI_TRY(by_head_bias(m, bias, p, &out->b[p]));
        else if (bias)
            out->b[p] = bias + p * n;
    }
    return HEED_OK;
}

heedi_node *heedi_qkv_attend(heedi_tape *t, const heedi_qkv *p,
                             const heedi_attention_args *a,
                             const heedi_rope_args *rope, heedi_node *x)
{
    heedi_node *q = heedi_linear(t, "attn.q", &p->w[0], p->b[0], x);
    heedi_node *k = heedi_linear(t, "attn.k", &p->w[1], p->b[1], x);
    heedi_node *v = heedi_linear(t, "attn.v", &p->w[2], p->b[2], x);
    return heedi_attend(t, a, rope, q, k, v);
}
