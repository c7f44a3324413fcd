/* pytorch_model.bin: a zip archive of torch.save(), with a pickle that says
 * which bytes of which of its files are which tensor. */
#include <string.h>

#include "ctx.h"
#include "pickle.h"
#include "zip.h"

typedef struct reader {
    heedi_checkpoint *c;
    const char *file;
    heedi_zip zip;            /* names without the archive's own */
    const heedi_dtype **used; /* of each file: what tensors hold, or NULL */
    heedi_pickle pickle;
} reader;

static heedi_str text(const char *s)
{
    return (heedi_str){s, strlen(s)};
}

static heed_status check_magic(reader *r, const heedi_map *m)
{
    static const char old[] =
        "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    if (m->n >= 2 + sizeof old - 1 && m->p[0] == 0x80 &&
        memcmp(m->p + 2, old, sizeof old - 1) == 0)
        return heedi_fail(r->c->ctx, HEED_ENOTSUP,
                          "%s: the format of torch before 1.6; convert it: "
                          "torch.save(torch.load(FILE, weights_only=True), "
                          "NEW_FILE)",
                          r->file);
    if (m->n >= 4 && memcmp(m->p, "PK\3\4", 4) == 0)
        return HEED_OK;
    return heedi_fail(r->c->ctx, HEED_EFORMAT,
                      "%s is no file of torch.save: it does not start as a zip "
                      "file does",
                      r->file);
}

/* All names start with that of the archive, which goes. */
static heed_status strip_names(reader *r)
{
    const heedi_zip *z = &r->zip;
    const char *slash =
        z->n ? memchr(z->file[0].name.s, '/', z->file[0].name.len) : NULL;
    const heedi_str top = {z->n ? z->file[0].name.s : NULL,
                           slash ? (size_t)(slash - z->file[0].name.s) + 1 : 0};
    for (size_t i = 0; i < z->n; i++) {
        heedi_str *s = &z->file[i].name;
        if (!slash || s->len < top.len || memcmp(s->s, top.s, top.len) != 0)
            return heedi_fail(r->c->ctx, HEED_EFORMAT,
                              "%s: %.*s is not in the one folder of the "
                              "archive",
                              r->file, HEEDI_NAME(*s));
        *s = (heedi_str){s->s + top.len, s->len - top.len};
    }
    return HEED_OK;
}

/* ---- files that hold no tensor ---- */

static heed_status check_order(reader *r, heedi_str s)
{
    if (s.len == 6 && memcmp(s.s, "little", 6) == 0)
        return HEED_OK;
    return heedi_fail(r->c->ctx, HEED_ENOTSUP, "%s: byte order '%.*s'", r->file,
                      HEEDI_NAME(s));
}

static heed_status check_version(reader *r, heedi_str s)
{
    if (s.len > 0 && s.s[s.len - 1] == '\n')
        s.len--;
    if (s.len == 1 && s.s[0] >= '1' && s.s[0] <= '9')
        return HEED_OK;
    return heedi_fail(r->c->ctx, HEED_ENOTSUP,
                      "%s: version '%.*s' of the format, 1 to 9 are read",
                      r->file, HEEDI_NAME(s));
}

static heed_status is_script(reader *r, heedi_str s)
{
    (void)s;
    return heedi_fail(r->c->ctx, HEED_ENOTSUP,
                      "%s: a TorchScript module; save its state_dict()",
                      r->file);
}

static const struct {
    const char *name;
    heed_status (*check)(reader *r, heedi_str contents); /* NULL: anything */
} others[] = {{"constants.pkl", is_script},    {"byteorder", check_order},
              {"version", check_version},      {"data.pkl", NULL},
              {".format_version", NULL},       {".storage_alignment", NULL},
              {".data/serialization_id", NULL}};
enum { N_OTHERS = sizeof others / sizeof *others };

static heed_status check_others(reader *r)
{
    for (int i = 0; i < N_OTHERS; i++) {
        const heedi_zip_file *f =
            heedi_zip_find(&r->zip, "", text(others[i].name));
        if (f && others[i].check)
            HEEDI_TRY(
                others[i].check(r, (heedi_str){(const char *)f->p, f->n}));
    }
    return HEED_OK;
}

/* Every file is known, or holds a tensor. */
static heed_status check_unused(reader *r)
{
    for (size_t i = 0; i < r->zip.n; i++) {
        const heedi_zip_file *f = &r->zip.file[i];
        bool known = r->used[i] != NULL;
        for (int k = 0; k < N_OTHERS && !known; k++)
            known = heedi_zip_find(&r->zip, "", text(others[k].name)) == f;
        if (!known)
            return heedi_fail(r->c->ctx, HEED_ENOTSUP,
                              "%s: %.*s in the archive belongs to no tensor",
                              r->file, HEEDI_NAME(f->name));
    }
    return HEED_OK;
}

/* ---- tensors ---- */

static heed_status read_shape(reader *r, heedi_tensor *t,
                              const heedi_p_tensor *v)
{
    const heedi_cell *dim = r->pickle.cell + v->dim.i,
                     *stride = r->pickle.cell + v->stride.i;
    heed_ctx *ctx = r->c->ctx;
    if (v->dim.n > HEEDI_MAX_ND)
        return heedi_fail(ctx, HEED_ENOTSUP,
                          "%s: tensor %s has %u dimensions, more than %d",
                          r->file, t->name, (unsigned)v->dim.n, HEEDI_MAX_ND);
    if (v->stride.n != v->dim.n)
        return heedi_fail(
            ctx, HEED_EFORMAT, "%s: tensor %s has %u dimensions and %u strides",
            r->file, t->name, (unsigned)v->dim.n, (unsigned)v->stride.n);
    t->nd = (int)v->dim.n;
    for (int i = 0; i < t->nd; i++) {
        t->dim[i] = dim[i].v.i;
        if (dim[i].v.kind != HEEDI_P_INT || t->dim[i] < 0 ||
            stride[i].v.kind != HEEDI_P_INT || stride[i].v.i < 0)
            return heedi_fail(ctx, HEED_EFORMAT,
                              "%s: dimension %d of tensor %s or its stride is "
                              "not a count",
                              r->file, i, t->name);
    }
    HEEDI_TRY(heedi_tensor_size(r->c, r->file, t));
    int64_t want = 1; /* products are of dimensions: they fit */
    for (int i = t->nd - 1; i >= 0 && t->bytes > 0; want *= t->dim[i--])
        if (t->dim[i] != 1 && stride[i].v.i != want)
            return heedi_fail(ctx, HEED_ENOTSUP,
                              "%s: tensor %s is not contiguous: the stride of "
                              "dimension %d is %lld, not %lld; save it as "
                              "tensor.contiguous()",
                              r->file, t->name, i, (long long)stride[i].v.i,
                              (long long)want);
    return HEED_OK;
}

/* Its data is the file of a storage, which must have the storage's size. */
static heed_status find_storage(reader *r, heedi_tensor *t,
                                const heedi_p_storage *s)
{
    const heedi_zip_file *f = heedi_zip_find(&r->zip, "data/", s->key);
    size_t bytes;
    if (!f)
        return heedi_fail(r->c->ctx, HEED_EFORMAT,
                          "%s: tensor %s is in data/%.*s, which the archive "
                          "does not have",
                          r->file, t->name, HEEDI_NAME(s->key));
    if (!heedi_mul((size_t)s->n, (size_t)t->dtype->bytes, &bytes) ||
        bytes != f->n)
        return heedi_fail(r->c->ctx, HEED_EFORMAT,
                          "%s: tensor %s: data/%.*s has %zu bytes, not %lld "
                          "numbers of %s",
                          r->file, t->name, HEEDI_NAME(s->key), f->n,
                          (long long)s->n, t->dtype->name);
    const heedi_dtype **used = &r->used[f - r->zip.file];
    if (*used && *used != t->dtype)
        return heedi_fail(r->c->ctx, HEED_EFORMAT,
                          "%s: tensor %s: data/%.*s holds %s and %s", r->file,
                          t->name, HEEDI_NAME(s->key), (*used)->name,
                          t->dtype->name);
    *used = t->dtype;
    t->data = f->p;
    return HEED_OK;
}

static heed_status add_tensor(reader *r, heedi_str name, heedi_p_tensor *v)
{
    const heedi_p_storage *s = &r->pickle.storage[v->storage];
    heedi_tensor *t;
    HEEDI_TRY(heedi_tensor_add(&t, r->c, r->file, name.s, name.len));
    t->dtype = s->dtype;
    HEEDI_TRY(read_shape(r, t, v));
    HEEDI_TRY(find_storage(r, t, s));
    const int64_t count = (int64_t)t->bytes / t->dtype->bytes;
    if (v->offset.i < 0 || v->offset.i > s->n || count > s->n - v->offset.i)
        return heedi_fail(r->c->ctx, HEED_EFORMAT,
                          "%s: tensor %s has %lld numbers from %lld on, its "
                          "storage %lld",
                          r->file, t->name, (long long)count,
                          (long long)v->offset.i, (long long)s->n);
    t->data += v->offset.i * t->dtype->bytes;
    v->placed = true;
    return HEED_OK;
}

static bool has_tensor(const heedi_pickle *m, heedi_pickled dict)
{
    for (size_t at = heedi_pickle_first(m, dict); at; at = m->cell[at].next)
        if (m->cell[at + 1].v.kind == HEEDI_P_TENSOR)
            return true;
    return false;
}

/* The dictionary under a key of another; none: *out is left as it is. */
static heed_status find_key(reader *r, const char *key, heedi_pickled in,
                            heedi_pickled *out)
{
    const heedi_pickle *m = &r->pickle;
    int found = 0;
    for (size_t at = heedi_pickle_first(m, in); at; at = m->cell[at].next) {
        const heedi_pickled k = m->cell[at].v, v = m->cell[at + 1].v;
        if (k.kind != HEEDI_P_STR || v.kind != HEEDI_P_DICT ||
            k.n != strlen(key) || memcmp(m->p + k.i, key, k.n) != 0)
            continue;
        if (found++ > 0)
            return heedi_fail(r->c->ctx, HEED_EFORMAT, "%s: '%s' occurs twice",
                              r->file, key);
        *out = v;
    }
    return HEED_OK;
}

/* The dictionary of tensors: the whole, or what training scripts have under one
 * of two keys beside numbers of their own. */
static heed_status find_dict(reader *r, heedi_pickled *out)
{
    const heedi_pickled root = r->pickle.root;
    *out = root;
    if (root.kind != HEEDI_P_DICT)
        return heedi_fail(r->c->ctx, HEED_ENOTSUP,
                          "%s: the pickle is %s, not a dictionary of tensors",
                          r->file, heedi_pickle_kind_name(root.kind));
    if (has_tensor(&r->pickle, root))
        return HEED_OK;
    HEEDI_TRY(find_key(r, "model", root, out));
    return find_key(r, "state_dict", root, out);
}

static heed_status add_tensors(reader *r, heedi_pickled dict)
{
    const heedi_pickle *m = &r->pickle;
    size_t left = m->n; /* bytes of names, each of which is in the pickle */
    for (size_t at = heedi_pickle_first(m, dict); at; at = m->cell[at].next) {
        const heedi_pickled key = m->cell[at].v, v = m->cell[at + 1].v;
        const heedi_str name = heedi_pickle_str(m, key);
        if (key.kind != HEEDI_P_STR)
            return heedi_fail(r->c->ctx, HEED_EFORMAT,
                              "%s: the name of a tensor is %s", r->file,
                              heedi_pickle_kind_name(key.kind));
        if (v.kind != HEEDI_P_TENSOR)
            return heedi_fail(r->c->ctx, HEED_ENOTSUP,
                              "%s: '%.*s' is %s, not a tensor", r->file,
                              HEEDI_NAME(name), heedi_pickle_kind_name(v.kind));
        if (name.len > left)
            return heedi_fail(r->c->ctx, HEED_EFORMAT,
                              "%s: tensor %.*s occurs twice", r->file,
                              HEEDI_NAME(name));
        left -= name.len;
        HEEDI_TRY(add_tensor(r, name, &m->tensor[v.i]));
    }
    size_t outside = 0;
    for (size_t i = 0; i < m->n_tensors; i++)
        outside += !m->tensor[i].placed;
    if (outside > 0)
        return heedi_fail(r->c->ctx, HEED_ENOTSUP,
                          "%s: of %zu tensors, %zu lie outside of the "
                          "dictionary of tensors; save the model's "
                          "state_dict() alone",
                          r->file, m->n_tensors, outside);
    return HEED_OK;
}

static heed_status read_archive(reader *r)
{
    heed_ctx *ctx = r->c->ctx;
    HEEDI_TRY(strip_names(r));
    HEEDI_TRY(check_others(r));
    const heedi_zip_file *f = heedi_zip_find(&r->zip, "", text("data.pkl"));
    if (!f)
        return heedi_fail(ctx, HEED_EFORMAT,
                          "%s: a zip file without data.pkl, not of torch.save",
                          r->file);
    r->used = heedi_alloc(ctx, r->zip.n * sizeof *r->used);
    if (!r->used)
        return HEED_ENOMEM;
    r->pickle =
        (heedi_pickle){.ctx = ctx, .path = r->file, .p = f->p, .n = f->n};
    HEEDI_TRY(heedi_pickle_read(&r->pickle));
    heedi_pickled dict;
    HEEDI_TRY(find_dict(r, &dict));
    HEEDI_TRY(add_tensors(r, dict));
    return check_unused(r);
}

heed_status heedi_pytorch_file(heedi_checkpoint *c, const char *file)
{
    reader r = {.c = c, .file = file};
    heedi_map m;
    HEEDI_TRY(heedi_map_keep(&m, c, file));
    HEEDI_TRY(check_magic(&r, &m));
    HEEDI_TRY(heedi_zip_open(&r.zip, c->ctx, file, &m));
    r.pickle.ctx = c->ctx;
    heed_status st = read_archive(&r);
    heedi_pickle_clear(&r.pickle);
    heedi_free(c->ctx, (void *)r.used);
    heedi_zip_close(&r.zip, c->ctx);
    return st;
}
