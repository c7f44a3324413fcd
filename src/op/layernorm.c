#include "standardise.h"

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
