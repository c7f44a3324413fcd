#include "hdf5_reason.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The superblock, the first bytes of a file: its version, the size of
 * addresses, and among these the address of the end (HDF5 File Format
 * Specification, II.A). */
static const unsigned char signature[8] = {0x89, 'H',  'D',  'F',
                                           '\r', '\n', 0x1a, '\n'};
static const struct {
    size_t size_at, end_at; /* where addresses begin, two before the end's */
} version[] = {{13, 24}, {13, 28}, {9, 12}, {9, 12}};
enum { MOST_HEAD = 64 };

/* Bytes that the file should have; 0: the head is too short to say. */
static uint64_t end_of(const unsigned char *p, size_t n, bool *known)
{
    const size_t versions = sizeof version / sizeof *version;
    const size_t v = n > sizeof signature ? p[sizeof signature] : 0;
    *known = v < versions;
    if (!*known || n <= version[v].size_at)
        return 0;
    const size_t size = p[version[v].size_at];
    const size_t at = version[v].end_at + 2 * size;
    *known = size == 2 || size == 4 || size == 8;
    uint64_t end = 0;
    for (size_t i = size; *known && at + size <= n && i > 0; i--)
        end = end << 8 | p[at + i - 1];
    return end;
}

const char *heedi_h5_reason(char out[HEEDI_H5_REASON], const char *path)
{
    static const char *const none = "no HDF5 file";
    unsigned char head[MOST_HEAD];
    struct stat s;
    bool known;
    FILE *f = fopen(path, "rb");
    if (!f || fstat(fileno(f), &s) != 0) {
        if (f)
            fclose(f);
        return strcpy(out, "cannot be opened");
    }
    const size_t n = fread(head, 1, sizeof head, f);
    const size_t same = n < sizeof signature ? n : sizeof signature;
    fclose(f);
    if (n == 0)
        return strcpy(out, "the file is empty");
    if (memcmp(head, signature, same) != 0)
        return strcpy(out, none);
    const uint64_t end = end_of(head, n, &known), size = (uint64_t)s.st_size;
    if (known && end == 0 && n < sizeof head)
        snprintf(out, HEEDI_H5_REASON,
                 "the HDF5 file is cut short: %llu bytes are left of it",
                 (unsigned long long)size);
    else if (known && end > size)
        snprintf(out, HEEDI_H5_REASON,
                 "the HDF5 file is cut short: it has %llu of %llu bytes",
                 (unsigned long long)size, (unsigned long long)end);
    else
        strcpy(out, "the HDF5 file is damaged, or another program has it open "
                    "for writing");
    return out;
}
