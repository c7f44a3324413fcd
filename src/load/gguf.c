/* "GGUF", version, counts, metadata, descriptions of tensors, tensors. */
#include "gguf.h"

#include <string.h>

#include "ctx.h"

bool heedi_gguf_is(const heedi_map *m)
{
    return m->n >= 4 && memcmp(m->p, "GGUF", 4) == 0;
}

/* Types of ggml that there is no decoder for, for messages. */
static const char *const foreign[] = {
    [4] = "q4_2",     [5] = "q4_3",    [9] = "q8_1",     [10] = "q2_k",
    [11] = "q3_k",    [15] = "q8_k",   [16] = "iq2_xxs", [17] = "iq2_xs",
    [18] = "iq3_xxs", [19] = "iq1_s",  [20] = "iq4_nl",  [21] = "iq3_s",
    [22] = "iq2_s",   [23] = "iq4_xs", [29] = "iq1_m",   [34] = "tq1_0",
    [35] = "tq2_0",   [39] = "mxfp4",  [40] = "nvfp4",   [41] = "q1_0"};
enum { N_FOREIGN = sizeof foreign / sizeof *foreign };

static heed_status find_dtype(heedi_gguf *g, heedi_tensor *t, uint32_t type)
{
    for (t->dtype = heedi_dtypes; t->dtype->name; t->dtype++)
        if (t->dtype->gguf >= 0 && (uint32_t)t->dtype->gguf == type)
            return HEED_OK;
    if (type < N_FOREIGN && foreign[type])
        return heedi_fail(g->ctx, HEED_ENOTSUP,
                          "%s: tensor %s is quantised as %s", g->path, t->name,
                          foreign[type]);
    return heedi_fail(g->ctx, HEED_ENOTSUP,
                      "%s: tensor %s has the unknown type %u", g->path, t->name,
                      (unsigned)type);
}

/* Leaves in `offset` the place of the data, from the first tensor's. */
static heed_status read_tensor(heedi_gguf *g, heedi_checkpoint *c,
                               uint64_t *offset)
{
    heedi_str name;
    heedi_tensor *t;
    uint32_t nd, type;
    HEEDI_TRY(heedi_gguf_str(g, &name));
    HEEDI_TRY(heedi_tensor_add(&t, c, g->path, name.s, name.len));
    HEEDI_TRY(heedi_gguf_u32(g, &nd));
    if (nd > HEEDI_MAX_ND)
        return heedi_fail(g->ctx, HEED_EFORMAT,
                          "%s: tensor %s has %u dimensions, more than %d",
                          g->path, t->name, (unsigned)nd, HEEDI_MAX_ND);
    t->nd = (int)nd;
    for (uint32_t i = 0; i < nd; i++) {
        uint64_t dim; /* fastest first in the file */
        HEEDI_TRY(heedi_gguf_u64(g, &dim));
        if (dim == 0 || dim > INT64_MAX)
            return heedi_fail(g->ctx, HEED_EFORMAT,
                              "%s: dimension %u of tensor %s is %llu", g->path,
                              (unsigned)i, t->name, (unsigned long long)dim);
        t->dim[nd - 1 - i] = (int64_t)dim;
    }
    HEEDI_TRY(heedi_gguf_u32(g, &type));
    HEEDI_TRY(heedi_gguf_u64(g, offset));
    HEEDI_TRY(find_dtype(g, t, type));
    return heedi_tensor_size(c, g->path, t);
}

static heed_status read_alignment(heedi_gguf *g, const heedi_checkpoint *c,
                                  size_t *out)
{
    heedi_value v = heedi_config(c, "general.alignment");
    *out = v.kind == HEEDI_ABSENT ? 32 : (size_t)v.i;
    if (v.kind == HEEDI_ABSENT || (v.kind == HEEDI_INT && v.i > 0 &&
                                   v.i <= 1 << 30 && (v.i & (v.i - 1)) == 0))
        return HEED_OK;
    return heedi_fail(g->ctx, HEED_EFORMAT,
                      "%s: general.alignment is not a power of two", g->path);
}

static heed_status place(heedi_gguf *g, heedi_checkpoint *c,
                         const uint64_t *offset)
{
    size_t align;
    HEEDI_TRY(read_alignment(g, c, &align));
    size_t pad = (align - g->at % align) % align;
    if (c->n_tensors > 0 && pad > g->n - g->at)
        return heedi_fail(g->ctx, HEED_EFORMAT,
                          "%s: ends at byte %zu, before the first tensor",
                          g->path, g->n);
    for (int64_t i = 0; i < c->n_tensors; i++) {
        heedi_tensor *t = &c->tensor[i];
        const size_t left = g->n - g->at - pad;
        if (offset[i] % align != 0)
            return heedi_fail(g->ctx, HEED_EFORMAT,
                              "%s: tensor %s starts at %llu, not a multiple of "
                              "%zu",
                              g->path, t->name, (unsigned long long)offset[i],
                              align);
        if (offset[i] > left || t->bytes > left - (size_t)offset[i])
            return heedi_fail(g->ctx, HEED_EFORMAT,
                              "%s: tensor %s, %zu bytes from %llu on, reaches "
                              "beyond the end of the file",
                              g->path, t->name, t->bytes,
                              (unsigned long long)offset[i]);
        t->data = g->p + g->at + pad + offset[i];
    }
    return heedi_tensors_disjoint(c, g->path, 0, g->p, g->n, true);
}

static heed_status read_tensors(heedi_gguf *g, heedi_checkpoint *c, uint64_t n)
{
    uint64_t *offset = heedi_alloc(g->ctx, (size_t)n * sizeof *offset);
    heed_status st = offset ? HEED_OK : HEED_ENOMEM;
    for (size_t i = 0; i < n && !st; i++)
        st = read_tensor(g, c, &offset[i]);
    if (!st)
        st = place(g, c, offset);
    heedi_free(g->ctx, offset);
    return st;
}

static heed_status check_version(heedi_gguf *g)
{
    uint32_t version;
    HEEDI_TRY(heedi_gguf_u32(g, &version));
    if (version == 2 || version == 3)
        return HEED_OK;
    if (version != 0 && version % 65536 == 0)
        return heedi_fail(g->ctx, HEED_ENOTSUP, "%s: a big-endian GGUF file",
                          g->path);
    return heedi_fail(g->ctx, HEED_ENOTSUP,
                      "%s: version %u of GGUF, 2 and 3 are read", g->path,
                      (unsigned)version);
}

static heed_status check_magic(heed_ctx *ctx, const char *path,
                               const heedi_map *m)
{
    if (heedi_gguf_is(m))
        return HEED_OK;
    if (m->n >= 4 && memcmp(m->p, "PK\3\4", 4) == 0)
        return heedi_fail(ctx, HEED_EFORMAT,
                          "%s is not a GGUF file; of pytorch_model.bin, name "
                          "the directory with its config.json",
                          path);
    if (m->n >= 9 && m->p[8] == '{')
        return heedi_fail(ctx, HEED_EFORMAT,
                          "%s is not a GGUF file; of safetensors, name the "
                          "directory with its config.json",
                          path);
    return heedi_fail(ctx, HEED_EFORMAT,
                      "%s is neither a GGUF file nor a directory", path);
}

heed_status heedi_gguf_read(heedi_checkpoint *c, bool with_tensors)
{
    heedi_source *s = c->impl;
    heedi_map m;
    c->source = "gguf";
    HEEDI_TRY(heedi_map_keep(&m, c, c->path));
    HEEDI_TRY(check_magic(c->ctx, c->path, &m));
    heedi_gguf g = {c->ctx, &c->mem, c->path, m.p, m.n, 4};
    uint64_t n_tensors, n_pairs;
    HEEDI_TRY(check_version(&g));
    /* a tensor: name, dimensions, type, offset; a pair: key, type, value */
    HEEDI_TRY(heedi_gguf_count(&g, "tensors", 8 + 4 + 4 + 8, &n_tensors));
    HEEDI_TRY(heedi_gguf_count(&g, "keys", 8 + 4 + 1, &n_pairs));
    HEEDI_TRY(heedi_gguf_metadata(&g, n_pairs, &s->root));
    if (heedi_config(c, "split.count").i > 1)
        return heedi_fail(c->ctx, HEED_ENOTSUP,
                          "%s is one of %lld parts; merge them into one file",
                          c->path, (long long)heedi_config(c, "split.count").i);
    return with_tensors ? read_tensors(&g, c, n_tensors) : HEED_OK;
}
