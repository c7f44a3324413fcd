/* Pictures against what Pillow makes of them, bit for bit; preprocessing
 * against the slow image processors of transformers, bit for bit; and files
 * that are damaged. tests/golden/image.py tells of the arrays. */
#include "testlib.h"

#include <stdlib.h>
#include <unistd.h>

#include "engine.h"
#include "expect.h"
#include "memory.h"

static const char base[] = "tests/golden/image";

static heed_image *load(heed_ctx *ctx, const char *name)
{
    char path[512];
    heed_image *image;
    snprintf(path, sizeof path, "%s/%s", base, name);
    if (heed_image_load(&image, ctx, path) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    return image;
}

/* The part of a key before its last '/', in a buffer. */
static const char *stem(const char *key)
{
    static char s[128];
    snprintf(s, sizeof s, "%.*s", (int)(strrchr(key, '/') - key), key);
    return s;
}

static void test_decode(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    expect x;
    const char *key;
    json_t *value;
    int seen = 0;
    assert_true(expect_open(&x, "tests/golden/image/expect.safetensors"));
    json_object_foreach(x.head, key, value)
    {
        const char *last = strrchr(key, '/');
        if (!last || strcmp(last, "/rgb") != 0)
            continue;
        const char *name = stem(key);
        int64_t n, two;
        const unsigned char *want = expect_bytes(&x, name, "rgb", &n);
        const int64_t *size = expect_get(&x, name, "size", &two);
        heed_image *image = load(ctx, name);
        assert_int_equal(image->height, size[0]);
        assert_int_equal(image->width, size[1]);
        assert_int_equal(n, size[0] * size[1] * 3);
        if (memcmp(image->rgb, want, (size_t)n) != 0)
            fail_msg("%s: other pixels", name);
        assert_int_equal(strlen(image->source.sha256), 64);
        heed_image_free(ctx, image);
        seen++;
    }
    assert_true(seen > 30);
    expect_close(&x);
    heed_ctx_free(ctx);
}

static void test_preprocess(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    expect x;
    const char *key;
    json_t *value;
    int seen = 0;
    assert_true(expect_open(&x, "tests/golden/image/expect.safetensors"));
    json_object_foreach(x.head, key, value)
    {
        const char *file = strchr(key, '/');
        char path[512], name[128];
        int64_t n, two;
        if (!file || !strstr(file, ".size"))
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(strlen(file + 1) - 5),
                 file + 1);
        snprintf(path, sizeof path, "%s/%s", base, stem(key));
        const unsigned char *want = expect_bytes(&x, stem(key), name, &n);
        const int64_t *size = expect_get(&x, stem(key), file + 1, &two);
        heed_image *image = load(ctx, name);
        heed_pixels *p;
        if (heed_pixels_of(&p, ctx, image, path) != HEED_OK)
            fail_msg("%s", heed_error(ctx));
        assert_int_equal(p->height, size[0]);
        assert_int_equal(p->width, size[1]);
        assert_int_equal(n, 3 * size[0] * size[1] * (int64_t)sizeof(float));
        for (int64_t i = 0; i < 3 * size[0] * size[1]; i++) {
            float v;
            memcpy(&v, want + (size_t)i * sizeof v, sizeof v);
            if ((float)p->x[i] != v)
                fail_msg("%s: value %d is %.9g, not %.9g", key, (int)i,
                         (double)p->x[i], (double)v);
        }
        heed_pixels_free(ctx, p);
        heed_image_free(ctx, image);
        seen++;
    }
    assert_true(seen > 50);
    expect_close(&x);
    heed_ctx_free(ctx);
}

/* ---- files that are damaged ---- */

static char file[] = "/tmp/heed-image-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(file);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return remove(file);
}

static heed_status load_bytes(heed_ctx *ctx, const void *p, size_t n)
{
    heed_image *image;
    FILE *f = fopen(file, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    heed_status st = heed_image_load(&image, ctx, file);
    if (st == HEED_OK)
        heed_image_free(ctx, image);
    else
        assert_null(image);
    return st;
}

static unsigned char *bytes_of(const char *name, size_t *n)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", base, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    unsigned char *p = malloc(*n);
    assert_int_equal(fread(p, 1, *n, f), *n);
    fclose(f);
    return p;
}

static const char *const some[] = {
    "small.png", "interlaced.png",  "palette.png", "exif6.png",
    "exif6.jpg", "progressive.jpg", "cmyk.jpg",    NULL};

/* A file that ends too early is refused wherever it ends. */
static void test_truncated(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    for (int i = 0; some[i]; i++) {
        size_t n;
        unsigned char *p = bytes_of(some[i], &n);
        assert_int_equal(load_bytes(ctx, p, n), HEED_OK);
        for (size_t k = 0; k < n; k++) {
            heed_status st = load_bytes(ctx, p, k);
            if (st != HEED_EFORMAT)
                fail_msg("%s: %d of %d bytes: %s", some[i], (int)k, (int)n,
                         st == HEED_OK ? "read" : heed_error(ctx));
            assert_non_null(strstr(heed_error(ctx), file));
        }
        free(p);
    }
    heed_ctx_free(ctx);
}

/* One byte of a file is another: it may be read or refused. In a PNG nothing
 * of the picture can change unnoticed. */
static void test_flipped(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    for (int i = 0; some[i]; i++) {
        size_t n;
        unsigned char *p = bytes_of(some[i], &n);
        for (size_t k = 0; k < n; k++)
            for (int bit = 0; bit < 8; bit += 3) {
                p[k] ^= (unsigned char)(1 << bit);
                heed_status st = load_bytes(ctx, p, n);
                if (strcmp(some[i], "small.png") == 0)
                    assert_int_not_equal(st, HEED_OK);
                p[k] ^= (unsigned char)(1 << bit);
            }
        free(p);
    }
    heed_ctx_free(ctx);
}

static uint32_t crc(const unsigned char *p, size_t n)
{
    uint32_t c = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++)
            c = c >> 1 ^ (0xedb88320 & (0 - (c & 1)));
    }
    return ~c;
}

static void put(unsigned char *p, uint32_t x, int bytes)
{
    for (int i = 0; i < bytes; i++)
        p[i] = (unsigned char)(x >> 8 * (bytes - 1 - i));
}

static void refused(heed_ctx *ctx, const void *p, size_t n, heed_status want,
                    const char *why)
{
    assert_int_equal(load_bytes(ctx, p, n), want);
    if (!strstr(heed_error(ctx), why))
        fail_msg("'%s' does not say '%s'", heed_error(ctx), why);
}

static void test_giant(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    static const struct {
        uint32_t w, h;
        const char *why;
    } size[] = {{30000, 30000, "30000 x 30000 pixels, at most 100000000"},
                {0x7fffffff, 0x7fffffff, "pixels, at most"},
                {0xffffffff, 1, "damaged"},
                {0, 7, "damaged"}};
    size_t n;
    unsigned char *p = bytes_of("small.png", &n);
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        put(p + 16, size[i].w, 4);
        put(p + 20, size[i].h, 4);
        put(p + 29, crc(p + 12, 17), 4);
        refused(ctx, p, n, HEED_EFORMAT, size[i].why);
    }
    free(p);
    p = bytes_of("small.png", &n);
    p[30] ^= 1;
    refused(ctx, p, n, HEED_EFORMAT, "CRC");
    free(p);
    p = bytes_of("rgb.jpg", &n);
    size_t sof = 2; /* the frame header, marker FFC0 */
    while (p[sof + 1] != 0xc0)
        sof += 2 + (size_t)p[sof + 2] * 256 + p[sof + 3];
    put(p + sof + 5, 65500, 2);
    put(p + sof + 7, 65500, 2);
    refused(ctx, p, n, HEED_EFORMAT, "65500 x 65500 pixels, at most");
    free(p);
    heed_ctx_free(ctx);
}

/* Under a limit pixels that do not fit are refused by the header alone, which
 * is all that is right about this file; without one it is found damaged. */
static void test_room(void **state)
{
    (void)state;
    static const char *const why = "9000 x 9000 pixels needs at least";
    heed_ctx *ctx = new_ctx();
    size_t n;
    unsigned char *p = bytes_of("small.png", &n);
    put(p + 16, 9000, 4);
    put(p + 20, 9000, 4);
    put(p + 29, crc(p + 12, 17), 4);
    refused(ctx, p, n, HEED_EFORMAT, "damaged");
    heed_ctx_max_memory(ctx, heedi_resident() + (200 << 20));
    refused(ctx, p, n, HEED_ENOMEM, why);
    heed_ctx_max_memory(ctx, heedi_resident() + (300 << 20));
    refused(ctx, p, n, HEED_EFORMAT, "damaged");
    free(p);
    p = bytes_of("exif3.jpg", &n); /* that is turned takes twice as much */
    size_t sof = 2;
    while (p[sof + 1] != 0xc0)
        sof += 2 + (size_t)p[sof + 2] * 256 + p[sof + 3];
    put(p + sof + 5, 9000, 2);
    put(p + sof + 7, 9000, 2);
    refused(ctx, p, n, HEED_ENOMEM, why);
    free(p);
    heed_ctx_free(ctx);
}

/* What resizing takes is refused before, too, and is told. */
static void test_resizing_room(void **state)
{
    (void)state;
    enum { W = 3000, H = 2000 };
    char path[512];
    heed_ctx *ctx = new_ctx();
    heed_pixels *p;
    heed_image image = {W, H, calloc(W * H, 3), {0}};
    assert_non_null(image.rgb);
    snprintf(path, sizeof path, "%s/vit_bytes", base); /* as large as it is */
    heed_ctx_max_memory(ctx, heedi_resident() + W * H * 6);
    assert_int_equal(heed_pixels_of(&p, ctx, &image, path), HEED_ENOMEM);
    assert_non_null(strstr(heed_error(ctx), "3000 x 2000 pixels needs"));
    snprintf(path, sizeof path, "%s/vit_bilinear", base);
    assert_int_equal(heed_pixels_of(&p, ctx, &image, path), HEED_OK);
    assert_true(p->source.memory > W * H * 3 + 16 * H * 3);
    assert_true(p->source.memory < W * H * 3 + 16 * H * 3 + W * H);
    heed_pixels_free(ctx, p);
    free(image.rgb);
    heed_ctx_free(ctx);
}

static void test_other_formats(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_image *image;
    refused(ctx, "GIF89a", 6, HEED_ENOTSUP, "GIF");
    refused(ctx, "RIFF\4\0\0\0WEBP", 12, HEED_ENOTSUP, "WebP");
    refused(ctx, "hello", 5, HEED_EFORMAT, "neither a PNG nor a JPEG");
    refused(ctx, "", 0, HEED_EFORMAT, "empty");
    assert_int_equal(heed_image_load(&image, ctx, "/nowhere/x.png"), HEED_EIO);
    assert_int_equal(heed_image_load(&image, ctx, "/tmp"), HEED_EIO);
    assert_non_null(strstr(heed_error(ctx), "regular"));
    heed_ctx_free(ctx);
}

/* ---- processors that are refused ---- */

#define VIT "{\"image_processor_type\": \"ViTImageProcessor\", "

static void test_processors(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        heed_status st;
        const char *why;
    } bad[] = {
        {"{", HEED_EFORMAT, "line 1"},
        {"[]", HEED_EFORMAT, "not an object"},
        {"{}", HEED_EFORMAT, "no 'image_processor_type'"},
        {"{\"image_processor_type\": \"ConvNextImageProcessor\"}", HEED_ENOTSUP,
         "'ConvNextImageProcessor'"},
        {VIT "\"size\": 0}", HEED_EFORMAT, "'size'"},
        {VIT "\"size\": \"big\"}", HEED_EFORMAT, "'size'"},
        {VIT "\"size\": {\"height\": 4}}", HEED_EFORMAT, "'size'"},
        {VIT "\"size\": {\"height\": 4, \"width\": 4, \"shortest_edge\": 4}}",
         HEED_EFORMAT, "'size'"},
        {VIT "\"size\": {\"shortest_edge\": 4, \"longest_edge\": 9}}",
         HEED_ENOTSUP, "longest_edge"},
        {VIT "\"size\": {\"shortest_edge\": 16384}}", HEED_EFORMAT,
         "would be resized"},
        {VIT "\"resample\": 6}", HEED_ENOTSUP, "filter 6"},
        {VIT "\"resample\": true}", HEED_EFORMAT, "'resample'"},
        {VIT "\"do_resize\": 1}", HEED_EFORMAT, "'do_resize'"},
        {VIT "\"image_mean\": [1, 2]}", HEED_EFORMAT, "'image_mean'"},
        {VIT "\"image_std\": [1, 0, 1]}", HEED_EFORMAT, "'image_std'"},
        {VIT "\"rescale_factor\": \"x\"}", HEED_EFORMAT, "'rescale_factor'"},
    };
    heed_ctx *ctx = new_ctx();
    heed_image *image = load(ctx, "row.png");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        heed_pixels *p;
        FILE *f = fopen(file, "wb");
        assert_non_null(f);
        fputs(bad[i].json, f);
        fclose(f);
        assert_int_equal(heed_pixels_of(&p, ctx, image, file), bad[i].st);
        assert_null(p);
        if (!strstr(heed_error(ctx), bad[i].why))
            fail_msg("'%s' does not say '%s'", heed_error(ctx), bad[i].why);
    }
    heed_pixels *p;
    assert_int_equal(heed_pixels_of(&p, ctx, image, "/tmp"), HEED_EIO);
    assert_non_null(strstr(heed_error(ctx), "preprocessor_config.json"));
    heed_image_free(ctx, image);
    heed_ctx_free(ctx);
}

static void test_no_memory(void **state)
{
    (void)state;
    static const char *const name[] = {"exif6.png", "exif6.jpg", "cmyk.jpg"};
    for (int i = 0; i < 3; i++)
        for (long k = 1, done = 0; !done; k++) {
            char path[512];
            ration r = {.fail_at = k + 1}; /* the first is the context's */
            heed_allocator alloc = {ration_resize, &r};
            heed_ctx *ctx;
            heed_image *image = NULL;
            heed_pixels *p = NULL;
            assert_int_equal(heed_ctx_new(&ctx, &alloc), HEED_OK);
            snprintf(path, sizeof path, "%s/%s", base, name[i]);
            heed_status st = heed_image_load(&image, ctx, path);
            if (st == HEED_OK)
                st = heed_pixels_of(&p, ctx, image, "tests/golden/image/deit");
            done = st == HEED_OK;
            if (!done)
                assert_int_equal(st, HEED_ENOMEM);
            heed_pixels_free(ctx, p);
            heed_image_free(ctx, image);
            heed_ctx_free(ctx);
            assert_int_equal(r.out, 0);
        }
}

int main(void)
{
#ifndef HEEDI_HAVE_IMAGES
    printf("test_image: this build reads no images\n");
    return 0;
#endif
    const struct CMUnitTest tests[] = {
        test(test_decode),     test(test_preprocess),
        test(test_truncated),  test(test_flipped),
        test(test_giant),      test(test_other_formats),
        test(test_processors), test(test_no_memory),
        test(test_room),       test(test_resizing_room),
    };
    return cmocka_run_group_tests_name(__FILE__, tests, make_file,
                                       remove_file) != 0;
}
