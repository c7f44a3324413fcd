#include "alpha_beta.h"

/* alpha R over the positive contributions, -beta R over the negative ones,
 * beta = alpha - 1:
 *     Z+ = W+ x+ + W- x- + b+,   Z- = W+ x- + W- x+ + b-
 *     s+ = alpha z g / Z+,       s- = beta z g / Z-
 *     g_x = W+^T s+ - W-^T s-  where x > 0,  W-^T s+ - W+^T s-  where x < 0,
 * and half of each at 0. Z+- may vanish and is stabilised. */

size_t heedi_alpha_beta_scratch(const heedi_node *y, const heedi_batch *b,
                                int threads)
{
    return heedi_linear_scratch(y, b, threads, 2, 2);
}

/* Share of one output in Z, of which R is to pass: returns s. */
static double share(double r, double z, double b, double eps, double sum[2])
{
    const double d = heedi_stabilised(z, eps);
    const double s = d != 0 ? r / d : 0;
    sum[0] += s * b;
    sum[1] += r - s * z;
    return s;
}

static void row(const heedi_linear *l, int64_t r, double sum[2])
{
    const int64_t n = l->y->cols;
    const double alpha = l->arg[0], eps = l->arg[1];
    const heed_real *z = l->y->x + r * n, *g = l->y->g + r * n;
    heed_real *p = l->out[0] + r * n, *m = l->out[1] + r * n;
    for (int64_t o = 0; o < n; o++) {
        const double b = heedi_linear_bias(l, o);
        const double plus = b > 0 ? b : 0, minus = b < 0 ? b : 0;
        const double ro = (double)z[o] * (double)g[o];
        p[o] =
            (heed_real)share(alpha * ro, (double)p[o] + plus, plus, eps, sum);
        if (alpha > 1)
            m[o] = (heed_real)share((1 - alpha) * ro, (double)m[o] + minus,
                                    minus, eps, sum);
    }
}

void heedi_alpha_beta(const heedi_node *y, heedi_run *run, double alpha,
                      double eps)
{
    heedi_linear l = heedi_linear_begin(y, run, 2, 2);
    const heedi_node *x = y->in[0];
    const int64_t n = run->batch->rows * x->cols;
    const bool both = alpha > 1;
    heed_real *u = l.in[0], *v = l.in[1], *p = l.out[0], *m = l.out[1];
    l.arg[0] = alpha;
    l.arg[1] = eps;
    heedi_linear_part(&l, HEEDI_POSITIVE, u);
    heedi_linear_part(&l, HEEDI_NEGATIVE, v);
    l.map->to(y, run, HEEDI_POSITIVE, u, p, true);
    l.map->to(y, run, HEEDI_NEGATIVE, v, p, false);
    if (both) {
        l.map->to(y, run, HEEDI_POSITIVE, v, m, true);
        l.map->to(y, run, HEEDI_NEGATIVE, u, m, false);
    }
    heedi_linear_rows(&l, row); /* m is then -s- */
    l.map->back(y, run, HEEDI_POSITIVE, p, u, true);
    l.map->back(y, run, HEEDI_NEGATIVE, p, v, true);
    if (both) {
        l.map->back(y, run, HEEDI_NEGATIVE, m, u, false);
        l.map->back(y, run, HEEDI_POSITIVE, m, v, false);
    }
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        heed_real g = x->x[i] > 0   ? u[i]
                      : x->x[i] < 0 ? v[i]
                                    : (heed_real)0.5 * (u[i] + v[i]);
        x->g[i] = y->first[0] ? g : x->g[i] + g;
    }
}

static void back(const heedi_node *y, heedi_run *run)
{
    heedi_alpha_beta(y, run, run->rule->arg[0], run->rule->arg[1]);
}

const heedi_rule_kind heedi_rule_alpha_beta = {
    .info = {.name = "alpha_beta",
             .aliases = "alphabeta",
             .formula = "alpha R over positive contributions, (1 - alpha) R "
                        "over negative ones",
             .on = "linear maps",
             .cite = "Bach et al. 2015, doi:10.1371/journal.pone.0130140",
             .arg = {{"alpha", 2, 1, 1e6}, {"eps", 1e-6, 0, 1e6}}},
    .row = {.back = back,
            .needs = HEEDI_IN0 | HEEDI_OUT,
            .scratch = heedi_alpha_beta_scratch},
};
