/* json.h - JSON files. Jansson's own memory is not the context's. */
#ifndef HEEDI_JSON_H
#define HEEDI_JSON_H

#include "load.h"

#include <jansson.h>

/* An object in n bytes. `what` is put before the message. HEED_EFORMAT. */
heed_status heedi_json_parse(json_t **out, heed_ctx *ctx, const char *what,
                             const void *p, size_t n);

/* The same of anything in a file, and of an object in it. A file may hold bare
 * Infinity and NaN, and integers beyond 64 bits, as Python writes them. */
heed_status heedi_json_read_any(json_t **out, heed_ctx *ctx, const char *path);
heed_status heedi_json_read(json_t **out, heed_ctx *ctx, const char *path);

/* As values in an arena; the JSON may be freed afterwards. */
heed_status heedi_json_tree(heedi_value *out, heedi_arena *mem,
                            const json_t *json);

/* ---- index.c: model.safetensors.index.json and the like ---- */
typedef struct heedi_index {
    json_t *root, *map; /* map: name of tensor to name of file */
    const char **shard; /* n of them, in order, each once */
    size_t n;
} heedi_index;

heed_status heedi_index_open(heedi_index *out, heedi_arena *mem,
                             const char *path);
void heedi_index_close(heedi_index *x);

#endif
