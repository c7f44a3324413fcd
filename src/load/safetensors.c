/* Eight bytes: the length of a JSON header, the header, the tensors. */
#include <string.h>

#include "ctx.h"
#include "json.h"

/* the limit of the format's own reader */
enum { MAX_HEADER = 100 * 1000 * 1000 };

static heed_status read_dtype(heedi_checkpoint *c, const char *file,
                              heedi_tensor *t, const json_t *info)
{
    const json_t *v = json_object_get(info, "dtype");
    const char *s = json_string_value(v);
    if (!s)
        return heedi_fail(c->ctx, HEED_EFORMAT, "%s: tensor %s has no dtype",
                          file, t->name);
    for (t->dtype = heedi_dtypes; t->dtype->name; t->dtype++)
        if (t->dtype->safetensors && strcmp(s, t->dtype->safetensors) == 0 &&
            strlen(s) == json_string_length(v))
            return HEED_OK;
    return heedi_fail(c->ctx, HEED_ENOTSUP, "%s: tensor %s: dtype %.32s", file,
                      t->name, s);
}

static heed_status read_shape(heedi_checkpoint *c, const char *file,
                              heedi_tensor *t, const json_t *info)
{
    const json_t *shape = json_object_get(info, "shape");
    size_t nd = json_array_size(shape);
    if (!json_is_array(shape))
        return heedi_fail(c->ctx, HEED_EFORMAT, "%s: tensor %s has no shape",
                          file, t->name);
    if (nd > HEEDI_MAX_ND)
        return heedi_fail(c->ctx, HEED_ENOTSUP,
                          "%s: tensor %s has %zu dimensions, more than %d",
                          file, t->name, nd, HEEDI_MAX_ND);
    t->nd = (int)nd;
    for (size_t i = 0; i < nd; i++) {
        const json_t *v = json_array_get(shape, i);
        t->dim[i] = json_integer_value(v);
        if (!json_is_integer(v) || t->dim[i] < 0)
            return heedi_fail(c->ctx, HEED_EFORMAT,
                              "%s: dimension %zu of tensor %s is not a count",
                              file, i, t->name);
    }
    return heedi_tensor_size(c, file, t);
}

static heed_status read_offsets(heedi_checkpoint *c, const char *file,
                                heedi_tensor *t, const json_t *info,
                                const heedi_map *data)
{
    const json_t *v = json_object_get(info, "data_offsets");
    const json_t *b = json_array_get(v, 0), *e = json_array_get(v, 1);
    if (json_array_size(v) != 2 || !json_is_integer(b) || !json_is_integer(e))
        return heedi_fail(c->ctx, HEED_EFORMAT,
                          "%s: data_offsets of tensor %s are not two integers",
                          file, t->name);
    json_int_t begin = json_integer_value(b), end = json_integer_value(e);
    if (begin < 0 || end < begin || (uintmax_t)end > data->n)
        return heedi_fail(c->ctx, HEED_EFORMAT,
                          "%s: tensor %s is at bytes %lld to %lld of %zu", file,
                          t->name, (long long)begin, (long long)end, data->n);
    if ((uintmax_t)(end - begin) != t->bytes)
        return heedi_fail(c->ctx, HEED_EFORMAT,
                          "%s: tensor %s has %lld bytes, its shape needs %zu",
                          file, t->name, (long long)(end - begin), t->bytes);
    t->data = data->p + begin;
    return HEED_OK;
}

static heed_status read_tensors(heedi_checkpoint *c, const char *file,
                                json_t *header, const heedi_map *data)
{
    int64_t first = c->n_tensors;
    const char *name;
    json_t *info;
    json_object_foreach(header, name, info)
    {
        heedi_tensor *t;
        if (!json_is_object(info))
            return heedi_fail(c->ctx, HEED_EFORMAT,
                              "%s: the header has no object for %.128s", file,
                              name);
        if (strcmp(name, "__metadata__") == 0)
            continue;
        HEEDI_TRY(heedi_tensor_add(&t, c, file, name, strlen(name)));
        HEEDI_TRY(read_dtype(c, file, t, info));
        HEEDI_TRY(read_shape(c, file, t, info));
        HEEDI_TRY(read_offsets(c, file, t, info, data));
    }
    return heedi_tensors_disjoint(c, file, first, data->p, data->n, false);
}

heed_status heedi_safetensors_file(heedi_checkpoint *c, const char *file)
{
    heedi_map m;
    HEEDI_TRY(heedi_map_keep(&m, c, file));
    uint64_t len;
    if (m.n < sizeof len)
        return heedi_fail(c->ctx, HEED_EFORMAT,
                          "%s: %zu bytes, shorter than the length of a header",
                          file, m.n);
    memcpy(&len, m.p, sizeof len);
    if (len > m.n - sizeof len || len > MAX_HEADER)
        return heedi_fail(c->ctx, HEED_EFORMAT,
                          "%s: a header of %llu bytes in a file of %zu", file,
                          (unsigned long long)len, m.n);
    json_t *header;
    HEEDI_TRY(
        heedi_json_parse(&header, c->ctx, file, m.p + sizeof len, (size_t)len));
    heedi_map data = {m.p + sizeof len + len, m.n - sizeof len - (size_t)len};
    heed_status st = read_tensors(c, file, header, &data);
    json_decref(header);
    return st;
}
