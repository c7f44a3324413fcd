#include "method_hidden.h"

#include <math.h>
#include <string.h>

#include "ctx.h"
#include "flow.h"

enum { HEEDI_HIDDEN_OPTIONS(HEEDI_OPTION_INDEX) };

/* ---- what the options mean ---- */

typedef struct sense {
    bool code, core, vector, positive, hidden_code, greatest, residual, column;
    bool by_block, after, clamp;
} sense;

/* An option auto|no|yes, and what auto is. */
static bool chosen(const heedi_job *j, int option, bool if_auto)
{
    return j->opt[option] == 0 ? if_auto : j->opt[option] == 2;
}

static sense sense_of(const heedi_job *j, bool core)
{
    sense s = {.code = j->opt[opt_form] != 0};
    s.core = !chosen(j, opt_kind, !core);
    s.vector = chosen(j, opt_rollout, s.code);
    s.positive = chosen(j, opt_head, s.code);
    s.hidden_code = chosen(j, opt_s6_row, s.code && s.core);
    s.greatest = chosen(j, opt_grad_reduce, s.code);
    s.residual = j->opt[opt_grad_site] != 0;
    s.column = chosen(j, opt_grad_axis, s.code);
    const int norm = (int)j->opt[opt_norm];
    s.by_block = norm == 2 || (norm == 0 && s.code && s.core);
    s.after = norm == 3 || (norm == 0 && s.code && !s.core);
    s.clamp = j->opt[opt_clamp] == 0 ? s.code : j->opt[opt_clamp] == 1;
    return s;
}

static sense meant(const heedi_flow *f)
{
    return sense_of(f->r.j, f->how.core);
}

/* ---- gradients of tokens ---- */

/* x becomes (x - least) / (greatest - least), or 0 where all are the same;
 * false then. */
static bool min_max(double *x, int64_t n)
{
    double low = HUGE_VAL, high = -HUGE_VAL;
    for (int64_t i = 0; i < n; i++) {
        low = fmin(low, x[i]);
        high = fmax(high, x[i]);
    }
    for (int64_t i = 0; i < n; i++)
        x[i] = high > low ? (x[i] - low) / (high - low) : 0;
    return high > low;
}

/* g: (rows, cols), of a layer */
static void reduce(heedi_flow *f, int64_t layer, const heed_real *g,
                   int64_t cols)
{
    const heedi_batch *b = &f->r.e->batch;
    double *s = f->token + layer * b->rows;
    const bool greatest = meant(f).greatest;
    double means = 0, all = 0; /* in any order: only their size counts */
#pragma omp parallel for schedule(static) reduction(+ : means, all)
    for (int64_t r = 0; r < b->rows; r++) {
        double sum = 0, most = 0;
        for (int64_t i = 0; i < cols; i++) {
            const double x = (double)g[r * cols + i];
            sum += x;
            all += fabs(x);
            most = x > most ? x : most;
        }
        s[r] = greatest ? most : sum / (double)cols;
        means += fabs(sum);
    }
    /* nothing but rounding, as behind a LayerNorm, whose gradient has no mean
     */
    f->vanished += !greatest && means <= 1e-5 * all;
    for (int64_t q = 0; greatest && q < b->n_seq; q++)
        if (f->at[q] >= 0)
            min_max(s + b->start[q], heedi_len(b, q));
}

static void watch(void *ud, const heedi_exec *e, const heedi_node *y)
{
    (void)e;
    reduce(ud, y->layer, y->g, y->cols);
}

static heed_status visit(void *ud, heedi_exec *e, int64_t b)
{
    if (b >= 1 && b <= e->m->dim['L'])
        reduce(ud, b - 1, heedi_exec_g(e, b - 1), e->m->dim['C']);
    return HEED_OK;
}

/* ---- matrices and rows ---- */

static double scale_of(const heedi_flow *f, bool column, int64_t layer,
                       int64_t row0, int64_t i, int64_t c)
{
    return f->token[layer * f->r.e->batch.rows + row0 + (column ? c : i)];
}

static void finish(const heedi_flow *f, const heedi_node *y,
                   const heedi_view *v)
{
    const heedi_batch *b = &f->r.e->batch;
    const int64_t len = heedi_len(b, v->seq), row0 = b->start[v->seq];
    const bool column = meant(f).column;
    for (int64_t i = 0; i < v->nq; i++)
        for (int64_t c = 0; c < len; c++) {
            const double x = (double)v->out[i * len + c] *
                             scale_of(f, column, y->layer, row0, v->q0 + i, c);
            v->out[i * len + c] = x > 0 ? (heed_real)x : 0;
        }
}

/* The released row is that of a sequence whose explained step has size 0: its
 * decay is 1, and nothing enters there. */
static bool step_off(const heedi_flow *f, const heedi_view *v, bool off)
{
    const int step = f->m.y->op->mixing->step;
    if (step == 0)
        return false;
    const heedi_node *dt = f->m.y->in[step];
    heed_real *x = dt->x + (f->r.e->batch.start[v->seq] + v->q0) * dt->cols;
    const size_t n = (size_t)dt->cols * sizeof *x;
    memcpy(off ? f->post : x, off ? x : f->post, n);
    if (off)
        memset(x, 0, n);
    return true;
}

/* Less the least entry of all channels, over their range. */
static void over_block(heedi_flow *f, const heedi_view *v, bool positive,
                       double *x)
{
    const int64_t len = heedi_len(&f->r.e->batch, v->seq);
    double low = HUGE_VAL, high = -HUGE_VAL;
    for (int side = 0; side < 2; side++) {
        heedi_flow_fused(f, side ? HEEDI_FUSE_MAX : HEEDI_FUSE_MIN, v);
        for (int64_t c = 0; c < len; c++) {
            double a = (double)v->out[c];
            a = positive && a < 0 ? 0 : a;
            low = fmin(low, a);
            high = fmax(high, a);
        }
    }
    for (int64_t c = 0; c < len; c++)
        x[c] = high > low ? (x[c] - low) / (high - low) : 0;
}

static void row(heedi_flow *f, const heedi_node *y, const heedi_view *v)
{
    const sense s = meant(f);
    const heedi_batch *b = &f->r.e->batch;
    const int64_t len = heedi_len(b, v->seq), row0 = b->start[v->seq];
    double *x = f->next;
    const bool off = s.hidden_code && step_off(f, v, true);
    heedi_flow_fused(f, s.positive ? HEEDI_FUSE_POSITIVE : HEEDI_FUSE_MEAN, v);
    for (int64_t c = 0; c < len; c++)
        x[c] = (double)v->out[c];
    if (s.by_block)
        over_block(f, v, s.positive, x);
    if (off)
        step_off(f, v, false);
    for (int64_t c = 0; c < len; c++)
        x[c] *= scale_of(f, s.column, y->layer, row0, v->q0, c);
    if (s.after)
        min_max(x, len);
    for (int64_t c = 0; c < len; c++)
        v->out[c] = (heed_real)x[c];
}

/* ---- a round ---- */

static heed_status passes(heedi_flow *f)
{
    const sense s = meant(f);
    heedi_exec *e = f->r.e;
    e->watch = s.residual ? NULL : watch;
    e->watch_ud = f;
    f->vanished = 0;
    HEEDI_TRY(heedi_exec_backward(e, s.residual ? visit : NULL, f));
    if (f->vanished == e->m->dim['L'])
        heedi_warn(e->ctx,
                   "%s: the mean of gradients over columns is 0 in all layers, "
                   "as a LayerNorm behind them makes it: grad_reduce max has "
                   "positive parts",
                   f->r.j->info->name);
    HEEDI_TRY(heedi_flow_revisit(f));
    for (int64_t r = 0; s.clamp && r < e->batch.rows; r++)
        f->v[r] = f->v[r] > 0 ? f->v[r] : 0;
    return HEED_OK;
}

static heedi_flow_how how(const heedi_job *j, bool core)
{
    const sense s = sense_of(j, core);
    const int64_t first = (int64_t)j->opt[opt_start_layer];
    return (heedi_flow_how){
        .finish = finish,
        .row = row,
        .heads = s.positive ? HEEDI_FUSE_POSITIVE : HEEDI_FUSE_MEAN,
        .form = s.vector ? HEEDI_FORM_VECTOR : HEEDI_FORM_MATRIX,
        .row_norm = j->opt[opt_row_norm] != 0 ? HEEDI_NORM_ON : HEEDI_NORM_OFF,
        .core = s.core,
        .no_softmax = j->opt[opt_hybrid] != 0,
        .no_self = j->opt[opt_self] != 0,
        .start_layer = first >= 0 ? first
                       : s.code   ? j->q->model->dim['L'] * 5 / 8
                                  : 0,
        .tokens = true,
        .passes = passes};
}

static bool recurrent(const heedi_node *y, const void *nothing)
{
    (void)nothing;
    return y->op->mixing && !y->op->mixing->softmax;
}

static bool sized(const heedi_node *y, const void *nothing)
{
    (void)nothing;
    return y->op->mixing && y->op->mixing->sizes;
}

/* HEED_EINVAL: an option that nothing in the model is meant by. */
static heed_status check_model(const heedi_job *j)
{
    bool has;
    HEEDI_TRY(heedi_model_has(j->ctx, j->q->model, recurrent, NULL, &has));
    if (j->opt[opt_hybrid] != 0 && !has)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: hybrid recurrent: '%s' models have no layer "
                          "without softmax",
                          j->info->name, j->q->model->family->info.name);
    HEEDI_TRY(heedi_model_has(j->ctx, j->q->model, sized, NULL, &has));
    if (j->o.raw && !has)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: variant raw is of Mamba 2 and RecurrentGemma",
                          j->info->name);
    return HEED_OK;
}

heed_status heedi_hidden_check(heedi_job *j, bool core)
{
    const heedi_flow_how h = how(j, core);
    const sense s = sense_of(j, core);
    j->o.watch_output = !s.residual;
    j->o.raw = j->opt[opt_variant] != 0;
    if (j->o.raw && s.hidden_code)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: s6_row hidden_code leaves out the size of one "
                          "step, variant raw of all: one of the two",
                          j->info->name);
    HEEDI_TRY(check_model(j));
    return heedi_flow_check(j, &h);
}

heed_status heedi_hidden_run(heedi_job *j, bool core)
{
    const heedi_flow_how h = how(j, core);
    return heedi_run_flow(j, &h);
}
