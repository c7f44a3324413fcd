/* hdf5.c - the result file; its layout is docs/formats.md. */
#include <hdf5.h>
#include <hdf5_hl.h>
#include <string.h>

#include "arena.h"
#include "ctx.h"
#include "format.h"
#include "hdf5_driver.h"
#include "result.h"
#include "utf8.h"

enum { LARGE = 1 << 16, TILE = 256, LINE = 1 << 16, MAX_CACHE = 64 << 20 };

/* A dimension as a group sees it. A scale of the root that a group uses is
 * linked into it, and then has a row for each. */
typedef struct scale {
    const char *group, *name;
    int64_t len;
    hid_t id;
} scale;

typedef struct array {
    heed_var var;
    hid_t id;
} array;

typedef struct h5 {
    heed_ctx *ctx;
    const heedi_place *place;
    heedi_arena arena; /* names */
    heedi_hdf5_driver driver;
    hid_t file, text; /* text: variable-length UTF-8 */
    hid_t gcpl;       /* how groups are made */
    scale *scale;
    size_t n_scales, cap_scales;
    array *array;
    size_t n_arrays, cap_arrays;
} h5;

/* ---- errors -------------------------------------------------------------- */

static herr_t innermost(unsigned n, const H5E_error2_t *e, void *out)
{
    if (n == 0)
        *(const char **)out = e->desc;
    return 0;
}

/* HDF5 refused something. */
static heed_status broken(h5 *h, const char *what)
{
    const char *why = NULL;
    if (h->driver.err)
        return heedi_out_fail(h->ctx, h->place->path, h->driver.err);
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, &why);
    return heedi_fail(h->ctx, HEED_EOUTPUT, "%s: HDF5 cannot write %s: %s",
                      h->place->path, what, why ? why : "no reason given");
}

/* Every entry ends here: a write that failed under HDF5 is found out. */
static heed_status checked(h5 *h, heed_status st)
{
    if (st == HEED_OK && h->driver.err)
        st = heedi_out_fail(h->ctx, h->place->path, h->driver.err);
    return st;
}

/* ---- names and groups ---------------------------------------------------- */

static const char *keep(h5 *h, const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = heedi_arena_alloc(&h->arena, n);
    return copy ? memcpy(copy, s, n) : NULL;
}

/* The group, made with all above it if need be; closed with H5Gclose(). */
static hid_t open_group(h5 *h, const char *path)
{
    hid_t at = H5Gopen2(h->file, "/", H5P_DEFAULT);
    char name[256];
    while (at >= 0 && *path) {
        size_t n = strcspn(path, "/");
        if (n == 0 || n >= sizeof name) {
            H5Gclose(at);
            return -1;
        }
        memcpy(name, path, n);
        name[n] = '\0';
        hid_t next =
            H5Lexists(at, name, H5P_DEFAULT) > 0
                ? H5Gopen2(at, name, H5P_DEFAULT)
                : H5Gcreate2(at, name, H5P_DEFAULT, h->gcpl, H5P_DEFAULT);
        H5Gclose(at);
        at = next;
        path += n + (path[n] == '/');
    }
    return at;
}

static hid_t file_type(const h5 *h, heed_type t)
{
    switch (t) {
    case HEED_F32:
        return H5T_IEEE_F32LE;
    case HEED_F64:
        return H5T_IEEE_F64LE;
    case HEED_I32:
        return H5T_STD_I32LE;
    case HEED_I64:
        return H5T_STD_I64LE;
    case HEED_U8:
        return H5T_STD_U8LE;
    case HEED_STR:
        break;
    }
    return h->text;
}

static hid_t memory_type(const h5 *h, heed_type t)
{
    switch (t) {
    case HEED_F32:
        return H5T_NATIVE_FLOAT;
    case HEED_F64:
        return H5T_NATIVE_DOUBLE;
    case HEED_I32:
        return H5T_NATIVE_INT32;
    case HEED_I64:
        return H5T_NATIVE_INT64;
    case HEED_U8:
        return H5T_NATIVE_UINT8;
    case HEED_STR:
        break;
    }
    return h->text;
}

static bool put_attr(const h5 *h, hid_t at, const char *key, heed_attr v)
{
    hsize_t n = (hsize_t)v.n;
    if (H5Aexists(at, key) > 0 && H5Adelete(at, key) < 0)
        return false;
    hid_t space =
        v.n < 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &n, NULL);
    hid_t a = H5Acreate2(at, key, file_type(h, v.type), space, H5P_DEFAULT,
                         H5P_DEFAULT);
    bool ok = H5Awrite(a, memory_type(h, v.type), v.data) >= 0;
    H5Aclose(a);
    H5Sclose(space);
    return ok;
}

static bool put_text(const h5 *h, hid_t at, const char *key, const char *s)
{
    return put_attr(h, at, key, (heed_attr){HEED_STR, -1, &s});
}

/* ---- datasets ------------------------------------------------------------ */

/* Large maps are cut into tiles of the last two dimensions and compressed. */
static bool tile(hid_t dcpl, hid_t dapl, const heed_var *v)
{
    size_t size = heed_type_size(v->type), bytes = size;
    hsize_t chunk[HEED_MAX_DIM];
    if (v->nd == 0 || v->type == HEED_STR ||
        (size_t)heedi_numel(v->nd, v->len) < LARGE / size)
        return true;
    for (int d = 0; d < v->nd; d++) {
        int64_t most = d < v->nd - 2 ? 1 : v->nd == 1 ? LINE : TILE;
        chunk[d] = (hsize_t)(v->len[d] < most ? v->len[d] : most);
        bytes *= chunk[d];
    }
    /* room for a row of tiles, so that slabs of a few rows need not open a
     * tile twice */
    hsize_t last = chunk[v->nd - 1];
    size_t cache = bytes * (((hsize_t)v->len[v->nd - 1] + last - 1) / last);
    cache = cache < 1 << 20 ? 1 << 20 : cache > MAX_CACHE ? MAX_CACHE : cache;
    bool ok = H5Pset_chunk(dcpl, v->nd, chunk) >= 0 &&
              H5Pset_chunk_cache(dapl, 12421, cache, 1.0) >= 0;
    if (H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0)
        ok = ok && H5Pset_shuffle(dcpl) >= 0 && H5Pset_deflate(dcpl, 4) >= 0;
    return ok;
}

static hid_t create(h5 *h, const heed_var *v)
{
    hsize_t len[HEED_MAX_DIM];
    for (int d = 0; d < v->nd; d++)
        len[d] = (hsize_t)v->len[d];
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dapl = H5Pcreate(H5P_DATASET_ACCESS);
    hid_t space =
        v->nd ? H5Screate_simple(v->nd, len, NULL) : H5Screate(H5S_SCALAR);
    hid_t group = open_group(h, v->group), id = -1;
    if (H5Pset_obj_track_times(dcpl, 0) >= 0 && tile(dcpl, dapl, v))
        id = H5Dcreate2(group, v->name, file_type(h, v->type), space,
                        H5P_DEFAULT, dcpl, dapl);
    H5Gclose(group);
    H5Sclose(space);
    H5Pclose(dapl);
    H5Pclose(dcpl);
    if (id >= 0 &&
        ((v->units && !put_text(h, id, "units", v->units)) ||
         (v->long_name && !put_text(h, id, "long_name", v->long_name)))) {
        H5Dclose(id);
        id = -1;
    }
    return id;
}

/* ---- dimensions ---------------------------------------------------------- */

/* The dimensions that groups have in common. Others, and these where a group
 * has another number of them, are a matter of the group. */
static const struct {
    const char *name, *long_name;
} shared[] = {
    {"pos", "position of the token"},
    {"layer", "layer"},
    {"head", "attention head"},
    {"query", "position of the query"},
    {"key", "position of the key"},
    {"target", "explained target"},
    {"source", "position of the source token"},
    {"channel", "channel"},
    {"neuron", "unit of the feed-forward layer"},
    {"sample", "input"},
};
enum { N_SHARED = sizeof shared / sizeof *shared };

static const char *shared_name(const char *dim)
{
    for (int i = 0; i < N_SHARED; i++)
        if (strcmp(shared[i].name, dim) == 0)
            return shared[i].long_name;
    return NULL;
}

static scale *find_scale(const h5 *h, const char *group, const char *name)
{
    for (size_t i = 0; i < h->n_scales; i++)
        if (strcmp(h->scale[i].name, name) == 0 &&
            strcmp(h->scale[i].group, group) == 0)
            return &h->scale[i];
    return NULL;
}

static heed_status add_scale(h5 *h, const char *group, const char *name,
                             int64_t len, hid_t id)
{
    void *grown = heedi_grow(h->ctx, h->scale, &h->cap_scales, h->n_scales + 1,
                             sizeof *h->scale);
    if (!grown)
        return HEED_ENOMEM;
    h->scale = grown;
    group = keep(h, group);
    name = group ? keep(h, name) : NULL;
    if (!name)
        return HEED_ENOMEM;
    h->scale[h->n_scales++] = (scale){group, name, len, id};
    return HEED_OK;
}

/* A dataset that is a dimension; its values are 0 ... len-1 unless `v` says
 * that they come later. */
static heed_status make_scale(h5 *h, const heed_var *v, bool count)
{
    heed_status st = HEED_OK;
    hid_t id = create(h, v);
    if (id < 0 || H5DSset_scale(id, v->name) < 0)
        return broken(h, v->name);
    if (count) {
        int32_t *x = heedi_alloc(h->ctx, (size_t)v->len[0] * sizeof *x);
        if (!x)
            return HEED_ENOMEM;
        for (int64_t i = 0; i < v->len[0]; i++)
            x[i] = (int32_t)i;
        if (H5Dwrite(id, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) <
            0)
            st = broken(h, v->name);
        heedi_free(h->ctx, x);
    }
    return st == HEED_OK ? add_scale(h, v->group, v->name, v->len[0], id) : st;
}

static heed_status link_into(h5 *h, const char *group, hid_t id,
                             const char *name)
{
    hid_t g = open_group(h, group);
    bool ok = H5Lexists(g, name, H5P_DEFAULT) > 0 ||
              H5Olink(id, g, name, H5P_DEFAULT, H5P_DEFAULT) >= 0;
    H5Gclose(g);
    return ok ? HEED_OK : broken(h, name);
}

/* The scale of dimension `name` for an array of `group`. */
static heed_status scale_for(h5 *h, const char *group, const char *name,
                             int64_t len, hid_t *id)
{
    const scale *s = find_scale(h, group, name);
    if (s && s->len != len)
        return heedi_fail(
            h->ctx, HEED_EINVAL, "dimension %s of %s has length %lld, not %lld",
            name, *group ? group : "/", (long long)s->len, (long long)len);
    if (s) {
        *id = s->id;
        return HEED_OK;
    }
    const char *long_name = shared_name(name);
    const scale *root = find_scale(h, "", name);
    bool common = root ? root->len == len : long_name != NULL;
    if (!root || !common) {
        heed_var v = {
            common ? "" : group,         name, HEED_I32, 1, {name}, {len}, "1",
            long_name ? long_name : name};
        HEEDI_TRY(make_scale(h, &v, true));
        *id = h->scale[h->n_scales - 1].id;
    } else {
        *id = root->id;
    }
    if (!common || !*group)
        return HEED_OK;
    HEEDI_TRY(link_into(h, group, *id, name));
    return add_scale(h, group, name, len, *id);
}

/* ---- the sink ------------------------------------------------------------ */

static array *find_array(const h5 *h, const char *group, const char *name)
{
    for (size_t i = 0; i < h->n_arrays; i++)
        if (strcmp(h->array[i].var.name, name) == 0 &&
            strcmp(h->array[i].var.group, group) == 0)
            return &h->array[i];
    return NULL;
}

static heed_status add_array(h5 *h, const heed_var *var, hid_t id)
{
    void *grown = heedi_grow(h->ctx, h->array, &h->cap_arrays, h->n_arrays + 1,
                             sizeof *h->array);
    if (!grown)
        return HEED_ENOMEM;
    h->array = grown;
    array a = {*var, id};
    a.var.units = a.var.long_name = NULL;
    bool ok = (a.var.group = keep(h, var->group)) != NULL &&
              (a.var.name = keep(h, var->name)) != NULL;
    for (int d = 0; ok && d < var->nd; d++)
        ok = (a.var.dim[d] = keep(h, var->dim[d])) != NULL;
    if (!ok)
        return HEED_ENOMEM;
    h->array[h->n_arrays++] = a;
    return HEED_OK;
}

/* The groups that use a scale of the root keep it as their own. */
static heed_status forget_root(h5 *h, scale *s)
{
    for (size_t i = 0; i < h->n_arrays; i++)
        for (int d = 0; d < h->array[i].var.nd; d++)
            if (!*h->array[i].var.group &&
                strcmp(h->array[i].var.dim[d], s->name) == 0)
                return heedi_fail(h->ctx, HEED_EINVAL,
                                  "coordinates %s do not fit array %s", s->name,
                                  h->array[i].var.name);
    if (H5Ldelete(h->file, s->name, H5P_DEFAULT) < 0)
        return broken(h, s->name);
    *s = h->scale[--h->n_scales];
    return HEED_OK;
}

/* Coordinates: the array is its own dimension. */
static heed_status define_scale(h5 *h, const heed_var *var)
{
    scale *s = find_scale(h, var->group, var->name);
    if (var->type == HEED_STR)
        return heedi_fail(h->ctx, HEED_EINVAL,
                          "coordinates %s are text, not numbers", var->name);
    if (s && (s->len != var->len[0] || var->type != HEED_I32)) {
        if (*var->group)
            return heedi_fail(h->ctx, HEED_EINVAL,
                              "coordinates %s/%s do not fit the arrays before "
                              "them",
                              var->group, var->name);
        HEEDI_TRY(forget_root(h, s));
        s = NULL;
    }
    if (!s) {
        heed_var v = *var;
        const char *known = shared_name(var->name);
        v.units = v.units ? v.units : "1";
        v.long_name = v.long_name ? v.long_name : known ? known : var->name;
        HEEDI_TRY(make_scale(h, &v, false));
        s = &h->scale[h->n_scales - 1];
    }
    return add_array(h, var, s->id);
}

static heed_status define(h5 *h, const heed_var *var)
{
    hid_t at[HEED_MAX_DIM];
    const array *old = find_array(h, var->group, var->name);
    if (old)
        return heedi_var_same(h->ctx, &old->var, var);
    if (var->nd == 1 && strcmp(var->dim[0], var->name) == 0)
        return define_scale(h, var);
    for (int d = 0; d < var->nd; d++)
        HEEDI_TRY(scale_for(h, var->group, var->dim[d], var->len[d], &at[d]));
    hid_t id = create(h, var);
    if (id < 0)
        return broken(h, var->name);
    for (int d = 0; d < var->nd; d++)
        if (H5DSattach_scale(id, at[d], (unsigned)d) < 0)
            return broken(h, var->name);
    return add_array(h, var, id);
}

static heed_status write(h5 *h, const array *a, const int64_t *start,
                         const int64_t *count, const void *data)
{
    const heed_var *v = &a->var;
    hsize_t from[HEED_MAX_DIM], n[HEED_MAX_DIM];
    HEEDI_TRY(heedi_slab_check(h->ctx, v, start, count));
    if (v->type == HEED_STR)
        HEEDI_TRY(
            heedi_text_check(h->ctx, v->name, data, heedi_numel(v->nd, count)));
    for (int d = 0; d < v->nd; d++) {
        from[d] = (hsize_t)start[d];
        n[d] = (hsize_t)count[d];
    }
    hid_t to = H5Dget_space(a->id), slab = H5Scopy(to);
    bool ok = true;
    if (v->nd) {
        H5Sclose(slab);
        slab = H5Screate_simple(v->nd, n, NULL);
        ok = H5Sselect_hyperslab(to, H5S_SELECT_SET, from, NULL, n, NULL) >= 0;
    }
    ok = ok && H5Dwrite(a->id, memory_type(h, v->type), slab, to, H5P_DEFAULT,
                        data) >= 0;
    H5Sclose(slab);
    H5Sclose(to);
    return ok ? HEED_OK : broken(h, v->name);
}

static heed_status h5_define(void *ud, heed_ctx *ctx, const heed_var *var)
{
    h5 *h = ud;
    heed_status st;
    (void)ctx;
    H5E_BEGIN_TRY
    {
        st = checked(h, define(h, var));
    }
    H5E_END_TRY
    return st;
}

static heed_status h5_write(void *ud, heed_ctx *ctx, const char *group,
                            const char *name, const int64_t *start,
                            const int64_t *count, const void *data)
{
    h5 *h = ud;
    heed_status st;
    const array *a = find_array(h, group, name);
    if (!a)
        return heedi_undefined(ctx, group, name);
    H5E_BEGIN_TRY
    {
        st = checked(h, write(h, a, start, count, data));
    }
    H5E_END_TRY
    return st;
}

static heed_status h5_attr(void *ud, heed_ctx *ctx, const char *group,
                           const char *key, heed_attr value)
{
    h5 *h = ud;
    heed_status st;
    (void)ctx;
    H5E_BEGIN_TRY
    {
        hid_t g = open_group(h, group);
        st = put_attr(h, g, key, value) ? HEED_OK : broken(h, key);
        H5Gclose(g);
        st = checked(h, st);
    }
    H5E_END_TRY
    return st;
}

/* ---- the end ------------------------------------------------------------- */

/* Tokens along `source`: the texts of input/token once more, since a
 * coordinate has the dimension of its data. */
static heed_status copy_tokens(h5 *h, const char *group, const array *token)
{
    int64_t n = token->var.len[0];
    heed_var v = {group,      "source_token",
                  HEED_STR,   1,
                  {"source"}, {n},
                  NULL,       "token at the source position"};
    const hid_t from = token->id;
    if (find_array(h, group, v.name))
        return HEED_OK;
    char **text = heedi_alloc(h->ctx, (size_t)n * sizeof *text);
    if (!text)
        return HEED_ENOMEM;
    heed_status st = define(h, &v); /* moves h->array */
    if (st == HEED_OK) {
        hid_t to = h->array[h->n_arrays - 1].id, space = H5Dget_space(from);
        bool ok =
            H5Dread(from, h->text, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0;
        if (ok) {
            ok =
                H5Dwrite(to, h->text, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0;
            H5Dvlen_reclaim(h->text, space, H5P_DEFAULT, text);
        }
        if (!ok)
            st = broken(h, v.name);
        H5Sclose(space);
    }
    heedi_free(h->ctx, text);
    return st;
}

static void add_word(char *list, size_t size, const char *word)
{
    size_t n = strlen(list);
    if (n + strlen(word) + 2 > size)
        return; /* no array has that many */
    if (n)
        list[n++] = ' ';
    strcpy(list + n, word);
}

/* What xarray should show beside the values of array i: every text of its
 * group along one of its dimensions, and the tokens of the input. */
static heed_status coordinates(h5 *h, size_t i)
{
    const heed_var v = h->array[i].var;
    char list[512] = "";
    for (int d = 0; d < v.nd; d++) {
        const char *more = NULL;
        const array *token = find_array(h, "input", "token");
        if (token && token->var.len[0] != v.len[d])
            token = NULL;
        if (token && strcmp(v.dim[d], "pos") == 0 &&
            !find_array(h, v.group, "token")) {
            HEEDI_TRY(link_into(h, v.group, token->id, "token"));
            more = "token";
        } else if (token && strcmp(v.dim[d], "source") == 0) {
            HEEDI_TRY(copy_tokens(h, v.group, token));
            more = "source_token";
        }
        if (more)
            add_word(list, sizeof list, more);
        for (size_t j = 0; j < h->n_arrays; j++) {
            const heed_var *w = &h->array[j].var;
            if (w->type == HEED_STR && w->nd == 1 &&
                strcmp(w->group, v.group) == 0 &&
                strcmp(w->dim[0], v.dim[d]) == 0 &&
                !(more && strcmp(more, w->name) == 0))
                add_word(list, sizeof list, w->name);
        }
    }
    if (*list && !put_text(h, h->array[i].id, "coordinates", list))
        return broken(h, v.name);
    return HEED_OK;
}

static heed_status complete(h5 *h)
{
    size_t n = h->n_arrays;
    for (size_t i = 0; i < n; i++) {
        const heed_var *v = &h->array[i].var;
        bool is_scale = v->nd == 1 && strcmp(v->dim[0], v->name) == 0;
        if (v->type != HEED_STR && !is_scale)
            HEEDI_TRY(coordinates(h, i));
    }
    return HEED_OK;
}

/* Datasets, groups and spaces close with the file. */
static heed_status close_file(h5 *h)
{
    heed_status st = HEED_OK;
    if (h->file >= 0 && H5Fclose(h->file) < 0)
        st = broken(h, "the end of the file");
    h->file = -1;
    return checked(h, st);
}

static heed_status h5_finish(void *ud, heed_ctx *ctx)
{
    h5 *h = ud;
    heed_status st;
    (void)ctx;
    H5E_BEGIN_TRY
    {
        st = complete(h);
        if (st == HEED_OK)
            st = checked(h, close_file(h));
    }
    H5E_END_TRY
    return st;
}

static void h5_drop(void *ud, heed_ctx *ctx)
{
    h5 *h = ud;
    H5E_BEGIN_TRY
    {
        if (h->file >= 0) {
            if (!h->driver.err)
                h->driver.err = -1; /* nobody will read it: write no more */
            H5Fclose(h->file);
        }
        H5Tclose(h->text);
        H5Pclose(h->gcpl);
    }
    H5E_END_TRY
    heedi_free(ctx, h->scale);
    heedi_free(ctx, h->array);
    heedi_arena_clear(&h->arena);
    heedi_free(ctx, h);
}

static heed_status h5_open(void **ud, heed_ctx *ctx, const heedi_place *place)
{
    heed_status st = HEED_OK;
    h5 *h = heedi_alloc(ctx, sizeof *h);
    if (!h)
        return HEED_ENOMEM;
    *ud = h;
    h->ctx = ctx;
    h->place = place;
    heedi_arena_init(&h->arena, ctx);
    H5E_BEGIN_TRY
    {
        h->file = heedi_hdf5_create(&h->driver, place->part);
        h->text = H5Tcopy(H5T_C_S1);
        h->gcpl = H5Pcreate(H5P_GROUP_CREATE);
        if (h->file < 0 || H5Tset_size(h->text, H5T_VARIABLE) < 0 ||
            H5Tset_cset(h->text, H5T_CSET_UTF8) < 0 ||
            H5Pset_obj_track_times(h->gcpl, 0) < 0)
            st = broken(h, "anything");
    }
    H5E_END_TRY
    return st;
}

const heedi_format heedi_format_hdf5 = {
    .info = {"hdf5", ".h5 .hdf5 .nc", "for h5py, netCDF4 and xarray", 1},
    .open = h5_open,
    .define = h5_define,
    .write = h5_write,
    .attr = h5_attr,
    .finish = h5_finish,
    .drop = h5_drop,
};
