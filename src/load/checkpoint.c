#include "checkpoint.h"

#include <string.h>

#include "ctx.h"
#include "json.h"
#include "load.h"
#include "memory.h"

heed_status heedi_checkpoint_new(heedi_checkpoint **out, heed_ctx *ctx,
                                 const char *path)
{
    *out = NULL;
    heedi_checkpoint *c = heedi_alloc(ctx, sizeof *c);
    if (!c)
        return HEED_ENOMEM;
    c->ctx = ctx;
    heedi_arena_init(&c->mem, ctx);
    char *copy = heedi_arena_alloc(&c->mem, strlen(path) + 1);
    c->impl = heedi_alloc(ctx, sizeof(heedi_source));
    if (!copy || !c->impl) {
        heedi_checkpoint_close(c);
        return HEED_ENOMEM;
    }
    c->path = strcpy(copy, path);
    *out = c;
    return HEED_OK;
}

void heedi_checkpoint_close(heedi_checkpoint *c)
{
    if (!c)
        return;
    heedi_source *s = c->impl;
    for (size_t i = 0; s && i < s->n_maps; i++)
        heedi_map_close(&s->map[i]);
    if (s)
        heedi_free(c->ctx, s->map);
    heedi_free(c->ctx, s);
    heedi_free(c->ctx, c->tensor);
    heedi_arena_clear(&c->mem);
    heedi_free(c->ctx, c);
}

static heed_status find_arch(heedi_checkpoint *c, bool dir)
{
    const char *key = dir ? "model_type" : "general.architecture";
    heedi_value v = heedi_config(c, key);
    /* state-spaces' own files of Mamba name no type */
    if (dir && v.kind == HEEDI_ABSENT &&
        heedi_config(c, "ssm_cfg").kind == HEEDI_OBJECT &&
        heedi_config(c, "d_model").kind == HEEDI_INT) {
        heedi_value layer = heedi_config(c, "ssm_cfg.layer");
        const bool two =
            layer.kind == HEEDI_STR && strcmp(layer.s, "Mamba2") == 0;
        c->arch = two ? "mamba2" : "mamba";
        return HEED_OK;
    }
    if (v.kind != HEEDI_STR)
        return heedi_fail(c->ctx, HEED_EFORMAT, "%s%s has no %s", c->path,
                          dir ? "/config.json" : "", key);
    c->arch = v.s;
    return HEED_OK;
}

heed_status heedi_checkpoint_open(heedi_checkpoint **out, heed_ctx *ctx,
                                  const char *path)
{
    HEEDI_TRY(heedi_checkpoint_new(out, ctx, path));
    bool dir = heedi_is_dir(path);
    heed_status st =
        dir ? heedi_folder_read(*out) : heedi_gguf_read(*out, true);
    if (!st)
        st = find_arch(*out, dir);
    if (!st)
        st = heedi_tensors_order(*out);
    if (st) {
        heedi_checkpoint_close(*out);
        *out = NULL;
    }
    return st;
}

heed_status heedi_checkpoint_json(heedi_checkpoint *c, const char *name,
                                  heedi_value *out)
{
    json_t *j;
    *out = (heedi_value){.kind = HEEDI_ABSENT};
    const char *path = heedi_join(&c->mem, c->path, name);
    if (!path)
        return HEED_ENOMEM;
    if (!heedi_exists(path))
        return HEED_OK;
    HEEDI_TRY(heedi_json_read_any(&j, c->ctx, path));
    heed_status st = heedi_json_tree(out, &c->mem, j);
    json_decref(j);
    return st;
}

static bool of_files(const void *ud, uintptr_t from, uintptr_t to)
{
    const heedi_source *s = ud;
    for (size_t i = 0; i < s->n_maps; i++) {
        const uintptr_t p = (uintptr_t)s->map[i].p;
        if (from < p + s->map[i].n && to > p)
            return true;
    }
    return false;
}

uint64_t heedi_checkpoint_beside(const heedi_checkpoint *c)
{
    return heedi_resident_but(of_files, c->impl);
}

heedi_tensor *heedi_checkpoint_tensor(heedi_checkpoint *c, const char *name)
{
    heedi_tensor *t = heedi_tensor_find(c, name);
    if (t)
        t->used = true;
    return t;
}
