#include <stdlib.h>
#include <string.h>

#include "ctx.h"
#include "json.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A name of a file in the same folder, and of no other. */
static bool is_plain(const char *s)
{
    return *s && !strchr(s, '/') && !strstr(s, "..");
}

static heed_status shards(heedi_index *x, heedi_arena *mem, const char *path)
{
    size_t n = json_object_size(x->map), i = 0;
    x->shard = heedi_arena_alloc(mem, n * sizeof *x->shard);
    if (!x->shard)
        return HEED_ENOMEM;
    const char *tensor;
    json_t *file;
    json_object_foreach(x->map, tensor, file)
    {
        const char *s = json_string_value(file);
        if (!s || strlen(s) != json_string_length(file))
            return heedi_fail(mem->ctx, HEED_EFORMAT,
                              "%s: weight_map has no name of a file for %s",
                              path, tensor);
        if (!is_plain(s))
            return heedi_fail(mem->ctx, HEED_EFORMAT,
                              "%s: shard %s of tensor %s is not the plain name "
                              "of a file",
                              path, s, tensor);
        x->shard[i++] = s;
    }
    qsort(x->shard, n, sizeof *x->shard, by_name);
    for (i = 0; i < n; i++)
        if (x->n == 0 || strcmp(x->shard[x->n - 1], x->shard[i]) != 0)
            x->shard[x->n++] = x->shard[i];
    return HEED_OK;
}

heed_status heedi_index_open(heedi_index *out, heedi_arena *mem,
                             const char *path)
{
    *out = (heedi_index){0};
    heed_status st = heedi_json_read(&out->root, mem->ctx, path);
    if (!st) {
        out->map = json_object_get(out->root, "weight_map");
        st = json_object_size(out->map) > 0
                 ? shards(out, mem, path)
                 : heedi_fail(mem->ctx, HEED_EFORMAT,
                              "%s: no weight_map, or an empty one", path);
    }
    if (st)
        heedi_index_close(out);
    return st;
}

void heedi_index_close(heedi_index *x)
{
    json_decref(x->root);
    *x = (heedi_index){0};
}
