/* image.h - pictures from inside: formats, and steps from one raster to the
 * next. */
#ifndef HEEDI_IMAGE_H
#define HEEDI_IMAGE_H

#include <heed/image.h>
#include <stdbool.h>

#include "ctx.h"

/* Rows of RGB, 8 bits each. */
typedef struct heedi_raster {
    int64_t width, height;
    unsigned char *rgb; /* (height, width, 3); heedi_free(), unless */
    bool borrowed;
    uint64_t memory; /* bytes that were in use at once to make it */
} heedi_raster;

/* The bytes of a file. */
typedef struct heedi_image_file {
    heed_ctx *ctx;
    const char *path;
    unsigned char *p;
    size_t n;
} heedi_image_file;

/* A format is one `const heedi_image_format` in src/image/format/<name>.c. */
typedef struct heedi_image_format {
    const char *name;
    const char *magic; /* what its files begin with */
    size_t n_magic;
    /* Fill in out, as the file has it, and its EXIF orientation, which is left
     * alone where there is none. After a failure out->rgb may be there. */
    heed_status (*decode)(const heedi_image_file *f, heedi_raster *out,
                          int *orientation);
} heedi_image_format;

/* Memory of a raster of this size; `other`: what decoding takes beside it;
 * orientation: as far as it is known. HEED_EFORMAT if it is too large or empty,
 * HEED_ENOMEM. */
heed_status heedi_raster_new(heedi_raster *out, const heedi_image_file *f,
                             uint64_t width, uint64_t height, uint64_t other,
                             int orientation);
/* Its pixels, unless they are somebody else's. */
void heedi_raster_drop(heed_ctx *ctx, heedi_raster *r);
/* HEED_ENOMEM: with `more` bytes for a picture of this size the process would
 * exceed the context's limit. path may be NULL. */
heed_status heedi_image_room(heed_ctx *ctx, const char *path, int64_t width,
                             int64_t height, uint64_t more);

/* 1 ... 8 from a TIFF block as EXIF has it, or 0 if it has none. */
int heedi_exif_orientation(const unsigned char *p, size_t n);
/* Does this one need a second picture? */
bool heedi_turns(int orientation);
/* Turn `in`, which is freed, the right way up. HEED_ENOMEM. */
heed_status heedi_orient(heed_ctx *ctx, heedi_raster *in, int orientation);

/* A filter of Pillow by its number; NULL: there is none. */
typedef struct heedi_filter heedi_filter;
const heedi_filter *heedi_filter_at(int number);

/* In place of `in`, which is dropped: width by height pixels, with Pillow's
 * arithmetic. HEED_ENOMEM. */
heed_status heedi_resize(heed_ctx *ctx, heedi_raster *in, int64_t width,
                         int64_t height, const heedi_filter *filter);
/* Bytes that this takes beside `in`. */
uint64_t heedi_resize_bytes(const heedi_raster *in, int64_t width,
                            int64_t height);
/* The middle; black where the picture is smaller. HEED_ENOMEM. */
heed_status heedi_center_crop(heed_ctx *ctx, heedi_raster *in, int64_t width,
                              int64_t height);

/* What preprocessor_config.json says. */
typedef struct heedi_image_steps {
    bool do_resize, do_crop, do_rescale, do_normalize;
    int64_t height, width; /* of the resized picture, or */
    int64_t shortest;      /* of its shorter edge; 0: height and width */
    int64_t crop_h, crop_w;
    const heedi_filter *filter;
    double factor, mean[3], std[3];
} heedi_image_steps;

/* path: a directory or the file. */
heed_status heedi_image_steps_read(heedi_image_steps *out, heed_ctx *ctx,
                                   const char *path);

#endif
