/* Checkpoints that are in order: tensors, configuration, hashes. What is
 * damaged is in test_damage.c. */
#include "testlib.h"

#include <stdlib.h>
#include <unistd.h>

#include "checkpoint.h"
#include "ctx.h"
#include "sha256.h"

#define GOLDEN "tests/golden/load/"
#define BIN    "tests/golden/bin/"

static heedi_checkpoint *opened(heed_ctx *ctx, const char *path)
{
    heedi_checkpoint *c;
    if (heedi_checkpoint_open(&c, ctx, path) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    return c;
}

static void test_gguf(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heedi_checkpoint *c = opened(ctx, GOLDEN "types.gguf");
    assert_string_equal(c->source, "gguf");
    assert_string_equal(c->arch, "tiny");
    assert_string_equal(c->path, GOLDEN "types.gguf");
    assert_int_equal(c->n_tensors, 13);
    const heedi_tensor *t = heedi_checkpoint_tensor(c, "i32");
    assert_true(t->used);
    assert_int_equal(t->nd, 3); /* slowest first */
    assert_int_equal(t->dim[0], 1);
    assert_int_equal(t->dim[1], 2);
    assert_int_equal(t->dim[2], 3);
    assert_int_equal(t->bytes, 24);
    assert_false(t->dtype->is_float);
    t = heedi_checkpoint_tensor(c, "q6_k");
    assert_int_equal(t->bytes, 2 * 210);
    assert_null(heedi_checkpoint_tensor(c, "nothing"));
    assert_false(c->tensor[0].used);
    heedi_checkpoint_close(c);
    heedi_checkpoint_close(NULL);
    heed_ctx_free(ctx);
}

static void test_gguf_values(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        heedi_kind kind;
        int64_t i;
        double f;
    } rows[] = {
        {"k.u8", HEEDI_INT, 255, 255},
        {"k.i8", HEEDI_INT, -128, -128},
        {"k.u16", HEEDI_INT, 65535, 65535},
        {"k.i16", HEEDI_INT, -32768, -32768},
        {"k.u32", HEEDI_INT, 4294967295, 4294967295.0},
        {"k.i32", HEEDI_INT, INT32_MIN, -2147483648.0},
        {"k.f32", HEEDI_NUM, 0, 0.10000000149011612},
        {"k.bool", HEEDI_BOOL, 1, 1},
        {"k.u64", HEEDI_NUM, 0, 18446744073709551616.0},
        {"k.i64", HEEDI_INT, INT64_MIN, -9223372036854775808.0},
        {"k.f64", HEEDI_NUM, 0, 0.1},
        {"k", HEEDI_ABSENT, 0, 0},
        {"", HEEDI_ABSENT, 0, 0},
    };
    heed_ctx *ctx = new_ctx();
    heedi_checkpoint *c = opened(ctx, GOLDEN "types.gguf");
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        heedi_value v = heedi_config(c, rows[k].key);
        assert_int_equal(v.kind, rows[k].kind);
        assert_true(v.i == rows[k].i);
        assert_true(v.f == rows[k].f);
    }
    assert_string_equal(heedi_config(c, "k.str").s, "na\xc3\xafve");
    heedi_value v = heedi_config(c, "k.list");
    assert_int_equal(v.n, 3);
    assert_int_equal(heedi_config_item(&v, 1).i, -2);
    assert_int_equal(heedi_config_item(&v, 3).kind, HEEDI_ABSENT);
    assert_int_equal(heedi_config_item(&v, -1).kind, HEEDI_ABSENT);
    assert_null(heedi_config_key(&v, 0));
    v = heedi_config(c, "k.words");
    assert_string_equal(heedi_config_item(&v, 0).s, "");
    assert_string_equal(heedi_config_item(&v, 1).s, "a");
    v = heedi_config(c, "k.lists");
    heedi_value first = heedi_config_item(&v, 0);
    assert_int_equal(first.kind, HEEDI_LIST);
    assert_int_equal(heedi_config_item(&first, 1).i, 2);
    heedi_checkpoint_close(c);
    heed_ctx_free(ctx);
}

static void test_safetensors(void **state)
{
    (void)state;
    static const struct {
        const char *name, *dtype;
        int nd;
        size_t bytes;
    } rows[] = {{"f32", "f32", 2, 2048},   {"f16", "f16", 2, 1024},
                {"bf16", "bf16", 2, 1024}, {"f64", "f64", 2, 4096},
                {"scalar", "f32", 0, 4},   {"none", "f32", 2, 0},
                {"bool", "bool", 1, 3},    {"u8", "u8", 1, 4},
                {"i8", "i8", 1, 4},        {"i16", "i16", 1, 8},
                {"i32", "i32", 2, 16},     {"i64", "i64", 2, 32}};
    heed_ctx *ctx = new_ctx();
    heedi_checkpoint *c = opened(ctx, GOLDEN "safe");
    assert_string_equal(c->source, "safetensors");
    assert_string_equal(c->arch, "tiny");
    assert_int_equal(c->n_tensors, 14);
    for (int64_t i = 1; i < c->n_tensors; i++)
        assert_true(strcmp(c->tensor[i - 1].name, c->tensor[i].name) < 0);
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        const heedi_tensor *t = heedi_checkpoint_tensor(c, rows[k].name);
        assert_non_null(t);
        assert_string_equal(t->dtype->name, rows[k].dtype);
        assert_int_equal(t->nd, rows[k].nd);
        assert_int_equal(t->bytes, rows[k].bytes);
    }
    heed_real a[512], b[512];
    static const char *const pair[][2] = {{"f32", "odd.f32"},
                                          {"f16", "odd.f16"}};
    for (size_t k = 0; k < 2; k++) { /* where the data is not aligned */
        const heedi_tensor *t = heedi_checkpoint_tensor(c, pair[k][0]);
        const heedi_tensor *u = heedi_checkpoint_tensor(c, pair[k][1]);
        heedi_dtype_decode(t->dtype, a, t->data, 512);
        heedi_dtype_decode(u->dtype, b, u->data, 512);
        assert_memory_equal(a, b, sizeof a);
    }
    heedi_checkpoint_close(c);
    heed_ctx_free(ctx);
}

static void test_json_values(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heedi_checkpoint *c = opened(ctx, GOLDEN "safe");
    heedi_value v = heedi_config(c, "limits");
    assert_int_equal(v.n, 4);
    assert_true(heedi_config_item(&v, 1).f == HUGE_VAL);
    assert_true(heedi_config_item(&v, 2).f == -HUGE_VAL);
    assert_true(isnan(heedi_config_item(&v, 3).f));
    assert_int_equal(heedi_config_item(&v, 3).kind, HEEDI_NUM);
    assert_true(heedi_config(c, "new").f == HUGE_VAL);
    assert_string_equal(heedi_config(c, "text").s, "Infinity \" NaN");
    assert_int_equal(heedi_config(c, "no").kind, HEEDI_NULL);
    assert_int_equal(heedi_config(c, "nothing").kind, HEEDI_ABSENT);
    assert_true(heedi_config(c, "rope_scaling.factor").f == 8);
    assert_int_equal(heedi_config(c, "rope_scaling.factor").kind, HEEDI_NUM);
    v = heedi_config(c, "rope_scaling.deep.er");
    v = heedi_config_item(&v, 1);
    assert_string_equal(heedi_config_item(&v, 1).s, "x");
    static const char *const absent[] = {"rope_scaling.",
                                         "rope_scaling.factor.x",
                                         ".",
                                         "",
                                         "rope_scaling.fact",
                                         "n.n",
                                         "limits.0"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        assert_int_equal(heedi_config(c, absent[i]).kind, HEEDI_ABSENT);
    assert_true(fabs(heedi_config(c, "long").f / 1e30 - 1) < 1e-15);
    assert_int_equal(heedi_config(c, "flag").i, 1);
    assert_int_equal(heedi_config(c, "off").kind, HEEDI_BOOL);
    assert_int_equal(heedi_config(c, "off").i, 0);
    assert_int_equal(heedi_config(c, "n").i, -7);
    assert_true(heedi_config(c, "n").f == -7);
    assert_true(heedi_config(c, "e").f == 1e-05);
    v = heedi_config(c, "id2label");
    assert_int_equal(v.kind, HEEDI_OBJECT);
    assert_int_equal(v.n, 2);
    assert_string_equal(heedi_config_key(&v, 0), "0");
    assert_string_equal(heedi_config_key(&v, 1), "1");
    assert_null(heedi_config_key(&v, 2));
    assert_string_equal(heedi_config(c, "id2label.1").s, "good");
    heedi_checkpoint_close(c);
    heed_ctx_free(ctx);
}

static void test_shards(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heedi_checkpoint *c = opened(ctx, GOLDEN "shards/");
    static const char *const names[] = {"a", "b", "c"};
    static const float first[] = {1, 2, 3};
    assert_int_equal(c->n_tensors, 3);
    for (size_t i = 0; i < 3; i++) {
        const heedi_tensor *t = heedi_checkpoint_tensor(c, names[i]);
        heed_real x;
        heedi_dtype_decode(t->dtype, &x, t->data, 1);
        assert_true(x == (heed_real)first[i]);
    }
    heedi_checkpoint_close(c);
    heed_ctx_free(ctx);
}

static void test_nomem(void **state)
{
    (void)state;
    static const char *const paths[] = {GOLDEN "types.gguf", GOLDEN "safe",
                                        GOLDEN "shards", BIN "shards",
                                        BIN "protocol4"};
    for (size_t k = 0; k < sizeof paths / sizeof *paths; k++)
        for (long n = 1;; n++) {
            ration h = {.fail_at = n + 1, .last = true};
            heed_allocator a = {ration_resize, &h};
            heed_ctx *ctx;
            heedi_checkpoint *c;
            assert_int_equal(heed_ctx_new(&ctx, &a), HEED_OK);
            heed_status st = heedi_checkpoint_open(&c, ctx, paths[k]);
            if (st == HEED_OK) {
                assert_true(n > 3);
                heedi_checkpoint_close(c);
            } else {
                assert_int_equal(st, HEED_ENOMEM);
                assert_null(c);
                assert_non_null(strstr(heed_error(ctx), "memory"));
            }
            heed_ctx_free(ctx);
            assert_int_equal(h.out, 0);
            if (st == HEED_OK)
                break;
        }
}

static void test_sha256(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hex;
        int times;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
         1},
        {"abc",
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 1},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1", 1},
        {"aaaaaaaaaa",
         "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
         100000}};
    char hex[65];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        heedi_sha256 s;
        heedi_sha256_init(&s);
        for (int k = 0; k < rows[i].times; k++)
            heedi_sha256_add(&s, rows[i].text, strlen(rows[i].text));
        heedi_sha256_hex(&s, hex);
        assert_string_equal(hex, rows[i].hex);
    }
    /* in pieces of every length; the portable code gives the same */
    unsigned char data[512];
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(100 * (rnd(&seed) + 1));
    heedi_sha256 whole, part;
    heedi_sha256_init(&whole);
    uint32_t plain[8];
    memcpy(plain, whole.h, sizeof plain);
    heedi_sha256_add(&whole, data, sizeof data);
    heedi_sha256_blocks(plain, data, sizeof data / 64);
    assert_memory_equal(plain, whole.h, sizeof plain);
    for (size_t n = 1; n < 200; n++) {
        heedi_sha256_init(&part);
        for (size_t at = 0; at < sizeof data; at += n)
            heedi_sha256_add(&part, data + at,
                             sizeof data - at < n ? sizeof data - at : n);
        assert_memory_equal(part.h, whole.h, sizeof whole.h);
    }
}

static int stop(void *ud, const char *what, double done, double total)
{
    assert_string_equal(what, "hash");
    assert_true(done <= total);
    return *(int *)ud;
}

/* sha256sum of the files in tests/golden/load */
static void test_hash(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    char w[65], c[65], t[65];
    int yes = 1;
    assert_int_equal(heed_model_hash(ctx, GOLDEN "shards", w, c, t), HEED_OK);
    assert_string_equal(
        w, "367c4ac5a275ba647a94d92b7cf3b31d5570f9a0d1ccc413b5f96fa5791c9b3f");
    assert_string_equal(
        c, "9d5766da1aadabf2474affc67a0168280318b4cdc9e509b24740d2f1176e3d7b");
    assert_string_equal(t, "");
    assert_int_equal(heed_model_hash(ctx, GOLDEN "vocab.gguf", w, c, t), 0);
    assert_string_equal(
        w, "b21f7c8d37232e05fc2ff6420ca246e6a80ac9d2955aefeaca32ec77ba972f0c");
    assert_string_equal(c, "");
    assert_int_equal(heed_model_hash(ctx, GOLDEN "none", w, c, t), HEED_EIO);
    assert_non_null(strstr(heed_error(ctx), "none: No such file"));
    heed_ctx_listen(ctx, stop, NULL, &yes);
    assert_int_equal(heed_model_hash(ctx, GOLDEN "safe", w, c, t),
                     HEED_ECANCEL);
    heed_ctx_free(ctx);
}

static void test_hash_nomem(void **state)
{
    (void)state;
    heed_status st = HEED_ENOMEM;
    for (long n = 1; st != HEED_OK; n++) {
        ration h = {.fail_at = n + 1, .last = true};
        heed_allocator a = {ration_resize, &h};
        heed_ctx *ctx;
        char w[65], c[65], t[65];
        assert_int_equal(heed_ctx_new(&ctx, &a), HEED_OK);
        st = heed_model_hash(ctx, GOLDEN "shards", w, c, t);
        assert_true(st == HEED_OK || st == HEED_ENOMEM);
        heed_ctx_free(ctx);
        assert_int_equal(h.out, 0);
    }
}

static void test_no_file(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        heed_status st;
        const char *text;
    } rows[] = {
        {"/nonexistent/model.gguf", HEED_EIO, "No such file"},
        {"/dev/null", HEED_EIO, "not a regular file"},
        {GOLDEN, HEED_EIO, "config.json: No such file"},
        {GOLDEN "make.py", HEED_EFORMAT, "neither a GGUF file nor"},
        {GOLDEN "safe/model.safetensors", HEED_EFORMAT, "name the directory"},
        {"", HEED_EIO, "No such file"},
    };
    heed_ctx *ctx = new_ctx();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        heedi_checkpoint *c;
        assert_int_equal(heedi_checkpoint_open(&c, ctx, rows[i].path),
                         rows[i].st);
        assert_null(c);
        if (!strstr(heed_error(ctx), rows[i].text))
            fail_msg("%s", heed_error(ctx));
    }
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_gguf),   test(test_gguf_values), test(test_safetensors),
        test(test_shards), test(test_json_values), test(test_nomem),
        test(test_sha256), test(test_hash),        test(test_hash_nomem),
        test(test_no_file)};
    RUN(tests);
}
