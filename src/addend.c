#include "addend.h"

#include <string.h>

#include "kernel.h"

heed_status heedi_addend_infer(heed_ctx *ctx, heedi_node *y)
{
    if (!y->w || y->w->cols != y->in[0]->cols)
        return heedi_bad_shapes(ctx, y);
    y->cols = y->in[0]->cols;
    return HEED_OK;
}

size_t heedi_addend_scratch(const heedi_node *y, const heedi_batch *b,
                            int threads)
{
    (void)threads;
    return (size_t)(b->rows * y->cols) * sizeof(heed_real);
}

void heedi_addend_forward(const heedi_node *y, heedi_run *run,
                          heedi_addend_at *at)
{
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
    const int64_t c = y->cols;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++)
        for (int64_t r = b->small[k].row; r < b->small[k].row + b->small[k].n;
             r++) {
            heed_real *o = y->x + r * c;
            heedi_weight_row(y->w, at(y, run, b->small[k].seq, r), 0, c, o);
            v->addto((size_t)c, y->in[0]->x + r * c, o);
        }
}

void heedi_addend_share(const heedi_node *y, heedi_run *run,
                        heedi_addend_at *at, heedi_entry entry, double *row)
{
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
    const int64_t c = y->cols;
    heed_real *p = run->scratch;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        run->partial[k] = 0;
        for (int64_t r = b->small[k].row; r < b->small[k].row + b->small[k].n;
             r++) {
            heedi_weight_row(y->w, at(y, run, b->small[k].seq, r), 0, c,
                             p + r * c);
            double x = v->dot((size_t)c, p + r * c, y->g + r * c);
            run->partial[k] += x;
            if (row)
                row[r] += x;
        }
    }
    for (int64_t k = 0; k < b->n_small; k++)
        heedi_deposit(run->ledger, b->small[k].seq, y->id, entry,
                      run->partial[k]);
}

void heedi_addend_positive(const heedi_node *y, const heedi_run *run,
                           double *plus)
{
    const heed_real *p = run->scratch;
    const int64_t c = y->cols;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < run->batch->rows; r++)
        for (int64_t i = r * c; i < (r + 1) * c; i++) {
            const double x = (double)p[i] * (double)y->g[i];
            plus[r] += x > 0 ? x : 0;
        }
}

void heedi_addend_pass(const heedi_node *y, const heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        int64_t o = b->small[k].row * y->cols, n = b->small[k].n * y->cols;
        if (y->first[0])
            memcpy(y->in[0]->g + o, y->g + o, (size_t)n * sizeof *y->g);
        else
            v->addto((size_t)n, y->g + o, y->in[0]->g + o);
    }
}
