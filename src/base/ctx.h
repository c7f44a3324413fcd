/* ctx.h - the context from inside, and how a function fails. */
#ifndef HEEDI_CTX_H
#define HEEDI_CTX_H

#include <heed/ctx.h>
#include <stdbool.h>

struct heed_ctx {
    heed_allocator alloc;
    int threads; /* 0: default */
    uint64_t max_memory;
    heed_progress_fn *progress;
    heed_warning_fn *warning;
    void *ud;
    char msg[512];
    void *spare; /* working memory of the last run, for the next */
    size_t spare_bytes;
};

#define HEEDI_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Leave a message and return st, so that failing is one statement:
 *     return heedi_fail(ctx, HEED_EIO, "%s: %s", path, strerror(errno)); */
heed_status heedi_fail(heed_ctx *ctx, heed_status st, const char *fmt, ...)
    HEEDI_PRINTF(3, 4);

/* Put "prefix: " in front of the message and return st. */
heed_status heedi_fail_in(heed_ctx *ctx, heed_status st, const char *prefix);

/* Tell the listener, if there is one. */
void heedi_warn(heed_ctx *ctx, const char *fmt, ...) HEEDI_PRINTF(2, 3);

/* HEED_ECANCEL, with a message, if the listener asks to stop. */
heed_status heedi_progress(heed_ctx *ctx, const char *what, double done,
                           double total);

/* Forget the last message; every public function that takes a context starts
 * with this. */
void heedi_begin(heed_ctx *ctx);

/* n bytes, zeroed; NULL, with a message, if there is no memory. Freed with
 * heedi_free(); NULL is allowed there. For what does not fit an arena. */
void *heedi_alloc(heed_ctx *ctx, size_t n);
/* The same, not zeroed: large memory whose pages are touched where they are
 * used. */
void *heedi_alloc_raw(heed_ctx *ctx, size_t n);
void heedi_free(heed_ctx *ctx, void *p);

/* Working memory of a run, not zeroed: *n bytes at least, and *n becomes what
 * there are. What is handed back is kept for the next run that needs about as
 * much, unless memory is limited: fresh pages cost a twentieth of a backward
 * pass. NULL, with a message, if there is no memory. */
void *heedi_work_take(heed_ctx *ctx, size_t *n);
void heedi_work_give(heed_ctx *ctx, void *p, size_t n);

/* p, which held n items of `size` bytes, with room for `want` at least; *cap
 * is updated. NULL, with a message, leaves p as it was. New bytes are not
 * zeroed. */
void *heedi_grow(heed_ctx *ctx, void *p, size_t *cap, size_t want, size_t size);

/* *out = a * b, false if it does not fit. */
static inline bool heedi_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

/* Return early on failure. Only where nothing but arena memory is held: a
 * function that owns a FILE or an hid_t leaves through one `out:` label. */
#define HEEDI_TRY(expr)           \
    do {                          \
        heed_status st_ = (expr); \
        if (st_ != HEED_OK)       \
            return st_;           \
    } while (0)

#endif
