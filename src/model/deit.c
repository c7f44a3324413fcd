#include "ctx.h"
#include "vit.h"

#include <string.h>

/* DeiT (Touvron et al. 2021, arXiv:2012.12877): a second learned token, of
 * which a teacher's head reads the class. Where both heads are there, logits
 * are their mean:
 *     z = 1/2 [W W'] [y_cls; y_dist] + 1/2 (b + b')  */

#define HEADS(P)                                                       \
    P(dist, "deit.embeddings.distillation_token", NULL, "1,1,C", 0, 0) \
    P(head, "classifier.weight", NULL, "Y,C", 0, 1)                    \
    P(head_b, "classifier.bias", NULL, "Y", 0, 1)                      \
    P(cls_head, "cls_classifier.weight", NULL, "Y,C", 0, 1)            \
    P(cls_head_b, "cls_classifier.bias", NULL, "Y", 0, 1)              \
    P(dist_head, "distillation_classifier.weight", NULL, "Y,C", 0, 1)  \
    P(dist_head_b, "distillation_classifier.bias", NULL, "Y", 0, 1)
enum { HEEDI_VIT_LAST_PARAM, HEADS(HEEDI_PARAM_INDEX) };
static const heedi_param params[] = {HEEDI_VIT_PARAMS(HEEDI_PARAM_ROW, "deit.")
                                         HEADS(HEEDI_PARAM_ROW){0}};

typedef struct deit {
    heedi_vit vit;
    heedi_stack_args stack;
    bool teacher; /* two heads */
} deit;

static heed_status configure(heed_model *m)
{
    return heedi_vit_configure(m, 2);
}

static const heedi_dtype *of_heed_real(void)
{
    const heedi_dtype *d = heedi_dtypes;
    while (strcmp(d->name, sizeof(heed_real) == 4 ? "f32" : "f64") != 0)
        d++;
    return d;
}

/* Both heads as one matrix (V, 2C); a half is exact in any number type. */
static heed_status join_heads(heed_model *m)
{
    static const int matrix[2] = {P_cls_head, P_dist_head},
                     bias[2] = {P_cls_head_b, P_dist_head_b};
    const int64_t v = m->dim['Y'], c = m->dim['C'];
    heed_real *w = heedi_arena_alloc(&m->mem, (size_t)(2 * v * c) * sizeof *w);
    heed_real *b = heedi_arena_alloc(&m->mem, (size_t)v * sizeof *b);
    int64_t n;
    if (!w || !b)
        return HEED_ENOMEM;
    for (int i = 0; i < 2; i++)
        for (int64_t r = 0; r < v; r++) {
            heed_real *row = w + (2 * r + i) * c;
            heedi_weight_row(heedi_matrix(m, 0, matrix[i]), r, 0, c, row);
            for (int64_t k = 0; k < c; k++)
                row[k] /= 2;
            b[r] += heedi_vector_of(m, 0, bias[i], &n)[r] / 2;
        }
    m->head = (heedi_weight){.name = "cls_classifier.weight",
                             .dtype = of_heed_real(),
                             .data = (const unsigned char *)w,
                             .rows = v,
                             .cols = 2 * c,
                             .stride = 2 * (size_t)c * sizeof *w};
    m->head_bias = b;
    return HEED_OK;
}

/* One classifier, or both of the teacher's kind. */
static heed_status finish(heed_model *m)
{
    static const int token[] = {P_cls, P_dist};
    deit *a = m->impl;
    int there = 0, all = 0;
    int64_t n;
    for (int p = P_head; p <= P_dist_head_b; p++) {
        const bool is = heedi_matrix(m, 0, p) != NULL;
        there |= is << (p >= P_cls_head);
        all += is;
    }
    a->teacher = there == 2;
    if (there == 3 || all != (a->teacher ? 4 : 2))
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: a DeiT model has either classifier.weight and "
                          ".bias, or those of cls_classifier and "
                          "distillation_classifier",
                          m->info.path);
    a->stack.n = 2;
    HEEDI_TRY(heedi_vit_finish(m, token));
    if (a->teacher)
        return join_heads(m);
    m->head = *heedi_matrix(m, 0, P_head);
    m->head_bias = heedi_vector_of(m, 0, P_head_b, &n);
    return HEED_OK;
}

static heedi_node *build(const heed_model *m, int64_t block, heedi_tape *t,
                         heedi_node *x)
{
    const deit *a = m->impl;
    x = heedi_vit_build(m, block, t, x);
    if (block <= m->dim['L'] || !a->teacher)
        return x;
    return heedi_apply(t, &heedi_op_stack,
                       ((heedi_with){.name = "stack", .args = &a->stack}), x);
}

static const char *const ignored[] = {"*embeddings.mask_token", NULL};

const heedi_family heedi_family_deit = {
    .info = {.name = "deit",
             .gguf = "",
             .summary = "DeiT with a distillation token",
             .method = "attn_lrp"},
    .prefix = "deit.",
    .params = params,
    .keys = heedi_vit_keys,
    .ignored = ignored,
    .composites = heedi_vit_composites,
    .prefers = heedi_vit_prefers,
    .size = sizeof(deit),
    .configure = configure,
    .finish = finish,
    .build = build,
};
