/* ctx.h - the caller's handle: allocator, threads, progress, last message.
 *
 * The library has no globals. A context is used by one thread at a time;
 * separate contexts are independent. */
#ifndef HEED_CTX_H
#define HEED_CTX_H

#include <heed/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct heed_ctx heed_ctx;

/* Where the library's memory comes from. resize(ud, NULL, n) returns n bytes
 * aligned as by malloc, or NULL; resize(ud, p, 0) frees p and returns NULL.
 * Memory of OpenBLAS, HDF5, Cairo and other libraries is not among it. */
typedef struct heed_allocator {
    void *(*resize)(void *ud, void *p, size_t n);
    void *ud; /* borrowed; must outlive the context */
} heed_allocator;

/* Called from time to time during long work, on the thread that called the
 * library: `done` of `total` units of `what` ("forward", "backward", ...).
 * Return 0 to go on; anything else ends the work with HEED_ECANCEL. */
typedef int heed_progress_fn(void *ud, const char *what, double done,
                             double total);

/* Told something that is no failure, one sentence without a newline: a token
 * that was dropped, a negative logit. `text` is valid during the call. */
typedef void heed_warning_fn(void *ud, const char *text);

/* Create a context.
 *   out    owned by the caller, who frees it with heed_ctx_free(); NULL on
 *          failure
 *   alloc  copied; NULL for malloc
 * Returns HEED_ENOMEM. */
HEED_API HEED_NODISCARD heed_status heed_ctx_new(heed_ctx **out,
                                                 const heed_allocator *alloc);

/* Free a context and what it owns; NULL is allowed. Objects made with it must
 * be freed first. Cannot fail. */
HEED_API void heed_ctx_free(heed_ctx *ctx);

/* Why the last call that took ctx failed: one sentence with the values in it,
 * "" if it succeeded. Owned by ctx and valid until the next call that takes
 * ctx. Cannot fail. */
HEED_API const char *heed_error(const heed_ctx *ctx);

/* Number of threads of the calls that follow; 0 (the default) means
 * OMP_NUM_THREADS, else the processors this process may use. Results do not
 * depend on it. Returns HEED_EINVAL below 0 or above 4096. */
HEED_API HEED_NODISCARD heed_status heed_ctx_threads(heed_ctx *ctx, int n);

/* The number of threads that work would use now. Cannot fail. */
HEED_API int heed_ctx_thread_count(const heed_ctx *ctx);

/* Be told of progress and of warnings; NULL for silence. ud is borrowed and
 * handed to both. Cannot fail. */
HEED_API void heed_ctx_listen(heed_ctx *ctx, heed_progress_fn *progress,
                              heed_warning_fn *warning, void *ud);

/* Most bytes that a run may need at its peak, as planned before it starts
 * (see heed_plan_of()); 0 (the default) for no limit. Cannot fail. */
HEED_API void heed_ctx_max_memory(heed_ctx *ctx, uint64_t bytes);

/* Give back the working memory that a context keeps from its last run for the
 * next one: about what the run needed at its peak, less the weights. Nothing
 * is kept while heed_ctx_max_memory() is set. Cannot fail. */
HEED_API void heed_ctx_trim(heed_ctx *ctx);

#ifdef __cplusplus
}
#endif
#endif
