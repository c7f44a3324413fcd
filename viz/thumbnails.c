#include "thumbnails.h"

#include <math.h>
#include <string.h>

#include "ctx.h"
#include "result.h"

static const char name[] = "attention", pooled_key[] = "pooled";

/* ---- cells --------------------------------------------------------------- */

int64_t heedi_pool_rows(const heedi_pool *p)
{
    return (p->len[2] + p->pool_rows - 1) / p->pool_rows;
}

int64_t heedi_pool_columns(const heedi_pool *p)
{
    return (p->len[3] + p->pool_columns - 1) / p->pool_columns;
}

int64_t heedi_pool_cells(const heedi_pool *p)
{
    return p->len[0] * p->len[1] * heedi_pool_rows(p) * heedi_pool_columns(p);
}

static void keep_greatest(const heedi_pool *p, int64_t at, double x)
{
    if (fabs(x) <= fabs(heedi_number(p->type, p->cell, at)))
        return;
    if (p->type == HEED_F64)
        ((double *)p->cell)[at] = x;
    else
        ((float *)p->cell)[at] = (float)x;
}

static heed_status not_finite(const heedi_pool *p, heed_ctx *ctx, int64_t l,
                              int64_t h, int64_t q, int64_t k)
{
    return heedi_fail(ctx, HEED_ENUMERIC,
                      "%s/attention is not finite at query %lld, key %lld of "
                      "map %lld of layer %lld",
                      p->group, (long long)q, (long long)k, (long long)h,
                      (long long)l);
}

heed_status heedi_pool_add(const heedi_pool *p, heed_ctx *ctx,
                           const int64_t *start, const int64_t *count,
                           const void *data)
{
    const int64_t rows = heedi_pool_rows(p), columns = heedi_pool_columns(p);
    int64_t from = 0;
    heed_var v = {.group = p->group, .name = name, .type = p->type, .nd = 4};
    memcpy(v.len, p->len, sizeof v.len);
    HEEDI_TRY(heedi_slab_check(ctx, &v, start, count));
    for (int64_t l = start[0]; l < start[0] + count[0]; l++)
        for (int64_t h = start[1]; h < start[1] + count[1]; h++)
            for (int64_t q = start[2]; q < start[2] + count[2]; q++) {
                const int64_t to =
                    ((l * p->len[1] + h) * rows + q / p->pool_rows) * columns;
                for (int64_t k = start[3]; k < start[3] + count[3]; k++) {
                    const double x = heedi_number(p->type, data, from++);
                    if (!isfinite(x))
                        return not_finite(p, ctx, l, h, q, k);
                    keep_greatest(p, to + k / p->pool_columns, x);
                }
            }
    return HEED_OK;
}

/* ---- pooled maps in a result --------------------------------------------- */

const heed_attr *heedi_layers_without(const heed_result *r, const char *group)
{
    const heed_attr *a = heed_result_attr(r, group, "layers_without");
    return a && (a->type == HEED_I32 || a->type == HEED_I64) && a->n > 0 ? a
                                                                         : NULL;
}

static bool is_real(heed_type t)
{
    return t == HEED_F32 || t == HEED_F64;
}

bool heedi_pool_of(heedi_pool *p, const heed_result *r, const char *group)
{
    const heed_attr *pool = heed_result_attr(r, group, pooled_key);
    const heed_array *a = heed_result_get(r, group, name);
    if (!pool || !a || pool->type != HEED_I64 || pool->n != 4 ||
        a->var.nd != 4 || !is_real(a->var.type))
        return false;
    const int64_t *x = pool->data;
    for (int d = 0; d < 2; d++)
        if (x[d] < 1 || x[d] > INT64_MAX / 2 || x[2 + d] < 1 || x[2 + d] > x[d])
            return false;
    *p = (heedi_pool){.group = group,
                      .type = a->var.type,
                      .len = {a->var.len[0], a->var.len[1], x[0], x[1]},
                      .pool_rows = x[2],
                      .pool_columns = x[3]};
    memcpy(&p->cell, &a->data, sizeof p->cell); /* drops const */
    return heedi_pool_rows(p) == a->var.len[2] &&
           heedi_pool_columns(p) == a->var.len[3];
}

/* Several maps; a single one keeps its values and labels. */
static bool is_sheet(const heed_var *v)
{
    return strcmp(v->name, name) == 0 && v->nd == 4 && is_real(v->type) &&
           v->len[0] * v->len[1] > 1;
}

static heed_status define(void *ud, heed_ctx *ctx, const heed_var *var)
{
    const heed_thumbnails *t = ud;
    const heed_sink s = heed_result_sink(t->result);
    heedi_sheet sheet;
    HEEDI_TRY(heedi_var_check(ctx, var));
    if (!is_sheet(var))
        return s.define(s.ud, ctx, var);
    const heed_attr *without = heedi_layers_without(t->result, var->group);
    const heed_figure_options plain = {0};
    HEEDI_TRY(heedi_sheet_init(
        &sheet, ctx, var->len[0] + (without ? without->n : 0), var->len[1],
        var->len[2], var->len[3], t->options ? t->options : &plain));
    const int64_t pooled[4] = {var->len[2], var->len[3], sheet.pool_rows,
                               sheet.pool_columns};
    heedi_pool p = {.pool_rows = sheet.pool_rows,
                    .pool_columns = sheet.pool_columns};
    memcpy(p.len, var->len, sizeof p.len);
    heed_var v = *var;
    v.dim[2] = "query_cell";
    v.dim[3] = "key_cell";
    v.len[2] = heedi_pool_rows(&p);
    v.len[3] = heedi_pool_columns(&p);
    HEEDI_TRY(s.define(s.ud, ctx, &v));
    return s.attr(s.ud, ctx, var->group, pooled_key,
                  (heed_attr){HEED_I64, 4, pooled});
}

static heed_status write_slab(void *ud, heed_ctx *ctx, const char *group,
                              const char *array, const int64_t *start,
                              const int64_t *count, const void *data)
{
    const heed_thumbnails *t = ud;
    heedi_pool p;
    if (strcmp(array, name) == 0 && heedi_pool_of(&p, t->result, group))
        return heedi_pool_add(&p, ctx, start, count, data);
    const heed_sink s = heed_result_sink(t->result);
    return s.write(s.ud, ctx, group, array, start, count, data);
}

static heed_status attr(void *ud, heed_ctx *ctx, const char *group,
                        const char *key, heed_attr value)
{
    const heed_thumbnails *t = ud;
    const heed_sink s = heed_result_sink(t->result);
    if (strcmp(key, pooled_key) == 0)
        return heedi_fail(ctx, HEED_EINVAL, "maps in %s are thumbnails already",
                          group);
    return s.attr(s.ud, ctx, group, key, value);
}

heed_sink heed_thumbnails_sink(heed_thumbnails *t)
{
    return (heed_sink){t, define, write_slab, attr};
}
