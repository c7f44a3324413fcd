#include "standardise.h"

#include <math.h>

#include "threads.h"

size_t heedi_standardise_saved(const heedi_batch *b, int64_t groups)
{
    return (size_t)(b->rows * groups) * 2 * sizeof(heed_real);
}

void heedi_standardise(const heedi_node *y, const heedi_run *run,
                       const heedi_groupnorm_args *a)
{
    const int64_t n = a->groups, c = y->cols / n;
    heed_real *keep = y->saved;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < run->batch->rows * n; r++) {
        const heed_real *x = y->in[0]->x + r * c, *w = y->vec + r % n * c;
        const heed_real *beta = a->beta ? a->beta + r % n * c : NULL;
        heed_real *o = y->x + r * c;
        double mean = 0, var = 0;
        for (int64_t i = 0; i < c; i++)
            mean += (double)x[i];
        mean /= (double)c;
        for (int64_t i = 0; i < c; i++)
            var += ((double)x[i] - mean) * ((double)x[i] - mean);
        const heed_real inv = (heed_real)(1 / sqrt(var / (double)c + a->eps));
        const heed_real mu = (heed_real)mean;
        for (int64_t i = 0; i < c; i++)
            o[i] = (x[i] - mu) * inv * w[i] + (beta ? beta[i] : 0);
        if (keep) {
            keep[2 * r] = inv;
            keep[2 * r + 1] = mu;
        }
    }
}

/* v = w g / s; gx += v - mean v - full * xhat mean(xhat v) */
void heedi_standardise_back(const heedi_node *y, const heedi_run *run,
                            int64_t groups, bool full)
{
    const int64_t c = y->cols / groups;
    const heed_real *keep = y->saved;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < run->batch->rows * groups; r++) {
        const heed_real *x = y->in[0]->x + r * c, *g = y->g + r * c;
        const heed_real *w = y->vec + r % groups * c;
        heed_real *gx = y->in[0]->g + r * c;
        const heed_real inv = keep[2 * r], mu = keep[2 * r + 1];
        double mean = 0, along = 0;
        for (int64_t i = 0; i < c; i++)
            mean += (double)(w[i] * g[i]);
        mean /= (double)c;
        for (int64_t i = 0; full && i < c; i++)
            along += (double)((x[i] - mu) * inv * w[i] * g[i]);
        along /= (double)c;
        const heed_real m = (heed_real)mean, k = (heed_real)along;
        for (int64_t i = 0; i < c; i++)
            gx[i] +=
                inv * (w[i] * g[i] - m - (full ? (x[i] - mu) * inv * k : 0));
    }
}

void heedi_standardise_deposit(const heedi_node *y, heedi_run *run,
                               const heed_real *beta)
{
    heedi_ledger *l = run->ledger;
    if (beta && l)
        heedi_dot_vector(run, beta, y->g, y->cols,
                         l->sink + y->id * HEEDI_N_ENTRIES + HEEDI_ENTRY_beta,
                         (int64_t)l->n_ops * HEEDI_N_ENTRIES);
}
