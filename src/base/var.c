#include <math.h>
#include <string.h>

#include "ctx.h"
#include "result.h"

size_t heed_type_size(heed_type t)
{
    switch (t) {
    case HEED_F32:
        return sizeof(float);
    case HEED_F64:
        return sizeof(double);
    case HEED_I32:
        return sizeof(int32_t);
    case HEED_I64:
        return sizeof(int64_t);
    case HEED_U8:
        return sizeof(uint8_t);
    case HEED_STR:
        return sizeof(char *);
    }
    return 0;
}

int64_t heedi_numel(int nd, const int64_t *len)
{
    int64_t n = 1;
    for (int d = 0; d < nd; d++)
        n *= len[d];
    return n;
}

heed_status heedi_var_check(heed_ctx *ctx, const heed_var *v)
{
    size_t n = heed_type_size(v->type);
    if (!v->group || !v->name || !*v->name || strchr(v->name, '/'))
        return heedi_fail(ctx, HEED_EINVAL, "array without a proper name");
    if (n == 0 || v->nd < 0 || v->nd > HEED_MAX_DIM)
        return heedi_fail(ctx, HEED_EINVAL,
                          "array %s: type %d, %d dimensions (at most %d)",
                          v->name, (int)v->type, v->nd, (int)HEED_MAX_DIM);
    for (int d = 0; d < v->nd; d++) {
        if (!v->dim[d] || !*v->dim[d] || v->len[d] < 1)
            return heedi_fail(
                ctx, HEED_EINVAL, "array %s: dimension %s has length %lld",
                v->name, v->dim[d] ? v->dim[d] : "?", (long long)v->len[d]);
        for (int e = 0; e < d; e++)
            if (strcmp(v->dim[d], v->dim[e]) == 0)
                return heedi_fail(ctx, HEED_EINVAL,
                                  "array %s: dimension %s twice", v->name,
                                  v->dim[d]);
        if (!heedi_mul(n, (size_t)v->len[d], &n) || n > SIZE_MAX / 4)
            return heedi_fail(ctx, HEED_EINVAL, "array %s: too large", v->name);
    }
    return HEED_OK;
}

heed_status heedi_var_same(heed_ctx *ctx, const heed_var *a, const heed_var *b)
{
    bool same = a->type == b->type && a->nd == b->nd;
    for (int d = 0; same && d < a->nd; d++)
        same = a->len[d] == b->len[d] && strcmp(a->dim[d], b->dim[d]) == 0;
    return same ? HEED_OK
                : heedi_fail(ctx, HEED_EINVAL,
                             "array %s/%s is defined twice, with different "
                             "dimensions",
                             a->group, a->name);
}

heed_status heedi_slab_check(heed_ctx *ctx, const heed_var *v,
                             const int64_t *start, const int64_t *count)
{
    for (int d = 0; d < v->nd; d++)
        if (start[d] < 0 || count[d] < 1 || count[d] > v->len[d] ||
            start[d] > v->len[d] - count[d])
            return heedi_fail(ctx, HEED_EINVAL,
                              "array %s: %lld values from %lld, but %s has "
                              "%lld",
                              v->name, (long long)count[d], (long long)start[d],
                              v->dim[d], (long long)v->len[d]);
    return HEED_OK;
}

heed_status heedi_attr_check(heed_ctx *ctx, const char *group, const char *key,
                             heed_attr value)
{
    if (!group || !key || !*key || strchr(key, '/') || !value.data ||
        value.n < -1 || value.n == 0 || heed_type_size(value.type) == 0)
        return heedi_fail(ctx, HEED_EINVAL,
                          "attribute %s has no name or no value",
                          key ? key : "?");
    return HEED_OK;
}

heed_status heedi_undefined(heed_ctx *ctx, const char *group, const char *name)
{
    return heedi_fail(ctx, HEED_EINVAL, "array %s/%s is not defined", group,
                      name);
}

void heedi_slab_runs(const heed_var *v, const int64_t *start,
                     const int64_t *count, heedi_run_fn *f, void *ud)
{
    int64_t run = 1, at[HEED_MAX_DIM] = {0}, from = 0;
    int inner = v->nd; /* dimensions from here on are contiguous */
    while (inner > 0) {
        inner--;
        run *= count[inner];
        if (count[inner] != v->len[inner])
            break;
    }
    for (;;) {
        int64_t to = 0;
        for (int d = 0; d < v->nd; d++)
            to = to * v->len[d] + start[d] + at[d];
        f(ud, to, from, run);
        from += run;
        int d = inner - 1;
        while (d >= 0 && ++at[d] == count[d])
            at[d--] = 0;
        if (d < 0)
            return;
    }
}

double heedi_number(heed_type t, const void *data, int64_t i)
{
    switch (t) {
    case HEED_F32:
        return (double)((const float *)data)[i];
    case HEED_F64:
        return ((const double *)data)[i];
    case HEED_I32:
        return ((const int32_t *)data)[i];
    case HEED_I64:
        return (double)((const int64_t *)data)[i];
    case HEED_U8:
        return ((const uint8_t *)data)[i];
    case HEED_STR:
        break;
    }
    return (double)NAN;
}

heed_status heed_put(const heed_sink *s, heed_ctx *ctx, const heed_var *var,
                     const void *data)
{
    static const int64_t zero[HEED_MAX_DIM];
    HEEDI_TRY(s->define(s->ud, ctx, var));
    return s->write(s->ud, ctx, var->group, var->name, zero, var->len, data);
}

heed_status heed_put_str(const heed_sink *s, heed_ctx *ctx, const char *group,
                         const char *key, const char *value)
{
    heed_attr a = {HEED_STR, -1, &value};
    return s->attr(s->ud, ctx, group, key, a);
}

heed_status heed_put_int(const heed_sink *s, heed_ctx *ctx, const char *group,
                         const char *key, int64_t value)
{
    heed_attr a = {HEED_I64, -1, &value};
    return s->attr(s->ud, ctx, group, key, a);
}

heed_status heed_put_num(const heed_sink *s, heed_ctx *ctx, const char *group,
                         const char *key, double value)
{
    heed_attr a = {HEED_F64, -1, &value};
    return s->attr(s->ud, ctx, group, key, a);
}
