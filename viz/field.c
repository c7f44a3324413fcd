#include "field.h"

#include <math.h>
#include <string.h>

#include "range.h"
#include "result.h"

double heedi_field_at(const heedi_field *f, int64_t row, int64_t column)
{
    return heedi_number(f->a->var.type, f->a->data,
                        f->offset + row * f->n_columns + column);
}

double heedi_field_piece(const heedi_field *f, int64_t row,
                         const heedi_piece *p)
{
    double sum = 0;
    for (int64_t t = p->first; t >= 0 && t <= p->last; t++)
        sum += heedi_field_at(f, row, t);
    return sum;
}

double heedi_field_column(const heedi_field *f, int64_t column)
{
    double sum = 0;
    for (int64_t i = 0; i < f->n_rows; i++)
        sum += heedi_field_at(f, i, column);
    return sum;
}

static heed_status check(const heedi_field *f, const heedi_view *v,
                         int64_t columns)
{
    const heed_var *w = &f->a->var;
    if (columns && f->n_columns != columns)
        return heedi_fail(v->ctx, HEED_EINVAL,
                          "%s/%s has %lld columns, not %lld", v->group, w->name,
                          (long long)f->n_columns, (long long)columns);
    for (int64_t i = 0; i < f->n_rows; i++)
        for (int64_t k = 0; k < f->n_columns; k++)
            if (!isfinite(heedi_field_at(f, i, k)))
                return heedi_fail(v->ctx, HEED_ENUMERIC,
                                  "%s/%s is not finite at row %lld, column "
                                  "%lld",
                                  v->group, w->name, (long long)i,
                                  (long long)k);
    return HEED_OK;
}

static heed_status open_field(heedi_field *f, const heedi_view *v,
                              const char *name, bool all, int64_t columns)
{
    const heed_array *a = f->a = heed_result_get(v->r, v->group, name);
    const heed_var *w = a ? &a->var : NULL;
    bool several = w && w->nd > 0 && strcmp(w->dim[0], "target") == 0;
    int skip = several && !all;
    if (!w || w->type == HEED_STR || w->nd < 1 + skip || w->nd > 2 + skip ||
        (several && !all && v->target >= w->len[0]))
        return heedi_fail(v->ctx, HEED_EINVAL, "%s has no matrix %s", v->group,
                          name);
    f->n_columns = w->len[w->nd - 1];
    f->n_rows = w->nd == 2 + skip ? w->len[skip] : 1;
    f->offset = skip ? v->target * f->n_rows * f->n_columns : 0;
    return check(f, v, columns);
}

heed_status heedi_field_init(heedi_field *f, const heedi_view *v,
                             const char *name, int64_t columns)
{
    return open_field(f, v, name, false, columns);
}

heed_status heedi_field_targets(heedi_field *f, const heedi_view *v,
                                const char *name, int64_t columns)
{
    return open_field(f, v, name, true, columns);
}

heed_status heedi_field_range(const heedi_field *f, heedi_view *v,
                              const heed_figure_options *o, bool by_token)
{
    heedi_range range = {0, 1};
    int64_t n = 0;
    double *x =
        heedi_alloc(v->ctx, (size_t)(f->n_rows * f->n_columns) * sizeof *x);
    if (!x)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < (by_token ? v->n : f->n_columns); i++) {
        if (by_token && (v->piece[i].first < 0 || v->piece[i].drop))
            continue;
        for (int64_t k = 0; k < f->n_rows; k++)
            x[n++] = fabs(by_token ? heedi_field_piece(f, k, &v->piece[i])
                                   : heedi_field_at(f, k, i));
    }
    heed_status st = heedi_range_of(&range, v->ctx, x, n, v->is_signed, o);
    heedi_free(v->ctx, x);
    v->low = range.low;
    v->high = range.high;
    return st;
}

const heed_array *heedi_coordinates(const heed_result *r, const char *group,
                                    const char *dim, int64_t n)
{
    const heed_array *a = heed_result_get(r, group, dim);
    if (!a || a->var.nd != 1 || a->var.len[0] != n)
        a = heed_result_get(r, "", dim);
    return a && a->var.nd == 1 && a->var.len[0] == n && a->var.type != HEED_STR
               ? a
               : NULL;
}
