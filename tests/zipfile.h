/* zipfile.h - a zip archive in memory, its files stored as torch.save does. */
#ifndef ZIPFILE_H
#define ZIPFILE_H

#include <stdint.h>
#include <string.h>

typedef struct zip_part {
    const char *name;
    const void *p;
    size_t n;
} zip_part;

static inline unsigned char *zip_le(unsigned char *out, uint64_t x, size_t n)
{
    memcpy(out, &x, n);
    return out + n;
}

static inline unsigned char *zip_bytes(unsigned char *out, const void *p,
                                       size_t n)
{
    if (n > 0)
        memcpy(out, p, n);
    return out + n;
}

/* Version, flags, method, time, checksum, sizes, lengths: the same in both. */
static inline unsigned char *zip_head(unsigned char *out, const zip_part *part)
{
    out = zip_le(zip_le(out, 0, 8), 0, 6);
    out = zip_le(zip_le(out, part->n, 4), part->n, 4);
    return zip_le(out, strlen(part->name), 4);
}

/* Files k: each takes 76 bytes, twice its name and its contents; the end takes
 * 22 bytes. Returns how many bytes were written; k up to 16. */
static inline size_t zip_write(unsigned char *out, const zip_part *part, int k)
{
    unsigned char *p = out;
    size_t at[16];
    for (int i = 0; i < k; i++) {
        at[i] = (size_t)(p - out);
        p = zip_head(zip_bytes(p, "PK\3\4", 4), &part[i]);
        p = zip_bytes(p, part[i].name, strlen(part[i].name));
        p = zip_bytes(p, part[i].p, part[i].n);
    }
    const size_t directory = (size_t)(p - out);
    for (int i = 0; i < k; i++) {
        p = zip_head(zip_bytes(p, "PK\1\2\0\0", 6), &part[i]);
        p = zip_le(zip_le(zip_le(p, 0, 8), 0, 2), at[i], 4);
        p = zip_bytes(p, part[i].name, strlen(part[i].name));
    }
    const size_t size = (size_t)(p - out) - directory;
    p = zip_le(zip_bytes(p, "PK\5\6", 4), 0, 4);
    p = zip_le(zip_le(p, (uint64_t)k, 2), (uint64_t)k, 2);
    p = zip_le(zip_le(zip_le(p, size, 4), directory, 4), 0, 2);
    return (size_t)(p - out);
}

#endif
