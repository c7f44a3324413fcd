#include "hdf5_file.h"

#include <string.h>

#include "result.h"

enum { LARGE = 1 << 16, TILE = 256, LINE = 1 << 16, MAX_CACHE = 64 << 20 };

bool heedi_h5_init(heedi_h5 *h)
{
    heedi_arena_init(&h->arena, h->ctx);
    h->text = H5Tcopy(H5T_C_S1);
    h->gcpl = H5Pcreate(H5P_GROUP_CREATE);
    return H5Tset_size(h->text, H5T_VARIABLE) >= 0 &&
           H5Tset_cset(h->text, H5T_CSET_UTF8) >= 0 &&
           H5Pset_obj_track_times(h->gcpl, 0) >= 0 &&
           /* of methods: that in which they were asked for */
           H5Pset_link_creation_order(h->gcpl, H5P_CRT_ORDER_TRACKED |
                                                   H5P_CRT_ORDER_INDEXED) >= 0;
}

void heedi_h5_clear(heedi_h5 *h)
{
    H5Tclose(h->text);
    H5Pclose(h->gcpl);
    heedi_free(h->ctx, h->scale);
    heedi_free(h->ctx, h->array);
    heedi_arena_clear(&h->arena);
}

/* ---- errors -------------------------------------------------------------- */

static herr_t innermost(unsigned n, const H5E_error2_t *e, void *out)
{
    if (n == 0)
        *(const char **)out = e->desc;
    return 0;
}

/* HDF5 refused something. */
heed_status heedi_h5_broken(heedi_h5 *h, const char *what)
{
    const char *why = NULL;
    if (h->driver.err)
        return heedi_out_fail(h->ctx, h->place->path, h->driver.err);
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, &why);
    return heedi_fail(h->ctx, HEED_EOUTPUT, "%s: HDF5 cannot write %s: %s",
                      h->place->path, what, why ? why : "no reason given");
}

/* ---- names and groups ---------------------------------------------------- */

const char *heedi_h5_keep(heedi_h5 *h, const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = heedi_arena_alloc(&h->arena, n);
    return copy ? memcpy(copy, s, n) : NULL;
}

/* The group, made with all above it if need be; closed with H5Gclose(). */
hid_t heedi_h5_group(heedi_h5 *h, const char *path)
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

hid_t heedi_h5_file_type(const heedi_h5 *h, heed_type t)
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

hid_t heedi_h5_memory_type(const heedi_h5 *h, heed_type t)
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

bool heedi_h5_attr(const heedi_h5 *h, hid_t at, const char *key, heed_attr v)
{
    hsize_t n = (hsize_t)v.n;
    if (H5Aexists(at, key) > 0 && H5Adelete(at, key) < 0)
        return false;
    hid_t space =
        v.n < 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &n, NULL);
    hid_t a = H5Acreate2(at, key, heedi_h5_file_type(h, v.type), space,
                         H5P_DEFAULT, H5P_DEFAULT);
    bool ok = H5Awrite(a, heedi_h5_memory_type(h, v.type), v.data) >= 0;
    H5Aclose(a);
    H5Sclose(space);
    return ok;
}

bool heedi_h5_text(const heedi_h5 *h, hid_t at, const char *key, const char *s)
{
    return heedi_h5_attr(h, at, key, (heed_attr){HEED_STR, -1, &s});
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
     * tile twice; at a preference of 1 tiles across the edge, which are never
     * written as a whole, would stay for good */
    hsize_t last = chunk[v->nd - 1];
    size_t cache = bytes * (((hsize_t)v->len[v->nd - 1] + last - 1) / last);
    cache = cache < 1 << 20 ? 1 << 20 : cache > MAX_CACHE ? MAX_CACHE : cache;
    bool ok = H5Pset_chunk(dcpl, v->nd, chunk) >= 0 &&
              H5Pset_chunk_cache(dapl, 12421, cache, 0.75) >= 0;
    if (H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0)
        ok = ok && H5Pset_shuffle(dcpl) >= 0 && H5Pset_deflate(dcpl, 4) >= 0;
    return ok;
}

hid_t heedi_h5_create(heedi_h5 *h, const heed_var *v)
{
    hsize_t len[HEED_MAX_DIM];
    for (int d = 0; d < v->nd; d++)
        len[d] = (hsize_t)v->len[d];
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dapl = H5Pcreate(H5P_DATASET_ACCESS);
    hid_t space =
        v->nd ? H5Screate_simple(v->nd, len, NULL) : H5Screate(H5S_SCALAR);
    hid_t group = heedi_h5_group(h, v->group), id = -1;
    if (H5Pset_obj_track_times(dcpl, 0) >= 0 && tile(dcpl, dapl, v))
        id = H5Dcreate2(group, v->name, heedi_h5_file_type(h, v->type), space,
                        H5P_DEFAULT, dcpl, dapl);
    H5Gclose(group);
    H5Sclose(space);
    H5Pclose(dapl);
    H5Pclose(dcpl);
    if (id >= 0 &&
        ((v->units && !heedi_h5_text(h, id, "units", v->units)) ||
         (v->long_name && !heedi_h5_text(h, id, "long_name", v->long_name)))) {
        H5Dclose(id);
        id = -1;
    }
    return id;
}
