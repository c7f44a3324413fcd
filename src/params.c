#include "params.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "ctx.h"

/* "HD,C" -> dimensions; letters that stand together multiply, digits stand
 * for themselves. Returns how many. */
static int shape_of(const heed_model *m, const char *s, int64_t *dim)
{
    int nd = 1;
    dim[0] = 1;
    for (; *s; s++)
        if (*s == ',')
            dim[nd++] = 1;
        else if (*s >= '0' && *s <= '9')
            dim[nd - 1] *= *s - '0';
        else
            dim[nd - 1] *= m->dim[(int)*s];
    return nd;
}

static void print_shape(char *out, size_t size, int nd, const int64_t *dim)
{
    size_t used = 0;
    for (int i = 0; i < nd && used < size; i++) {
        int n = snprintf(out + used, size - used, i ? ", %lld" : "%lld",
                         (long long)dim[i]);
        used += n > 0 ? (size_t)n : 0;
    }
}

static heed_status check_shape(heed_model *m, const heedi_tensor *t, int nd,
                               const int64_t *dim)
{
    bool same = t->nd == nd;
    for (int i = 0; same && i < nd; i++)
        same = t->dim[i] == dim[i];
    if (same)
        return HEED_OK;
    char want[96] = "", found[128] = "";
    print_shape(want, sizeof want, nd, dim);
    print_shape(found, sizeof found, t->nd, t->dim);
    return heedi_fail(m->ctx, HEED_ESHAPE,
                      "%s: tensor %s has shape (%s), the configuration says "
                      "(%s)",
                      m->info.path, t->name, found, want);
}

/* What a name begins with, and what it begins with where the model is a part
 * of a larger one. */
static const struct {
    const char *was, *is;
} outer[] = {{"", "language_model."}, {"model.", "model.language_model."}};

static heedi_tensor *find_inside(heed_model *m, const char *name)
{
    heedi_tensor *t = NULL;
    for (size_t i = 0; !t && i < sizeof outer / sizeof *outer; i++) {
        char full[320];
        const size_t n = strlen(outer[i].was);
        if (strncmp(name, outer[i].was, n) != 0)
            continue;
        snprintf(full, sizeof full, "%s%s", outer[i].is, name + n);
        t = heedi_checkpoint_tensor(m->ckpt, full);
    }
    return t;
}

/* The tensor of a parameter, under its name or without the prefix. */
static heedi_tensor *find(heed_model *m, const heedi_param *p, int64_t layer,
                          char *name, size_t size)
{
    const char *format = m->gguf ? p->gguf : p->hf;
    if (!format)
        return NULL;
    const char *at = strstr(format, "%d");
    if (at)
        snprintf(name, size, "%.*s%lld%s", (int)(at - format), format,
                 (long long)layer, at + 2);
    else
        snprintf(name, size, "%s", format);
    heedi_tensor *t = heedi_checkpoint_tensor(m->ckpt, name);
    size_t n = strlen(m->family->prefix);
    if (!t && !m->gguf && n > 0 && strncmp(name, m->family->prefix, n) == 0)
        t = heedi_checkpoint_tensor(m->ckpt, name + n);
    return t || !m->part ? t : find_inside(m, name);
}

/* The same under the names that LayerNorm's tensors had. */
static heedi_tensor *find_old(heed_model *m, const heedi_param *p,
                              int64_t layer)
{
    static const struct {
        const char *now, *then;
    } ends[] = {{"LayerNorm.weight", "LayerNorm.gamma"},
                {"LayerNorm.bias", "LayerNorm.beta"}};
    for (size_t i = 0; p->hf && i < sizeof ends / sizeof *ends; i++) {
        char old[256], name[256];
        size_t n = strlen(p->hf), k = strlen(ends[i].now);
        if (n < k || strcmp(p->hf + n - k, ends[i].now) != 0)
            continue;
        snprintf(old, sizeof old, "%.*s%s", (int)(n - k), p->hf, ends[i].then);
        const heedi_param q = {.hf = old};
        return find(m, &q, layer, name, sizeof name);
    }
    return NULL;
}

static heed_status decode_vector(heed_model *m, const heedi_tensor *t,
                                 int64_t n, heed_real **out)
{
    *out = heedi_arena_alloc(&m->mem, (size_t)n * sizeof **out);
    if (!*out)
        return HEED_ENOMEM;
    heedi_dtype_decode(t->dtype, *out, t->data, (size_t)n);
    for (int64_t i = 0; i < n; i++)
        if (!((*out)[i] - (*out)[i] == 0))
            return heedi_fail(m->ctx, HEED_ENUMERIC,
                              "%s: tensor %s: value %lld is not finite",
                              m->info.path, t->name, (long long)i);
    return HEED_OK;
}

static heed_status read_one(heed_model *m, int64_t layer, int64_t i)
{
    const heedi_param *p = &m->family->params[i];
    const int64_t at = layer * m->n_params + i;
    int64_t dim[HEEDI_MAX_ND];
    char name[256];
    heedi_tensor *t = find(m, p, layer, name, sizeof name);
    if (!t && m->family->gamma_beta && !m->gguf)
        t = find_old(m, p, layer);
    if (!t && (p->optional || !(m->gguf ? p->gguf : p->hf)))
        return HEED_OK;
    if (!t)
        return heedi_fail(m->ctx, HEED_EFORMAT, "%s: tensor %s is missing",
                          m->info.path, name);
    int nd = shape_of(m, p->shape, dim);
    HEEDI_TRY(check_shape(m, t, nd, dim));
    if (!t->dtype->is_float)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: tensor %s: numbers of type %s hold no weights",
                          m->info.path, t->name, t->dtype->name);
    int64_t rows = nd == 1 ? 1 : dim[0], cols = dim[nd - 1];
    for (int d = 1; d < nd - 1; d++)
        rows *= dim[d];
    if (cols % t->dtype->block != 0)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: tensor %s: rows of %lld are no multiple of the "
                          "%s block of %d",
                          m->info.path, t->name, (long long)cols,
                          t->dtype->name, t->dtype->block);
    m->weight[at] = (heedi_weight){.name = t->name,
                                   .dtype = t->dtype,
                                   .data = t->data,
                                   .rows = rows,
                                   .cols = cols,
                                   .stride = (size_t)(cols / t->dtype->block) *
                                             (size_t)t->dtype->bytes};
    return nd == 1 ? decode_vector(m, t, cols, &m->vector[at]) : HEED_OK;
}

/* What modules of whatever family were saved with beside their weights. */
static const struct {
    const char *glob;
    int nd; /* 0: any */
} buffers[] = {
    {"*rotary_emb.inv_freq", 0}, {"*.attn.bias", 4},   {"*.attention.bias", 4},
    {"*.masked_bias", 0},        {"*position_ids", 0}, {"*.embed_scale", 0},
};

/* Indices, masks and counters are no weights; a weight of such a type has been
 * refused by now. */
static bool is_buffer(const heedi_tensor *t)
{
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        if (fnmatch(buffers[i].glob, t->name, 0) == 0 &&
            (buffers[i].nd == 0 || buffers[i].nd == t->nd))
            return true;
    return !t->dtype->is_float;
}

static bool ignored(const heed_model *m, const heedi_tensor *t)
{
    for (const char *const *g = m->family->ignored; g && *g; g++)
        if (fnmatch(*g, t->name, 0) == 0)
            return true;
    return !m->gguf && is_buffer(t);
}

/* Nothing in a file is left out in silence. */
static heed_status all_used(heed_model *m)
{
    char names[256] = "";
    int n = 0;
    for (int64_t i = 0; i < m->ckpt->n_tensors; i++) {
        const heedi_tensor *t = &m->ckpt->tensor[i];
        if (t->used || ignored(m, t))
            continue;
        size_t used = strlen(names);
        if (n++ < 4)
            snprintf(names + used, sizeof names - used, "%s%s",
                     n > 1 ? ", " : "", t->name);
    }
    if (n == 0)
        return HEED_OK;
    return heedi_fail(m->ctx, HEED_ENOTSUP,
                      "%s: %d tensor%s that '%s' models do not have: %s%s",
                      m->info.path, n, n > 1 ? "s" : "", m->family->info.name,
                      names, n > 4 ? ", ..." : "");
}

heed_status heedi_params_read(heed_model *m)
{
    const heedi_param *p = m->family->params;
    while (p[m->n_params].shape)
        m->n_params++;
    size_t n;
    if (!heedi_mul((size_t)m->dim['L'], (size_t)m->n_params, &n) ||
        m->dim['L'] > m->ckpt->n_tensors)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: %lld layers, but only %lld tensors",
                          m->info.path, (long long)m->dim['L'],
                          (long long)m->ckpt->n_tensors);
    m->weight = heedi_arena_alloc(&m->mem, n * sizeof *m->weight);
    m->vector = heedi_arena_alloc(&m->mem, n * sizeof *m->vector);
    if (!m->weight || !m->vector)
        return HEED_ENOMEM;
    for (int64_t layer = 0; layer < m->dim['L']; layer++)
        for (int64_t i = 0; i < m->n_params; i++)
            if (p[i].layered || layer == 0)
                HEEDI_TRY(read_one(m, layer, i));
    return all_used(m);
}

const heedi_weight *heedi_matrix(const heed_model *m, int64_t layer, int p)
{
    const heedi_weight *w = &m->weight[layer * m->n_params + p];
    return w->name ? w : NULL;
}

const heed_real *heedi_vector_of(const heed_model *m, int64_t layer, int p,
                                 int64_t *n)
{
    const heedi_weight *w = heedi_matrix(m, layer, p);
    *n = w ? w->cols : 0;
    return w ? m->vector[layer * m->n_params + p] : NULL;
}
