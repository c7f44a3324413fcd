#include "attention.h"
#include "args.h"
#include "op.h"

/* O = softmax(scale Q K^T + b) V, causal or not, with grouped heads, a window,
 * b by head and distance, and relative keys: Q E[distance] and K F[distance]
 * beside Q K^T.
 * Scores are formed in blocks of query rows and never kept: the log-sum-exp of
 * each row is, and the weights are recomputed from it. Block borders are
 * counted from the start of the sequence.
 *
 * Relevance (AttnLRP): a half for each factor of A V and of Q K^T and the plain
 * derivative of the softmax, so that q and k get 1/4 and v 1/2 of the standard
 * gradients; the softmax keeps kappa, and pos_bias is 1/2 <b, dS>. A table of
 * relative keys is a factor like q or k: its half, 1/4, is unread. */

/* Of the two biases, those that are there; likewise relative keys. */
static bool bad_bias(const heedi_attention_args *a)
{
    return a->reach < 0 || (a->reach > 0 && !a->by_step) || a->span < 0 ||
           (a->span > 0 && !a->by_query && !a->by_key) ||
           ((a->slope || a->by_step) && !(a->scale > 0));
}

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    const heedi_attention_args *a = y->args;
    if (!a || a->window < 0 || bad_bias(a) || a->heads < 1 || a->kv_heads < 1 ||
        a->heads % a->kv_heads != 0 ||
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
    return 4 * heedi_attention_pairs(y, b) * (double)y->cols;
}

static const double slopes[] = {0.5, 0.0625, 0, 0.25};
static const heed_real steps[] = {(heed_real)-0.5,
                                  (heed_real)0.25,
                                  (heed_real)1.5,
                                  (heed_real)0.75,
                                  -1,
                                  (heed_real)0.5,
                                  -2,
                                  (heed_real)1.25,
                                  (heed_real)-0.3,
                                  2};
/* Rows of at most 4. */
static const heed_real table[] = {
    (heed_real)0.5,   (heed_real)-0.75, (heed_real)1.25,  (heed_real)0.25,
    (heed_real)-1.5,  (heed_real)0.75,  (heed_real)-0.25, (heed_real)1,
    (heed_real)0.3,   (heed_real)-1.1,  (heed_real)0.6,   (heed_real)-0.4,
    (heed_real)1.7,   (heed_real)-0.9,  (heed_real)0.2,   (heed_real)0.8,
    (heed_real)-0.35, (heed_real)1.4,   (heed_real)-1.2,  (heed_real)0.15,
    (heed_real)0.45,  (heed_real)0.95,  (heed_real)-0.65, (heed_real)-1.3,
    (heed_real)0.7,   (heed_real)0.1,   (heed_real)-0.55, (heed_real)1.6};
static const heedi_attention_args
    plain = {.heads = 3, .kv_heads = 3, .head_dim = 4, .scale = 0.5},
    grouped = {.heads = 4, .kv_heads = 2, .head_dim = 6, .scale = 0.4},
    windowed = {.heads = 2,
                .kv_heads = 1,
                .head_dim = 2,
                .scale = 0.7,
                .window = 3},
    uneven = {.heads = 3, .kv_heads = 2, .head_dim = 4, .scale = 0.5},
    both_ways = {.heads = 2,
                 .kv_heads = 2,
                 .head_dim = 3,
                 .scale = 0.6,
                 .bidirectional = true},
    alibi = {.heads = 4,
             .kv_heads = 2,
             .head_dim = 3,
             .scale = 0.5,
             .slope = slopes},
    near_both = {.heads = 4,
                 .kv_heads = 1,
                 .head_dim = 2,
                 .scale = 0.7,
                 .window = 4,
                 .bidirectional = true,
                 .slope = slopes},
    by_step = {.heads = 2,
               .kv_heads = 1,
               .head_dim = 4,
               .scale = 0.5,
               .window = 150,
               .by_step = steps,
               .reach = 2},
    all = {.heads = 2,
           .kv_heads = 1,
           .head_dim = 3,
           .scale = 0.9,
           .bidirectional = true,
           .slope = slopes + 1,
           .by_step = steps,
           .reach = 2},
    query_keys = {.heads = 2,
                  .kv_heads = 2,
                  .head_dim = 4,
                  .scale = 0.5,
                  .bidirectional = true,
                  .by_query = table,
                  .span = 3},
    both_keys = {.heads = 4,
                 .kv_heads = 2,
                 .head_dim = 3,
                 .scale = 0.6,
                 .window = 140,
                 .slope = slopes,
                 .by_query = table,
                 .by_key = table + 4,
                 .span = 2},
    no_keys = {.heads = 3, .kv_heads = 3, .head_dim = 4, .scale = 1, .span = 1},
    unscaled = {.heads = 3, .kv_heads = 3, .head_dim = 4, .slope = slopes},
    no_table = {.heads = 3,
                .kv_heads = 3,
                .head_dim = 4,
                .scale = 1,
                .reach = 1},
    backward = {
        .heads = 3, .kv_heads = 3, .head_dim = 4, .scale = 0.5, .window = -1};

static const char *direction(const heedi_node *y)
{
    const heedi_attention_args *a = y->args;
    return a->bidirectional ? "both" : "forward";
}

static const heedi_mixing mixing = {.mixer = "softmax",
                                    .direction = direction,
                                    .operand = 2,
                                    .positive = true,
                                    .softmax = true,
                                    .heads = heads,
                                    .rows = heedi_attention_rows,
                                    .rest = heedi_attention_rest};

const heedi_op heedi_op_attention = {
    .name = "attention",
    .formula = "O = softmax(s Q K^T + b) V",
    .rule = "q, k: 1/4, v: 1/2 of the gradient; the softmax keeps kappa",
    .n_in = 3,
    .quotient = HEEDI_BY_VALUES,
    .conserves = true,
    .assigns = true,
    .vjp_needs = HEEDI_IN0 | HEEDI_IN1 | HEEDI_IN2 | HEEDI_OUT,
    .relevance_needs = HEEDI_IN0 | HEEDI_IN1 | HEEDI_IN2 | HEEDI_OUT,
    .examples =
        (const heedi_example[]){
            {.in = {12, 12, 12}, .args = &plain},
            {.in = {24, 12, 12}, .args = &grouped},
            {.in = {4, 2, 2}, .args = &windowed},
            {.in = {6, 6, 6}, .args = &both_ways},
            {.in = {12, 6, 6}, .args = &alibi},
            {.in = {8, 2, 2}, .args = &near_both},
            {.in = {8, 4, 4}, .args = &by_step},
            {.in = {6, 3, 3}, .args = &all},
            {.in = {8, 8, 8}, .args = &query_keys},
            {.in = {12, 6, 6}, .args = &both_keys},
            {.in = {0}},
        },
    .refused =
        (const heedi_example[]){
            {.in = {12, 8, 8}, .args = &uneven},
            {.in = {12, 12, 11}, .args = &plain},
            {.in = {12, 12, 12}, .args = &unscaled},
            {.in = {12, 12, 12}, .args = &no_table},
            {.in = {12, 12, 12}, .args = &no_keys},
            {.in = {12, 12, 12}, .args = &backward},
            {.in = {12, 12, 12}},
            {.in = {0}},
        },
    .infer = infer,
    .saved = saved,
    .scratch = heedi_attention_scratch,
    .forward = heedi_attention_forward,
    .vjp = vjp,
    .relevance = relevance,
    .mixing = &mixing,
    .state = heedi_attention_state,
    .state_init = heedi_attention_state_init,
    .flops = flops,
};
