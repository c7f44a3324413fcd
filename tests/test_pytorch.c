/* pytorch_model.bin: what torch.save wrote (tests/golden/bin/make.py) holds the
 * same tensors as safetensors files of them, bit for bit. What is refused is in
 * tests/damage/pytorch.sh; here, that no cut or changed byte does harm. */
#include "testlib.h"

#include <stdlib.h>
#include <unistd.h>

#include "checkpoint.h"
#include "modeldir.h"
#include "zipfile.h"

#define BIN "tests/golden/bin/"

static heedi_checkpoint *opened(heed_ctx *ctx, const char *path)
{
    heedi_checkpoint *c;
    if (heedi_checkpoint_open(&c, ctx, path) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    return c;
}

static void test_same(void **state)
{
    (void)state;
    static const struct {
        const char *bin, *safetensors;
        int64_t n;
    } rows[] = {
        {BIN "types", "tests/golden/load/safe", 14},
        {BIN "shards", "tests/golden/load/shards", 3},
        {BIN "native", "tests/golden/mamba/native", 23},
        {BIN "shared", BIN "expect", 16},
        {BIN "protocol3", BIN "expect", 16},
        {BIN "protocol4", BIN "expect", 16},
        {BIN "protocol5", BIN "expect", 16},
        {BIN "state_dict", BIN "expect", 16},
        {BIN "model", BIN "expect", 16},
        {BIN "plain_zip", BIN "expect", 16},
        {BIN "other_name", BIN "expect", 16},
        {BIN "buffer", BIN "expect", 16},
        {BIN "large", BIN "expect", 16},
    };
    heed_ctx *ctx = new_ctx();
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        heedi_checkpoint *a = opened(ctx, rows[k].bin),
                         *b = opened(ctx, rows[k].safetensors);
        assert_string_equal(a->source, "pytorch");
        assert_string_equal(b->source, "safetensors");
        assert_string_equal(a->arch, b->arch);
        assert_int_equal(a->n_tensors, rows[k].n);
        assert_int_equal(b->n_tensors, rows[k].n);
        for (int64_t i = 0; i < a->n_tensors; i++) {
            const heedi_tensor *x = &a->tensor[i], *y = &b->tensor[i];
            assert_string_equal(x->name, y->name);
            assert_ptr_equal(x->dtype, y->dtype);
            assert_int_equal(x->nd, y->nd);
            for (int d = 0; d < x->nd; d++)
                assert_int_equal(x->dim[d], y->dim[d]);
            assert_int_equal(x->bytes, y->bytes);
            assert_memory_equal(x->data, y->data, x->bytes);
        }
        heedi_checkpoint_close(a);
        heedi_checkpoint_close(b);
    }
    heed_ctx_free(ctx);
}

/* Tensors of one storage are the same bytes of the file. */
static void test_shared(void **state)
{
    (void)state;
    static const struct {
        const char *name, *of;
        int64_t first; /* number of the storage */
    } rows[] = {{"head", "embed", 0},      {"again", "embed", 0},
                {"rows", "embed", 8},      {"row", "embed", 12},
                {"flat", "embed", 0},      {"one", "embed", 4},
                {"buffer", "parameter", 2}};
    heed_ctx *ctx = new_ctx();
    heedi_checkpoint *c = opened(ctx, BIN "shared");
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        const heedi_tensor *t = heedi_checkpoint_tensor(c, rows[k].name);
        const heedi_tensor *of = heedi_checkpoint_tensor(c, rows[k].of);
        assert_ptr_equal(t->data, of->data + rows[k].first * of->dtype->bytes);
    }
    heedi_checkpoint_close(c);
    heed_ctx_free(ctx);
}

/* A model of state-spaces: the same logits. */
static void test_native(void **state)
{
    (void)state;
    enum { V = 61, T = 5 };
    static const char *const paths[] = {BIN "native",
                                        "tests/golden/mamba/native"};
    static const int32_t id[T] = {3, 1, 4, 1, 5};
    const int64_t at = T - 1;
    heed_candidate best[2][V];
    heed_ctx *ctx = new_ctx();
    for (int k = 0; k < 2; k++) {
        heed_model *m;
        if (heed_model_load(&m, ctx, paths[k]) != HEED_OK)
            fail_msg("%s", heed_error(ctx));
        assert_string_equal(heed_model_about(m)->source,
                            k ? "safetensors" : "pytorch");
        assert_int_equal(heed_predict(ctx, m, id, T, &at, 1, V, best[k]),
                         HEED_OK);
        heed_model_free(m);
    }
    for (int i = 0; i < V; i++) {
        assert_int_equal(best[0][i].id, best[1][i].id);
        assert_true(best[0][i].logit == best[1][i].logit);
    }
    heed_ctx_free(ctx);
}

static void hash_of(const char *path, char hex[65])
{
    size_t n;
    char *p = modeldir_read(path, &n);
    heed_sha256(p, n, hex);
    free(p);
}

static void test_hash(void **state)
{
    (void)state;
    char w[65], c[65], t[65], want[65], lines[512];
    heed_ctx *ctx = new_ctx();
    assert_int_equal(heed_model_hash(ctx, BIN "native", w, c, t), HEED_OK);
    hash_of(BIN "native/pytorch_model.bin", want);
    assert_string_equal(w, want);
    hash_of(BIN "native/config.json", want);
    assert_string_equal(c, want);
    assert_int_equal(heed_model_hash(ctx, BIN "shards", w, c, t), HEED_OK);
    int n = 0;
    for (int i = 1; i <= 2; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/pytorch_model-0000%d-of-00002.bin",
                 BIN "shards", i);
        hash_of(path, want);
        n += snprintf(lines + n, sizeof lines - (size_t)n, "%s  %s\n", want,
                      strrchr(path, '/') + 1);
    }
    heed_sha256(lines, (size_t)n, want);
    assert_string_equal(w, want);
    heed_ctx_free(ctx);
}

static void copy(const char *from, const char *name)
{
    size_t n;
    char *p = modeldir_read(from, &n);
    modeldir_write(name, p, n);
    free(p);
}

/* Where a folder has both, safetensors is read and hashed. */
static void test_both(void **state)
{
    (void)state;
    char w[65], c[65], t[65], want[65];
    copy(BIN "expect/config.json", "config.json");
    copy(BIN "expect/model.safetensors", "model.safetensors");
    modeldir_write("pytorch_model.bin", "x", 1);
    heed_ctx *ctx = new_ctx();
    heedi_checkpoint *k = opened(ctx, modeldir);
    assert_string_equal(k->source, "safetensors");
    heedi_checkpoint_close(k);
    assert_int_equal(heed_model_hash(ctx, modeldir, w, c, t), HEED_OK);
    hash_of(BIN "expect/model.safetensors", want);
    assert_string_equal(w, want);
    heed_ctx_free(ctx);
    remove(modeldir_file("model.safetensors"));
}

static heed_status attempt(const char *bytes, size_t n)
{
    heed_ctx *ctx = new_ctx();
    heedi_checkpoint *c;
    modeldir_write("pytorch_model.bin", bytes, n);
    heed_status st = heedi_checkpoint_open(&c, ctx, modeldir);
    if (st == HEED_OK) { /* all of it can be read */
        volatile unsigned char sum = 0;
        for (int64_t i = 0; i < c->n_tensors; i++)
            for (size_t b = 0; b < c->tensor[i].bytes; b++)
                sum = (unsigned char)(sum + c->tensor[i].data[b]);
    } else if ((st != HEED_EFORMAT && st != HEED_ENOTSUP) ||
               !strstr(heed_error(ctx), "pytorch_model.bin")) {
        if (!strstr(heed_error(ctx), "occurs twice")) /* names the folder */
            fail_msg("%d '%s'", st, heed_error(ctx));
    }
    heedi_checkpoint_close(c);
    heed_ctx_free(ctx);
    return st;
}

static void test_changed(void **state)
{
    (void)state;
    static const char *const names[] = {BIN "hostile/sound.bin",
                                        BIN "hostile/zip64_sound.bin",
                                        BIN "protocol4/pytorch_model.bin"};
    copy(BIN "expect/config.json", "config.json");
    for (int k = 0; k < 3; k++) {
        size_t n;
        char *p = modeldir_read(names[k], &n);
        assert_int_equal(attempt(p, n), HEED_OK);
        for (size_t cut = 0; cut < n; cut += k < 2 ? 1 : 61)
            assert_int_equal(attempt(p, cut), HEED_EFORMAT);
        for (size_t i = 0; i < n; i += k < 2 ? 1 : 7) {
            static const unsigned char mask[] = {1, 0x80, 0xff};
            for (int b = 0; b < 3; b++) {
                p[i] = (char)(p[i] ^ mask[b]);
                attempt(p, n);
                p[i] = (char)(p[i] ^ mask[b]);
            }
        }
        free(p);
    }
}

/* A heap that counts all bytes that are asked for. */
static void *counted(void *ud, void *p, size_t n)
{
    *(size_t *)ud += n;
    if (n > 0)
        return realloc(p, n);
    free(p);
    return NULL;
}

#define TENSOR                                                      \
    "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\n" \
    "FloatStorage\nX\1\0\0\0"                                       \
    "0X\3\0\0\0cpuK\4tQK\0K\4\x85K\1\x85\x89"                       \
    "ccollections\nOrderedDict\n)RtR"
#define TEXT(t)         \
    {                   \
        t, sizeof t - 1 \
    }

/* A megabyte of what takes the most memory; 5 of what is counted. */
static void test_bombs(void **state)
{
    (void)state;
    enum { MEGA = 1 << 20, MOST = 256 }; /* bytes asked for, of each byte */
    typedef struct piece {
        const char *p;
        size_t n;
    } piece;
    static const struct {
        piece head, again, tail;
        size_t bytes;
        const char *text;
    } rows[] = {
        {TEXT("("), TEXT("N"), TEXT("t."), MEGA, "the pickle is a tuple"},
        {TEXT("("), TEXT("N"), TEXT("t."), 5 * MEGA, "4194304 items"},
        {TEXT(""), TEXT("}"), TEXT("."), MEGA, "more than one value"},
        {TEXT(""), TEXT("}\x94"), TEXT("."), MEGA, "more than one value"},
        {TEXT(")"), TEXT("\x85"), TEXT("."), MEGA, "the pickle is a tuple"},
        {TEXT(")"), TEXT("\x85\x94"), TEXT("."), MEGA, "is a tuple"},
        {TEXT(""), TEXT("("), TEXT("."), MEGA, "nothing is on the stack"},
        {TEXT("(N"), TEXT("\x94h\0"), TEXT("t."), MEGA, "is a tuple"},
        {TEXT("N\x94"), TEXT("h\0\x86"), TEXT("."), MEGA, "is a tuple"},
        {TEXT("}q\0"), TEXT("h\0h\0s"), TEXT("."), MEGA, "is a dictionary"},
        {TEXT("}X\1\0\0\0aq\0" TENSOR "q\1s("), TEXT("h\0h\1"), TEXT("u."),
         MEGA, "tensor a occurs twice"},
        {TEXT("N\x85q\0"), TEXT("h\0\x86"), TEXT("."), MEGA, "is a tuple"},
        {TEXT("ccollections\nOrderedDict\nq\0)q\1"), TEXT("h\0h\1R"), TEXT("."),
         MEGA, "more than one value"},
    };
    static const float one[4] = {1, 2, 3, 4};
    copy(BIN "expect/config.json", "config.json");
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        char *p = malloc(rows[k].bytes + 512), *q = p;
        unsigned char *zip = malloc(rows[k].bytes + 2048);
        assert_true(p && zip);
        q = mempcpy(mempcpy(q, "\x80\4", 2), rows[k].head.p, rows[k].head.n);
        while ((size_t)(q - p) < rows[k].bytes)
            q = mempcpy(q, rows[k].again.p, rows[k].again.n);
        q = mempcpy(q, rows[k].tail.p, rows[k].tail.n);
        const zip_part part[] = {{"m/data.pkl", p, (size_t)(q - p)},
                                 {"m/data/0", one, sizeof one}};
        modeldir_write("pytorch_model.bin", zip, zip_write(zip, part, 2));
        size_t asked = 0;
        const heed_allocator a = {counted, &asked};
        heed_ctx *ctx;
        heedi_checkpoint *c;
        assert_int_equal(heed_ctx_new(&ctx, &a), HEED_OK);
        heed_status st = heedi_checkpoint_open(&c, ctx, modeldir);
        if ((st != HEED_EFORMAT && st != HEED_ENOTSUP) ||
            !strstr(heed_error(ctx), rows[k].text))
            fail_msg("%zu: %d '%s'", k, st, heed_error(ctx));
        if (asked > MOST * rows[k].bytes)
            fail_msg("%zu: %zu bytes asked for", k, asked);
        heed_ctx_free(ctx);
        free(zip);
        free(p);
    }
}

static int teardown(void **state)
{
    remove(modeldir_file("pytorch_model.bin"));
    return modeldir_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_same), test(test_shared),  test(test_native), test(test_hash),
        test(test_both), test(test_changed), test(test_bombs)};
    return cmocka_run_group_tests_name(__FILE__, tests, modeldir_setup,
                                       teardown) != 0;
}
