#include "args.h"
#include "choices.h"
#include "kernel.h"
#include "op.h"
#include "threads.h"

#include <string.h>

/* y = f(x), element by element. Under relevance R_x = R_y: gx = f(x)/x g. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    if (!y->args)
        return heedi_bad_shapes(ctx, y);
    y->cols = y->in[0]->cols;
    return HEED_OK;
}

static const heedi_act_kernels *kernels(const heedi_node *y)
{
    const heedi_act_args *a = y->args;
    return &heedi_vector()->act[a->f->kernel];
}

static void forward(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const heedi_act_kernels *f = kernels(y);
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        int64_t o = b->small[k].row * y->cols, n = b->small[k].n * y->cols;
        f->f((size_t)n, y->in[0]->x + o, y->x + o);
    }
}

static void back(const heedi_node *y, const heedi_batch *b, bool quotient)
{
    const heedi_act_kernels *f = kernels(y);
    const heedi_node *x = y->in[0];
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        int64_t o = b->small[k].row * y->cols, n = b->small[k].n * y->cols;
        (quotient ? f->qf : f->df)((size_t)n, x->x + o, y->g + o, x->g + o);
    }
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    back(y, run->batch, false);
}

/* An f that is not 0 at 0 has no quotient: it is a constant, and what arrives
 * ends in the entry `gate`. */
static void relevance(const heedi_node *y, heedi_run *run)
{
    const heedi_act_args *a = y->args;
    heedi_ledger *l = run->ledger;
    if (a->f->constant && l)
        heedi_dot_rows(run, y->x, y->g, y->cols,
                       l->sink + y->id * HEEDI_N_ENTRIES + HEEDI_ENTRY_gate,
                       (int64_t)l->n_ops * HEEDI_N_ENTRIES);
    back(y, run->batch, true);
}

/* What arrives and does not go on, into `gate`; gx is added to in->g. */
typedef void each_fn(const heedi_node *y, int64_t o, size_t n, heed_real *gx);
enum { CHUNK = 512 };

static void back_by(const heedi_node *y, heedi_run *run, each_fn *fn)
{
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
    const heedi_node *x = y->in[0];
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        const int64_t end = (b->small[k].row + b->small[k].n) * y->cols;
        double lost = 0;
        for (int64_t o = b->small[k].row * y->cols; o < end; o += CHUNK) {
            const size_t n = (size_t)(end - o < CHUNK ? end - o : CHUNK);
            heed_real gx[CHUNK] = {0};
            fn(y, o, n, gx);
            lost += v->dot(n, y->x + o, y->g + o) - v->dot(n, x->x + o, gx);
            v->addto(n, gx, x->g + o);
        }
        run->partial[k] = lost;
    }
    for (int64_t k = 0; k < b->n_small; k++)
        heedi_deposit(run->ledger, b->small[k].seq, y->id, HEEDI_ENTRY_gate,
                      run->partial[k]);
}

static void derivative(const heedi_node *y, int64_t o, size_t n, heed_real *gx)
{
    kernels(y)->df(n, y->in[0]->x + o, y->g + o, gx);
}

void heedi_act_derivative(const heedi_node *y, heedi_run *run)
{
    back_by(y, run, derivative);
}

static void stabilised(const heedi_node *y, int64_t o, size_t n, heed_real *gx)
{
    for (size_t i = 0; i < n; i++)
        gx[i] = y->x[o + (int64_t)i] /
                (y->in[0]->x[o + (int64_t)i] + HEEDI_LXT_EPS) *
                y->g[o + (int64_t)i];
}

void heedi_act_lxt(const heedi_node *y, heedi_run *run)
{
    back_by(y, run, stabilised);
}

/* ---- as a factor: f(x)/x, of a constant activation 0 ---- */

static void quotient(const heedi_node *y, const heedi_run *run, int64_t row,
                     int64_t n, heed_real *f)
{
    heed_real one[CHUNK];
    (void)run;
    for (int i = 0; i < CHUNK; i++)
        one[i] = 1;
    for (int64_t o = 0, all = n * y->cols; o < all; o += CHUNK) {
        const size_t m = (size_t)(all - o < CHUNK ? all - o : CHUNK);
        memset(f + o, 0, m * sizeof *f);
        kernels(y)->qf(m, y->in[0]->x + row * y->cols + o, one, f + o);
    }
}

static void constant(const heedi_node *y, const heedi_run *run, int64_t row,
                     int64_t n, heed_real *rest)
{
    const heedi_act_args *a = y->args;
    (void)run;
    if (a->f->constant)
        kernels(y)->f((size_t)(n * y->cols), y->in[0]->x + row * y->cols, rest);
    else
        memset(rest, 0, (size_t)(n * y->cols) * sizeof *rest);
}

static const heedi_factor factor = {.of = quotient, .rest = constant};

static const heedi_act_args gelu = {
    &(const heedi_activation){"gelu", "", HEEDI_ACT_gelu, false}};
static const heedi_act_args softplus = {
    &(const heedi_activation){"softplus", "", HEEDI_ACT_softplus, true}};
static const heedi_act_args mish = {
    &(const heedi_activation){"mish", "", HEEDI_ACT_mish, false}};

const heedi_op heedi_op_act = {
    .name = "act",
    .formula = "y = f(x)",
    .rule = "g_x = f(x)/x g; constant where f(0) is not 0",
    .n_in = 1,
    .conserves = true,
    .vjp_needs = HEEDI_IN0,
    .relevance_needs = HEEDI_IN0 | HEEDI_OUT,
    .examples = (const heedi_example[]){{.in = {11}, .args = &gelu},
                                        {.in = {33}, .args = &mish},
                                        {.in = {4}, .args = &softplus},
                                        {.in = {0}}},
    .refused = (const heedi_example[]){{.in = {11}}, {.in = {0}}},
    .infer = infer,
    .forward = forward,
    .vjp = vjp,
    .relevance = relevance,
    .factor = &factor,
};
