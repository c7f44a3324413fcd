#include "image.h"

#include <string.h>

/* Sides after resizing so that the shorter one is s, as transformers rounds. */
static void by_shortest(const heedi_raster *r, int64_t s, int64_t *w,
                        int64_t *h)
{
    const int64_t low = r->width <= r->height ? r->width : r->height;
    const int64_t high = r->width <= r->height ? r->height : r->width;
    const int64_t longer = (int64_t)((double)(s * high) / (double)low);
    *w = r->width <= r->height ? s : longer;
    *h = r->width <= r->height ? longer : s;
}

static const char *name_of(const heed_image *image)
{
    return image->source.path ? image->source.path : "image";
}

/* Sides of the resized picture. */
static heed_status sides(heed_ctx *ctx, const heedi_image_steps *k,
                         const heed_image *image, const heedi_raster *r,
                         int64_t *w, int64_t *h)
{
    *w = k->do_resize ? k->width : r->width;
    *h = k->do_resize ? k->height : r->height;
    if (k->do_resize && k->shortest > 0)
        by_shortest(r, k->shortest, w, h);
    if (*h <= HEED_IMAGE_MOST_PIXELS / *w)
        return HEED_OK;
    return heedi_fail(ctx, HEED_EFORMAT,
                      "%s: %lld x %lld pixels would be resized to %lld x "
                      "%lld, at most %d in all are allowed",
                      name_of(image), (long long)r->width, (long long)r->height,
                      (long long)*w, (long long)*h, HEED_IMAGE_MOST_PIXELS);
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Bytes that all steps take beside the picture: a resized one, a part of that,
 * and values. */
static uint64_t steps_bytes(const heedi_image_steps *k, const heedi_raster *r,
                            int64_t w, int64_t h)
{
    const uint64_t resized = (uint64_t)(w * h) * 3;
    const uint64_t last =
        k->do_crop ? (uint64_t)(k->crop_w * k->crop_h) * 3 : resized;
    uint64_t bytes = last + last * sizeof(heed_real);
    if (k->do_resize)
        bytes = most(bytes, heedi_resize_bytes(r, w, h));
    return k->do_crop ? most(bytes, resized + last) : bytes;
}

/* In float, one rounding after the other, as numpy computes it there. */
static void normalise(const heedi_image_steps *k, const heedi_raster *r,
                      heed_real *x)
{
    for (int64_t c = 0; c < 3; c++)
        for (int64_t i = 0; i < r->width * r->height; i++) {
            const double byte = r->rgb[3 * i + c];
            float v = (float)(k->do_rescale ? byte * k->factor : byte);
            if (k->do_normalize)
                v = (v - (float)k->mean[c]) / (float)k->std[c];
            x[c * r->width * r->height + i] = (heed_real)v;
        }
}

/* A picture of which all is left as it is. */
static heed_status own(heed_ctx *ctx, heedi_raster *r)
{
    const size_t bytes = (size_t)(r->width * r->height) * 3;
    unsigned char *rgb = heedi_alloc_raw(ctx, bytes);
    if (!rgb)
        return HEED_ENOMEM;
    r->rgb = memcpy(rgb, r->rgb, bytes);
    r->borrowed = false;
    return HEED_OK;
}

static heed_status prepare(heed_pixels *p, heed_ctx *ctx,
                           const heed_image *image, const heedi_image_steps *k)
{
    const size_t bytes = (size_t)(image->width * image->height) * 3;
    const char *path = image->source.path ? image->source.path : "";
    heedi_raster r = {.width = image->width,
                      .height = image->height,
                      .rgb = image->rgb,
                      .borrowed = true};
    int64_t w, h;
    HEEDI_TRY(sides(ctx, k, image, &r, &w, &h));
    const uint64_t more = steps_bytes(k, &r, w, h);
    HEEDI_TRY(heedi_image_room(ctx, name_of(image), r.width, r.height, more));
    char *copy = heedi_alloc(ctx, strlen(path) + 1);
    p->source = image->source;
    p->source.memory = most(p->source.memory, bytes + more);
    p->source.path = copy ? strcpy(copy, path) : NULL;
    heed_status st = copy ? HEED_OK : HEED_ENOMEM;
    if (st == HEED_OK && k->do_resize)
        st = heedi_resize(ctx, &r, w, h, k->filter);
    if (st == HEED_OK && k->do_crop)
        st = heedi_center_crop(ctx, &r, k->crop_w, k->crop_h);
    if (st == HEED_OK && r.borrowed)
        st = own(ctx, &r);
    p->rgb = r.borrowed ? NULL : r.rgb; /* freed with the pixels */
    p->channels = 3;
    p->width = r.width;
    p->height = r.height;
    if (st != HEED_OK)
        return st;
    p->x =
        heedi_alloc_raw(ctx, (size_t)(r.width * r.height) * 3 * sizeof *p->x);
    if (!p->x)
        return HEED_ENOMEM;
    normalise(k, &r, p->x);
    return HEED_OK;
}

heed_status heed_pixels_of(heed_pixels **out, heed_ctx *ctx,
                           const heed_image *image, const char *path)
{
    heedi_image_steps k;
    heedi_begin(ctx);
    *out = NULL;
    HEEDI_TRY(heedi_image_steps_read(&k, ctx, path));
    heed_pixels *p = heedi_alloc(ctx, sizeof *p);
    if (!p)
        return HEED_ENOMEM;
    heed_status st = prepare(p, ctx, image, &k);
    if (st != HEED_OK) {
        heed_pixels_free(ctx, p);
        return st;
    }
    *out = p;
    return HEED_OK;
}

void heed_pixels_free(heed_ctx *ctx, heed_pixels *p)
{
    if (!p)
        return;
    heedi_free(ctx, (char *)(uintptr_t)p->source.path);
    heedi_free(ctx, p->rgb);
    heedi_free(ctx, p->x);
    heedi_free(ctx, p);
}
