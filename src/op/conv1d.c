#include "args.h"
#include "kernel.h"
#include "op.h"
#include "threads.h"

#include <string.h>

/* y[t] = b + sum_k w[k] x[t - (K-1) + k], one filter for each channel, causal;
 * reversed, x[t + (K-1) - k]. The vector is the bias. The state is the last K-1
 * inputs. */

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
    return a->reversed ? 0 : (size_t)(a->width * y->cols) * sizeof(heed_real);
}

static void state_init(const heedi_node *y, int64_t len)
{
    (void)y; /* nothing came before: zeros */
    (void)len;
}

/* The input `back` steps before row r of a sequence, or after it if reversed;
 * NULL beyond the sequence. */
static const heed_real *past(const heedi_node *y, const heedi_batch *b,
                             const heed_real *x, int64_t seq, int64_t r,
                             int64_t back)
{
    const heedi_conv_args *a = y->args;
    const heed_real *s = heedi_state(y, seq);
    const int64_t start = b->start[seq];
    int64_t i = r - start + (a->reversed ? back : -back); /* in this call */
    if (a->reversed && i >= heedi_len(b, seq))
        return NULL;
    if (i >= 0)
        return x + (start + i) * y->cols;
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

/* out = bias + the filter w, (width, channels), over x; or out += without a
 * bias. */
static void over(const heedi_node *y, const heedi_run *run, const heed_real *w,
                 const heed_real *bias, const heed_real *x, heed_real *out,
                 bool assign)
{
    const heedi_conv_args *a = y->args;
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
    const int64_t c = y->cols;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++)
        for (int64_t r = b->small[k].row; r < b->small[k].row + b->small[k].n;
             r++) {
            heed_real *o = out + r * c;
            if (bias)
                memcpy(o, bias, (size_t)c * sizeof *o);
            else if (assign)
                memset(o, 0, (size_t)c * sizeof *o);
            for (int64_t i = 0; i < a->width; i++) {
                const heed_real *p =
                    past(y, b, x, b->small[k].seq, r, a->width - 1 - i);
                if (p)
                    v->scale_add((size_t)c, p, w + i * c, 1, o);
            }
        }
}

static void under(const heedi_node *y, const heedi_run *run, const heed_real *w,
                  const heed_real *g, heed_real *gx, bool assign)
{
    const heedi_conv_args *a = y->args;
    const heedi_batch *b = run->batch;
    const heedi_vector_table *v = heedi_vector();
    const int64_t c = y->cols;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++)
        for (int64_t r = b->small[k].row; r < b->small[k].row + b->small[k].n;
             r++) {
            if (assign)
                memset(gx + r * c, 0, (size_t)c * sizeof *gx);
            for (int64_t i = 0; i < a->width; i++) {
                const int64_t back = a->width - 1 - i;
                const int64_t to = a->reversed ? r - back : r + back;
                const int64_t *start = b->start + b->small[k].seq;
                if (to >= start[0] && to < start[1]) /* x[r] enters it */
                    v->scale_add((size_t)c, g + to * c, w + i * c, 1,
                                 gx + r * c);
            }
        }
}

static void forward(const heedi_node *y, heedi_run *run)
{
    const heedi_conv_args *a = y->args;
    const heedi_batch *b = run->batch;
    over(y, run, a->w, y->vec, y->in[0]->x, y->x, true);
    for (int64_t seq = 0; y->state && seq < b->n_seq; seq++)
        remember(y, b, seq);
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    const heedi_conv_args *a = y->args;
    heedi_keep_bias(y, run);
    under(y, run, a->w, y->g, y->in[0]->g, false);
}

/* ---- for linear rules ---- */

static size_t room(const heedi_node *y, int threads)
{
    const heedi_conv_args *a = y->args;
    (void)threads;
    return (size_t)(a->width * y->cols) * sizeof(heed_real);
}

static const heed_real *part_of(const heedi_node *y, const heedi_run *run,
                                heedi_part part)
{
    const heedi_conv_args *a = y->args;
    const int64_t n = a->width * y->cols;
    heed_real *w = run->scratch;
    if (part == HEEDI_ALL)
        return a->w;
    memcpy(w, a->w, (size_t)n * sizeof *w);
    heedi_part_of(part, w, n);
    return w;
}

static void to(const heedi_node *y, const heedi_run *run, heedi_part part,
               const heed_real *x, heed_real *out, bool assign)
{
    over(y, run, part_of(y, run, part), NULL, x, out, assign);
}

static void from(const heedi_node *y, const heedi_run *run, heedi_part part,
                 const heed_real *g, heed_real *gx, bool assign)
{
    under(y, run, part_of(y, run, part), g, gx, assign);
}

static const heedi_map map = {room, to, from};

static heedi_filter filter_of(const heedi_node *y)
{
    const heedi_conv_args *a = y->args;
    return (heedi_filter){
        .width = a->width, .w = a->w, .reversed = a->reversed};
}

static const heed_real filter[4 * 20] = {
    (heed_real)0.5,  (heed_real)-1.25, (heed_real)0.75, (heed_real)0.3,
    (heed_real)-0.4, (heed_real)1.5,   (heed_real)0.2,  (heed_real)-0.6,
    (heed_real)0.9,  (heed_real)-0.1,  (heed_real)1.1,  (heed_real)0.35};
static const heedi_conv_args two = {2, filter, false},
                             four = {4, filter, false},
                             one = {1, filter, false}, back = {4, filter, true};

const heedi_op heedi_op_conv1d = {
    .name = "conv1d",
    .formula = "y[t] = b + sum_k w[k] x[t-K+1+k]",
    .rule = "g_x = W^T g; the bias keeps <b, g>",
    .n_in = 1,
    .quotient = HEEDI_BY_MAP,
    .conserves = true,
    .examples =
        (const heedi_example[]){
            {.in = {3}, .n_vec = 3, .args = &four},
            {.in = {5}, .args = &two},
            {.in = {7}, .n_vec = 7, .args = &one},
            {.in = {5}, .n_vec = 5, .args = &back},
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
    .map = &map,
    .filter = filter_of,
    .state = state,
    .state_init = state_init,
};
