#include "out.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void heedi_out_bytes(heedi_out *o, const void *p, size_t n)
{
    if (o->err || n == 0)
        return;
    errno = 0;
    if (fwrite(p, 1, n, o->f) != n)
        o->err = errno ? errno : EIO;
}

void heedi_out_text(heedi_out *o, const char *s)
{
    heedi_out_bytes(o, s, strlen(s));
}

void heedi_out_print(heedi_out *o, const char *fmt, ...)
{
    if (o->err)
        return;
    va_list ap;
    va_start(ap, fmt);
    errno = 0;
    if (vfprintf(o->f, fmt, ap) < 0)
        o->err = errno ? errno : EIO;
    va_end(ap);
}

void heedi_digits(char buf[HEEDI_DIGITS], double x, int digits)
{
    snprintf(buf, HEEDI_DIGITS, "%.*g", digits, x);
    const char *point = localeconv()->decimal_point;
    size_t n = strlen(point);
    char *at = strcmp(point, ".") == 0 ? NULL : strstr(buf, point);
    if (at) {
        *at = '.';
        memmove(at + 1, at + n, strlen(at + n) + 1);
    }
}

heed_status heedi_out_fail(heed_ctx *ctx, const char *path, int err)
{
    if (strcmp(path, "-") == 0)
        path = "standard output";
    if (err == ENOMEM)
        return heedi_fail(ctx, HEED_ENOMEM, "%s: no memory", path);
    return heedi_fail(ctx, HEED_EOUTPUT, "%s: %s", path, strerror(err));
}

static char *joined(heed_ctx *ctx, const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    char *s = heedi_alloc(ctx, na + nb + 1);
    if (s) {
        memcpy(s, a, na);
        memcpy(s + na, b, nb);
    }
    return s;
}

heed_status heedi_place_init(heedi_place *p, heed_ctx *ctx, const char *path,
                             int force)
{
    struct stat st;
    *p = (heedi_place){0};
    if (!*path)
        return heedi_fail(ctx, HEED_EOUTPUT, "output file without a name");
    p->path = joined(ctx, path, "");
    if (!p->path)
        return HEED_ENOMEM;
    if (strcmp(path, "-") == 0)
        return HEED_OK;
    bool exists = stat(path, &st) == 0;
    if (exists && S_ISDIR(st.st_mode))
        return heedi_out_fail(ctx, path, EISDIR);
    p->renames = !exists || S_ISREG(st.st_mode);
    if (exists && p->renames && !force)
        return heedi_fail(ctx, HEED_EOUTPUT, "%s: exists (--force replaces it)",
                          path);
    p->part = joined(ctx, path, p->renames ? ".part" : "");
    return p->part ? HEED_OK : HEED_ENOMEM;
}

heed_status heedi_place_commit(heedi_place *p, heed_ctx *ctx)
{
    if (!p->renames)
        return HEED_OK;
    if (rename(p->part, p->path) != 0)
        return heedi_out_fail(ctx, p->path, errno);
    p->renames = false;
    return HEED_OK;
}

void heedi_place_discard(heedi_place *p)
{
    if (p->renames && p->part)
        unlink(p->part);
    p->renames = false;
}

void heedi_place_clear(heedi_place *p, heed_ctx *ctx)
{
    heedi_free(ctx, p->part);
    heedi_free(ctx, p->path);
    *p = (heedi_place){0};
}

heed_status heedi_out_open(heedi_out *o, heed_ctx *ctx, const heedi_place *p)
{
    *o = (heedi_out){.f = p->part ? fopen(p->part, "wb") : stdout};
    return o->f ? HEED_OK : heedi_out_fail(ctx, p->path, errno);
}

heed_status heedi_out_close(heedi_out *o, heed_ctx *ctx, const heedi_place *p)
{
    errno = 0;
    int bad = fflush(o->f);
    if (!o->err && bad)
        o->err = errno ? errno : EIO;
    if (o->f != stdout && fclose(o->f) != 0 && !o->err)
        o->err = errno ? errno : EIO;
    o->f = NULL;
    return o->err ? heedi_out_fail(ctx, p->path, o->err) : HEED_OK;
}
