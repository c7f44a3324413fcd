#include "image.h"

#include <math.h>
#include <string.h>

/* Pillow's resampling of 8-bit pictures: a filter as wide as the reduction, its
 * weights in fixed point of 22 bits, first along rows, then along columns, each
 * rounded to 8 bits. Equal bit for bit; tests/golden/image. */

enum { BITS = 32 - 8 - 2 };

struct heedi_filter {
    double support; /* 0: the nearest pixel */
    double (*f)(double x);
};

static double sinc(double x)
{
    const double pi = 3.14159265358979323846;
    return x == 0 ? 1 : sin(x * pi) / (x * pi);
}

static double lanczos(double x)
{
    return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1 : 0;
}

static double hamming(double x)
{
    const double pi = 3.14159265358979323846;
    x = fabs(x);
    if (x == 0 || x >= 1)
        return x == 0;
    return sin(x * pi) / (x * pi) * (0.54 + 0.46 * cos(x * pi));
}

/* By Pillow's numbers. */
static const heedi_filter filters[] = {{0, NULL},     {3, lanczos},
                                       {1, bilinear}, {2, bicubic},
                                       {0.5, box},    {1, hamming}};

const heedi_filter *heedi_filter_at(int number)
{
    const int n = sizeof filters / sizeof *filters;
    return number >= 0 && number < n ? &filters[number] : NULL;
}

/* Of each output: the first input that counts, how many do, their weights. */
typedef struct weights {
    int64_t n, size; /* outputs; most inputs of one */
    int64_t *from, *count;
    int32_t *w; /* (n, size) */
} weights;

static void weights_clear(heed_ctx *ctx, weights *k)
{
    heedi_free(ctx, k->from);
    heedi_free(ctx, k->count);
    heedi_free(ctx, k->w);
}

static heed_status weights_new(weights *k, heed_ctx *ctx, int64_t in,
                               int64_t out, const heedi_filter *f)
{
    const double scale = (double)in / (double)out;
    const double stretch = scale < 1 ? 1 : scale, near = f->support * stretch;
    *k = (weights){.n = out, .size = (int64_t)ceil(near) * 2 + 1};
    double *row = heedi_alloc(ctx, (size_t)k->size * sizeof *row);
    k->from = heedi_alloc(ctx, (size_t)out * sizeof *k->from);
    k->count = heedi_alloc(ctx, (size_t)out * sizeof *k->count);
    k->w = heedi_alloc(ctx, (size_t)(out * k->size) * sizeof *k->w);
    const bool there = row && k->from && k->count && k->w;
    for (int64_t i = 0; there && i < out; i++) {
        const double center = ((double)i + 0.5) * scale;
        int64_t lo = (int64_t)(center - near + 0.5), hi;
        hi = (int64_t)(center + near + 0.5);
        lo = lo < 0 ? 0 : lo;
        hi = hi > in ? in : hi;
        double sum = 0;
        for (int64_t j = 0; j < hi - lo; j++) {
            double x = ((double)(j + lo) - center + 0.5) * (1.0 / stretch);
            row[j] = f->f(x);
            sum += row[j];
        }
        k->from[i] = lo;
        k->count[i] = hi - lo;
        for (int64_t j = 0; j < hi - lo; j++) {
            double x = (sum != 0 ? row[j] / sum : row[j]) * (1 << BITS);
            k->w[i * k->size + j] = (int32_t)(x < 0 ? x - 0.5 : x + 0.5);
        }
    }
    heedi_free(ctx, row);
    if (there)
        return HEED_OK;
    weights_clear(ctx, k);
    return HEED_ENOMEM;
}

/* One output value: inputs are `step` bytes apart. */
static unsigned char weigh(const weights *k, int64_t i, const unsigned char *in,
                           int64_t step)
{
    int64_t sum = 1 << (BITS - 1);
    const int32_t *w = k->w + i * k->size;
    in += k->from[i] * step;
    for (int64_t j = 0; j < k->count[i]; j++)
        sum += w[j] * (int64_t)in[j * step];
    sum >>= BITS;
    return (unsigned char)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static heed_status along_rows(heed_ctx *ctx, heedi_raster *in, int64_t width,
                              const heedi_filter *f)
{
    weights k;
    heedi_raster out = {.width = width, .height = in->height};
    HEEDI_TRY(weights_new(&k, ctx, in->width, width, f));
    out.rgb = heedi_alloc_raw(ctx, (size_t)(width * in->height) * 3);
    for (int64_t y = 0; out.rgb && y < in->height; y++)
        for (int64_t x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                out.rgb[(y * width + x) * 3 + c] =
                    weigh(&k, x, in->rgb + y * in->width * 3 + c, 3);
    weights_clear(ctx, &k);
    if (!out.rgb)
        return HEED_ENOMEM;
    heedi_raster_drop(ctx, in);
    *in = out;
    return HEED_OK;
}

static heed_status along_columns(heed_ctx *ctx, heedi_raster *in,
                                 int64_t height, const heedi_filter *f)
{
    weights k;
    const int64_t step = in->width * 3;
    heedi_raster out = {.width = in->width, .height = height};
    HEEDI_TRY(weights_new(&k, ctx, in->height, height, f));
    out.rgb = heedi_alloc_raw(ctx, (size_t)(height * step));
    for (int64_t y = 0; out.rgb && y < height; y++)
        for (int64_t i = 0; i < step; i++)
            out.rgb[y * step + i] = weigh(&k, y, in->rgb + i, step);
    weights_clear(ctx, &k);
    if (!out.rgb)
        return HEED_ENOMEM;
    heedi_raster_drop(ctx, in);
    *in = out;
    return HEED_OK;
}

/* Steps are added up, as Pillow does: a product would now and then be on the
 * other side of a border. */
static heed_status nearest(heed_ctx *ctx, heedi_raster *in, int64_t width,
                           int64_t height)
{
    const double sx = (double)in->width / (double)width;
    const double sy = (double)in->height / (double)height;
    heedi_raster out = {.width = width, .height = height};
    int64_t *col = heedi_alloc(ctx, (size_t)width * sizeof *col);
    out.rgb = heedi_alloc_raw(ctx, (size_t)(width * height) * 3);
    double at = sx * 0.5;
    for (int64_t x = 0; col && x < width; x++, at += sx)
        col[x] = (int64_t)at < in->width ? (int64_t)at : in->width - 1;
    at = sy * 0.5;
    for (int64_t y = 0; col && out.rgb && y < height; y++, at += sy) {
        const int64_t r =
            (int64_t)at < in->height ? (int64_t)at : in->height - 1;
        for (int64_t x = 0; x < width; x++)
            memcpy(out.rgb + (y * width + x) * 3,
                   in->rgb + (r * in->width + col[x]) * 3, 3);
    }
    heedi_free(ctx, col);
    if (!col || !out.rgb) {
        heedi_free(ctx, out.rgb);
        return HEED_ENOMEM;
    }
    heedi_raster_drop(ctx, in);
    *in = out;
    return HEED_OK;
}

/* Of a side: a row of weights, those of all outputs, and where they begin. */
static uint64_t weights_bytes(int64_t in, int64_t out)
{
    enum { WIDEST = 3 }; /* support of a filter */
    const double stretch = in > out ? (double)in / (double)out : 1;
    const uint64_t size = (uint64_t)ceil(WIDEST * stretch) * 2 + 1;
    return size * sizeof(double) +
           (uint64_t)out * (size * sizeof(int32_t) + 2 * sizeof(int64_t));
}

uint64_t heedi_resize_bytes(const heedi_raster *in, int64_t width,
                            int64_t height)
{
    return (uint64_t)width * (uint64_t)(in->height + height) * 3 +
           weights_bytes(in->width, width) + weights_bytes(in->height, height);
}

heed_status heedi_resize(heed_ctx *ctx, heedi_raster *in, int64_t width,
                         int64_t height, const heedi_filter *filter)
{
    if (width == in->width && height == in->height)
        return HEED_OK;
    if (!filter->f)
        return nearest(ctx, in, width, height);
    if (width != in->width)
        HEEDI_TRY(along_rows(ctx, in, width, filter));
    return height != in->height ? along_columns(ctx, in, height, filter)
                                : HEED_OK;
}

/* floor(a / 2), of negative numbers too */
static int64_t half(int64_t a)
{
    return a >= 0 ? a / 2 : -((1 - a) / 2);
}

heed_status heedi_center_crop(heed_ctx *ctx, heedi_raster *in, int64_t width,
                              int64_t height)
{
    const int64_t top = half(in->height - height);
    const int64_t left = half(in->width - width);
    heedi_raster out = {.width = width, .height = height};
    out.rgb = heedi_alloc(ctx, (size_t)(width * height) * 3);
    if (!out.rgb)
        return HEED_ENOMEM;
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            const int64_t r = y + top, c = x + left;
            if (r >= 0 && r < in->height && c >= 0 && c < in->width)
                memcpy(out.rgb + (y * width + x) * 3,
                       in->rgb + (r * in->width + c) * 3, 3);
        }
    heedi_raster_drop(ctx, in);
    *in = out;
    return HEED_OK;
}
