#include "image.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

/* libpng leaves through longjmp; what is shared with the code before it lies in
 * here, not in local variables. */
typedef struct reader {
    const heedi_image_file *f;
    size_t at;
    png_structp png;
    png_infop info;
    heedi_raster *out;
    png_bytep *row;
    int *orientation;
    heed_status st; /* of our own; HEED_OK: libpng's */
    char why[160];
} reader;

static void fail(png_structp png, png_const_charp why)
{
    reader *r = png_get_error_ptr(png);
    snprintf(r->why, sizeof r->why, "%s", why);
    png_longjmp(png, 1);
}

/* Of chunks that are not the picture libpng only warns. */
static void warn(png_structp png, png_const_charp why)
{
    if (strncmp(why, "IDAT", 4) == 0)
        fail(png, why);
}

static void read_bytes(png_structp png, png_bytep to, size_t n)
{
    reader *r = png_get_io_ptr(png);
    if (n > r->f->n - r->at)
        png_error(png, "the file ends too early");
    memcpy(to, r->f->p + r->at, n);
    r->at += n;
}

static void own(reader *r, heed_status st)
{
    r->st = st;
    if (st != HEED_OK)
        png_longjmp(r->png, 1);
}

static void orientation(reader *r)
{
    png_bytep exif;
    png_uint_32 n;
    if (!png_get_eXIf_1(r->png, r->info, &n, &exif))
        return;
    const int k = heedi_exif_orientation(exif, n);
    *r->orientation = k > 0 ? k : *r->orientation;
}

static void decode_all(reader *r)
{
    png_structp png = r->png;
    png_set_read_fn(png, r, read_bytes);
    png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
    png_read_info(png, r->info);
    orientation(r);
    const png_uint_32 w = png_get_image_width(png, r->info);
    const png_uint_32 h = png_get_image_height(png, r->info);
    /* pointers to rows, rows of libpng, the state of zlib */
    own(r, heedi_raster_new(r->out, r->f, w, h,
                            (uint64_t)h * sizeof *r->row + (uint64_t)w * 16 +
                                (1 << 18),
                            *r->orientation));
    png_set_expand_gray_1_2_4_to_8(png);
    png_set_palette_to_rgb(png);
    png_set_strip_16(png);
    png_set_strip_alpha(png);
    png_set_gray_to_rgb(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, r->info);
    if (png_get_rowbytes(png, r->info) != (size_t)w * 3)
        png_error(png, "rows are not as long as their pixels");
    r->row = heedi_alloc_raw(r->f->ctx, (size_t)h * sizeof *r->row);
    own(r, r->row ? HEED_OK : HEED_ENOMEM);
    for (png_uint_32 y = 0; y < h; y++)
        r->row[y] = r->out->rgb + (size_t)y * w * 3;
    png_read_image(png, r->row);
    png_read_end(png, r->info);
    orientation(r); /* it may come last */
}

static heed_status decode(const heedi_image_file *f, heedi_raster *out,
                          int *turned)
{
    reader r = {.f = f, .out = out, .orientation = turned};
    r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, fail, warn);
    r.info = r.png ? png_create_info_struct(r.png) : NULL;
    if (!r.info) {
        png_destroy_read_struct(&r.png, NULL, NULL);
        return heedi_fail(f->ctx, HEED_ENOMEM, "%s: no memory for libpng",
                          f->path);
    }
    bool failed = setjmp(png_jmpbuf(r.png)) != 0;
    if (!failed)
        decode_all(&r);
    png_destroy_read_struct(&r.png, &r.info, NULL);
    heedi_free(f->ctx, r.row);
    if (!failed || r.st != HEED_OK)
        return r.st;
    return heedi_fail(f->ctx, HEED_EFORMAT, "%s: the PNG file is damaged: %s",
                      f->path, r.why);
}

const heedi_image_format heedi_image_format_png = {
    .name = "png",
    .magic = "\x89PNG\r\n\x1a\n",
    .n_magic = 8,
    .decode = decode,
};
