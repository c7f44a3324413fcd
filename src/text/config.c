/* config.c - what tokenizer_config.json says beside a tokenizer.json. */
#include <string.h>
#include <unistd.h>

#include "ctx.h"
#include "fields.h"
#include "json_error.h"

static void drop(heedi_ids *list, int32_t id)
{
    size_t k = 0;
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i] != id)
            list->v[k++] = list->v[i];
    list->n = k;
}

static bool has(const heedi_ids *list, int32_t id)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i] == id)
            return true;
    return false;
}

heed_status heedi_set_front(heed_tokenizer *t, int32_t id, bool on)
{
    heedi_ids *f = &t->front;
    if (id < 0 || on == has(f, id))
        return HEED_OK;
    if (!on) {
        drop(f, id);
        return HEED_OK;
    }
    HEEDI_TRY(heedi_ids_add(t->ctx, f, id));
    memmove(f->v + 1, f->v, (f->n - 1) * sizeof *f->v);
    f->v[0] = id;
    return HEED_OK;
}

heed_status heedi_set_back(heed_tokenizer *t, int32_t id, bool on)
{
    if (id < 0 || on == has(&t->back, id))
        return HEED_OK;
    if (on)
        return heedi_ids_add(t->ctx, &t->back, id);
    drop(&t->back, id);
    return HEED_OK;
}

static int32_t id_of(const heed_tokenizer *t, const char *s, size_t len)
{
    for (size_t i = 0; i < t->n_added; i++) {
        const heedi_str *x = t->str + t->added[i].id;
        if (x->len == len && memcmp(x->s, s, len) == 0)
            return t->added[i].id;
    }
    return heedi_names_get(&t->model.names, s, len);
}

const json_t *heedi_special_text(const json_t *j, const char *key)
{
    const json_t *x = json_object_get(j, key);
    if (json_is_object(x))
        x = json_object_get(x, "content");
    return json_is_string(x) ? x : NULL;
}

static void special(const heed_tokenizer *t, const json_t *j, const char *key,
                    int32_t *id)
{
    const json_t *x = heedi_special_text(j, key);
    if (x)
        *id = id_of(t, json_string_value(x), json_string_length(x));
}

/* add_bos_token and add_eos_token change what the post-processor adds only if
 * the file says true or false. */
static heed_status apply(heed_tokenizer *t, const json_t *j)
{
    const char *where = "tokenizer_config.json";
    if (!json_is_object(j))
        return heedi_fail(t->ctx, HEED_EFORMAT, "%s is not an object", where);
    special(t, j, "bos_token", &t->info.bos);
    special(t, j, "eos_token", &t->info.eos);
    special(t, j, "pad_token", &t->info.pad);
    special(t, j, "mask_token", &t->info.mask);
    bool bos = has(&t->front, t->info.bos), eos = has(&t->back, t->info.eos);
    HEEDI_TRY(heedi_field_bool(t->ctx, j, where, "add_bos_token", &bos));
    HEEDI_TRY(heedi_field_bool(t->ctx, j, where, "add_eos_token", &eos));
    HEEDI_TRY(heedi_set_front(t, t->info.bos, bos));
    return heedi_set_back(t, t->info.eos, eos);
}

heed_status heedi_json_beside(json_t **out, heed_ctx *ctx, const char *path,
                              const char *name)
{
    const char *slash = strrchr(path, '/');
    size_t dir = slash ? (size_t)(slash - path) + 1 : 0, n = strlen(name) + 1;
    json_error_t e;
    *out = NULL;
    char *p = heedi_alloc(ctx, dir + n);
    if (!p)
        return HEED_ENOMEM;
    memcpy(p, path, dir);
    memcpy(p + dir, name, n);
    FILE *f = NULL;
    bool there = access(p, F_OK) == 0;
    heed_status st = there ? heedi_file_of(&f, ctx, p) : HEED_OK;
    heedi_free(ctx, p);
    if (!f)
        return st;
    const size_t flags = JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES;
    *out = json_loadf(f, flags, &e);
    /* transformers writes 10^30 for a length without a limit */
    if (!*out && json_error_code(&e) == json_error_numeric_overflow) {
        rewind(f);
        *out = json_loadf(f, flags | JSON_DECODE_INT_AS_REAL, &e);
    }
    fclose(f);
    return *out ? HEED_OK : heedi_json_fail(ctx, name, &e);
}

heed_status heedi_config_read(heed_tokenizer *t, const char *path)
{
    json_t *j;
    HEEDI_TRY(heedi_json_beside(&j, t->ctx, path, "tokenizer_config.json"));
    heed_status st = j ? apply(t, j) : HEED_OK;
    json_decref(j);
    heedi_config_done(t);
    return st;
}

void heedi_config_done(heed_tokenizer *t)
{
    heed_tokenizer_info *o = &t->info;
    static const char *const masks[] = {"[MASK]", "<mask>"};
    for (int i = 0; i < 2 && o->mask < 0; i++) {
        const int32_t id = id_of(t, masks[i], strlen(masks[i]));
        if (id >= 0 && t->flag[id] & HEEDI_SPECIAL)
            o->mask = id;
    }
    /* a template says where texts begin and end, if nothing else does */
    if (o->bos < 0 && t->front.n > 0)
        o->bos = t->front.v[0];
    if (o->eos < 0 && t->back.n > 0)
        o->eos = t->back.v[t->back.n - 1];
    o->adds_bos = has(&t->front, o->bos);
    o->adds_eos = has(&t->back, o->eos);
}
