#include "pooling.h"

#include <stdio.h>
#include <string.h>

#include "ctx.h"

/* Flags of a 1_Pooling/config.json; how: -1: not supported. */
static const struct {
    const char *key, *name;
    int how;
} modes[] = {
    {"pooling_mode_cls_token", "cls", HEEDI_POOL_FIRST},
    {"pooling_mode_mean_tokens", "mean", HEEDI_POOL_MEAN},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len", HEEDI_POOL_ROOT},
    {"pooling_mode_lasttoken", "last", HEEDI_POOL_LAST},
    {"pooling_mode_max_tokens", "max", -1},
    {"pooling_mode_weightedmean_tokens", "weightedmean", -1},
};

static heed_status unsupported(heed_model *m, const char *what,
                               const char *name)
{
    return heedi_fail(m->ctx, HEED_ENOTSUP, "%s: %s '%.60s' is not supported",
                      m->info.path, what, name);
}

static heed_status read_mode(heed_model *m, const char *file,
                             heedi_pool_args *out)
{
    heedi_value doc;
    int on = 0;
    HEEDI_TRY(heedi_checkpoint_json(m->ckpt, file, &doc));
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        heedi_value v = heedi_config_member(&doc, modes[i].key);
        if (v.kind != HEEDI_BOOL || !v.i)
            continue;
        if (modes[i].how < 0)
            return unsupported(m, "pooling", modes[i].name);
        out->how = (heedi_pooling)modes[i].how;
        m->info.pooling = modes[i].name;
        on++;
    }
    if (on == 1)
        return HEED_OK;
    return heedi_fail(m->ctx, on ? HEED_ENOTSUP : HEED_EFORMAT,
                      "%s: %s has %d kinds of pooling, must have one",
                      m->info.path, file, on);
}

/* The last part of "sentence_transformers.models.Pooling". */
static const char *last_part(const char *type)
{
    const char *dot = strrchr(type, '.');
    return dot ? dot + 1 : type;
}

static heed_status transformer(heed_model *m, const char *path,
                               heedi_pool_args *out)
{
    (void)m, (void)path, (void)out; /* the model itself */
    return HEED_OK;
}

static heed_status normalize(heed_model *m, const char *path,
                             heedi_pool_args *out)
{
    (void)path, (void)out;
    m->info.normalizes = 1;
    return HEED_OK;
}

static heed_status pooling(heed_model *m, const char *path,
                           heedi_pool_args *out)
{
    char file[256];
    if (strlen(path) > 128 || strstr(path, "..") || *path == '/')
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: modules.json: '%.60s' is no folder in it",
                          m->info.path, path);
    snprintf(file, sizeof file, "%s/config.json", path);
    return read_mode(m, file, out);
}

static const struct {
    const char *name;
    heed_status (*read)(heed_model *m, const char *path, heedi_pool_args *out);
} modules[] = {{"Transformer", transformer},
               {"Pooling", pooling},
               {"Normalize", normalize}};

static heed_status read_module(heed_model *m, const heedi_value *one,
                               heedi_pool_args *out)
{
    const heedi_value type = heedi_config_member(one, "type");
    const heedi_value path = heedi_config_member(one, "path");
    if (type.kind != HEEDI_STR || path.kind != HEEDI_STR)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: modules.json: a module without type or path",
                          m->info.path);
    const char *name = last_part(type.s);
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
        if (strcmp(modules[i].name, name) == 0)
            return modules[i].read(m, path.s, out);
    return unsupported(m, "modules.json: the module", name);
}

static heed_status read_gguf(heed_model *m, heedi_pool_args *out)
{
    static const char *const names[] = {"none", "mean", "cls", "last"};
    static const heedi_pooling how[] = {HEEDI_POOL_MEAN, HEEDI_POOL_MEAN,
                                        HEEDI_POOL_FIRST, HEEDI_POOL_LAST};
    int64_t k;
    HEEDI_TRY(heedi_key_whole(m, "", "pooling_type", 1, 0, 1e9, &k));
    if (k > 3)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: pooling_type %lld is not supported",
                          m->info.path, (long long)k);
    out->how = how[k];
    m->info.pooling = names[k > 0 ? k : 1];
    return HEED_OK;
}

heed_status heedi_pooling_read(heed_model *m, heedi_pool_args *out)
{
    heedi_value list;
    out->how = HEEDI_POOL_MEAN;
    m->info.pooling = "mean";
    if (m->gguf)
        return read_gguf(m, out);
    HEEDI_TRY(heedi_checkpoint_json(m->ckpt, "modules.json", &list));
    if (list.kind != HEEDI_ABSENT && list.kind != HEEDI_LIST)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: modules.json is not a list", m->info.path);
    for (int64_t i = 0; list.kind == HEEDI_LIST && i < list.n; i++) {
        heedi_value one = heedi_config_item(&list, i);
        HEEDI_TRY(read_module(m, &one, out));
    }
    return HEED_OK;
}
