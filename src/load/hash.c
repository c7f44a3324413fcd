#include <heed/model.h>
#include <string.h>

#include "ctx.h"
#include "json.h"
#include "sha256.h"

enum { STEP = 1 << 26 }; /* bytes between two calls of the listener */

static heed_status hash_file(heed_ctx *ctx, const char *path, char hex[65])
{
    heedi_map m;
    HEEDI_TRY(heedi_map_open(&m, ctx, path));
    heedi_sha256 s;
    heed_status st = HEED_OK;
    heedi_sha256_init(&s);
    for (size_t at = 0, n; at < m.n && !st; at += n) {
        n = m.n - at < STEP ? m.n - at : STEP;
        heedi_sha256_add(&s, m.p + at, n);
        st = heedi_progress(ctx, "hash", (double)(at + n), (double)m.n);
    }
    heedi_sha256_hex(&s, hex);
    heedi_map_close(&m);
    return st;
}

/* n files of a folder, in order of name; must: they are known to be there. */
static heed_status hash_files(heedi_arena *mem, const char *dir, size_t n,
                              const char *const *name, bool must, char hex[65])
{
    heedi_sha256 all;
    size_t found = 0;
    heedi_sha256_init(&all);
    for (size_t i = 0; i < n; i++) {
        const char *path = heedi_join(mem, dir, name[i]);
        if (!path)
            return HEED_ENOMEM;
        if (!must && !heedi_exists(path))
            continue;
        HEEDI_TRY(hash_file(mem->ctx, path, hex));
        heedi_sha256_add(&all, hex, 64);
        heedi_sha256_add(&all, "  ", 2);
        heedi_sha256_add(&all, name[i], strlen(name[i]));
        heedi_sha256_add(&all, "\n", 1);
        found++;
    }
    if (found == 0)
        hex[0] = '\0';
    if (found > 1)
        heedi_sha256_hex(&all, hex);
    return HEED_OK;
}

static heed_status hash_weights(heedi_arena *mem, const char *dir, char hex[65])
{
    const heedi_weights *w;
    const char *path;
    HEEDI_TRY(heedi_weights_find(&w, &path, mem, dir));
    if (!w)
        return HEED_OK;
    if (!w->index)
        return hash_files(mem, dir, 1, &w->name, true, hex);
    heedi_index x;
    HEEDI_TRY(heedi_index_open(&x, mem, path));
    heed_status st = hash_files(mem, dir, x.n, x.shard, true, hex);
    heedi_index_close(&x);
    return st;
}

heed_status heed_model_hash(heed_ctx *ctx, const char *path, char weights[65],
                            char config[65], char tokenizer[65])
{
    static const char *const configs[] = {"config.json"};
    static const char *const json[] = {"tokenizer.json",
                                       "tokenizer_config.json"};
    static const char *const txt[] = {"special_tokens_map.json",
                                      "tokenizer_config.json", "vocab.txt"};
    heedi_begin(ctx);
    weights[0] = config[0] = tokenizer[0] = '\0';
    if (!heedi_is_dir(path)) /* GGUF: everything is in the one file */
        return hash_file(ctx, path, weights);
    heedi_arena mem;
    heedi_arena_init(&mem, ctx);
    heed_status st = hash_weights(&mem, path, weights);
    if (!st)
        st = hash_files(&mem, path, 1, configs, false, config);
    const char *whole = heedi_join(&mem, path, json[0]);
    if (!st && !whole)
        st = HEED_ENOMEM;
    const bool from_txt = whole && !heedi_exists(whole);
    if (!st)
        st = hash_files(&mem, path, from_txt ? 3 : 2, from_txt ? txt : json,
                        false, tokenizer);
    heedi_arena_clear(&mem);
    return st;
}

void heed_sha256(const void *data, size_t n, char hex[65])
{
    heedi_sha256 s;
    heedi_sha256_init(&s);
    heedi_sha256_add(&s, data, n);
    heedi_sha256_hex(&s, hex);
}
