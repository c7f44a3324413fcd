#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctx.h"
#include "model.h"

enum { MOST = 1 << 20 };

/* Labels that the configuration names; without any, as transformers calls
 * them. */
static heed_status name_of(heed_model *m, int64_t i, bool named,
                           const char **out)
{
    char text[64];
    snprintf(text, sizeof text, "id2label.%lld", (long long)i);
    heedi_value v = {.kind = HEEDI_ABSENT};
    if (named)
        v = heedi_key_value(m, text, "");
    if (named && v.kind != HEEDI_STR)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: id2label: there is no text of label %lld",
                          m->info.path, (long long)i);
    snprintf(text, sizeof text, "LABEL_%lld", (long long)i);
    const char *s = named ? v.s : text;
    char *copy = heedi_arena_alloc(&m->mem, strlen(s) + 1);
    *out = copy ? strcpy(copy, s) : NULL;
    return copy ? HEED_OK : HEED_ENOMEM;
}

heed_status heedi_labels_read(heed_model *m, int64_t *n)
{
    const heedi_value v = heedi_key_value(m, "id2label", "");
    const bool named = v.kind == HEEDI_OBJECT;
    HEEDI_TRY(heedi_key_whole(m, "num_labels", "", 2, 1, MOST, n));
    if (named)
        *n = v.n;
    if (*n < 1 || *n > MOST)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: id2label has %lld labels, must be from 1 to %d",
                          m->info.path, (long long)*n, MOST);
    const char **label = heedi_arena_alloc(&m->mem, (size_t)*n * sizeof *label);
    if (!label)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < *n; i++)
        HEEDI_TRY(name_of(m, i, named, &label[i]));
    const heedi_value kind = heedi_key_value(m, "problem_type", "");
    m->info.label = label;
    m->info.n_labels = *n;
    m->info.multi_label = kind.kind == HEEDI_STR &&
                          strcmp(kind.s, "multi_label_classification") == 0;
    return HEED_OK;
}
