#include "choices.h"
#include "standardise.h"
#include "threads.h"

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

static size_t saved(const heedi_node *y, const heedi_batch *b)
{
    (void)y;
    return heedi_standardise_saved(b, 1);
}

static void forward(const heedi_node *y, heedi_run *run)
{
    const heedi_layernorm_args *a = y->args;
    const heedi_groupnorm_args whole = {1, a->eps, a->beta};
    heedi_standardise(y, run, &whole);
}

/* The mean is constant too: gx = w g / s, and <w mean / s, g> is lost. */
void heedi_layernorm_constant(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const int64_t c = y->cols;
    const heed_real *keep = y->saved;
    heedi_standardise_deposit(y, run,
                              ((const heedi_layernorm_args *)y->args)->beta);
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
    heedi_standardise_back(y, run, 1, true);
}

static void relevance(const heedi_node *y, heedi_run *run)
{
    const heedi_layernorm_args *a = y->args;
    heedi_standardise_deposit(y, run, a->beta);
    heedi_standardise_back(y, run, 1, false);
}

static const heed_real shift[9] = {
    (heed_real)0.3, (heed_real)-0.5, (heed_real)0.2, (heed_real)0.9, 0,
    (heed_real)-1,  (heed_real)0.1,  (heed_real)0.4, (heed_real)-0.2};
static const heedi_layernorm_args shifted = {1e-5, shift}, plain = {1e-5, NULL};

static double eps(const heedi_node *y)
{
    const heedi_layernorm_args *a = y->args;
    return a->eps;
}

const heedi_op heedi_op_layernorm = {
    .name = "layernorm",
    .formula = "y = w (x - mean x) / sqrt(var x + eps) + beta",
    .rule = "g_x = P(w g / s), s constant, mean live; the shift keeps beta",
    .n_in = 1,
    .quotient = HEEDI_BY_NORM,
    .eps = eps,
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
