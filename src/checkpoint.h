/* checkpoint.h - a checkpoint on disk: tensors and configuration, whatever the
 * format. Families read both through this and never see the format. */
#ifndef HEEDI_CHECKPOINT_H
#define HEEDI_CHECKPOINT_H

#include <heed/ctx.h>

#include "arena.h"
#include "dtype.h"

enum { HEEDI_MAX_ND = 5 };

typedef struct heedi_tensor {
    const char *name;
    const heedi_dtype *dtype;
    int nd;
    int64_t dim[HEEDI_MAX_ND]; /* slowest first, in both formats */
    const unsigned char *data;
    size_t bytes;
    bool used; /* a family asked for it */
} heedi_tensor;

typedef struct heedi_checkpoint {
    heed_ctx *ctx;
    heedi_arena mem;
    const char *path;   /* as given */
    const char *source; /* "gguf", "safetensors", "pytorch" */
    const char *arch;   /* model_type, general.architecture */
    int64_t n_tensors;
    heedi_tensor *tensor; /* in order of name */
    void *impl;           /* mappings, parsed configuration */
} heedi_checkpoint;

heed_status heedi_checkpoint_open(heedi_checkpoint **out, heed_ctx *ctx,
                                  const char *path);
/* NULL is allowed. */
void heedi_checkpoint_close(heedi_checkpoint *c);

/* By exact name, marked as used; NULL if there is none. */
heedi_tensor *heedi_checkpoint_tensor(heedi_checkpoint *c, const char *name);

/* Resident bytes of this process beside its mapped files. */
uint64_t heedi_checkpoint_beside(const heedi_checkpoint *c);

/* ---- configuration ---- */
typedef enum heedi_kind {
    HEEDI_ABSENT, /* no such key */
    HEEDI_NULL,
    HEEDI_BOOL,
    HEEDI_INT,
    HEEDI_NUM,
    HEEDI_STR,
    HEEDI_LIST,
    HEEDI_OBJECT
} heedi_kind;

typedef struct heedi_value {
    heedi_kind kind;
    int64_t i;       /* of BOOL and INT */
    double f;        /* of INT and NUM; infinities may occur */
    const char *s;   /* of STR */
    int64_t n;       /* of LIST: how many */
    const void *ref; /* for heedi_config_item() and heedi_config_key() */
} heedi_value;

/* A key of config.json, dots going into objects ("rope_scaling.factor"), or a
 * whole key of a GGUF file ("llama.block_count"). Never fails: what is not
 * there is HEEDI_ABSENT. */
heedi_value heedi_config(const heedi_checkpoint *c, const char *key);

/* The configuration becomes the object at this key. HEED_EFORMAT: there is
 * none.
 */
heed_status heedi_config_enter(heedi_checkpoint *c, const char *key);

/* The i-th item of a list. HEEDI_ABSENT beyond its end. */
heedi_value heedi_config_item(const heedi_value *list, int64_t i);

/* A member of an object; HEEDI_ABSENT if there is none. */
heedi_value heedi_config_member(const heedi_value *object, const char *key);

/* A JSON file in the folder of a checkpoint, as a value that lives as long;
 * HEEDI_ABSENT: there is no such file. HEED_EFORMAT, HEED_EIO. */
heed_status heedi_checkpoint_json(heedi_checkpoint *c, const char *name,
                                  heedi_value *out);

/* The name of the i-th key of an object, or NULL (GGUF has no objects). */
const char *heedi_config_key(const heedi_value *object, int64_t i);

#endif
