/* hdf5_corpus.h - one input more in a file of many. */
#ifndef HEEDI_HDF5_CORPUS_H
#define HEEDI_HDF5_CORPUS_H

#include "hdf5_file.h"

/* Attributes of the root of a new file. */
heed_status heedi_corpus_begin(heedi_h5 *h, const heed_result *run);
/* HEED_EOUTPUT, with the first attribute of `run` that the file has not or has
 * with another value. */
heed_status heedi_corpus_same(heedi_h5 *h, const heed_result *run);
/* Inputs in the file; negative if it is none of many. */
int64_t heedi_corpus_count(const heedi_h5 *h);
heed_status heedi_corpus_append(heedi_h5 *h, const heed_result *r,
                                bool several);

#endif
