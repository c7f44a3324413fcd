#include <stdlib.h>
#include <string.h>

#include "ctx.h"
#include "load.h"

static int by_key(const void *key, const void *item)
{
    return strcmp(key, *(const char *const *)item);
}

static heedi_value item(const heedi_value *list, int64_t i)
{
    const heedi_list *l = list->ref;
    heedi_value v = {0};
    if ((list->kind != HEEDI_LIST && list->kind != HEEDI_OBJECT) || i < 0 ||
        i >= list->n)
        return v;
    if (l->item)
        return l->item[i];
    if (l->str)
        return (heedi_value){.kind = HEEDI_STR, .s = l->str[i].s};
    l->get(&v, l->raw + (size_t)i * l->bytes);
    return v;
}

static heedi_value member(const heedi_value *object, const char *key,
                          size_t len)
{
    if (object->kind != HEEDI_OBJECT)
        return (heedi_value){0};
    const heedi_list *l = object->ref;
    for (int64_t i = 0; i < object->n; i++)
        if (strncmp(l->key[i], key, len) == 0 && l->key[i][len] == '\0')
            return item(object, i);
    return (heedi_value){0};
}

heedi_value heedi_config_member(const heedi_value *object, const char *key)
{
    return member(object, key, strlen(key));
}

heedi_value heedi_config(const heedi_checkpoint *c, const char *key)
{
    const heedi_source *s = c->impl;
    heedi_value v = s->root;
    if (v.kind != HEEDI_OBJECT)
        return (heedi_value){0};
    if (!s->nested) {
        const heedi_list *l = v.ref;
        const char *const *at =
            bsearch(key, l->key, (size_t)v.n, sizeof *l->key, by_key);
        return item(&v, at ? at - l->key : -1);
    }
    for (size_t len;; key += len + 1) {
        len = strcspn(key, ".");
        v = member(&v, key, len);
        if (!key[len])
            return v;
    }
}

heed_status heedi_config_enter(heedi_checkpoint *c, const char *key)
{
    heedi_source *s = c->impl;
    const heedi_value v = heedi_config(c, key);
    if (v.kind != HEEDI_OBJECT)
        return heedi_fail(c->ctx, HEED_EFORMAT, "%s/config.json has no %s",
                          c->path, key);
    s->root = v;
    return HEED_OK;
}

heedi_value heedi_config_item(const heedi_value *list, int64_t i)
{
    return list->kind == HEEDI_LIST ? item(list, i) : (heedi_value){0};
}

const char *heedi_config_key(const heedi_value *object, int64_t i)
{
    const heedi_list *l = object->ref;
    return object->kind == HEEDI_OBJECT && i >= 0 && i < object->n ? l->key[i]
                                                                   : NULL;
}
