#include "rglru.h"

#include "args.h"

/* The real-gated linear recurrent unit of Griffin (De et al. 2024,
 * arXiv:2402.19427), inputs x and the gates before their sigmoids, p and r:
 *     log a = rate sigmoid(r),  m = (1 - a^2)^1/2,  i = sigmoid(p)
 *     h_t = a h_{t-1} + m i x;  at position 0 a = 0 and m = 1.
 * Relevance holds a, m and i constant: everything goes to x, and the gates need
 * no backward. The gradient of the root is the reference's, which divides by
 * max(2 m, 1e-3): it differs from the mathematics where 1 - a^2 < 2.5e-7.
 *
 * The state is the output, so nothing is kept: the gradient reads y. Tasks are
 * groups of channels, so that no sum crosses threads. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    const heedi_rglru_args *a = y->args;
    if (!a || y->in[0]->cols != a->channels || y->in[1]->cols != a->channels ||
        y->in[2]->cols != a->channels)
        return heedi_bad_shapes(ctx, y);
    y->cols = a->channels;
    return HEED_OK;
}

int64_t heedi_rglru_groups(const heedi_node *y)
{
    return (y->cols + HEEDI_LANES - 1) / HEEDI_LANES;
}

heedi_rglru heedi_rglru_part(const heedi_node *y, const heedi_batch *b,
                             int64_t seq, int64_t group, int64_t *at)
{
    const heedi_rglru_args *a = y->args;
    const int64_t c0 = group * HEEDI_LANES, left = y->cols - c0;
    *at = b->start[seq] * y->cols + c0;
    return (heedi_rglru){.len = heedi_len(b, seq),
                         .ld = y->cols,
                         .lanes = left < HEEDI_LANES ? left : HEEDI_LANES,
                         .fresh = b->pos0 == 0,
                         .x = y->in[0]->x + *at,
                         .in = y->in[1]->x + *at,
                         .rec = y->in[2]->x + *at,
                         .rate = a->rate + c0};
}

static void forward(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t g = 0; g < heedi_rglru_groups(y); g++) {
            int64_t at;
            heed_real zero[HEEDI_LANES] = {0};
            const heedi_rglru s = heedi_rglru_part(y, b, seq, g, &at);
            heed_real *state = heedi_state(y, seq);
            heedi_rglru_kernels()->forward(
                &s, state ? state + g * HEEDI_LANES : zero, y->x + at);
        }
}

static void relevance(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t g = 0; g < heedi_rglru_groups(y); g++) {
            int64_t at;
            const heedi_rglru s = heedi_rglru_part(y, b, seq, g, &at);
            heedi_rglru_kernels()->relevance(&s, y->g + at, y->in[0]->g + at,
                                             !y->first[0]);
        }
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t g = 0; g < heedi_rglru_groups(y); g++) {
            int64_t at;
            const heedi_rglru s = heedi_rglru_part(y, b, seq, g, &at);
            const heedi_rglru_grad to = {.x = y->in[0]->g + at,
                                         .in = y->in[1]->g + at,
                                         .rec = y->in[2]->g + at,
                                         .add_x = !y->first[0],
                                         .add_in = !y->first[1],
                                         .add_rec = !y->first[2]};
            heedi_rglru_kernels()->vjp(&s, y->x + at, y->g + at, &to);
        }
}

static size_t state(const heedi_node *y, int64_t len)
{
    (void)len;
    return (size_t)heedi_rglru_groups(y) * HEEDI_LANES * sizeof(heed_real);
}

static void state_init(const heedi_node *y, int64_t len)
{
    (void)y; /* zeros */
    (void)len;
}

/* Three exponentials, a root and two quotients for each value. */
static double flops(const heedi_node *y, const heedi_batch *b)
{
    return 60.0 * (double)b->rows * (double)y->cols;
}

#define R8(a)                                                         \
    (heed_real)(a), (heed_real)(3 * a), (heed_real)(0.2 * a),         \
        (heed_real)(5 * a), (heed_real)(0.1 * a), (heed_real)(8 * a), \
        (heed_real)(2 * a), (heed_real)(0.5 * a)
static const heed_real rate[32] = {R8(-0.4), R8(-0.7), R8(-0.2), R8(-0.5)};
static const heedi_rglru_args small = {3, rate}, wide = {18, rate},
                              single = {1, rate};

const heedi_op heedi_op_rglru = {
    .name = "rglru",
    .formula = "h = a h + (1 - a^2)^1/2 i x, a = exp(rate f(r)), i = f(p)",
    .rule = "a, i constant: all to x",
    .n_in = 3,
    .quotient = HEEDI_BY_MAP,
    .conserves = true,
    .assigns = true,
    .vjp_needs = HEEDI_IN0 | HEEDI_IN1 | HEEDI_IN2 | HEEDI_OUT,
    .relevance_needs = HEEDI_IN1 | HEEDI_IN2,
    .relevance_stops = HEEDI_IN1 | HEEDI_IN2,
    .examples =
        (const heedi_example[]){
            {.in = {3, 3, 3}, .args = &small},
            {.in = {18, 18, 18}, .args = &wide},
            {.in = {1, 1, 1}, .args = &single},
            {.in = {0}},
        },
    .refused =
        (const heedi_example[]){
            {.in = {3, 4, 3}, .args = &small},
            {.in = {3, 3, 2}, .args = &small},
            {.in = {4, 4, 4}, .args = &small},
            {.in = {3, 3, 3}},
            {.in = {0}},
        },
    .infer = infer,
    .forward = forward,
    .vjp = vjp,
    .relevance = relevance,
    .state = state,
    .mixing = &heedi_rglru_mixing,
    .state_init = state_init,
    .flops = flops,
};
