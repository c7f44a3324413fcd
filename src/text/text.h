/* text.h - tokenizers from inside: the two sources they are built from. */
#ifndef HEEDI_TEXT_H
#define HEEDI_TEXT_H

#include <heed/token.h>
#include <stdbool.h>

/* A vocabulary as a GGUF file holds it; everything is borrowed for the call.
 * Strings are len bytes and need not end in NUL. */
typedef struct heedi_str {
    const char *s;
    size_t len;
} heedi_str;

typedef struct heedi_vocab {
    const char *path;  /* of the file, for messages */
    const char *model; /* tokenizer.ggml.model: "gpt2", "llama", ... */
    const char *pre;   /* tokenizer.ggml.pre, or NULL */
    int64_t n;         /* tokens */
    const heedi_str *token;
    const int32_t *type; /* 1 normal, 2 unknown, 3 control, 4 user-defined,
                            5 unused, 6 byte; NULL: all normal */
    const float *score;  /* or NULL */
    int64_t n_merges;
    const heedi_str *merge;                 /* "left right" */
    int32_t bos, eos, unk, sep, pad, cls;   /* -1: none */
    int add_bos, add_eos, add_space_prefix; /* -1: the file does not say */
    heedi_str hf_json; /* tokenizer.huggingface.json: whole; s == NULL: none */
} heedi_vocab;

/* HEED_ENOTSUP names the model or pre-tokenizer that is not understood. */
heed_status heedi_tokenizer_from_vocab(heed_tokenizer **out, heed_ctx *ctx,
                                       const heedi_vocab *v);

/* path: a tokenizer.json; a tokenizer_config.json beside it is read for
 * add_bos_token and the like. */
heed_status heedi_tokenizer_from_json(heed_tokenizer **out, heed_ctx *ctx,
                                      const char *path);

/* path: a vocab.txt, a token on each line, of a BERT; tokenizer_config.json and
 * special_tokens_map.json beside it say how it is used. HEED_ENOTSUP names a
 * class of tokenizer that is not BERT's. A vocabulary of RWKV World is told by
 * its first line. */
heed_status heedi_tokenizer_from_txt(heed_tokenizer **out, heed_ctx *ctx,
                                     const char *path);

/* path: a vocabulary of RWKV World, rwkv_vocab_v20230424.txt or the like.
 * HEED_EFORMAT names the line. */
heed_status heedi_tokenizer_from_world(heed_tokenizer **out, heed_ctx *ctx,
                                       const char *path);
/* Does the first line look like that of such a vocabulary? */
bool heedi_world_is(const char *s, size_t n);

#endif
