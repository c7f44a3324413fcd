/* model.h - a checkpoint, loaded. */
#ifndef HEED_MODEL_H
#define HEED_MODEL_H

#include <heed/ctx.h>
#include <heed/real.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A family of models that this build can load. */
typedef struct heed_family_info {
    const char *name;    /* "llama": model_type of config.json, or of that of
                            larger models */
    const char *gguf;    /* general.architecture, or "" */
    const char *summary; /* one line */
    const char *method;  /* the default of `attribute` */
} heed_family_info;

/* i-th family in name order, or NULL if i is out of range. Static storage.
 * Cannot fail. */
HEED_API const heed_family_info *heed_family_at(int i);

/* What a model makes of a text. */
typedef enum heed_head {
    HEED_HEAD_NEXT,     /* logits of the token after each position */
    HEED_HEAD_MASKED,   /* logits of the token at each position */
    HEED_HEAD_CLASS,    /* logits of labels, once for the whole text */
    HEED_HEAD_EMBEDDING /* one vector for the whole text */
} heed_head;

/* "next token", "masked token", "class", "embedding". Static storage. */
HEED_API const char *heed_head_name(heed_head h);

/* Constant once loaded. Weights are views into mapped files. */
typedef struct heed_model heed_model;

typedef struct heed_model_info {
    const heed_family_info *family;
    const char *path;   /* as given */
    const char *name;   /* last part of the path, without .gguf */
    const char *dtype;  /* on disk, most bytes first: "q4_1,q8_0,f32" */
    const char *source; /* "gguf", "safetensors", "pytorch" */
    const char *rope;   /* as understood: "llama3 factor=8 ...", or, of several,
                           "global linear ...; local default ...", or "" */
    const char *act;    /* activation of the feed-forward part */
    int64_t n_layers, width, n_heads, n_kv_heads, head_dim, ff, vocab, context;
    int64_t n_weights;    /* numbers */
    int64_t weight_bytes; /* on disk */
    int tied;             /* the head is the embedding */
    heed_head head;
    int64_t n_labels;         /* of a class head */
    const char *const *label; /* their names */
    int multi_label;          /* each label is true or not by itself */
    const char *pooling;      /* of an embedding: "mean", "cls", ...; or "" */
    int normalizes;           /* embeddings are divided by their length */
    int64_t n_segments;       /* token types, 0: there are none */
    int64_t image_height, image_width, image_channels; /* 0: reads text */
    int64_t patch_height, patch_width;                 /* in pixels */
} heed_model_info;

/* Load a checkpoint: a Hugging Face directory (config.json and
 * model.safetensors or its index, else pytorch_model.bin or its index), or a
 * GGUF file.
 *   out  owned by the caller; NULL on failure; must be freed before ctx
 * Returns HEED_EIO, HEED_EFORMAT, HEED_ESHAPE, HEED_ENOTSUP (naming the
 * architecture, activation, rope type, quantisation ...), HEED_ENOMEM. */
HEED_API HEED_NODISCARD heed_status heed_model_load(heed_model **out,
                                                    heed_ctx *ctx,
                                                    const char *path);
/* NULL is allowed. */
HEED_API void heed_model_free(heed_model *m);

/* Owned by m. Cannot fail. */
HEED_API const heed_model_info *heed_model_about(const heed_model *m);

/* SHA-256 of the weights, the configuration and the tokenizer, in hex; of
 * several files, of the lines "HASH  NAME\n" in order of name; "" where there
 * is none. Reads every byte of the checkpoint. HEED_EIO. */
HEED_API HEED_NODISCARD heed_status heed_model_hash(heed_ctx *ctx,
                                                    const char *path,
                                                    char weights[65],
                                                    char config[65],
                                                    char tokenizer[65]);

/* SHA-256 of n bytes, in hex. Cannot fail. */
HEED_API void heed_sha256(const void *data, size_t n, char hex[65]);

#ifdef __cplusplus
}
#endif
#endif
