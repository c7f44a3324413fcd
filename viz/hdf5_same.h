/* hdf5_same.h - attributes that must be what they were. */
#ifndef HEEDI_HDF5_SAME_H
#define HEEDI_HDF5_SAME_H

#include "hdf5_file.h"

/* Written if the group has none of that name; else HEED_EINVAL if it has
 * another value. */
heed_status heedi_h5_keep_attr(heedi_h5 *h, const char *group, const char *key,
                               heed_attr v);

#endif
