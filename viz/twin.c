#include "twin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctx.h"
#include "out.h"

enum { BLOCK = 1 << 16 };

static char *joined(heed_ctx *ctx, const char *s, size_t n, const char *more)
{
    char *out = heedi_alloc(ctx, n + strlen(more) + 1);
    if (out) {
        memcpy(out, s, n);
        strcpy(out + n, more);
    }
    return out;
}

/* ---- copying ---- */

static bool copy_range(int to, int from, uint64_t at, uint64_t end)
{
    char buffer[BLOCK];
    while (at < end) {
        size_t want = end - at < BLOCK ? (size_t)(end - at) : BLOCK;
        ssize_t n = pread(from, buffer, want, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0)
            return true; /* the rest is a hole that ftruncate() makes */
        for (ssize_t k = 0; k < n;) {
            ssize_t m =
                pwrite(to, buffer + k, (size_t)(n - k), (off_t)at + (off_t)k);
            if (m < 0 && errno == EINTR)
                continue;
            if (m <= 0) {
                errno = m < 0 ? errno : EIO;
                return false;
            }
            k += m;
        }
        at += (uint64_t)n;
    }
    return true;
}

static bool same_size(int to, int from)
{
    struct stat st;
    return fstat(from, &st) == 0 && ftruncate(to, st.st_size) == 0;
}

/* ---- the two files ---- */

static heed_status fail(const heedi_twin *t, heed_ctx *ctx)
{
    return heedi_out_fail(ctx, t->path, errno);
}

/* PATH.part, empty and ours. */
static heed_status make_part(heedi_twin *t, heed_ctx *ctx)
{
    t->fd = open(t->part, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (t->fd < 0)
        return fail(t, ctx);
    if (flock(t->fd, LOCK_EX | LOCK_NB) != 0) {
        close(t->fd);
        t->fd = -1;
        return heedi_fail(ctx, HEED_EOUTPUT,
                          "%s: is being written by another process", t->path);
    }
    t->ours = true;
    return ftruncate(t->fd, 0) == 0 ? HEED_OK : fail(t, ctx);
}

heed_status heedi_twin_init(heedi_twin *t, heed_ctx *ctx, const char *path,
                            bool fresh)
{
    const char *slash = strrchr(path, '/');
    *t = (heedi_twin){.fd = -1, .fresh = fresh};
    t->path = joined(ctx, path, strlen(path), "");
    t->part = joined(ctx, path, strlen(path), ".part");
    t->folder = slash ? joined(ctx, path, (size_t)(slash - path) + 1, "")
                      : joined(ctx, ".", 1, "");
    if (!t->path || !t->part || !t->folder)
        return HEED_ENOMEM;
    return make_part(t, ctx);
}

heed_status heedi_twin_ready(heedi_twin *t, heed_ctx *ctx, bool *exists)
{
    struct stat st;
    *exists = true;
    if (t->fd >= 0 && fstat(t->fd, &st) == 0 && st.st_size > 0)
        return HEED_OK;
    if (t->fd < 0)
        HEEDI_TRY(make_part(t, ctx));
    int from = t->fresh ? -1 : open(t->path, O_RDONLY | O_CLOEXEC);
    *exists = from >= 0;
    if (from < 0)
        return t->fresh || errno == ENOENT ? HEED_OK : fail(t, ctx);
    heed_status st_ = HEED_OK;
    if (fstat(from, &st) != 0 ||
        !copy_range(t->fd, from, 0, (uint64_t)st.st_size))
        st_ = fail(t, ctx);
    close(from);
    return st_;
}

/* The names are on the disk before the file that was PATH is changed. */
static bool sync_folder(const heedi_twin *t)
{
    int fd = open(t->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = fsync(fd) == 0 || errno == EINVAL;
    close(fd);
    return ok;
}

static bool exchange(const heedi_twin *t)
{
#ifdef RENAME_EXCHANGE
    return !t->fresh && renameat2(AT_FDCWD, t->part, AT_FDCWD, t->path,
                                  RENAME_EXCHANGE) == 0;
#else
    (void)t;
    return false;
#endif
}

/* The file that was PATH is brought up to date. A reader that has it open
 * (HDF5 holds a lock then) keeps it: the next state is made in a new file. */
static void follow(heedi_twin *t, const heedi_twin_range *changed, size_t n)
{
    int old = open(t->part, O_RDWR | O_CLOEXEC);
    bool ok = old >= 0 && changed && flock(old, LOCK_EX | LOCK_NB) == 0;
    for (size_t i = 0; ok && i < n; i++)
        ok = copy_range(old, t->fd, changed[i].from, changed[i].to);
    ok = ok && same_size(old, t->fd);
    close(t->fd);
    t->fd = old;
    if (ok)
        return;
    unlink(t->part);
    t->ours = false;
    if (old >= 0)
        close(old);
    t->fd = -1;
}

heed_status heedi_twin_commit(heedi_twin *t, heed_ctx *ctx,
                              const heedi_twin_range *changed, size_t n)
{
    if (fdatasync(t->fd) != 0)
        return fail(t, ctx);
    bool both = exchange(t);
    if (!both && rename(t->part, t->path) != 0)
        return fail(t, ctx);
    t->fresh = false;
    t->ours = both;
    if (!sync_folder(t))
        return fail(t, ctx);
    if (both) {
        follow(t, changed, n);
        return HEED_OK;
    }
    close(t->fd);
    t->fd = -1;
    return HEED_OK;
}

void heedi_twin_clear(heedi_twin *t, heed_ctx *ctx)
{
    if (t->ours)
        unlink(t->part);
    if (t->fd >= 0)
        close(t->fd);
    heedi_free(ctx, t->path);
    heedi_free(ctx, t->part);
    heedi_free(ctx, t->folder);
    *t = (heedi_twin){.fd = -1};
}
