#include "image.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* preprocessor_config.json. Keys that a kind of processor does not know it does
 * not heed, and neither do we. */

enum { MOST_SIDE = 16384 };

/* A kind of processor: what its class does where the file is silent. */
typedef struct kind {
    const char *name; /* before "ImageProcessor", "ImageProcessorFast" and
                         "FeatureExtractor" */
    heedi_image_steps steps;
    int filter;
    bool square; /* a single number of `size` is that of both sides */
    bool crops;
} kind;

#define HALF      .mean = {0.5, 0.5, 0.5}, .std = {0.5, 0.5, 0.5}
#define CLIP_MEAN .mean = {0.48145466, 0.4578275, 0.40821073}
#define CLIP_STD  .std = {0.26862954, 0.26130258, 0.27577711}
#define ON                                                       \
    .do_resize = true, .do_rescale = true, .do_normalize = true, \
    .factor = 1.0 / 255
static const kind kinds[] = {
    {"ViT", {ON, HALF, .height = 224, .width = 224}, 2, true, false},
    {"DeiT",
     {ON, HALF, .do_crop = true, .height = 256, .width = 256, .crop_h = 224,
      .crop_w = 224},
     3,
     true,
     true},
    {"CLIP",
     {ON, CLIP_MEAN, CLIP_STD, .do_crop = true, .shortest = 224, .crop_h = 224,
      .crop_w = 224},
     3,
     false,
     true},
};

typedef struct file {
    heed_ctx *ctx;
    const char *path;
    const json_t *root;
} file;

static heed_status wrong(const file *f, const char *key, const char *what)
{
    return heedi_fail(f->ctx, HEED_EFORMAT, "%s: '%s' is not %s", f->path, key,
                      what);
}

static const json_t *get(const file *f, const char *key)
{
    const json_t *j = json_object_get(f->root, key);
    return j && !json_is_null(j) ? j : NULL;
}

static heed_status read_bool(const file *f, const char *key, bool *out)
{
    const json_t *j = get(f, key);
    if (j && !json_is_boolean(j))
        return wrong(f, key, "true or false");
    *out = j ? json_is_true(j) : *out;
    return HEED_OK;
}

static heed_status side(const file *f, const char *key, const json_t *j,
                        int64_t *out)
{
    *out = json_is_integer(j) ? (int64_t)json_integer_value(j) : 0;
    return *out >= 1 && *out <= MOST_SIDE
               ? HEED_OK
               : heedi_fail(f->ctx, HEED_EFORMAT,
                            "%s: '%s' is no size in pixels from 1 to %d",
                            f->path, key, MOST_SIDE);
}

/* 224, [height, width], {"height", "width"} or {"shortest_edge"}. */
static heed_status read_size(const file *f, const char *key, bool square,
                             int64_t *h, int64_t *w, int64_t *shortest)
{
    const json_t *j = get(f, key), *v;
    const char *name;
    if (!j)
        return HEED_OK;
    *h = *w = *shortest = 0;
    if (json_is_integer(j)) {
        HEEDI_TRY(side(f, key, j, h));
        *w = *h;
        *shortest = square ? 0 : *h;
        return HEED_OK;
    }
    if (json_is_array(j) && json_array_size(j) == 2) {
        HEEDI_TRY(side(f, key, json_array_get(j, 0), h));
        return side(f, key, json_array_get(j, 1), w);
    }
    if (!json_is_object(j))
        return wrong(f, key, "a size");
    for (void *i = json_object_iter((json_t *)(uintptr_t)j); i;
         i = json_object_iter_next((json_t *)(uintptr_t)j, i)) {
        name = json_object_iter_key(i);
        v = json_object_iter_value(i);
        int64_t *to = strcmp(name, "height") == 0          ? h
                      : strcmp(name, "width") == 0         ? w
                      : strcmp(name, "shortest_edge") == 0 ? shortest
                                                           : NULL;
        if (!to)
            return heedi_fail(f->ctx, HEED_ENOTSUP,
                              "%s: '%s' with '%.40s' is not supported", f->path,
                              key, name);
        HEEDI_TRY(side(f, key, v, to));
    }
    if ((*h > 0) != (*w > 0) || (*h > 0) == (*shortest > 0))
        return wrong(f, key, "height and width, or shortest_edge");
    return HEED_OK;
}

/* One number for all channels, or one for each. */
static heed_status read_channels(const file *f, const char *key, double out[3])
{
    const json_t *j = get(f, key);
    if (!j)
        return HEED_OK;
    if (json_is_array(j) && json_array_size(j) != 3)
        return wrong(f, key, "a number or three");
    for (size_t c = 0; c < 3; c++) {
        const json_t *v = json_is_array(j) ? json_array_get(j, c) : j;
        if (!json_is_number(v))
            return wrong(f, key, "a number or three");
        out[c] = json_number_value(v);
    }
    return HEED_OK;
}

static heed_status find_kind(const file *f, const kind **out)
{
    const json_t *j = get(f, "image_processor_type");
    const char *name =
        json_string_value(j ? j : get(f, "feature_extractor_type"));
    if (!name)
        return heedi_fail(f->ctx, HEED_EFORMAT, "%s: no 'image_processor_type'",
                          f->path);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const size_t n = strlen(kinds[i].name);
        const char *rest = name + n;
        if (strncmp(name, kinds[i].name, n) == 0 &&
            (strcmp(rest, "ImageProcessor") == 0 ||
             strcmp(rest, "ImageProcessorFast") == 0 ||
             strcmp(rest, "FeatureExtractor") == 0)) {
            *out = &kinds[i];
            return HEED_OK;
        }
    }
    return heedi_fail(f->ctx, HEED_ENOTSUP,
                      "%s: image processors of type '%.60s' are not supported",
                      f->path, name);
}

static heed_status read_filter(const file *f, const kind *k,
                               heedi_image_steps *out)
{
    const json_t *j = get(f, "resample");
    int64_t number = j ? (int64_t)json_integer_value(j) : k->filter;
    if (j && !json_is_integer(j))
        return wrong(f, "resample", "a whole number");
    out->filter =
        number >= 0 && number < 100 ? heedi_filter_at((int)number) : NULL;
    return out->filter
               ? HEED_OK
               : heedi_fail(f->ctx, HEED_ENOTSUP,
                            "%s: resampling filter %lld is not supported",
                            f->path, (long long)number);
}

static heed_status read_all(const file *f, heedi_image_steps *out)
{
    const kind *k = NULL;
    int64_t none = 0;
    HEEDI_TRY(find_kind(f, &k));
    *out = k->steps;
    HEEDI_TRY(read_bool(f, "do_resize", &out->do_resize));
    HEEDI_TRY(read_bool(f, "do_rescale", &out->do_rescale));
    HEEDI_TRY(read_bool(f, "do_normalize", &out->do_normalize));
    HEEDI_TRY(read_size(f, "size", k->square, &out->height, &out->width,
                        &out->shortest));
    if (k->crops) {
        HEEDI_TRY(read_bool(f, "do_center_crop", &out->do_crop));
        HEEDI_TRY(
            read_size(f, "crop_size", true, &out->crop_h, &out->crop_w, &none));
        if (none > 0)
            return wrong(f, "crop_size", "height and width");
    }
    HEEDI_TRY(read_filter(f, k, out));
    const json_t *j = get(f, "rescale_factor");
    if (j && !json_is_number(j))
        return wrong(f, "rescale_factor", "a number");
    out->factor = j ? json_number_value(j) : out->factor;
    HEEDI_TRY(read_channels(f, "image_mean", out->mean));
    HEEDI_TRY(read_channels(f, "image_std", out->std));
    for (int c = 0; c < 3; c++)
        if (!(fabs(out->std[c]) > 0))
            return wrong(f, "image_std", "above 0");
    return HEED_OK;
}

heed_status heedi_image_steps_read(heedi_image_steps *out, heed_ctx *ctx,
                                   const char *path)
{
    char file_path[4096];
    struct stat s;
    json_error_t e;
    const bool dir = stat(path, &s) == 0 && S_ISDIR(s.st_mode);
    int n = snprintf(file_path, sizeof file_path, "%s%s", path,
                     dir ? "/preprocessor_config.json" : "");
    if (n < 0 || (size_t)n >= sizeof file_path)
        return heedi_fail(ctx, HEED_EIO, "%.100s...: the path is too long",
                          path);
    if (stat(file_path, &s) != 0 || !S_ISREG(s.st_mode))
        return heedi_fail(ctx, HEED_EIO,
                          "%s: there is no such file, so it is not known how "
                          "the model reads images",
                          file_path);
    json_t *root = json_load_file(file_path, 0, &e);
    if (!root)
        return heedi_fail(ctx, HEED_EFORMAT, "%s: line %d: %s", file_path,
                          e.line, e.text);
    const file f = {ctx, file_path, root};
    heed_status st =
        json_is_object(root)
            ? read_all(&f, out)
            : heedi_fail(ctx, HEED_EFORMAT, "%s: not an object", file_path);
    json_decref(root);
    return st;
}
