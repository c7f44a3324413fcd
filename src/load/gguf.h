/* gguf.h - a cursor over the head of a GGUF file, and its metadata. */
#ifndef HEEDI_GGUF_H
#define HEEDI_GGUF_H

#include "load.h"

typedef struct heedi_gguf {
    heed_ctx *ctx;
    heedi_arena *mem;
    const char *path;
    const unsigned char *p;
    size_t n, at; /* bytes of the file, read so far */
} heedi_gguf;

/* The next `size` bytes; HEED_EFORMAT if the file ends before. */
heed_status heedi_gguf_take(heedi_gguf *g, size_t size,
                            const unsigned char **out);
heed_status heedi_gguf_u32(heedi_gguf *g, uint32_t *out);
heed_status heedi_gguf_u64(heedi_gguf *g, uint64_t *out);
heed_status heedi_gguf_str(heedi_gguf *g, heedi_str *out);

/* A number of things of `least` bytes or more that are to follow; HEED_EFORMAT
 * if the rest of the file cannot hold them. */
heed_status heedi_gguf_count(heedi_gguf *g, const char *what, size_t least,
                             uint64_t *out);

/* n pairs of key and value, in order of key. */
heed_status heedi_gguf_metadata(heedi_gguf *g, uint64_t n, heedi_value *root);

#endif
