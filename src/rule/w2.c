#include "spread.h"

/* R_x = (W^2)^T (R / (sum of W^2 + b^2)): for a first layer. */

size_t heedi_spread_scratch(const heedi_node *y, const heedi_batch *b,
                            int threads)
{
    return heedi_linear_scratch(y, b, threads, 1, 1);
}

/* out: P 1, then R / (P 1 + b^2) */
static void row(const heedi_linear *l, int64_t r, double sum[2])
{
    const int64_t n = l->y->cols;
    const heed_real *z = l->y->x + r * n, *g = l->y->g + r * n;
    heed_real *s = l->out[0] + r * n;
    for (int64_t o = 0; o < n; o++) {
        const double b = l->arg[0] * heedi_linear_bias(l, o);
        const double d = (double)s[o] + b * b;
        const double ro = (double)z[o] * (double)g[o];
        const double so = d != 0 ? ro / d : 0;
        sum[0] += so * b * b;
        sum[1] += d != 0 ? 0 : ro;
        s[o] = (heed_real)so;
    }
}

void heedi_spread(const heedi_node *y, heedi_run *run, heedi_part part,
                  bool bias)
{
    heedi_linear l = heedi_linear_begin(y, run, 1, 1);
    const int64_t n = run->batch->rows * y->in[0]->cols;
    l.arg[0] = bias;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        l.in[0][i] = 1;
    l.map->to(y, run, part, l.in[0], l.out[0], true);
    heedi_linear_rows(&l, row);
    l.map->back(y, run, part, l.out[0], l.in[0], true);
    heedi_linear_divide(&l, l.in[0]);
}

static void back(const heedi_node *y, heedi_run *run)
{
    heedi_spread(y, run, HEEDI_SQUARED, true);
}

const heedi_rule_kind heedi_rule_w2 = {
    .info = {.name = "w2",
             .aliases = "wsquare",
             .formula = "R in proportion to w^2, whatever the inputs are",
             .on = "linear maps",
             .cite = "Montavon et al. 2017, doi:10.1016/j.patcog.2016.11.008"},
    .row = {.back = back,
            .needs = HEEDI_IN0 | HEEDI_OUT,
            .scratch = heedi_spread_scratch},
};
