#include "image.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "memory.h"
#include "sha256.h"

#define ROW(name) extern const heedi_image_format heedi_image_format_##name;
#include "images.inc"
#undef ROW

static const heedi_image_format *const formats[] = {
#define ROW(name) &heedi_image_format_##name,
#include "images.inc"
#undef ROW
    NULL,
};

/* Formats that are known by sight, for messages; those of this build are read
 * before anybody looks here. */
static const struct {
    const char *name;
    size_t at, n;
    const char *magic;
} known[] = {
    {"PNG", 0, 8, "\x89PNG\r\n\x1a\n"},
    {"JPEG", 0, 3, "\xff\xd8\xff"},
    {"GIF", 0, 4, "GIF8"},
    {"WebP", 8, 4, "WEBP"},
    {"BMP", 0, 2, "BM"},
    {"TIFF", 0, 4, "II*\0"},
    {"TIFF", 0, 4, "MM\0*"},
    {"AVIF", 4, 8, "ftypavif"},
    {"HEIC", 4, 8, "ftypheic"},
    {"JPEG XL", 0, 2, "\xff\x0a"},
    {"PDF", 0, 4, "%PDF"},
};

static const int64_t MOST_BYTES = (int64_t)1 << 30;

heed_status heedi_image_room(heed_ctx *ctx, const char *path, int64_t width,
                             int64_t height, uint64_t more)
{
    const uint64_t need = heedi_resident() + more;
    if (ctx->max_memory == 0 || need <= ctx->max_memory)
        return HEED_OK;
    return heedi_fail(ctx, HEED_ENOMEM,
                      "%s: reading %lld x %lld pixels needs at least %.1f MiB, "
                      "more than the %.1f MiB of --max-memory",
                      path ? path : "image", (long long)width,
                      (long long)height, (double)need / 1048576,
                      (double)ctx->max_memory / 1048576);
}

void heedi_raster_drop(heed_ctx *ctx, heedi_raster *r)
{
    if (!r->borrowed)
        heedi_free(ctx, r->rgb);
    r->rgb = NULL;
}

heed_status heedi_raster_new(heedi_raster *out, const heedi_image_file *f,
                             uint64_t width, uint64_t height, uint64_t other,
                             int orientation)
{
    if (width < 1 || height < 1)
        return heedi_fail(f->ctx, HEED_EFORMAT, "%s: the image has no pixels",
                          f->path);
    if (width > HEED_IMAGE_MOST_PIXELS ||
        height > HEED_IMAGE_MOST_PIXELS / width)
        return heedi_fail(f->ctx, HEED_EFORMAT,
                          "%s: the image has %llu x %llu pixels, at most %d "
                          "in all are read",
                          f->path, (unsigned long long)width,
                          (unsigned long long)height, HEED_IMAGE_MOST_PIXELS);
    const uint64_t bytes = width * height * 3;
    const uint64_t later = heedi_turns(orientation) ? bytes : 0;
    *out = (heedi_raster){.width = (int64_t)width,
                          .height = (int64_t)height,
                          .memory = f->n + bytes + other};
    HEEDI_TRY(heedi_image_room(f->ctx, f->path, out->width, out->height,
                               bytes + (other > later ? other : later)));
    out->rgb = heedi_alloc_raw(f->ctx, (size_t)bytes);
    return out->rgb ? HEED_OK : HEED_ENOMEM;
}

/* A regular file: opening a pipe would wait for its writer. */
static heed_status read_file(heedi_image_file *f)
{
    struct stat s;
    if (stat(f->path, &s) != 0)
        return heedi_fail(f->ctx, HEED_EIO, "%s: %s", f->path, strerror(errno));
    if (!S_ISREG(s.st_mode))
        return heedi_fail(f->ctx, HEED_EIO, "%s: not a regular file", f->path);
    if (s.st_size == 0)
        return heedi_fail(f->ctx, HEED_EFORMAT, "%s: the file is empty",
                          f->path);
    if (s.st_size > MOST_BYTES)
        return heedi_fail(f->ctx, HEED_EFORMAT,
                          "%s: an image file of %lld bytes, at most %lld are "
                          "read",
                          f->path, (long long)s.st_size, (long long)MOST_BYTES);
    f->n = (size_t)s.st_size;
    f->p = heedi_alloc_raw(f->ctx, f->n);
    if (!f->p)
        return HEED_ENOMEM;
    FILE *file = fopen(f->path, "rb");
    if (!file)
        return heedi_fail(f->ctx, HEED_EIO, "%s: %s", f->path, strerror(errno));
    const size_t got = fread(f->p, 1, f->n, file);
    fclose(file);
    return got == f->n ? HEED_OK
                       : heedi_fail(f->ctx, HEED_EIO,
                                    "%s: %zu of %zu bytes could be read",
                                    f->path, got, f->n);
}

static heed_status find_format(const heedi_image_file *f,
                               const heedi_image_format **out)
{
    for (const heedi_image_format *const *k = formats; *k; k++)
        if (f->n >= (*k)->n_magic &&
            memcmp(f->p, (*k)->magic, (*k)->n_magic) == 0) {
            *out = *k;
            return HEED_OK;
        }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (f->n >= known[i].at + known[i].n &&
            memcmp(f->p + known[i].at, known[i].magic, known[i].n) == 0)
            return heedi_fail(f->ctx, HEED_ENOTSUP,
                              "%s: %s images are not supported by this build",
                              f->path, known[i].name);
    return heedi_fail(f->ctx, HEED_EFORMAT,
                      "%s: neither a PNG nor a JPEG image", f->path);
}

static void fill_source(heed_image_source *s, const heedi_image_file *f,
                        const char *format)
{
    heedi_sha256 h;
    heedi_sha256_init(&h);
    heedi_sha256_add(&h, f->p, f->n);
    heedi_sha256_hex(&h, s->sha256);
    s->format = format;
    s->bytes = (int64_t)f->n;
}

static heed_status turn(const heedi_image_file *f, heedi_raster *r,
                        int orientation)
{
    const uint64_t bytes = (uint64_t)(r->width * r->height) * 3;
    if (!heedi_turns(orientation))
        return HEED_OK;
    HEEDI_TRY(heedi_image_room(f->ctx, f->path, r->width, r->height, bytes));
    r->memory = 2 * bytes > r->memory ? 2 * bytes : r->memory;
    return heedi_orient(f->ctx, r, orientation);
}

static heed_status load(heed_image *image, heedi_image_file *f)
{
    const heedi_image_format *format = NULL;
    heedi_raster r = {0};
    int orientation = 1;
    char *path = heedi_alloc(f->ctx, strlen(f->path) + 1);
    if (!path)
        return HEED_ENOMEM;
    image->source.path = strcpy(path, f->path);
    HEEDI_TRY(read_file(f));
    HEEDI_TRY(find_format(f, &format));
    fill_source(&image->source, f, format->name);
    heed_status st = format->decode(f, &r, &orientation);
    heedi_free(f->ctx, f->p);
    f->p = NULL;
    if (st == HEED_OK)
        st = turn(f, &r, orientation);
    image->source.memory = r.memory;
    image->rgb = r.rgb; /* freed with the image, whatever happened */
    image->width = image->source.width = r.width;
    image->height = image->source.height = r.height;
    return st;
}

heed_status heed_image_load(heed_image **out, heed_ctx *ctx, const char *path)
{
    heedi_image_file f = {.ctx = ctx, .path = path};
    heedi_begin(ctx);
    *out = NULL;
    heed_image *image = heedi_alloc(ctx, sizeof *image);
    if (!image)
        return HEED_ENOMEM;
    heed_status st = load(image, &f);
    heedi_free(ctx, f.p);
    if (st != HEED_OK) {
        heed_image_free(ctx, image);
        return st;
    }
    *out = image;
    return HEED_OK;
}

void heed_image_free(heed_ctx *ctx, heed_image *image)
{
    if (!image)
        return;
    heedi_free(ctx, (char *)(uintptr_t)image->source.path);
    heedi_free(ctx, image->rgb);
    heedi_free(ctx, image);
}
