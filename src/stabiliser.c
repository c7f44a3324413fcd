#include "stabiliser.h"

#include "args.h"

/* Quotients by: a map, a sum, a norm; of attention, Q K^T and A V. An
 * official product of two factors divides by 2 z + eps, which is half of eps
 * here. */
static const heedi_stabiliser table[] = {
    {.source = "LXT, lxt/explicit: models/llama.py, functional.py",
     .eps = {[HEEDI_BY_MAP] = 1e-8,
             [HEEDI_BY_SUM] = 1e-8,
             [HEEDI_BY_NORM] = 1e-6,
             [HEEDI_BY_SCORES] = 5e-9,
             [HEEDI_BY_VALUES] = 1e-6}},
    {.source = "PE-AWARE-LRP, modules/layers_ours.py",
     .eps = {[HEEDI_BY_MAP] = 1e-8,
             [HEEDI_BY_SUM] = 1e-6,
             [HEEDI_BY_NORM] = HEEDI_OWN_EPS,
             [HEEDI_BY_SCORES] = 5e-7,
             [HEEDI_BY_VALUES] = 5e-7},
     .gamma = 1e-6},
    {.source = "Transformer-Explainability, safe_divide",
     .eps = {[HEEDI_BY_MAP] = 1e-9,
             [HEEDI_BY_SUM] = 1e-9,
             [HEEDI_BY_NORM] = 1e-9,
             [HEEDI_BY_SCORES] = 1e-9,
             [HEEDI_BY_VALUES] = 1e-9}},
    {.source = "zennit, core.py",
     .has_sign = true,
     .eps = {[HEEDI_BY_MAP] = 1e-6,
             [HEEDI_BY_SUM] = 1e-6,
             [HEEDI_BY_NORM] = 1e-6,
             [HEEDI_BY_SCORES] = 1e-6,
             [HEEDI_BY_VALUES] = 1e-6},
     .gamma = 1e-6},
};

const heedi_stabiliser *heedi_stabiliser_at(double i)
{
    return i > 0 ? &table[(int)i - 1] : NULL;
}

double heedi_stabiliser_eps(const heedi_stabiliser *s, const heedi_node *y)
{
    const double eps = s->eps[y->op->quotient];
    return eps == HEEDI_OWN_EPS ? y->op->eps(y) : eps;
}

bool heedi_stabilises(const heedi_stabiliser *s, const heedi_node *y,
                      const heedi_back *b)
{
    const bool own = b->rule && !b->rule->op;
    return s && !own && heedi_stabiliser_eps(s, y) != 0;
}

void heedi_stabilise(const heedi_node *y, const heedi_run *run, double eps)
{
    const heedi_batch *b = run->batch;
    const heedi_stabiliser *s = run->stab;
    const heedi_columns c =
        y->op->divided ? y->op->divided(y) : (heedi_columns){y->cols, y->cols};
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        const heedi_tile t = b->small[k];
        double lost = 0;
        for (int64_t i = t.row * y->cols; i < (t.row + t.n) * y->cols; i++) {
            if (i % c.of >= c.n)
                continue;
            const double z = (double)y->x[i], g = (double)y->g[i];
            const double to = g * heedi_stabiliser_factor(s, eps, z);
            lost += z * (g - to);
            y->g[i] = (heed_real)to;
        }
        run->partial[k] = lost;
    }
    for (int64_t k = 0; run->ledger && k < b->n_small; k++)
        heedi_deposit(run->ledger, b->small[k].seq, y->id, HEEDI_ENTRY_eps,
                      run->partial[k]);
}
