/* Every dtype, by every instruction set that this processor has, against
 * values of numpy and gguf (golden/load/make.py), bit for bit. */
#include "testlib.h"

#include <stdlib.h>

#include "checkpoint.h"
#include "decode.h"

#define GOLDEN "tests/golden/load/"

static const heedi_decode_table *const tables[] = {
#define X(isa) &heedi_decode_table_##isa,
    HEEDI_ISA_LIST(X)
#undef X
};

static void same_bits(heed_real got, heed_real want, const char *name, size_t i)
{
    if (want != want && got != got)
        return;
    if (memcmp(&got, &want, sizeof got) != 0)
        fail_msg("%s[%zu]: %.9g, not %.9g", name, i, (double)got, (double)want);
}

/* The golden values are float32; in double a float64 is itself. */
static heed_real wanted(const heedi_dtype *t, const unsigned char *data,
                        const float *want, size_t i)
{
    double x;
    if (sizeof(heed_real) == 4 || strcmp(t->name, "f64") != 0)
        return (heed_real)want[i];
    memcpy(&x, data + i * sizeof x, sizeof x);
    return (heed_real)x;
}

/* The same numbers at an address of any alignment, and not one more. */
static void check(const heedi_dtype *t, const unsigned char *data, size_t n,
                  const float *want)
{
    size_t bytes = n / (size_t)t->block * (size_t)t->bytes;
    unsigned char *in = malloc(bytes + 1);
    heed_real *out = malloc((n + 1) * sizeof *out);
    for (int isa = 0; isa <= heedi_isa_index(); isa++)
        for (size_t shift = 0; shift < 2; shift++) {
            memcpy(in + shift, data, bytes);
            out[n] = 12345;
            tables[isa]->decode[t->decode](out, in + shift, n);
            for (size_t i = 0; i < n; i++)
                same_bits(out[i], wanted(t, data, want, i), t->name, i);
            assert_true(out[n] == 12345);
        }
    free(in);
    free(out);
}

static void test_golden(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heedi_checkpoint *c, *e;
    int decoded = 0;
    assert_int_equal(heedi_checkpoint_open(&c, ctx, GOLDEN "types.gguf"), 0);
    assert_int_equal(heedi_checkpoint_open(&e, ctx, GOLDEN "types"), 0);
    for (int64_t i = 0; i < c->n_tensors; i++) {
        const heedi_tensor *t = &c->tensor[i];
        if (!t->dtype->is_float)
            continue;
        assert_string_equal(t->name, t->dtype->name);
        const heedi_tensor *x = heedi_checkpoint_tensor(e, t->name);
        float *want = malloc(x->bytes);
        memcpy(want, x->data, x->bytes);
        check(t->dtype, t->data, x->bytes / sizeof *want, want);
        free(want);
        decoded++;
    }
    assert_int_equal(decoded, HEEDI_N_DECODE);
    heedi_checkpoint_close(c);
    heedi_checkpoint_close(e);
    heed_ctx_free(ctx);
}

static const heedi_dtype *dtype(const char *name)
{
    const heedi_dtype *t = heedi_dtypes;
    while (strcmp(t->name, name) != 0)
        t++;
    return t;
}

static float half(unsigned h)
{
    int e = h >> 10 & 31, m = h & 1023;
    double x = e == 0   ? ldexp(m, -24)
               : e < 31 ? ldexp(1024 + m, e - 25)
               : m == 0 ? HUGE_VAL
                        : (double)NAN;
    return (float)(h & 0x8000 ? -x : x);
}

static void test_all_halves(void **state)
{
    (void)state;
    enum { N = 65536 };
    uint16_t *in = malloc(N * sizeof *in);
    float *want = malloc(N * sizeof *want);
    for (unsigned h = 0; h < N; h++) {
        in[h] = (uint16_t)h;
        want[h] = half(h);
    }
    check(dtype("f16"), (const unsigned char *)in, N, want);
    for (unsigned h = 0; h < N; h++) {
        uint32_t u = (uint32_t)h << 16;
        memcpy(&want[h], &u, sizeof u);
    }
    check(dtype("bf16"), (const unsigned char *)in, N, want);
    free(in);
    free(want);
}

/* A NaN has the same bits everywhere, too. */
static void test_nans(void **state)
{
    (void)state;
    uint16_t in[32];
    heed_real a[32], b[32];
    for (int i = 0; i < 32; i++)
        in[i] = (uint16_t)(0x7c01 + 31 * i + (i % 2) * 0x8000);
    const int f16 = dtype("f16")->decode;
    for (int isa = 0; isa <= heedi_isa_index(); isa++)
        for (int n = 1; n <= 32; n++) {
            tables[0]->decode[f16](a, in, (size_t)n);
            tables[isa]->decode[f16](b, in, (size_t)n);
            assert_memory_equal(a, b, (size_t)n * sizeof *a);
        }
}

/* Any number of numbers where a block is one. */
static void test_lengths(void **state)
{
    (void)state;
    uint16_t in[70];
    float want[70];
    for (unsigned i = 0; i < 70; i++) {
        in[i] = (uint16_t)(i * 977 % 0x7c00);
        want[i] = half(in[i]);
    }
    for (size_t n = 0; n <= 70; n++) {
        check(dtype("f16"), (const unsigned char *)in, n, want);
        check(dtype("f32"), (const unsigned char *)want, n, want);
    }
}

static void test_rows(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heedi_checkpoint *c, *e;
    assert_int_equal(heedi_checkpoint_open(&c, ctx, GOLDEN "types.gguf"), 0);
    assert_int_equal(heedi_checkpoint_open(&e, ctx, GOLDEN "types"), 0);
    const heedi_tensor *t = heedi_checkpoint_tensor(c, "q4_1");
    const unsigned char *want = heedi_checkpoint_tensor(e, "q4_1")->data;
    heedi_weight w = {.name = t->name,
                      .dtype = t->dtype,
                      .data = t->data,
                      .rows = 2,
                      .cols = 256,
                      .stride = 160};
    heedi_weight second = heedi_weight_rows(&w, 1, 1);
    heed_real out[128], whole[256];
    assert_int_equal(second.rows, 1);
    heedi_weight_row(&second, 0, 64, 128, out);
    heedi_weight_row(&w, 1, 0, 256, whole);
    for (size_t i = 0; i < 128; i++) {
        float f;
        memcpy(&f, want + (256 + 64 + i) * sizeof f, sizeof f);
        same_bits(out[i], f, "row", i);
        same_bits(whole[64 + i], f, "row", i);
    }
    heedi_checkpoint_close(c);
    heedi_checkpoint_close(e);
    heed_ctx_free(ctx);
}

static void test_table(void **state)
{
    (void)state;
    for (const heedi_dtype *t = heedi_dtypes; t->name; t++) {
        assert_true(t->safetensors || t->gguf >= 0);
        assert_true(t->block >= 1 && t->bytes >= 1);
        assert_int_equal(t->is_float, t->decode >= 0);
        for (const heedi_dtype *u = heedi_dtypes; u < t; u++) {
            assert_string_not_equal(t->name, u->name);
            assert_true(t->gguf < 0 || t->gguf != u->gguf);
            assert_true(t->decode < 0 || t->decode != u->decode);
        }
    }
    for (int isa = 0; isa <= heedi_isa_index(); isa++)
        for (int i = 0; i < HEEDI_N_DECODE; i++)
            assert_non_null(tables[isa]->decode[i]);
}

/* Two of every five rows, from the second on. */
static void test_runs(void **state)
{
    (void)state;
    float x[20][3];
    for (int r = 0; r < 20; r++)
        for (int c = 0; c < 3; c++)
            x[r][c] = (float)(10 * r + c);
    const heedi_weight w = {.dtype = dtype("f32"),
                            .data = (unsigned char *)x,
                            .rows = 20,
                            .cols = 3,
                            .stride = sizeof x[0]};
    const heedi_weight part = heedi_weight_runs(&w, 1, 2, 5);
    const int row[] = {1, 2, 6, 7, 11, 12, 16, 17};
    assert_int_equal(part.rows, 8);
    assert_int_equal(part.cols, 3);
    for (int r = 0; r < 8; r++) {
        heed_real out[2];
        heedi_weight_row(&part, r, 1, 2, out);
        assert_true(out[0] == (heed_real)x[row[r]][1]);
        assert_true(out[1] == (heed_real)x[row[r]][2]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_golden), test(test_all_halves),
                                       test(test_nans),   test(test_lengths),
                                       test(test_rows),   test(test_runs),
                                       test(test_table)};
    RUN(tests);
}
