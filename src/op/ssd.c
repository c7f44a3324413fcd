#include "ssd.h"
#include "args.h"
#include "op.h"

/* The state space of Mamba 2 (Dao and Gu 2024, arXiv:2405.21060), inputs x,
 * dt >= 0, B, C; head h of P columns, group g of N states:
 *     S_t = exp(A_h dt_t) S_{t-1} + dt_t x_t B_t^T,   y_t = S_t C_t + D_h x_t.
 * In a chunk of 64 steps, with L[r][c] = exp(A (dt_{c+1} + ... + dt_r)):
 *     Y = (C B^T * L diag(dt)) X + diag(exp(A (dt_0 + ... + dt_r))) C S^T.
 * Relevance holds dt, B and C constant, as in `scan`.
 *
 * Memory besides inputs and outputs, in values, for H heads, E = H P. Kept for
 * the full gradient alone: the state before every chunk, E N / 64 for each
 * token; relevance keeps nothing. Working memory: C B^T of 8 chunks, 32768 for
 * each group; E N, and for up to 8 chunks E N more; for each thread 16640, 128
 * times the larger of N and P, and T doubles. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    const heedi_ssd_args *a = y->args;
    if (!a || a->heads < 1 || a->head_dim < 1 || a->groups < 1 ||
        a->n_state < 1 || a->heads % a->groups != 0 ||
        y->in[0]->cols != a->heads * a->head_dim ||
        y->in[1]->cols != a->heads ||
        y->in[2]->cols != a->groups * a->n_state ||
        y->in[3]->cols != a->groups * a->n_state)
        return heedi_bad_shapes(ctx, y);
    y->cols = y->in[0]->cols;
    return HEED_OK;
}

static void state_init(const heedi_node *y, int64_t len)
{
    (void)y; /* zeros */
    (void)len;
}

static const heed_real decay[] = {(heed_real)-0.2, (heed_real)-0.05,
                                  (heed_real)-0.1, (heed_real)-0.15},
                       skip[] = {(heed_real)0.8, (heed_real)-0.3, 1, 0};
static const heedi_ssd_args small = {2, 3, 1, 5, decay, skip},
                            grouped = {4, 5, 2, 3, decay, skip},
                            single = {1, 1, 1, 1, decay, skip};

const heedi_op heedi_op_ssd = {
    .name = "ssd",
    .formula = "S = exp(dt A) S + dt x B^T, y = S C + D x, A and D of a head",
    .rule = "dt, B, C constant: all to x",
    .n_in = 4,
    .quotient = HEEDI_BY_MAP,
    .conserves = true,
    .assigns = true,
    .vjp_needs = HEEDI_IN0 | HEEDI_IN1 | HEEDI_IN2 | HEEDI_IN3,
    .relevance_needs = HEEDI_IN1 | HEEDI_IN2 | HEEDI_IN3,
    .relevance_stops = HEEDI_IN1 | HEEDI_IN2 | HEEDI_IN3,
    .examples =
        (const heedi_example[]){
            {.in = {6, 2, 5, 5}, .args = &small},
            {.in = {20, 4, 6, 6}, .args = &grouped},
            {.in = {1, 1, 1, 1}, .args = &single},
            {.in = {0}},
        },
    .refused =
        (const heedi_example[]){
            {.in = {7, 2, 5, 5}, .args = &small},
            {.in = {6, 3, 5, 5}, .args = &small},
            {.in = {6, 2, 5, 6}, .args = &small},
            {.in = {6, 2, 5, 5}},
            {.in = {0}},
        },
    .infer = infer,
    .saved = heedi_ssd_saved,
    .saved_for_vjp = true,
    .scratch = heedi_ssd_scratch,
    .forward = heedi_ssd_forward,
    .vjp = heedi_ssd_vjp,
    .relevance = heedi_ssd_relevance,
    .mixing = &heedi_ssd_mixing,
    .state = heedi_ssd_state,
    .state_init = state_init,
    .flops = heedi_ssd_flops,
};
