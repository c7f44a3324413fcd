#include "standardise.h"

/* As layernorm, but each group of columns (a head) has a mean and a variance of
 * its own. The vector is the gain, of all columns. Relevance holds s constant
 * and the means live; the shift keeps <beta, g>. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    const heedi_groupnorm_args *a = y->args;
    if (!y->vec || !a || a->groups < 1 || y->n_vec != y->in[0]->cols ||
        y->n_vec % a->groups != 0)
        return heedi_bad_shapes(ctx, y);
    y->cols = y->in[0]->cols;
    return HEED_OK;
}

static int64_t groups(const heedi_node *y)
{
    const heedi_groupnorm_args *a = y->args;
    return a->groups;
}

static size_t saved(const heedi_node *y, const heedi_batch *b)
{
    return heedi_standardise_saved(b, groups(y));
}

static void forward(const heedi_node *y, heedi_run *run)
{
    heedi_standardise(y, run, y->args);
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    heedi_standardise_back(y, run, groups(y), true);
}

static void relevance(const heedi_node *y, heedi_run *run)
{
    const heedi_groupnorm_args *a = y->args;
    heedi_standardise_deposit(y, run, a->beta);
    heedi_standardise_back(y, run, a->groups, false);
}

/* ---- as a factor: w / s of x less its means, and beta ---- */

static void of(const heedi_node *y, const heedi_run *run, int64_t row,
               int64_t n, heed_real *f)
{
    const heed_real *keep = y->saved;
    const int64_t m = groups(y), c = y->cols / m;
    (void)run;
    for (int64_t r = row * m; r < (row + n) * m; r++)
        for (int64_t i = 0; i < c; i++)
            f[(r - row * m) * c + i] = keep[2 * r] * y->vec[r % m * c + i];
}

static void rest(const heedi_node *y, const heedi_run *run, int64_t row,
                 int64_t n, heed_real *to)
{
    const heedi_groupnorm_args *a = y->args;
    (void)run;
    (void)row;
    for (int64_t i = 0; i < n * y->cols; i++)
        to[i] = a->beta ? a->beta[i % y->cols] : 0;
}

static int64_t centred(const heedi_node *y)
{
    return y->cols / groups(y);
}

static const heedi_factor factor = {.of = of, .rest = rest, .centred = centred};

static const heed_real shift[12] = {(heed_real)0.3,
                                    (heed_real)-0.5,
                                    (heed_real)0.2,
                                    (heed_real)0.9,
                                    0,
                                    (heed_real)-1,
                                    (heed_real)0.1,
                                    (heed_real)0.4,
                                    (heed_real)0.7,
                                    (heed_real)-0.2,
                                    (heed_real)0.6,
                                    (heed_real)-0.8};
static const heedi_groupnorm_args three = {3, 6.4e-4, shift},
                                  plain = {2, 1e-5, NULL};

static double eps(const heedi_node *y)
{
    const heedi_groupnorm_args *a = y->args;
    return a->eps;
}

const heedi_op heedi_op_groupnorm = {
    .name = "groupnorm",
    .formula = "y = w (x - mean x) / sqrt(var x + eps) + beta, by group",
    .rule =
        "g_x = P(w g / s) by group, s constant, means live; the shift keeps "
        "beta",
    .n_in = 1,
    .quotient = HEEDI_BY_NORM,
    .eps = eps,
    .conserves = true,
    .vjp_needs = HEEDI_IN0,
    .relevance_needs = HEEDI_IN0,
    .examples =
        (const heedi_example[]){
            {.in = {12}, .n_vec = 12, .args = &three},
            {.in = {14}, .n_vec = 14, .args = &plain},
            {.in = {0}},
        },
    .refused =
        (const heedi_example[]){
            {.in = {12}, .n_vec = 9, .args = &three},
            {.in = {13}, .n_vec = 13, .args = &plain},
            {.in = {12}, .args = &three},
            {.in = {0}},
        },
    .infer = infer,
    .saved = saved,
    .forward = forward,
    .vjp = vjp,
    .relevance = relevance,
    .factor = &factor,
};
