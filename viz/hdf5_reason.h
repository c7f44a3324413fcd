/* hdf5_reason.h - what is wrong with a file that HDF5 does not open. */
#ifndef HEEDI_HDF5_REASON_H
#define HEEDI_HDF5_REASON_H

enum { HEEDI_H5_REASON = 120 };

/* "the HDF5 file is cut short: it has 100 of 22789 bytes", into `out`, which is
 * returned. */
const char *heedi_h5_reason(char out[HEEDI_H5_REASON], const char *path);

#endif
