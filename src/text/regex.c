#include "regex.h"

#include <string.h>

#include "ctx.h"

enum { PATTERN_MAX = 1 << 16 };

static void *re_alloc(size_t n, void *ctx)
{
    return heedi_alloc(ctx, n);
}

static void re_free(void *p, void *ctx)
{
    heedi_free(ctx, p);
}

static pcre2_code *compile(heed_ctx *ctx, const char *p, size_t len, int *err,
                           size_t *at)
{
    pcre2_code *re = NULL;
    pcre2_general_context *g =
        pcre2_general_context_create(re_alloc, re_free, ctx);
    pcre2_compile_context *c = g ? pcre2_compile_context_create(g) : NULL;
    *err = PCRE2_ERROR_HEAP_FAILED;
    /* ^ and $ are of lines, as in Ruby */
    if (c && pcre2_set_newline(c, PCRE2_NEWLINE_LF) == 0)
        re = pcre2_compile((PCRE2_SPTR)p, len,
                           PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE |
                               PCRE2_NEVER_BACKSLASH_C,
                           err, at, c);
    pcre2_compile_context_free(c);
    pcre2_general_context_free(g);
    return re;
}

heed_status heedi_regex_new(pcre2_code **out, heed_ctx *ctx,
                            const char *pattern, size_t len)
{
    int err;
    size_t at = 0, n;
    char *p, why[128] = "";
    *out = NULL;
    if (len > PATTERN_MAX)
        return heedi_fail(ctx, HEED_ENOTSUP,
                          "a pattern is %zu bytes long, must be at most %d",
                          len, PATTERN_MAX);
    HEEDI_TRY(heedi_regex_rewrite(&p, &n, ctx, pattern, len));
    *out = compile(ctx, p, n, &err, &at);
    heedi_free(ctx, p);
    if (*out) {
        /* without JIT the interpreter matches, more slowly */
        pcre2_jit_compile(*out, PCRE2_JIT_COMPLETE);
        return HEED_OK;
    }
    if (err == PCRE2_ERROR_HEAP_FAILED)
        return heedi_fail(ctx, HEED_ENOMEM, "no memory for a pattern");
    pcre2_get_error_message(err, (PCRE2_UCHAR *)why, sizeof why);
    return heedi_fail(ctx, HEED_EFORMAT, "pattern \"%.80s\" is wrong: %s",
                      pattern, why);
}

static heed_status prepare(heedi_matcher *m, heed_ctx *ctx)
{
    if (m->data)
        return HEED_OK;
    pcre2_general_context *g =
        pcre2_general_context_create(re_alloc, re_free, ctx);
    if (g && !m->context)
        m->context = pcre2_match_context_create(g);
    if (m->context)
        m->data = pcre2_match_data_create(1, g);
    pcre2_general_context_free(g);
    return m->data ? HEED_OK
                   : heedi_fail(ctx, HEED_ENOMEM, "no memory for a match");
}

heed_status heedi_regex_find(heedi_matcher *m, heed_ctx *ctx,
                             const pcre2_code *re, const char *s, size_t n,
                             size_t from, size_t *start, size_t *end)
{
    HEEDI_TRY(prepare(m, ctx));
    PCRE2_SPTR p = (PCRE2_SPTR)s;
    size_t steps = 10000000 + 32 * n;
    pcre2_set_match_limit(m->context,
                          steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX);
    int rc =
        pcre2_match(re, p, n, from, PCRE2_NO_UTF_CHECK, m->data, m->context);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) /* the interpreter has a heap */
        rc = pcre2_match(re, p, n, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                         m->data, m->context);
    *start = *end = n + 1;
    if (rc == PCRE2_ERROR_NOMATCH)
        return HEED_OK;
    if (rc < 0) {
        char why[128] = "";
        pcre2_get_error_message(rc, (PCRE2_UCHAR *)why, sizeof why);
        return heedi_fail(
            ctx, rc == PCRE2_ERROR_NOMEMORY ? HEED_ENOMEM : HEED_ENOTSUP,
            "a pattern of the pre-tokenizer or normalizer failed at byte %zu "
            "of a piece: %s",
            from, why);
    }
    const size_t *v = pcre2_get_ovector_pointer(m->data);
    if (v[0] < from || v[1] < v[0])
        return heedi_fail(ctx, HEED_ENOTSUP,
                          "a pattern matched backwards, from byte %zu to %zu",
                          v[0], v[1]);
    *start = v[0];
    *end = v[1];
    return HEED_OK;
}

void heedi_matcher_free(heedi_matcher *m)
{
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    *m = (heedi_matcher){0};
}
