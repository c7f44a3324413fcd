#include "hdf5_rows.h"

#include <hdf5_hl.h>
#include <math.h>
#include <string.h>

#include "result.h"

/* `coordinates` are arrays of group "input" along the axis; a group that uses
 * the axis has links to them. */
static const struct {
    const char *name, *long_name, *coordinates;
} axes[HEEDI_N_AXES] = {
    {"sample", "input", "sample_start sample_size"},
    {"token_row", "token, those of all inputs one after the other",
     "sample_index pos token"},
    {"target_row", "explained target, those of all inputs one after the other",
     "target_sample"},
    {"map_row",
     "source token of a target, those of all targets one after the "
     "other",
     "map_target map_token"},
};

enum { CHUNK_BYTES = 1 << 14, MOST_ROWS = 1024, COORDINATES = 256 };

static heed_status misfit(heedi_h5_rows *r, const heed_var *v)
{
    return heedi_fail(r->h->ctx, HEED_EINVAL,
                      "array %s/%s does not fit that of the inputs before it",
                      v->group, v->name);
}

/* ---- axes ---- */

int64_t heedi_rows_count(const heedi_h5 *h, heedi_axis axis)
{
    hsize_t n = 0;
    if (H5Lexists(h->file, axes[axis].name, H5P_DEFAULT) <= 0)
        return 0;
    hid_t id = H5Dopen2(h->file, axes[axis].name, H5P_DEFAULT);
    hid_t space = H5Dget_space(id);
    int nd = H5Sget_simple_extent_ndims(space);
    if (nd == 1)
        H5Sget_simple_extent_dims(space, &n, NULL);
    H5Sclose(space);
    H5Dclose(id);
    return nd == 1 ? (int64_t)n : -1;
}

static heed_status grow_axis(heedi_h5_rows *r, heedi_axis axis)
{
    const int64_t n = r->now[axis], before = r->before[axis];
    heedi_h5_block b = {{"",
                         axes[axis].name,
                         HEED_I64,
                         1,
                         {axes[axis].name},
                         {n},
                         "1",
                         axes[axis].long_name},
                        axis,
                        0};
    if (n == 0)
        return HEED_OK;
    int64_t *x = heedi_alloc(r->h->ctx, (size_t)n * sizeof *x);
    if (!x)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        x[i] = before + i;
    heed_status st = heedi_rows_put(r, &b, x);
    heedi_free(r->h->ctx, x);
    return st;
}

heed_status heedi_rows_begin(heedi_h5_rows *r)
{
    for (int a = 0; a < HEEDI_N_AXES; a++) {
        r->before[a] = heedi_rows_count(r->h, (heedi_axis)a);
        if (r->before[a] < 0)
            return heedi_h5_broken(r->h, axes[a].name);
    }
    for (int a = 0; a < HEEDI_N_AXES; a++)
        HEEDI_TRY(grow_axis(r, (heedi_axis)a));
    return HEED_OK;
}

/* ---- making a dataset ---- */

static bool is_scale(const heed_var *v)
{
    return v->nd == 1 && strcmp(v->dim[0], v->name) == 0;
}

/* A link in `group` to a dataset of another one. */
static heed_status link_from(heedi_h5_rows *r, const char *group,
                             const char *from, const char *name)
{
    hid_t to = heedi_h5_group(r->h, group), at = heedi_h5_group(r->h, from);
    bool ok = H5Lexists(to, name, H5P_DEFAULT) > 0 ||
              H5Lexists(at, name, H5P_DEFAULT) <= 0 ||
              H5Lcreate_hard(at, name, to, name, H5P_DEFAULT, H5P_DEFAULT) >= 0;
    H5Gclose(at);
    H5Gclose(to);
    return ok ? HEED_OK : heedi_h5_broken(r->h, name);
}

/* The coordinates of a group; how the words that are there read together. */
static heed_status link_coordinates(heedi_h5_rows *r, const heedi_h5_block *b,
                                    char list[COORDINATES + 16])
{
    char word[64];
    list[0] = '\0';
    for (const char *s = axes[b->axis].coordinates; *s; s += strspn(s, " ")) {
        size_t n = strcspn(s, " ");
        snprintf(word, sizeof word, "%.*s", (int)n, s);
        s += n;
        HEEDI_TRY(link_from(r, b->v.group, "input", word));
        if (strcmp(word, b->v.name) == 0) { /* is one itself */
            list[0] = '\0';
            return HEED_OK;
        }
        size_t used = strlen(list);
        snprintf(list + used, COORDINATES - used, "%s%s", used ? " " : "",
                 word);
    }
    return HEED_OK;
}

static hid_t creation(const heedi_h5_block *b)
{
    const heed_var *v = &b->v;
    const size_t size = v->type == HEED_STR ? 16 : heed_type_size(v->type);
    const float nan_f = NAN;
    const double nan_d = (double)NAN;
    hsize_t chunk[HEED_MAX_DIM], other = 1;
    for (int d = 0; d < v->nd; d++) {
        chunk[d] = (hsize_t)v->len[d];
        other *= d == b->at ? 1 : chunk[d];
    }
    hsize_t rows = CHUNK_BYTES / (other * size);
    chunk[b->at] = rows < 1 ? 1 : rows > MOST_ROWS ? MOST_ROWS : rows;
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    bool ok = H5Pset_obj_track_times(dcpl, 0) >= 0 &&
              H5Pset_chunk(dcpl, v->nd, chunk) >= 0;
    /* an entry of the ledger that an input does not have is 0 */
    if (strncmp(v->name, "sink_", 5) != 0 && v->type == HEED_F32)
        ok = ok && H5Pset_fill_value(dcpl, H5T_NATIVE_FLOAT, &nan_f) >= 0;
    if (strncmp(v->name, "sink_", 5) != 0 && v->type == HEED_F64)
        ok = ok && H5Pset_fill_value(dcpl, H5T_NATIVE_DOUBLE, &nan_d) >= 0;
    if (!ok) {
        H5Pclose(dcpl);
        return -1;
    }
    return dcpl;
}

/* The scale of a dimension that all inputs share, in the group itself. */
static heed_status fixed_scale(heedi_h5_rows *r, const heed_var *v, int d,
                               hid_t *id)
{
    const heed_array *own = heed_result_get(r->values, v->group, v->dim[d]);
    const heed_array *a = own ? own : heed_result_get(r->values, "", v->dim[d]);
    heed_var s = {v->group,    v->dim[d],   HEED_I32, 1,
                  {v->dim[d]}, {v->len[d]}, "1",      v->dim[d]};
    int32_t *x = NULL;
    hid_t group = heedi_h5_group(r->h, v->group);
    if (H5Lexists(group, s.name, H5P_DEFAULT) > 0) {
        *id = H5Dopen2(group, s.name, H5P_DEFAULT);
        H5Gclose(group);
        return *id < 0 ? heedi_h5_broken(r->h, s.name) : HEED_OK;
    }
    H5Gclose(group);
    if (!a || a->var.type != HEED_I32 || a->var.nd != 1 ||
        a->var.len[0] != s.len[0]) {
        if (!(x = heedi_alloc(r->h->ctx, (size_t)s.len[0] * sizeof *x)))
            return HEED_ENOMEM;
        for (int64_t i = 0; i < s.len[0]; i++)
            x[i] = (int32_t)i;
    }
    *id = heedi_h5_create(r->h, &s);
    bool ok = *id >= 0 && H5DSset_scale(*id, s.name) >= 0 &&
              H5Dwrite(*id, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                       x ? (const void *)x : a->data) >= 0;
    heedi_free(r->h->ctx, x);
    return ok ? HEED_OK : heedi_h5_broken(r->h, s.name);
}

/* at < 0: no dimension is an axis. */
static heed_status attach(heedi_h5_rows *r, const heed_var *v, heedi_axis axis,
                          int at, hid_t id)
{
    for (int d = 0; d < v->nd; d++) {
        hid_t scale = -1;
        if (d == at)
            scale = H5Dopen2(r->h->file, axes[axis].name, H5P_DEFAULT);
        else
            HEEDI_TRY(fixed_scale(r, v, d, &scale));
        bool ok = H5DSattach_scale(id, scale, (unsigned)d) >= 0;
        H5Dclose(scale);
        if (!ok)
            return heedi_h5_broken(r->h, v->name);
    }
    return at >= 0 && *v->group ? link_from(r, v->group, "", axes[axis].name)
                                : HEED_OK;
}

static bool describe(const heedi_h5 *h, hid_t id, const heed_var *v)
{
    return (!v->units || heedi_h5_text(h, id, "units", v->units)) &&
           (!v->long_name || heedi_h5_text(h, id, "long_name", v->long_name));
}

static heed_status create(heedi_h5_rows *r, const heedi_h5_block *b, hid_t *id)
{
    const heed_var *v = &b->v;
    hsize_t len[HEED_MAX_DIM], most[HEED_MAX_DIM];
    char list[COORDINATES + 16];
    for (int d = 0; d < v->nd; d++)
        len[d] = most[d] = (hsize_t)v->len[d];
    len[b->at] += (hsize_t)r->before[b->axis];
    most[b->at] = H5S_UNLIMITED;
    hid_t group = heedi_h5_group(r->h, v->group), dcpl = creation(b);
    hid_t space = H5Screate_simple(v->nd, len, most);
    *id = dcpl < 0
              ? -1
              : H5Dcreate2(group, v->name, heedi_h5_file_type(r->h, v->type),
                           space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    H5Gclose(group);
    H5Sclose(space);
    H5Pclose(dcpl);
    if (*id < 0 || !describe(r->h, *id, v))
        return heedi_h5_broken(r->h, v->name);
    if (is_scale(v))
        return H5DSset_scale(*id, v->name) >= 0
                   ? HEED_OK
                   : heedi_h5_broken(r->h, v->name);
    HEEDI_TRY(attach(r, v, b->axis, b->at, *id));
    HEEDI_TRY(link_coordinates(r, b, list));
    hid_t at = heedi_h5_group(r->h, v->group);
    if (*list && H5Lexists(at, "op_name", H5P_DEFAULT) > 0)
        strcat(list, " op_name");
    H5Gclose(at);
    if (*list && v->type != HEED_STR &&
        !heedi_h5_text(r->h, *id, "coordinates", list))
        return heedi_h5_broken(r->h, v->name);
    return HEED_OK;
}

/* ---- writing ---- */

/* Lengths of a dataset, if it has the dimensions of v but for `at`. */
static bool same_shape(hid_t id, const heed_var *v, int at,
                       hsize_t len[HEED_MAX_DIM])
{
    hid_t space = H5Dget_space(id);
    bool ok = H5Sget_simple_extent_ndims(space) == v->nd &&
              H5Sget_simple_extent_dims(space, len, NULL) >= 0;
    for (int d = 0; ok && d < v->nd; d++)
        ok = d == at || len[d] == (hsize_t)v->len[d];
    H5Sclose(space);
    return ok;
}

heed_status heedi_rows_open(heedi_h5_rows *r, const heedi_h5_block *b,
                            hid_t *id)
{
    const heed_var *v = &b->v;
    hsize_t len[HEED_MAX_DIM];
    *id = -1;
    hid_t group = heedi_h5_group(r->h, v->group);
    bool old = H5Lexists(group, v->name, H5P_DEFAULT) > 0;
    if (old)
        *id = H5Dopen2(group, v->name, H5P_DEFAULT);
    H5Gclose(group);
    if (!old)
        return create(r, b, id);
    if (*id < 0)
        return heedi_h5_broken(r->h, v->name);
    if (!same_shape(*id, v, b->at, len) ||
        len[b->at] != (hsize_t)r->before[b->axis])
        return misfit(r, v);
    len[b->at] += (hsize_t)v->len[b->at];
    return H5Dset_extent(*id, len) >= 0 ? HEED_OK
                                        : heedi_h5_broken(r->h, v->name);
}

heed_status heedi_rows_write(heedi_h5_rows *r, const heedi_h5_block *b,
                             hid_t id, int64_t from, int64_t n,
                             const void *data)
{
    hsize_t start[HEED_MAX_DIM] = {0}, count[HEED_MAX_DIM];
    for (int d = 0; d < b->v.nd; d++)
        count[d] = (hsize_t)(d == b->at ? n : b->v.len[d]);
    start[b->at] = (hsize_t)(r->before[b->axis] + from);
    hid_t to = H5Dget_space(id), slab = H5Screate_simple(b->v.nd, count, NULL);
    bool ok = H5Sselect_hyperslab(to, H5S_SELECT_SET, start, NULL, count,
                                  NULL) >= 0 &&
              H5Dwrite(id, heedi_h5_memory_type(r->h, b->v.type), slab, to,
                       H5P_DEFAULT, data) >= 0;
    H5Sclose(slab);
    H5Sclose(to);
    return ok ? HEED_OK : heedi_h5_broken(r->h, b->v.name);
}

heed_status heedi_rows_put(heedi_h5_rows *r, const heedi_h5_block *b,
                           const void *data)
{
    hid_t id;
    heed_status st = heedi_rows_open(r, b, &id);
    if (st == HEED_OK)
        st = heedi_rows_write(r, b, id, 0, b->v.len[b->at], data);
    if (id >= 0)
        H5Dclose(id);
    return st;
}

heed_status heedi_rows_once(heedi_h5_rows *r, const heed_var *v,
                            const void *data)
{
    hsize_t len[HEED_MAX_DIM];
    hid_t group = heedi_h5_group(r->h, v->group), id;
    bool old = H5Lexists(group, v->name, H5P_DEFAULT) > 0;
    id = old ? H5Dopen2(group, v->name, H5P_DEFAULT) : heedi_h5_create(r->h, v);
    H5Gclose(group);
    if (id < 0)
        return heedi_h5_broken(r->h, v->name);
    heed_status st = HEED_OK;
    if (old)
        st = same_shape(id, v, -1, len) ? HEED_OK : misfit(r, v);
    else if (H5Dwrite(id, heedi_h5_memory_type(r->h, v->type), H5S_ALL, H5S_ALL,
                      H5P_DEFAULT, data) < 0)
        st = heedi_h5_broken(r->h, v->name);
    else
        st = attach(r, v, HEEDI_SAMPLES, -1, id);
    H5Dclose(id);
    return st;
}

/* ---- what this input does not have ---- */

/* A dataset whose growing dimension is shorter than its axis. */
static herr_t catch_up(hid_t root, const char *name, const H5O_info_t *info,
                       void *ud)
{
    const heedi_h5_rows *r = ud;
    hsize_t len[HEED_MAX_DIM], most[HEED_MAX_DIM];
    if (info->type != H5O_TYPE_DATASET)
        return 0;
    hid_t id = H5Dopen2(root, name, H5P_DEFAULT), space = H5Dget_space(id);
    int nd = H5Sget_simple_extent_ndims(space), ok = 0;
    if (nd > 0 && nd <= HEED_MAX_DIM)
        H5Sget_simple_extent_dims(space, len, most);
    for (int d = 0; d < nd && nd <= HEED_MAX_DIM; d++) {
        if (most[d] != H5S_UNLIMITED)
            continue;
        for (int a = 0; a < HEEDI_N_AXES; a++) {
            if (r->now[a] == 0 || len[d] != (hsize_t)r->before[a])
                continue;
            hid_t scale = H5Dopen2(root, axes[a].name, H5P_DEFAULT);
            if (H5DSis_attached(id, scale, (unsigned)d) > 0) {
                len[d] += (hsize_t)r->now[a];
                ok = H5Dset_extent(id, len) < 0 ? -1 : ok;
                a = HEEDI_N_AXES; /* it has only one */
            }
            H5Dclose(scale);
        }
    }
    H5Sclose(space);
    H5Dclose(id);
    return ok;
}

heed_status heedi_rows_end(heedi_h5_rows *r)
{
#if H5_VERSION_GE(1, 12, 0)
    herr_t bad = H5Ovisit(r->h->file, H5_INDEX_NAME, H5_ITER_INC, catch_up, r,
                          H5O_INFO_BASIC);
#else
    herr_t bad = H5Ovisit(r->h->file, H5_INDEX_NAME, H5_ITER_INC, catch_up, r);
#endif
    return bad < 0 ? heedi_h5_broken(r->h, "the end of an input") : HEED_OK;
}
