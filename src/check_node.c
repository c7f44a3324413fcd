#include "check.h"
#include "ctx.h"

#include <math.h>
#include <string.h>

/* Every operation by itself, with the model's weights, on the values that it
 * has in a forward pass:
 *
 *   adjoint   <J v, g> = <v, vjp(g)>, J v by five points, for a random change v
 *             of one input, each value in proportion to itself (so that no
 *             value changes its sign), and a random g with the signs of J v:
 *             no two terms cancel, and 1 % of a gradient is 1 % of the sum.
 *             Values of y at a kink are left out.
 *   rule      <y, g> = sum <x, g_x> + deposits, with the signs of y.
 */

/* An operation cut out: inputs have gradients of their own. */
typedef struct probe {
    heedi_check *k;
    const heedi_run *run;
    heedi_arena mem;
    const heedi_node *node;
    heedi_node y, in[HEEDI_MAX_IN];
    bool again[HEEDI_MAX_IN]; /* the same value as an input before it */
    heed_real *v;             /* change of one input */
    double *jv;               /* J v */
    bool *bent;               /* ... and where it is none: y has a kink */
} probe;

static int64_t size(const probe *p, const heedi_node *x)
{
    return p->run->batch->rows * x->cols;
}

static heed_real *reals(probe *p, int64_t n)
{
    return heedi_arena_alloc(&p->mem, (size_t)n * sizeof(heed_real));
}

/* xorshift32, 1/2 ... 1 */
static double random_of(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    *s ^= *s << 5;
    return 0.5 + *s / 8589934592.0;
}

static heed_status cut_out(probe *p)
{
    const heedi_node *y = p->node;
    p->y = *y;
    p->jv = heedi_arena_alloc(&p->mem, (size_t)size(p, y) * sizeof *p->jv);
    p->bent = heedi_arena_alloc(&p->mem, (size_t)size(p, y) * sizeof *p->bent);
    if (!p->jv || !p->bent || !(p->y.g = reals(p, size(p, y))))
        return HEED_ENOMEM;
    int64_t widest = 0;
    for (int i = 0; i < y->op->n_in; i++) {
        int k = 0;
        while (y->in[k] != y->in[i])
            k++;
        p->again[i] = k < i;
        p->in[i] = *y->in[i];
        p->y.in[i] = &p->in[k];
        p->y.first[i] = !p->again[i];
        widest = y->in[i]->cols > widest ? y->in[i]->cols : widest;
        if (!(p->in[i].g = reals(p, size(p, y->in[i]))))
            return HEED_ENOMEM;
    }
    p->v = reals(p, p->run->batch->rows * widest);
    return p->v ? HEED_OK : HEED_ENOMEM;
}

/* Values whose signs are those of `like`. */
static void aim(probe *p, const heed_real *x, const double *like, uint32_t seed)
{
    for (int64_t i = 0; i < size(p, &p->y); i++) {
        double s = x ? (double)x[i] : like[i], r = random_of(&seed);
        p->y.g[i] = (heed_real)(s < 0 ? -r : r);
    }
}

static void back(probe *p, const heedi_back *b, heedi_ledger *ledger)
{
    heedi_run run = *p->run;
    run.ledger = ledger;
    run.rule = b->rule;
    for (int i = 0; i < p->y.op->n_in; i++)
        memset(p->in[i].g, 0, (size_t)size(p, &p->in[i]) * sizeof *p->in[i].g);
    b->fn(&p->y, &run);
}

static double dot(const heed_real *a, const heed_real *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* ---- adjoint ---- */

/* Where the slopes to both sides, of the outer points, differ by a tenth, there
 * is a kink (relu at 0), or rounding is all there is. If that takes more than a
 * half of J v, y is only curved, and everything counts. */
static void find_kinks(probe *p, const heed_real *before,
                       const heed_real *after)
{
    const heed_real *y = p->y.x;
    double all = 0, lost = 0;
    for (int64_t j = 0; j < size(p, &p->y); j++) {
        double a = (double)after[j] - (double)y[j];
        double b = (double)y[j] - (double)before[j];
        p->bent[j] = fabs(a - b) > 0.1 * (fabs(a) + fabs(b));
        all += fabs(p->jv[j]);
        lost += p->bent[j] ? fabs(p->jv[j]) : 0;
    }
    if (!(lost <= all / 2))
        memset(p->bent, 0, (size_t)size(p, &p->y) * sizeof *p->bent);
}

/* J v by five points, with the step h. */
static heed_status derive(probe *p, int i, double h)
{
    static const double at[] = {-2, -1, 1, 2}, weight[] = {1, -8, 8, -1};
    const int64_t n = size(p, &p->in[i]), m = size(p, &p->y);
    heedi_node y = p->y, *x = &p->in[i];
    heed_real *was = x->x, *moved = reals(p, n);
    heedi_run run = *p->run;
    heed_real *out[4] = {reals(p, m), reals(p, m)};
    if (!moved || !out[0] || !out[1])
        return HEED_ENOMEM;
    out[2] = out[1]; /* of the outer points values are needed again */
    if (!(out[3] = reals(p, m)))
        return HEED_ENOMEM;
    y.saved = NULL; /* what the backward function reads stays */
    run.ledger = NULL;
    memset(p->jv, 0, (size_t)m * sizeof *p->jv);
    x->x = moved;
    for (int k = 0; k < 4; k++) {
        for (int64_t j = 0; j < n; j++)
            moved[j] = was[j] + (heed_real)(at[k] * h) * p->v[j];
        y.x = out[k];
        y.op->forward(&y, &run);
        for (int64_t j = 0; j < m; j++)
            p->jv[j] += weight[k] / (12 * h) * (double)y.x[j];
    }
    x->x = was;
    find_kinks(p, out[0], out[3]);
    return HEED_OK;
}

/* Of one input. Where it hardly matters, relative to what rounding leaves of a
 * hundredth of y. */
static heed_status adjoint_error(probe *p, int i, double h, double *error)
{
    const heedi_back b = heedi_back_of(p->node, p->k->rules->gradient);
    const int64_t n = size(p, &p->in[i]), m = size(p, &p->y);
    uint32_t seed =
        (uint32_t)(p->node->id * HEEDI_MAX_IN + i + 1) * 2654435761u | 1u;
    double left = 0, scale = 0;
    for (int64_t j = 0; j < n; j++) {
        double r = random_of(&seed) * fabs((double)p->in[i].x[j]);
        p->v[j] = (heed_real)(seed & 1 ? r : -r);
    }
    HEEDI_TRY(derive(p, i, h));
    aim(p, NULL, p->jv, seed);
    for (int64_t j = 0; j < m; j++) {
        p->y.g[j] = p->bent[j] ? 0 : p->y.g[j];
        left += p->jv[j] * (double)p->y.g[j];
        scale += 0.01 * fabs((double)p->y.x[j] * (double)p->y.g[j]);
    }
    back(p, &b, NULL);
    double right = dot(p->v, p->in[i].g, n);
    scale = fmax(scale, fmax(fabs(left), fabs(right)));
    *error = scale > 0 ? fabs(left - right) / scale : fabs(left - right);
    return HEED_OK;
}

/* A step that is too long for the curvature or too short for the rounding says
 * nothing against a gradient: the best of three. */
static heed_status adjoint(probe *p, heed_check_row *row)
{
    const double h = heedi_check_tol(0.03125, 0.0009765625);
    const double step[] = {h, h / 4, h * 4};
    const heedi_back b = heedi_back_of(p->node, p->k->rules->gradient);
    for (int i = 0; b.fn && i < p->y.op->n_in; i++) {
        double error = (double)NAN;
        for (int k = 0;
             k < 3 && !p->again[i] && !(error <= row->tolerance / 10); k++) {
            double e;
            HEEDI_TRY(adjoint_error(p, i, step[k], &e));
            error = error <= e ? error : e;
        }
        if (!p->again[i])
            HEEDI_TRY(heedi_check_worst(p->k, row, p->node->name, error));
    }
    return HEED_OK;
}

/* ---- rule ---- */

static heed_status rule(probe *p, heed_check_row *row)
{
    const heedi_back b = heedi_back_of(p->node, p->k->rules->relevance);
    const int64_t n_seq = p->run->batch->n_seq;
    const heedi_node *y = &p->y;
    heedi_ledger ledger;
    if (!b.fn || !y->op->conserves)
        return HEED_OK;
    HEEDI_TRY(heedi_ledger_init(&ledger, &p->mem, n_seq, y->id + 1, false));
    aim(p, y->x, NULL, (uint32_t)(y->id + 1) * 2654435761u | 1u);
    back(p, &b, &ledger);
    double in = dot(y->x, y->g, size(p, y)), out = 0, mass = 0;
    for (int i = 0; i < y->op->n_in; i++)
        if (!p->again[i] && !(b.stops & 1 << i)) {
            double r = dot(p->in[i].x, p->in[i].g, size(p, &p->in[i]));
            out += r;
            mass += fabs(r);
        }
    for (int64_t i = 0; i < n_seq; i++) {
        double kept = heedi_ledger_total(&ledger, i);
        out += kept;
        mass += fabs(kept);
    }
    double scale = fmax(in, mass);
    return heedi_check_worst(p->k, row, p->node->name,
                             scale > 0 ? fabs(in - out) / scale
                                       : fabs(in - out));
}

heed_status heedi_check_node(heedi_check *k, const heedi_run *run,
                             const heedi_node *y, heed_check_row *adjoint_row,
                             heed_check_row *rule_row)
{
    probe p = {.k = k, .run = run, .node = y};
    heedi_arena_init(&p.mem, k->ctx);
    heed_status st = cut_out(&p);
    if (st == HEED_OK)
        st = adjoint(&p, adjoint_row);
    if (st == HEED_OK)
        st = rule(&p, rule_row);
    heedi_arena_clear(&p.mem);
    return st;
}

/* ---- blocks ---- */

typedef struct walk {
    heedi_check *k;
    heed_check_row *adjoint, *rule;
} walk;

static bool chosen(const heedi_check *k, int64_t block)
{
    const int64_t layers = k->m->dim['L'], l = block - 1;
    if (l < 0 || l == layers || k->o->n_layers < 0)
        return true;
    for (int64_t i = 0; i < k->o->n_layers; i++)
        if (k->o->layers[i] == l)
            return true;
    return k->o->n_layers == 0 &&
           (l == 0 || l == layers / 2 || l == layers - 1);
}

/* Right after its forward pass a block has all its values. */
static heed_status visit(void *ud, heedi_exec *e, int64_t block)
{
    walk *w = ud;
    if (!chosen(w->k, block))
        return HEED_OK;
    for (const heedi_node *y = e->block[block].tape.first; y; y = y->next)
        if (y->op->n_in > 0)
            HEEDI_TRY(heedi_check_node(w->k, &e->run, y, w->adjoint, w->rule));
    return HEED_OK;
}

heed_status heedi_check_nodes(heedi_check *k)
{
    static const heedi_exec zero;
    heedi_exec e = zero;
    walk w = {.k = k};
    /* detail: all values are kept; recompute: of one block at a time */
    heedi_exec_options o = {.rules = k->rules->gradient,
                            .also = k->rules->relevance.rule,
                            .detail = true,
                            .recompute = true,
                            .segment = k->brief.segment,
                            .pixels = k->brief.pixels,
                            .opt = k->rules->opt};
    w.adjoint = heedi_check_row(
        k, "adjoint", "gradient of every operation against differences",
        heedi_check_tol(1e-3, 1e-8));
    w.rule = heedi_check_row(
        k, "rule", "relevance of every operation on values of one sign",
        heedi_check_tol(1e-4, 1e-10));
    HEEDI_TRY(heedi_check_shortened(k, w.adjoint));
    HEEDI_TRY(heedi_check_shortened(k, w.rule));
    HEEDI_TRY(heedi_exec_init(&e, k->ctx, k->m, k->brief.len, k->brief.n_seq,
                              k->brief.id, &o));
    heed_status st = heedi_exec_forward(&e, visit, &w);
    heedi_exec_clear(&e);
    return st;
}
