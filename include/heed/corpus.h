/* corpus.h - the explanations of many inputs in one HDF5 file.
 *
 * The file at PATH is whole at every moment: it holds all inputs for which
 * heed_corpus_add() returned, whatever ends the process. Work goes on in
 * PATH.part. The layout is in docs/formats.md. */
#ifndef HEED_CORPUS_H
#define HEED_CORPUS_H

#include <heed/result.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct heed_corpus heed_corpus;

/* Start a file, or go on with one.
 *   run      attributes of the root ("" of the result), the same for all inputs
 *            and for every call that goes on with the file; `created`,
 *            `history` and `threads` may differ and stay as they are
 *   several  1: an input has any number of targets, 0: each has one
 *   force    1: what is at path is replaced when the first input is added
 *   done     how many inputs the file has
 * `run` is borrowed until the corpus is closed. Returns HEED_EOUTPUT if the
 * file is another one (the sentence names the attribute that differs), is
 * being written by another process, or cannot be written; HEED_ENOTSUP in a
 * build without HDF5; HEED_ENOMEM. */
HEED_API HEED_NODISCARD heed_status
heed_corpus_open(heed_corpus **out, heed_ctx *ctx, const char *path,
                 const heed_result *run, int several, int force, int64_t *done);

/* Append one input: the group `input` and the explanations of r, and
 * `input_sha256` of its root. Arrays that only some inputs have are NaN for the
 * others (sinks: 0). HEED_ENOTSUP names an array that cannot be appended, a map
 * of attention; HEED_EINVAL one that does not fit those before it;
 * HEED_EOUTPUT, HEED_ENOMEM. After a failure PATH is what it was, and only
 * heed_corpus_close() may follow. */
HEED_API HEED_NODISCARD heed_status heed_corpus_add(heed_corpus *c,
                                                    const heed_result *r);

/* Remove PATH.part and free. NULL is allowed. Cannot fail. */
HEED_API void heed_corpus_close(heed_corpus *c);

#ifdef __cplusplus
}
#endif
#endif
