/* dtype.h - number types of weights on disk, and typed views. */
#ifndef HEEDI_DTYPE_H
#define HEEDI_DTYPE_H

#include <heed/real.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* n numbers, n a multiple of the block. */
typedef void heedi_decode_fn(heed_real *restrict out, const void *restrict in,
                             size_t n);

typedef struct heedi_dtype {
    const char *name;        /* lower case: "f32", "bf16", "q4_1" */
    const char *safetensors; /* "F32", or NULL: not in that format */
    int gguf;                /* ggml type number; -1: not in that format */
    int block, bytes;        /* numbers in a block, bytes that hold them */
    bool is_float;           /* false: an index or mask, never decoded */
    int decode; /* index of its kernel in heedi_kernels.decode; see kernel.h */
} heedi_dtype;

extern const heedi_dtype heedi_dtypes[]; /* ends at name == NULL */

/* Decode n numbers from the start of a block. Any thread. */
void heedi_dtype_decode(const heedi_dtype *t, heed_real *out, const void *in,
                        size_t n);

/* The entries of a matrix as a product sees them: all, the positive or the
 * negative ones (the others are 0), absolute values, squares, or 1 each. */
typedef enum heedi_part {
    HEEDI_ALL,
    HEEDI_POSITIVE,
    HEEDI_NEGATIVE,
    HEEDI_ABSOLUTE,
    HEEDI_SQUARED,
    HEEDI_ONES
} heedi_part;

/* Apply a part to n decoded numbers. */
void heedi_part_of(heedi_part part, heed_real *x, int64_t n);

/* A matrix on disk: `rows` rows of `cols` numbers, (out, in) as in y = W x. A
 * vector is one row. Owns nothing. */
typedef struct heedi_weight {
    const char *name; /* in the checkpoint */
    const heedi_dtype *dtype;
    const unsigned char *data;
    int64_t rows, cols;
    size_t stride;    /* bytes from one row to the next */
    bool transposed;  /* rows are inputs, (in, out): GPT-2's Conv1D */
    heedi_part part;  /* of its entries */
    heed_real factor; /* of its entries, a power of two; 0: 1 */
    int64_t run;      /* rows lie in runs of so many; 0: all in one */
    size_t skip;      /* bytes from the start of a run to that of the next */
} heedi_weight;

/* Rows r0 ... r0+n-1 of w, which is no view of runs: a part of a fused matrix.
 */
heedi_weight heedi_weight_rows(const heedi_weight *w, int64_t r0, int64_t n);

/* Rows r0 ... r0+run-1 of every `step` rows of w, likewise: the queries of all
 * heads, where the rows of a head are q | k | v. */
heedi_weight heedi_weight_runs(const heedi_weight *w, int64_t r0, int64_t run,
                               int64_t step);

/* Outputs o0 ... o0+n-1 of w, in either orientation; transposed, only of
 * dtypes whose block is one number. */
heedi_weight heedi_weight_outputs(const heedi_weight *w, int64_t o0, int64_t n);

/* Columns c0 ... c0+n-1 of row r, decoded to out; c0 and n multiples of the
 * block (n may end at cols). */
void heedi_weight_row(const heedi_weight *w, int64_t r, int64_t c0, int64_t n,
                      heed_real *out);

#endif
