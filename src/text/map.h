/* map.h - the two hash tables: integers, and the strings of a vocabulary. */
#ifndef HEEDI_MAP_H
#define HEEDI_MAP_H

#include <stdbool.h>

#include "arena.h"
#include "text.h"

/* 64-bit keys other than UINT64_MAX to 32-bit values. Zero-initialised: empty.
 * Memory of the context; freed with heedi_map_free(). */
typedef struct heedi_map {
    struct heedi_map_slot {
        uint64_t key;
        uint32_t value;
    } * slot;
    size_t n, mask; /* entries; slots less one */
} heedi_map;

/* Adds or replaces. HEED_ENOMEM. */
heed_status heedi_map_put(heedi_map *m, heed_ctx *ctx, uint64_t key,
                          uint32_t value);
void heedi_map_free(heedi_map *m, heed_ctx *ctx);

static inline size_t heedi_map_at(const heedi_map *m, uint64_t key)
{
    size_t i = (size_t)((key * 0x9E3779B97F4A7C15u) >> 20) & m->mask;
    while (m->slot[i].key != key && m->slot[i].key != UINT64_MAX)
        i = (i + 1) & m->mask;
    return i;
}

/* UINT32_MAX if the key is not there. */
static inline uint32_t heedi_map_get(const heedi_map *m, uint64_t key)
{
    if (!m->slot)
        return UINT32_MAX;
    const struct heedi_map_slot *s = m->slot + heedi_map_at(m, key);
    return s->key == key ? s->value : UINT32_MAX;
}

/* Strings to ids, which index an array of strings that the caller keeps. */
typedef struct heedi_names {
    const heedi_str *str; /* by id; borrowed */
    int32_t *slot;        /* id, -1: free */
    size_t mask;
} heedi_names;

/* An empty table with room for n strings, in the arena. HEED_ENOMEM. */
heed_status heedi_names_init(heedi_names *t, heedi_arena *a,
                             const heedi_str *str, size_t n);
/* Adds id under str[id]; an equal string that is there already gets the new
 * id. At most n calls. */
void heedi_names_add(heedi_names *t, int32_t id);
/* -1 if it is not there. */
int32_t heedi_names_get(const heedi_names *t, const char *s, size_t len);

/* A trie over bytes: node 0 is the root. */
typedef struct heedi_trie {
    heedi_map edge;  /* node << 8 | byte to node */
    int32_t *value;  /* of a node, -1: no entry ends there */
    size_t n, cap;   /* nodes */
    bool first[256]; /* bytes that an entry begins with */
} heedi_trie;

/* HEED_ENOMEM. An entry that is there already keeps its value. */
heed_status heedi_trie_add(heedi_trie *t, heed_ctx *ctx, const char *s,
                           size_t len, int32_t value);
/* The longest entry that s begins with: its value, and its length in *len;
 * -1 if there is none. */
int32_t heedi_trie_longest(const heedi_trie *t, const char *s, size_t n,
                           size_t *len);
void heedi_trie_free(heedi_trie *t, heed_ctx *ctx);

#endif
