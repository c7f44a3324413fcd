/* utf8.h - reading UTF-8, and the classes of characters that tokenizers use. */
#ifndef HEEDI_UTF8_H
#define HEEDI_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEEDI_BAD_CHAR UINT32_MAX

/* The character at s, of which n > 0 bytes may be read; *len is its length.
 * HEEDI_BAD_CHAR, and a length of 1, if it is not well-formed. */
static inline uint32_t heedi_utf8_get(const char *s, size_t n, size_t *len)
{
    const unsigned char *p = (const unsigned char *)s;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    *len = 1;
    if (p[0] < 0x80)
        return p[0];
    size_t k = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || n < k)
        return HEEDI_BAD_CHAR;
    uint32_t c = p[0] & (0x7Fu >> k);
    for (size_t i = 1; i < k; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return HEEDI_BAD_CHAR;
        c = c << 6 | (p[i] & 0x3F);
    }
    if (c < least[k] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
        return HEEDI_BAD_CHAR;
    *len = k;
    return c;
}

/* Writes 1 to 4 bytes; c is a valid character. */
static inline size_t heedi_utf8_put(char *s, uint32_t c)
{
    unsigned char *p = (unsigned char *)s;
    if (c < 0x80) {
        p[0] = (unsigned char)c;
        return 1;
    }
    size_t k = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = k - 1; i > 0; i--, c >>= 6)
        p[i] = (unsigned char)(0x80 | (c & 0x3F));
    p[0] = (unsigned char)(0xF00u >> k | c);
    return k;
}

/* Offset of the first byte that is not part of a character; n if all are. */
size_t heedi_utf8_check(const char *s, size_t n);

/* White_Space; \w of the original libraries; Nd, Nl, No; P and the ASCII
 * symbols; M. */
bool heedi_is_space(uint32_t c);
bool heedi_is_word(uint32_t c);
bool heedi_is_numeric(uint32_t c);
bool heedi_is_punct(uint32_t c);
bool heedi_is_mark(uint32_t c);

/* The printable character that stands for a byte in byte-level vocabularies,
 * and the byte of a character, or -1. */
uint32_t heedi_byte_to_char(unsigned char b);
int heedi_char_to_byte(uint32_t c);

#endif
