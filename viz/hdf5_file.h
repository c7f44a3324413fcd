/* hdf5_file.h - a result file while it is written, in three parts: datasets
 * and attributes (hdf5_put.c), dimensions and coordinates (hdf5_dims.c), the
 * sink (format/hdf5.c); and read back (hdf5_read.c). */
#ifndef HEEDI_HDF5_FILE_H
#define HEEDI_HDF5_FILE_H

#include <hdf5.h>
#include <heed/result.h>
#include <stdbool.h>

#include "arena.h"
#include "ctx.h"
#include "hdf5_driver.h"
#include "out.h"

/* A dimension as a group sees it. A scale of the root that a group uses is
 * linked into it, and then has a row for each. */
typedef struct heedi_h5_scale {
    const char *group, *name;
    int64_t len;
    hid_t id;
} heedi_h5_scale;

typedef struct heedi_h5_array {
    heed_var var;
    hid_t id;
} heedi_h5_array;

typedef struct heedi_h5 {
    heed_ctx *ctx;
    const heedi_place *place;
    heedi_arena arena; /* names */
    heedi_hdf5_driver driver;
    hid_t file, text; /* text: variable-length UTF-8 */
    hid_t gcpl;       /* how groups are made */
    heedi_h5_scale *scale;
    size_t n_scales, cap_scales;
    heedi_h5_array *array;
    size_t n_arrays, cap_arrays;
} heedi_h5;

/* The types and properties that all functions here use; h has a context and a
 * place. The file is opened, and later dropped, by the caller. */
bool heedi_h5_init(heedi_h5 *h);
void heedi_h5_clear(heedi_h5 *h);

/* HEED_EOUTPUT: HDF5 refused `what`, and why. */
heed_status heedi_h5_broken(heedi_h5 *h, const char *what);

/* A copy in the arena, or NULL. */
const char *heedi_h5_keep(heedi_h5 *h, const char *s);

/* The group, made with all above it if need be; closed with H5Gclose(). */
hid_t heedi_h5_group(heedi_h5 *h, const char *path);
hid_t heedi_h5_file_type(const heedi_h5 *h, heed_type t);
hid_t heedi_h5_memory_type(const heedi_h5 *h, heed_type t);
bool heedi_h5_attr(const heedi_h5 *h, hid_t at, const char *key, heed_attr v);
bool heedi_h5_text(const heedi_h5 *h, hid_t at, const char *key, const char *s);
/* A dataset without dimension scales; negative on failure. */
hid_t heedi_h5_create(heedi_h5 *h, const heed_var *v);

/* NULL if there is none; valid until the next heedi_h5_define(). */
heedi_h5_array *heedi_h5_find(const heedi_h5 *h, const char *group,
                              const char *name);
/* A dataset with its scales; the same again is no error. */
heed_status heedi_h5_define(heedi_h5 *h, const heed_var *var);
/* Links and coordinates, once everything is defined. */
heed_status heedi_h5_complete(heedi_h5 *h);

/* The other way: everything in a file, into a sink. HEED_EFORMAT, HEED_ENOTSUP
 * (a type that results do not have), HEED_ENOMEM. */
heed_status heedi_h5_load(heed_ctx *ctx, const char *path, const heed_sink *to);

#endif
