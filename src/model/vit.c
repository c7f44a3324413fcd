#include "vit.h"

/* ViT (Dosovitskiy et al. 2021, arXiv:2010.11929), and DeiT without
 * distillation: the class is read at [CLS]. */

#define HEAD(P)                                     \
    P(head, "classifier.weight", NULL, "Y,C", 0, 0) \
    P(head_b, "classifier.bias", NULL, "Y", 0, 0)
enum { HEEDI_VIT_LAST_PARAM, HEAD(HEEDI_PARAM_INDEX) };
static const heedi_param params[] = {HEEDI_VIT_PARAMS(HEEDI_PARAM_ROW, "vit.")
                                         HEAD(HEEDI_PARAM_ROW){0}};

static heed_status configure(heed_model *m)
{
    return heedi_vit_configure(m, 1);
}

static heed_status finish(heed_model *m)
{
    static const int token[] = {P_cls};
    int64_t n;
    m->head = *heedi_matrix(m, 0, P_head);
    m->head_bias = heedi_vector_of(m, 0, P_head_b, &n);
    return heedi_vit_finish(m, token);
}

static const char *const ignored[] = {"*embeddings.mask_token", NULL};

const heedi_family heedi_family_vit = {
    .info = {.name = "vit",
             .gguf = "",
             .summary = "Vision Transformer, classification of images",
             .method = "attn_lrp"},
    .prefix = "vit.",
    .params = params,
    .keys = heedi_vit_keys,
    .ignored = ignored,
    .composites = heedi_vit_composites,
    .prefers = heedi_vit_prefers,
    .size = sizeof(heedi_vit),
    .configure = configure,
    .finish = finish,
    .build = heedi_vit_build,
};
