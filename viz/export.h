/* export.h - what the formats that hold one map write. */
#ifndef HEEDI_EXPORT_H
#define HEEDI_EXPORT_H

#include <heed/result.h>

#include "out.h"

/* The map of a result: relevance of the first explanation, else attention,
 * else the first array of numbers; NULL, with a message (HEED_EINVAL), if
 * there is none. */
const heed_array *heedi_export_map(heed_ctx *ctx, const heed_result *r);

/* An array as .npy: header (a multiple of 64 bytes) and little-endian values;
 * of text, UTF-32 of fixed width. heedi_npy_size() is in bytes. */
size_t heedi_npy_size(const heed_array *a);
void heedi_npy_write(heedi_out *o, const heed_array *a);

/* The same into memory, for a checksum: calls f piece by piece. */
typedef void heedi_bytes_fn(void *ud, const void *p, size_t n);
void heedi_npy_each(const heed_array *a, heedi_bytes_fn *f, void *ud);

#endif
