#include "gguf.h"

#include <stdlib.h>
#include <string.h>

#include "ctx.h"

heed_status heedi_gguf_take(heedi_gguf *g, size_t size,
                            const unsigned char **out)
{
    *out = g->p + g->at;
    if (size > g->n - g->at)
        return heedi_fail(g->ctx, HEED_EFORMAT,
                          "%s: ends at byte %zu, where %zu more are needed "
                          "from byte %zu on",
                          g->path, g->n, size, g->at);
    g->at += size;
    return HEED_OK;
}

heed_status heedi_gguf_u32(heedi_gguf *g, uint32_t *out)
{
    const unsigned char *p;
    HEEDI_TRY(heedi_gguf_take(g, sizeof *out, &p));
    memcpy(out, p, sizeof *out);
    return HEED_OK;
}

heed_status heedi_gguf_u64(heedi_gguf *g, uint64_t *out)
{
    const unsigned char *p;
    HEEDI_TRY(heedi_gguf_take(g, sizeof *out, &p));
    memcpy(out, p, sizeof *out);
    return HEED_OK;
}

heed_status heedi_gguf_count(heedi_gguf *g, const char *what, size_t least,
                             uint64_t *out)
{
    size_t at = g->at;
    HEEDI_TRY(heedi_gguf_u64(g, out));
    if (*out > (g->n - g->at) / least)
        return heedi_fail(
            g->ctx, HEED_EFORMAT,
            "%s: %llu %s at byte %zu, more than the file can hold", g->path,
            (unsigned long long)*out, what, at);
    return HEED_OK;
}

heed_status heedi_gguf_str(heedi_gguf *g, heedi_str *out)
{
    uint64_t len;
    const unsigned char *p;
    HEEDI_TRY(heedi_gguf_count(g, "bytes of text", 1, &len));
    HEEDI_TRY(heedi_gguf_take(g, (size_t)len, &p));
    *out = (heedi_str){(const char *)p, (size_t)len};
    return HEED_OK;
}

/* ---- types of values ---- */
#define GET(name, type, kind_)                                                \
    static void name(heedi_value *out, const unsigned char *p)                \
    {                                                                         \
        type x;                                                               \
        memcpy(&x, p, sizeof x);                                              \
        *out = (heedi_value){.kind = kind_, .i = (int64_t)x, .f = (double)x}; \
    }
GET(get_u8, uint8_t, HEEDI_INT)
GET(get_i8, int8_t, HEEDI_INT)
GET(get_u16, uint16_t, HEEDI_INT)
GET(get_i16, int16_t, HEEDI_INT)
GET(get_u32, uint32_t, HEEDI_INT)
GET(get_i32, int32_t, HEEDI_INT)
GET(get_i64, int64_t, HEEDI_INT)

static void get_u64(heedi_value *out, const unsigned char *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    *out = (heedi_value){.kind = HEEDI_INT, .i = (int64_t)x, .f = (double)x};
    if (x > INT64_MAX) /* only as a number */
        *out = (heedi_value){.kind = HEEDI_NUM, .f = (double)x};
}

static void get_f32(heedi_value *out, const unsigned char *p)
{
    float x;
    memcpy(&x, p, sizeof x);
    *out = (heedi_value){.kind = HEEDI_NUM, .f = (double)x};
}

static void get_f64(heedi_value *out, const unsigned char *p)
{
    *out = (heedi_value){.kind = HEEDI_NUM};
    memcpy(&out->f, p, sizeof out->f);
}

static void get_bool(heedi_value *out, const unsigned char *p)
{
    *out = (heedi_value){.kind = HEEDI_BOOL, .i = *p != 0, .f = *p != 0};
}

enum { TYPE_STR = 8, TYPE_LIST = 9, N_TYPES = 13, MAX_DEPTH = 8 };
static const struct {
    size_t bytes; /* at least */
    void (*get)(heedi_value *out, const unsigned char *p);
} types[N_TYPES] = {{1, get_u8},  {1, get_i8},  {2, get_u16}, {2, get_i16},
                    {4, get_u32}, {4, get_i32}, {4, get_f32}, {1, get_bool},
                    {8, NULL},    {12, NULL},   {8, get_u64}, {8, get_i64},
                    {8, get_f64}};

static heed_status read_type(heedi_gguf *g, uint32_t *type)
{
    HEEDI_TRY(heedi_gguf_u32(g, type));
    if (*type >= N_TYPES)
        return heedi_fail(g->ctx, HEED_EFORMAT,
                          "%s: type %u of a value at byte %zu is unknown",
                          g->path, (unsigned)*type, g->at - sizeof *type);
    return HEED_OK;
}

/* With a NUL after each; found before they are copied, so that all share one
 * piece of memory. */
static heed_status read_strings(heedi_gguf *g, heedi_list *l, size_t n)
{
    size_t start = g->at;
    heedi_str *s = heedi_arena_alloc(g->mem, n * sizeof *s);
    if (!s)
        return HEED_ENOMEM;
    for (size_t i = 0; i < n; i++)
        HEEDI_TRY(heedi_gguf_str(g, &s[i]));
    char *copy = heedi_arena_alloc(g->mem, g->at - start + n);
    if (!copy)
        return HEED_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        memcpy(copy, s[i].s, s[i].len);
        s[i].s = copy;
        copy += s[i].len + 1;
    }
    l->str = s;
    return HEED_OK;
}

static heed_status read_list(heedi_gguf *g, heedi_value *out, int depth)
{
    uint32_t type;
    uint64_t n;
    heedi_list *l = heedi_arena_alloc(g->mem, sizeof *l);
    if (!l)
        return HEED_ENOMEM;
    HEEDI_TRY(read_type(g, &type));
    HEEDI_TRY(heedi_gguf_count(g, "items", types[type].bytes, &n));
    *out = (heedi_value){.kind = HEEDI_LIST, .n = (int64_t)n, .ref = l};
    if (type == TYPE_STR)
        return read_strings(g, l, (size_t)n);
    if (type != TYPE_LIST) {
        l->bytes = types[type].bytes;
        l->get = types[type].get;
        return heedi_gguf_take(g, (size_t)n * l->bytes, &l->raw);
    }
    if (depth == MAX_DEPTH)
        return heedi_fail(g->ctx, HEED_EFORMAT,
                          "%s: lists in lists, more than %d levels", g->path,
                          MAX_DEPTH);
    heedi_value *item =
        heedi_arena_alloc(g->mem, ((size_t)n + 1) * sizeof *item);
    if (!item)
        return HEED_ENOMEM;
    l->item = item;
    for (size_t i = 0; i < n; i++)
        HEEDI_TRY(read_list(g, &item[i], depth + 1));
    return HEED_OK;
}

static heed_status read_value(heedi_gguf *g, heedi_value *out)
{
    uint32_t type;
    const unsigned char *p;
    HEEDI_TRY(read_type(g, &type));
    if (type == TYPE_LIST)
        return read_list(g, out, 0);
    if (type == TYPE_STR) {
        heedi_list l;
        HEEDI_TRY(read_strings(g, &l, 1));
        *out = (heedi_value){.kind = HEEDI_STR, .s = l.str->s};
        return HEED_OK;
    }
    HEEDI_TRY(heedi_gguf_take(g, types[type].bytes, &p));
    types[type].get(out, p);
    return HEED_OK;
}

/* ---- keys ---- */
typedef struct pair {
    const char *key;
    heedi_value value;
} pair;

static int by_key(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static heed_status read_key(heedi_gguf *g, const char **out)
{
    heedi_list l;
    HEEDI_TRY(read_strings(g, &l, 1));
    for (size_t i = 0; i < l.str->len; i++) /* it goes into messages */
        if ((unsigned char)l.str->s[i] < ' ' || l.str->s[i] == 127)
            return heedi_fail(g->ctx, HEED_EFORMAT,
                              "%s: a key has byte %d in it", g->path,
                              (unsigned char)l.str->s[i]);
    *out = l.str->s;
    return HEED_OK;
}

heed_status heedi_gguf_metadata(heedi_gguf *g, uint64_t n, heedi_value *root)
{
    heedi_list *l = heedi_arena_alloc(g->mem, sizeof *l);
    pair *kv = heedi_arena_alloc(g->mem, ((size_t)n + 1) * sizeof *kv);
    const char **key = heedi_arena_alloc(g->mem, ((size_t)n + 1) * sizeof *key);
    heedi_value *item =
        heedi_arena_alloc(g->mem, ((size_t)n + 1) * sizeof *item);
    if (!l || !kv || !key || !item)
        return HEED_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        HEEDI_TRY(read_key(g, &kv[i].key));
        HEEDI_TRY(read_value(g, &kv[i].value));
    }
    qsort(kv, (size_t)n, sizeof *kv, by_key);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && strcmp(kv[i - 1].key, kv[i].key) == 0)
            return heedi_fail(g->ctx, HEED_EFORMAT,
                              "%s: key %.128s occurs twice", g->path,
                              kv[i].key);
        key[i] = kv[i].key;
        item[i] = kv[i].value;
    }
    l->key = key;
    l->item = item;
    *root = (heedi_value){.kind = HEEDI_OBJECT, .n = (int64_t)n, .ref = l};
    return HEED_OK;
}
