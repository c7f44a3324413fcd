/* utf8.h - validity, and one code point at a time. */
#ifndef HEEDI_UTF8_H
#define HEEDI_UTF8_H

#include <heed/ctx.h>
#include <stdbool.h>

bool heedi_utf8_valid(const char *s);

/* HEED_EINVAL, naming `what`, if one of n strings is not valid or missing. */
heed_status heedi_text_check(heed_ctx *ctx, const char *what, const void *data,
                             int64_t n);

/* The code point at s, which is valid and not at its end; *n bytes long. */
int32_t heedi_utf8_at(const char *s, int *n);
int heedi_utf8_length(const char *s);

/* Columns of a terminal. */
int heedi_utf8_width(int32_t c);

/* The first letter that has a direction runs from right to left. */
bool heedi_utf8_is_rtl(const char *s, int n);

#endif
