#include "linear_rule.h"

/* g_x = W^T (g z / (z + eps sign z)); 0 is the plain transpose. */

static size_t scratch(const heedi_node *y, const heedi_batch *b, int threads)
{
    return heedi_linear_scratch(y, b, threads, 0, 1);
}

static void row(const heedi_linear *l, int64_t r, double sum[2])
{
    const int64_t n = l->y->cols;
    const double eps = l->arg[0];
    const heed_real *z = l->y->x + r * n, *g = l->y->g + r * n;
    heed_real *s = l->out[0] + r * n;
    for (int64_t o = 0; o < n; o++) {
        double zo = (double)z[o], d = heedi_stabilised(zo, eps);
        double so = d != 0 ? (double)g[o] * (zo / d) : (double)g[o];
        s[o] = (heed_real)so;
        sum[0] += so * heedi_linear_bias(l, o);
        sum[1] += ((double)g[o] - so) * zo;
    }
}

static void back(const heedi_node *y, heedi_run *run)
{
    heedi_linear l = heedi_linear_begin(y, run, 0, 1);
    heedi_linear_rows(&l, row);
    l.map->back(y, run, HEEDI_ALL, l.out[0], y->in[0]->g, y->first[0]);
}

const heedi_rule_kind heedi_rule_epsilon = {
    .info = {.name = "epsilon",
             .aliases = "eps lrp0",
             .formula = "R_x = x W^T R / (z + eps sign z)",
             .on = "linear maps",
             .cite = "Bach et al. 2015, doi:10.1371/journal.pone.0130140",
             .arg = {{"eps", 0, 0, 1e6}}},
    .row = {.back = back, .needs = HEEDI_IN0 | HEEDI_OUT, .scratch = scratch},
};
