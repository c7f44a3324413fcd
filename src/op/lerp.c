#include "shift.h"

/* The token shift of RWKV-6 (Peng et al. 2024, arXiv:2404.05892), inputs n and
 * m:  y_t = n_t + (mu + m_t) (n_{t-1} - n_t),  n_{-1} = 0 or the state.
 * The vector is mu. Relevance holds m, which is made of n, constant: all goes
 * to n. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    if (!y->vec || y->n_vec != y->in[0]->cols ||
        y->in[1]->cols != y->in[0]->cols)
        return heedi_bad_shapes(ctx, y);
    y->cols = y->in[0]->cols;
    return HEED_OK;
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    heedi_shift_back(y, run);
    heedi_shift_back_weight(y, run);
}

const heedi_op heedi_op_lerp = {
    .name = "lerp",
    .formula = "y[t] = n[t] + (mu + m[t]) (n[t-1] - n[t])",
    .rule = "m constant: all to n",
    .n_in = 2,
    .quotient = HEEDI_BY_SUM,
    .conserves = true,
    .vjp_needs = HEEDI_IN0 | HEEDI_IN1,
    .relevance_needs = HEEDI_IN1,
    .relevance_stops = HEEDI_IN1,
    .examples = (const heedi_example[]){{.in = {5, 5}, .n_vec = 5},
                                        {.in = {1, 1}, .n_vec = 1},
                                        {.in = {530, 530}, .n_vec = 530},
                                        {.in = {0}}},
    .refused = (const heedi_example[]){{.in = {5, 5}, .n_vec = 4},
                                       {.in = {5, 4}, .n_vec = 5},
                                       {.in = {5, 5}},
                                       {.in = {0}}},
    .infer = infer,
    .forward = heedi_shift_forward,
    .vjp = vjp,
    .relevance = heedi_shift_back,
    .state = heedi_shift_state,
    .state_init = heedi_shift_state_init,
};
