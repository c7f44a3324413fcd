/* file.h - results to files and back to text. */
#ifndef HEED_FILE_H
#define HEED_FILE_H

#include <heed/result.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct heed_format_info {
    const char *name;      /* "hdf5": also the name of its source file */
    const char *extension; /* ".h5"; several are separated by spaces */
    const char *summary;   /* one line */
    int streams; /* 1: slabs go to the file as they come; 0: kept in memory
                    until the end */
    int reads;   /* 1: heed_read() reads it, too */
    uint64_t memory,
        memory_more; /* bytes that writing a file takes beside the
                        result; each further one at the same time */
} heed_format_info;

/* i-th format of this build in name order, or NULL if i is out of range.
 * Static storage. Cannot fail. */
HEED_API const heed_format_info *heed_format_at(int i);

/* The format that heed_file_open() would take, or NULL if it would find none.
 * Static storage. Cannot fail. */
HEED_API const heed_format_info *heed_format_of(const char *path,
                                                const char *format);

/* A file that is being written: PATH.part until heed_file_close() renames it,
 * so that a call that fails leaves what was there before. */
typedef struct heed_file heed_file;

/* Start a file.
 *   format  NULL: by the extension of path
 *   path    "-" for standard output, where the format can
 *   force   0: an existing file is HEED_EOUTPUT
 * Returns HEED_ENOTSUP if this build has no such format, HEED_EOUTPUT,
 * HEED_ENOMEM. */
HEED_API HEED_NODISCARD heed_status heed_file_open(heed_file **out,
                                                   heed_ctx *ctx,
                                                   const char *path,
                                                   const char *format,
                                                   int force);
/* Valid until the file is closed. Cannot fail. */
HEED_API heed_sink heed_file_sink(heed_file *f);

/* Finish and rename; f is freed whatever happens. HEED_EOUTPUT. */
HEED_API HEED_NODISCARD heed_status heed_file_close(heed_file *f);

/* Give up: the unfinished file is removed and f freed. NULL is allowed. */
HEED_API void heed_file_abort(heed_file *f);

/* A whole result into one file. */
HEED_API HEED_NODISCARD heed_status heed_write(heed_ctx *ctx, const char *path,
                                               const char *format, int force,
                                               const heed_result *r);

/* A file back into memory: the arrays and attributes that were written.
 *   out   owned by the caller; NULL on failure
 *   path  its format is told by the extension
 * Returns HEED_EIO, HEED_EFORMAT (damaged, no result of heed), HEED_ENOTSUP (a
 * format that is not read by this build, a version of a later one),
 * HEED_ENOMEM. */
HEED_API HEED_NODISCARD heed_status heed_read(heed_result **out, heed_ctx *ctx,
                                              const char *path);

/* The same into any sink; numbers come in slabs of at most 4 MiB, or of one
 * row of an array if that is larger. After a failure the sink may have got a
 * part of the file. Besides the above, what the sink returns. */
HEED_API HEED_NODISCARD heed_status heed_read_into(heed_ctx *ctx,
                                                   const char *path,
                                                   const heed_sink *to);

/* For a program that does not use HDF5 itself: its library says nothing on
 * stderr from now on, in this thread. Heed's own calls never let it; but when a
 * process ends after it has read a damaged file, HDF5 1.10 tells that it cannot
 * close what it left open. Cannot fail. */
HEED_API void heed_quiet_files(void);

#ifdef __cplusplus
}
#endif
#endif
