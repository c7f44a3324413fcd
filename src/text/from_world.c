/* from_world.c - a tokenizer from a vocabulary of RWKV World: lines
 *     ID LITERAL LENGTH
 * with ids from 1 on, the literal a string or bytes of Python (it may contain
 * spaces), the length its number of bytes; or, as the vocab.txt of Hugging Face
 * has it, one bytes literal on each line, with ids from 0 on. Nothing is
 * evaluated. Token 0 ends a text. */
#include <string.h>

#include "ctx.h"
#include "fields.h"
#include "utf8.h"

enum { TOKEN_MAX = 1 << 16 };
static const char end_of_text[] = "<s>";

static bool is_literal(heedi_str s)
{
    const size_t b = s.len > 0 && s.s[0] == 'b';
    return s.len >= b + 2 && (s.s[b] == '\'' || s.s[b] == '"') &&
           s.s[s.len - 1] == s.s[b];
}

/* The next line of s, without its end. */
static heedi_str line_at(const char *s, size_t n, size_t *at)
{
    const char *nl = memchr(s + *at, '\n', n - *at);
    const size_t from = *at, end = nl ? (size_t)(nl - s) : n;
    *at = end + 1;
    return (heedi_str){s + from,
                       end - from - (end > from && s[end - 1] == '\r')};
}

/* Decimal digits, at most nine; -1 if s is something else. */
static int64_t whole(const char *s, size_t n)
{
    int64_t x = 0;
    if (n == 0 || n > 9)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        x = 10 * x + (s[i] - '0');
    }
    return x;
}

typedef struct entry {
    heedi_str literal;
    int64_t id, len; /* -1: the line does not say */
} entry;

/* By the first and the last space, since literals contain spaces. */
static heed_status cut(heed_ctx *ctx, heedi_str line, entry *e)
{
    *e = (entry){line, -1, -1};
    if (line.len > 0 && line.s[0] != 'b') {
        const char *a = memchr(line.s, ' ', line.len);
        const char *z = memrchr(line.s, ' ', line.len);
        if (a && z > a) {
            const char *end = line.s + line.len;
            e->id = whole(line.s, (size_t)(a - line.s));
            e->len = whole(z + 1, (size_t)(end - z - 1));
            e->literal = (heedi_str){a + 1, (size_t)(z - a - 1)};
        }
        if (e->id < 0 || e->len < 0)
            return heedi_fail(ctx, HEED_EFORMAT,
                              "the line is not an id, a literal and a length");
    }
    if (!is_literal(e->literal))
        return heedi_fail(ctx, HEED_EFORMAT, "\"%.*s\" is no literal in quotes",
                          (int)(e->literal.len < 60 ? e->literal.len : 60),
                          e->literal.s);
    if (e->literal.len > TOKEN_MAX)
        return heedi_fail(ctx, HEED_EFORMAT,
                          "the literal is %zu bytes long, must be at most %d",
                          e->literal.len, TOKEN_MAX);
    return HEED_OK;
}

/* The quote must not stand in the literal by itself: the literal would end
 * there. */
static bool ends_early(heedi_str body, char quote)
{
    for (size_t i = 0; i < body.len; i++) {
        if (body.s[i] == quote)
            return true;
        i += body.s[i] == '\\';
    }
    return false;
}

static heed_status read_entry(heed_tokenizer *t, const entry *e, int32_t id)
{
    const bool bytes = e->literal.s[0] == 'b';
    const heedi_str body = {e->literal.s + 1 + bytes,
                            e->literal.len - 2 - bytes};
    char *to = heedi_arena_alloc(&t->arena, body.len + 1);
    size_t n;
    if (!to)
        return HEED_ENOMEM;
    if (ends_early(body, e->literal.s[bytes]))
        return heedi_fail(t->ctx, HEED_EFORMAT,
                          "the literal ends before its last quote");
    for (size_t i = 0; bytes && i < body.len; i++)
        if ((unsigned char)body.s[i] > 0x7F)
            return heedi_fail(t->ctx, HEED_EFORMAT,
                              "a literal of bytes has a character that is not "
                              "ASCII");
    HEEDI_TRY(heedi_world_unescape(t->ctx, body, bytes, to, &n));
    if (e->len >= 0 && (size_t)e->len != n)
        return heedi_fail(t->ctx, HEED_EFORMAT,
                          "the literal has %zu bytes, not %lld", n,
                          (long long)e->len);
    if (n == 0)
        return heedi_fail(t->ctx, HEED_EFORMAT, "the literal is empty");
    t->str[id] = (heedi_str){to, n};
    t->flag[id] = id == 0 ? HEEDI_ADDED | HEEDI_SPECIAL : HEEDI_IN_MODEL;
    return HEED_OK;
}

static heed_status read_lines(heed_tokenizer *t, const char *s, size_t n)
{
    int64_t lines = 0;
    entry e;
    for (size_t at = 0; at < n; lines++)
        line_at(s, n, &at);
    if (lines == 0 || lines >= INT32_MAX)
        return heedi_fail(t->ctx, HEED_EFORMAT, "%lld lines", (long long)lines);
    size_t at = 0;
    HEEDI_TRY(cut(t->ctx, line_at(s, n, &at), &e));
    const bool given = e.id >= 0; /* ids are in the file, from 1 on */
    HEEDI_TRY(heedi_tokenizer_room(t, (size_t)(lines + given)));
    t->str[0] = (heedi_str){end_of_text, sizeof end_of_text - 1};
    t->flag[0] = HEEDI_ADDED | HEEDI_SPECIAL;
    at = 0;
    for (int64_t i = 0; i < lines; i++) {
        heed_status st = cut(t->ctx, line_at(s, n, &at), &e);
        const int64_t id = i + given;
        if (st == HEED_OK && (given ? e.id != id : e.id >= 0))
            st =
                heedi_fail(t->ctx, HEED_EFORMAT,
                           given ? "the id is %lld, must be %lld"
                                 : "an id, %lld, where the first line has none",
                           (long long)e.id, (long long)id);
        if (st == HEED_OK)
            st = read_entry(t, &e, (int32_t)id);
        if (st != HEED_OK) {
            char where[32];
            snprintf(where, sizeof where, "line %lld", (long long)(i + 1));
            return heedi_fail_in(t->ctx, st, where);
        }
    }
    return HEED_OK;
}

bool heedi_world_is(const char *s, size_t n)
{
    size_t at = 0;
    const heedi_str line = line_at(s, n, &at);
    if (line.len > 0 && line.s[0] == 'b')
        return is_literal(line);
    const char *a = memchr(line.s, ' ', line.len);
    return a && whole(line.s, (size_t)(a - line.s)) >= 0;
}

static heed_status build(heed_tokenizer *t, const char *s, size_t n)
{
    const size_t bad = heedi_utf8_check(s, n);
    if (bad < n)
        return heedi_fail(t->ctx, HEED_EFORMAT, "byte %zu is no valid UTF-8",
                          bad);
    HEEDI_TRY(read_lines(t, s, n));
    HEEDI_TRY(heedi_names_init(&t->model.names, &t->arena, t->str,
                               (size_t)t->info.n_tokens));
    for (int64_t i = 0; i < t->info.n_tokens; i++)
        heedi_names_add(&t->model.names, (int32_t)i);
    t->added = heedi_arena_alloc(&t->arena, sizeof *t->added);
    if (!t->added)
        return HEED_ENOMEM;
    t->added[t->n_added++] = (heedi_added){.text = t->str[0], .special = true};
    t->info.bos = t->info.eos = 0;
    HEEDI_TRY(heedi_world_finish(t));
    heedi_config_done(t);
    return heedi_added_build(t);
}

heed_status heedi_tokenizer_from_lines(heed_tokenizer **out, heed_ctx *ctx,
                                       const char *path, heedi_str text)
{
    heed_tokenizer *t;
    *out = NULL;
    HEEDI_TRY(heedi_tokenizer_new(&t, ctx, path));
    heed_status st = build(t, text.s, text.len);
    if (st == HEED_OK) {
        *out = t;
        return HEED_OK;
    }
    heed_tokenizer_free(t);
    return heedi_fail_in(ctx, st, path);
}

heed_status heedi_tokenizer_from_world(heed_tokenizer **out, heed_ctx *ctx,
                                       const char *path)
{
    char *s;
    size_t n;
    *out = NULL;
    heed_status st = heedi_text_of(&s, &n, ctx, path);
    st = st == HEED_OK
             ? heedi_tokenizer_from_lines(out, ctx, path, (heedi_str){s, n})
             : heedi_fail_in(ctx, st, path);
    heedi_free(ctx, s);
    return st;
}
