#include "load.h"

#include <stdlib.h>
#include <string.h>

#include "ctx.h"

heed_status heedi_map_keep(heedi_map *out, heedi_checkpoint *c,
                           const char *path)
{
    heedi_source *s = c->impl;
    heedi_map *m =
        heedi_grow(c->ctx, s->map, &s->cap_maps, s->n_maps + 1, sizeof *s->map);
    if (!m)
        return HEED_ENOMEM;
    s->map = m;
    HEEDI_TRY(heedi_map_open(&m[s->n_maps], c->ctx, path));
    *out = m[s->n_maps++];
    return HEED_OK;
}

heed_status heedi_tensor_add(heedi_tensor **out, heedi_checkpoint *c,
                             const char *file, const char *name, size_t len)
{
    heedi_source *s = c->impl;
    for (size_t i = 0; i < len; i++) /* the name goes into messages */
        if ((unsigned char)name[i] < ' ' || name[i] == 127)
            return heedi_fail(c->ctx, HEED_EFORMAT,
                              "%s: the name of a tensor has byte %d in it",
                              file, (unsigned char)name[i]);
    heedi_tensor *t = heedi_grow(c->ctx, c->tensor, &s->cap_tensors,
                                 (size_t)c->n_tensors + 1, sizeof *c->tensor);
    char *copy = t ? heedi_arena_alloc(&c->mem, len + 1) : NULL;
    if (t)
        c->tensor = t;
    if (!copy)
        return HEED_ENOMEM;
    memcpy(copy, name, len);
    t += c->n_tensors++;
    *t = (heedi_tensor){.name = copy};
    *out = t;
    return HEED_OK;
}

heed_status heedi_tensor_size(heedi_checkpoint *c, const char *file,
                              heedi_tensor *t)
{
    int64_t n = 1, cols = t->nd ? t->dim[t->nd - 1] : 1;
    int64_t block = t->dtype->block, bytes = t->dtype->bytes;
    for (int i = 0; i < t->nd; i++)
        if (t->dim[i] < 0 || __builtin_mul_overflow(n, t->dim[i], &n))
            return heedi_fail(c->ctx, HEED_EFORMAT,
                              "%s: the size of tensor %s does not fit 64 bits",
                              file, t->name);
    if (cols % block != 0)
        return heedi_fail(c->ctx, HEED_EFORMAT,
                          "%s: tensor %s has rows of %lld numbers, not a "
                          "multiple of the %s block of %lld",
                          file, t->name, (long long)cols, t->dtype->name,
                          (long long)block);
    if (__builtin_mul_overflow(n / block, bytes, &n))
        return heedi_fail(c->ctx, HEED_EFORMAT,
                          "%s: the size of tensor %s does not fit 64 bits",
                          file, t->name);
    t->bytes = (size_t)n;
    return HEED_OK;
}

static int by_place(const void *a, const void *b)
{
    const heedi_tensor *x = *(heedi_tensor *const *)a,
                       *y = *(heedi_tensor *const *)b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

heed_status heedi_tensors_disjoint(heedi_checkpoint *c, const char *file,
                                   int64_t first, const unsigned char *base,
                                   size_t n, bool holes)
{
    size_t count = (size_t)(c->n_tensors - first);
    heedi_tensor **t = heedi_alloc(c->ctx, count * sizeof *t);
    if (!t)
        return HEED_ENOMEM;
    for (size_t i = 0; i < count; i++)
        t[i] = &c->tensor[(size_t)first + i];
    qsort(t, count, sizeof *t, by_place);
    heed_status st = HEED_OK;
    const unsigned char *end = base;
    for (size_t i = 0; i < count && !st; end = t[i]->data + t[i]->bytes, i++) {
        if (t[i]->data < end)
            st = heedi_fail(c->ctx, HEED_EFORMAT,
                            "%s: tensors %s and %s overlap", file,
                            t[i - 1]->name, t[i]->name);
        else if (t[i]->data > end && !holes)
            st = heedi_fail(c->ctx, HEED_EFORMAT,
                            "%s: %zu bytes before tensor %s belong to none",
                            file, (size_t)(t[i]->data - end), t[i]->name);
    }
    if (!st && !holes && end != base + n)
        st = heedi_fail(c->ctx, HEED_EFORMAT,
                        "%s: %zu bytes at the end belong to no tensor", file,
                        (size_t)(base + n - end));
    heedi_free(c->ctx, t);
    return st;
}

static int by_name(const void *a, const void *b)
{
    const heedi_tensor *x = a, *y = b;
    return strcmp(x->name, y->name);
}

heed_status heedi_tensors_order(heedi_checkpoint *c)
{
    if (c->n_tensors > 0)
        qsort(c->tensor, (size_t)c->n_tensors, sizeof *c->tensor, by_name);
    for (int64_t i = 1; i < c->n_tensors; i++)
        if (strcmp(c->tensor[i - 1].name, c->tensor[i].name) == 0)
            return heedi_fail(c->ctx, HEED_EFORMAT,
                              "%s: tensor %s occurs twice", c->path,
                              c->tensor[i].name);
    return HEED_OK;
}

heedi_tensor *heedi_tensor_find(const heedi_checkpoint *c, const char *name)
{
    heedi_tensor key = {.name = name};
    return c->n_tensors > 0 ? bsearch(&key, c->tensor, (size_t)c->n_tensors,
                                      sizeof key, by_name)
                            : NULL;
}
