#include "json.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "ctx.h"
#include "json_error.h"

static heed_status parse(json_t **out, heed_ctx *ctx, const char *what,
                         const void *p, size_t n)
{
    json_error_t e;
    *out = json_loadb(p, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
    if (!*out)
        return heedi_json_fail(ctx, what, &e);
    return HEED_OK;
}

static heed_status need_object(json_t **out, heed_ctx *ctx, const char *what)
{
    if (json_is_object(*out))
        return HEED_OK;
    json_decref(*out);
    *out = NULL;
    return heedi_fail(ctx, HEED_EFORMAT, "%s: not a JSON object", what);
}

heed_status heedi_json_parse(json_t **out, heed_ctx *ctx, const char *what,
                             const void *p, size_t n)
{
    HEEDI_TRY(parse(out, ctx, what, p, n));
    return need_object(out, ctx, what);
}

static const struct {
    const char *word, *json;
} words[] = {{"NaN", "{\"__float__\":\"NaN\"}"},
             {"Infinity", "{\"__float__\":\"Infinity\"}"},
             {"-Infinity", "{\"__float__\":\"-Infinity\"}"}};
enum { N_WORDS = sizeof words / sizeof *words };

static size_t copy(char *out, size_t at, const char *p, size_t n)
{
    if (out)
        memcpy(out + at, p, n);
    return at + n;
}

/* The token of n bytes at p, outside of strings, as standard JSON that
 * jansson takes. */
static size_t rewrite_token(char *out, size_t at, const char *p, size_t n)
{
    for (int w = 0; w < N_WORDS; w++)
        if (strlen(words[w].word) == n && memcmp(p, words[w].word, n) == 0)
            return copy(out, at, words[w].json, strlen(words[w].json));
    size_t digits = 0, first = *p == '-';
    while (first + digits < n && isdigit((unsigned char)p[first + digits]))
        digits++;
    at = copy(out, at, p, n);
    if (digits > 18 && first + digits == n)
        at = copy(out, at, ".0", 2);
    return at;
}

/* Returns the length; out may be NULL. */
static size_t rewrite(char *out, const char *p, size_t n)
{
    size_t at = 0;
    for (size_t i = 0, j; i < n; i = j) {
        j = i + 1;
        if (p[i] == '"') {
            while (j < n && p[j] != '"')
                j += p[j] == '\\' ? 2 : 1;
            j = j < n ? j + 1 : n;
            at = copy(out, at, p + i, j - i);
        } else if (isalnum((unsigned char)p[i]) || p[i] == '-') {
            while (j < n && (isalnum((unsigned char)p[j]) || p[j] == '.' ||
                             p[j] == '+' || p[j] == '-'))
                j++;
            at = rewrite_token(out, at, p + i, j - i);
        } else {
            at = copy(out, at, p + i, 1);
        }
    }
    return at;
}

heed_status heedi_json_read(json_t **out, heed_ctx *ctx, const char *path)
{
    HEEDI_TRY(heedi_json_read_any(out, ctx, path));
    return need_object(out, ctx, path);
}

heed_status heedi_json_read_any(json_t **out, heed_ctx *ctx, const char *path)
{
    heedi_map m;
    *out = NULL;
    HEEDI_TRY(heedi_map_open(&m, ctx, path));
    const char *p = (const char *)m.p;
    size_t n = rewrite(NULL, p, m.n);
    char *text = heedi_alloc(ctx, n);
    heed_status st = HEED_ENOMEM;
    if (text) {
        rewrite(text, p, m.n);
        st = parse(out, ctx, path, text, n);
    }
    heedi_free(ctx, text);
    heedi_map_close(&m);
    return st;
}

static bool float_object(heedi_value *out, const json_t *json)
{
    static const struct {
        const char *text;
        double f;
    } rows[] = {
        {"NaN", (double)NAN}, {"Infinity", HUGE_VAL}, {"-Infinity", -HUGE_VAL}};
    const char *s = json_string_value(json_object_get(json, "__float__"));
    for (size_t i = 0; s && i < sizeof rows / sizeof *rows; i++)
        if (strcmp(s, rows[i].text) == 0) {
            *out = (heedi_value){.kind = HEEDI_NUM, .f = rows[i].f};
            return true;
        }
    return false;
}

static heed_status string(const char **out, heedi_arena *mem, const char *s,
                          size_t n)
{
    if (memchr(s, 0, n))
        return heedi_fail(mem->ctx, HEED_EFORMAT,
                          "config.json: \"%.60s\" goes on after a NUL", s);
    char *p = heedi_arena_alloc(mem, n + 1);
    if (!p)
        return HEED_ENOMEM;
    memcpy(p, s, n);
    *out = p;
    return HEED_OK;
}

static heed_status list(heedi_value *out, heedi_arena *mem, size_t n,
                        heedi_value **item, const char ***key)
{
    heedi_list *l = heedi_arena_alloc(mem, sizeof *l);
    *item = heedi_arena_alloc(mem, (n + 1) * sizeof **item);
    if (!l || !*item)
        return HEED_ENOMEM;
    l->item = *item;
    *out = (heedi_value){.kind = HEEDI_LIST, .n = (int64_t)n, .ref = l};
    if (key) {
        *key = heedi_arena_alloc(mem, (n + 1) * sizeof **key);
        if (!*key)
            return HEED_ENOMEM;
        l->key = *key;
        out->kind = HEEDI_OBJECT;
    }
    return HEED_OK;
}

/* Jansson reads no more than 2048 levels, so the recursion ends. */
heed_status heedi_json_tree(heedi_value *out, heedi_arena *mem,
                            const json_t *json)
{
    static const heedi_kind kinds[] = {
        [JSON_STRING] = HEEDI_STR, [JSON_INTEGER] = HEEDI_INT,
        [JSON_REAL] = HEEDI_NUM,   [JSON_TRUE] = HEEDI_BOOL,
        [JSON_FALSE] = HEEDI_BOOL, [JSON_NULL] = HEEDI_NULL};
    heedi_value *item;
    const char **key;
    if (json_is_array(json)) {
        size_t n = json_array_size(json);
        HEEDI_TRY(list(out, mem, n, &item, NULL));
        for (size_t i = 0; i < n; i++)
            HEEDI_TRY(heedi_json_tree(&item[i], mem, json_array_get(json, i)));
        return HEED_OK;
    }
    if (json_is_object(json)) {
        if (float_object(out, json))
            return HEED_OK;
        HEEDI_TRY(list(out, mem, json_object_size(json), &item, &key));
        size_t i = 0;
        for (void *it = json_object_iter((json_t *)(uintptr_t)json); it;
             it = json_object_iter_next((json_t *)(uintptr_t)json, it), i++) {
            const char *k = json_object_iter_key(it);
            HEEDI_TRY(string(&key[i], mem, k, strlen(k)));
            HEEDI_TRY(
                heedi_json_tree(&item[i], mem, json_object_iter_value(it)));
        }
        return HEED_OK;
    }
    *out = (heedi_value){.kind = kinds[json_typeof(json)]};
    if (json_is_string(json))
        return string(&out->s, mem, json_string_value(json),
                      json_string_length(json));
    out->i = json_is_true(json) ? 1 : json_integer_value(json);
    out->f = json_is_true(json) ? 1 : json_number_value(json);
    return HEED_OK;
}
