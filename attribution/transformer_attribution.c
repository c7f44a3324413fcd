#include <string.h>

#include "choices.h"
#include "ctx.h"
#include "flow.h"
#include "method_flow.h"

/* A is the mean over heads of the positive part of dM R_M. Two backward passes:
 * the plain gradient g of the output of every mixing operation y = M w, which
 * is kept, and one in relevance form, in which R of y arrives. Then, within
 * each head,
 *     dM_ij = <g_i, w_j>,   R_M_ij = M_ij <(R/y)_i, w_j> / 2.
 * Of layers without softmax A is the mean over channels of the positive part of
 * g_i M_ij w_j, M being that of the block: there is no official code for
 * relevance of these matrices. */

#define OPTIONS(O)                                                             \
    HEEDI_FLOW_ROW_NORM(O)                                                     \
    HEEDI_FLOW_START_LAYER(O)                                                  \
    O(add_norm, "sample|batch", "sample", 0, 0,                                \
      "sums at residual connections are of an input, or, as in the "           \
      "official code, of all that run together")                               \
    O(conv_den, "joint|separate", "joint", 0, 0,                               \
      "convolutions: one denominator for both signs of the input; or, as the " \
      "official code, one for each, which passes R on twice")                  \
    HEEDI_FLOW_SELF(O)
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};

static const heedi_method_rule rules[] = {
    {&heedi_rule_tattr_linear, "*", {0}},
    {&heedi_rule_tattr_conv, NULL, {1 + opt_conv_den}},
    {&heedi_rule_tattr_add, NULL, {1 + opt_add_norm}},
    {&heedi_rule_tattr_gate, NULL, {0}},
    {&heedi_rule_tattr_product, NULL, {0}},
    {&heedi_rule_tattr_attention, NULL, {0}},
    {&heedi_rule_tattr_pass, NULL, {0}},
    {&heedi_rule_tattr_select, NULL, {0}},
    {&heedi_rule_tattr_recurrence, NULL, {0}},
    {0},
};

static void entries(const heedi_flow *f, const heedi_node *y,
                    const heedi_view *v, heed_real *work[2])
{
    const int64_t n = v->nq * heedi_len(f->r.e->run.batch, v->seq);
    heedi_flow_products(f, y, v, f->output[y->id], work[0]);
    heedi_flow_products(f, y, v, f->quotient, work[1]);
    for (int64_t i = 0; i < n; i++) {
        const heed_real x =
            (heed_real)0.5 * v->out[i] * work[0][i] * work[1][i];
        v->out[i] = x > 0 ? x : 0;
    }
}

static void keep_gradient(void *ud, const heedi_exec *e, const heedi_node *y)
{
    heedi_flow *f = ud;
    heedi_flow_matrix(f, y);
    memcpy(f->output[y->id], f->m.output->g,
           (size_t)(e->batch.rows * y->cols) * sizeof *y->g);
}

static void watch(void *ud, const heedi_exec *e, const heedi_node *y)
{
    heedi_flow *f = ud;
    const int64_t n = y->op->mixing->softmax ? e->batch.rows * y->cols : 0;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        f->quotient[i] = heedi_form_ratio(y->g[i], y->x[i]);
    heedi_flow_layer(f, y);
}

static heed_status pass(heedi_flow *f, heedi_watch_fn *watch_fn)
{
    f->r.e->watch = watch_fn;
    f->r.e->watch_ud = f;
    return heedi_exec_backward(f->r.e, NULL, NULL);
}

/* Are there layers that need relevance? */
static bool attends(const heedi_exec *e)
{
    for (int64_t b = 0; b < e->n_blocks; b++)
        for (const heedi_node *y = NULL;
             (y = heedi_next_mixing(&e->block[b].tape, y));)
            if (y->op->mixing->softmax)
                return true;
    return false;
}

static heed_status passes(heedi_flow *f)
{
    heedi_exec *e = f->r.e;
    const heedi_rules form = e->o.rules;
    e->o.rules.rule = NULL;
    heed_status st = heedi_rounds_again(&f->r);
    if (st == HEED_OK)
        st = pass(f, keep_gradient);
    e->o.rules = form;
    HEEDI_TRY(st);
    if (!attends(e))
        return heedi_flow_revisit(f);
    HEEDI_TRY(heedi_rounds_again(&f->r));
    return pass(f, watch);
}

static heedi_flow_how how(const heedi_job *j)
{
    return (heedi_flow_how){
        .entries = entries,
        .gradient = true,
        .row_norm = j->opt[opt_row_norm] != 0 ? HEEDI_NORM_ON : HEEDI_NORM_OFF,
        .no_self = j->opt[opt_self] != 0,
        .start_layer = (int64_t)j->opt[opt_start_layer],
        .outputs = true,
        .passes = passes};
}

/* Relevance at the logits is the seed. That of all other targets adds up to 0,
 * and so would, by the rule of sums, everything before. */
static heed_status only_logits(const heedi_job *j)
{
    for (int64_t s = 0; s < j->n; s++)
        for (int64_t k = 0; k < j->n_targets[s]; k++) {
            const heedi_target_kind *t =
                heedi_target_kind_of(j->q->model, &j->target[s][k]);
            if (j->o.center ||
                (t && (t->all || t->info.contrast || t->info.pair)))
                return heedi_fail(j->ctx, HEED_EINVAL,
                                  "%s: explains logits as they are, not %s",
                                  j->info->name,
                                  j->o.center ? "less a mean" : t->info.name);
        }
    return HEED_OK;
}

static heed_status check(heedi_job *j)
{
    const heedi_flow_how h = how(j);
    HEEDI_TRY(only_logits(j));
    j->o.watch_mixing = true;
    j->o.plain = true;
    return heedi_flow_check(j, &h);
}

struct search {
    heedi_rules rules;
    const heedi_op **op; /* the one that is found */
};

/* An operation that passes something on and for which there is no row. */
static bool is_missing(const heedi_node *y, const void *arg)
{
    const struct search *s = arg;
    if (y->op->n_in == 0 || heedi_back_of(y, s->rules).rule)
        return false;
    *s->op = y->op;
    return true;
}

static bool softmax(const heedi_node *y, const void *arg)
{
    (void)arg;
    return y->op->mixing && y->op->mixing->softmax;
}

static heed_status settled(heedi_job *j)
{
    const heedi_op *op = NULL;
    const struct search s = {j->o.rules, &op};
    bool found;
    HEEDI_TRY(heedi_model_has(j->ctx, j->q->model, softmax, NULL, &found));
    if (!found)
        return HEED_OK;
    HEEDI_TRY(heedi_model_has(j->ctx, j->q->model, is_missing, &s, &found));
    if (!found)
        return HEED_OK;
    return heedi_fail(j->ctx, HEED_ENOTSUP,
                      "%s: has no rule for operation %s of '%s' models",
                      j->info->name, op->name, j->q->model->family->info.name);
}

static heed_status run(heedi_job *j)
{
    const heedi_flow_how h = how(j);
    return heedi_run_flow(j, &h);
}

const heedi_method heedi_method_transformer_attribution = {
    .info = {.name = "transformer_attribution",
             .aliases = "tattr chefer2021a",
             .summary = "relevance of attention weights times their gradients, "
                        "multiplied over the layers",
             .cite = "Chefer et al. 2021, arXiv:2012.09838",
             .reduce = "",
             .options = options,
             .has_target = 1},
    .pass = HEEDI_GRADIENT,
    .rules = rules,
    .mixing = true,
    .tokens_only = true,
    .units = "1",
    .check = check,
    .settled = settled,
    .run = run,
};
