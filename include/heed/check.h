/* check.h - a self-test of the library on the caller's own model and text. */
#ifndef HEED_CHECK_H
#define HEED_CHECK_H

#include <heed/image.h>
#include <heed/method.h>
#include <heed/model.h>
#include <heed/token.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Zero-initialise and set by name; zero means the default. */
typedef struct heed_check_options {
    const int64_t *layers; /* whose operations are checked one by one */
    int64_t n_layers;      /* -1: all of them; 0: the first, the middle and the
                              last one */
    int64_t tokens;        /* at most so many tokens of the input for the checks
                              "adjoint", "rule" and "steps"; 0: 64 */
    const char *method;    /* whose rules are checked; NULL: the family's own */
    const heed_setting *settings; /* of the method; NULL: its defaults */
    const char *const *rules;     /* as in heed_request */
    const heed_pixels *pixels;    /* of a model that reads images; else NULL */
} heed_check_options;

/* What one check found. Owned by the report. */
typedef struct heed_check_row {
    const char *name;    /* "adjoint" */
    const char *summary; /* one line: what was compared with what */
    const char *worst;   /* the operation with the greatest error, or the first
                            one whose bits differ; "" where there is none */
    double error, tolerance; /* of bits: how many operations differ, and 0 */
    double amount;    /* of "account" and "total": relevance that is missing, in
                         units of the target, negative where there is too much;
                         `error` is its share of the greater of |target| and
                         sum |R|. NaN of other checks. */
    int passed;       /* 1, 0, or -1: does not apply to this model */
    const char *note; /* "first 64 of 450 tokens", why it does not apply; "" */
} heed_check_row;

typedef struct heed_check_report heed_check_report;

/* Check, on these weights and these tokens: values are finite; the gradient of
 * every operation is the adjoint of its derivative, found by differences;
 * relevance of the method adds up; and no bit depends on
 * the batch, the threads or what is kept in memory; a kept state gives what a
 * whole pass gives.
 *   tokens  one sequence, or two texts as one (heed_tokens_pair()), which a
 *           model of embeddings compares; with o->pixels the rows of
 *           heed_image_tokens(), or NULL
 *   o       NULL for the defaults
 *   out     owned by the caller, also with HEED_ENUMERIC; NULL on other
 *           failures; must be freed before ctx
 * Takes about ten times as long as explaining the input. Returns HEED_ENUMERIC
 * if a check failed, naming the operation; HEED_EINVAL (a layer or an id out of
 * range, an empty or too long input), HEED_ENOMEM, HEED_ECANCEL. */
HEED_API HEED_NODISCARD heed_status heed_check(heed_ctx *ctx,
                                               const heed_model *model,
                                               const heed_tokens *tokens,
                                               const heed_check_options *o,
                                               heed_check_report **out);

/* i-th check in the order they were made, or NULL if i is out of range. After
 * a value that is not finite no more checks are made. Cannot fail. */
HEED_API const heed_check_row *heed_check_at(const heed_check_report *r, int i);

/* NULL is allowed. */
HEED_API void heed_check_free(heed_check_report *r);

#ifdef __cplusplus
}
#endif
#endif
