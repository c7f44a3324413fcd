#include "linear_rule.h"

/* One denominator whatever the sign of z and x: with W' = W + gamma W+ and
 * b' = b + gamma b+,
 *     D = W' x + b',  s = g z / D,  g_x = W'^T s.
 * D can vanish where z does not: there nothing is passed on (entry `eps`), and
 * beside it much. `gamma` has no such place. */

static size_t scratch(const heedi_node *y, const heedi_batch *b, int threads)
{
    return heedi_linear_scratch(y, b, threads, 0, 2);
}

static void row(const heedi_linear *l, int64_t r, double sum[2])
{
    const int64_t n = l->y->cols;
    const double gamma = l->arg[0], eps = l->arg[1];
    const heed_real *z = l->y->x + r * n, *g = l->y->g + r * n;
    heed_real *more = l->out[0] + r * n, *s = l->out[1] + r * n;
    for (int64_t o = 0; o < n; o++) {
        const double b = heedi_linear_bias(l, o);
        const double share = b + (b > 0 ? gamma * b : 0);
        const double d = (double)z[o] - b + gamma * (double)more[o] + share;
        const double to = heedi_stabilised(d, eps);
        const double so = to != 0 ? (double)g[o] * ((double)z[o] / to) : 0;
        sum[0] += so * share;
        sum[1] += (double)g[o] * (double)z[o] - so * d;
        s[o] = (heed_real)so;
        more[o] = (heed_real)(gamma * so);
    }
}

static void back(const heedi_node *y, heedi_run *run)
{
    heedi_linear l = heedi_linear_begin(y, run, 0, 2);
    const heedi_node *x = y->in[0];
    l.map->to(y, run, HEEDI_POSITIVE, x->x, l.out[0], true);
    heedi_linear_rows(&l, row);
    l.map->back(y, run, HEEDI_ALL, l.out[1], x->g, y->first[0]);
    l.map->back(y, run, HEEDI_POSITIVE, l.out[0], x->g, false);
}

const heedi_rule_kind heedi_rule_cp_gamma = {
    .info = {.name = "cp_gamma",
             .formula = "R_x = x W'^T R / W' x, W' = W + gamma W+",
             .on = "linear maps",
             .cite = "Ali et al. 2022, arXiv:2202.07304",
             .arg = {{"gamma", 0.25, 0, 1e6}, {"eps", 0, 0, 1e6}}},
    .row = {.back = back, .needs = HEEDI_IN0 | HEEDI_OUT, .scratch = scratch},
};
