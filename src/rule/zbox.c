#include "linear_rule.h"

/* For a first layer whose inputs lie in [l, u]:
 *     s = R / (W x - W+ l - W- u)
 *     R_x = x W^T s - l W+^T s - u W-^T s */

static size_t scratch(const heedi_node *y, const heedi_batch *b, int threads)
{
    return heedi_linear_scratch(y, b, threads, 2, 1);
}

/* out: W+ l + W- u, then s */
static void row(const heedi_linear *l, int64_t r, double sum[2])
{
    const int64_t n = l->y->cols;
    const heed_real *z = l->y->x + r * n, *g = l->y->g + r * n;
    heed_real *s = l->out[0] + r * n;
    for (int64_t o = 0; o < n; o++) {
        const double d = (double)z[o] - heedi_linear_bias(l, o) - (double)s[o];
        const double ro = (double)z[o] * (double)g[o];
        s[o] = (heed_real)(d != 0 ? ro / d : 0);
        sum[1] += d != 0 ? 0 : ro;
    }
}

static void fill(const heedi_linear *l, double value)
{
    const int64_t n = l->run->batch->rows * l->y->in[0]->cols;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        l->in[0][i] = (heed_real)value;
}

static void back(const heedi_node *y, heedi_run *run)
{
    heedi_linear l = heedi_linear_begin(y, run, 2, 1);
    const heedi_node *x = y->in[0];
    const int64_t n = run->batch->rows * x->cols;
    const heed_real low = (heed_real)l.arg[0], high = (heed_real)l.arg[1];
    heed_real *s = l.out[0], *t = l.in[0], *r = l.in[1];
    fill(&l, l.arg[0]);
    l.map->to(y, run, HEEDI_POSITIVE, t, s, true);
    fill(&l, l.arg[1]);
    l.map->to(y, run, HEEDI_NEGATIVE, t, s, false);
    heedi_linear_rows(&l, row);
    l.map->back(y, run, HEEDI_POSITIVE, s, t, true);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        r[i] = (x->x[i] - low) * t[i];
    l.map->back(y, run, HEEDI_NEGATIVE, s, t, true);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        r[i] += (x->x[i] - high) * t[i];
    heedi_linear_divide(&l, r);
}

const heedi_rule_kind heedi_rule_zbox = {
    .info = {.name = "zbox",
             .aliases = "zb",
             .formula = "R_x = x W^T s - low W+^T s - high W-^T s",
             .on = "linear maps",
             .cite = "Montavon et al. 2017, doi:10.1016/j.patcog.2016.11.008",
             .arg = {{"low", -1, -1e6, 1e6}, {"high", 1, -1e6, 1e6}}},
    .row = {.back = back, .needs = HEEDI_IN0 | HEEDI_OUT, .scratch = scratch},
};
