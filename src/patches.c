#include "patches.h"

#include <stdio.h>
#include <string.h>

#include "ctx.h"

enum { MOST_SIDE = 1 << 14 };

/* One number for both sides, or height and width. */
static heed_status sides(heed_model *m, const char *key, int64_t def,
                         int64_t *h, int64_t *w)
{
    heedi_value v = heedi_key_value(m, key, "");
    *h = *w = def;
    if (v.kind == HEEDI_INT)
        *h = *w = v.i;
    else if (v.kind == HEEDI_LIST && v.n == 2) {
        *h = heedi_config_item(&v, 0).i;
        *w = heedi_config_item(&v, 1).i;
    } else if (v.kind != HEEDI_ABSENT) {
        *h = *w = 0;
    }
    if (*h >= 1 && *h <= MOST_SIDE && *w >= 1 && *w <= MOST_SIDE)
        return HEED_OK;
    return heedi_fail(m->ctx, HEED_EFORMAT,
                      "%s: '%s' is no size in pixels from 1 to %d",
                      m->info.path, key, MOST_SIDE);
}

heed_status heedi_patches_configure(heed_model *m, int64_t prefix)
{
    heedi_patch *p = &m->patch;
    double channels;
    HEEDI_TRY(sides(m, "image_size", 224, &p->image_h, &p->image_w));
    HEEDI_TRY(sides(m, "patch_size", 16, &p->height, &p->width));
    HEEDI_TRY(heedi_key_number(m, "num_channels", "", 3, 1, 64, &channels));
    p->channels = (int64_t)channels;
    p->rows = p->image_h / p->height;
    p->cols = p->image_w / p->width;
    p->prefix = prefix;
    if (p->rows < 1 || p->cols < 1)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: patches of %lld x %lld pixels are larger than "
                          "the image of %lld x %lld",
                          m->info.path, (long long)p->height,
                          (long long)p->width, (long long)p->image_h,
                          (long long)p->image_w);
    m->dim['X'] = heedi_patch_tokens(m);
    return HEED_OK;
}

heed_status heedi_patches_check(heed_ctx *ctx, const heed_model *m,
                                const heed_pixels *p)
{
    const heedi_patch *k = &m->patch;
    if (k->rows == 0)
        return heedi_fail(ctx, HEED_EINVAL,
                          "'%s' models read text, the input is an image",
                          m->family->info.name);
    if (p->channels != k->channels)
        return heedi_fail(ctx, HEED_EINVAL,
                          "the image has %lld channels, the model reads %lld",
                          (long long)p->channels, (long long)k->channels);
    if (p->height != k->image_h || p->width != k->image_w)
        return heedi_fail(ctx, HEED_ENOTSUP,
                          "the image is prepared as %lld x %lld pixels "
                          "(height x width), the positions are of %lld x %lld; "
                          "interpolation of positions is not supported",
                          (long long)p->height, (long long)p->width,
                          (long long)k->image_h, (long long)k->image_w);
    if (!p->x)
        return heedi_fail(ctx, HEED_EINVAL, "the image has no values");
    return HEED_OK;
}

int64_t heedi_patch_pixel(const heed_model *m, int64_t t, int64_t k)
{
    const heedi_patch *p = &m->patch;
    const int64_t n = t - p->prefix, area = p->height * p->width;
    const int64_t row = n / p->cols * p->height + k % area / p->width;
    const int64_t col = n % p->cols * p->width + k % p->width;
    return (k / area * p->image_h + row) * p->image_w + col;
}

void heedi_patches_fill(const heed_model *m, const heed_pixels *p,
                        heed_real *rows)
{
    const int64_t n = heedi_patch_size(m), first = m->patch.prefix;
    memset(rows, 0, (size_t)(first * n) * sizeof *rows);
    for (int64_t t = first; t < heedi_patch_tokens(m); t++)
        for (int64_t k = 0; k < n; k++)
            rows[t * n + k] = p->x[heedi_patch_pixel(m, t, k)];
}

/* ---- names of the rows ---- */

enum { NAME = 48 }; /* more than "patch 16383,16383" needs */

static void fill_tokens(heed_tokens *t, const heed_model *m, char *name)
{
    static const char *const learned[] = {"[CLS]", "[DIST]"};
    const heedi_patch *p = &m->patch;
    for (int64_t i = 0; i < t->n; i++, name += NAME) {
        const int64_t k = i - p->prefix;
        if (k >= 0)
            snprintf(name, NAME, "patch %lld,%lld", (long long)(k / p->cols),
                     (long long)(k % p->cols));
        t->token[i] = (heed_token){.id = -1,
                                   .text = k < 0 ? learned[i] : name,
                                   .word_id = -1,
                                   .is_special = k < 0,
                                   .is_added = k < 0};
    }
}

/* One block of memory, as all tokens are. */
heed_status heed_image_tokens(heed_tokens **out, heed_ctx *ctx,
                              const heed_model *m, const heed_pixels *p)
{
    heedi_begin(ctx);
    *out = NULL;
    HEEDI_TRY(heedi_patches_check(ctx, m, p));
    const size_t n = (size_t)heedi_patch_tokens(m);
    heed_tokens *t =
        heedi_alloc(ctx, sizeof *t + n * (sizeof *t->token + NAME) + 1);
    if (!t)
        return HEED_ENOMEM;
    t->n = (int64_t)n;
    t->token = (heed_token *)(t + 1);
    t->text = (char *)(t->token + n) + n * NAME;
    fill_tokens(t, m, (char *)(t->token + n));
    *out = t;
    return HEED_OK;
}

heed_status heed_put_pixels(const heed_sink *s, heed_ctx *ctx,
                            const heed_pixels *p, int picture)
{
    const heed_image_source *f = &p->source;
    const char *g = "input";
    if (f->path) {
        HEEDI_TRY(heed_put_str(s, ctx, g, "image_file", f->path));
        HEEDI_TRY(heed_put_str(s, ctx, g, "image_format",
                               f->format ? f->format : ""));
        HEEDI_TRY(heed_put_int(s, ctx, g, "image_width", f->width));
        HEEDI_TRY(heed_put_int(s, ctx, g, "image_height", f->height));
        HEEDI_TRY(heed_put_str(s, ctx, g, "image_sha256", f->sha256));
    }
    heed_var v = {.group = g,
                  .name = "image",
                  .type = HEED_U8,
                  .nd = 3,
                  .dim = {"row", "column", "rgb"},
                  .len = {p->height, p->width, 3},
                  .long_name = "the picture as the model reads it"};
    return picture && p->rgb ? heed_put(s, ctx, &v, p->rgb) : HEED_OK;
}
