#include "map.h"

#include <string.h>

#include "ctx.h"

static heed_status map_resize(heedi_map *m, heed_ctx *ctx, size_t slots)
{
    heedi_map new = {.n = m->n, .mask = slots - 1};
    size_t bytes;
    if (!heedi_mul(slots, sizeof *new.slot, &bytes) ||
        !(new.slot = heedi_alloc(ctx, bytes)))
        return heedi_fail(ctx, HEED_ENOMEM, "no memory for %zu slots", slots);
    for (size_t i = 0; i < slots; i++)
        new.slot[i].key = UINT64_MAX;
    for (size_t i = 0; m->slot && i <= m->mask; i++)
        if (m->slot[i].key != UINT64_MAX)
            new.slot[heedi_map_at(&new, m->slot[i].key)] = m->slot[i];
    heedi_free(ctx, m->slot);
    *m = new;
    return HEED_OK;
}

heed_status heedi_map_put(heedi_map *m, heed_ctx *ctx, uint64_t key,
                          uint32_t value)
{
    if (!m->slot || m->n >= m->mask / 2)
        HEEDI_TRY(map_resize(m, ctx, m->slot ? 2 * (m->mask + 1) : 64));
    struct heedi_map_slot *s = m->slot + heedi_map_at(m, key);
    m->n += s->key != key;
    *s = (struct heedi_map_slot){key, value};
    return HEED_OK;
}

void heedi_map_free(heedi_map *m, heed_ctx *ctx)
{
    heedi_free(ctx, m->slot);
    *m = (heedi_map){0};
}

static size_t hash(const char *s, size_t len)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)s[i]) * 0x100000001B3u;
    return (size_t)(h ^ h >> 29);
}

heed_status heedi_names_init(heedi_names *t, heedi_arena *a,
                             const heedi_str *str, size_t n)
{
    size_t slots = 64;
    while (slots < 2 * n)
        slots *= 2;
    *t = (heedi_names){.str = str, .mask = slots - 1};
    t->slot = heedi_arena_alloc(a, slots * sizeof *t->slot);
    if (!t->slot)
        return HEED_ENOMEM;
    memset(t->slot, -1, slots * sizeof *t->slot);
    return HEED_OK;
}

static size_t names_at(const heedi_names *t, const char *s, size_t len)
{
    size_t i = hash(s, len) & t->mask;
    for (; t->slot[i] >= 0; i = (i + 1) & t->mask) {
        const heedi_str *x = t->str + t->slot[i];
        if (x->len == len && memcmp(x->s, s, len) == 0)
            break;
    }
    return i;
}

void heedi_names_add(heedi_names *t, int32_t id)
{
    t->slot[names_at(t, t->str[id].s, t->str[id].len)] = id;
}

int32_t heedi_names_get(const heedi_names *t, const char *s, size_t len)
{
    return t->slot[names_at(t, s, len)];
}
