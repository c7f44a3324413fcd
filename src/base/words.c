#include "words.h"

#include <ctype.h>
#include <string.h>

static int fold(char c)
{
    return c == '-' ? '_' : tolower((unsigned char)c);
}

static bool same(const char *a, size_t n, const char *b)
{
    if (strlen(b) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (fold(a[i]) != fold(b[i]))
            return false;
    return true;
}

bool heedi_same_name(const char *a, const char *b)
{
    return same(a, strlen(a), b);
}

bool heedi_has_word(const char *list, const char *name)
{
    while (*list) {
        size_t k = strcspn(list, " |");
        if (k > 0 && same(list, k, name))
            return true;
        list += k;
        list += *list != '\0';
    }
    return false;
}
