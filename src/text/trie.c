#include <string.h>

#include "ctx.h"
#include "map.h"

static heed_status node_new(heedi_trie *t, heed_ctx *ctx)
{
    int32_t *v = heedi_grow(ctx, t->value, &t->cap, t->n + 1, sizeof *v);
    if (!v)
        return HEED_ENOMEM;
    t->value = v;
    t->value[t->n++] = -1;
    return HEED_OK;
}

heed_status heedi_trie_add(heedi_trie *t, heed_ctx *ctx, const char *s,
                           size_t len, int32_t value)
{
    uint32_t at = 0;
    if (t->n == 0)
        HEEDI_TRY(node_new(t, ctx));
    for (size_t i = 0; i < len; i++) {
        uint64_t key = (uint64_t)at << 8 | (unsigned char)s[i];
        uint32_t to = heedi_map_get(&t->edge, key);
        if (to == UINT32_MAX) {
            to = (uint32_t)t->n;
            HEEDI_TRY(node_new(t, ctx));
            HEEDI_TRY(heedi_map_put(&t->edge, ctx, key, to));
        }
        at = to;
    }
    if (len > 0)
        t->first[(unsigned char)s[0]] = true;
    if (t->value[at] < 0)
        t->value[at] = value;
    return HEED_OK;
}

int32_t heedi_trie_longest(const heedi_trie *t, const char *s, size_t n,
                           size_t *len)
{
    int32_t best = -1;
    uint32_t at = 0;
    if (n == 0 || !t->first[(unsigned char)s[0]])
        return -1;
    for (size_t i = 0; i < n; i++) {
        at = heedi_map_get(&t->edge, (uint64_t)at << 8 | (unsigned char)s[i]);
        if (at == UINT32_MAX)
            break;
        if (t->value[at] >= 0) {
            best = t->value[at];
            *len = i + 1;
        }
    }
    return best;
}

void heedi_trie_free(heedi_trie *t, heed_ctx *ctx)
{
    heedi_map_free(&t->edge, ctx);
    heedi_free(ctx, t->value);
    *t = (heedi_trie){0};
}
