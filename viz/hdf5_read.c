/* hdf5_read.c - a result file back into a sink. */
#include <hdf5_hl.h>
#include <string.h>

#include "hdf5_file.h"
#include "hdf5_reason.h"
#include "result.h"
#include "utf8.h"

#if H5_VERSION_GE(1, 12, 0)
typedef H5O_info1_t object_info;
#else
typedef H5O_info_t object_info;
#endif

enum { DEEPEST = 8, NAME = 256 };
/* Bytes that are read at a time, and rows to which they are rounded: those of
 * the tiles of maps. */
enum { SLAB = 4 << 20, TILE_ROWS = 64 };

/* Groups hold links to scales and tokens of others: what was read once, by its
 * address, is not read again. */
typedef struct reader {
    heed_ctx *ctx;
    const char *path;
    const heed_sink *to;
    hid_t text; /* variable-length UTF-8 */
    haddr_t *seen;
    size_t n_seen, cap_seen;
} reader;

static heed_status broken(const reader *r, const char *group, const char *name)
{
    return heedi_fail(r->ctx, HEED_EFORMAT, "%s: HDF5 cannot read %s/%s",
                      r->path, group, name);
}

/* ---- types and values ---------------------------------------------------- */

static bool type_of(hid_t t, heed_type *out)
{
    size_t size = H5Tget_size(t);
    switch (H5Tget_class(t)) {
    case H5T_FLOAT:
        *out = size == 4 ? HEED_F32 : HEED_F64;
        return size == 4 || size == 8;
    case H5T_INTEGER:
        if (H5Tget_sign(t) == H5T_SGN_NONE) {
            *out = size == 1 ? HEED_U8 : HEED_I64;
            return size == 1 || size == 8;
        }
        *out = size == 4 ? HEED_I32 : HEED_I64;
        return size == 4 || size == 8;
    case H5T_STRING:
        *out = HEED_STR;
        return H5Tis_variable_str(t) > 0;
    default:
        return false;
    }
}

/* Values of a dataset or of an attribute, n of them. */
typedef struct values {
    heed_type type;
    int nd;
    hsize_t len[HEED_MAX_DIM];
    int64_t n;
    int64_t count[HEED_MAX_DIM]; /* what `data` has room for */
    hid_t space;
    void *data;
} values;

/* The slab that is read at a time: all of the last dimensions that have the
 * room, of the one before them as much as has, of others one. Of text, all. */
static int64_t slab(values *v, int64_t most)
{
    int64_t n = 1;
    for (int d = v->nd - 1; d >= 0; d--) {
        const int64_t len = (int64_t)v->len[d];
        int64_t fit = most / n > 1 ? most / n : 1;
        if (fit > TILE_ROWS && fit < len)
            fit -= fit % TILE_ROWS;
        v->count[d] =
            v->type == HEED_STR || fit > len || d == v->nd - 1 ? len : fit;
        n *= v->count[d];
        if (v->count[d] < len)
            most = 1;
    }
    return n;
}

/* whole: all values have room */
static heed_status describe(const reader *r, values *v, hid_t type, bool whole,
                            const char *group, const char *name)
{
    size_t bytes;
    v->nd = H5Sget_simple_extent_ndims(v->space);
    if (!type_of(type, &v->type) || v->nd < 0 || v->nd > HEED_MAX_DIM ||
        H5Sget_simple_extent_type(v->space) == H5S_NULL)
        return heedi_fail(r->ctx, HEED_ENOTSUP,
                          "%s: %s/%s has a type that no result of heed has",
                          r->path, group, name);
    H5Sget_simple_extent_dims(v->space, v->len, NULL);
    v->n = 1;
    for (int d = 0; d < v->nd; d++) {
        size_t most = SIZE_MAX / 2;
        if (v->len[d] == 0 || v->len[d] > most / (size_t)v->n)
            return heedi_fail(r->ctx, HEED_EFORMAT,
                              "%s: %s/%s has a length of %llu", r->path, group,
                              name, (unsigned long long)v->len[d]);
        v->n *= (int64_t)v->len[d];
    }
    if (!heedi_mul((size_t)v->n, heed_type_size(v->type), &bytes))
        return heedi_fail(r->ctx, HEED_ENOMEM, "%s: %s/%s is too large",
                          r->path, group, name);
    if (!whole)
        bytes = (size_t)slab(v, SLAB / (int64_t)heed_type_size(v->type)) *
                heed_type_size(v->type);
    v->data = heedi_alloc(r->ctx, bytes);
    return v->data ? HEED_OK : HEED_ENOMEM;
}

static heed_status check_texts(const reader *r, const values *v,
                               const char *name)
{
    if (v->type != HEED_STR ||
        heedi_text_check(r->ctx, name, v->data, v->n) == HEED_OK)
        return HEED_OK;
    return heedi_fail_in(r->ctx, HEED_EFORMAT, r->path);
}

static void drop(const reader *r, values *v)
{
    if (v->data && v->type == HEED_STR)
        H5Dvlen_reclaim(r->text, v->space, H5P_DEFAULT, v->data);
    heedi_free(r->ctx, v->data);
    if (v->space >= 0)
        H5Sclose(v->space);
}

static hid_t memory_type(const reader *r, heed_type t)
{
    const heedi_h5 h = {.text = r->text};
    return heedi_h5_memory_type(&h, t);
}

/* ---- attributes ---------------------------------------------------------- */

static heed_status read_attr(const reader *r, hid_t at, const char *group,
                             const char *name)
{
    hid_t a = H5Aopen(at, name, H5P_DEFAULT), type = H5Aget_type(a);
    values v = {.space = H5Aget_space(a)};
    heed_status st = type >= 0 && v.space >= 0
                         ? describe(r, &v, type, true, group, name)
                         : broken(r, group, name);
    if (st == HEED_OK &&
        (v.nd > 1 || H5Aread(a, memory_type(r, v.type), v.data) < 0)) {
        memset(v.data, 0, (size_t)v.n * heed_type_size(v.type));
        st = broken(r, group, name);
    }
    if (st == HEED_OK)
        st = check_texts(r, &v, name);
    if (st == HEED_OK)
        st = r->to->attr(r->to->ud, r->ctx, group, name,
                         (heed_attr){v.type, v.nd == 0 ? -1 : v.n, v.data});
    drop(r, &v);
    H5Tclose(type);
    H5Aclose(a);
    return st;
}

static heed_status read_attrs(const reader *r, hid_t g, const char *group)
{
    char name[NAME] = "";
    object_info info;
    if (H5Oget_info2(g, &info, H5O_INFO_NUM_ATTRS) < 0)
        return broken(r, group, "");
    for (hsize_t i = 0; i < info.num_attrs; i++) {
        ssize_t n = H5Aget_name_by_idx(g, ".", H5_INDEX_NAME, H5_ITER_INC, i,
                                       name, sizeof name, H5P_DEFAULT);
        if (n < 0 || n >= NAME)
            return broken(r, group, name);
        HEEDI_TRY(read_attr(r, g, group, name));
    }
    return HEED_OK;
}

/* ---- datasets ------------------------------------------------------------ */

static herr_t scale_name(hid_t set, unsigned dim, hid_t scale, void *name)
{
    (void)set;
    (void)dim;
    return H5DSget_scale_name(scale, name, NAME) > 0;
}

/* One slab into v->data, and on. */
static heed_status pass(const reader *r, hid_t set, values *v,
                        const char *group, const char *name,
                        const int64_t *start)
{
    hsize_t from[HEED_MAX_DIM], n[HEED_MAX_DIM];
    int64_t count[HEED_MAX_DIM];
    for (int d = 0; d < v->nd; d++) {
        const int64_t left = (int64_t)v->len[d] - start[d];
        count[d] = left < v->count[d] ? left : v->count[d];
        from[d] = (hsize_t)start[d];
        n[d] = (hsize_t)count[d];
    }
    hid_t part = H5S_ALL, file = H5S_ALL;
    bool ok = true;
    if (v->nd > 0) {
        part = H5Screate_simple(v->nd, n, NULL);
        file = H5Scopy(v->space);
        ok =
            H5Sselect_hyperslab(file, H5S_SELECT_SET, from, NULL, n, NULL) >= 0;
    }
    ok = ok && H5Dread(set, memory_type(r, v->type), part, file, H5P_DEFAULT,
                       v->data) >= 0;
    if (v->nd > 0) {
        H5Sclose(part);
        H5Sclose(file);
    }
    if (!ok) {
        if (v->type == HEED_STR) /* nothing that drop() could give back */
            memset(v->data, 0, (size_t)v->n * heed_type_size(v->type));
        return broken(r, group, name);
    }
    HEEDI_TRY(check_texts(r, v, name));
    return r->to->write(r->to->ud, r->ctx, group, name, start, count, v->data);
}

/* The next slab; false after the last. */
static bool next(const values *v, int64_t *start)
{
    for (int d = v->nd - 1; d >= 0; d--) {
        start[d] += v->count[d];
        if (start[d] < (int64_t)v->len[d])
            return true;
        start[d] = 0;
    }
    return false;
}

static heed_status put(const reader *r, hid_t set, values *v, const char *group,
                       const char *name)
{
    char dim[HEED_MAX_DIM][NAME] = {{0}};
    int64_t start[HEED_MAX_DIM] = {0};
    heed_var var = {.group = group, .name = name, .type = v->type, .nd = v->nd};
    for (int d = 0; d < v->nd; d++) {
        var.len[d] = (int64_t)v->len[d];
        var.dim[d] = dim[d];
        if (H5DSis_scale(set) > 0)
            snprintf(dim[d], NAME, "%s", name);
        else
            H5DSiterate_scales(set, (unsigned)d, NULL, scale_name, dim[d]);
        if (!*dim[d])
            snprintf(dim[d], NAME, "dim_%d", d);
    }
    HEEDI_TRY(r->to->define(r->to->ud, r->ctx, &var));
    do {
        if (v->nd > 1)
            HEEDI_TRY(heedi_progress(r->ctx, "reading", (double)start[0],
                                     (double)v->len[0]));
        HEEDI_TRY(pass(r, set, v, group, name, start));
    } while (next(v, start));
    return HEED_OK;
}

static heed_status read_set(const reader *r, hid_t set, const char *group,
                            const char *name)
{
    hid_t type = H5Dget_type(set);
    values v = {.space = H5Dget_space(set)};
    heed_status st = type >= 0 && v.space >= 0
                         ? describe(r, &v, type, false, group, name)
                         : broken(r, group, name);
    if (st == HEED_OK)
        st = put(r, set, &v, group, name);
    drop(r, &v);
    H5Tclose(type);
    return st;
}

/* ---- groups -------------------------------------------------------------- */

static heed_status first_time(reader *r, hid_t object, bool *first)
{
    object_info info;
    if (H5Oget_info2(object, &info, H5O_INFO_BASIC) < 0)
        return broken(r, "", "its objects");
    *first = true;
    for (size_t i = 0; i < r->n_seen; i++)
        *first &= r->seen[i] != info.addr;
    void *grown = heedi_grow(r->ctx, r->seen, &r->cap_seen, r->n_seen + 1,
                             sizeof *r->seen);
    if (!grown)
        return HEED_ENOMEM;
    r->seen = grown;
    r->seen[r->n_seen++] = info.addr;
    return HEED_OK;
}

static heed_status read_group(reader *r, hid_t g, const char *group, int depth);

static heed_status read_object(reader *r, hid_t g, const char *group,
                               const char *name, bool groups, int depth)
{
    char path[2 * NAME];
    bool first = false;
    hid_t o = H5Oopen(g, name, H5P_DEFAULT);
    heed_status st = HEED_OK;
    if (o < 0)
        return broken(r, group, name);
    if ((H5Iget_type(o) == H5I_GROUP) == groups) {
        st = first_time(r, o, &first);
        int n = snprintf(path, sizeof path, "%s%s%s", group, *group ? "/" : "",
                         name);
        if (st == HEED_OK && first && groups)
            st = depth < DEEPEST && n < (int)sizeof path
                     ? read_group(r, o, path, depth + 1)
                     : broken(r, group, name);
        else if (st == HEED_OK && first && H5Iget_type(o) == H5I_DATASET)
            st = read_set(r, o, group, name);
    }
    H5Oclose(o);
    return st;
}

/* By name, or groups as they were made, where the file knows that. */
static H5_index_t order_of(hid_t g, bool groups)
{
    unsigned order = 0;
    hid_t how = H5Gget_create_plist(g);
    if (how < 0 || H5Pget_link_creation_order(how, &order) < 0)
        order = 0;
    H5Pclose(how);
    return groups && (order & H5P_CRT_ORDER_INDEXED) ? H5_INDEX_CRT_ORDER
                                                     : H5_INDEX_NAME;
}

/* Datasets before groups, "input" before the other ones: an array that has
 * several links is read where it belongs. */
static heed_status read_group(reader *r, hid_t g, const char *group, int depth)
{
    char name[NAME] = "";
    H5G_info_t info;
    bool has_input = depth == 0 && H5Lexists(g, "input", H5P_DEFAULT) > 0;
    if (H5Gget_info(g, &info) < 0)
        return broken(r, group, "");
    HEEDI_TRY(read_attrs(r, g, group));
    for (int groups = 0; groups < 2; groups++) {
        const H5_index_t by = order_of(g, groups);
        if (groups && has_input)
            HEEDI_TRY(read_object(r, g, group, "input", true, depth));
        for (hsize_t i = 0; i < info.nlinks; i++) {
            ssize_t n = H5Lget_name_by_idx(g, ".", by, H5_ITER_INC, i, name,
                                           sizeof name, H5P_DEFAULT);
            if (n < 0 || n >= NAME)
                return broken(r, group, name);
            HEEDI_TRY(read_object(r, g, group, name, groups, depth));
        }
    }
    return HEED_OK;
}

heed_status heedi_h5_load(heed_ctx *ctx, const char *path, const heed_sink *to)
{
    reader r = {.ctx = ctx, .path = path, .to = to};
    heed_status st = HEED_OK;
    H5E_BEGIN_TRY
    {
        hid_t close = H5Pcreate(H5P_FILE_ACCESS);
        H5Pset_fclose_degree(close, H5F_CLOSE_STRONG);
        hid_t file = H5Fopen(path, H5F_ACC_RDONLY, close);
        r.text = H5Tcopy(H5T_C_S1);
        H5Tset_size(r.text, H5T_VARIABLE);
        H5Tset_cset(r.text, H5T_CSET_UTF8);
        if (file < 0) {
            char why[HEEDI_H5_REASON];
            st = heedi_fail(ctx, HEED_EFORMAT, "%s: %s", path,
                            heedi_h5_reason(why, path));
        } else {
            hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
            bool first;
            st = first_time(&r, root, &first);
            if (st == HEED_OK)
                st = read_group(&r, root, "", 0);
            H5Gclose(root);
            H5Fclose(file);
        }
        H5Tclose(r.text);
        H5Pclose(close);
    }
    H5E_END_TRY
    heedi_free(ctx, r.seen);
    return st;
}
