#include "utf8.h"

#include <utf8proc.h>

size_t heedi_utf8_check(const char *s, size_t n)
{
    size_t len;
    for (size_t i = 0; i < n; i += len)
        if (heedi_utf8_get(s + i, n - i, &len) == HEEDI_BAD_CHAR)
            return i;
    return n;
}

static utf8proc_category_t category(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c);
}

bool heedi_is_space(uint32_t c)
{
    if (c < 0x80)
        return c == ' ' || (c >= '\t' && c <= '\r');
    return c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

/* Alphabetic, M, Nd, Pc, Join_Control. The letter-like symbols that are
 * alphabetic without being L or Nl are the circled and squared Latin ones. */
bool heedi_is_word(uint32_t c)
{
    static const bool word[UTF8PROC_CATEGORY_CO + 1] = {
        [UTF8PROC_CATEGORY_LU] = true, [UTF8PROC_CATEGORY_LL] = true,
        [UTF8PROC_CATEGORY_LT] = true, [UTF8PROC_CATEGORY_LM] = true,
        [UTF8PROC_CATEGORY_LO] = true, [UTF8PROC_CATEGORY_MN] = true,
        [UTF8PROC_CATEGORY_MC] = true, [UTF8PROC_CATEGORY_ME] = true,
        [UTF8PROC_CATEGORY_ND] = true, [UTF8PROC_CATEGORY_NL] = true,
        [UTF8PROC_CATEGORY_PC] = true};
    return word[category(c)] || c == 0x200C || c == 0x200D ||
           (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
           (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
}

bool heedi_is_numeric(uint32_t c)
{
    utf8proc_category_t k = category(c);
    return k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO;
}

bool heedi_is_punct(uint32_t c)
{
    if (c < 0x80)
        return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') ||
               (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
    utf8proc_category_t k = category(c);
    return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO;
}

bool heedi_is_mark(uint32_t c)
{
    utf8proc_category_t k = category(c);
    return k >= UTF8PROC_CATEGORY_MN && k <= UTF8PROC_CATEGORY_ME;
}

/* 0x21-0x7E, 0xA1-0xAC and 0xAE-0xFF stand for themselves; the other 68 bytes
 * are, in order, U+0100 and what follows. */
uint32_t heedi_byte_to_char(unsigned char b)
{
    if (b <= 0x20)
        return 0x100u + b;
    if (b >= 0x7F && b <= 0xA0)
        return 0x100u + 33 + (b - 0x7Fu);
    return b == 0xAD ? 0x100 + 67 : b;
}

int heedi_char_to_byte(uint32_t c)
{
    if (c >= 0x100 && c < 0x100 + 68) {
        uint32_t k = c - 0x100;
        return (int)(k < 33 ? k : k < 67 ? 0x7F + (k - 33) : 0xAD);
    }
    bool same = c < 0x100 && heedi_byte_to_char((unsigned char)c) == c;
    return same ? (int)c : -1;
}
