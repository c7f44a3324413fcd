/* onig.c - patterns are written for Oniguruma with the syntax of Ruby; what
 * PCRE2 reads otherwise is rewritten here, or refused. */
#include <string.h>

#include "ctx.h"
#include "regex.h"

typedef struct rewriter {
    heed_ctx *ctx;
    const char *s; /* the pattern, n bytes, read up to `at` */
    size_t n, at;
    char *out;
    size_t len, cap;
    bool in_class;
    size_t class_at; /* where it began */
    int depth;       /* classes within it */
} rewriter;

/* Inside brackets a word character is no other number (No), outside it may
 * be: so it is in Oniguruma 6.9. */
#define WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
#define HEX  "0-9A-Fa-f"
#define SPACE                                                     \
    "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}" \
    "\\x{2029}\\x{202F}\\x{205F}\\x{3000}"

static const struct escape {
    char c;
    const char *alone, *in_class; /* NULL: refused */
} escapes[] = {
    {'w', "[" WORD "\\p{No}]", WORD},
    {'W', "[^" WORD "\\p{No}]", NULL},
    {'s', "[" SPACE "]", SPACE},
    {'S', "[^" SPACE "]", "\\P{White_Space}"},
    {'h', "[" HEX "]", HEX},
    {'H', "[^" HEX "]", NULL},
    {'Q', NULL, NULL},
    {'E', NULL, NULL},
};

static const struct posix {
    const char *name, *to; /* NULL: refused */
} posixes[] = {
    {"[:alpha:]", "\\p{Alphabetic}"},
    {"[:alnum:]", "\\p{Alphabetic}\\p{Nd}"},
    {"[:upper:]", "\\p{Uppercase}"},
    {"[:lower:]", "\\p{Lowercase}"},
    {"[:space:]", SPACE},
    {"[:word:]", WORD},
    {"[:digit:]", "\\p{Nd}"},
    {"[:punct:]", "\\p{P}\\p{S}"},
    {"[:xdigit:]", HEX},
};

static heed_status put(rewriter *r, const char *s, size_t n)
{
    char *p = heedi_grow(r->ctx, r->out, &r->cap, r->len + n, 1);
    if (!p)
        return HEED_ENOMEM;
    r->out = p;
    memcpy(p + r->len, s, n);
    r->len += n;
    return HEED_OK;
}

static heed_status take(rewriter *r, size_t n)
{
    HEEDI_TRY(put(r, r->s + r->at, n));
    r->at += n;
    return HEED_OK;
}

static heed_status refuse(rewriter *r, size_t n)
{
    return heedi_fail(r->ctx, HEED_ENOTSUP,
                      "pattern \"%.80s\": \"%.*s\" at byte %zu is not "
                      "supported",
                      r->s, (int)n, r->s + r->at, r->at);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

static heed_status escape(rewriter *r)
{
    size_t left = r->n - r->at;
    if (left < 2)
        return take(r, left); /* PCRE2 says what is wrong */
    char c = r->s[r->at + 1];
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        const struct escape *e = escapes + i;
        const char *to = r->in_class ? e->in_class : e->alone;
        if (e->c != c)
            continue;
        if (!to)
            return refuse(r, 2);
        r->at += 2;
        return put(r, to, strlen(to));
    }
    if (c != 'u')
        return take(r, 2);
    for (size_t i = 2; i < 6; i++)
        if (i >= left || !is_hex(r->s[r->at + i]))
            return refuse(r, 2);
    HEEDI_TRY(put(r, "\\x{", 3));
    HEEDI_TRY(put(r, r->s + r->at + 2, 4));
    r->at += 6;
    return put(r, "}", 1);
}

/* A class within a class adds what it has: it goes without its brackets, which
 * PCRE2 does not know there. Refused where that would change what it says: a
 * complement, a bracket or hyphen at an end, a hyphen before or after. */
static heed_status nested(rewriter *r)
{
    const char *p = r->s + r->at;
    const size_t left = r->n - r->at;
    const bool opens = *p == '[';
    if (opens && (p[-1] == '-' || left < 2 || strchr("^]-", p[1])))
        return refuse(r, left < 2 ? 1 : 2);
    if (!opens && (p[-1] == '-' || (left > 1 && p[1] == '-')))
        return refuse(r, 1);
    r->depth += opens ? 1 : -1;
    r->at++;
    return HEED_OK;
}

static heed_status in_class(rewriter *r)
{
    const char *p = r->s + r->at;
    size_t left = r->n - r->at;
    if (*p == '[') {
        for (size_t i = 0; i < sizeof posixes / sizeof *posixes; i++) {
            size_t n = strlen(posixes[i].name);
            if (left < n || memcmp(p, posixes[i].name, n) != 0)
                continue;
            r->at += n;
            return put(r, posixes[i].to, strlen(posixes[i].to));
        }
        return left > 1 && p[1] == ':' ? refuse(r, 2) : nested(r);
    }
    if (*p == ']' && r->depth > 0)
        return nested(r);
    if (*p == '&' && left > 1 && p[1] == '&')
        return refuse(r, 2);
    bool first =
        r->at == r->class_at + 1 || (r->at == r->class_at + 2 && p[-1] == '^');
    r->in_class = *p != ']' || first;
    return take(r, 1);
}

/* x{1,3}+ repeats again in Ruby; in PCRE2 it does not give back. */
static heed_status repeat(rewriter *r)
{
    size_t i = r->at + 1;
    while (i < r->n && (r->s[i] == ',' || (r->s[i] >= '0' && r->s[i] <= '9')))
        i++;
    if (i > r->at + 1 && i + 1 < r->n && r->s[i] == '}' && r->s[i + 1] == '+')
        return refuse(r, i + 2 - r->at);
    return take(r, 1);
}

/* (?m: lets the point match a newline, which PCRE2 calls s; i and x are the
 * same in both. */
static heed_status group(rewriter *r)
{
    size_t i = r->at + 1;
    if (i < r->n && r->s[i] == '*')
        return refuse(r, 2);
    if (i >= r->n || r->s[i] != '?')
        return take(r, 1);
    size_t k = i + 1;
    while (k < r->n && strchr("imx-", r->s[k]) && r->s[k])
        k++;
    if (k >= r->n || (r->s[k] != ':' && r->s[k] != ')'))
        return take(r, 2);
    for (size_t from = r->at; from <= k; from++)
        HEEDI_TRY(put(r, r->s[from] == 'm' ? "s" : r->s + from, 1));
    r->at = k + 1;
    return HEED_OK;
}

static heed_status rewrite(rewriter *r)
{
    while (r->at < r->n) {
        char c = r->s[r->at];
        if (c == '\\') {
            HEEDI_TRY(escape(r));
        } else if (r->in_class) {
            HEEDI_TRY(in_class(r));
        } else if (c == '[') {
            r->in_class = true;
            r->class_at = r->at;
            HEEDI_TRY(take(r, 1));
        } else if (c == '{') {
            HEEDI_TRY(repeat(r));
        } else if (c == '(') {
            HEEDI_TRY(group(r));
        } else {
            HEEDI_TRY(take(r, 1));
        }
    }
    return HEED_OK;
}

heed_status heedi_regex_rewrite(char **out, size_t *out_len, heed_ctx *ctx,
                                const char *pattern, size_t len)
{
    rewriter r = {.ctx = ctx, .s = pattern, .n = len};
    heed_status st = rewrite(&r);
    if (st == HEED_OK)
        st = put(&r, "", 1);
    if (st != HEED_OK) {
        heedi_free(ctx, r.out);
        r.out = NULL;
    }
    *out = r.out;
    *out_len = r.len ? r.len - 1 : 0;
    return st;
}
