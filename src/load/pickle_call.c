/* The callables that pickles of tensors name, and what heed makes of them. */
#include <string.h>

#include "ctx.h"
#include "pickle.h"

typedef heed_status call_fn(heedi_pickle *m, const heedi_cell *arg, uint32_t n,
                            heedi_pickled *out);

static heed_status wrong(const heedi_pickle *m, const char *name)
{
    return heedi_fail(m->ctx, HEED_EFORMAT,
                      "%s: byte %zu of the pickle: arguments of %s are not "
                      "those that torch.save writes",
                      m->path, m->at, name);
}

static bool empty_dict(const heedi_pickle *m, heedi_pickled v)
{
    return v.kind == HEEDI_P_DICT && heedi_pickle_first(m, v) == 0;
}

static heed_status ordered_dict(heedi_pickle *m, const heedi_cell *arg,
                                uint32_t n, heedi_pickled *out)
{
    (void)arg;
    if (n != 0)
        return wrong(m, "OrderedDict");
    return heedi_pickle_dict(m, true, out);
}

/* (storage, offset, size, stride, requires_grad, hooks [, metadata]) */
static heed_status rebuild_tensor(heedi_pickle *m, const heedi_cell *arg,
                                  uint32_t n, heedi_pickled *out)
{
    static const heedi_pickle_kind kinds[6] = {HEEDI_P_STORAGE, HEEDI_P_INT,
                                               HEEDI_P_TUPLE,   HEEDI_P_TUPLE,
                                               HEEDI_P_BOOL,    HEEDI_P_DICT};
    bool ok = n == 6 || n == 7;
    for (uint32_t i = 0; i < 6 && ok; i++)
        ok = arg[i].v.kind == kinds[i];
    if (!ok || !empty_dict(m, arg[5].v))
        return wrong(m, "_rebuild_tensor_v2");
    if (n == 7 && arg[6].v.kind != HEEDI_P_NONE && !empty_dict(m, arg[6].v))
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: byte %zu of the pickle: a tensor with metadata",
                          m->path, m->at);
    HEEDI_TRY(heedi_pickle_limit(m, m->n_tensors + 1));
    heedi_p_tensor *t = heedi_grow(m->ctx, m->tensor, &m->cap_tensors,
                                   m->n_tensors + 1, sizeof *t);
    if (!t)
        return HEED_ENOMEM;
    m->tensor = t;
    t[m->n_tensors] = (heedi_p_tensor){.storage = arg[0].v.i,
                                       .offset = arg[1].v,
                                       .dim = arg[2].v,
                                       .stride = arg[3].v};
    *out = (heedi_pickled){HEEDI_P_TENSOR, 0, (int64_t)m->n_tensors++};
    return HEED_OK;
}

/* (tensor, requires_grad, hooks): the tensor */
static heed_status rebuild_parameter(heedi_pickle *m, const heedi_cell *arg,
                                     uint32_t n, heedi_pickled *out)
{
    if (n != 3 || arg[0].v.kind != HEEDI_P_TENSOR ||
        arg[1].v.kind != HEEDI_P_BOOL || !empty_dict(m, arg[2].v))
        return wrong(m, "_rebuild_parameter");
    *out = arg[0].v;
    return HEED_OK;
}

static const struct {
    const char *module, *name;
    call_fn *call;
    const char *dtype; /* of a type of storage */
} globals[] = {
    {"collections", "OrderedDict", ordered_dict, NULL},
    {"torch._utils", "_rebuild_tensor_v2", rebuild_tensor, NULL},
    {"torch._utils", "_rebuild_parameter", rebuild_parameter, NULL},
    {"torch", "FloatStorage", NULL, "f32"},
    {"torch", "HalfStorage", NULL, "f16"},
    {"torch", "BFloat16Storage", NULL, "bf16"},
    {"torch", "DoubleStorage", NULL, "f64"},
    {"torch", "LongStorage", NULL, "i64"},
    {"torch", "IntStorage", NULL, "i32"},
    {"torch", "ShortStorage", NULL, "i16"},
    {"torch", "CharStorage", NULL, "i8"},
    {"torch", "ByteStorage", NULL, "u8"},
    {"torch", "BoolStorage", NULL, "bool"},
};
enum { N_GLOBALS = sizeof globals / sizeof *globals };

static bool same(heedi_str s, const char *text)
{
    return strlen(text) == s.len && memcmp(text, s.s, s.len) == 0;
}

heed_status heedi_pickle_global(heedi_pickle *m, heedi_str module,
                                heedi_str name, heedi_pickled *out)
{
    for (int i = 0; i < N_GLOBALS; i++)
        if (same(module, globals[i].module) && same(name, globals[i].name)) {
            *out = (heedi_pickled){HEEDI_P_GLOBAL, 0, i};
            return HEED_OK;
        }
    return heedi_fail(m->ctx, HEED_ENOTSUP,
                      "%s: the pickle asks for '%.*s.%.*s'; only tensors are "
                      "read, and nothing is called",
                      m->path, HEEDI_NAME(module), HEEDI_NAME(name));
}

heed_status heedi_pickle_call(heedi_pickle *m, heedi_pickled f,
                              heedi_pickled args, heedi_pickled *out)
{
    if (f.kind != HEEDI_P_GLOBAL || !globals[f.i].call ||
        args.kind != HEEDI_P_TUPLE)
        return heedi_fail(
            m->ctx, HEED_EFORMAT,
            "%s: byte %zu of the pickle: a call of %s with %s", m->path, m->at,
            f.kind == HEEDI_P_GLOBAL ? globals[f.i].name
                                     : heedi_pickle_kind_name(f.kind),
            heedi_pickle_kind_name(args.kind));
    return globals[f.i].call(m, m->cell + args.i, args.n, out);
}

static const heedi_dtype *dtype_named(const char *name)
{
    const heedi_dtype *t = heedi_dtypes;
    while (strcmp(t->name, name) != 0)
        t++;
    return t;
}

heed_status heedi_pickle_storage(heedi_pickle *m, heedi_pickled id,
                                 heedi_pickled *out)
{
    static const heedi_pickle_kind kinds[5] = {
        HEEDI_P_STR, HEEDI_P_GLOBAL, HEEDI_P_STR, HEEDI_P_STR, HEEDI_P_INT};
    bool ok = id.kind == HEEDI_P_TUPLE && id.n == 5;
    const heedi_cell *arg = m->cell + (ok ? id.i : 0);
    for (int i = 0; i < 5 && ok; i++)
        ok = arg[i].v.kind == kinds[i];
    if (!ok || !same(heedi_pickle_str(m, arg[0].v), "storage") ||
        !globals[arg[1].v.i].dtype)
        return heedi_pickle_bad(m, "a reference to what is no storage");
    if (arg[4].v.i < 0)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: byte %zu of the pickle: a storage of %lld "
                          "numbers",
                          m->path, m->at, (long long)arg[4].v.i);
    HEEDI_TRY(heedi_pickle_limit(m, m->n_storages + 1));
    heedi_p_storage *s = heedi_grow(m->ctx, m->storage, &m->cap_storages,
                                    m->n_storages + 1, sizeof *s);
    if (!s)
        return HEED_ENOMEM;
    m->storage = s;
    s[m->n_storages] =
        (heedi_p_storage){dtype_named(globals[arg[1].v.i].dtype),
                          heedi_pickle_str(m, arg[2].v), arg[4].v.i};
    *out = (heedi_pickled){HEEDI_P_STORAGE, 0, (int64_t)m->n_storages++};
    return HEED_OK;
}
