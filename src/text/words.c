/* words.c - words of a text, near to UAX #29: letters, marks and digits go
 * together, with an apostrophe between letters and a point or comma between
 * digits; each ideograph, kana and symbol is a word; punctuation is none. */
#include <utf8proc.h>

#include "tokenizer.h"
#include "utf8.h"

enum kind { NONE, EXTEND, LETTER, DIGIT, ALONE };

static bool stands_alone(uint32_t c)
{
    return (c >= 0x3041 && c <= 0x309F) || (c >= 0x3400 && c <= 0x9FFF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF);
}

static enum kind kind_of(uint32_t c)
{
    static const unsigned char kind[UTF8PROC_CATEGORY_CO + 1] = {
        [UTF8PROC_CATEGORY_LU] = LETTER, [UTF8PROC_CATEGORY_LL] = LETTER,
        [UTF8PROC_CATEGORY_LT] = LETTER, [UTF8PROC_CATEGORY_LM] = LETTER,
        [UTF8PROC_CATEGORY_LO] = LETTER, [UTF8PROC_CATEGORY_NL] = LETTER,
        [UTF8PROC_CATEGORY_MN] = EXTEND, [UTF8PROC_CATEGORY_MC] = EXTEND,
        [UTF8PROC_CATEGORY_ME] = EXTEND, [UTF8PROC_CATEGORY_CF] = EXTEND,
        [UTF8PROC_CATEGORY_ND] = DIGIT,  [UTF8PROC_CATEGORY_NO] = DIGIT,
        [UTF8PROC_CATEGORY_SO] = ALONE};
    if (c >= 0x1F3FB && c <= 0x1F3FF) /* skin tones */
        return EXTEND;
    return stands_alone(c)
               ? ALONE
               : (enum kind)kind[utf8proc_category((utf8proc_int32_t)c)];
}

static bool joins(uint32_t c, enum kind before, enum kind after)
{
    bool letters = before == LETTER && after == LETTER;
    bool digits = before == DIGIT && after == DIGIT;
    return ((c == '\'' || c == 0x2019) && (letters || digits)) ||
           ((c == '.' || c == ',') && digits) ||
           (c == '_' && before != NONE && after != NONE);
}

int32_t heedi_words(int32_t *word, const char *s, size_t n, int32_t first)
{
    int32_t count = first, now = -1; /* the word that may go on */
    enum kind was = NONE;
    bool joiner = false; /* the last character was U+200D */
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t c = heedi_utf8_get(s + i, n - i, &len);
        enum kind k = c == HEEDI_BAD_CHAR ? NONE : kind_of(c), after = NONE;
        size_t l2;
        if (k == NONE && was != NONE && i + len < n) {
            uint32_t d = heedi_utf8_get(s + i + len, n - i - len, &l2);
            after = d == HEEDI_BAD_CHAR ? NONE : kind_of(d);
        }
        bool goes_on =
            (k == EXTEND && now >= 0) || joins(c, was, after) ||
            (k == ALONE && was == ALONE && joiner) ||
            ((k == LETTER || k == DIGIT) && (was == LETTER || was == DIGIT));
        if (!goes_on)
            now = k == NONE || k == EXTEND ? -1 : count++;
        for (size_t b = 0; b < len; b++)
            word[i + b] = now;
        joiner = c == 0x200D;
        if (!goes_on || (k != EXTEND && k != NONE))
            was = k == EXTEND ? NONE : k;
    }
    return count;
}
