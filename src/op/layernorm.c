#include "args.h"
#include "choices.h"
#include "kernel.h"
#include "op.h"
#include "threads.h"

#include <math.h>

/* y = w (x - mean) / s + beta, s = sqrt(var + eps) with the biased variance.
 * The vector is the gain w. Relevance holds s constant and the mean live:
 * gx = P(w g / s), P(v) = v - mean v; the shift keeps <beta, g>. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    if (!y->vec || !y->args || y->n_vec != y->in[0]->cols)
        return heedi_bad_shapes(ctx, y);
    y->cols = y->in[0]->cols;
    return HEED_OK;
}

/* 1/s and the mean of each row */
static size_t saved(const heedi_node *y, const heedi_batch *b)
{
    (void)y;
    return (size_t)b->rows * 2 * sizeof(heed_real);
}

static void forward(const heedi_node *y, heedi_run *run)
{
    const heedi_layernorm_args *a = y->args;
    const heedi_batch *b = run->batch;
    const int64_t c = y->cols;
    heed_real *keep = y->saved;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < b->rows; r++) {
        const heed_real *x = y->in[0]->x + r * c;
        heed_real *o = y->x + r * c;
        double mean = 0, var = 0;
        for (int64_t i = 0; i < c; i++)
            mean += (double)x[i];
        mean /= (double)c;
        for (int64_t i = 0; i < c; i++)
            var += ((double)x[i] - mean) * ((double)x[i] - mean);
        const double inv = 1 / sqrt(var / (double)c + a->eps);
        for (int64_t i = 0; i < c; i++)
            o[i] = (heed_real)(((double)x[i] - mean) * inv * (double)y->vec[i] +
                               (a->beta ? (double)a->beta[i] : 0));
        if (keep) {
            keep[2 * r] = (heed_real)inv;
            keep[2 * r + 1] = (heed_real)mean;
        }
    }
}

/* v = w g / s; gx += v - mean v - full * xhat mean(xhat v). In double, as the
 * forward pass is: a rule that divides by a small value of y hands back a large
 * g, which the mean spreads over all others. */
static void back(const heedi_node *y, const heedi_run *run, bool full)
{
    const heedi_batch *b = run->batch;
    const int64_t c = y->cols;
    const double n = (double)c;
    const heed_real *keep = y->saved;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < b->rows; r++) {
        const heed_real *x = y->in[0]->x + r * c, *g = y->g + r * c;
        heed_real *gx = y->in[0]->g + r * c;
        const double inv = (double)keep[2 * r], mu = (double)keep[2 * r + 1];
        double mean = 0, along = 0;
        for (int64_t i = 0; i < c; i++)
            mean += (double)y->vec[i] * (double)g[i];
        for (int64_t i = 0; full && i < c; i++)
            along +=
                ((double)x[i] - mu) * inv * (double)y->vec[i] * (double)g[i];
        mean /= n;
        along /= n;
        for (int64_t i = 0; i < c; i++) {
            const double v = (double)y->vec[i] * (double)g[i] - mean;
            const double w = full ? ((double)x[i] - mu) * inv * along : 0;
            gx[i] += (heed_real)(inv * (v - w));
        }
    }
}

static void deposit(const heedi_node *y, heedi_run *run)
{
    const heedi_layernorm_args *a = y->args;
    heedi_ledger *l = run->ledger;
    if (a->beta && l)
        heedi_dot_vector(run, a->beta, y->g, y->cols,
                         l->sink + y->id * HEEDI_N_ENTRIES + HEEDI_ENTRY_beta,
                         (int64_t)l->n_ops * HEEDI_N_ENTRIES);
}

/* The mean is constant too: gx = w g / s, and <w mean / s, g> is lost. */
void heedi_layernorm_constant(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const int64_t c = y->cols;
    const heed_real *keep = y->saved;
    deposit(y, run);
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        run->partial[k] = 0;
        for (int64_t r = b->small[k].row; r < b->small[k].row + b->small[k].n;
             r++) {
            const double inv = (double)keep[2 * r],
                         mu = (double)keep[2 * r + 1];
            for (int64_t i = r * c; i < (r + 1) * c; i++) {
                const double v =
                    inv * (double)y->vec[i - r * c] * (double)y->g[i];
                y->in[0]->g[i] += (heed_real)v;
                run->partial[k] -= mu * v;
            }
        }
    }
    for (int64_t k = 0; run->ledger && k < b->n_small; k++)
        heedi_deposit(run->ledger, b->small[k].seq, y->id, HEEDI_ENTRY_leak,
                      run->partial[k]);
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    back(y, run, true);
}

static void relevance(const heedi_node *y, heedi_run *run)
{
    deposit(y, run);
    back(y, run, false);
}

static const heed_real shift[9] = {
    (heed_real)0.3, (heed_real)-0.5, (heed_real)0.2, (heed_real)0.9, 0,
    (heed_real)-1,  (heed_real)0.1,  (heed_real)0.4, (heed_real)-0.2};
static const heedi_layernorm_args shifted = {1e-5, shift}, plain = {1e-5, NULL};

const heedi_op heedi_op_layernorm = {
    .name = "layernorm",
    .formula = "y = w (x - mean x) / sqrt(var x + eps) + beta",
    .rule = "g_x = P(w g / s), s constant, mean live; the shift keeps beta",
    .n_in = 1,
    .conserves = true,
    .vjp_needs = HEEDI_IN0,
    .relevance_needs = HEEDI_IN0,
    .examples =
        (const heedi_example[]){
            {.in = {9}, .n_vec = 9, .args = &shifted},
            {.in = {7}, .n_vec = 7, .args = &plain},
            {.in = {0}},
        },
    .refused =
        (const heedi_example[]){
            {.in = {9}, .n_vec = 8, .args = &shifted},
            {.in = {9}, .args = &plain},
            {.in = {0}},
        },
    .infer = infer,
    .saved = saved,
    .forward = forward,
    .vjp = vjp,
    .relevance = relevance,
};
