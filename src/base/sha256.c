#include "sha256.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static const uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static inline uint32_t ror(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static inline uint32_t big(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

void heedi_sha256_blocks(uint32_t h[8], const unsigned char *p, size_t n)
{
    for (; n > 0; n--, p += 64) {
        uint32_t w[64], s[8];
        memcpy(s, h, sizeof s);
        for (int i = 0; i < 16; i++)
            w[i] = big(p + 4 * i);
        for (int i = 16; i < 64; i++)
            w[i] = w[i - 16] + w[i - 7] +
                   (ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3) +
                   (ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10);
        for (int i = 0; i < 64; i++) {
            uint32_t t = s[7] + k[i] + w[i] + ((s[4] & s[5]) ^ (~s[4] & s[6])) +
                         (ror(s[4], 6) ^ ror(s[4], 11) ^ ror(s[4], 25));
            uint32_t u = (ror(s[0], 2) ^ ror(s[0], 13) ^ ror(s[0], 22)) +
                         ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
            memmove(s + 1, s, 7 * sizeof *s);
            s[4] += t;
            s[0] = t + u;
        }
        for (int i = 0; i < 8; i++)
            h[i] += s[i];
    }
}

#if defined(__x86_64__)
/* The instructions hold the state as (a b e f) and (c d g h), highest first,
 * and do two rounds each. */
__attribute__((target("sha,sse4.1,ssse3"))) static void
blocks_sha(uint32_t h[8], const unsigned char *p, size_t n)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i dcba = _mm_loadu_si128((const void *)h);
    __m128i hgfe = _mm_loadu_si128((const void *)(h + 4));
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1);
    __m128i efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
    __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
    for (; n > 0; n--, p += 64) {
        __m128i w[4], abef0 = abef, cdgh0 = cdgh;
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const void *)(p + 16 * i)),
                                    swap);
        for (int i = 0; i < 16; i++) {
            __m128i x = w[i & 3];
            if (i >= 4) { /* sixteen words back, fifteen, seven, two */
                x = _mm_sha256msg1_epu32(x, w[(i + 1) & 3]);
                x = _mm_add_epi32(
                    x, _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4));
                x = _mm_sha256msg2_epu32(x, w[(i + 3) & 3]);
                w[i & 3] = x;
            }
            x = _mm_add_epi32(x, _mm_loadu_si128((const void *)(k + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, x);
            x = _mm_shuffle_epi32(x, 0x0e);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, x);
        }
        abef = _mm_add_epi32(abef, abef0);
        cdgh = _mm_add_epi32(cdgh, cdgh0);
    }
    __m128i feba = _mm_shuffle_epi32(abef, 0x1b);
    __m128i dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((void *)h, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((void *)(h + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* __builtin_cpu_supports() does not know "sha" in every compiler. Asked once:
 * a virtual machine answers slowly. */
static int has_sha(void)
{
    static _Atomic int known = -1;
    if (known < 0) {
        unsigned a = 7, b = 0, c = 0, d = 0;
        __builtin_cpu_init();
        if (__builtin_cpu_supports("sse4.1"))
            __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        known = b >> 29 & 1;
    }
    return known;
}
#endif

static void blocks(uint32_t h[8], const unsigned char *p, size_t n)
{
#if defined(__x86_64__)
    if (has_sha()) {
        blocks_sha(h, p, n);
        return;
    }
#endif
    heedi_sha256_blocks(h, p, n);
}

void heedi_sha256_init(heedi_sha256 *s)
{
    *s = (heedi_sha256){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                              0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void heedi_sha256_add(heedi_sha256 *s, const void *in, size_t n)
{
    const unsigned char *p = in;
    size_t have = s->len % 64, room = 64 - have;
    s->len += n;
    if (have > 0) {
        size_t m = n < room ? n : room;
        memcpy(s->part + have, p, m);
        p += m;
        n -= m;
        if (m == room)
            blocks(s->h, s->part, 1);
    }
    if (n >= 64)
        blocks(s->h, p, n / 64);
    if (n % 64 > 0)
        memcpy(s->part, p + n / 64 * 64, n % 64);
}

void heedi_sha256_hex(heedi_sha256 *s, char hex[65])
{
    static const unsigned char pad[64] = {0x80};
    static const char digits[] = "0123456789abcdef";
    unsigned char bits[8];
    uint64_t n = s->len * 8;
    for (int i = 0; i < 8; i++)
        bits[i] = (unsigned char)(n >> (56 - 8 * i));
    heedi_sha256_add(s, pad, 1 + (119 - (size_t)(s->len % 64)) % 64);
    heedi_sha256_add(s, bits, sizeof bits);
    for (int i = 0; i < 64; i++)
        hex[i] = digits[s->h[i / 8] >> (28 - 4 * (i % 8)) & 15];
    hex[64] = '\0';
}
