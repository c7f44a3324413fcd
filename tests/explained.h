/* explained.h - the explanation of a text that a test makes up. */
#ifndef EXPLAINED_H
#define EXPLAINED_H

#include "sample.h"
#include "testlib.h"

/* An explanation of a text with a token for each of n pieces. */
static inline heed_result *explain(heed_ctx *ctx, const char *const *piece,
                                   int n, const heed_real *x)
{
    enum { MOST = 64 };
    int64_t from[MOST], to[MOST];
    char text[1024] = "";
    const char *whole = text;
    heed_result *r;
    heed_real values[MOST];
    for (int i = 0; i < n; i++) {
        from[i] = (int64_t)strlen(text);
        strcat(text, piece[i]);
        to[i] = (int64_t)strlen(text);
        values[i] = x ? x[i] : (heed_real)(i % 5 - 2);
    }
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    heed_sink s = heed_result_sink(r);
    assert_int_equal(
        sample_put(&s, ctx, "input", "text", HEED_STR, NULL, 0, &whole),
        HEED_OK);
    assert_int_equal(
        sample_put(&s, ctx, "input", "token", HEED_STR, "pos", n, piece),
        HEED_OK);
    assert_int_equal(
        sample_put(&s, ctx, "input", "byte_start", HEED_I64, "pos", n, from),
        HEED_OK);
    assert_int_equal(
        sample_put(&s, ctx, "input", "byte_end", HEED_I64, "pos", n, to),
        HEED_OK);
    assert_int_equal(sample_put(&s, ctx, "explanations/x", "relevance",
                                HEED_TYPE_REAL, "pos", n, values),
                     HEED_OK);
    return r;
}

#endif
