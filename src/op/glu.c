#include "args.h"
#include "choices.h"
#include "kernel.h"
#include "op.h"

#include <string.h>

/* y = f(a) u: a gated feed-forward unit. Under relevance the product of two
 * live factors gives a half to each and f passes R on unchanged, so that
 * ga = 1/2 u f(a)/a g and gu = 1/2 f(a) g; where f(0) != 0 the gate is held
 * constant and u takes all. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    if (!y->args || y->in[0]->cols != y->in[1]->cols)
        return heedi_bad_shapes(ctx, y);
    y->cols = y->in[0]->cols;
    return HEED_OK;
}

static const heedi_activation *activation(const heedi_node *y)
{
    const heedi_act_args *a = y->args;
    return a->f;
}

static const heedi_act_kernels *kernels(const heedi_node *y)
{
    return &heedi_vector()->act[activation(y)->kernel];
}

static void forward(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const heedi_act_kernels *f = kernels(y);
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        int64_t o = b->small[k].row * y->cols, n = b->small[k].n * y->cols;
        f->glu((size_t)n, y->in[0]->x + o, y->in[1]->x + o, y->x + o);
    }
}

enum { CHUNK = 512 };

/* The loops assign. Where somebody has written before, or nothing is to be
 * given, through a buffer. */
static void back(const heedi_node *y, const heedi_batch *b, heed_real c,
                 heed_real d, bool quotient, bool give_a)
{
    const heedi_act_kernels *f = kernels(y);
    const heedi_vector_table *v = heedi_vector();
    const heedi_node *a = y->in[0], *u = y->in[1];
    const bool fa = y->first[0] && give_a, fu = y->first[1];
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        int64_t end = (b->small[k].row + b->small[k].n) * y->cols;
        for (int64_t o = b->small[k].row * y->cols; o < end; o += CHUNK) {
            size_t n = (size_t)(end - o < CHUNK ? end - o : CHUNK);
            heed_real ta[CHUNK], tu[CHUNK];
            (quotient ? f->qglu : f->dglu)(n, a->x + o, u->x + o, y->g + o, c,
                                           d, fa ? a->g + o : ta,
                                           fu ? u->g + o : tu);
            if (!fa && give_a)
                v->addto(n, ta, a->g + o);
            if (!fu)
                v->addto(n, tu, u->g + o);
        }
    }
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    back(y, run->batch, 1, 1, false, true);
}

static void relevance(const heedi_node *y, heedi_run *run)
{
    heed_real half = (heed_real)0.5;
    bool constant = activation(y)->constant;
    back(y, run->batch, half, constant ? 1 : half, true, true);
}

void heedi_glu_constant(const heedi_node *y, heedi_run *run)
{
    back(y, run->batch, 0, 1, true, false);
}

/* Half to each factor, f(a) by one of two ways that lose something, which goes
 * into `gate`. */
static void back_by(const heedi_node *y, heedi_run *run, bool derivative)
{
    const heedi_batch *b = run->batch;
    const heedi_act_kernels *f = kernels(y);
    const heedi_vector_table *v = heedi_vector();
    const heedi_node *a = y->in[0], *u = y->in[1];
    const heed_real half = (heed_real)0.5;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        const int64_t end = (b->small[k].row + b->small[k].n) * y->cols;
        double lost = 0;
        for (int64_t o = b->small[k].row * y->cols; o < end; o += CHUNK) {
            const size_t n = (size_t)(end - o < CHUNK ? end - o : CHUNK);
            heed_real ga[CHUNK], gu[CHUNK];
            f->dglu(n, a->x + o, u->x + o, y->g + o, half, half, ga, gu);
            for (size_t i = 0; !derivative && i < n; i++) {
                const int64_t at = o + (int64_t)i;
                ga[i] = half * y->x[at] / (a->x[at] + HEEDI_LXT_EPS) * y->g[at];
            }
            lost += v->dot(n, y->x + o, y->g + o) - v->dot(n, a->x + o, ga) -
                    v->dot(n, u->x + o, gu);
            for (int side = 0; side < 2; side++) {
                heed_real *from = side ? gu : ga, *to = y->in[side]->g + o;
                if (y->first[side])
                    memcpy(to, from, n * sizeof *to);
                else
                    v->addto(n, from, to);
            }
        }
        run->partial[k] = lost;
    }
    for (int64_t k = 0; k < b->n_small; k++)
        heedi_deposit(run->ledger, b->small[k].seq, y->id, HEEDI_ENTRY_gate,
                      run->partial[k]);
}

void heedi_glu_derivative(const heedi_node *y, heedi_run *run)
{
    back_by(y, run, true);
}

void heedi_glu_lxt(const heedi_node *y, heedi_run *run)
{
    back_by(y, run, false);
}

static void gate(const heedi_node *y, const heedi_run *run, int64_t row,
                 int64_t n, heed_real *f)
{
    (void)run;
    kernels(y)->f((size_t)(n * y->cols), y->in[0]->x + row * y->cols, f);
}

static const heedi_factor factor = {.through = 1, .of = gate};

static const heedi_act_args silu = {
    &(const heedi_activation){"silu", "", HEEDI_ACT_silu, false}};
static const heedi_act_args tanh_ = {
    &(const heedi_activation){"tanh", "", HEEDI_ACT_tanh, false}};
static const heedi_act_args sigmoid = {
    &(const heedi_activation){"sigmoid", "", HEEDI_ACT_sigmoid, true}};

const heedi_op heedi_op_glu = {
    .name = "glu",
    .formula = "y = f(a) u",
    .rule = "1/2 to each factor, f(a)/a in the gate; a gate with f(0) not 0 is "
            "constant",
    .n_in = 2,
    .conserves = true,
    .assigns = true,
    .vjp_needs = HEEDI_IN0 | HEEDI_IN1,
    .relevance_needs = HEEDI_IN0 | HEEDI_IN1,
    .examples =
        (const heedi_example[]){
            {.in = {11, 11}, .args = &silu},
            {.in = {33, 33}, .args = &tanh_},
            {.in = {5, 5}, .args = &sigmoid},
            {.in = {0}},
        },
    .refused =
        (const heedi_example[]){{.in = {11, 12}, .args = &silu}, {.in = {0}}},
    .infer = infer,
    .forward = forward,
    .vjp = vjp,
    .relevance = relevance,
    .factor = &factor,
};
