/* stderr: warnings, progress, the sentence of a failure; and signals. */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
    (void)sig;
    interrupted = 1;
}

/* The first SIGINT or SIGTERM ends the work in order, a second one at once.
 * A closed pipe and a limit of a file's size are errors of the write. */
void heedi_cli_signals_catch(void)
{
    struct sigaction stop = {.sa_handler = on_signal,
                             .sa_flags = (int)SA_RESETHAND};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL);
}

/* A stream that was closed stays unusable: otherwise the next file opened, a
 * result perhaps, would be the one that takes the place of stdout. */
void heedi_cli_streams_keep(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

bool heedi_cli_interrupted(void)
{
    return interrupted != 0;
}

/* One line, whatever is in it: control characters, those that UTF-8 begins
 * with C2 included, become question marks. */
static void make_plain(char *text)
{
    for (unsigned char *s = (unsigned char *)text; *s; s++)
        if (*s < 0x20 || *s == 0x7f)
            *s = '?';
        else if (*s == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0)
            s[0] = s[1] = '?';
}

heed_status heedi_cli_fail(heedi_cli *c, heed_status st, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->why, sizeof c->why, fmt, ap);
    va_end(ap);
    make_plain(c->why);
    return st;
}

heed_status heedi_cli_lib(heedi_cli *c, heed_status st)
{
    const char *why = c->ctx && st != HEED_OK ? heed_error(c->ctx) : "";
    return heedi_cli_fail(c, st, "%s", *why ? why : heed_status_text(st));
}

void *heedi_cli_calloc(heedi_cli *c, int64_t n, size_t size)
{
    void *p = n < 0 ? NULL : calloc(n ? (size_t)n : 1, size);
    if (!p)
        heedi_cli_fail(c, HEED_ENOMEM, "no memory for %lld items of %zu bytes",
                       (long long)n, size);
    return p;
}

static void print_line(const char *prefix, const char *text)
{
    heedi_cli_progress_end();
    fflush(stdout); /* in order where both go to one file */
    fprintf(stderr, "heed: %s%s\n", prefix, text);
}

void heedi_cli_say(const heedi_cli *c, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    if (c->args.quiet)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    make_plain(text);
    print_line("", text);
}

void heedi_cli_warn(const heedi_cli *c, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    if (c->args.quiet)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    make_plain(text);
    print_line("warning: ", text);
}

static void on_warning(void *ud, const char *text)
{
    heedi_cli_warn(ud, "%s", text);
}

/* ---- progress: one line, after a second, at most ten times a second ---- */

static struct {
    double start, last;
    bool shown;
} progress;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int on_progress(void *ud, const char *what, double done, double total)
{
    const heedi_cli *c = ud;
    double t = now();
    if (interrupted)
        return 1;
    if (c->args.quiet || t - progress.start < 1 || t - progress.last < 0.1 ||
        !isatty(STDERR_FILENO))
        return 0;
    double part = total > 0 ? done / total : 0;
    fprintf(stderr, "\r\033[Kheed: %s %3.0f %%", what,
            100 * (part < 0   ? 0
                   : part > 1 ? 1
                              : part));
    fflush(stderr);
    progress.last = t;
    progress.shown = true;
    return 0;
}

void heedi_cli_progress_end(void)
{
    if (progress.shown)
        fputs("\r\033[K", stderr);
    progress.shown = false;
}

void heedi_cli_listen(heedi_cli *c)
{
    progress.start = now();
    heed_ctx_listen(c->ctx, on_progress, on_warning, c);
}

/* ---- the end ---- */

static void print_json_text(const char *s)
{
    putchar('"');
    for (size_t i = 0; s[i];) {
        unsigned char b = (unsigned char)s[i];
        int size = heedi_cli_utf8_size(s + i, (int64_t)strnlen(s + i, 4));
        if (b == '"' || b == '\\') {
            printf("\\%c", b);
            i++;
        } else if (b < 32 || b == 127) {
            printf("\\u%04x", b);
            i++;
        } else if (size > 0) {
            fwrite(s + i, 1, (size_t)size, stdout);
            i += (size_t)size;
        } else {
            fputs("\\ufffd", stdout);
            i++;
        }
    }
    putchar('"');
}

void heedi_cli_report(const heedi_cli *c, heed_status st)
{
    const char *why = *c->why ? c->why : heed_status_text(st);
    print_line("", why);
    if (!c->args.json || c->printed)
        return;
    printf("{\"error\": {\"status\": %d, \"message\": ", heed_status_exit(st));
    print_json_text(why);
    puts("}}");
}
