/* The tokenizer of RWKV World: the longest entry at each byte, against a loop
 * without a trie (tests/golden/tokenizers/world.py), in its three formats; its
 * literals; what is refused. */
#include "texttest.h"

#include "utf8.h"

#define GOLDEN "tests/golden/tokenizers/world/"

static const char *const formats[] = {"rwkv_vocab_v20230424.txt", "vocab.txt",
                                      "world.gguf"};

static heed_tokenizer *loaded(heed_ctx *ctx, const char *name)
{
    char path[128];
    heed_tokenizer *t;
    snprintf(path, sizeof path, GOLDEN "%s", name);
    heed_status st = strcmp(name, "vocab.txt") == 0
                         ? heedi_tokenizer_from_txt(&t, ctx, path)
                         : heed_tokenizer_load(&t, ctx, path);
    if (st != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    assert_string_equal(heed_tokenizer_about(t)->kind, "RWKV World");
    assert_int_equal(heed_tokenizer_about(t)->bos, 0);
    assert_int_equal(heed_tokenizer_about(t)->eos, 0);
    return t;
}

static heed_tokens *encoded(heed_ctx *ctx, const heed_tokenizer *t,
                            const char *text, size_t len, heed_encode_options o)
{
    heed_tokens *k;
    if (heed_encode(&k, ctx, t, text, (int64_t)len, &o) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    return k;
}

static json_t *expected(void)
{
    json_error_t e;
    json_t *j = json_load_file(GOLDEN "world.json", JSON_ALLOW_NUL, &e);
    if (!j)
        fail_msg("%s", e.text);
    return j;
}

static void cases(void **state)
{
    heed_ctx *ctx = new_ctx();
    json_t *j = expected(), *list = json_object_get(j, "cases");
    (void)state;
    assert_true(json_array_size(list) > 30);
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        heed_tokenizer *t = loaded(ctx, formats[f]);
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *c = json_array_get(list, i);
            const json_t *text = json_array_get(c, 0);
            const json_t *want = json_array_get(c, 1);
            heed_tokens *k =
                encoded(ctx, t, json_string_value(text),
                        json_string_length(text), (heed_encode_options){0});
            assert_int_equal(k->n, json_array_size(want));
            for (int64_t n = 0; n < k->n; n++)
                assert_int_equal(
                    k->token[n].id,
                    json_integer_value(json_array_get(want, (size_t)n)));
            check_ranges(k, 1);
            check_round(ctx, t, k);
            heed_tokens_free(ctx, k);
        }
        heed_tokenizer_free(t);
    }
    json_decref(j);
    heed_ctx_free(ctx);
}

/* The bytes of every token; those that are text encode to it alone. */
static void every_token(void **state)
{
    heed_ctx *ctx = new_ctx();
    json_t *j = expected(), *list = json_object_get(j, "tokens");
    (void)state;
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        heed_tokenizer *t = loaded(ctx, formats[f]);
        const size_t n = json_array_size(list);
        assert_int_equal(t->info.n_tokens, n + (f == 2 ? 9 : 1));
        for (size_t i = 0; i < n; i++) {
            const char *hex = json_string_value(json_array_get(list, i));
            const heedi_str s = t->str[i + 1];
            char byte[3];
            assert_int_equal(s.len, strlen(hex) / 2);
            for (size_t b = 0; b < s.len; b++) {
                snprintf(byte, sizeof byte, "%02x", (unsigned char)s.s[b]);
                assert_memory_equal(byte, hex + 2 * b, 2);
            }
            if (heedi_utf8_check(s.s, s.len) < s.len)
                continue;
            heed_tokens *k =
                encoded(ctx, t, s.s, s.len, (heed_encode_options){0});
            assert_int_equal(k->n, 1);
            assert_int_equal(k->token[0].id, i + 1);
            heed_tokens_free(ctx, k);
        }
        heed_tokenizer_free(t);
    }
    json_decref(j);
    heed_ctx_free(ctx);
}

/* Any text is a sequence of tokens that gives it back. */
static void random_texts(void **state)
{
    heed_ctx *ctx = new_ctx();
    heed_tokenizer *t = loaded(ctx, formats[0]);
    uint32_t seed = 77;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[256];
        size_t n = 0;
        for (int c = 0; c < 1 + i % 40; c++) {
            const double x = (double)(rnd(&seed) + 1) / 2;
            const uint32_t most[] = {0x80, 0x800, 0x10000, 0x110000};
            uint32_t ch = (uint32_t)(x * most[(i + c) % 4]);
            ch = ch >= most[(i + c) % 4] ? 0x20 : ch;
            n += heedi_utf8_put(text + n,
                                ch >= 0xD800 && ch < 0xE000 ? 0x20 : ch);
        }
        heed_tokens *k = encoded(ctx, t, text, n, (heed_encode_options){0});
        check_ranges(k, 1);
        check_round(ctx, t, k);
        heed_tokens_free(ctx, k);
    }
    heed_tokenizer_free(t);
    heed_ctx_free(ctx);
}

/* Token 0 ends a text: found only where it is asked for, never added. */
static void end_of_text(void **state)
{
    heed_ctx *ctx = new_ctx();
    (void)state;
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        heed_tokenizer *t = loaded(ctx, formats[f]);
        heed_tokens *k =
            encoded(ctx, t, "<s>a<s>", 7, (heed_encode_options){.special = 1});
        assert_int_equal(k->n, 3);
        assert_int_equal(k->token[0].id, 0);
        assert_int_equal(k->token[2].id, 0);
        assert_int_equal(k->token[2].byte_end, 7);
        heed_tokens_free(ctx, k);
        k = encoded(ctx, t, "a", 1, (heed_encode_options){.bos = 1});
        assert_int_equal(k->n, 2);
        assert_int_equal(k->token[0].id, 0);
        heed_tokens_free(ctx, k);
        heed_tokenizer_free(t);
    }
    heed_ctx_free(ctx);
}

/* ---- small vocabularies ---- */

static heed_status from_lines(heed_tokenizer **t, heed_ctx *ctx,
                              const char *text)
{
    return heedi_tokenizer_from_lines(t, ctx, "x.txt",
                                      (heedi_str){text, strlen(text)});
}

static void literals(void **state)
{
    static const struct {
        const char *line, *bytes;
    } rows[] = {
        {"1 'a b' 3", "a b"},
        {"1 'a\"b' 3", "a\"b"},
        {"1 \"a'b\" 3\r", "a'b"},
        {"1 '\\\\\\'\\\"\\n\\r\\t' 6", "\\'\"\n\r\t"},
        {"1 '\\xe9\\u200b\\x41' 6", "\xC3\xA9\xE2\x80\x8B"
                                    "A"},
        {"1 b'\\xe9\\xFF' 2\n", "\xE9\xFF"},
        {"1 '\xC3\xA9' 2", "\xC3\xA9"},
        {"1 ' ' 1", " "},
        {"1 '' '' 3", NULL}, /* its first quote ends it */
        {"1 b\"'\" 1", "'"},
    };
    heed_ctx *ctx = new_ctx();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        heed_tokenizer *t;
        heed_status st = from_lines(&t, ctx, rows[i].line);
        if (!rows[i].bytes) {
            assert_int_equal(st, HEED_EFORMAT);
            continue;
        }
        if (st != HEED_OK)
            fail_msg("%s", heed_error(ctx));
        assert_int_equal(t->str[1].len, strlen(rows[i].bytes));
        assert_memory_equal(t->str[1].s, rows[i].bytes, t->str[1].len);
        heed_tokenizer_free(t);
    }
    heed_ctx_free(ctx);
}

/* A byte without an entry is left out, and told of. */
static void left_out(void **state)
{
    heed_ctx *ctx = new_ctx();
    heed_tokenizer *t;
    (void)state;
    assert_int_equal(from_lines(&t, ctx, "1 'a' 1\n2 'ab' 2\n"), HEED_OK);
    heed_tokens *k = encoded(ctx, t, "abca", 4, (heed_encode_options){0});
    assert_int_equal(k->n, 2);
    assert_int_equal(k->token[0].id, 2);
    assert_int_equal(k->token[1].byte_start, 3);
    heed_tokens_free(ctx, k);
    heed_tokenizer_free(t);
    heed_ctx_free(ctx);
}

static void refused(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "0 lines"},
        {"1 'a' 2\n", "line 1: the literal has 1 bytes, not 2"},
        {"1 'a' 1\n3 'b' 1\n", "line 2: the id is 3, must be 2"},
        {"1 'a' 1\n1 'b' 1\n", "line 2: the id is 1, must be 2"},
        {"0 'a' 1\n", "line 1: the id is 0, must be 1"},
        {"1 'a' 1\n2 'a' 1\n", "tokens 1 and 2 are the same bytes"},
        {"1 'a' 1\n2 b'\\x61' 1\n", "tokens 1 and 2 are the same bytes"},
        {"1 'a'\n", "not an id, a literal and a length"},
        {"1 a 1\n", "\"a\" is no literal in quotes"},
        {"1 'a\" 1\n", "is no literal in quotes"},
        {"1 'a'b' 3\n", "ends before its last quote"},
        {"1 'a\\' 2\n", "\"\\\" is not known"},
        {"1 '\\q' 1\n", "\"\\q\" is not known"},
        {"1 '\\x4' 1\n", "\"\\x4\" is not known"},
        {"1 '\\ud800' 3\n", "\"\\ud800\" is not known"},
        {"1 b'\\u0041' 1\n", "is not known"},
        {"1 b'\xC3\xA9' 2\n", "not ASCII"},
        {"1 '' 0\n", "line 1: the literal is empty"},
        {"1 'a' 1\n\n", "line 2: \"\" is no literal in quotes"},
        {"1 'a' -1\n", "not an id, a literal and a length"},
        {"99999999999 'a' 1\n", "not an id, a literal and a length"},
        {"1 'a' 1\n2 '\xFF' 1\n", "byte 11 is no valid UTF-8"},
        {"b'<s>'\n1 'a' 1\n",
         "line 2: an id, 1, where the first line has none"},
        {"1 'a' 1\nb'b'\n", "line 2: the id is -1, must be 2"},
        {"1 __import__('os') 1\n", "is no literal in quotes"},
    };
    heed_ctx *ctx = new_ctx();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        heed_tokenizer *t;
        heed_status st = from_lines(&t, ctx, rows[i].text);
        if (st != HEED_EFORMAT || !strstr(heed_error(ctx), rows[i].says) ||
            strncmp(heed_error(ctx), "x.txt: ", 7) != 0)
            fail_msg("row %zu: %d '%s'", i, st, heed_error(ctx));
        assert_null(t);
    }
    heed_ctx_free(ctx);
}

/* Tokens of a GGUF file are spelt as bytes; what is no such spelling. */
static void gguf(void **state)
{
    heedi_str token[] = {{"<s>", 3}, {"a\\xff\\n", 7}, {"\\q", 2}};
    heedi_vocab v = {.path = "x.gguf",
                     .model = "rwkv",
                     .n = 2,
                     .token = token,
                     .bos = -1,
                     .eos = -1,
                     .unk = -1,
                     .sep = -1,
                     .pad = -1,
                     .cls = -1,
                     .add_bos = -1,
                     .add_eos = -1,
                     .add_space_prefix = -1};
    heed_ctx *ctx = new_ctx();
    heed_tokenizer *t;
    (void)state;
    assert_int_equal(heedi_tokenizer_from_vocab(&t, ctx, &v), HEED_OK);
    assert_int_equal(t->str[1].len, 3);
    assert_memory_equal(t->str[1].s, "a\xFF\n", 3);
    assert_int_equal(t->info.eos, 0);
    heed_tokenizer_free(t);
    v.n = 3;
    assert_int_equal(heedi_tokenizer_from_vocab(&t, ctx, &v), HEED_EFORMAT);
    assert_non_null(strstr(heed_error(ctx), "token 2: the escape \"\\q\""));
    token[2] = token[1];
    assert_int_equal(heedi_tokenizer_from_vocab(&t, ctx, &v), HEED_EFORMAT);
    assert_non_null(strstr(heed_error(ctx), "tokens 1 and 2 are the same"));
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(cases),    test(every_token), test(random_texts),
        test(literals), test(end_of_text), test(left_out),
        test(refused),  test(gguf),
    };
    RUN(tests);
}
