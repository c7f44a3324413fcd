#include "args.h"
#include "kernel.h"
#include "op.h"
#include "threads.h"

/* y = sigmoid(a) u: a gate that says how much of u passes. Relevance holds it
 * constant, unlike the factors of glu: u takes all, and what computes a needs
 * no backward pass. Output and gradient are those of glu. */

static const heedi_act_args sigmoid = {
    &(const heedi_activation){"sigmoid", "", HEEDI_ACT_sigmoid, true}};

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    if (y->args || y->in[0]->cols != y->in[1]->cols)
        return heedi_bad_shapes(ctx, y);
    y->args = &sigmoid;
    y->cols = y->in[0]->cols;
    return HEED_OK;
}

static void forward(const heedi_node *y, heedi_run *run)
{
    heedi_op_glu.forward(y, run);
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    heedi_op_glu.vjp(y, run);
}

enum { CHUNK = 512 };

/* gu += sigmoid(a) g; u is not read. */
static void relevance(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
    const heed_real *a = y->in[0]->x;
    heed_real *gu = y->in[1]->g;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        const int64_t end = (b->small[k].row + b->small[k].n) * y->cols;
        for (int64_t o = b->small[k].row * y->cols; o < end; o += CHUNK) {
            const size_t n = (size_t)(end - o < CHUNK ? end - o : CHUNK);
            heed_real room[CHUNK], *to = y->first[1] ? gu + o : room;
            v->act[HEEDI_ACT_sigmoid].glu(n, a + o, y->g + o, to);
            if (!y->first[1])
                v->addto(n, room, gu + o);
        }
    }
}

static void of(const heedi_node *y, const heedi_run *run, int64_t row,
               int64_t n, heed_real *f)
{
    (void)run;
    heedi_vector()->act[HEEDI_ACT_sigmoid].f((size_t)(n * y->cols),
                                             y->in[0]->x + row * y->cols, f);
}

static const heedi_factor factor = {.through = 1, .of = of};

const heedi_op heedi_op_gate = {
    .name = "gate",
    .formula = "y = sigmoid(a) u",
    .rule = "sigmoid(a) constant: all to u",
    .n_in = 2,
    .conserves = true,
    .assigns = true,
    .vjp_needs = HEEDI_IN0 | HEEDI_IN1,
    .relevance_needs = HEEDI_IN0,
    .relevance_stops = HEEDI_IN0,
    .examples = (const heedi_example[]){{.in = {11, 11}},
                                        {.in = {530, 530}},
                                        {.in = {0}}},
    .refused = (const heedi_example[]){{.in = {11, 12}}, {.in = {0}}},
    .infer = infer,
    .forward = forward,
    .vjp = vjp,
    .relevance = relevance,
    .factor = &factor,
};
