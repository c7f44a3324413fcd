/* npz.c - every array for NumPy, in a ZIP file without compression. */
#include <string.h>

#include "export.h"
#include "format.h"
#include "result.h"

static uint32_t crc_of(uint32_t crc, const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int b = 0; b < 8; b++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return crc;
}

/* A byte at a time with a table of 256. */
typedef struct sum {
    uint32_t table[256], crc;
} sum;

static void add(void *ud, const void *p, size_t n)
{
    sum *s = ud;
    const unsigned char *b = p;
    for (size_t i = 0; i < n; i++)
        s->crc = s->crc >> 8 ^ s->table[(s->crc ^ b[i]) & 255];
}

static void number(heedi_out *o, uint64_t x, int bytes)
{
    unsigned char b[8];
    for (int i = 0; i < bytes; i++)
        b[i] = (unsigned char)(x >> 8 * i);
    heedi_out_bytes(o, b, (size_t)bytes);
}

/* What the header of a member and its line in the directory have in common:
 * sizes are in the ZIP64 part, so that any size will do. */
static void common(heedi_out *o, uint32_t crc, const char *name)
{
    number(o, 45, 2);         /* needs ZIP64 */
    number(o, 1 << 11, 2);    /* UTF-8 names */
    number(o, 0, 2);          /* stored */
    number(o, 0x00210000, 4); /* 1980-01-01: no time */
    number(o, crc, 4);
    number(o, 0xFFFFFFFF, 4);
    number(o, 0xFFFFFFFF, 4);
    number(o, strlen(name), 2);
}

static uint64_t member(heedi_out *o, const char *name, const heed_array *a,
                       uint32_t crc)
{
    size_t size = heedi_npy_size(a);
    number(o, 0x04034b50, 4);
    common(o, crc, name);
    number(o, 20, 2);
    heedi_out_text(o, name);
    number(o, 1, 2); /* ZIP64 */
    number(o, 16, 2);
    number(o, size, 8);
    number(o, size, 8);
    heedi_npy_write(o, a);
    return 30 + strlen(name) + 20 + size;
}

static uint64_t directory_line(heedi_out *o, const char *name,
                               const heed_array *a, uint32_t crc, uint64_t at)
{
    size_t size = heedi_npy_size(a);
    number(o, 0x02014b50, 4);
    number(o, 45, 2);
    common(o, crc, name);
    number(o, 28, 2); /* extra */
    number(o, 0, 2);  /* comment */
    number(o, 0, 2);  /* disk */
    number(o, 0, 2);
    number(o, 0, 4);
    number(o, 0xFFFFFFFF, 4);
    heedi_out_text(o, name);
    number(o, 1, 2);
    number(o, 24, 2);
    number(o, size, 8);
    number(o, size, 8);
    number(o, at, 8);
    return 46 + strlen(name) + 28;
}

static void ending(heedi_out *o, uint64_t n, uint64_t size, uint64_t at)
{
    number(o, 0x06064b50, 4);
    number(o, 44, 8);
    number(o, 45, 2);
    number(o, 45, 2);
    number(o, 0, 4);
    number(o, 0, 4);
    number(o, n, 8);
    number(o, n, 8);
    number(o, size, 8);
    number(o, at, 8);
    number(o, 0x07064b50, 4);
    number(o, 0, 4);
    number(o, at + size, 8);
    number(o, 1, 4);
    number(o, 0x06054b50, 4);
    number(o, 0, 4);
    number(o, 0xFFFF, 2);
    number(o, 0xFFFF, 2);
    number(o, 0xFFFFFFFF, 4);
    number(o, 0xFFFFFFFF, 4);
    number(o, 0, 2);
}

/* "explanations/attn_lrp/relevance.npy" */
static void name_of(char *out, size_t size, const heed_array *a)
{
    snprintf(out, size, "%s%s%s.npy", a->var.group, *a->var.group ? "/" : "",
             a->var.name);
}

static heed_status save(heed_ctx *ctx, heedi_out *o, const heed_result *r)
{
    const heed_array *a;
    char name[512];
    int n = 0;
    while (heed_result_at(r, n))
        n++;
    sum *s = heedi_alloc(ctx, sizeof *s);
    uint32_t *crc = heedi_alloc(ctx, (size_t)n * sizeof *crc);
    if (!s || !crc) {
        heedi_free(ctx, s);
        heedi_free(ctx, crc);
        return HEED_ENOMEM;
    }
    for (int i = 0; i < 256; i++) {
        unsigned char b = (unsigned char)i;
        s->table[i] = crc_of(0, &b, 1);
    }
    uint64_t at = 0, size = 0, start = 0;
    for (int i = 0; (a = heed_result_at(r, i)); i++) {
        s->crc = 0xFFFFFFFF;
        heedi_npy_each(a, add, s);
        crc[i] = ~s->crc;
        name_of(name, sizeof name, a);
        at += member(o, name, a, crc[i]);
    }
    for (int i = 0; (a = heed_result_at(r, i)); i++) {
        name_of(name, sizeof name, a);
        size += directory_line(o, name, a, crc[i], start);
        start += 30 + strlen(name) + 20 + heedi_npy_size(a);
    }
    ending(o, (uint64_t)n, size, at);
    heedi_free(ctx, s);
    heedi_free(ctx, crc);
    return HEED_OK;
}

const heedi_format heedi_format_npz = {
    .info = {"npz", ".npz", "all arrays for NumPy", 0, 0, 0, 0},
    .save = save,
};
