#include "result.h"

#include <math.h>
#include <string.h>

#include "arena.h"
#include "ctx.h"

/* Names, strings and records live in the arena, and so keep their addresses;
 * the values of an array are a block of their own, of the exact size. */

typedef struct attr_row {
    const char *group, *key;
    heed_attr value;
} attr_row;

struct heed_result {
    heed_ctx *ctx;
    heedi_arena arena;
    heed_array **array;
    size_t n_arrays, cap_arrays;
    attr_row *attr;
    size_t n_attrs, cap_attrs;
};

heed_status heed_result_new(heed_result **out, heed_ctx *ctx)
{
    heedi_begin(ctx);
    heed_result *r = heedi_alloc(ctx, sizeof *r);
    *out = r;
    if (!r)
        return HEED_ENOMEM;
    r->ctx = ctx;
    heedi_arena_init(&r->arena, ctx);
    return HEED_OK;
}

void heed_result_free(heed_result *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_arrays; i++) {
        void *data;
        memcpy(&data, &r->array[i]->data, sizeof data); /* drops const */
        heedi_free(r->ctx, data);
    }
    heedi_free(r->ctx, r->array);
    heedi_free(r->ctx, r->attr);
    heedi_arena_clear(&r->arena);
    heedi_free(r->ctx, r);
}

/* ---- the sink ------------------------------------------------------------ */

/* A copy in the arena; false if there is no memory. NULL is copied as NULL. */
static bool keep(heed_result *r, const char **s)
{
    if (!*s)
        return true;
    size_t n = strlen(*s) + 1;
    char *copy = heedi_arena_alloc(&r->arena, n);
    if (copy)
        memcpy(copy, *s, n);
    *s = copy;
    return copy != NULL;
}

/* n strings into slots; in one piece, since tokens are short. */
static heed_status keep_all(heed_result *r, const char **slot,
                            const char *const *s, int64_t n)
{
    size_t bytes = 0;
    for (int64_t i = 0; i < n; i++)
        bytes += strlen(s[i]) + 1;
    char *p = heedi_arena_alloc(&r->arena, bytes);
    if (!p)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        size_t len = strlen(s[i]) + 1;
        slot[i] = memcpy(p, s[i], len);
        p += len;
    }
    return HEED_OK;
}

static heed_array *find(const heed_result *r, const char *group,
                        const char *name)
{
    for (size_t i = 0; i < r->n_arrays; i++)
        if (strcmp(r->array[i]->var.name, name) == 0 &&
            strcmp(r->array[i]->var.group, group) == 0)
            return r->array[i];
    return NULL;
}

/* Values that are never written are 0, and strings "". */
static void *new_values(heed_result *r, const heed_var *v)
{
    int64_t n = heedi_numel(v->nd, v->len);
    void *data = heedi_alloc(r->ctx, (size_t)n * heed_type_size(v->type));
    if (data && v->type == HEED_STR)
        for (int64_t i = 0; i < n; i++)
            ((const char **)data)[i] = "";
    return data;
}

static heed_status result_define(void *ud, heed_ctx *ctx, const heed_var *var)
{
    heed_result *r = ud;
    HEEDI_TRY(heedi_var_check(ctx, var));
    const heed_array *old = find(r, var->group, var->name);
    if (old)
        return heedi_var_same(ctx, &old->var, var);
    void *grown = heedi_grow(ctx, r->array, &r->cap_arrays, r->n_arrays + 1,
                             sizeof *r->array);
    if (!grown)
        return HEED_ENOMEM;
    r->array = grown;
    heed_array *a = heedi_arena_alloc(&r->arena, sizeof *a);
    if (!a)
        return HEED_ENOMEM;
    a->var = *var;
    bool ok = keep(r, &a->var.group) && keep(r, &a->var.name) &&
              keep(r, &a->var.units) && keep(r, &a->var.long_name);
    for (int d = 0; ok && d < var->nd; d++)
        ok = keep(r, &a->var.dim[d]);
    a->data = ok ? new_values(r, var) : NULL;
    if (!a->data)
        return HEED_ENOMEM;
    r->array[r->n_arrays++] = a;
    return HEED_OK;
}

typedef struct copy {
    char *to;
    const char *from;
    size_t size;
} copy;

static void copy_run(void *ud, int64_t to, int64_t from, int64_t n)
{
    const copy *c = ud;
    memcpy(c->to + (size_t)to * c->size, c->from + (size_t)from * c->size,
           (size_t)n * c->size);
}

static heed_status result_write(void *ud, heed_ctx *ctx, const char *group,
                                const char *name, const int64_t *start,
                                const int64_t *count, const void *data)
{
    heed_result *r = ud;
    const heed_array *a = find(r, group, name);
    if (!a)
        return heedi_undefined(ctx, group, name);
    HEEDI_TRY(heedi_slab_check(ctx, &a->var, start, count));
    copy c = {.from = data, .size = heed_type_size(a->var.type)};
    memcpy(&c.to, &a->data, sizeof c.to);
    const char **kept = NULL;
    if (a->var.type == HEED_STR) {
        int64_t n = heedi_numel(a->var.nd, count);
        kept = heedi_alloc(ctx, (size_t)n * sizeof *kept);
        if (!kept)
            return HEED_ENOMEM;
        heed_status st = keep_all(r, kept, data, n);
        if (st != HEED_OK) {
            heedi_free(ctx, kept);
            return st;
        }
        c.from = (const char *)kept;
    }
    heedi_slab_runs(&a->var, start, count, copy_run, &c);
    heedi_free(ctx, kept);
    return HEED_OK;
}

static attr_row *find_attr(const heed_result *r, const char *group,
                           const char *key)
{
    for (size_t i = 0; i < r->n_attrs; i++)
        if (strcmp(r->attr[i].key, key) == 0 &&
            strcmp(r->attr[i].group, group) == 0)
            return &r->attr[i];
    return NULL;
}

static heed_status result_attr(void *ud, heed_ctx *ctx, const char *group,
                               const char *key, heed_attr value)
{
    heed_result *r = ud;
    HEEDI_TRY(heedi_attr_check(ctx, group, key, value));
    int64_t n = value.n < 0 ? 1 : value.n;
    size_t bytes = (size_t)n * heed_type_size(value.type);
    void *data = heedi_arena_alloc(&r->arena, bytes);
    if (!data)
        return HEED_ENOMEM;
    if (value.type == HEED_STR)
        HEEDI_TRY(keep_all(r, data, value.data, n));
    else
        memcpy(data, value.data, bytes);
    value.data = data;
    attr_row *row = find_attr(r, group, key);
    if (row) {
        row->value = value;
        return HEED_OK;
    }
    void *grown = heedi_grow(ctx, r->attr, &r->cap_attrs, r->n_attrs + 1,
                             sizeof *r->attr);
    if (!grown)
        return HEED_ENOMEM;
    r->attr = grown;
    if (!keep(r, &group) || !keep(r, &key))
        return HEED_ENOMEM;
    r->attr[r->n_attrs++] = (attr_row){group, key, value};
    return HEED_OK;
}

heed_sink heed_result_sink(heed_result *r)
{
    return (heed_sink){r, result_define, result_write, result_attr};
}

/* ---- reading ------------------------------------------------------------- */

const heed_array *heed_result_get(const heed_result *r, const char *group,
                                  const char *name)
{
    return find(r, group, name);
}

const heed_array *heed_result_at(const heed_result *r, int i)
{
    return i >= 0 && (size_t)i < r->n_arrays ? r->array[i] : NULL;
}

const heed_attr *heed_result_attr_at(const heed_result *r, int i,
                                     const char **group, const char **key)
{
    if (i < 0 || (size_t)i >= r->n_attrs)
        return NULL;
    if (group)
        *group = r->attr[i].group;
    if (key)
        *key = r->attr[i].key;
    return &r->attr[i].value;
}

const heed_attr *heed_result_attr(const heed_result *r, const char *group,
                                  const char *key)
{
    const attr_row *row = find_attr(r, group, key);
    return row ? &row->value : NULL;
}

double heed_result_num(const heed_result *r, const char *group, const char *key)
{
    const attr_row *row = find_attr(r, group, key);
    return row ? heedi_number(row->value.type, row->value.data, 0)
               : (double)NAN;
}

const char *heed_result_str(const heed_result *r, const char *group,
                            const char *key)
{
    const attr_row *row = find_attr(r, group, key);
    return row && row->value.type == HEED_STR
               ? *(const char *const *)row->value.data
               : NULL;
}

heed_status heed_result_replay(const heed_result *r, heed_ctx *ctx,
                               const heed_sink *to)
{
    heedi_begin(ctx);
    for (size_t i = 0; i < r->n_arrays; i++)
        HEEDI_TRY(heed_put(to, ctx, &r->array[i]->var, r->array[i]->data));
    for (size_t i = 0; i < r->n_attrs; i++)
        HEEDI_TRY(to->attr(to->ud, ctx, r->attr[i].group, r->attr[i].key,
                           r->attr[i].value));
    return HEED_OK;
}
