/* image.h - pictures: files to pixels, and pixels as a model reads them. */
#ifndef HEED_IMAGE_H
#define HEED_IMAGE_H

#include <heed/model.h>
#include <heed/result.h>
#include <heed/token.h>

#ifdef __cplusplus
extern "C" {
#endif

/* More pixels than this, in a file or after resizing, are refused. */
#define HEED_IMAGE_MOST_PIXELS 100000000

/* What a picture was read from. Strings live as long as their owner. */
typedef struct heed_image_source {
    const char *path;
    const char *format;    /* "png", "jpeg" */
    int64_t width, height; /* px, the right way up */
    int64_t bytes;         /* of the file */
    uint64_t memory;       /* bytes that were in use at once while it was read
                              and resized; part of plans */
    char sha256[65];       /* of the file */
} heed_image_source;

/* A picture, turned as its EXIF orientation says, in RGB of 8 bits: grey is
 * repeated, alpha is dropped, of 16 bits the high byte is taken, CMYK is
 * converted without a profile. Owned by the caller. */
typedef struct heed_image {
    int64_t width, height;
    unsigned char *rgb; /* (height, width, 3) */
    heed_image_source source;
} heed_image;

/* Read a PNG or JPEG file.
 *   out  owned by the caller: heed_image_free(); NULL on failure
 * Returns HEED_EIO, HEED_EFORMAT (damaged: a file that ends too early or whose
 * checksums are wrong included; more than HEED_IMAGE_MOST_PIXELS),
 * HEED_ENOTSUP (another format, by name if it is known, or a build without the
 * library for it), HEED_ENOMEM (also if its pixels would exceed
 * heed_ctx_max_memory(): before they are decoded). */
HEED_API HEED_NODISCARD heed_status heed_image_load(heed_image **out,
                                                    heed_ctx *ctx,
                                                    const char *path);
/* NULL is allowed. */
HEED_API void heed_image_free(heed_ctx *ctx, heed_image *image);

/* A picture as a model reads it. May be filled in by hand; then `rgb` and
 * source.path may be NULL. */
typedef struct heed_pixels {
    int64_t channels, height, width;
    heed_real *x;       /* (channels, height, width) */
    unsigned char *rgb; /* (height, width, 3): the same part of the picture at
                           the same size, to be shown */
    heed_image_source source;
} heed_pixels;

/* Resize, crop, rescale and normalise as a model's preprocessor_config.json
 * says; with Pillow's filters and its rounding, so that values are those of
 * the slow image processors of transformers.
 *   out   owned by the caller: heed_pixels_free(); NULL on failure
 *   path  a Hugging Face directory, or its preprocessor_config.json
 * Returns HEED_EIO, HEED_EFORMAT, HEED_ENOTSUP (a kind of processor or filter,
 * by name), HEED_ENOMEM (as heed_image_load()). */
HEED_API HEED_NODISCARD heed_status heed_pixels_of(heed_pixels **out,
                                                   heed_ctx *ctx,
                                                   const heed_image *image,
                                                   const char *path);
/* NULL is allowed. */
HEED_API void heed_pixels_free(heed_ctx *ctx, heed_pixels *pixels);

/* The rows of a picture as a model cuts it: "[CLS]", with DeiT "[DIST]", then
 * "patch ROW,COLUMN", none with a text. Freed with heed_tokens_free().
 * Returns HEED_EINVAL (a model of text; other channels), HEED_ENOTSUP (another
 * size than the model's: positions are not interpolated), HEED_ENOMEM. */
HEED_API HEED_NODISCARD heed_status
heed_image_tokens(heed_tokens **out, heed_ctx *ctx, const heed_model *m,
                  const heed_pixels *pixels);

/* What a picture was, as attributes of group "input"; and, if `picture` is not
 * 0, the picture as the model reads it, input/image (row, column, rgb). */
HEED_API HEED_NODISCARD heed_status heed_put_pixels(const heed_sink *s,
                                                    heed_ctx *ctx,
                                                    const heed_pixels *pixels,
                                                    int picture);

#ifdef __cplusplus
}
#endif
#endif
