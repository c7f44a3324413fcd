/* hdf5_rows.h - datasets that grow by the rows of one input after the other.
 *
 * What has another length in each input lies along one of four axes, flat: the
 * tokens of all inputs, their targets, and the (target, token) pairs. */
#ifndef HEEDI_HDF5_ROWS_H
#define HEEDI_HDF5_ROWS_H

#include "hdf5_file.h"

typedef enum heedi_axis {
    HEEDI_SAMPLES, /* inputs */
    HEEDI_TOKENS,
    HEEDI_TARGETS,
    HEEDI_MAPS, /* tokens of each target */
    HEEDI_N_AXES
} heedi_axis;

/* Of each axis: how long the file is, and how many rows the input adds. */
typedef struct heedi_h5_rows {
    heedi_h5 *h;
    int64_t before[HEEDI_N_AXES], now[HEEDI_N_AXES];
    const heed_result *values; /* a group has coordinates of its
                                  dimensions, or the root */
} heedi_h5_rows;

/* A dataset as the input sees it: dimension `at` of v is the axis and has the
 * length of this input; the name of that dimension is not read. */
typedef struct heedi_h5_block {
    heed_var v;
    heedi_axis axis;
    int at;
} heedi_h5_block;

/* 0 for an axis that the file does not have. Negative on failure. */
int64_t heedi_rows_count(const heedi_h5 *h, heedi_axis axis);

/* The axes grow. */
heed_status heedi_rows_begin(heedi_h5_rows *r);
/* The dataset, made or grown; H5Dclose() it. */
heed_status heedi_rows_open(heedi_h5_rows *r, const heedi_h5_block *b,
                            hid_t *id);
/* `n` rows from `from` on of this input. */
heed_status heedi_rows_write(heedi_h5_rows *r, const heedi_h5_block *b,
                             hid_t id, int64_t from, int64_t n,
                             const void *data);
/* Both, for all rows. */
heed_status heedi_rows_put(heedi_h5_rows *r, const heedi_h5_block *b,
                           const void *data);
/* An array that is the same for all inputs: written once. */
heed_status heedi_rows_once(heedi_h5_rows *r, const heed_var *v,
                            const void *data);
/* What this input does not have grows, too. */
heed_status heedi_rows_end(heedi_h5_rows *r);

#endif
