#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctx.h"

uint64_t heedi_le(const unsigned char *p, int bytes)
{
    uint64_t x = 0;
    memcpy(&x, p, (size_t)bytes); /* dtype.c: the machine is little-endian */
    return x;
}

bool heedi_is_dir(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

bool heedi_exists(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0;
}

const char *heedi_join(heedi_arena *mem, const char *dir, const char *name)
{
    size_t d = strlen(dir), n = strlen(name);
    char *s = heedi_arena_alloc(mem, d + n + 2);
    if (!s)
        return NULL;
    memcpy(s, dir, d);
    if (d > 0 && dir[d - 1] != '/')
        s[d++] = '/';
    memcpy(s + d, name, n);
    return s;
}

static heed_status map(heedi_map *out, heed_ctx *ctx, const char *path, int fd)
{
    struct stat s;
    if (fstat(fd, &s) != 0)
        return heedi_fail(ctx, HEED_EIO, "%s: %s", path, strerror(errno));
    if (S_ISDIR(s.st_mode))
        return heedi_fail(ctx, HEED_EIO, "%s is a directory", path);
    if (!S_ISREG(s.st_mode))
        return heedi_fail(ctx, HEED_EIO, "%s is not a regular file", path);
    if (s.st_size == 0)
        return heedi_fail(ctx, HEED_EFORMAT, "%s is empty", path);
    if ((uintmax_t)s.st_size > SIZE_MAX / 2)
        return heedi_fail(ctx, HEED_EIO, "%s is too large to be mapped", path);
    void *p = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return heedi_fail(ctx, HEED_EIO, "%s cannot be mapped: %s", path,
                          strerror(errno));
    *out = (heedi_map){p, (size_t)s.st_size};
    return HEED_OK;
}

heed_status heedi_map_open(heedi_map *out, heed_ctx *ctx, const char *path)
{
    *out = (heedi_map){0};
    /* O_NONBLOCK: opening a pipe would wait for its writer */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return heedi_fail(ctx, HEED_EIO, "%s: %s", path, strerror(errno));
    heed_status st = map(out, ctx, path, fd);
    close(fd);
    return st;
}

void heedi_map_close(heedi_map *m)
{
    union { /* munmap takes no const */
        const unsigned char *p;
        void *q;
    } u = {m->p};
    if (m->p)
        munmap(u.q, m->n);
    *m = (heedi_map){0};
}
