#include <math.h>
#include <string.h>

#include "baseline.h"
#include "ctx.h"
#include "method.h"
#include "patches.h"
#include "points.h"
#include "quadrature.h"

/* R = (x - x0) * the mean gradient on the straight line from the baseline x0,
 * the same embedding in every position, to the embeddings x. Of another leaf x0
 * is 0, or what the model makes there of the baseline's tokens. Were the
 * integral exact, R would add up to F(x) - F(x0): the account has F(x0) as its
 * entry `baseline`, and the gap is the residual. */

#define OPTIONS(O)                                                          \
    O(steps, "integer", "50", 1, 4096, "points on the path")                \
    O(quadrature, "gauss|riemann_middle|trapezoid", "gauss", 0, 0,          \
      "where they are: Gauss-Legendre, midpoints, or both ends among them") \
    O(baseline, "text", "mean", 0, 0, HEEDI_BASELINE_HELP)
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};

/* In the order of the words. */
static heedi_quadrature *const rules[] = {heedi_gauss, heedi_midpoint,
                                          heedi_trapezoid};

static const double GAP = 0.01; /* of the change of the target: told */

typedef struct path {
    heedi_quadrature *rule;
    int64_t steps;
    heedi_baseline baseline;
    heed_real *x0;       /* (rows, C) */
    double *at_baseline; /* the target there, of each input */
} path;

static heed_status check(heedi_job *j)
{
    heedi_baseline b;
    if (rules[(int)j->opt[opt_quadrature]] == heedi_trapezoid &&
        j->opt[opt_steps] < 2)
        return heedi_fail(
            j->ctx, HEED_EINVAL,
            "%s: quadrature trapezoid has both ends, steps must be at "
            "least 2",
            j->info->name);
    j->o.results +=
        heedi_points_bytes(j) +
        (uint64_t)(j->rows * heedi_leaf_cols(j->q->model)) * sizeof(heed_real);
    return heedi_baseline_read(&b, j, "baseline", j->opt_text[opt_baseline]);
}

/* The leaf's value lives until the next block has run. */
static heed_status keep(void *ud, heedi_exec *e, int64_t b)
{
    path *p = ud;
    if (b == 0)
        memcpy(p->x0, e->leaf->x,
               (size_t)(e->batch.rows * e->leaf->cols) * sizeof *p->x0);
    return HEED_OK;
}

/* The target at the baseline itself. */
static heed_status start(void *ud, heedi_rounds *r, const heed_real *x,
                         heed_real *point)
{
    path *p = ud;
    heedi_exec *e = r->e;
    const int64_t c = e->leaf->cols;
    (void)x;
    HEEDI_TRY(heedi_baseline_row(&p->baseline, e, p->x0));
    for (int64_t i = 0; i < e->batch.rows * c; i++)
        point[i] = p->x0[i % c];
    heedi_exec_replace(e, heedi_baseline_is_zero(&p->baseline) ? point : NULL);
    e->run.leaf = point;
    HEEDI_TRY(heedi_exec_forward(e, keep, p));
    HEEDI_TRY(heedi_rounds_again(r));
    for (int64_t s = 0; s < r->j->n; s++)
        p->at_baseline[s] = r->now[s];
    return HEED_OK;
}

static double at(void *ud, const heedi_rounds *r, int64_t k, const heed_real *x,
                 heed_real *point)
{
    const path *p = ud;
    const int64_t n = r->e->batch.rows * r->e->leaf->cols;
    double a, w;
    p->rule(p->steps, k, &a, &w);
    for (int64_t i = 0; i < n; i++) {
        double x0 = (double)p->x0[i];
        point[i] = (heed_real)(x0 + a * ((double)x[i] - x0));
    }
    return w;
}

/* One line: what came in is the target, what went out relevance. */
static heed_status account(heedi_job *j, heedi_outcome *o, double base)
{
    HEEDI_TRY(heedi_ledger_init(&o->ledger, &j->mem, 1, 1, j->q->ledger != 0));
    o->ledger.op_name[0] = "path";
    o->ledger.in[0] = o->aim.value;
    o->ledger.out[0] = o->sum;
    heedi_deposit(&o->ledger, 0, 0, HEEDI_ENTRY_baseline, base);
    o->absorbed = base;
    heedi_outcome_close(j, o, j->q->tol > 0 ? j->q->tol : HUGE_VAL);
    const double change = fabs(o->aim.value - base);
    if (fabs(o->residual) > GAP * change)
        heedi_warn(j->ctx,
                   "%s: after token %lld relevance adds up to %.6g, not to "
                   "the change of the target, %.6g: a gap of %.2g %%; more "
                   "--steps or another --baseline make it smaller",
                   j->info->name, (long long)o->aim.at, o->sum,
                   o->aim.value - base,
                   100 * fabs(o->residual) / fmax(change, 1e-300));
    return HEED_OK;
}

static heed_status settle(void *ud, heedi_rounds *r, int64_t s, heed_real *x,
                          const heed_real *mean)
{
    const path *p = ud;
    const int64_t c = r->e->leaf->cols;
    const heed_real *x0 = p->x0 + heedi_first_row(r->j, r->e, s) * c;
    for (int64_t i = 0; i < r->j->len[s] * c; i++)
        x[i] -= x0[i];
    HEEDI_TRY(heedi_rounds_read(r, s, x, mean));
    return account(r->j, heedi_outcome_of(r, s), p->at_baseline[s]);
}

static heed_status run(heedi_job *j)
{
    path p = {.rule = rules[(int)j->opt[opt_quadrature]],
              .steps = (int64_t)j->opt[opt_steps]};
    HEEDI_TRY(heedi_baseline_read(&p.baseline, j, "baseline",
                                  j->opt_text[opt_baseline]));
    const size_t n = (size_t)(j->rows * heedi_leaf_cols(j->q->model));
    p.x0 = heedi_arena_alloc(&j->mem, n * sizeof *p.x0);
    p.at_baseline =
        heedi_arena_alloc(&j->mem, (size_t)j->n * sizeof *p.at_baseline);
    if (!p.x0 || !p.at_baseline)
        return HEED_ENOMEM;
    const heedi_points points = {p.steps, &p, start, at, settle};
    return heedi_run_points(j, &points);
}

const heedi_method heedi_method_integrated_gradients = {
    .info = {.name = "integrated_gradients",
             .aliases = "ig",
             .summary = "gradients along a path from a baseline",
             .cite = "Sundararajan et al. 2017, arXiv:1703.01365",
             .reduce = "sum",
             .options = options,
             .has_target = 1,
             .is_signed = 1,
             .conserves = 1,
             .approximates = 1},
    .pass = HEEDI_GRADIENT,
    .has_leaf = true,
    .tokens_only = true,
    .check = check,
    .run = run,
};
