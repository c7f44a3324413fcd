#include "args.h"
#include "kernel.h"
#include "op.h"

#include <math.h>

/* y = w x r, r = (mean x^2 + eps)^(-1/2), over each group of columns (a whole
 * row, or one head). The vector is the gain w, for one or more groups, after
 * which it begins again. Relevance holds r constant: R_x = R_y (Achtibat et al.
 * 2024, AttnLRP). */

static int64_t width(const heedi_node *y)
{
    const heedi_norm_args *a = y->args;
    return a->width > 0 ? a->width : y->n_vec;
}

static int64_t groups(const heedi_node *y)
{
    return y->cols / width(y);
}

/* The gain of group i, counted over rows. */
static const heed_real *gain(const heedi_node *y, int64_t i)
{
    const int64_t c = width(y);
    return y->vec + i % (y->n_vec / c) * c;
}

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    if (!y->vec || !y->args || y->n_vec < 1 || y->in[0]->cols % y->n_vec != 0 ||
        y->n_vec % width(y) != 0)
        return heedi_bad_shapes(ctx, y);
    y->cols = y->in[0]->cols;
    return HEED_OK;
}

static size_t saved(const heedi_node *y, const heedi_batch *b)
{
    return (size_t)(b->rows * groups(y)) * sizeof(heed_real);
}

static void forward(const heedi_node *y, heedi_run *run)
{
    const heedi_norm_args *a = y->args;
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
    const int64_t c = width(y), m = groups(y);
    heed_real *r = y->saved;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++)
        for (int64_t i = b->small[k].row * m;
             i < (b->small[k].row + b->small[k].n) * m; i++) {
            const heed_real *x = y->in[0]->x + i * c;
            double s = v->dot((size_t)c, x, x) / (double)c;
            heed_real inv = (heed_real)(1 / sqrt(s + a->eps));
            if (r)
                r[i] = inv;
            v->scale((size_t)c, x, gain(y, i), inv, y->x + i * c);
        }
}

static void relevance(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
    const int64_t c = width(y), m = groups(y);
    const heed_real *r = y->saved;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++)
        for (int64_t i = b->small[k].row * m;
             i < (b->small[k].row + b->small[k].n) * m; i++)
            v->scale_add((size_t)c, y->g + i * c, gain(y, i), r[i],
                         y->in[0]->g + i * c);
}

/* gx = r (w g) - r^3/c x <x, w g> */
static void vjp(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
    const int64_t c = width(y), m = groups(y);
    const heed_real *r = y->saved;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++)
        for (int64_t i = b->small[k].row * m;
             i < (b->small[k].row + b->small[k].n) * m; i++) {
            const heed_real *x = y->in[0]->x + i * c, *g = y->g + i * c;
            const heed_real *w = gain(y, i);
            heed_real *gx = y->in[0]->g + i * c;
            double s = 0;
            for (int64_t j = 0; j < c; j++)
                s += (double)x[j] * (double)w[j] * (double)g[j];
            double r3 = (double)r[i] * (double)r[i] * (double)r[i];
            v->scale_add((size_t)c, g, w, r[i], gx);
            v->axpy((size_t)c, (heed_real)(-r3 * s / (double)c), x, gx);
        }
}

static void factors(const heedi_node *y, const heedi_run *run, int64_t row,
                    int64_t n, heed_real *f)
{
    const int64_t c = width(y), m = groups(y);
    const heed_real *r = (const heed_real *)y->saved + row * m;
    (void)run;
    for (int64_t i = 0; i < n * m; i++) {
        const heed_real *w = gain(y, i);
        for (int64_t k = 0; k < c; k++)
            f[i * c + k] = r[i] * w[k];
    }
}

static const heedi_factor factor = {.of = factors};

static const heedi_norm_args example_args = {.eps = 1e-5},
                             threes = {.eps = 1e-5, .width = 3};

const heedi_op heedi_op_rmsnorm = {
    .name = "rmsnorm",
    .formula = "y = w x / sqrt(mean x^2 + eps)",
    .rule = "g_x = w r g, r constant",
    .n_in = 1,
    .conserves = true,
    .vjp_needs = HEEDI_IN0,
    .examples =
        (const heedi_example[]){
            {.in = {9}, .n_vec = 9, .args = &example_args},
            {.in = {12}, .n_vec = 4, .args = &example_args},
            {.in = {1}, .n_vec = 1, .args = &example_args},
            {.in = {12}, .n_vec = 6, .args = &threes},
            {.in = {0}},
        },
    .refused =
        (const heedi_example[]){
            {.in = {9}, .n_vec = 6, .args = &example_args},
            {.in = {9}, .args = &example_args},
            {.in = {8}, .n_vec = 8, .args = &threes},
            {.in = {0}},
        },
    .infer = infer,
    .saved = saved,
    .forward = forward,
    .vjp = vjp,
    .relevance = relevance,
    .factor = &factor,
};
