#include "shift.h"

/* The token shift of RWKV-4 (Peng et al. 2023, arXiv:2305.13048):
 *     y_t = n_t + mu (n_{t-1} - n_t),  n_{-1} = 0 or the state.
 * The vector is mu, the weight of the row before. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    if (!y->vec || y->n_vec != y->in[0]->cols)
        return heedi_bad_shapes(ctx, y);
    y->cols = y->in[0]->cols;
    return HEED_OK;
}

const heedi_op heedi_op_shift = {
    .name = "shift",
    .formula = "y[t] = n[t] + mu (n[t-1] - n[t])",
    .n_in = 1,
    .quotient = HEEDI_BY_SUM,
    .conserves = true,
    .examples = (const heedi_example[]){{.in = {5}, .n_vec = 5},
                                        {.in = {1}, .n_vec = 1},
                                        {.in = {530}, .n_vec = 530},
                                        {.in = {0}}},
    .refused = (const heedi_example[]){{.in = {5}, .n_vec = 4},
                                       {.in = {5}},
                                       {.in = {0}}},
    .infer = infer,
    .forward = heedi_shift_forward,
    .vjp = heedi_shift_back,
    .state = heedi_shift_state,
    .state_init = heedi_shift_state_init,
};
