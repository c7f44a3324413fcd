/* Text in: files and UTF-8. Text out: cells and numbers of tables. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"

int heedi_cli_utf8_size(const char *text, int64_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    static const unsigned char least[5] = {0, 0, 0x80, 0xa0, 0x90};
    int size = s[0] < 0x80   ? 1
               : s[0] < 0xc2 ? 0
               : s[0] < 0xe0 ? 2
               : s[0] < 0xf0 ? 3
               : s[0] < 0xf5 ? 4
                             : 0;
    if (size > n)
        return 0;
    for (int i = 1; i < size; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 || s[0] == 0xf0) && s[1] < least[size])
        return 0; /* longer than needed */
    if ((s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0; /* a surrogate, beyond U+10FFFF */
    return size;
}

int64_t heedi_cli_utf8_bad(const char *s, int64_t n)
{
    for (int64_t i = 0; i < n;) {
        int size = heedi_cli_utf8_size(s + i, n - i);
        if (size == 0)
            return i;
        i += size;
    }
    return -1;
}

heed_status heedi_cli_read_file(heedi_cli *c, const char *path, char **out,
                                int64_t *len)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    const char *name = f == stdin ? "standard input" : path;
    heed_status st = HEED_OK;
    size_t cap = 0, n = 0, got = 1;
    char *text = NULL;
    if (!f)
        return heedi_cli_fail(c, HEED_EIO, "%s: %s", path, strerror(errno));
    while (got > 0) {
        if (n + 1 >= cap) {
            cap = cap * 2 + 65536;
            char *p = realloc(text, cap);
            if (!p) {
                st = heedi_cli_fail(c, HEED_ENOMEM, "%s: out of memory", name);
                break;
            }
            text = p;
        }
        errno = 0;
        got = fread(text + n, 1, cap - n - 1, f);
        n += got;
    }
    if (st == HEED_OK && heedi_cli_interrupted())
        st = heedi_cli_fail(c, HEED_ECANCEL, "interrupted while reading");
    else if (st == HEED_OK && ferror(f))
        st = heedi_cli_fail(c, HEED_EIO, "%s: %s", name, strerror(errno));
    if (f != stdin)
        fclose(f);
    if (st != HEED_OK) {
        free(text);
        return st;
    }
    text[n] = '\0';
    *out = text;
    *len = (int64_t)n;
    return HEED_OK;
}

void heedi_cli_print_cell(FILE *f, const char *text)
{
    for (; *text; text++) {
        if (*text == '\t')
            fputs("\\t", f);
        else if (*text == '\n')
            fputs("\\n", f);
        else if (*text == '\\')
            fputs("\\\\", f);
        else if ((unsigned char)*text < 32 || *text == 127)
            fprintf(f, "\\x%02x", (unsigned char)*text);
        else
            putc(*text, f);
    }
}

void heedi_cli_print_number(FILE *f, double x, char end)
{
    if (isnan(x))
        fputs("nan", f);
    else
        fprintf(f, "%.9g", x + 0.0);
    putc(end, f);
}

bool heedi_cli_stdout_is_terminal(void)
{
    return isatty(STDOUT_FILENO);
}

bool heedi_cli_color(const heedi_cli *c)
{
    const char *no = getenv("NO_COLOR");
    if (c->args.color == HEEDI_COLOR_ALWAYS)
        return true;
    if (c->args.color == HEEDI_COLOR_NEVER || (no && *no))
        return false;
    return heedi_cli_stdout_is_terminal();
}

int heedi_cli_width(void)
{
    struct winsize w;
    const char *env = getenv("COLUMNS");
    int64_t n = 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
        n = w.ws_col;
    else if (!env || !heedi_cli_int_of(env, &n))
        n = 80;
    return (int)(n < 20 ? 20 : n > 1000 ? 1000 : n);
}
