/* csv.c - one map as a table: a line for each value, RFC 4180. */
#include <math.h>
#include <string.h>

#include "export.h"
#include "format.h"
#include "result.h"

static void quoted(heedi_out *o, const char *s)
{
    heedi_out_text(o, "\"");
    for (const char *q; (q = strchr(s, '"')); s = q + 1) {
        heedi_out_bytes(o, s, (size_t)(q - s));
        heedi_out_text(o, "\"\"");
    }
    heedi_out_text(o, s);
    heedi_out_text(o, "\"");
}

static void value(heedi_out *o, const heed_array *a, int64_t i)
{
    char buf[HEEDI_DIGITS];
    switch (a->var.type) {
    case HEED_STR:
        quoted(o, ((const char *const *)a->data)[i]);
        return;
    case HEED_I64:
        heedi_out_print(o, "%lld", (long long)((const int64_t *)a->data)[i]);
        return;
    case HEED_F32:
    case HEED_F64: {
        double x = heedi_number(a->var.type, a->data, i);
        if (isfinite(x)) /* a value that is missing is an empty field */
            heedi_digits(buf, x, a->var.type == HEED_F32 ? 9 : 17);
        heedi_out_text(o, isfinite(x) ? buf : "");
        return;
    }
    case HEED_I32:
    case HEED_U8:
        heedi_out_print(o, "%.0f", heedi_number(a->var.type, a->data, i));
    }
}

/* Beside each value: the numbers of its dimensions, and their texts. */
typedef struct column {
    int dim;
    const heed_array *a; /* NULL: 0, 1, 2, ... */
    const char *name;
} column;
enum { MAX_COLUMNS = 4 * HEED_MAX_DIM };

static int columns(column *c, const heed_result *r, const heed_array *map)
{
    int n = 0;
    const heed_array *a;
    for (int d = 0; d < map->var.nd; d++) {
        const char *dim = map->var.dim[d];
        const heed_array *scale = heed_result_get(r, map->var.group, dim);
        bool tokens = strcmp(dim, "pos") == 0 || strcmp(dim, "source") == 0;
        if (!scale)
            scale = heed_result_get(r, "", dim);
        if (scale &&
            (scale->var.nd != 1 || scale->var.len[0] != map->var.len[d]))
            scale = NULL;
        c[n++] = (column){d, scale, dim};
        for (int i = 0; (a = heed_result_at(r, i)) && n + 3 < MAX_COLUMNS; i++)
            if (a->var.nd == 1 && a->var.len[0] == map->var.len[d] &&
                ((a->var.type == HEED_STR &&
                  strcmp(a->var.group, map->var.group) == 0 &&
                  strcmp(a->var.dim[0], dim) == 0) ||
                 (tokens && strcmp(a->var.group, "input") == 0 &&
                  (strcmp(a->var.name, "token") == 0 ||
                   strcmp(a->var.name, "token_id") == 0))))
                c[n++] = (column){d, a, a->var.name};
    }
    return n;
}

static heed_status save(heed_ctx *ctx, heedi_out *o, const heed_result *r)
{
    column c[MAX_COLUMNS];
    const heed_array *map = heedi_export_map(ctx, r);
    if (!map)
        return HEED_EINVAL;
    int n = columns(c, r, map);
    for (int k = 0; k < n; k++)
        heedi_out_print(o, "%s,", c[k].name);
    heedi_out_print(o, "%s\r\n", map->var.name);
    int64_t total = heedi_numel(map->var.nd, map->var.len);
    for (int64_t i = 0; i < total; i++) {
        int64_t at[HEED_MAX_DIM], rest = i;
        for (int d = map->var.nd - 1; d >= 0; d--) {
            at[d] = rest % map->var.len[d];
            rest /= map->var.len[d];
        }
        for (int k = 0; k < n; k++) {
            if (c[k].a)
                value(o, c[k].a, at[c[k].dim]);
            else
                heedi_out_print(o, "%lld", (long long)at[c[k].dim]);
            heedi_out_text(o, ",");
        }
        value(o, map, i);
        heedi_out_text(o, "\r\n");
    }
    return HEED_OK;
}

const heedi_format heedi_format_csv = {
    .info = {"csv", ".csv", "one map as a table", 0, 0, 0, 0},
    .save = save,
};
