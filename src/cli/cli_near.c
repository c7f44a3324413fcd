/* Comparing names, and the nearest one to a mistyped word. */
#include <ctype.h>
#include <string.h>

#include "cli_args.h"

enum { LONGEST = 40 };

static int folded(char c)
{
    return c == '_' ? '-' : tolower((unsigned char)c);
}

bool heedi_cli_same_name(const char *a, const char *b, size_t n)
{
    size_t i = 0;
    for (; i < n && a[i] && folded(a[i]) == folded(b[i]); i++)
        ;
    return i == n && a[i] == '\0';
}

bool heedi_cli_listed(const char *list, char sep, const char *name)
{
    while (list && *list) {
        const char *end = strchr(list, sep);
        size_t n = end ? (size_t)(end - list) : strlen(list);
        if (heedi_cli_same_name(name, list, n))
            return true;
        list += n + (end != NULL);
    }
    return false;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn a into
 * b; both are cut to LONGEST. */
static int distance(const char *a, const char *b)
{
    int na = (int)strnlen(a, LONGEST), nb = (int)strnlen(b, LONGEST);
    int d[LONGEST + 1][LONGEST + 1];
    for (int i = 0; i <= na; i++)
        for (int j = 0; j <= nb; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            int same = folded(a[i - 1]) == folded(b[j - 1]);
            int best = d[i - 1][j - 1] + !same;
            best = d[i - 1][j] < best ? d[i - 1][j] + 1 : best;
            best = d[i][j - 1] < best ? d[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) &&
                folded(a[i - 2]) == folded(b[j - 1]) && d[i - 2][j - 2] < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[na][nb];
}

void heedi_cli_near_offer(heedi_near *n, const char *candidate)
{
    int d = distance(n->word, candidate);
    int limit = 1 + (int)strnlen(candidate, LONGEST) / 4;
    if (d <= limit && (!n->best || d < n->distance)) {
        n->best = candidate;
        n->distance = d;
    }
}
