#include "flow.h"
#include "method_flow.h"

/* A is the mean over heads of the positive part of M dM. Of an operation
 * y = M w, within each head, dM_ij = <g_i, w_j> with the plain gradient g of
 * its output: nothing needs to know what kind of operation it is. */

#define OPTIONS(O)            \
    HEEDI_FLOW_ROW_NORM(O)    \
    HEEDI_FLOW_START_LAYER(O) \
    HEEDI_FLOW_KIND(O)        \
    HEEDI_FLOW_SELF(O)
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};

static void entries(const heedi_flow *f, const heedi_node *y,
                    const heedi_view *v, heed_real *work[2])
{
    const int64_t n = v->nq * heedi_len(f->r.e->run.batch, v->seq);
    heedi_flow_products(f, y, v, y->g, work[0]);
    for (int64_t i = 0; i < n; i++) {
        const heed_real x = v->out[i] * work[0][i];
        v->out[i] = x > 0 ? x : 0;
    }
}

static void watch(void *ud, const heedi_exec *e, const heedi_node *y)
{
    (void)e;
    heedi_flow_layer(ud, y);
}

static heed_status passes(heedi_flow *f)
{
    heedi_exec *e = f->r.e;
    e->watch = watch;
    e->watch_ud = f;
    return heedi_exec_backward(e, NULL, NULL);
}

static heedi_flow_how how(const heedi_job *j)
{
    return (heedi_flow_how){
        .entries = entries,
        .gradient = true,
        .core = j->opt[opt_kind] != 0,
        .row_norm = j->opt[opt_row_norm] != 0 ? HEEDI_NORM_ON : HEEDI_NORM_OFF,
        .no_self = j->opt[opt_self] != 0,
        .start_layer = (int64_t)j->opt[opt_start_layer],
        .passes = passes};
}

static heed_status check(heedi_job *j)
{
    const heedi_flow_how h = how(j);
    j->o.watch_mixing = true;
    return heedi_flow_check(j, &h);
}

static heed_status run(heedi_job *j)
{
    const heedi_flow_how h = how(j);
    return heedi_run_flow(j, &h);
}

const heedi_method heedi_method_attention_x_gradient = {
    .info = {.name = "attention_x_gradient",
             .aliases = "attn_grad chefer2021b",
             .summary = "attention weights times their gradients, multiplied "
                        "over the layers",
             .cite = "Chefer et al. 2021, arXiv:2103.15679",
             .reduce = "",
             .options = options,
             .has_target = 1},
    .pass = HEEDI_GRADIENT,
    .mixing = true,
    .tokens_only = true,
    .units = "1",
    .check = check,
    .run = run,
};
