/* predict.h - the most likely next tokens. */
#ifndef HEED_PREDICT_H
#define HEED_PREDICT_H

#include <heed/image.h>
#include <heed/model.h>
#include <heed/token.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct heed_candidate {
    int32_t id;
    double logit, logprob; /* natural logarithm of the probability */
} heed_candidate;

/* The `top` most likely tokens after position at[i], for i < n_at, best first;
 * of equal logits the smaller id comes first.
 *   id    n token ids of one sequence
 *   at    positions, 0 ... n-1
 *   out   n_at * top values, the caller's
 *   top   at most the size of the vocabulary
 * Returns HEED_EINVAL (an id, a position or top out of range; an empty
 * sequence; a sequence longer than the model allows), HEED_ENOMEM,
 * HEED_ENUMERIC, HEED_ECANCEL. */
HEED_API HEED_NODISCARD heed_status
heed_predict(heed_ctx *ctx, const heed_model *m, const int32_t *id, int64_t n,
             const int64_t *at, int64_t n_at, int64_t top, heed_candidate *out);

/* The `top` best classes of a picture. Errors as heed_predict(), and as
 * heed_image_tokens(). */
HEED_API HEED_NODISCARD heed_status
heed_predict_image(heed_ctx *ctx, const heed_model *m,
                   const heed_pixels *pixels, int64_t top, heed_candidate *out);

/* The same of tokens with their segments: a pair of texts. Of a model with
 * labels, `at` is the position 0, and candidates are labels; logprob is that of
 * the label among all, or, where they do not exclude each other (several may
 * hold, or there is only one), that it holds. HEED_ENOTSUP for a model that
 * makes embeddings. */
HEED_API HEED_NODISCARD heed_status heed_predict_tokens(
    heed_ctx *ctx, const heed_model *m, const heed_tokens *t, const int64_t *at,
    int64_t n_at, int64_t top, heed_candidate *out);

/* The embedding of a text: pooled over its tokens and, if the model says so,
 * divided by its length.
 *   out  as many values as the model is wide, the caller's
 * Returns HEED_ENOTSUP for a model with another head, and errors as
 * heed_predict(). */
HEED_API HEED_NODISCARD heed_status heed_embed(heed_ctx *ctx,
                                               const heed_model *m,
                                               const heed_tokens *t,
                                               double *out);

/* Continue a sequence greedily by n_new tokens, one step at a time with the
 * state kept; stops early after `eos` (-1: never).
 *   out    n_new ids, the caller's
 *   n_out  how many were written
 * Errors as heed_predict(). */
HEED_API HEED_NODISCARD heed_status heed_generate(heed_ctx *ctx,
                                                  const heed_model *m,
                                                  const int32_t *id, int64_t n,
                                                  int64_t n_new, int32_t eos,
                                                  int32_t *out, int64_t *n_out);

#ifdef __cplusplus
}
#endif
#endif
