/* Weights to numbers. Every instruction set gives the same bits, those of a
 * float32 calculation without fused operations: a product is rounded before
 * the sum. In the double build the same float32 values are widened. */
#include "decode.h"

#include <string.h>

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF /* gcc: off already, by -std=c11 */
#endif

/* V: W floats. The others: 16 bytes. */
typedef signed char b16 __attribute__((vector_size(16)));
typedef unsigned char u16 __attribute__((vector_size(16)));
typedef uint64_t u64 __attribute__((vector_size(16)));

#if defined(__AVX512F__)
typedef __m512 V;
#elif defined(__AVX2__)
typedef __m256 V;
#else
typedef float V __attribute__((vector_size(16)));
#endif
enum { W = sizeof(V) / sizeof(float) };

static inline V splat(float x)
{
#if defined(__AVX512F__)
    return _mm512_set1_ps(x);
#elif defined(__AVX2__)
    return _mm256_set1_ps(x);
#else
    return (V){x, x, x, x};
#endif
}

/* Bytes k*W ... k*W+W-1 as floats. */
static inline V widen(b16 b, int k)
{
#if defined(__AVX512F__)
    (void)k;
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32((__m128i)b));
#elif defined(__AVX2__)
    __m128i x = k ? _mm_unpackhi_epi64((__m128i)b, (__m128i)b) : (__m128i)b;
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(x));
#else
    return (V){b[W * k], b[W * k + 1], b[W * k + 2], b[W * k + 3]};
#endif
}

static inline void store(heed_real *out, V v)
{
    if (sizeof *out == sizeof(float)) {
        memcpy(out, &v, sizeof v);
    } else {
        float x[W];
        memcpy(x, &v, sizeof v);
        for (int i = 0; i < W; i++)
            out[i] = (heed_real)x[i];
    }
}

/* The bits of a half as those of a float; a NaN becomes a quiet one, as the
 * instruction does. */
static inline uint32_t half_bits(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, mag = h & 0x7fffu;
    uint32_t normal = (mag << 13) + (112u << 23);
    uint32_t special = (mag << 13) | 0x7f800000u | (mag > 0x7c00u) << 22;
    /* 0.5 + m 2^-24 is exact, and so is the difference */
    uint32_t half = 126u << 23, tiny = half | mag;
    float f, g;
    memcpy(&f, &tiny, sizeof f);
    memcpy(&g, &half, sizeof g);
    f -= g;
    memcpy(&tiny, &f, sizeof f);
    return sign | (mag < 0x400u ? tiny : mag < 0x7c00u ? normal : special);
}

static inline float half(const unsigned char *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    uint32_t u = half_bits(h);
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline u16 load(const unsigned char *p)
{
    u16 b;
    memcpy(&b, p, sizeof b);
    return b;
}

/* 16 numbers d q */
static inline void put(heed_real *out, b16 q, V d)
{
    for (int k = 0; k < 16 / W; k++)
        store(out + W * k, widen(q, k) * d);
}

/* 16 numbers d q + m */
static inline void put_add(heed_real *out, b16 q, V d, V m)
{
    for (int k = 0; k < 16 / W; k++) {
        V x = widen(q, k) * d;
        store(out + W * k, x + m);
    }
}

/* 16 where the bit is set, of 16 bits. The two halves are not joined in memory:
 * that would wait for both stores. */
static inline b16 fifth(const unsigned char *p)
{
#if defined(__AVX512BW__) && defined(__AVX512VL__)
    uint16_t set;
    memcpy(&set, p, sizeof set);
    return (b16)_mm_maskz_set1_epi8(set, 16);
#else
    const uint64_t ones = 0x0101010101010101u;
    const b16 bit = {1, 2, 4, 8, 16, 32, 64, -128,
                     1, 2, 4, 8, 16, 32, 64, -128};
    b16 b = (b16)(u64){p[0] * ones, p[1] * ones};
    return ((b & bit) == bit) & 16;
#endif
}

static void f32(heed_real *restrict out, const void *restrict in, size_t n)
{
    if (sizeof *out == sizeof(float)) {
        if (n)
            memcpy(out, in, n * sizeof *out);
        return;
    }
    const unsigned char *p = in;
    for (size_t i = 0; i < n; i++) {
        float f;
        memcpy(&f, p + i * sizeof f, sizeof f);
        out[i] = (heed_real)f;
    }
}

static void f64(heed_real *restrict out, const void *restrict in, size_t n)
{
    const unsigned char *p = in;
    for (size_t i = 0; i < n; i++) {
        double x;
        memcpy(&x, p + i * sizeof x, sizeof x);
        out[i] = (heed_real)x;
    }
}

static void bf16(heed_real *restrict out, const void *restrict in, size_t n)
{
    const unsigned char *p = in;
    size_t i = 0;
#if defined(__AVX512F__)
    for (; i + W <= n; i += W) {
        __m256i h = _mm256_loadu_si256((const void *)(p + 2 * i));
        __m512i x = _mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16);
        store(out + i, _mm512_castsi512_ps(x));
    }
#elif defined(__AVX2__)
    for (; i + W <= n; i += W) {
        __m128i h = _mm_loadu_si128((const void *)(p + 2 * i));
        __m256i x = _mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16);
        store(out + i, _mm256_castsi256_ps(x));
    }
#endif
    for (; i < n; i++) {
        uint16_t h;
        memcpy(&h, p + 2 * i, sizeof h);
        uint32_t u = (uint32_t)h << 16;
        float f;
        memcpy(&f, &u, sizeof f);
        out[i] = (heed_real)f;
    }
}

static void f16(heed_real *restrict out, const void *restrict in, size_t n)
{
    const unsigned char *p = in;
    size_t i = 0;
#if defined(__AVX512F__)
    for (; i + W <= n; i += W)
        store(out + i,
              _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(p + 2 * i))));
#elif defined(__AVX2__) && defined(__F16C__)
    for (; i + W <= n; i += W)
        store(out + i,
              _mm256_cvtph_ps(_mm_loadu_si128((const void *)(p + 2 * i))));
#endif
    for (; i < n; i++)
        out[i] = (heed_real)half(p + 2 * i);
}

/* d, 32 signed bytes */
static void q8_0(heed_real *restrict out, const void *restrict in, size_t n)
{
    const unsigned char *p = in;
    for (size_t i = 0; i < n; i += 32, p += 34) {
        V d = splat(half(p));
        put(out + i, (b16)load(p + 2), d);
        put(out + i + 16, (b16)load(p + 18), d);
    }
}

/* d, 16 bytes: low halves are the first 16 numbers, high halves the others */
static void q4_0(heed_real *restrict out, const void *restrict in, size_t n)
{
    const unsigned char *p = in;
    for (size_t i = 0; i < n; i += 32, p += 18) {
        V d = splat(half(p));
        u16 q = load(p + 2);
        put(out + i, (b16)(q & 15) - 8, d);
        put(out + i + 16, (b16)(q >> 4) - 8, d);
    }
}

/* d, m, 16 bytes */
static void q4_1(heed_real *restrict out, const void *restrict in, size_t n)
{
    const unsigned char *p = in;
    for (size_t i = 0; i < n; i += 32, p += 20) {
        V d = splat(half(p)), m = splat(half(p + 2));
        u16 q = load(p + 4);
        put_add(out + i, (b16)(q & 15), d, m);
        put_add(out + i + 16, (b16)(q >> 4), d, m);
    }
}

/* d, 32 fifth bits, 16 bytes */
static void q5_0(heed_real *restrict out, const void *restrict in, size_t n)
{
    const unsigned char *p = in;
    for (size_t i = 0; i < n; i += 32, p += 22) {
        V d = splat(half(p));
        u16 q = load(p + 6);
        put(out + i, ((b16)(q & 15) | fifth(p + 2)) - 16, d);
        put(out + i + 16, ((b16)(q >> 4) | fifth(p + 4)) - 16, d);
    }
}

/* d, m, 32 fifth bits, 16 bytes */
static void q5_1(heed_real *restrict out, const void *restrict in, size_t n)
{
    const unsigned char *p = in;
    for (size_t i = 0; i < n; i += 32, p += 24) {
        V d = splat(half(p)), m = splat(half(p + 2));
        u16 q = load(p + 8);
        put_add(out + i, (b16)(q & 15) | fifth(p + 4), d, m);
        put_add(out + i + 16, (b16)(q >> 4) | fifth(p + 6), d, m);
    }
}

/* Eight pairs of six bits in twelve bytes: the j-th scale and minimum. */
static inline void six_bits(const unsigned char *p, int j, float *sc, float *m)
{
    if (j < 4) {
        *sc = (float)(p[j] & 63);
        *m = (float)(p[j + 4] & 63);
    } else {
        *sc = (float)((p[j + 4] & 15) | (p[j - 4] >> 2 & 48));
        *m = (float)((p[j + 4] >> 4) | (p[j] >> 2 & 48));
    }
}

/* d, m, 12 bytes of scales and minima, [32 bytes of fifth bits,] 128 bytes:
 * 32 of them hold two groups of 32 numbers */
static inline void k_block(heed_real *out, const unsigned char *p,
                           const unsigned char *high, const unsigned char *qs)
{
    float d = half(p), dm = half(p + 2);
    for (int j = 0; j < 8; j++) {
        float sc, m;
        six_bits(p + 4, j, &sc, &m);
        V scale = splat(d * sc), less = splat(-(dm * m));
        for (int i = 0; i < 32; i += 16) {
            u16 q = load(qs + 32 * (j / 2) + i);
            q = j % 2 ? q >> 4 : q & 15;
            if (high)
                q |= (load(high + i) >> j & 1) << 4;
            put_add(out + 32 * j + i, (b16)q, scale, less);
        }
    }
}

static void q4_k(heed_real *restrict out, const void *restrict in, size_t n)
{
    const unsigned char *p = in;
    for (size_t i = 0; i < n; i += 256, p += 144)
        k_block(out + i, p, NULL, p + 16);
}

static void q5_k(heed_real *restrict out, const void *restrict in, size_t n)
{
    const unsigned char *p = in;
    for (size_t i = 0; i < n; i += 256, p += 176)
        k_block(out + i, p, p + 16, p + 48);
}

/* 128 bytes of low halves, 64 of two high bits, 16 signed scales, d */
static void q6_k(heed_real *restrict out, const void *restrict in, size_t n)
{
    const unsigned char *p = in;
    for (size_t i = 0; i < n; i += 256, p += 210) {
        float d = half(p + 208);
        for (int g = 0; g < 16; g++) { /* groups of 16 numbers, one scale */
            int side = g / 8, quarter = g % 8 / 2, at = g % 2 * 16;
            u16 lo = load(p + 64 * side + quarter % 2 * 32 + at);
            u16 hi = load(p + 128 + 32 * side + at);
            u16 q = (quarter / 2 ? lo >> 4 : lo & 15) |
                    (hi >> (2 * quarter) & 3) << 4;
            put(out + i + 16 * g, (b16)q - 32,
                splat(d * (float)(signed char)p[192 + g]));
        }
    }
}

const heedi_decode_table HEEDI_K(heedi_decode_table) = {{
#define X(name) [HEEDI_DECODE_##name] = name,
    HEEDI_DECODE_LIST(X)
#undef X
}};
