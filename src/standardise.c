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
        const double inv = 1 / sqrt(var / (double)c + a->eps);
        for (int64_t i = 0; i < c; i++)
            o[i] = (heed_real)(((double)x[i] - mean) * inv * (double)w[i] +
                               (beta ? (double)beta[i] : 0));
        if (keep) {
            keep[2 * r] = (heed_real)inv;
            keep[2 * r + 1] = (heed_real)mean;
        }
    }
}

/* v = w g / s; gx += v - mean v - full * xhat mean(xhat v). In double, as the
 * forward pass is: a rule that divides by a small value of y hands back a large
 * g, which the mean spreads over all others. */
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
        const double inv = (double)keep[2 * r], mu = (double)keep[2 * r + 1];
        double mean = 0, along = 0;
        for (int64_t i = 0; i < c; i++)
            mean += (double)w[i] * (double)g[i];
        for (int64_t i = 0; full && i < c; i++)
            along += ((double)x[i] - mu) * inv * (double)w[i] * (double)g[i];
        mean /= (double)c;
        along /= (double)c;
        for (int64_t i = 0; i < c; i++) {
            const double v = (double)w[i] * (double)g[i] - mean;
            const double t = full ? ((double)x[i] - mu) * inv * along : 0;
            gx[i] += (heed_real)(inv * (v - t));
        }
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
