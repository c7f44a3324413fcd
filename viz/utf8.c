#include "utf8.h"

#include <string.h>
#include <utf8proc.h>

#include "ctx.h"

bool heedi_utf8_valid(const char *s)
{
    utf8proc_ssize_t left = (utf8proc_ssize_t)strlen(s);
    while (left > 0) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)s, left, &c);
        if (n <= 0)
            return false;
        s += n;
        left -= n;
    }
    return true;
}

heed_status heedi_text_check(heed_ctx *ctx, const char *what, const void *data,
                             int64_t n)
{
    const char *const *s = data;
    for (int64_t i = 0; i < n; i++)
        if (!s[i] || !heedi_utf8_valid(s[i]))
            return heedi_fail(ctx, HEED_EINVAL,
                              "%s: string %lld is not valid UTF-8", what,
                              (long long)i);
    return HEED_OK;
}

int32_t heedi_utf8_at(const char *s, int *n)
{
    utf8proc_int32_t c;
    utf8proc_ssize_t got =
        utf8proc_iterate((const utf8proc_uint8_t *)s, -1, &c);
    *n = got > 0 ? (int)got : 1;
    return got > 0 ? c : 0xFFFD;
}

int heedi_utf8_length(const char *s)
{
    int n;
    heedi_utf8_at(s, &n);
    return n;
}

int heedi_utf8_width(int32_t c)
{
    int w = utf8proc_charwidth(c);
    return c == 0x200D || w < 0 ? 0 : w;
}

bool heedi_utf8_is_rtl(const char *s, int n)
{
    for (int i = 0, len; i < n; i += len) {
        int k = utf8proc_get_property(heedi_utf8_at(s + i, &len))->bidi_class;
        if (k == UTF8PROC_BIDI_CLASS_R || k == UTF8PROC_BIDI_CLASS_AL)
            return true;
        if (k == UTF8PROC_BIDI_CLASS_L)
            return false;
    }
    return false;
}
