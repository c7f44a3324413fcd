/* load.h - what the readers of checkpoint formats share. */
#ifndef HEEDI_LOAD_H
#define HEEDI_LOAD_H

#include "checkpoint.h"
#include "text.h"

/* For a message: "%.*s" of a name, cut if it is long. */
#define HEEDI_NAME(x) ((int)((x).len < 128 ? (x).len : 128)), (x).s

/* ---- mmap.c ---- */
typedef struct heedi_map {
    const unsigned char *p;
    size_t n;
} heedi_map;

/* A whole file, read-only; the message names it. An empty file is
 * HEED_EFORMAT. */
heed_status heedi_map_open(heedi_map *out, heed_ctx *ctx, const char *path);
void heedi_map_close(heedi_map *m);

/* A number of up to 8 bytes, least significant first. */
uint64_t heedi_le(const unsigned char *p, int bytes);

bool heedi_is_dir(const char *path);
bool heedi_exists(const char *path);
/* dir/name; NULL, with a message, if there is no memory */
const char *heedi_join(heedi_arena *mem, const char *dir, const char *name);

/* ---- config.c: one tree of values for both formats ---- */

/* What `ref` of a LIST or an OBJECT points at. Items are values, or strings,
 * or lie in the file `bytes` apart. */
typedef struct heedi_list {
    const heedi_value *item;
    const char *const *key; /* of an OBJECT, one for each item */
    const heedi_str *str;   /* each ends in NUL, too */
    const unsigned char *raw;
    size_t bytes;
    void (*get)(heedi_value *out, const unsigned char *raw);
} heedi_list;

/* What `impl` of a checkpoint points at. */
typedef struct heedi_source {
    heedi_map *map;
    size_t n_maps, cap_maps, cap_tensors;
    heedi_value root; /* OBJECT: the configuration */
    bool nested;      /* false: keys are whole and in order */
} heedi_source;

/* ---- tensor.c ---- */

/* A mapping that lives as long as the checkpoint. */
heed_status heedi_map_keep(heedi_map *out, heedi_checkpoint *c,
                           const char *path);

/* One more tensor, with a copy of the name; the caller fills in the rest. */
heed_status heedi_tensor_add(heedi_tensor **out, heedi_checkpoint *c,
                             const char *file, const char *name, size_t len);

/* Shape and dtype to bytes; HEED_EFORMAT if they do not fit. */
heed_status heedi_tensor_size(heedi_checkpoint *c, const char *file,
                              heedi_tensor *t);

/* The tensors from `first` on, all of one file, must not overlap; without
 * `holes` they must fill the n bytes at `base`. */
heed_status heedi_tensors_disjoint(heedi_checkpoint *c, const char *file,
                                   int64_t first, const unsigned char *base,
                                   size_t n, bool holes);

/* Sorts by name, which must all differ. */
heed_status heedi_tensors_order(heedi_checkpoint *c);
/* When they are in order. */
heedi_tensor *heedi_tensor_find(const heedi_checkpoint *c, const char *name);

/* ---- the formats: fill a new checkpoint, except for arch and order ---- */
heed_status heedi_folder_read(heedi_checkpoint *c);
heed_status heedi_gguf_read(heedi_checkpoint *c, bool with_tensors);

/* Add the tensors of a file. */
typedef heed_status heedi_weights_fn(heedi_checkpoint *c, const char *file);
heedi_weights_fn heedi_safetensors_file, heedi_pytorch_file;

/* A file of weights that a folder may have. */
typedef struct heedi_weights {
    const char *name;
    const char *source; /* of the checkpoint */
    bool index;         /* it tells which shard has which tensor */
    heedi_weights_fn *read;
} heedi_weights;

/* The one that is read, and its path; NULL: there is none. */
heed_status heedi_weights_find(const heedi_weights **out, const char **path,
                               heedi_arena *mem, const char *dir);

/* By its first bytes, whatever its name. */
bool heedi_gguf_is(const heedi_map *m);

/* A checkpoint with nothing in it but the path. */
heed_status heedi_checkpoint_new(heedi_checkpoint **out, heed_ctx *ctx,
                                 const char *path);

#endif
