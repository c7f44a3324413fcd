/* regex.h - PCRE2, reading patterns as the original library does. */
#ifndef HEEDI_REGEX_H
#define HEEDI_REGEX_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <heed/ctx.h>
#include <pcre2.h>
#include <stdbool.h>

/* What a call needs besides the pattern, which is constant. Zero-initialised:
 * nothing yet. */
typedef struct heedi_matcher {
    pcre2_match_data *data;
    pcre2_match_context *context;
} heedi_matcher;

/* Memory of the context, which must outlive the code.
 *   out  freed with pcre2_code_free(); NULL on failure
 * HEED_EFORMAT names the pattern, the offset and the reason; HEED_ENOTSUP what
 * PCRE2 reads in another way; HEED_ENOMEM. */
heed_status heedi_regex_new(pcre2_code **out, heed_ctx *ctx,
                            const char *pattern, size_t len);

/* The pattern as PCRE2 writes it, ended by NUL; *out is freed with
 * heedi_free(). HEED_ENOTSUP, HEED_ENOMEM. */
heed_status heedi_regex_rewrite(char **out, size_t *out_len, heed_ctx *ctx,
                                const char *pattern, size_t len);

/* The first match in s[from..n), which is valid UTF-8; *start is n + 1 if there
 * is none. HEED_ENOTSUP if the pattern needs too many steps. */
heed_status heedi_regex_find(heedi_matcher *m, heed_ctx *ctx,
                             const pcre2_code *re, const char *s, size_t n,
                             size_t from, size_t *start, size_t *end);
void heedi_matcher_free(heedi_matcher *m);

#endif
