#include "export.h"

#include <stdlib.h>
#include <string.h>

#include "result.h"
#include "utf8.h"

const heed_array *heedi_export_map(heed_ctx *ctx, const heed_result *r)
{
    const heed_array *a, *any = NULL, *attention = NULL;
    for (int i = 0; (a = heed_result_at(r, i)); i++) {
        if (a->var.type == HEED_STR || strcmp(a->var.group, "input") == 0)
            continue;
        if (strncmp(a->var.group, "explanations/", 13) == 0 &&
            strcmp(a->var.name, "relevance") == 0)
            return a;
        if (!attention && strcmp(a->var.name, "attention") == 0)
            attention = a;
        bool is_scale =
            a->var.nd == 1 && strcmp(a->var.name, a->var.dim[0]) == 0;
        if (!any && !is_scale)
            any = a;
    }
    a = attention ? attention : any;
    if (!a)
        heedi_fail(ctx, HEED_EINVAL, "the result has no map to export");
    return a;
}

/* ---- npy ----------------------------------------------------------------- */

enum { HEADER = 192 }; /* magic and text, a multiple of 64 */

static int letters(const heed_array *a)
{
    int most = 1;
    int64_t n = heedi_numel(a->var.nd, a->var.len);
    for (int64_t i = 0; a->var.type == HEED_STR && i < n; i++) {
        int k = 0;
        for (const char *s = ((const char *const *)a->data)[i]; *s; k++)
            s += heedi_utf8_length(s);
        most = k > most ? k : most;
    }
    return most;
}

static const char *code(heed_type t)
{
    switch (t) {
    case HEED_F32:
        return "<f4";
    case HEED_F64:
        return "<f8";
    case HEED_I32:
        return "<i4";
    case HEED_I64:
        return "<i8";
    case HEED_U8:
        return "|u1";
    case HEED_STR:
        break;
    }
    return "<U";
}

static void header(char out[HEADER], const heed_array *a, int width)
{
    char shape[120] = "", descr[24];
    size_t used = 0;
    for (int d = 0; d < a->var.nd; d++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, "%lld,%s",
                                 (long long)a->var.len[d],
                                 d + 1 < a->var.nd ? " " : "");
    if (a->var.nd > 1)
        shape[used - 1] = '\0'; /* (2, 3), but (2,) */
    snprintf(descr, sizeof descr, a->var.type == HEED_STR ? "%s%d" : "%s",
             code(a->var.type), width);
    memset(out, ' ', HEADER);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (char)(HEADER - 10);
    out[9] = 0;
    char text[HEADER];
    int n = snprintf(text, sizeof text,
                     "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                     descr, shape);
    memcpy(out + 10, text, (size_t)n);
    out[HEADER - 1] = '\n';
}

size_t heedi_npy_size(const heed_array *a)
{
    size_t n = (size_t)heedi_numel(a->var.nd, a->var.len);
    size_t size = a->var.type == HEED_STR ? 4 * (size_t)letters(a)
                                          : heed_type_size(a->var.type);
    return HEADER + n * size;
}

/* Little-endian, whatever the machine. */
static void put_values(const heed_array *a, heedi_bytes_fn *f, void *ud)
{
    size_t size = heed_type_size(a->var.type);
    size_t n = (size_t)heedi_numel(a->var.nd, a->var.len);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    f(ud, a->data, n * size);
#else
    for (size_t i = 0; i < n; i++)
        for (size_t b = 0; b < size; b++)
            f(ud, (const char *)a->data + i * size + size - 1 - b, 1);
#endif
}

void heedi_npy_each(const heed_array *a, heedi_bytes_fn *f, void *ud)
{
    char head[HEADER];
    int width = letters(a);
    header(head, a, width);
    f(ud, head, sizeof head);
    if (a->var.type != HEED_STR) {
        put_values(a, f, ud);
        return;
    }
    int64_t n = heedi_numel(a->var.nd, a->var.len);
    for (int64_t i = 0; i < n; i++) {
        const char *s = ((const char *const *)a->data)[i];
        for (int k = 0; k < width; k++) {
            int len = 0;
            uint32_t c = *s ? (uint32_t)heedi_utf8_at(s, &len) : 0;
            unsigned char b[4] = {(unsigned char)c, (unsigned char)(c >> 8),
                                  (unsigned char)(c >> 16), 0};
            f(ud, b, 4);
            s += len;
        }
    }
}

static void to_file(void *ud, const void *p, size_t n)
{
    heedi_out_bytes(ud, p, n);
}

void heedi_npy_write(heedi_out *o, const heed_array *a)
{
    heedi_npy_each(a, to_file, o);
}
