#include "matrix.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "field.h"
#include "range.h"
#include "result.h"
#include "thumbnails.h"
#include "view.h"

double heedi_matrix_at(const heedi_matrix *m, int64_t row, int64_t column)
{
    return heedi_number(m->a->var.type, m->a->data,
                        m->offset + row * m->n_columns + column);
}

/* ---- words of maps ------------------------------------------------------- */

const char *heedi_map_name(const heed_result *r, const char *group)
{
    const char *kind = heed_result_str(r, group, "kind");
    return !kind || strcmp(kind, "softmax") == 0 ? "Attention"
           : strcmp(kind, "mixed") == 0 ? "Softmax and implicit attention"
                                        : "Implicit attention";
}

const char *heedi_map_reduction(const heed_result *r, const char *group)
{
    const char *reduction = heed_result_str(r, group, "reduction");
    return reduction && *reduction && strcmp(reduction, "none") != 0 ? reduction
                                                                     : NULL;
}

const char *heedi_map_reduced(heedi_arena *a, const heed_result *r,
                              const char *group, const char *index)
{
    const char *reduction = heedi_map_reduction(r, group);
    const char *kind = heed_result_str(r, group, "kind");
    const char *named = heed_result_str(r, group, "index");
    const heed_attr *some = heed_result_attr(r, group, "reduced");
    const heed_attr *of = heed_result_attr(r, group, "reduced_of");
    const int64_t n = some && some->type != HEED_STR ? some->n : 0;
    const bool mixed = kind && strcmp(kind, "mixed") == 0;
    const bool mean = strcmp(reduction, "mean") == 0;
    if (n == 1) /* its mean is the map itself */
        return heedi_arena_print(a, "%s%s%s %.0f", mean ? "" : reduction,
                                 mean ? "" : " of ",
                                 mixed   ? "head or channel"
                                 : named ? named
                                         : index,
                                 heedi_number(some->type, some->data, 0));
    index = mixed ? "heads or channel" : named ? named : index;
    if (n < 1)
        return heedi_arena_print(a, "%s of %ss", reduction, index);
    return of && of->type != HEED_STR
               ? heedi_arena_print(a, "%s of %lld of %.0f %ss", reduction,
                                   (long long)n,
                                   heedi_number(of->type, of->data, 0), index)
               : heedi_arena_print(a, "%s of %lld %ss", reduction, (long long)n,
                                   index);
}

const char *heedi_map_legend(const heed_result *r, const char *group,
                             const heedi_shades *s)
{
    const char *reduction = heedi_map_reduction(r, group);
    return reduction && strcmp(reduction, "weighted") == 0
               ? "contribution to the target"
           : s->is_log    ? "attention weight, logarithmic"
           : s->is_signed ? "attention weight, signed"
                          : "attention weight";
}

/* ---- which matrix -------------------------------------------------------- */

static heed_status pick(heedi_matrix *m, const heed_result *r,
                        const char *group, int d, int64_t want, int64_t *index,
                        int64_t *number)
{
    const heed_var *v = &m->a->var;
    int64_t n = v->len[d];
    const heed_array *a = heedi_coordinates(r, group, v->dim[d], n);
    for (int64_t i = 0; i < n; i++) {
        *number = a ? (int64_t)heedi_number(a->var.type, a->data, i) : i;
        *index = i;
        if (*number == want)
            return HEED_OK;
    }
    if (n == 1 && want == 0) { /* the only one there is */
        *index = 0;
        return HEED_OK;
    }
    char list[200] = "";
    size_t used = 0;
    for (int64_t i = 0; i < n && used + 24 < sizeof list; i++)
        used += (size_t)snprintf(
            list + used, sizeof list - used, "%s%lld", i ? ", " : "",
            a ? (long long)heedi_number(a->var.type, a->data, i)
              : (long long)i);
    return heedi_fail(m->ctx, HEED_EINVAL, "no %s %lld in %s: there are %s",
                      v->dim[d], (long long)want, group, list);
}

/* "Attention, layer 3, mean of 2 of 8 heads". */
static const char *reduced_title(heedi_matrix *m, const heed_result *r,
                                 const char *group, int64_t layer)
{
    const char *of = heedi_map_reduced(&m->arena, r, group, m->a->var.dim[1]);
    return of ? heedi_arena_print(&m->arena, "%s, layer %lld, %s",
                                  heedi_map_name(r, group), (long long)layer,
                                  of)
              : NULL;
}

static heed_status select_matrix(heedi_matrix *m, const heed_result *r,
                                 const char *group,
                                 const heed_figure_options *o)
{
    const heed_array *a = m->a = heed_result_get(r, group, "attention");
    if (!a || a->var.type == HEED_STR || (a->var.nd != 2 && a->var.nd != 4))
        return heedi_fail(m->ctx, HEED_EINVAL, "no attention maps in %s",
                          group);
    heedi_pool pool;
    if (heedi_pool_of(&pool, r, group))
        return heedi_fail(m->ctx, HEED_EINVAL,
                          "maps in %s are thumbnails: figure grid draws them",
                          group);
    const heed_var *v = &a->var;
    const char *name = heedi_map_name(r, group);
    const char *reduction = heedi_map_reduction(r, group);
    m->n_rows = v->len[v->nd - 2];
    m->n_columns = v->len[v->nd - 1];
    if (v->nd == 2) {
        m->title = name;
        return HEED_OK;
    }
    int64_t layer, head, l, h;
    HEEDI_TRY(pick(m, r, group, 0, o->layer, &layer, &l));
    HEEDI_TRY(pick(m, r, group, 1, o->head, &head, &h));
    m->offset = (layer * v->len[1] + head) * m->n_rows * m->n_columns;
    const bool reduced = v->len[1] == 1 && reduction;
    if (reduced && strcmp(reduction, "weighted") == 0)
        m->title = heedi_arena_print(
            &m->arena, "What enters the target, layer %lld", (long long)l);
    else if (reduced)
        m->title = reduced_title(m, r, group, l);
    else
        m->title = heedi_arena_print(&m->arena, "%s, layer %lld, %s %lld", name,
                                     (long long)l, v->dim[1], (long long)h);
    return m->title ? HEED_OK : HEED_ENOMEM;
}

/* ---- words --------------------------------------------------------------- */

static heed_status labels(heedi_matrix *m, const heed_result *r,
                          const char *group, const char *name, int64_t n,
                          const char ***out)
{
    const heed_array *a = heed_result_get(r, group, name);
    if (!a || a->var.nd != 1 || a->var.type != HEED_STR || a->var.len[0] != n)
        a = heed_result_get(r, "input", "token");
    if (a && (a->var.nd != 1 || a->var.type != HEED_STR || a->var.len[0] != n))
        a = NULL;
    *out = heedi_arena_alloc(&m->arena, (size_t)n * sizeof **out);
    if (!*out)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        (*out)[i] =
            a ? heedi_label(&m->arena, ((const char *const *)a->data)[i])
              : heedi_arena_print(&m->arena, "%lld", (long long)i);
        if (!(*out)[i])
            return HEED_ENOMEM;
    }
    return HEED_OK;
}

static heed_status words(heedi_matrix *m, const heed_result *r,
                         const char *group)
{
    const char *kind = heed_result_str(r, group, "kind");
    const char *model = heedi_model_text(&m->arena, r);
    static const char dot[] = " \xc2\xb7 ";
    if (!model)
        return HEED_ENOMEM;
    m->subtitle = heedi_arena_print(
        &m->arena, "%s%s%s%s%lld token%s%srow = query, column = key%s%s",
        kind ? kind : "", kind ? dot : "", model, *model ? dot : "",
        (long long)m->n_columns, m->n_columns == 1 ? "" : "s", dot,
        *m->dropped.words ? dot : "", m->dropped.words);
    m->legend = heedi_map_legend(r, group, &m->shades);
    HEEDI_TRY(labels(m, r, group, "query_token", m->n_rows, &m->row));
    return labels(m, r, group, "key_token", m->n_columns, &m->column);
}

/* ---- range --------------------------------------------------------------- */

/* Whether a value counts in the range, and may be different from 0. */
static bool counts(const heedi_matrix *m, int64_t i, int64_t k)
{
    return !(m->is_causal && k > i) && !m->dropped.row[i] &&
           !m->dropped.column[k];
}

/* From the greatest value that counts, or from all. */
static heed_status ends(heedi_matrix *m, bool is_signed,
                        const heed_figure_options *o)
{
    const bool all = heedi_is_percentile(o);
    double most = 0, least = (double)INFINITY, *x = &most;
    int64_t n = 0;
    if (all)
        x = heedi_alloc(m->ctx, (size_t)(m->n_rows * m->n_columns) * sizeof *x);
    if (!x)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < m->n_rows; i++)
        for (int64_t k = 0; k < m->n_columns; k++) {
            const double v = heedi_matrix_at(m, i, k);
            if (!counts(m, i, k))
                continue;
            if (v > 0)
                least = fmin(least, v);
            if (all)
                x[n++] = fabs(v);
            else
                most = fmax(most, fabs(v));
        }
    heed_status st = heedi_shades_init(&m->shades, m->ctx, x, all ? n : 1,
                                       least, is_signed, o);
    if (all)
        heedi_free(m->ctx, x);
    return st;
}

static heed_status range(heedi_matrix *m, const heed_result *r,
                         const char *group, const heed_figure_options *o)
{
    bool is_signed = false;
    m->is_causal = m->n_rows == m->n_columns && m->n_rows > 1;
    for (int64_t i = 0; i < m->n_rows; i++)
        for (int64_t k = 0; k < m->n_columns; k++) {
            double x = heedi_matrix_at(m, i, k);
            if (!isfinite(x))
                return heedi_fail(m->ctx, HEED_ENUMERIC,
                                  "%s/attention is not finite at query %lld, "
                                  "key %lld",
                                  group, (long long)i, (long long)k);
            is_signed |= x < 0;
            m->is_causal &= k <= i || x == 0;
        }
    const int64_t n[2] = {m->n_rows, m->n_columns}, one[2] = {1, 1};
    HEEDI_TRY(heedi_dropped_init(&m->dropped, &m->arena, r, group, n, one, o));
    return ends(m, is_signed, o);
}

heed_status heedi_matrix_init(heedi_matrix *m, heed_ctx *ctx,
                              const heed_result *r, const char *group,
                              const heed_figure_options *o)
{
    *m = (heedi_matrix){.ctx = ctx};
    heedi_arena_init(&m->arena, ctx);
    HEEDI_TRY(select_matrix(m, r, group, o));
    HEEDI_TRY(range(m, r, group, o));
    HEEDI_TRY(words(m, r, group));
    if (o->title)
        m->title = o->title;
    return m->subtitle ? HEED_OK : HEED_ENOMEM;
}

void heedi_matrix_clear(heedi_matrix *m)
{
    heedi_arena_clear(&m->arena);
}
