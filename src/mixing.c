#include "mixing.h"

#include <omp.h>
#include <string.h>

#include "gemm.h"

int64_t heedi_mixing_width(const heedi_node *y)
{
    return y->cols / y->op->mixing->heads(y);
}

const char *heedi_mixing_direction(const heedi_node *y)
{
    const heedi_mixing *m = y->op->mixing;
    return m->direction ? m->direction(y) : "forward";
}

int64_t heedi_mixing_column(const heedi_node *y, int64_t d)
{
    const heedi_node *v = y->in[y->op->mixing->operand];
    const int64_t w = heedi_mixing_width(y);
    return d / w / (y->cols / v->cols) * w + d % w;
}

size_t heedi_mixing_scratch(const heedi_node *y, const heedi_batch *b,
                            int threads)
{
    const heedi_mixing *m = y->op->mixing;
    if (m->transpose && m->apply)
        return 0;
    return (size_t)threads * (size_t)(HEEDI_SMALL_TILE * b->longest) *
           sizeof(heed_real);
}

static heed_real *tile_of(const heedi_batch *b, void *scratch)
{
    return (heed_real *)scratch +
           omp_get_thread_num() * HEEDI_SMALL_TILE * b->longest;
}

/* Of one part of the operand: the heads that read it, row after row. */
static void transpose_part(const heedi_node *y, const heedi_run *run,
                           int64_t seq, int64_t part, const heed_real *g,
                           heed_real *gv, heed_real *m)
{
    const heedi_node *v = y->in[y->op->mixing->operand];
    const int64_t w = heedi_mixing_width(y), heads = y->cols / w;
    const int64_t each = y->cols / v->cols, len = heedi_len(run->batch, seq);
    const int64_t row0 = run->batch->start[seq];
    heed_real *to = gv + row0 * v->cols + part * w;
    for (int64_t c = 0; c < len; c++)
        memset(to + c * v->cols, 0, (size_t)w * sizeof *to);
    for (int64_t h = part * each; h < (part + 1) * each && h < heads; h++)
        for (int64_t q = 0; q < len; q += HEEDI_SMALL_TILE) {
            const int64_t n =
                len - q < HEEDI_SMALL_TILE ? len - q : HEEDI_SMALL_TILE;
            const heedi_view view = {
                .seq = seq, .head = h, .q0 = q, .nq = n, .out = m};
            y->op->mixing->rows(y, run, &view);
            heedi_blas(true, false, len, w, n, 1, m, len,
                       g + (row0 + q) * y->cols + h * w, y->cols, 1, to,
                       v->cols);
        }
}

void heedi_mixing_transpose(const heedi_node *y, const heedi_run *run,
                            const heed_real *g, heed_real *gv, void *scratch)
{
    const heedi_node *v = y->in[y->op->mixing->operand];
    const int64_t parts = v->cols / heedi_mixing_width(y);
    if (y->op->mixing->transpose) {
        y->op->mixing->transpose(y, run, g, gv);
        return;
    }
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < run->batch->n_seq; seq++)
        for (int64_t part = 0; part < parts; part++)
            transpose_part(y, run, seq, part, g, gv,
                           tile_of(run->batch, scratch));
}

void heedi_mixing_apply(const heedi_node *y, const heedi_run *run,
                        const heed_real *x, heed_real *out, void *scratch)
{
    const heedi_node *v = y->in[y->op->mixing->operand];
    const heedi_batch *b = run->batch;
    const int64_t w = heedi_mixing_width(y), heads = y->cols / w;
    if (y->op->mixing->apply) {
        y->op->mixing->apply(y, run, x, out);
        return;
    }
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t k = 0; k < b->n_small; k++) {
        const heedi_tile t = b->small[k];
        const int64_t row0 = b->start[t.seq], len = heedi_len(b, t.seq);
        heed_real *m = tile_of(b, scratch);
        for (int64_t h = 0; h < heads; h++) {
            const heedi_view view = {.seq = t.seq,
                                     .head = h,
                                     .q0 = t.row - row0,
                                     .nq = t.n,
                                     .out = m};
            y->op->mixing->rows(y, run, &view);
            heedi_blas(false, false, t.n, w, len, 1, m, len,
                       x + row0 * v->cols + heedi_mixing_column(y, h * w),
                       v->cols, 0, out + t.row * y->cols + h * w, y->cols);
        }
    }
}
