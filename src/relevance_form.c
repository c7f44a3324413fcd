#include <math.h>
#include <string.h>

#include "choices.h"
#include "kernel.h"
#include "linear_rule.h"

/* Backward functions in which y->g is relevance itself. An input that several
 * operations read gets the sum of what they give: the clone rule,
 * x sum_k R_k / x. */

static size_t line(size_t n)
{
    return (n + 63) / 64 * 64;
}

static void give(const heedi_node *y, int i, int64_t at, heed_real r)
{
    heed_real *g = y->in[i]->g + at;
    *g = y->first[i] ? r : *g + r;
}

/* ---- Z = W+ x+ + W- x-, R_x = x+ W+^T (R / Z) + x- W-^T (R / Z); or, apart,
 * R_x = x+ W+^T (R / W+ x+) + x- W-^T (R / W- x-) ---- */

size_t heedi_form_linear_scratch(const heedi_node *y, const heedi_batch *b,
                                 int threads)
{
    return heedi_linear_scratch(y, b, threads, 2, 1);
}

/* R / s, into s */
static void divide(const heedi_node *y, const heedi_run *run, heed_real *s)
{
    const int64_t n = run->batch->rows * y->cols;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        s[i] = heedi_form_ratio(y->g[i], s[i]);
}

static void linear(const heedi_node *y, heedi_run *run, bool apart)
{
    heedi_linear l = heedi_linear_begin(y, run, 2, 1);
    const heedi_node *x = y->in[0];
    const int64_t n = run->batch->rows * x->cols;
    heed_real *u = l.in[0], *v = l.in[1], *s = l.out[0];
    heedi_linear_part(&l, HEEDI_POSITIVE, u);
    heedi_linear_part(&l, HEEDI_NEGATIVE, v);
    l.map->to(y, run, HEEDI_POSITIVE, u, s, true);
    if (!apart)
        l.map->to(y, run, HEEDI_NEGATIVE, v, s, false);
    divide(y, run, s);
    l.map->back(y, run, HEEDI_POSITIVE, s, u, true);
    if (apart) {
        l.map->to(y, run, HEEDI_NEGATIVE, v, s, true);
        divide(y, run, s);
    }
    l.map->back(y, run, HEEDI_NEGATIVE, s, v, true);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        give(y, 0, i, x->x[i] * (x->x[i] > 0 ? u[i] : v[i]));
}

void heedi_form_linear(const heedi_node *y, heedi_run *run)
{
    linear(y, run, false);
}

void heedi_form_conv(const heedi_node *y, heedi_run *run)
{
    linear(y, run, run->rule->arg[0] == 1);
}

/* ---- y = a + b ---- */

enum { A, B, R, N_SUMS };

size_t heedi_form_add_scratch(const heedi_node *y, const heedi_batch *b,
                              int threads)
{
    (void)y;
    (void)threads;
    return (size_t)(b->n_small * N_SUMS + b->n_seq * 2) * sizeof(double);
}

static heed_real share(const heedi_node *y, int i, int64_t at)
{
    return y->in[i]->x[at] *
           heedi_form_ratio(y->g[at], y->in[0]->x[at] + y->in[1]->x[at]);
}

static double ratio(double a, double b)
{
    const double d = b + 1e-9;
    return b != 0 ? a / (d != 0 ? d : 1e-9) : 0;
}

/* By how much each share is scaled, from the sums over both and over R. */
static void scales(const double sum[N_SUMS], double out[2])
{
    const double both = fabs(sum[A]) + fabs(sum[B]);
    for (int i = 0; i < 2; i++)
        out[i] = ratio(ratio(fabs(sum[i]), both) * sum[R], sum[i]);
}

static void sums(const heedi_node *y, const heedi_batch *b, double *part)
{
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        const heedi_tile t = b->small[k];
        double *p = part + k * N_SUMS;
        p[A] = p[B] = p[R] = 0;
        for (int64_t i = t.row * y->cols; i < (t.row + t.n) * y->cols; i++) {
            p[A] += (double)share(y, 0, i);
            p[B] += (double)share(y, 1, i);
            p[R] += (double)y->g[i];
        }
    }
}

void heedi_form_add(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const bool together = run->rule->arg[0] == 1;
    double *part = run->scratch, *scale = part + b->n_small * N_SUMS;
    double sum[N_SUMS] = {0};
    sums(y, b, part);
    for (int64_t k = 0; k < b->n_small; k++) {
        const int64_t seq = b->small[k].seq;
        for (int i = 0; i < N_SUMS; i++)
            sum[i] += part[k * N_SUMS + i];
        scales(sum, scale + 2 * seq);
        const bool last = k + 1 == b->n_small || b->small[k + 1].seq != seq;
        if (last && !together)
            memset(sum, 0, sizeof sum);
    }
    for (int64_t seq = 0; together && seq < b->n_seq; seq++)
        scales(sum, scale + 2 * seq);
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        const heedi_tile t = b->small[k];
        const double *c = scale + 2 * t.seq;
        for (int64_t i = t.row * y->cols; i < (t.row + t.n) * y->cols; i++) {
            const double p = (double)share(y, 0, i), q = (double)share(y, 1, i);
            give(y, 0, i, (heed_real)(c[0] * p));
            give(y, 1, i, (heed_real)(c[1] * q));
        }
    }
}

/* ---- y = f(a) u: each factor times R / y is R, but for the division ---- */

void heedi_form_glu(const heedi_node *y, heedi_run *run)
{
    const int64_t n = run->batch->rows * y->cols;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        const heed_real r =
            (heed_real)0.5 * y->x[i] * heedi_form_ratio(y->g[i], y->x[i]);
        give(y, 0, i, r);
        give(y, 1, i, r);
    }
}

/* ---- a linear operation of one input ---- */

size_t heedi_form_product_scratch(const heedi_node *y, const heedi_batch *b,
                                  int threads)
{
    const size_t own = y->op->scratch ? y->op->scratch(y, b, threads) : 0;
    const size_t rows = (size_t)b->rows * sizeof(heed_real);
    return line(own) + line(rows * (size_t)y->cols) +
           rows * (size_t)y->in[0]->cols;
}

void heedi_form_product(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const int64_t n = b->rows * y->cols, inputs = b->rows * y->in[0]->cols;
    const size_t own = y->op->scratch ? y->op->scratch(y, b, run->threads) : 0;
    heed_real *s = (heed_real *)(void *)((char *)run->scratch + line(own));
    heed_real *c =
        (heed_real *)(void *)((char *)s + line((size_t)n * sizeof *s));
    heedi_node x = *y->in[0], z = *y;
    x.g = c;
    z.in[0] = &x;
    z.g = s;
    z.first[0] = y->op->assigns;
    if (!y->op->assigns)
        memset(c, 0, (size_t)inputs * sizeof *c);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        s[i] = heedi_form_ratio(y->g[i], y->x[i]);
    /* of several inputs, those that relevance holds constant are */
    (y->op->relevance_stops ? y->op->relevance : y->op->vjp)(&z, run);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < inputs; i++)
        give(y, 0, i, x.x[i] * c[i]);
    for (int k = 1; k < y->op->n_in; k++)
        if (y->first[k])
            memset(y->in[k]->g, 0,
                   (size_t)(b->rows * y->in[k]->cols) * sizeof *c);
}

/* ---- what passes on ---- */

void heedi_form_pass(const heedi_node *y, heedi_run *run)
{
    const int64_t n = run->batch->rows * y->cols;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        give(y, 0, i, y->g[i]);
}

void heedi_form_select(const heedi_node *y, heedi_run *run)
{
    y->op->vjp(y, run);
}
