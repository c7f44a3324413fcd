/* gemm.h - products with a matrix on disk.
 *
 * A panel of the weight is decoded into a buffer and multiplied with
 * single-threaded OpenBLAS calls of fixed shape: one for each tile of rows and
 * block of columns. */
#ifndef HEEDI_GEMM_H
#define HEEDI_GEMM_H

#include "op.h"

/* Bytes of buffers for `threads` threads, for products with w. */
size_t heedi_gemm_scratch(const heedi_weight *w, int threads);

/* y = x Wᵀ (+ bias): x (rows, w->cols), y (rows, w->rows). */
void heedi_gemm(const heedi_run *run, const heedi_weight *w,
                const heed_real *bias, const heed_real *x, heed_real *y);

/* The same without a bias; y += x Wᵀ unless `assign`. */
void heedi_gemm_add(const heedi_run *run, const heedi_weight *w,
                    const heed_real *x, heed_real *y, bool assign);

/* gx += gy W, or gx = gy W if `assign`: gy (rows, w->rows). */
void heedi_gemm_back(const heedi_run *run, const heedi_weight *w,
                     const heed_real *gy, heed_real *gx, bool assign);

/* The same with a block-diagonal matrix, of which w is the blocks, one below
 * the other: x and gx (rows, blocks w->cols), y and gy (rows, w->rows). */
void heedi_gemm_blocks_add(const heedi_run *run, const heedi_weight *w,
                           int64_t blocks, const heed_real *x, heed_real *y,
                           bool assign);
void heedi_gemm_blocks_back(const heedi_run *run, const heedi_weight *w,
                            int64_t blocks, const heed_real *gy, heed_real *gx,
                            bool assign);

/* C = alpha op(A) op(B) + beta C, one thread; see cblas_sgemm. */
void heedi_blas(bool ta, bool tb, int64_t m, int64_t n, int64_t k,
                heed_real alpha, const heed_real *a, int64_t lda,
                const heed_real *b, int64_t ldb, heed_real beta, heed_real *c,
                int64_t ldc);

#endif
