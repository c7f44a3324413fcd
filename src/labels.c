#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctx.h"

/* config.json has names of classes by number, {"0": "tench", ...}; without
 * them there are two, as transformers has it. */

enum { NAME = 24 }; /* of a class without one */

static heed_status wrong(heed_model *m, const char *key)
{
    return heedi_fail(m->ctx, HEED_EFORMAT,
                      "%s: 'id2label' has the key '%.40s', must have each of "
                      "the numbers from 0 on",
                      m->info.path, key);
}

static heed_status put(heed_model *m, const char **label, int64_t n,
                       const char *key)
{
    char path[64], *end;
    const long long k = strtoll(key, &end, 10);
    snprintf(path, sizeof path, "id2label.%.40s", key);
    heedi_value name = heedi_key_value(m, path, "");
    if (*key < '0' || *key > '9' || *end || k >= n || label[k])
        return wrong(m, key);
    if (name.kind != HEEDI_STR)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: class %lld of 'id2label' has no name",
                          m->info.path, k);
    label[k] = name.s;
    return HEED_OK;
}

heed_status heedi_labels_read(heed_model *m)
{
    heedi_value v = heedi_key_value(m, "id2label", "");
    const bool named = v.kind == HEEDI_OBJECT && v.n > 0;
    const int64_t n = named ? v.n : 2;
    const char **label = heedi_arena_alloc(&m->mem, (size_t)n * sizeof *label);
    char *text = named ? NULL : heedi_arena_alloc(&m->mem, 2 * NAME);
    if (!label || (!named && !text))
        return HEED_ENOMEM;
    for (int64_t i = 0; named && i < n; i++)
        HEEDI_TRY(put(m, label, n, heedi_config_key(&v, i)));
    for (int64_t i = 0; !named && i < n; i++) {
        snprintf(text + i * NAME, NAME, "LABEL_%lld", (long long)i);
        label[i] = text + i * NAME;
    }
    m->dim['V'] = n;
    m->info.labels = label;
    return HEED_OK;
}
