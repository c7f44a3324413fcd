/* token.h - text to token ids and back, with the bytes of every token. */
#ifndef HEED_TOKEN_H
#define HEED_TOKEN_H

#include <heed/ctx.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct heed_token {
    int32_t id;
    int64_t byte_start, byte_end; /* half-open range in the text */
    const char *text; /* for display: valid UTF-8; a fragment of a character
                         is written as its bytes, "⟨F0 9F⟩" */
    int32_t word_id;  /* words of the text (white space and punctuation cut),
                         counted from 0; -1 for a token of no word */
    uint8_t is_special;
    uint8_t is_added; /* put there by the tokenizer; empty byte range */
    uint8_t segment;  /* token type: 0, 1 for those of a second text */
} heed_token;

/* A tokenized text. Owned by the caller, freed with heed_tokens_free(). */
typedef struct heed_tokens {
    int64_t n;
    heed_token *token; /* n of them, in order */
    char *text;        /* UTF-8, text_len bytes and a NUL after them */
    int64_t text_len;
} heed_tokens;

/* Constant once loaded: any number of threads may use it, each with a context
 * of its own. */
typedef struct heed_tokenizer heed_tokenizer;

typedef struct heed_tokenizer_info {
    const char *kind;            /* "byte-level BPE" */
    const char *pre;             /* pre-tokenizer, as the file names it */
    int64_t n_tokens;            /* one more than the greatest id */
    int32_t bos, eos, pad, mask; /* -1: none */
    int adds_bos, adds_eos;
    const char *path; /* of the file it was read from */
} heed_tokenizer_info;

/* Load a tokenizer.
 *   out   owned by the caller; NULL on failure
 *   path  a Hugging Face directory or its tokenizer.json, or a GGUF file
 * Returns HEED_EIO, HEED_EFORMAT, HEED_ENOTSUP (a part that is not understood,
 * by name), HEED_ENOMEM. */
HEED_API HEED_NODISCARD heed_status heed_tokenizer_load(heed_tokenizer **out,
                                                        heed_ctx *ctx,
                                                        const char *path);
HEED_API void heed_tokenizer_free(heed_tokenizer *t);

/* Owned by t. Cannot fail. */
HEED_API const heed_tokenizer_info *
heed_tokenizer_about(const heed_tokenizer *t);

/* Zero-initialise and set by name. */
typedef struct heed_encode_options {
    int special; /* 1: special tokens written in the text are recognised */
    int bos;   /* what is added in front: 0 as the file says, 1 BOS, -1 none */
    int plain; /* 1: nothing is added, whatever the file says */
    const char *pair; /* second text, pair_len bytes of UTF-8; NULL: none */
    int64_t pair_len;
} heed_encode_options;

/* Tokenize `len` bytes of UTF-8.
 *   out  owned by the caller; NULL on failure
 *   o    NULL for the defaults
 * An empty text gives only what the tokenizer adds. With a second text the
 * tokens are those of both, as the tokenizer's template for a pair has them,
 * and `text` is the first followed by the second with nothing in between: byte
 * ranges of the second begin at `len`. A byte for which the
 * vocabulary has no token is dropped with a warning, and leaves a hole between
 * two ranges. Returns HEED_EFORMAT for invalid UTF-8 (with the offset),
 * HEED_EINVAL if BOS is asked for and there is none, HEED_ENOTSUP for a pair
 * whose template has not each text once, HEED_ENOMEM. */
HEED_API HEED_NODISCARD heed_status heed_encode(heed_tokens **out,
                                                heed_ctx *ctx,
                                                const heed_tokenizer *t,
                                                const char *text, int64_t len,
                                                const heed_encode_options *o);

/* Tokens of given ids, with ranges in the text that they decode to.
 *   t  NULL: a model without a tokenizer; tokens are shown as "#123"
 * Returns HEED_EINVAL for a negative id or, with a tokenizer, HEED_OK for an
 * id beyond it, which has no text; HEED_ENOMEM. */
HEED_API HEED_NODISCARD heed_status heed_tokens_of(heed_tokens **out,
                                                   heed_ctx *ctx,
                                                   const heed_tokenizer *t,
                                                   const int32_t *id,
                                                   int64_t n);

/* `a` followed by `b`, as one text: for a prompt and its continuation. */
HEED_API HEED_NODISCARD heed_status heed_tokens_join(heed_tokens **out,
                                                     heed_ctx *ctx,
                                                     const heed_tokens *a,
                                                     const heed_tokens *b);

/* `a` followed by `b`, as two texts that are compared: the tokens of `b` get
 * segment 1, those of `a` segment 0, and no word reaches from one to the
 * other. Byte ranges of `b` begin at a->text_len. */
HEED_API HEED_NODISCARD heed_status heed_tokens_pair(heed_tokens **out,
                                                     heed_ctx *ctx,
                                                     const heed_tokens *a,
                                                     const heed_tokens *b);

/* NULL is allowed. */
HEED_API void heed_tokens_free(heed_ctx *ctx, heed_tokens *tokens);

/* The id of the token whose text is exactly `text` (added and special tokens
 * included); if there is none, the only token that `text` encodes to.
 * Returns HEED_EINVAL, naming the pieces, if that is more than one. */
HEED_API HEED_NODISCARD heed_status heed_token_id(int32_t *id, heed_ctx *ctx,
                                                  const heed_tokenizer *t,
                                                  const char *text);

#ifdef __cplusplus
}
#endif
#endif
