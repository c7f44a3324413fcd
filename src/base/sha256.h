/* sha256.h - FIPS 180-4. */
#ifndef HEEDI_SHA256_H
#define HEEDI_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct heedi_sha256 {
    uint32_t h[8];
    uint64_t len; /* bytes so far */
    unsigned char part[64];
} heedi_sha256;

void heedi_sha256_init(heedi_sha256 *s);
void heedi_sha256_add(heedi_sha256 *s, const void *p, size_t n);
/* 64 hexadecimal digits and a NUL; s is spent. */
void heedi_sha256_hex(heedi_sha256 *s, char hex[65]);

/* The portable code even where the processor has instructions: for tests. */
void heedi_sha256_blocks(uint32_t h[8], const unsigned char *p, size_t n);

#endif
