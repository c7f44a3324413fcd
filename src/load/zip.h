/* zip.h - the files of a zip archive that are stored as they are, as views of
 * a mapped file. */
#ifndef HEEDI_ZIP_H
#define HEEDI_ZIP_H

#include "load.h"

typedef struct heedi_zip_file {
    heedi_str name;           /* not ending in NUL */
    const unsigned char *all; /* from its local header on */
    const unsigned char *p;   /* what is in it: n bytes, checksum not read */
    size_t n;
} heedi_zip_file;

typedef struct heedi_zip {
    heedi_zip_file *file; /* in order of name, which all differ */
    size_t n;
} heedi_zip;

/* No two files share a byte. HEED_EFORMAT; HEED_ENOTSUP, naming the file, if
 * one is compressed or encrypted. */
heed_status heedi_zip_open(heedi_zip *out, heed_ctx *ctx, const char *path,
                           const heedi_map *m);
void heedi_zip_close(heedi_zip *z, heed_ctx *ctx);

/* The file named `folder` and then `name`, or NULL. */
const heedi_zip_file *heedi_zip_find(const heedi_zip *z, const char *folder,
                                     heedi_str name);

#endif
