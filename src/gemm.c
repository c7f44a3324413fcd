#include "gemm.h"

#include <cblas.h>
#include <omp.h>
#include <string.h>

/* Weight rows of a forward panel; of a backward panel, columns, and weight
 * rows decoded at a time. All multiples of every block size in use. */
enum { PANEL = 256, BACK_COLS = 256, BACK_ROWS = 256 };

void heedi_blas(bool ta, bool tb, int64_t m, int64_t n, int64_t k,
                heed_real alpha, const heed_real *a, int64_t lda,
                const heed_real *b, int64_t ldb, heed_real beta, heed_real *c,
                int64_t ldc)
{
    enum CBLAS_TRANSPOSE fa = ta ? CblasTrans : CblasNoTrans,
                         fb = tb ? CblasTrans : CblasNoTrans;
    if (sizeof alpha == sizeof(float))
        cblas_sgemm(CblasRowMajor, fa, fb, (int)m, (int)n, (int)k, (float)alpha,
                    (const float *)(const void *)a, (int)lda,
                    (const float *)(const void *)b, (int)ldb, (float)beta,
                    (float *)(void *)c, (int)ldc);
    else
        cblas_dgemm(CblasRowMajor, fa, fb, (int)m, (int)n, (int)k,
                    (double)alpha, (const double *)(const void *)a, (int)lda,
                    (const double *)(const void *)b, (int)ldb, (double)beta,
                    (double *)(void *)c, (int)ldc);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

size_t heedi_gemm_scratch(const heedi_weight *w, int threads)
{
    size_t forward = (size_t)PANEL * (size_t)w->cols;
    size_t back = (size_t)BACK_COLS * BACK_ROWS;
    return (size_t)threads * (forward > back ? forward : back) *
           sizeof(heed_real);
}

/* A matrix of heed_real in one piece needs no decoding. */
static bool is_plain(const heedi_weight *w)
{
    return w->part == HEEDI_ALL && w->factor == 0 && w->run == 0 &&
           strcmp(w->dtype->name, sizeof(heed_real) == 4 ? "f32" : "f64") ==
               0 &&
           w->stride % sizeof(heed_real) == 0 &&
           (size_t)w->data % sizeof(heed_real) == 0;
}

/* A task is a panel of weight rows and some of the row tiles. Few panels are
 * shared out by tiles too, so that there is work for every thread; the cut
 * does not change what a single product is. Panels do not cross blocks. */
static void product(const heedi_run *run, const heedi_weight *w, int64_t blocks,
                    const heed_real *bias, const heed_real *x, heed_real *y,
                    bool add)
{
    const heedi_batch *b = run->batch;
    const bool plain = is_plain(w);
    const int64_t n = w->rows / blocks, k = w->cols;
    const int64_t each = (n + PANEL - 1) / PANEL, panels = blocks * each;
    const int64_t want = (4 * run->threads + panels - 1) / panels;
    const int64_t parts = least(want, b->n_tiles);
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t p = 0; p < panels; p++)
        for (int64_t part = 0; part < parts; part++) {
            heed_real *panel = (heed_real *)run->scratch +
                               (size_t)omp_get_thread_num() * PANEL * (size_t)k;
            const int64_t in = p / each * k, at = p % each * PANEL;
            const int64_t r0 = p / each * n + at, m = least(PANEL, n - at);
            const heed_real *wp = panel;
            int64_t ldw = k;
            if (plain) {
                wp = (const heed_real *)(const void *)(w->data +
                                                       (size_t)r0 * w->stride);
                ldw = (int64_t)(w->stride / sizeof *wp);
            } else {
                for (int64_t r = 0; r < m; r++)
                    heedi_weight_row(w, r0 + r, 0, k, panel + r * k);
            }
            for (int64_t i = part * b->n_tiles / parts;
                 i < (part + 1) * b->n_tiles / parts; i++) {
                const heedi_tile t = b->tile[i];
                heed_real *out = y + t.row * w->rows + r0;
                for (int64_t r = 0; bias && r < t.n; r++)
                    memcpy(out + r * w->rows, bias + r0,
                           (size_t)m * sizeof *out);
                heedi_blas(false, true, t.n, m, k, 1,
                           x + t.row * blocks * k + in, blocks * k, wp, ldw,
                           bias || add ? 1 : 0, out, w->rows);
            }
        }
}

void heedi_gemm(const heedi_run *run, const heedi_weight *w,
                const heed_real *bias, const heed_real *x, heed_real *y)
{
    product(run, w, 1, bias, x, y, false);
}

void heedi_gemm_add(const heedi_run *run, const heedi_weight *w,
                    const heed_real *x, heed_real *y, bool assign)
{
    product(run, w, 1, NULL, x, y, !assign);
}

void heedi_gemm_blocks_add(const heedi_run *run, const heedi_weight *w,
                           int64_t blocks, const heed_real *x, heed_real *y,
                           bool assign)
{
    product(run, w, blocks, NULL, x, y, !assign);
}

/* A task is a block of columns of gx and some of the row tiles; the sum over
 * weight rows is cut at fixed places. */
void heedi_gemm_blocks_back(const heedi_run *run, const heedi_weight *w,
                            int64_t blocks, const heed_real *gy, heed_real *gx,
                            bool assign)
{
    const heedi_batch *b = run->batch;
    const bool plain = is_plain(w);
    const int64_t n = w->rows / blocks, k = w->cols;
    const int64_t each = (k + BACK_COLS - 1) / BACK_COLS;
    const int64_t panels = blocks * each;
    const int64_t want = (4 * run->threads + panels - 1) / panels;
    const int64_t parts = least(want, b->n_tiles);
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t p = 0; p < panels; p++)
        for (int64_t part = 0; part < parts; part++) {
            heed_real *panel =
                (heed_real *)run->scratch +
                (size_t)omp_get_thread_num() * BACK_COLS * BACK_ROWS;
            const int64_t c0 = p % each * BACK_COLS;
            const int64_t m = least(BACK_COLS, k - c0), first = p / each * n;
            for (int64_t r0 = first; r0 < first + n; r0 += BACK_ROWS) {
                const int64_t h = least(BACK_ROWS, first + n - r0);
                const heed_real *wp = panel;
                int64_t ldw = m;
                if (plain) {
                    wp = (const heed_real *)(const void *)(w->data +
                                                           (size_t)r0 *
                                                               w->stride) +
                         c0;
                    ldw = (int64_t)(w->stride / sizeof *wp);
                } else {
                    for (int64_t r = 0; r < h; r++)
                        heedi_weight_row(w, r0 + r, c0, m, panel + r * m);
                }
                for (int64_t i = part * b->n_tiles / parts;
                     i < (part + 1) * b->n_tiles / parts; i++) {
                    const heedi_tile t = b->tile[i];
                    heedi_blas(
                        false, false, t.n, m, h, 1, gy + t.row * w->rows + r0,
                        w->rows, wp, ldw, assign && r0 == first ? 0 : 1,
                        gx + (t.row * blocks + p / each) * k + c0, blocks * k);
                }
            }
        }
}

void heedi_gemm_back(const heedi_run *run, const heedi_weight *w,
                     const heed_real *gy, heed_real *gx, bool assign)
{
    heedi_gemm_blocks_back(run, w, 1, gy, gx, assign);
}
