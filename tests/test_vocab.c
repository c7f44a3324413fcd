/* What heed_tokenizer_load() hands on: the functions that build tokenizers
 * are replaced, so that this sees the vocabulary as it was read. */
#include "testlib.h"

#include <stdlib.h>
#include <unistd.h>

#include "ctx.h"
#include "text.h"

#define GOLDEN "tests/golden/load/"

static char from[256];
static int seen;

heed_status heedi_tokenizer_from_json(heed_tokenizer **out, heed_ctx *ctx,
                                      const char *path)
{
    (void)out;
    (void)ctx;
    snprintf(from, sizeof from, "%s", path);
    return HEED_OK;
}

heed_status heedi_tokenizer_from_txt(heed_tokenizer **out, heed_ctx *ctx,
                                     const char *path)
{
    return heedi_tokenizer_from_json(out, ctx, path);
}

heed_status heedi_tokenizer_from_world(heed_tokenizer **out, heed_ctx *ctx,
                                       const char *path)
{
    return heedi_tokenizer_from_json(out, ctx, path);
}

bool heedi_world_is(const char *s, size_t n)
{
    return n > 1 && s[0] == '1' && s[1] == ' ';
}

heed_status heedi_tokenizer_from_vocab(heed_tokenizer **out, heed_ctx *ctx,
                                       const heedi_vocab *v)
{
    (void)out;
    (void)ctx;
    if (strcmp(v->path, GOLDEN "vocab.gguf") != 0)
        return HEED_OK; /* damaged, but not so that it matters here */
    assert_string_equal(v->model, "gpt2");
    assert_string_equal(v->pre, "gpt-2");
    assert_int_equal(v->n, 4);
    assert_int_equal(v->token[0].len, 3);
    assert_string_equal(v->token[3].s, "ab");
    assert_int_equal(v->type[0], 3);
    assert_int_equal(v->type[3], 1);
    assert_true(v->score[3] == -0.5f);
    assert_int_equal(v->n_merges, 1);
    assert_string_equal(v->merge[0].s, "a b");
    assert_int_equal(v->bos, 0);
    assert_int_equal(v->eos, -1);
    assert_int_equal(v->sep, -1);
    assert_int_equal(v->add_bos, 1);
    assert_int_equal(v->add_eos, -1);
    assert_int_equal(v->add_space_prefix, -1);
    assert_null(v->hf_json.s);
    seen++;
    return HEED_OK;
}

static void test_gguf(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_tokenizer *t;
    assert_int_equal(heed_tokenizer_load(&t, ctx, GOLDEN "vocab.gguf"), 0);
    assert_int_equal(seen, 1);
    assert_int_equal(heed_tokenizer_load(&t, ctx, GOLDEN "types.gguf"),
                     HEED_EFORMAT);
    assert_non_null(strstr(heed_error(ctx), "has no tokenizer"));
    heed_ctx_free(ctx);
}

static void test_paths(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_tokenizer *t;
    static const char json[] = GOLDEN "safe/config.json";
    assert_int_equal(heed_tokenizer_load(&t, ctx, json), HEED_OK);
    assert_string_equal(from, json);
    assert_int_equal(heed_tokenizer_load(&t, ctx, GOLDEN "safe"), HEED_EIO);
    assert_non_null(strstr(heed_error(ctx), "no tokenizer.json"));
    assert_int_equal(heed_tokenizer_load(&t, ctx, GOLDEN "make.py"),
                     HEED_ENOTSUP);
    assert_int_equal(heed_tokenizer_load(&t, ctx, GOLDEN "none"), HEED_EIO);
    assert_null(t);
    heed_ctx_free(ctx);
}

/* ---- damage: bytes that follow a key ---- */
static void test_damage(void **state)
{
    (void)state;
    enum { LETTER = -1 };
    /* after the key: type; of a list, type of items, number of items */
    static const struct {
        const char *key;
        int skip; /* LETTER: the key is misspelt */
        uint32_t value;
        heed_status st;
        const char *text;
    } rows[] = {
        {"ggml.tokens", 4, 0, HEED_EFORMAT, ""},
        {"ggml.tokens", 8, 0, HEED_EFORMAT, ""},
        {"ggml.model", 4, 0, HEED_EFORMAT, ""},
        {"ggml.model", 0, 1, HEED_EFORMAT, ""},
        {"ggml.token_type", 4, 6, HEED_EFORMAT, "token_type is of a wrong"},
        {"ggml.token_type", 16, 7, HEED_EFORMAT, "token 0 is of type 7"},
        {"ggml.token_type", 20, 1u << 31, HEED_EFORMAT, "token 1 is of type -"},
        {"ggml.scores", 4, 5, HEED_EFORMAT, "scores is of a wrong type"},
        {"ggml.bos_token_id", 4, 4, HEED_EFORMAT, "is 4 of 4 tokens"},
        {"ggml.bos_token_id", 4, UINT32_MAX, HEED_OK, ""},
        {"ggml.bos_token_id", 4, UINT32_MAX - 1, HEED_EFORMAT, "4294967294"},
        {"ggml.bos_token_id", 0, 6, HEED_EFORMAT, "is not an integer"},
        {"ggml.token_type", LETTER, 0, HEED_OK, ""},
        {"ggml.tokens", LETTER, 0, HEED_EFORMAT, "no tokenizer.ggml.tokens"},
        {"ggml.model", LETTER, 0, HEED_EFORMAT, "has no tokenizer"},
    };
    static unsigned char good[2048], b[2048];
    FILE *f = fopen(GOLDEN "vocab.gguf", "rb");
    assert_non_null(f);
    size_t n = fread(good, 1, sizeof good, f);
    fclose(f);
    char path[] = "/tmp/heed-vocab-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    heed_ctx *ctx = new_ctx();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = strlen(rows[i].key);
        memcpy(b, good, n);
        unsigned char *at = memmem(b, n, rows[i].key, len);
        assert_non_null(at);
        at += len;
        if (rows[i].skip == LETTER)
            at[LETTER] = 'X';
        else
            memcpy(at + rows[i].skip, &rows[i].value, 4);
        f = fopen(path, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(b, 1, n, f), n);
        fclose(f);
        heed_tokenizer *t;
        heed_status st = heed_tokenizer_load(&t, ctx, path);
        if (st != rows[i].st || !strstr(heed_error(ctx), rows[i].text))
            fail_msg("row %zu: %d '%s'", i, st, heed_error(ctx));
    }
    heed_ctx_free(ctx);
    remove(path);
}

static void test_nomem(void **state)
{
    (void)state;
    static const char *const paths[] = {GOLDEN "vocab.gguf", GOLDEN "safe"};
    for (size_t k = 0; k < 2; k++) {
        heed_status st = HEED_ENOMEM;
        for (long n = 1; st == HEED_ENOMEM; n++) {
            ration h = {.fail_at = n + 1, .last = true};
            heed_allocator a = {ration_resize, &h};
            heed_ctx *ctx;
            heed_tokenizer *t;
            assert_int_equal(heed_ctx_new(&ctx, &a), HEED_OK);
            st = heed_tokenizer_load(&t, ctx, paths[k]);
            heed_ctx_free(ctx);
            assert_int_equal(h.out, 0);
        }
        assert_int_equal(st, k == 0 ? HEED_OK : HEED_EIO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_gguf), test(test_paths),
                                       test(test_damage), test(test_nomem)};
    RUN(tests);
}
