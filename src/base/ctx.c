#include "ctx.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *resize_malloc(void *ud, void *p, size_t n)
{
    (void)ud;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, n);
}

heed_status heed_ctx_new(heed_ctx **out, const heed_allocator *alloc)
{
    heed_allocator a = alloc ? *alloc : (heed_allocator){resize_malloc, NULL};
    heed_ctx *ctx = a.resize(a.ud, NULL, sizeof *ctx);
    *out = ctx;
    if (!ctx)
        return HEED_ENOMEM;
    *ctx = (heed_ctx){.alloc = a};
    return HEED_OK;
}

void heed_ctx_free(heed_ctx *ctx)
{
    if (!ctx)
        return;
    heed_ctx_trim(ctx);
    ctx->alloc.resize(ctx->alloc.ud, ctx, 0);
}

void heed_ctx_trim(heed_ctx *ctx)
{
    heedi_free(ctx, ctx->spare);
    ctx->spare = NULL;
    ctx->spare_bytes = 0;
}

const char *heed_error(const heed_ctx *ctx)
{
    return ctx->msg;
}

heed_status heed_ctx_threads(heed_ctx *ctx, int n)
{
    heedi_begin(ctx);
    if (n < 0 || n > 4096)
        return heedi_fail(ctx, HEED_EINVAL,
                          "threads is %d, must be from 0 to 4096", n);
    ctx->threads = n;
    return HEED_OK;
}

void heed_ctx_listen(heed_ctx *ctx, heed_progress_fn *progress,
                     heed_warning_fn *warning, void *ud)
{
    ctx->progress = progress;
    ctx->warning = warning;
    ctx->ud = ud;
}

void heed_ctx_max_memory(heed_ctx *ctx, uint64_t bytes)
{
    ctx->max_memory = bytes;
    if (bytes > 0)
        heed_ctx_trim(ctx);
}

void heedi_begin(heed_ctx *ctx)
{
    ctx->msg[0] = '\0';
}

/* Names out of files may hold anything; a message is one line of plain text.
 * U+0080 to U+009F, in UTF-8 from C2 80 on, are controls to a terminal, too. */
static void make_plain(char *text)
{
    for (unsigned char *s = (unsigned char *)text; *s; s++)
        if (*s < 0x20 || *s == 0x7f)
            *s = '?';
        else if (*s == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0)
            s[0] = s[1] = '?';
}

heed_status heedi_fail(heed_ctx *ctx, heed_status st, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(ctx->msg, sizeof ctx->msg, fmt, ap);
    va_end(ap);
    make_plain(ctx->msg);
    return st;
}

heed_status heedi_fail_in(heed_ctx *ctx, heed_status st, const char *prefix)
{
    char old[sizeof ctx->msg];
    memcpy(old, ctx->msg, sizeof old);
    int n = snprintf(ctx->msg, sizeof ctx->msg, "%s: ", prefix);
    if (n >= 0 && (size_t)n < sizeof ctx->msg)
        snprintf(ctx->msg + n, sizeof ctx->msg - (size_t)n, "%s", old);
    make_plain(ctx->msg);
    return st;
}

void heedi_warn(heed_ctx *ctx, const char *fmt, ...)
{
    char text[sizeof ctx->msg];
    if (!ctx->warning)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    make_plain(text);
    ctx->warning(ctx->ud, text);
}

heed_status heedi_progress(heed_ctx *ctx, const char *what, double done,
                           double total)
{
    if (ctx->progress && ctx->progress(ctx->ud, what, done, total) != 0)
        return heedi_fail(ctx, HEED_ECANCEL, "interrupted during %s", what);
    return HEED_OK;
}

/* What is only kept goes before anything fails for it. */
static void *resize(heed_ctx *ctx, void *p, size_t n)
{
    void *q = ctx->alloc.resize(ctx->alloc.ud, p, n);
    if (q || !ctx->spare)
        return q;
    heed_ctx_trim(ctx);
    return ctx->alloc.resize(ctx->alloc.ud, p, n);
}

void *heedi_alloc_raw(heed_ctx *ctx, size_t n)
{
    void *p = n > SIZE_MAX / 4 ? NULL : resize(ctx, NULL, n ? n : 1);
    if (!p) {
        heedi_fail(ctx, HEED_ENOMEM, "no memory for %zu bytes", n);
        return NULL;
    }
    return p;
}

void *heedi_alloc(heed_ctx *ctx, size_t n)
{
    void *p = heedi_alloc_raw(ctx, n);
    return p ? memset(p, 0, n) : NULL;
}

void heedi_free(heed_ctx *ctx, void *p)
{
    if (p)
        ctx->alloc.resize(ctx->alloc.ud, p, 0);
}

void *heedi_grow(heed_ctx *ctx, void *p, size_t *cap, size_t want, size_t size)
{
    if (p && want <= *cap)
        return p;
    size_t n = *cap + *cap / 2 + 16, bytes;
    n = n > want ? n : want;
    void *q = heedi_mul(n, size, &bytes) && bytes <= SIZE_MAX / 4
                  ? resize(ctx, p, bytes)
                  : NULL;
    if (!q) {
        heedi_fail(ctx, HEED_ENOMEM, "no memory for %zu items of %zu bytes",
                   want, size);
        return NULL;
    }
    *cap = n;
    return q;
}

void *heedi_work_take(heed_ctx *ctx, size_t *n)
{
    void *p = ctx->spare;
    if (p && *n <= ctx->spare_bytes && *n >= ctx->spare_bytes / 2) {
        *n = ctx->spare_bytes;
        ctx->spare = NULL;
        ctx->spare_bytes = 0;
        return p;
    }
    heed_ctx_trim(ctx);
    return heedi_alloc_raw(ctx, *n);
}

/* Less is not worth it, and may stay in a heap when it is freed: glibc maps
 * only this much by itself in any case. */
enum { SPARE_LEAST = 32 << 20 };

void heedi_work_give(heed_ctx *ctx, void *p, size_t n)
{
    if (!p || n < SPARE_LEAST || ctx->max_memory > 0 || n < ctx->spare_bytes) {
        heedi_free(ctx, p);
        return;
    }
    heed_ctx_trim(ctx);
    ctx->spare = p;
    ctx->spare_bytes = n;
}
