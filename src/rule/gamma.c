#include "linear_rule.h"

/* The generalised gamma rule without a division that can fail: with a = |W||x|
 * and Z+- = (W x +- a)/2 + b+-,
 *     D = z + gamma Z+ where z > 0, z + gamma Z- where z < 0;  s = g z / D
 *     g_x = (1 + gamma/2) W^T s + gamma/2 sign(x) |W|^T (s sign z)
 * D has the sign of z and |D| >= |z|, so that eps, added to |D|, is there only
 * for who wants to repeat code that has it. */

static size_t scratch(const heedi_node *y, const heedi_batch *b, int threads)
{
    return heedi_linear_scratch(y, b, threads, 1, 2);
}

static void row(const heedi_linear *l, int64_t r, double sum[2])
{
    const int64_t n = l->y->cols;
    const double gamma = l->arg[0], eps = l->arg[1];
    const heed_real *z = l->y->x + r * n, *g = l->y->g + r * n;
    heed_real *a = l->out[0] + r * n, *s = l->out[1] + r * n;
    for (int64_t o = 0; o < n; o++) {
        const double zo = (double)z[o], b = heedi_linear_bias(l, o);
        const double sign = zo > 0 ? 1 : zo < 0 ? -1 : 0;
        const double more = sign * b > 0 ? gamma * b : 0;
        const double half = 0.5 * (zo - b + sign * (double)a[o]);
        const double d = zo + gamma * half + more;
        const double to = sign != 0 ? zo / heedi_stabilised(d, eps) : 0;
        const double so = (double)g[o] * to;
        sum[0] += so * (b + more);
        sum[1] += so * eps * sign;
        s[o] = (heed_real)((1 + gamma / 2) * so);
        a[o] = (heed_real)(gamma / 2 * so * sign);
    }
}

static void back(const heedi_node *y, heedi_run *run)
{
    heedi_linear l = heedi_linear_begin(y, run, 1, 2);
    const heedi_node *x = y->in[0];
    const int64_t n = run->batch->rows * x->cols;
    heed_real *t = l.in[0];
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        t[i] = x->x[i] < 0 ? -x->x[i] : x->x[i];
    l.map->to(y, run, HEEDI_ABSOLUTE, t, l.out[0], true);
    heedi_linear_rows(&l, row);
    l.map->back(y, run, HEEDI_ALL, l.out[1], x->g, y->first[0]);
    l.map->back(y, run, HEEDI_ABSOLUTE, l.out[0], t, true);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        x->g[i] += x->x[i] > 0 ? t[i] : x->x[i] < 0 ? -t[i] : 0;
}

const heedi_rule_kind heedi_rule_gamma = {
    .info = {.name = "gamma",
             .formula = "epsilon on W + gamma W+, by the sign of z and x",
             .on = "linear maps",
             .cite = "Montavon et al. 2019, doi:10.1007/978-3-030-28954-6_10",
             .arg = {{"gamma", 0.25, 0, 1e6}, {"eps", 0, 0, 1e6}}},
    .row = {.back = back, .needs = HEEDI_IN0 | HEEDI_OUT, .scratch = scratch},
};
