/* attribute.h - explain a prediction. */
#ifndef HEED_ATTRIBUTE_H
#define HEED_ATTRIBUTE_H

#include <heed/image.h>
#include <heed/method.h>
#include <heed/model.h>
#include <heed/result.h>
#include <heed/token.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The position of a target where none is given: the last one; in a masked
 * model that of the only mask token, for which the request needs a tokenizer.
 * Labels and embeddings are of the whole text: nothing else is allowed. */
#define HEED_AT_HEAD INT64_MIN

/* One number to explain. Zero-initialise with HEED_TARGET and set by name. */
typedef struct heed_target {
    const char *kind; /* see heed_target_at(); NULL: "logit", "class" of a model
                         with labels, "similarity" of one with embeddings */
    int64_t at;       /* position whose next token (in a masked model whose own
                         token) is explained; negative counts from the end */
    int32_t token;    /* or label; -1: the most likely one */
    int32_t foil;     /* of a contrast; -1: the second most likely one */
} heed_target;
#define HEED_TARGET             \
    {                           \
        0, HEED_AT_HEAD, -1, -1 \
    }

typedef struct heed_target_info {
    const char *name, *aliases; /* aliases are space-separated */
    const char *summary;
    int contrast;   /* 1: takes a foil */
    int no_token;   /* 1: a number of all tokens or of texts: target_id is -1,
                       target_text is "" */
    int pair;       /* 1: of two texts, see heed_tokens_pair() */
    unsigned heads; /* 1 << heed_head of the models that have it */
} heed_target_info;

/* i-th kind of target, or NULL if i is out of range. Static storage. */
HEED_API const heed_target_info *heed_target_at(int i);

/* One sequence and what to explain of it. Of a target that compares two texts,
 * the tokens are those of both, the second of segment 1: they are run apart,
 * and explained together. */
typedef struct heed_input {
    const heed_tokens *tokens; /* with pixels: heed_image_tokens(), or NULL */
    const heed_target *target; /* n_targets of them; NULL: the default one */
    int64_t n_targets;
    const heed_pixels *pixels; /* of a model that reads images; else NULL */
} heed_input;

/* Zero-initialise and set by name, so that fields added later keep their
 * defaults. Everything is borrowed for the call. */
typedef struct heed_request {
    const heed_model *model;
    const heed_tokenizer *tokenizer; /* for the text of targets; NULL: "#12" */
    const char *method;              /* name or alias; NULL: the family's own */
    const heed_setting *settings;    /* ends at name == NULL; NULL: defaults */
    const heed_input *input;         /* n_inputs sequences, run as one batch;
                                        results do not depend on the batch */
    int64_t n_inputs;
    const char *reduce; /* over the hidden dimension: "sum" (default), "mean",
                           "l1", "l2", "absmax", "max"; NULL: the method's */
    /* Of attention maps, and refused by methods that make none: which layers
     * and heads to store; NULL: all. */
    const int64_t *layers, *heads;
    int64_t n_layers, n_heads;
    /* Likewise: channels in place of heads, where layers have a matrix for
     * each; query rows, in rising order, negative ones from the end, or
     * every row_step-th, the last one among them; NULL and 0: all. */
    const int64_t *channels, *rows;
    int64_t n_channels, n_rows, row_step;
    int ledger; /* 1: relevance in and out of every operation, too */
    double tol; /* largest accepted residual, relative to the greater of
                   |target| and sum |R|; 0: 1e-4, and none for methods that
                   approximate */
    const char *const *keep; /* ends at NULL: "layer", of images "channel";
                                NULL: nothing more */
    const char *group;       /* NULL: "explanations/METHOD"; where results go */
    uint64_t seed;           /* of methods that draw random numbers */
    int streams; /* 1: the sink keeps no array in memory: of attention maps the
                    plan then counts a few rows, not the whole map */
    uint64_t program; /* of the plan: heed_plan_program() before the caller
                         opened files or kept results; 0: as it is now */
    uint64_t files;   /* bytes that writing files takes while the run lasts,
                         see heed_format_info.memory; part of the plan's
                         results */
    const char *const *rules; /* ends at NULL: "mlp.*=gamma:0.05", rules of
                                 operations by patterns of their names, the
                                 last match wins; NULL: the method's own */
    const char *const *position_by; /* ends at NULL: "head", "frequency",
                                       "distance", "cos_sin": how relevance of
                                       positions is split, of methods that read
                                       it; NULL: by layer alone */
    const char *leaf;  /* the tensor that is explained, of methods that read
                          gradients or relevance at one: "word", the token
                          embedding as it enters the model, or the patches;
                          "sum", with positions and token types added;
                          "normed", what a norm right behind makes of it.
                          NULL: "word". HEED_ENOTSUP: the model adds nothing, or
                          has no such norm */
    int center_logits; /* 1: a target "logit" is the logit less the mean of all
                          others; no other kind of target may be asked for */
    int64_t top;       /* > 0: of kept heads and neurons the so many of greatest
                          |relevance| alone, summed over tokens: arrays
                          "top_head_layer", "top_head_number", "top_head_relevance"
                          and those of neurons */
} heed_request;

/* Run a method; sink[i] receives the result of input[i].
 * Writes "input/..." and "explanations/METHOD/..." (docs/formats.md); of
 * methods that give maps, "attention/...".
 * Returns HEED_EINVAL, HEED_ENOTSUP (a method that the family cannot run),
 * HEED_ENOMEM (also if the plan exceeds heed_ctx_max_memory(), before anything
 * runs), HEED_ENUMERIC (a value is not finite, or a conserving method's
 * residual exceeds `tol`: then everything has been written), HEED_ECANCEL, and
 * what the sink returns. */
HEED_API HEED_NODISCARD heed_status heed_attribute(heed_ctx *ctx,
                                                   const heed_request *q,
                                                   const heed_sink *sink);

/* The "input" group of one sequence. */
HEED_API HEED_NODISCARD heed_status heed_put_input(const heed_sink *s,
                                                   heed_ctx *ctx,
                                                   const heed_tokens *tokens);

/* Bytes by which what a process holds before it runs differs from one process
 * to the next: a limit for another one is peak_min and this. */
#define HEED_PROGRAM_VARIES (1 << 20)

/* The memory a run will need, in bytes, each part by itself. */
typedef struct heed_plan {
    uint64_t program;     /* resident now: program, libraries, tokenizer */
    uint64_t weights;     /* pages of mapped files that will be touched */
    uint64_t activations; /* kept for the backward pass */
    uint64_t
        scratch;   /* of one block, forward or backward, with decoded panels */
    uint64_t blas; /* buffers of the BLAS */
    uint64_t results;
    uint64_t peak;     /* sum of all; of images at least `program` and what it
                          took to read them */
    uint64_t peak_min; /* the least it could be made, by recomputing all and
                          with the lowest panels of maps: the least that
                          heed_ctx_max_memory() may be */
    uint64_t peak_max; /* with every block kept */
    int64_t n_blocks, n_kept;
} heed_plan;

/* What heed_attribute() would do with memory, without running anything.
 * Errors as there, HEED_ENOMEM included. */
HEED_API HEED_NODISCARD heed_status heed_plan_of(heed_ctx *ctx,
                                                 const heed_request *q,
                                                 heed_plan *out);

/* What a plan made now would have as `program`: resident bytes of the process
 * without mapped pages of the model; 0 if the system does not say. Where
 * libraries and stacks lie is chosen anew for each process, which changes it by
 * some 0.3 MiB. Cannot fail. */
HEED_API uint64_t heed_plan_program(const heed_model *m);

#ifdef __cplusplus
}
#endif
#endif
