#include "image.h"

/* A TIFF block: byte order, 42, offset of the first directory; an entry is
 * tag, type, count, and a value of up to four bytes or its offset. */

enum { ORIENTATION = 0x0112, BYTE = 1, SHORT = 3, LONG = 4 };

static uint32_t number(const unsigned char *p, int bytes, bool big)
{
    uint32_t x = 0;
    for (int i = 0; i < bytes; i++)
        x |= (uint32_t)p[i] << 8 * (big ? bytes - 1 - i : i);
    return x;
}

int heedi_exif_orientation(const unsigned char *p, size_t n)
{
    if (n < 8 || p[0] != p[1] || (p[0] != 'I' && p[0] != 'M'))
        return 0;
    const bool big = p[0] == 'M';
    const size_t at = number(p + 4, 4, big);
    if (number(p + 2, 2, big) != 42 || at > n || n - at < 2)
        return 0;
    const size_t entries = number(p + at, 2, big);
    for (size_t i = 0; i < entries && (n - at - 2) / 12 > i; i++) {
        const unsigned char *e = p + at + 2 + 12 * i;
        const uint32_t type = number(e + 2, 2, big);
        const int bytes = type == BYTE    ? 1
                          : type == SHORT ? 2
                          : type == LONG  ? 4
                                          : 0;
        if (number(e, 2, big) != ORIENTATION || bytes == 0 ||
            number(e + 4, 4, big) != 1)
            continue;
        const uint32_t x = number(e + 8, bytes, big);
        return x >= 1 && x <= 8 ? (int)x : 0;
    }
    return 0;
}
