#include <string.h>

#include "args.h"
#include "kernel.h"
#include "op.h"

/* y[t] = c[t] for the first n rows of each sequence, else x[t]: learned tokens
 * such as [CLS]. They are leaves too: <c, g> is their relevance, which the
 * account has in `prefix`. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    const heedi_prefix_args *a = y->args;
    if (!a || a->n < 1 || !a->c || a->cols != y->in[0]->cols)
        return heedi_bad_shapes(ctx, y);
    y->cols = a->cols;
    y->leaf = true;
    return HEED_OK;
}

/* Rows of sequence s that are c's. */
static int64_t replaced(const heedi_node *y, const heedi_batch *b, int64_t s)
{
    const heedi_prefix_args *a = y->args;
    return a->n < heedi_len(b, s) ? a->n : heedi_len(b, s);
}

static void forward(const heedi_node *y, heedi_run *run)
{
    const heedi_prefix_args *a = y->args;
    const heedi_batch *b = run->batch;
    const int64_t c = y->cols;
#pragma omp parallel for schedule(static)
    for (int64_t s = 0; s < b->n_seq; s++) {
        const int64_t o = b->start[s] * c, n = replaced(y, b, s) * c;
        const int64_t all = heedi_len(b, s) * c;
        memcpy(y->x + o, a->c, (size_t)n * sizeof *y->x);
        memcpy(y->x + o + n, y->in[0]->x + o + n,
               (size_t)(all - n) * sizeof *y->x);
    }
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    const heedi_prefix_args *a = y->args;
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
    const int64_t c = y->cols;
#pragma omp parallel for schedule(static)
    for (int64_t s = 0; s < b->n_seq; s++) {
        const int64_t o = b->start[s] * c, n = replaced(y, b, s) * c;
        const int64_t rest = heedi_len(b, s) * c - n;
        heed_real *gx = y->in[0]->g + o;
        if (y->first[0]) {
            memset(gx, 0, (size_t)n * sizeof *gx);
            memcpy(gx + n, y->g + o + n, (size_t)rest * sizeof *gx);
        } else {
            v->addto((size_t)rest, y->g + o + n, gx + n);
        }
    }
    for (int64_t s = 0; run->ledger && s < b->n_seq; s++)
        heedi_deposit(run->ledger, s, y->id, HEEDI_ENTRY_prefix,
                      v->dot((size_t)(replaced(y, b, s) * c), a->c,
                             y->g + b->start[s] * c));
}

static const heed_real learned[2 * 5] = {
    (heed_real)0.5,  (heed_real)-1.25, (heed_real)0.75, (heed_real)0.3,
    (heed_real)-0.4, (heed_real)1.5,   (heed_real)0.2,  (heed_real)-0.6,
    (heed_real)0.9,  (heed_real)-0.1};
static const heedi_prefix_args one = {1, 5, learned}, two = {2, 5, learned};

const heedi_op heedi_op_prefix = {
    .name = "prefix",
    .formula = "y[t] = c[t] for t < n, else x[t]",
    .n_in = 1,
    .conserves = true,
    .assigns = true,
    .examples = (const heedi_example[]){{.in = {5}, .args = &one},
                                        {.in = {5}, .args = &two},
                                        {.in = {0}}},
    .refused = (const heedi_example[]){{.in = {4}, .args = &one},
                                       {.in = {5}},
                                       {.in = {0}}},
    .infer = infer,
    .forward = forward,
    .vjp = vjp,
};
