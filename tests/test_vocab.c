/* What heed_tokenizer_load() hands on: the two functions that build tokenizers
 * are replaced, so that this sees the vocabulary as it was read. */
#include "testlib.h"

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

heed_status heedi_tokenizer_from_vocab(heed_tokenizer **out, heed_ctx *ctx,
                                       const heedi_vocab *v)
{
    (void)out;
    (void)ctx;
    assert_string_equal(v->path, GOLDEN "vocab.gguf");
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

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_gguf), test(test_paths)};
    RUN(tests);
}
