#include "args.h"
#include "kernel.h"
#include "op.h"
#include "threads.h"

#include <string.h>

/* y[t] = b + sum_k w[k] x[t - (K-1) + k], one filter for each channel, causal.
 * The vector is the bias. The state is the last K-1 inputs. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    const heedi_conv_args *a = y->args;
    if (!a || a->width < 1 || (y->vec && y->n_vec != y->in[0]->cols))
        return heedi_bad_shapes(ctx, y);
    y->cols = y->in[0]->cols;
    return HEED_OK;
}

static size_t state(const heedi_node *y, int64_t len)
{
    const heedi_conv_args *a = y->args;
    (void)len;
    return (size_t)(a->width * y->cols) * sizeof(heed_real);
}

static void state_init(const heedi_node *y, int64_t len)
{
    (void)y; /* nothing came before: zeros */
    (void)len;
}

/* The input `back` steps before row r of a sequence, or NULL before the
 * start. */
static const heed_real *past(const heedi_node *y, const heedi_batch *b,
                             int64_t seq, int64_t r, int64_t back)
{
    const heedi_conv_args *a = y->args;
    const heed_real *s = heedi_state(y, seq);
    const int64_t start = b->start[seq];
    int64_t i = r - start - back; /* in this call */
    if (i >= 0)
        return y->in[0]->x + (start + i) * y->cols;
    if (!s || -i > a->width - 1)
        return NULL;
    return s + (a->width - 1 + i) * y->cols;
}

static void remember(const heedi_node *y, const heedi_batch *b, int64_t seq)
{
    const heedi_conv_args *a = y->args;
    heed_real *s = heedi_state(y, seq);
    const int64_t keep = a->width - 1, c = y->cols, start = b->start[seq];
    for (int64_t k = 0; k < keep; k++) {
        /* in this call, or in the state */
        int64_t from = heedi_len(b, seq) - keep + k;
        const heed_real *x = from >= 0 ? y->in[0]->x + (start + from) * c
                                       : s + (keep + from) * c;
        memmove(s + k * c, x, (size_t)c * sizeof *s);
    }
}

static void forward(const heedi_node *y, heedi_run *run)
{
    const heedi_conv_args *a = y->args;
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
    const int64_t c = y->cols;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++)
        for (int64_t r = b->small[k].row; r < b->small[k].row + b->small[k].n;
             r++) {
            heed_real *o = y->x + r * c;
            if (y->vec)
                memcpy(o, y->vec, (size_t)c * sizeof *o);
            else
                memset(o, 0, (size_t)c * sizeof *o);
            for (int64_t w = 0; w < a->width; w++) {
                const heed_real *x =
                    past(y, b, b->small[k].seq, r, a->width - 1 - w);
                if (x)
                    v->scale_add((size_t)c, x, a->w + w * c, 1, o);
            }
        }
    for (int64_t seq = 0; y->state && seq < b->n_seq; seq++)
        remember(y, b, seq);
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    const heedi_conv_args *a = y->args;
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
    const int64_t c = y->cols;
    if (y->vec && run->ledger)
        heedi_dot_vector(run, y->vec, y->g, c,
                         run->ledger->sink + y->id * HEEDI_N_ENTRIES +
                             HEEDI_ENTRY_bias,
                         (int64_t)run->ledger->n_ops * HEEDI_N_ENTRIES);
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++)
        for (int64_t r = b->small[k].row; r < b->small[k].row + b->small[k].n;
             r++)
            for (int64_t w = 0; w < a->width; w++) {
                int64_t to = r + a->width - 1 - w; /* that x[r] enters */
                if (to < b->start[b->small[k].seq + 1])
                    v->scale_add((size_t)c, y->g + to * c, a->w + w * c, 1,
                                 y->in[0]->g + r * c);
            }
}

static const heed_real filter[4 * 20] = {
    (heed_real)0.5,  (heed_real)-1.25, (heed_real)0.75, (heed_real)0.3,
    (heed_real)-0.4, (heed_real)1.5,   (heed_real)0.2,  (heed_real)-0.6,
    (heed_real)0.9,  (heed_real)-0.1,  (heed_real)1.1,  (heed_real)0.35};
static const heedi_conv_args two = {2, filter}, four = {4, filter},
                             one = {1, filter};

const heedi_op heedi_op_conv1d = {
    .name = "conv1d",
    .formula = "y[t] = b + sum_k w[k] x[t-K+1+k]",
    .n_in = 1,
    .conserves = true,
    .examples =
        (const heedi_example[]){
            {.in = {3}, .n_vec = 3, .args = &four},
            {.in = {5}, .args = &two},
            {.in = {7}, .n_vec = 7, .args = &one},
            {.in = {0}},
        },
    .refused =
        (const heedi_example[]){
            {.in = {3}, .n_vec = 4, .args = &four},
            {.in = {3}},
            {.in = {0}},
        },
    .infer = infer,
    .forward = forward,
    .vjp = vjp,
    .state = state,
    .state_init = state_init,
};
