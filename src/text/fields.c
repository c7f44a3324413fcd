#include "fields.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctx.h"

heed_status heedi_file_of(FILE **out, heed_ctx *ctx, const char *path)
{
    struct stat s;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool regular = fd >= 0 && fstat(fd, &s) == 0 && S_ISREG(s.st_mode);
    *out = regular ? fdopen(fd, "rb") : NULL;
    if (*out)
        return HEED_OK;
    heed_status st =
        fd < 0 || regular
            ? heedi_fail(ctx, HEED_EIO, "%s: %s", path, strerror(errno))
            : heedi_fail(ctx, HEED_EIO, "%s is not a regular file", path);
    if (fd >= 0)
        close(fd);
    return st;
}

heed_status heedi_text_of(char **out, size_t *len, heed_ctx *ctx,
                          const char *path)
{
    enum { STEP = 1 << 16, MOST = 1 << 28 };
    FILE *f;
    size_t cap = 0, got = 1;
    heed_status st = heedi_file_of(&f, ctx, path);
    *out = NULL;
    *len = 0;
    while (st == HEED_OK && got > 0) {
        char *p = heedi_grow(ctx, *out, &cap, *len + STEP, 1);
        if (p)
            *out = p;
        got = p ? fread(p + *len, 1, STEP, f) : 0;
        *len += got;
        if (!p)
            st = HEED_ENOMEM;
        else if (ferror(f))
            st = heedi_fail(ctx, HEED_EIO, "the file could not be read");
        else if (*len > MOST)
            st = heedi_fail(ctx, HEED_EFORMAT, "over %d bytes", MOST);
    }
    if (f)
        fclose(f);
    return st;
}

static heed_status wrong(heed_ctx *ctx, const char *where, const char *key,
                         const char *want)
{
    return heedi_fail(ctx, HEED_EFORMAT, "%s: \"%s\" is not %s", where, key,
                      want);
}

static const json_t *field(const json_t *j, const char *key)
{
    const json_t *x = json_object_get(j, key);
    return json_is_null(x) ? NULL : x;
}

heed_status heedi_field_bool(heed_ctx *ctx, const json_t *j, const char *where,
                             const char *key, bool *out)
{
    const json_t *x = field(j, key);
    if (x && !json_is_boolean(x))
        return wrong(ctx, where, key, "true or false");
    if (x)
        *out = json_is_true(x);
    return HEED_OK;
}

heed_status heedi_field_int(heed_ctx *ctx, const json_t *j, const char *where,
                            const char *key, int32_t *out)
{
    const json_t *x = field(j, key);
    if (!x)
        return HEED_OK;
    if (!json_is_integer(x))
        return wrong(ctx, where, key, "an integer");
    json_int_t v = json_integer_value(x);
    if (v < 0 || v >= INT32_MAX)
        return heedi_fail(ctx, HEED_EFORMAT,
                          "%s: \"%s\" is %lld, must be from 0 to 2147483646",
                          where, key, (long long)v);
    *out = (int32_t)v;
    return HEED_OK;
}

heed_status heedi_field_str(heed_ctx *ctx, const json_t *j, const char *where,
                            const char *key, heedi_str *out)
{
    const json_t *x = field(j, key);
    if (x && !json_is_string(x))
        return wrong(ctx, where, key, "a string");
    if (x)
        *out = (heedi_str){json_string_value(x), json_string_length(x)};
    return HEED_OK;
}

static bool listed(const char *fields, const char *key)
{
    size_t n = strlen(key);
    for (const char *p = fields; n && (p = strstr(p, key)); p += n)
        if ((p == fields || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
            return true;
    return false;
}

heed_status heedi_field_fields(heed_ctx *ctx, const json_t *j,
                               const char *where, const char *fields)
{
    if (!json_is_object(j))
        return heedi_fail(ctx, HEED_EFORMAT, "%s is not an object", where);
    for (void *i = json_object_iter((json_t *)(uintptr_t)j); i;
         i = json_object_iter_next((json_t *)(uintptr_t)j, i)) {
        const char *key = json_object_iter_key(i);
        if (strcmp(key, "type") != 0 && !listed(fields, key))
            return heedi_fail(ctx, HEED_ENOTSUP,
                              "%s: the field \"%.60s\" is not supported", where,
                              key);
    }
    return HEED_OK;
}

heed_status heedi_read_str(heed_tokenizer *t, const heedi_step *s,
                           const json_t *j, const char *key, heedi_str *out)
{
    heedi_str v = {0};
    HEEDI_TRY(heedi_field_str(t->ctx, j, s->part->name, key, &v));
    return v.s ? heedi_str_copy(t, out, v.s, v.len) : HEED_OK;
}

heed_status heedi_read_pattern(heed_tokenizer *t, heedi_step *s,
                               const json_t *j)
{
    const json_t *p = json_object_get(j, "pattern");
    const json_t *re = json_object_get(p, "Regex");
    const json_t *str = json_is_string(p) ? p : json_object_get(p, "String");
    if (json_is_string(re))
        return heedi_regex_new(&s->re, t->ctx, json_string_value(re),
                               json_string_length(re));
    if (!json_is_string(str))
        return heedi_fail(t->ctx, HEED_EFORMAT,
                          "%s: \"pattern\" has neither \"String\" nor "
                          "\"Regex\"",
                          s->part->name);
    return heedi_str_copy(t, &s->what, json_string_value(str),
                          json_string_length(str));
}

heed_status heedi_read_behavior(heed_tokenizer *t, heedi_step *s,
                                const json_t *j)
{
    static const char *const name[] = {[HEEDI_ISOLATED] = "Isolated",
                                       [HEEDI_REMOVED] = "Removed",
                                       [HEEDI_CONTIGUOUS] = "Contiguous",
                                       [HEEDI_WITH_PREVIOUS] =
                                           "MergedWithPrevious",
                                       [HEEDI_WITH_NEXT] = "MergedWithNext"};
    heedi_str v = {0};
    HEEDI_TRY(heedi_field_str(t->ctx, j, s->part->name, "behavior", &v));
    if (!v.s)
        return HEED_OK;
    for (int i = 0; i <= HEEDI_WITH_NEXT; i++)
        if (strcmp(v.s, name[i]) == 0) {
            s->behavior = i;
            return HEED_OK;
        }
    return heedi_fail(t->ctx, HEED_ENOTSUP,
                      "%s: the behavior \"%.60s\" is not supported",
                      s->part->name, v.s);
}

heed_status heedi_read_metaspace(heed_tokenizer *t, heedi_step *s,
                                 const json_t *j)
{
    static const char *const scheme[] = {"never", "first", "always"};
    heedi_str v = {0};
    bool space = true;
    s->cut = true;
    s->with = (heedi_str){"\xE2\x96\x81", 3};
    HEEDI_TRY(heedi_read_str(t, s, j, "replacement", &s->with));
    HEEDI_TRY(heedi_field_bool(t->ctx, j, s->part->name, "split", &s->cut));
    HEEDI_TRY(
        heedi_field_bool(t->ctx, j, s->part->name, "add_prefix_space", &space));
    s->prefix = space ? HEEDI_PREPEND_ALWAYS : HEEDI_PREPEND_NEVER;
    HEEDI_TRY(heedi_field_str(t->ctx, j, s->part->name, "prepend_scheme", &v));
    for (int i = 0; v.s && i < 3; i++)
        if (strcmp(v.s, scheme[i]) == 0) {
            s->prefix = i;
            return HEED_OK;
        }
    if (v.s)
        return heedi_fail(t->ctx, HEED_ENOTSUP,
                          "Metaspace: the prepend_scheme \"%.60s\" is not "
                          "supported",
                          v.s);
    return HEED_OK;
}

const heedi_part *heedi_part_named(const heedi_part *rows, const char *name)
{
    while (rows->name && strcmp(rows->name, name) != 0)
        rows++;
    return rows;
}

typedef struct parts_reader {
    heed_tokenizer *t;
    heedi_steps *list;
    const heedi_part *rows;
    const char *group, *member;
} parts_reader;

static heed_status read_part(const parts_reader *r, const json_t *j, int depth)
{
    heed_ctx *ctx = r->t->ctx;
    const char *type = json_string_value(json_object_get(j, "type"));
    if (!type)
        return heedi_fail(ctx, HEED_EFORMAT, "%s: a part without a \"type\"",
                          r->group);
    if (depth > 64)
        return heedi_fail(ctx, HEED_EFORMAT,
                          "%s: sequences are nested over 64 deep", r->group);
    if (strcmp(type, "Sequence") == 0) {
        const json_t *list = json_object_get(j, r->member);
        if (!json_is_array(list))
            return wrong(ctx, r->group, r->member, "a list");
        for (size_t i = 0; i < json_array_size(list); i++)
            HEEDI_TRY(read_part(r, json_array_get(list, i), depth + 1));
        return HEED_OK;
    }
    const heedi_part *p = heedi_part_named(r->rows, type);
    if (!p->name)
        return heedi_fail(ctx, HEED_ENOTSUP,
                          "the %s \"%.60s\" is not supported", r->group, type);
    heedi_step s = {.part = p};
    HEEDI_TRY(heedi_field_fields(ctx, j, p->name, p->fields));
    heed_status st = p->read ? p->read(r->t, &s, j) : HEED_OK;
    if (st != HEED_OK) {
        pcre2_code_free(s.re);
        return st;
    }
    return heedi_steps_add(r->t, r->list, s);
}

heed_status heedi_parts_read(heed_tokenizer *t, heedi_steps *list,
                             const heedi_part *rows, const json_t *j,
                             const char *group, const char *member)
{
    parts_reader r = {t, list, rows, group, member};
    return json_is_null(j) || !j ? HEED_OK : read_part(&r, j, 0);
}
