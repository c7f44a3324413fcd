/* A directory as the Hugging Face hub has it: config.json, and the weights in
 * one file or in shards. */
#include <string.h>

#include "ctx.h"
#include "json.h"

/* The first that is there is read. */
static const heedi_weights kinds[] = {
    {"model.safetensors", "safetensors", false, heedi_safetensors_file},
    {"model.safetensors.index.json", "safetensors", true,
     heedi_safetensors_file},
    {"pytorch_model.bin", "pytorch", false, heedi_pytorch_file},
    {"pytorch_model.bin.index.json", "pytorch", true, heedi_pytorch_file},
};

heed_status heedi_weights_find(const heedi_weights **out, const char **path,
                               heedi_arena *mem, const char *dir)
{
    *out = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        *path = heedi_join(mem, dir, kinds[i].name);
        if (!*path)
            return HEED_ENOMEM;
        if (heedi_exists(*path)) {
            *out = &kinds[i];
            return HEED_OK;
        }
    }
    return HEED_OK;
}

/* No tensor of this shard is elsewhere by the index. */
static heed_status check_shard(heedi_checkpoint *c, const heedi_index *x,
                               const char *shard, int64_t first)
{
    for (int64_t i = first; i < c->n_tensors; i++) {
        const char *in =
            json_string_value(json_object_get(x->map, c->tensor[i].name));
        if (in && strcmp(in, shard) != 0)
            return heedi_fail(c->ctx, HEED_EFORMAT,
                              "%s: tensor %s is in %s and, by the index, in %s",
                              c->path, c->tensor[i].name, shard, in);
    }
    return HEED_OK;
}

static heed_status check_index(heedi_checkpoint *c, const heedi_index *x)
{
    const char *name;
    json_t *file;
    HEEDI_TRY(heedi_tensors_order(c));
    json_object_foreach(x->map, name, file)
    {
        if (!heedi_tensor_find(c, name))
            return heedi_fail(c->ctx, HEED_EFORMAT,
                              "%s: the index places tensor %.128s in %s, which "
                              "does not have it",
                              c->path, name, json_string_value(file));
    }
    return HEED_OK;
}

static heed_status read_shards(heedi_checkpoint *c, const heedi_weights *w,
                               const char *path)
{
    heedi_index x;
    HEEDI_TRY(heedi_index_open(&x, &c->mem, path));
    heed_status st = HEED_OK;
    for (size_t i = 0; i < x.n && !st; i++) {
        int64_t first = c->n_tensors;
        const char *file = heedi_join(&c->mem, c->path, x.shard[i]);
        st = file ? w->read(c, file) : HEED_ENOMEM;
        if (!st)
            st = check_shard(c, &x, x.shard[i], first);
    }
    if (!st)
        st = check_index(c, &x);
    heedi_index_close(&x);
    return st;
}

static heed_status read_weights(heedi_checkpoint *c)
{
    const heedi_weights *w;
    const char *path;
    HEEDI_TRY(heedi_weights_find(&w, &path, &c->mem, c->path));
    if (!w)
        return heedi_fail(c->ctx, HEED_EIO,
                          "%s: no model.safetensors and no pytorch_model.bin "
                          "in it",
                          c->path);
    c->source = w->source;
    return w->index ? read_shards(c, w, path) : w->read(c, path);
}

heed_status heedi_folder_read(heedi_checkpoint *c)
{
    heedi_source *s = c->impl;
    const char *path = heedi_join(&c->mem, c->path, "config.json");
    json_t *config;
    if (!path)
        return HEED_ENOMEM;
    s->nested = true;
    HEEDI_TRY(heedi_json_read(&config, c->ctx, path));
    heed_status st = heedi_json_tree(&s->root, &c->mem, config);
    json_decref(config);
    return st ? st : read_weights(c);
}
