#include "hdf5_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctx.h"

static heedi_hdf5_driver *of(H5FD_t *f)
{
    return (heedi_hdf5_driver *)f;
}

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t fapl,
                           haddr_t maxaddr)
{
    (void)maxaddr;
    heedi_hdf5_driver *const *info =
        (heedi_hdf5_driver *const *)H5Pget_driver_info(fapl);
    heedi_hdf5_driver *d = *info;
    struct stat st;
    const int how = (flags & H5F_ACC_RDWR ? O_RDWR : O_RDONLY) |
                    (flags & H5F_ACC_CREAT ? O_CREAT : 0) |
                    (flags & H5F_ACC_TRUNC ? O_TRUNC : 0);
    d->pub = (H5FD_t){0};
    d->eoa = d->eof = 0;
    d->err = 0;
    d->fd = open(name, how | O_CLOEXEC, 0666);
    if (d->fd < 0 || fstat(d->fd, &st) != 0) {
        d->err = errno;
        if (d->fd >= 0)
            close(d->fd);
        return NULL;
    }
    d->eof = (haddr_t)st.st_size;
    return &d->pub;
}

static herr_t driver_close(H5FD_t *f)
{
    if (close(of(f)->fd) != 0 && !of(f)->err)
        of(f)->err = errno;
    return 0;
}

static int driver_cmp(const H5FD_t *a, const H5FD_t *b)
{
    return a < b ? -1 : a > b;
}

static herr_t driver_query(const H5FD_t *f, unsigned long *flags)
{
    (void)f;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
             H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t driver_get_eoa(const H5FD_t *f, H5FD_mem_t type)
{
    (void)type;
    return ((const heedi_hdf5_driver *)f)->eoa;
}

static herr_t driver_set_eoa(H5FD_t *f, H5FD_mem_t type, haddr_t addr)
{
    (void)type;
    of(f)->eoa = addr;
    return 0;
}

static haddr_t driver_get_eof(const H5FD_t *f, H5FD_mem_t type)
{
    (void)type;
    return ((const heedi_hdf5_driver *)f)->eof;
}

static herr_t driver_read(H5FD_t *f, H5FD_mem_t type, hid_t dxpl, haddr_t addr,
                          size_t size, void *buffer)
{
    (void)type;
    (void)dxpl;
    char *p = buffer;
    while (size > 0) {
        ssize_t n = pread(of(f)->fd, p, size, (off_t)addr);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0) { /* beyond the end: zeros, as every driver gives */
            memset(p, 0, size);
            return 0;
        }
        p += n;
        addr += (haddr_t)n;
        size -= (size_t)n;
    }
    return 0;
}

/* What a copy of the file must copy again. */
static void note(heedi_hdf5_driver *d, haddr_t addr, size_t size)
{
    heedi_twin_range *last =
        d->n_changed ? &d->changed[d->n_changed - 1] : NULL;
    if (!d->ctx || d->changed_all)
        return;
    if (last && addr >= last->from && addr <= last->to) {
        last->to = addr + size > last->to ? addr + size : last->to;
        return;
    }
    void *grown = heedi_grow(d->ctx, d->changed, &d->cap_changed,
                             d->n_changed + 1, sizeof *d->changed);
    if (!grown) {
        d->changed_all = true;
        return;
    }
    d->changed = grown;
    d->changed[d->n_changed++] = (heedi_twin_range){addr, addr + size};
}

static herr_t driver_write(H5FD_t *f, H5FD_mem_t type, hid_t dxpl, haddr_t addr,
                           size_t size, const void *buffer)
{
    (void)type;
    (void)dxpl;
    const char *p = buffer;
    note(of(f), addr, size);
    if (addr + size > of(f)->eof)
        of(f)->eof = addr + size;
    while (size > 0 && !of(f)->err) {
        ssize_t n = pwrite(of(f)->fd, p, size, (off_t)addr);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            of(f)->err = n < 0 ? errno : EIO;
            break;
        }
        p += n;
        addr += (haddr_t)n;
        size -= (size_t)n;
    }
    return 0;
}

static herr_t driver_truncate(H5FD_t *f, hid_t dxpl, hbool_t closing)
{
    (void)dxpl;
    (void)closing;
    heedi_hdf5_driver *d = of(f);
    if (d->eoa == d->eof)
        return 0;
    if (!d->err && ftruncate(d->fd, (off_t)d->eoa) != 0)
        d->err = errno;
    d->eof = d->eoa;
    return 0;
}

static const H5FD_class_t driver_class = {
#if H5_VERSION_GE(1, 13, 2)
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)600, /* of those free for local use */
#endif
    .name = "heed",
    .maxaddr = ((haddr_t)1 << 62) - 1,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(heedi_hdf5_driver *),
    .open = driver_open,
    .close = driver_close,
    .cmp = driver_cmp,
    .query = driver_query,
    .get_eoa = driver_get_eoa,
    .set_eoa = driver_set_eoa,
    .get_eof = driver_get_eof,
    .read = driver_read,
    .write = driver_write,
    .truncate = driver_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

/* The format of HDF5 1.8 holds attributes of any size, and everything that
 * reads HDF5 today reads it. */
static hid_t open_with(heedi_hdf5_driver *d, const char *path, bool create)
{
    hid_t id = H5FDregister(&driver_class);
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    hid_t fcpl = H5Pcreate(H5P_FILE_CREATE), file = -1;
    d->err = 0;
    bool bad = H5Pset_driver(fapl, id, &d) < 0 ||
               H5Pset_fclose_degree(fapl, H5F_CLOSE_STRONG) < 0 ||
               H5Pset_libver_bounds(fapl, H5F_LIBVER_V18, H5F_LIBVER_V18) < 0 ||
               H5Pset_obj_track_times(fcpl, 0) < 0;
    if (!bad)
        file = create ? H5Fcreate(path, H5F_ACC_TRUNC, fcpl, fapl)
                      : H5Fopen(path, H5F_ACC_RDWR, fapl);
    H5Pclose(fcpl);
    H5Pclose(fapl);
    d->id = id;
    if (file < 0)
        H5FDunregister(id);
    return file;
}

/* Not before: if the file has the last reference, HDF5 calls its driver's
 * close through a table that it has just freed (H5FD_close() of 1.10). */
herr_t heedi_hdf5_close(heedi_hdf5_driver *d, hid_t file)
{
    herr_t st = H5Fclose(file);
    H5FDunregister(d->id);
    return st;
}

hid_t heedi_hdf5_create(heedi_hdf5_driver *d, const char *path)
{
    return open_with(d, path, true);
}

hid_t heedi_hdf5_open(heedi_hdf5_driver *d, const char *path)
{
    return open_with(d, path, false);
}
