#include "attention.h"
#include "args.h"
#include "op.h"

/* O = softmax(scale Q K^T) V, causal, with grouped heads and a window.
 * Scores are formed in blocks of query rows and never kept: the log-sum-exp of
 * each row is, and the weights are recomputed from it. Block borders are
 * counted from the start of the sequence.
 *
 * Relevance (AttnLRP): a half for each factor of A V and of Q K^T and the plain
 * derivative of the softmax, so that q and k get 1/4 and v 1/2 of the standard
 * gradients; the softmax keeps kappa. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    const heedi_attention_args *a = y->args;
    if (!a || a->heads < 1 || a->kv_heads < 1 || a->heads % a->kv_heads != 0 ||
        y->in[0]->cols != a->heads * a->head_dim ||
        y->in[1]->cols != a->kv_heads * a->head_dim ||
        y->in[2]->cols != y->in[1]->cols)
        return heedi_bad_shapes(ctx, y);
    y->cols = y->in[0]->cols;
    return HEED_OK;
}

static size_t saved(const heedi_node *y, const heedi_batch *b)
{
    const heedi_attention_args *a = y->args;
    return (size_t)(b->rows * a->heads) * sizeof(heed_real);
}

static int64_t heads(const heedi_node *y)
{
    const heedi_attention_args *a = y->args;
    return a->heads;
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    heedi_attention_back(y, run, 1, 1, false);
}

static void relevance(const heedi_node *y, heedi_run *run)
{
    heedi_attention_back(y, run, (heed_real)0.25, (heed_real)0.5, true);
}

static double flops(const heedi_node *y, const heedi_batch *b)
{
    double pairs = 0;
    for (int64_t s = 0; s < b->n_seq; s++) {
        double t = (double)heedi_len(b, s);
        pairs += t * (t + 1) / 2;
    }
    return 4 * pairs * (double)y->cols;
}

static const heedi_attention_args plain = {3, 3, 4, 0.5, 0},
                                  grouped = {4, 2, 6, 0.4, 0},
                                  windowed = {2, 1, 2, 0.7, 3},
                                  uneven = {3, 2, 4, 0.5, 0};

const heedi_op heedi_op_attention = {
    .name = "attention",
    .formula = "O = softmax(s Q K^T) V",
    .n_in = 3,
    .conserves = true,
    .assigns = true,
    .vjp_needs = HEEDI_IN0 | HEEDI_IN1 | HEEDI_IN2 | HEEDI_OUT,
    .relevance_needs = HEEDI_IN0 | HEEDI_IN1 | HEEDI_IN2 | HEEDI_OUT,
    .examples =
        (const heedi_example[]){
            {.in = {12, 12, 12}, .args = &plain},
            {.in = {24, 12, 12}, .args = &grouped},
            {.in = {4, 2, 2}, .args = &windowed},
            {.in = {0}},
        },
    .refused =
        (const heedi_example[]){
            {.in = {12, 8, 8}, .args = &uneven},
            {.in = {12, 12, 11}, .args = &plain},
            {.in = {12, 12, 12}},
            {.in = {0}},
        },
    .infer = infer,
    .saved = saved,
    .scratch = heedi_attention_scratch,
    .forward = heedi_attention_forward,
    .vjp = vjp,
    .relevance = relevance,
    .mixing = heedi_attention_mixing,
    .heads = heads,
    .operand = 2,
    .state = heedi_attention_state,
    .state_init = heedi_attention_state_init,
    .flops = flops,
};
