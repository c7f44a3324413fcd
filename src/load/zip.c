/* The directory at the end of the file says where the others are; each has a
 * header of its own before what is in it. APPNOTE 6.3.10, 4.3. */
#include "zip.h"

#include <stdlib.h>
#include <string.h>

#include "ctx.h"

/* bytes of the fixed part of each record */
enum { LOCAL = 30, CENTRAL = 46, END = 22, END64 = 56, LOCATOR = 20 };
enum { ENCRYPTED = 1, ZIP64 = 1 }; /* a flag; an extra field */

typedef struct reader {
    heed_ctx *ctx;
    const char *path;
    const unsigned char *p;
    size_t n;          /* of the whole */
    size_t dir, limit; /* where the directory starts and ends */
    uint64_t count;    /* of its records */
} reader;

/* What the last record says, or the one that is meant for large files. */
typedef struct ending {
    uint64_t disks, here, count, size, at;
} ending;

static bool is(const unsigned char *p, const char *signature)
{
    return memcmp(p, signature, 4) == 0;
}

static heed_status bad_end(reader *r, const char *why)
{
    return heedi_fail(r->ctx, HEED_EFORMAT, "%s: %s", r->path, why);
}

static heed_status find_end64(reader *r, ending *e)
{
    if (r->n < END + LOCATOR || !is(r->p + r->n - END - LOCATOR, "PK\6\7"))
        return HEED_OK;
    r->limit = r->n - END - LOCATOR;
    const uint64_t at = heedi_le(r->p + r->limit + 8, 8);
    if (r->limit < END64 || at != r->limit - END64 || !is(r->p + at, "PK\6\6"))
        return bad_end(r, "the end record of a large zip file is not where its "
                          "locator says");
    const unsigned char *p = r->p + at;
    const ending big = {heedi_le(p + 16, 4) + heedi_le(p + 20, 4),
                        heedi_le(p + 24, 8), heedi_le(p + 32, 8),
                        heedi_le(p + 40, 8), heedi_le(p + 48, 8)};
    if ((e->count != 0xffff && e->count != big.count) ||
        (e->size != 0xffffffff && e->size != big.size) ||
        (e->at != 0xffffffff && e->at != big.at))
        return bad_end(r, "the two end records of the zip file differ");
    r->limit = (size_t)at;
    *e = big;
    return HEED_OK;
}

static heed_status find_directory(reader *r)
{
    const size_t last = r->n < END ? 0 : r->n - END;
    const unsigned char *p = r->p + last;
    if (r->n < END || !is(p, "PK\5\6") || heedi_le(p + 20, 2) != 0)
        return bad_end(r, "no zip file, or cut: it does not end in the record "
                          "that a zip file ends in");
    ending e = {heedi_le(p + 4, 2) + heedi_le(p + 6, 2), heedi_le(p + 8, 2),
                heedi_le(p + 10, 2), heedi_le(p + 12, 4), heedi_le(p + 16, 4)};
    r->limit = last;
    HEEDI_TRY(find_end64(r, &e));
    if (e.disks != 0 || e.here != e.count)
        return bad_end(r, "one of several parts of a zip file");
    if (e.at > r->limit || e.size != r->limit - e.at)
        return heedi_fail(r->ctx, HEED_EFORMAT,
                          "%s: the directory of the zip file, %llu bytes from "
                          "%llu on, does not end at byte %zu",
                          r->path, (unsigned long long)e.size,
                          (unsigned long long)e.at, r->limit);
    if (e.count > e.size / CENTRAL)
        return heedi_fail(r->ctx, HEED_EFORMAT,
                          "%s: a zip file of %llu files with a directory of "
                          "%llu bytes",
                          r->path, (unsigned long long)e.count,
                          (unsigned long long)e.size);
    r->dir = (size_t)e.at;
    r->count = e.count;
    return HEED_OK;
}

/* Replace the values that are all ones, in this order, by those of the extra
 * field for large files; false if it is too short or not there. */
static bool widen(const unsigned char *extra, size_t n, uint64_t *const v[3])
{
    bool wanted = false;
    for (int i = 0; i < 3; i++)
        wanted |= *v[i] == 0xffffffff;
    while (wanted && n >= 4) {
        size_t size = heedi_le(extra + 2, 2);
        const unsigned char *p = extra + 4;
        if (size > n - 4)
            return false;
        extra = p + size;
        n -= 4 + size;
        if (heedi_le(p - 4, 2) != ZIP64)
            continue;
        for (int i = 0; i < 3; i++) {
            if (*v[i] != 0xffffffff)
                continue;
            if (size < 8)
                return false;
            *v[i] = heedi_le(p, 8);
            p += 8;
            size -= 8;
        }
        return true;
    }
    return !wanted;
}

/* The header before the contents: the same name, and where they start. */
static heed_status read_local(reader *r, heedi_zip_file *f, uint64_t at,
                              uint64_t size)
{
    if (at > r->dir || r->dir - at < LOCAL || !is(r->p + at, "PK\3\4"))
        return heedi_fail(r->ctx, HEED_EFORMAT,
                          "%s: %.*s is not at byte %llu, where the directory "
                          "places it",
                          r->path, HEEDI_NAME(f->name), (unsigned long long)at);
    const unsigned char *p = r->p + at;
    const size_t name = heedi_le(p + 26, 2), extra = heedi_le(p + 28, 2);
    const size_t left = r->dir - (size_t)at - LOCAL;
    if (name != f->name.len || name > left ||
        memcmp(p + LOCAL, f->name.s, name) != 0)
        return heedi_fail(r->ctx, HEED_EFORMAT,
                          "%s: %.*s has another name at byte %llu", r->path,
                          HEEDI_NAME(f->name), (unsigned long long)at);
    if (extra > left - name || size > left - name - extra)
        return heedi_fail(r->ctx, HEED_EFORMAT,
                          "%s: %.*s, %llu bytes, reaches into the directory",
                          r->path, HEEDI_NAME(f->name),
                          (unsigned long long)size);
    f->all = p;
    f->p = p + LOCAL + name + extra;
    f->n = (size_t)size;
    return HEED_OK;
}

/* One record of the directory; *at moves on to the next. */
static heed_status read_central(reader *r, heedi_zip_file *f, size_t *at)
{
    const unsigned char *p = r->p + *at;
    const size_t left = r->limit - *at;
    if (left < CENTRAL || !is(p, "PK\1\2"))
        return heedi_fail(r->ctx, HEED_EFORMAT,
                          "%s: the directory of the zip file has no record at "
                          "byte %zu",
                          r->path, *at);
    const size_t name = heedi_le(p + 28, 2), extra = heedi_le(p + 30, 2),
                 comment = heedi_le(p + 32, 2);
    if (name + extra + comment > left - CENTRAL)
        return heedi_fail(r->ctx, HEED_EFORMAT,
                          "%s: the record at byte %zu reaches beyond the "
                          "directory",
                          r->path, *at);
    *at += CENTRAL + name + extra + comment;
    f->name = (heedi_str){(const char *)p + CENTRAL, name};
    const unsigned method = (unsigned)heedi_le(p + 10, 2);
    if (heedi_le(p + 8, 2) & ENCRYPTED)
        return heedi_fail(r->ctx, HEED_ENOTSUP, "%s: %.*s is encrypted",
                          r->path, HEEDI_NAME(f->name));
    if (method != 0)
        return heedi_fail(r->ctx, HEED_ENOTSUP,
                          "%s: %.*s is compressed (%s, method %u); torch.save "
                          "stores",
                          r->path, HEEDI_NAME(f->name),
                          method == 8 ? "deflate" : "not deflate", method);
    uint64_t packed = heedi_le(p + 20, 4), size = heedi_le(p + 24, 4),
             place = heedi_le(p + 42, 4);
    if (!widen(p + CENTRAL + name, extra,
               (uint64_t *const[]){&size, &packed, &place}))
        return heedi_fail(r->ctx, HEED_EFORMAT,
                          "%s: %.*s has no sizes of a large file", r->path,
                          HEEDI_NAME(f->name));
    if (packed != size)
        return heedi_fail(r->ctx, HEED_EFORMAT,
                          "%s: %.*s is stored, but has %llu bytes of %llu",
                          r->path, HEEDI_NAME(f->name),
                          (unsigned long long)packed, (unsigned long long)size);
    return read_local(r, f, place, size);
}

static int by_place(const void *a, const void *b)
{
    const heedi_zip_file *x = a, *y = b;
    return (x->all > y->all) - (x->all < y->all);
}

static int compare(const char *a, size_t m, const char *b, size_t n)
{
    int c = memcmp(a, b, m < n ? m : n);
    return c ? c : (m > n) - (m < n);
}

static int by_name(const void *a, const void *b)
{
    const heedi_zip_file *x = a, *y = b;
    return compare(x->name.s, x->name.len, y->name.s, y->name.len);
}

static heed_status check(reader *r, heedi_zip *z)
{
    qsort(z->file, z->n, sizeof *z->file, by_place);
    for (size_t i = 1; i < z->n; i++)
        if (z->file[i - 1].p + z->file[i - 1].n > z->file[i].all)
            return heedi_fail(r->ctx, HEED_EFORMAT, "%s: %.*s and %.*s overlap",
                              r->path, HEEDI_NAME(z->file[i - 1].name),
                              HEEDI_NAME(z->file[i].name));
    qsort(z->file, z->n, sizeof *z->file, by_name);
    for (size_t i = 1; i < z->n; i++)
        if (by_name(&z->file[i - 1], &z->file[i]) == 0)
            return heedi_fail(r->ctx, HEED_EFORMAT, "%s: %.*s occurs twice",
                              r->path, HEEDI_NAME(z->file[i].name));
    return HEED_OK;
}

heed_status heedi_zip_open(heedi_zip *out, heed_ctx *ctx, const char *path,
                           const heedi_map *m)
{
    reader r = {.ctx = ctx, .path = path, .p = m->p, .n = m->n};
    *out = (heedi_zip){0};
    HEEDI_TRY(find_directory(&r));
    out->file = heedi_alloc(ctx, ((size_t)r.count + 1) * sizeof *out->file);
    heed_status st = out->file ? HEED_OK : HEED_ENOMEM;
    size_t at = r.dir;
    for (; out->n < r.count && !st; out->n++)
        st = read_central(&r, &out->file[out->n], &at);
    if (!st && at != r.limit)
        st = bad_end(&r, "the directory of the zip file has more records than "
                         "its end says");
    if (!st)
        st = check(&r, out);
    if (st)
        heedi_zip_close(out, ctx);
    return st;
}

void heedi_zip_close(heedi_zip *z, heed_ctx *ctx)
{
    heedi_free(ctx, z->file);
    *z = (heedi_zip){0};
}

const heedi_zip_file *heedi_zip_find(const heedi_zip *z, const char *folder,
                                     heedi_str name)
{
    const size_t k = strlen(folder);
    size_t low = 0, high = z->n;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const heedi_str s = z->file[mid].name;
        int c = compare(s.s, s.len < k ? s.len : k, folder, k);
        if (c == 0)
            c = compare(s.s + k, s.len - k, name.s, name.len);
        if (c == 0)
            return &z->file[mid];
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}
