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

static heed_status resize(heed_ctx *ctx, const heedi_image_steps *k,
                          const heed_image *image, heedi_raster *r)
{
    int64_t w = k->width, h = k->height;
    if (k->shortest > 0)
        by_shortest(r, k->shortest, &w, &h);
    if (h > HEED_IMAGE_MOST_PIXELS / w)
        return heedi_fail(ctx, HEED_EFORMAT,
                          "%s: %lld x %lld pixels would be resized to %lld x "
                          "%lld, at most %d in all are allowed",
                          image->source.path ? image->source.path : "image",
                          (long long)r->width, (long long)r->height,
                          (long long)w, (long long)h, HEED_IMAGE_MOST_PIXELS);
    return heedi_resize(ctx, r, w, h, k->filter);
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

static heed_status prepare(heed_pixels *p, heed_ctx *ctx,
                           const heed_image *image, const heedi_image_steps *k)
{
    const size_t bytes = (size_t)(image->width * image->height) * 3;
    const char *path = image->source.path ? image->source.path : "";
    heedi_raster r = {image->width, image->height, NULL};
    char *copy = heedi_alloc(ctx, strlen(path) + 1);
    p->source = image->source;
    p->source.path = copy ? strcpy(copy, path) : NULL;
    r.rgb = heedi_alloc_raw(ctx, bytes);
    if (r.rgb)
        memcpy(r.rgb, image->rgb, bytes);
    heed_status st = r.rgb && copy ? HEED_OK : HEED_ENOMEM;
    if (st == HEED_OK && k->do_resize)
        st = resize(ctx, k, image, &r);
    if (st == HEED_OK && k->do_crop)
        st = heedi_center_crop(ctx, &r, k->crop_w, k->crop_h);
    p->rgb = r.rgb; /* freed with the pixels, whatever happened */
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
