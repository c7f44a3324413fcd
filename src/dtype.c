#include "dtype.h"

#include "decode.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "weights are read where they lie, and files are little-endian");

/* name, safetensors, gguf, block, bytes, is_float, decode */
const heedi_dtype heedi_dtypes[] = {
    {"f32", "F32", 0, 1, 4, true, HEEDI_DECODE_f32},
    {"f16", "F16", 1, 1, 2, true, HEEDI_DECODE_f16},
    {"bf16", "BF16", 30, 1, 2, true, HEEDI_DECODE_bf16},
    {"f64", "F64", 28, 1, 8, true, HEEDI_DECODE_f64},
    {"q8_0", NULL, 8, 32, 34, true, HEEDI_DECODE_q8_0},
    {"q4_0", NULL, 2, 32, 18, true, HEEDI_DECODE_q4_0},
    {"q4_1", NULL, 3, 32, 20, true, HEEDI_DECODE_q4_1},
    {"q5_0", NULL, 6, 32, 22, true, HEEDI_DECODE_q5_0},
    {"q5_1", NULL, 7, 32, 24, true, HEEDI_DECODE_q5_1},
    {"q4_k", NULL, 12, 256, 144, true, HEEDI_DECODE_q4_k},
    {"q5_k", NULL, 13, 256, 176, true, HEEDI_DECODE_q5_k},
    {"q6_k", NULL, 14, 256, 210, true, HEEDI_DECODE_q6_k},
    {"i64", "I64", 27, 1, 8, false, -1},
    {"i32", "I32", 26, 1, 4, false, -1},
    {"i16", "I16", 25, 1, 2, false, -1},
    {"i8", "I8", 24, 1, 1, false, -1},
    {"u64", "U64", -1, 1, 8, false, -1},
    {"u32", "U32", -1, 1, 4, false, -1},
    {"u16", "U16", -1, 1, 2, false, -1},
    {"u8", "U8", -1, 1, 1, false, -1},
    {"bool", "BOOL", -1, 1, 1, false, -1},
    {0},
};

void heedi_dtype_decode(const heedi_dtype *t, heed_real *out, const void *in,
                        size_t n)
{
    static const heedi_decode_table *const tables[] = {
#define X(isa) &heedi_decode_table_##isa,
        HEEDI_ISA_LIST(X)
#undef X
    };
    tables[heedi_isa_index()]->decode[t->decode](out, in, n);
}

#define PART(name, value)                     \
    static void name(heed_real *x, int64_t n) \
    {                                         \
        for (int64_t i = 0; i < n; i++)       \
            x[i] = (value);                   \
    }
PART(positive, x[i] > 0 ? x[i] : 0)
PART(negative, x[i] < 0 ? x[i] : 0)
PART(absolute, x[i] < 0 ? -x[i] : x[i])
PART(squared, x[i] * x[i])
PART(ones, 1)

void heedi_part_of(heedi_part part, heed_real *x, int64_t n)
{
    static void (*const f[])(heed_real *,
                             int64_t) = {[HEEDI_POSITIVE] = positive,
                                         [HEEDI_NEGATIVE] = negative,
                                         [HEEDI_ABSOLUTE] = absolute,
                                         [HEEDI_SQUARED] = squared,
                                         [HEEDI_ONES] = ones};
    if (part != HEEDI_ALL)
        f[part](x, n);
}

heedi_weight heedi_weight_rows(const heedi_weight *w, int64_t r0, int64_t n)
{
    heedi_weight part = *w;
    part.data += (size_t)r0 * w->stride;
    part.rows = n;
    return part;
}

heedi_weight heedi_weight_runs(const heedi_weight *w, int64_t r0, int64_t run,
                               int64_t step)
{
    heedi_weight part = heedi_weight_rows(w, r0, w->rows / step * run);
    part.run = run;
    part.skip = (size_t)step * w->stride;
    return part;
}

void heedi_weight_row(const heedi_weight *w, int64_t r, int64_t c0, int64_t n,
                      heed_real *out)
{
    size_t blocks = (size_t)c0 / (size_t)w->dtype->block;
    size_t before = w->run > 0 ? (size_t)(r / w->run) * w->skip : 0;
    size_t in_run = (size_t)(w->run > 0 ? r % w->run : r);
    heedi_dtype_decode(w->dtype, out,
                       w->data + before + in_run * w->stride +
                           blocks * (size_t)w->dtype->bytes,
                       (size_t)n);
    for (int64_t i = 0; w->factor != 0 && i < n; i++)
        out[i] *= w->factor;
    heedi_part_of(w->part, out, n);
}

heedi_weight heedi_weight_outputs(const heedi_weight *w, int64_t o0, int64_t n)
{
    if (!w->transposed)
        return heedi_weight_rows(w, o0, n);
    heedi_weight v = *w;
    v.data += (size_t)o0 * (size_t)w->dtype->bytes;
    v.cols = n;
    return v;
}
