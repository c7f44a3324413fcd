#include "canvas_svg.h"

#include <stdlib.h>
#include <string.h>

void heedi_svg_add(heedi_svg *s, const void *p, size_t n)
{
    char *grown = s->failed
                      ? NULL
                      : heedi_grow(s->ctx, s->text, &s->cap, s->n + n + 1, 1);
    s->failed |= !grown;
    if (s->failed)
        return;
    s->text = grown;
    memcpy(s->text + s->n, p, n);
    s->n += n;
    s->text[s->n] = '\0';
}

/* If s is "surface12" and then a quote or bracket: bytes of the word. */
static size_t counted(const char *s)
{
    static const char *const prefix[] = {"surface", "image", "source-",
                                         "pattern", "recording"};
    for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++) {
        size_t n = strlen(prefix[i]), digits;
        if (strncmp(s, prefix[i], n) != 0)
            continue;
        digits = strspn(s + n, "0123456789");
        if (digits && (s[n + digits] == '"' || s[n + digits] == ')'))
            return n;
    }
    return 0;
}

heed_status heedi_svg_write(heedi_svg *s, heedi_out *o)
{
    enum { MOST = 256 };
    long seen[MOST];
    int n_seen = 0;
    const char *from = s->text, *end = from ? from + s->n : NULL;
    for (const char *p = from; !s->failed && p && p < end;) {
        p = strpbrk(p, "\"#");
        size_t n = p ? counted(++p) : 0;
        if (!n)
            continue;
        char *after;
        long id = strtol(p + n, &after, 10);
        int k = 0;
        while (k < n_seen && seen[k] != id)
            k++;
        if (k == n_seen && k < MOST)
            seen[n_seen++] = id;
        heedi_out_bytes(o, from, (size_t)(p + n - from));
        heedi_out_print(o, "%ld", k < n_seen ? k : MOST + id);
        from = p = after;
    }
    if (!s->failed && s->text)
        heedi_out_bytes(o, from, (size_t)(end - from));
    heedi_free(s->ctx, s->text);
    s->text = NULL;
    return s->failed ? HEED_ENOMEM : HEED_OK;
}
