/* Values of options, from text. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { MAX_ITEMS = 1 << 22 };

/* The integer at the start of *s, which is moved behind it. */
static bool scan_int(const char **s, int64_t *out)
{
    const char *p = *s + (**s == '-');
    char *end;
    if (!isdigit((unsigned char)*p))
        return false;
    errno = 0;
    *out = strtoll(*s, &end, 10);
    *s = end;
    return errno == 0;
}

bool heedi_cli_int_of(const char *text, int64_t *out)
{
    return scan_int(&text, out) && *text == '\0';
}

bool heedi_cli_number_of(const char *text, double *out)
{
    char *end;
    if (!isdigit((unsigned char)*text) && !strchr("+-.", *text))
        return false;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*out);
}

static heed_status wrong(heedi_cli *c, const char *name, const char *text,
                         const char *why)
{
    return heedi_cli_fail(c, HEED_EINVAL, "--%s '%s': %s", name, text, why);
}

static heed_status out_of_range(heedi_cli *c, const heedi_flag *f,
                                const char *name, const char *text)
{
    return heedi_cli_fail(c, HEED_EINVAL,
                          "--%s '%s': must be from %.16g to %.16g", name, text,
                          f->min, f->max);
}

static heed_status read_size(heedi_cli *c, const char *name, const char *text,
                             uint64_t *out)
{
    static const char units[] = "KMGT";
    char *end;
    double x = isdigit((unsigned char)*text) ? strtod(text, &end) : -1;
    if (!(x > 0))
        return wrong(c, name, text, "must be a size such as 512M or 8G");
    const char *u = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    if (u) {
        x = ldexp(x, 10 * (int)(u - units + 1));
        end++;
        end +=
            strcmp(end, "iB") == 0 || strcmp(end, "B") == 0 ? strlen(end) : 0;
    }
    if (*end)
        return wrong(c, name, text, "must be a size such as 512M or 8G");
    if (!(x < 9e18) || x < 1)
        return wrong(c, name, text, "is no size that a computer has");
    *out = (uint64_t)x;
    return HEED_OK;
}

static heed_status push(heedi_cli *c, const heedi_flag *f, heedi_ints *list,
                        size_t *cap, int64_t x)
{
    if (list->n >= MAX_ITEMS)
        return heedi_cli_fail(c, HEED_EINVAL, "--%s: more than %d values",
                              f->name, (int)MAX_ITEMS);
    if ((size_t)list->n == *cap) {
        size_t want = *cap * 2 + 16;
        int64_t *v = realloc(list->v, want * sizeof *v);
        if (!v)
            return heedi_cli_fail(c, HEED_ENOMEM, "--%s: out of memory",
                                  f->name);
        list->v = v;
        *cap = want;
    }
    list->v[list->n++] = x;
    return HEED_OK;
}

/* 1,2,3 and, with ranges, 0,3-5 */
static heed_status read_ints(heedi_cli *c, const heedi_flag *f,
                             const char *name, const char *text,
                             heedi_ints *out)
{
    bool ranges = f->kind == HEEDI_RANGES;
    const char *s = text;
    size_t cap = 0;
    free(out->v);
    *out = (heedi_ints){0};
    for (;;) {
        int64_t a, b;
        s += strspn(s, " ");
        if (!scan_int(&s, &a))
            return wrong(c, name, text,
                         ranges ? "must be a list such as 0,3-5"
                                : "must be integers separated by commas");
        b = a;
        if (ranges && *s == '-') {
            s++;
            if (!scan_int(&s, &b) || b < a)
                return wrong(c, name, text, "must be a list such as 0,3-5");
        }
        if ((double)a < f->min || (double)b > f->max)
            return out_of_range(c, f, name, text);
        for (int64_t x = a; x <= b; x++)
            HEEDI_TRY(push(c, f, out, &cap, x));
        if (*s == '\0')
            return HEED_OK;
        if (*s++ != ',')
            return wrong(c, name, text, "a comma is missing between values");
    }
}

static heed_status read_all(heedi_cli *c, const heedi_flag *f, const char *name,
                            const char *text, heedi_ints *out)
{
    if (strcmp(text, "all") == 0) {
        free(out->v);
        *out = (heedi_ints){NULL, -1};
        return HEED_OK;
    }
    return read_ints(c, f, name, text, out);
}

static char as_name(char c)
{
    return c == '-' ? '_' : (char)tolower((unsigned char)c);
}

static heed_status read_names(heedi_cli *c, const char *name, const char *text,
                              bool as_is, heedi_names *out)
{
    for (const char *s = text;; s++) {
        size_t n = strcspn(s, ",");
        if (n == 0)
            return wrong(c, name, text, "a name is empty");
        char **v = realloc(out->v, ((size_t)out->n + 2) * sizeof *v);
        char *word = v ? malloc(n + 1) : NULL;
        out->v = v ? v : out->v;
        if (!word)
            return heedi_cli_fail(c, HEED_ENOMEM, "--%s: out of memory", name);
        for (size_t i = 0; i < n; i++)
            word[i] = as_is ? s[i] : as_name(s[i]);
        word[n] = '\0';
        v[out->n++] = word;
        v[out->n] = NULL;
        s += n;
        if (*s == '\0')
            return HEED_OK;
    }
}

/* Which word of "a|b|c" text is, counted from 1. */
static heed_status read_word(heedi_cli *c, const heedi_flag *f,
                             const char *name, const char *text, int *out)
{
    int i = 1;
    for (const char *w = f->words; *w; i++) {
        size_t n = strcspn(w, "|");
        if (heedi_cli_same_name(text, w, n)) {
            *out = i;
            return HEED_OK;
        }
        w += n + (w[n] == '|');
    }
    return heedi_cli_fail(c, HEED_EINVAL, "--%s '%s': must be one of %s", name,
                          text, f->words);
}

heed_status heedi_cli_value_read(heedi_cli *c, const heedi_flag *f,
                                 const char *name, const char *text)
{
    void *to = (char *)&c->args + f->offset;
    int64_t i;
    double x;
    switch (f->kind) {
    case HEEDI_SWITCH:
        *(int *)to = 1;
        return HEED_OK;
    case HEEDI_TEXT:
        *(const char **)to = text;
        return HEED_OK;
    case HEEDI_WORD:
        return read_word(c, f, name, text, to);
    case HEEDI_INTEGER:
        if (!heedi_cli_int_of(text, &i))
            return wrong(c, name, text, "must be an integer");
        if ((double)i < f->min || (double)i > f->max)
            return out_of_range(c, f, name, text);
        *(int64_t *)to = i;
        return HEED_OK;
    case HEEDI_NUMBER:
        if (!heedi_cli_number_of(text, &x))
            return wrong(c, name, text, "must be a number");
        if (x < f->min || x > f->max)
            return out_of_range(c, f, name, text);
        *(double *)to = x;
        return HEED_OK;
    case HEEDI_SIZE:
        return read_size(c, name, text, to);
    case HEEDI_INTS:
        return read_ints(c, f, name, text, to);
    case HEEDI_RANGES:
    case HEEDI_AT_LIST:
        return read_all(c, f, name, text, to);
    case HEEDI_NAMES:
    case HEEDI_TEXTS:
        return read_names(c, name, text, f->kind == HEEDI_TEXTS, to);
    }
    return heedi_cli_fail(c, HEED_EINTERNAL, "--%s: option of no kind", name);
}
