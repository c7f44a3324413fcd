/* hdf5.c - the result file; its layout is docs/formats.md. */
#include "format.h"
#include "hdf5_file.h"
#include "result.h"
#include "utf8.h"

/* Every entry ends here: a write that failed under HDF5 is found out. */
static heed_status checked(heedi_h5 *h, heed_status st)
{
    if (st == HEED_OK && h->driver.err)
        st = heedi_out_fail(h->ctx, h->place->path, h->driver.err);
    return st;
}

static heed_status write(heedi_h5 *h, const heedi_h5_array *a,
                         const int64_t *start, const int64_t *count,
                         const void *data)
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
    ok = ok && H5Dwrite(a->id, heedi_h5_memory_type(h, v->type), slab, to,
                        H5P_DEFAULT, data) >= 0;
    H5Sclose(slab);
    H5Sclose(to);
    return ok ? HEED_OK : heedi_h5_broken(h, v->name);
}

static heed_status h5_define(void *ud, heed_ctx *ctx, const heed_var *var)
{
    heedi_h5 *h = ud;
    heed_status st;
    (void)ctx;
    H5E_BEGIN_TRY
    {
        st = checked(h, heedi_h5_define(h, var));
    }
    H5E_END_TRY
    return st;
}

static heed_status h5_write(void *ud, heed_ctx *ctx, const char *group,
                            const char *name, const int64_t *start,
                            const int64_t *count, const void *data)
{
    heedi_h5 *h = ud;
    heed_status st;
    const heedi_h5_array *a = heedi_h5_find(h, group, name);
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
    heedi_h5 *h = ud;
    heed_status st;
    (void)ctx;
    H5E_BEGIN_TRY
    {
        hid_t g = heedi_h5_group(h, group);
        st =
            heedi_h5_attr(h, g, key, value) ? HEED_OK : heedi_h5_broken(h, key);
        H5Gclose(g);
        st = checked(h, st);
    }
    H5E_END_TRY
    return st;
}

/* ---- the end ------------------------------------------------------------- */

/* Datasets, groups and spaces close with the file. */
static heed_status close_file(heedi_h5 *h)
{
    heed_status st = HEED_OK;
    if (h->file >= 0 && heedi_hdf5_close(&h->driver, h->file) < 0)
        st = heedi_h5_broken(h, "the end of the file");
    h->file = -1;
    return checked(h, st);
}

static heed_status h5_finish(void *ud, heed_ctx *ctx)
{
    heedi_h5 *h = ud;
    heed_status st;
    (void)ctx;
    H5E_BEGIN_TRY
    {
        st = heedi_h5_complete(h);
        if (st == HEED_OK)
            st = checked(h, close_file(h));
    }
    H5E_END_TRY
    return st;
}

static void h5_drop(void *ud, heed_ctx *ctx)
{
    heedi_h5 *h = ud;
    H5E_BEGIN_TRY
    {
        if (h->file >= 0) {
            if (!h->driver.err)
                h->driver.err = -1; /* nobody will read it: write no more */
            heedi_hdf5_close(&h->driver, h->file);
        }
        heedi_h5_clear(h);
    }
    H5E_END_TRY
    heedi_free(ctx, h);
}

static heed_status h5_open(void **ud, heed_ctx *ctx, const heedi_place *place)
{
    heed_status st = HEED_OK;
    heedi_h5 *h = heedi_alloc(ctx, sizeof *h);
    if (!h)
        return HEED_ENOMEM;
    *ud = h;
    h->ctx = ctx;
    h->place = place;
    H5E_BEGIN_TRY
    {
        h->file = heedi_hdf5_create(&h->driver, place->part);
        if (!heedi_h5_init(h) || h->file < 0)
            st = heedi_h5_broken(h, "anything");
    }
    H5E_END_TRY
    return st;
}

static void quiet(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

/* What the library takes from the first file on, its caches with it, and what
 * each further file does; measured, see docs/design.md. */
enum { MEMORY = 7 << 20, MORE = 1 << 20 };

const heedi_format heedi_format_hdf5 = {
    .info = {"hdf5", ".h5 .hdf5 .nc", "for h5py, netCDF4 and xarray", 1, 1,
             MEMORY, MORE},
    .open = h5_open,
    .define = h5_define,
    .write = h5_write,
    .attr = h5_attr,
    .finish = h5_finish,
    .drop = h5_drop,
    .load = heedi_h5_load,
    .quiet = quiet,
};
