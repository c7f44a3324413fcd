/* A small GGUF file, damaged in every place. */
#include "damage.h"

/* places in the file */
enum mark {
    VERSION,
    N_TENSORS,
    N_KEYS,
    KEY_LEN,
    KEY,
    TYPE,
    STR_LEN,
    ALIGN_TYPE,
    ALIGN,
    LIST_TYPE,
    LIST_LEN,
    WORD_LEN,
    NUM_TYPE,
    NUM_LEN,
    DEEP_TYPE,
    DEEP_LEN,
    SPLIT,
    NAME_LEN,
    NAME,
    N_DIMS,
    DIM0,
    DIM1,
    T_TYPE,
    OFFSET,
    NAME2,
    OFFSET2,
    DATA,
    N_MARKS
};
static unsigned char gguf[MAX];
static size_t gguf_len, mark[N_MARKS];

static void put(const void *p, size_t n)
{
    memcpy(gguf + gguf_len, p, n);
    gguf_len += n;
}

static void u32(uint32_t x)
{
    put(&x, sizeof x);
}

static void u64(uint64_t x)
{
    put(&x, sizeof x);
}

static void str(const char *s)
{
    u64(strlen(s));
    put(s, strlen(s));
}

static void at(enum mark m)
{
    mark[m] = gguf_len;
}

static void metadata(void)
{
    at(KEY_LEN);
    u64(20);
    at(KEY);
    put("general.architecture", 20);
    at(TYPE);
    u32(8);
    at(STR_LEN);
    str("tiny");
    str("general.alignment");
    at(ALIGN_TYPE);
    u32(4);
    at(ALIGN);
    u32(32);
    str("words");
    u32(9);
    at(LIST_TYPE);
    u32(8);
    at(LIST_LEN);
    u64(2);
    str("a");
    at(WORD_LEN);
    str("b");
    str("nums");
    u32(9);
    at(NUM_TYPE);
    u32(5);
    at(NUM_LEN);
    u64(2);
    u64(1);
    str("deep");
    u32(9);
    at(DEEP_TYPE);
    u32(9);
    at(DEEP_LEN);
    u64(1);
    u32(0);
    u64(0);
    str("split.count");
    u32(4);
    at(SPLIT);
    u32(1);
}

static void build(void)
{
    gguf_len = 0;
    put("GGUF", 4);
    at(VERSION);
    u32(3);
    at(N_TENSORS);
    u64(2);
    at(N_KEYS);
    u64(6);
    metadata();
    at(NAME_LEN);
    u64(1);
    at(NAME);
    put("a", 1);
    at(N_DIMS);
    u32(2);
    at(DIM0);
    u64(32);
    at(DIM1);
    u64(2);
    at(T_TYPE);
    u32(2); /* q4_0: 36 bytes */
    at(OFFSET);
    u64(0);
    u64(1);
    at(NAME2);
    put("b", 1);
    u32(1);
    u64(4);
    u32(0);
    at(OFFSET2);
    u64(64);
    while (gguf_len % 32)
        put("", 1);
    at(DATA);
    for (int i = 0; i < 80; i++)
        put("", 1);
    assert_true(gguf_len <= MAX);
}

static void test_gguf(void **state)
{
    (void)state;
    static const uint64_t huge = UINT64_MAX, half = (uint64_t)1 << 63;
    const struct {
        enum mark at;
        int size;
        uint64_t value;
        heed_status st;
        const char *text;
    } rows[] = {
        {VERSION, 4, 1, HEED_ENOTSUP, "version 1 of GGUF"},
        {VERSION, 4, 4, HEED_ENOTSUP, "version 4 of GGUF"},
        {VERSION, 4, 0, HEED_ENOTSUP, "version 0 of GGUF"},
        {VERSION, 4, 3 << 24, HEED_ENOTSUP, "big-endian"},
        {N_TENSORS, 8, huge, HEED_EFORMAT, "tensors"},
        {N_TENSORS, 8, half, HEED_EFORMAT, "9223372036854775808 tensors"},
        {N_TENSORS, 8, 3, HEED_EFORMAT, ""},
        {N_TENSORS, 8, 1000, HEED_EFORMAT, "more than the file can hold"},
        {N_KEYS, 8, huge, HEED_EFORMAT, "keys"},
        {N_KEYS, 8, half, HEED_EFORMAT, "keys"},
        {N_KEYS, 8, 7, HEED_EFORMAT, ""},
        {N_KEYS, 8, 5, HEED_ENOTSUP, "tensor split.count"},
        {N_KEYS, 8, 0, HEED_EFORMAT, ""},
        {KEY_LEN, 8, huge, HEED_EFORMAT, "bytes of text"},
        {KEY_LEN, 8, half, HEED_EFORMAT, "bytes of text"},
        {KEY_LEN, 8, 0, HEED_EFORMAT, ""},
        {KEY, 1, 0, HEED_EFORMAT, "a key has byte 0"},
        {KEY, 1, 27, HEED_EFORMAT, "a key has byte 27"},
        {KEY, 1, 'x', HEED_EFORMAT, "has no general.architecture"},
        {TYPE, 4, 13, HEED_EFORMAT, "type 13 of a value"},
        {TYPE, 4, huge, HEED_EFORMAT, "type 4294967295 of a value"},
        {TYPE, 4, 10, HEED_EFORMAT, ""},
        {STR_LEN, 8, huge, HEED_EFORMAT, "bytes of text"},
        {STR_LEN, 8, 5, HEED_EFORMAT, ""},
        {ALIGN, 4, 0, HEED_EFORMAT, "not a power of two"},
        {ALIGN, 4, 33, HEED_EFORMAT, "not a power of two"},
        {ALIGN, 4, 1u << 31, HEED_EFORMAT, "not a power of two"},
        {ALIGN, 4, 1 << 30, HEED_EFORMAT, "before the first tensor"},
        {ALIGN, 4, 256, HEED_EFORMAT, ""},
        {ALIGN_TYPE, 4, 5, HEED_OK, ""},
        {ALIGN_TYPE, 4, 6, HEED_EFORMAT, "not a power of two"},
        {LIST_TYPE, 4, 13, HEED_EFORMAT, "type 13"},
        {LIST_LEN, 8, huge, HEED_EFORMAT, "items"},
        {LIST_LEN, 8, half / 4, HEED_EFORMAT, "items"},
        {WORD_LEN, 8, huge, HEED_EFORMAT, "bytes of text"},
        {NUM_TYPE, 4, 99, HEED_EFORMAT, "type 99"},
        {NUM_LEN, 8, huge / 4 + 2, HEED_EFORMAT, "items"},
        {NUM_LEN, 8, half, HEED_EFORMAT, "items"},
        {DEEP_LEN, 8, huge, HEED_EFORMAT, "items"},
        {SPLIT, 4, 2, HEED_ENOTSUP, "one of 2 parts"},
        {NAME_LEN, 8, huge, HEED_EFORMAT, "bytes of text"},
        {NAME, 1, '\n', HEED_EFORMAT, "name of a tensor has byte 10"},
        {NAME, 1, 0, HEED_EFORMAT, "name of a tensor has byte 0"},
        {NAME2, 1, 'a', HEED_EFORMAT, "tensor a occurs twice"},
        {N_DIMS, 4, 6, HEED_EFORMAT, "6 dimensions"},
        {N_DIMS, 4, huge, HEED_EFORMAT, "4294967295 dimensions"},
        {N_DIMS, 4, 0, HEED_ENOTSUP, "the unknown type 32"},
        {DIM0, 8, 31, HEED_EFORMAT, "not a multiple of the q4_0 block"},
        {DIM0, 8, 0, HEED_EFORMAT, "dimension 0 of tensor a is 0"},
        {DIM0, 8, half, HEED_EFORMAT, "dimension 0 of tensor a is 92233"},
        {DIM0, 8, half - 32, HEED_EFORMAT, "does not fit 64 bits"},
        {DIM1, 8, half / 32, HEED_EFORMAT, "does not fit 64 bits"},
        {DIM1, 8, half / 64, HEED_EFORMAT, "beyond the end"},
        {DIM1, 8, 4, HEED_EFORMAT, "tensors a and b overlap"},
        {DIM1, 8, 1000, HEED_EFORMAT, "beyond the end"},
        {T_TYPE, 4, 9, HEED_ENOTSUP, "tensor a is quantised as q8_1"},
        {T_TYPE, 4, 20, HEED_ENOTSUP, "tensor a is quantised as iq4_nl"},
        {T_TYPE, 4, 31, HEED_ENOTSUP, "tensor a has the unknown type 31"},
        {T_TYPE, 4, huge, HEED_ENOTSUP, "the unknown type 4294967295"},
        {T_TYPE, 4, 12, HEED_EFORMAT, "not a multiple of the q4_k block"},
        {OFFSET, 8, 1, HEED_EFORMAT, "starts at 1, not a multiple of 32"},
        {OFFSET, 8, huge - 31, HEED_EFORMAT, "beyond the end"},
        {OFFSET, 8, half, HEED_EFORMAT, "beyond the end"},
        {OFFSET, 8, 32, HEED_EFORMAT, "tensors a and b overlap"},
        {OFFSET2, 8, 0, HEED_EFORMAT, "overlap"},
        {OFFSET2, 8, 96, HEED_EFORMAT, "beyond the end"},
        {OFFSET2, 8, 64, HEED_OK, ""},
        {VERSION, 4, 2, HEED_OK, ""},
    };
    const char *name = "m.gguf";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        build();
        memcpy(gguf + mark[rows[i].at], &rows[i].value, (size_t)rows[i].size);
        put_file(name, gguf, gguf_len);
        if (rows[i].st == HEED_OK)
            accepted(in_dir(name));
        else
            refused(in_dir(name), rows[i].st, rows[i].text);
    }
}

static void test_gguf_cut(void **state)
{
    (void)state;
    build();
    for (size_t n = 0; n < gguf_len; n++) {
        put_file("m.gguf", gguf, n);
        refused(in_dir("m.gguf"), HEED_EFORMAT, n ? "" : "is empty");
    }
    put_file("m.gguf", gguf, gguf_len);
    accepted(in_dir("m.gguf"));
    put_file("m.gguf", "PK\3\4 and so on", 14);
    refused(in_dir("m.gguf"), HEED_EFORMAT, "name the directory");
}

/* Whatever one byte says, there is a status and, on failure, a sentence. */
static void test_gguf_bytes(void **state)
{
    (void)state;
    static const unsigned char values[] = {0, 1, 9, 0x7f, 0x80, 0xff};
    heed_ctx *ctx = new_ctx();
    build();
    for (size_t i = 0; i < mark[DATA]; i++)
        for (size_t k = 0; k < sizeof values; k++) {
            unsigned char old = gguf[i];
            heedi_checkpoint *c;
            gguf[i] = values[k];
            put_file("m.gguf", gguf, gguf_len);
            gguf[i] = old;
            if (heedi_checkpoint_open(&c, ctx, in_dir("m.gguf")) == HEED_OK)
                heedi_checkpoint_close(c);
            else
                assert_non_null(strstr(heed_error(ctx), "m.gguf"));
        }
    heed_ctx_free(ctx);
}

static void test_gguf_deep(void **state)
{
    (void)state;
    gguf_len = 0;
    put("GGUF", 4);
    u32(3);
    u64(0);
    u64(1);
    str("deep");
    u32(9);
    for (int i = 0; i < 300; i++) {
        u32(9);
        u64(1);
    }
    put_file("m.gguf", gguf, gguf_len);
    refused(in_dir("m.gguf"), HEED_EFORMAT, "more than 8 levels");
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_gguf), test(test_gguf_cut),
                                       test(test_gguf_bytes),
                                       test(test_gguf_deep)};
    return cmocka_run_group_tests_name(__FILE__, tests, setup, teardown) != 0;
}
