#include "build.h"

#include <math.h>

#include "ctx.h"

heedi_node *heedi_linear_of(const heed_model *m, heedi_tape *t, int64_t l,
                            const char *name, int w, int bias, heedi_node *x)
{
    const heedi_affine a = heedi_affine_of(m, l, w, bias);
    return heedi_linear(t, name, a.w, a.b, x);
}

heedi_node *heedi_norm_of(const heed_model *m, heedi_tape *t, int64_t l,
                          const heedi_op *op, const char *name, int w,
                          const void *args, heedi_node *x)
{
    heedi_with with = {.name = name, .args = args};
    with.vec = heedi_vector_of(m, l, w, &with.n_vec);
    return heedi_apply(t, op, with, x);
}

heedi_affine heedi_affine_of(const heed_model *m, int64_t l, int w, int b)
{
    int64_t n;
    return (heedi_affine){heedi_matrix(m, l, w), heedi_vector_of(m, l, b, &n)};
}

heedi_node *heedi_mlp(heedi_tape *t, heedi_affine fc, const heedi_act_args *f,
                      heedi_affine proj, heedi_node *x)
{
    x = heedi_linear(t, "mlp.fc", fc.w, fc.b, x);
    x = heedi_apply(t, &heedi_op_act,
                    ((heedi_with){.name = "mlp.act", .args = f}), x);
    return heedi_linear(t, "mlp.proj", proj.w, proj.b, x);
}

heedi_node *heedi_gated_mlp(heedi_tape *t, heedi_affine gate, heedi_affine up,
                            const heedi_act_args *f, heedi_affine down,
                            heedi_node *x)
{
    heedi_node *g = heedi_linear(t, "mlp.gate", gate.w, gate.b, x);
    heedi_node *u = heedi_linear(t, "mlp.up", up.w, up.b, x);
    g = heedi_apply(t, &heedi_op_glu,
                    ((heedi_with){.name = "mlp.glu", .args = f}), g, u);
    return heedi_linear(t, "mlp.down", down.w, down.b, g);
}

heedi_node *heedi_attend(heedi_tape *t, const heedi_attention_args *a,
                         const heedi_rope_args *rope, heedi_node *q,
                         heedi_node *k, heedi_node *v)
{
    if (rope) {
        q = heedi_apply(t, &heedi_op_rope,
                        ((heedi_with){.name = "attn.q_rope", .args = rope}), q);
        k = heedi_apply(t, &heedi_op_rope,
                        ((heedi_with){.name = "attn.k_rope", .args = rope}), k);
    }
    return heedi_apply(t, &heedi_op_attention,
                       ((heedi_with){.name = "attn", .args = a}), q, k, v);
}

heedi_node *heedi_sum(heedi_tape *t, const char *name, heedi_node *a,
                      heedi_node *b)
{
    return heedi_apply(t, &heedi_op_add, ((heedi_with){.name = name}), a, b);
}

heedi_node *heedi_embedding(heedi_tape *t, const heedi_weight *w,
                            const heedi_embed_args *args)
{
    return heedi_apply(t, &heedi_op_embed,
                       ((heedi_with){.name = "embed", .w = w, .args = args}),
                       NULL);
}

heed_status heedi_finite_row(heed_model *m, const heedi_weight *w, int64_t r,
                             heed_real *row)
{
    heedi_weight_row(w, r, 0, w->cols, row);
    for (int64_t i = 0; i < w->cols; i++)
        if (!isfinite((double)row[i]))
            return heedi_fail(m->ctx, HEED_ENUMERIC,
                              "tensor %s: row %lld has a value that is not "
                              "finite",
                              w->name, (long long)r);
    return HEED_OK;
}

heed_status heedi_filter_rows(heed_model *m, const heedi_weight *w, int64_t c0,
                              int64_t n, heedi_conv_args *out)
{
    const int64_t width = w->cols;
    heed_real *f = heedi_arena_alloc(&m->mem, (size_t)(width * n) * sizeof *f);
    heed_real *row = heedi_alloc(m->ctx, (size_t)width * sizeof *row);
    heed_status st = f && row ? HEED_OK : HEED_ENOMEM;
    for (int64_t c = 0; c < n && st == HEED_OK; c++) {
        st = heedi_finite_row(m, w, c0 + c, row);
        for (int64_t i = 0; i < width && st == HEED_OK; i++)
            f[i * n + c] = row[i];
    }
    heedi_free(m->ctx, row);
    *out = (heedi_conv_args){.width = width, .w = f};
    return st;
}

heed_status heedi_flat(heed_model *m, const heedi_weight *w,
                       const heed_real **out)
{
    const size_t n = (size_t)(w->rows * w->cols);
    heed_real *v = heedi_arena_alloc(&m->mem, n * sizeof *v);
    *out = v;
    if (!v)
        return HEED_ENOMEM;
    for (int64_t r = 0; r < w->rows; r++)
        HEEDI_TRY(heedi_finite_row(m, w, r, v + r * w->cols));
    return HEED_OK;
}

void heedi_add_one(heed_model *m, int p)
{
    const int64_t n = m->family->params[p].layered ? m->dim['L'] : 1;
    for (int64_t l = 0; l < n; l++)
        for (int64_t i = 0; i < heedi_matrix(m, l, p)->cols; i++)
            m->vector[l * m->n_params + p][i] += 1;
}
