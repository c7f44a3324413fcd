/* hdf5_driver.h - a file under HDF5 that never fails to be written.
 *
 * After a flush that fails, HDF5 keeps the file open and flushes again when
 * the process ends, which crashes it. This driver remembers the first failed
 * write and lets HDF5 finish in peace; whoever wrote looks at `err` then. */
#ifndef HEEDI_HDF5_DRIVER_H
#define HEEDI_HDF5_DRIVER_H

#include <hdf5.h>
#include <heed/ctx.h>
#include <stdbool.h>
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h> /* H5FD_t moved there */
#endif

#include "twin.h"

/* Zero-initialise. */
typedef struct heedi_hdf5_driver {
    H5FD_t pub; /* HDF5's part; first */
    int fd;
    int err; /* errno of the first failure */
    haddr_t eoa, eof;
    hid_t id;      /* under which HDF5 knows the driver */
    heed_ctx *ctx; /* not NULL: note what is written, from the file's opening
                      on; the list is the caller's to free */
    heedi_twin_range *changed;
    size_t n_changed, cap_changed;
    bool changed_all; /* there was no memory for the list */
} heedi_hdf5_driver;

/* A new file at `path`, which is replaced; one that is there, to be changed.
 * `d` must live until it is closed, and is the caller's. Negative on
 * failure. */
hid_t heedi_hdf5_create(heedi_hdf5_driver *d, const char *path);
/* As H5Fclose(). */
herr_t heedi_hdf5_close(heedi_hdf5_driver *d, hid_t file);
hid_t heedi_hdf5_open(heedi_hdf5_driver *d, const char *path);

#endif
