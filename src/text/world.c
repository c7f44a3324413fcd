/* world.c - the model of RWKV World: at each byte the longest entry. And the
 * spelling of its entries, that of Python's literals. */
#include <string.h>

#include "ctx.h"
#include "tokenizer.h"
#include "utf8.h"

static heed_status encode(heedi_work *w, size_t from, size_t to)
{
    for (size_t i = from, len; i < to; i += len) {
        int32_t id =
            heedi_trie_longest(&w->t->model.begin, w->text.s + i, to - i, &len);
        if (id < 0) {
            w->dropped++;
            len = 1;
            continue;
        }
        HEEDI_TRY(
            heedi_hit_add(w, id, heedi_rope_span(&w->text, i, i + len), false));
    }
    return HEED_OK;
}

const heedi_model_kind heedi_world = {"RWKV World", encode};

heed_status heedi_world_finish(heed_tokenizer *t)
{
    size_t len;
    t->model.kind = &heedi_world;
    t->info.kind = heedi_world.name;
    t->info.pre = "";
    t->decoder_given = true; /* bytes are joined as they are */
    for (int32_t id = 0; id < t->info.n_tokens; id++) {
        const heedi_str *s = &t->str[id];
        if (!(t->flag[id] & HEEDI_IN_MODEL) || s->len == 0)
            continue;
        const int32_t other =
            heedi_trie_longest(&t->model.begin, s->s, s->len, &len);
        if (other >= 0 && len == s->len)
            return heedi_fail(t->ctx, HEED_EFORMAT,
                              "tokens %d and %d are the same bytes", other, id);
        HEEDI_TRY(heedi_trie_add(&t->model.begin, t->ctx, s->s, s->len, id));
    }
    return HEED_OK;
}

/* ---- literals ---- */

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* `digits` hexadecimal digits; HEEDI_BAD_CHAR if they are none. */
static uint32_t number(const char *s, size_t n, size_t digits)
{
    uint32_t c = 0;
    if (n < digits)
        return HEEDI_BAD_CHAR;
    for (size_t i = 0; i < digits; i++) {
        if (hex(s[i]) < 0)
            return HEEDI_BAD_CHAR;
        c = c << 4 | (uint32_t)hex(s[i]);
    }
    return c;
}

/* What follows a backslash, with one letter. */
static const struct {
    char letter, byte;
} simple[] = {{'\\', '\\'}, {'\'', '\''}, {'"', '"'},
              {'n', '\n'},  {'r', '\r'},  {'t', '\t'}};

/* The escape at s, after its backslash: its bytes to out; returns how much of s
 * it takes, 0 if it is none. */
static size_t escape(const char *s, size_t n, bool bytes, char *out,
                     size_t *written)
{
    *written = 1;
    for (size_t i = 0; n > 0 && i < sizeof simple / sizeof *simple; i++)
        if (simple[i].letter == s[0]) {
            *out = simple[i].byte;
            return 1;
        }
    const bool wide = n > 0 && s[0] == 'u' && !bytes;
    const size_t digits = wide ? 4 : 2;
    if (n == 0 || (s[0] != 'x' && !wide))
        return 0;
    const uint32_t c = number(s + 1, n - 1, digits);
    if (c == HEEDI_BAD_CHAR || (c >= 0xD800 && c < 0xE000))
        return 0;
    if (bytes)
        *out = (char)c;
    else
        *written = heedi_utf8_put(out, c);
    return 1 + digits;
}

heed_status heedi_world_unescape(heed_ctx *ctx, heedi_str s, bool bytes,
                                 char *out, size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < s.len;) {
        if (s.s[i] != '\\') {
            out[(*len)++] = s.s[i++];
            continue;
        }
        size_t written, used = escape(s.s + i + 1, s.len - i - 1, bytes,
                                      out + *len, &written);
        if (used == 0)
            return heedi_fail(ctx, HEED_EFORMAT,
                              "the escape \"%.*s\" is not known",
                              (int)(s.len - i < 6 ? s.len - i : 6), s.s + i);
        i += 1 + used;
        *len += written;
    }
    return HEED_OK;
}
