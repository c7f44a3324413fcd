#include "wkv.h"
#include "args.h"
#include "threads.h"

#include <math.h>
#include <omp.h>
#include <string.h>

/* The weighted mean of RWKV-4 (Peng et al. 2023, arXiv:2305.13048), inputs k
 * and v, channel by channel, w <= 0 and u constant:
 *     y_r = sum over c <= r of a[r][c] v_c,
 *     a[r][c] = e^(w (r-c-1) + k_c) / Z_r, c < r;  a[r][r] = e^(u + k_r) / Z_r,
 * Z_r being the sum of the numerators: a softmax. Relevance holds k constant:
 * everything goes to v, and what computes k needs no backward pass.
 * Tasks are groups of channels, so that no sum crosses threads.
 *
 * Nothing is kept between the passes. Working memory of a thread: 25 KiB for
 * what 64 steps need, and 14 bytes for each position of the longest sequence:
 * the states before every 64 steps, which the backward pass makes again, and
 * the keys of one channel. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    const heedi_wkv_args *a = y->args;
    if (!a || y->in[0]->cols != a->channels || y->in[1]->cols != a->channels)
        return heedi_bad_shapes(ctx, y);
    y->cols = a->channels;
    return HEED_OK;
}

int64_t heedi_wkv_groups(const heedi_node *y)
{
    return (y->cols + HEEDI_LANES - 1) / HEEDI_LANES;
}

static const size_t UNIT = HEEDI_WKV_STATE * sizeof(double);

/* Working memory of a thread. */
typedef struct room {
    double *state, *carry; /* (3, LANES) */
    double *steps;         /* (CHUNK, 3, LANES) */
    double *marks;         /* (chunks, 3, LANES) */
    double *k;             /* (T): keys of one channel */
} room;

static size_t chunks(int64_t len)
{
    return (size_t)(len + HEEDI_WKV_CHUNK - 1) / HEEDI_WKV_CHUNK;
}

static size_t per_thread(const heedi_batch *b)
{
    return (2 + HEEDI_WKV_CHUNK + chunks(b->longest)) * UNIT +
           chunks(b->longest) * HEEDI_WKV_CHUNK * sizeof(double);
}

static room own(const heedi_run *run)
{
    char *at = (char *)run->scratch +
               (size_t)omp_get_thread_num() * per_thread(run->batch);
    room r = {.state = (double *)(void *)at};
    r.carry = r.state + HEEDI_WKV_STATE;
    r.steps = r.carry + HEEDI_WKV_STATE;
    r.marks = r.steps + HEEDI_WKV_CHUNK * HEEDI_WKV_STATE;
    r.k = r.marks + chunks(run->batch->longest) * HEEDI_WKV_STATE;
    return r;
}

static size_t scratch(const heedi_node *y, const heedi_batch *b, int threads)
{
    (void)y;
    return (size_t)threads * per_thread(b);
}

heedi_wkv heedi_wkv_part(const heedi_node *y, int64_t row, int64_t len,
                         int64_t group, const heed_real *v)
{
    const heedi_wkv_args *a = y->args;
    const int64_t c0 = group * HEEDI_LANES, at = row * y->cols + c0;
    const int64_t left = y->cols - c0;
    return (heedi_wkv){.len = len,
                       .ld = y->cols,
                       .lanes = left < HEEDI_LANES ? left : HEEDI_LANES,
                       .k = y->in[0]->x + at,
                       .v = v ? v + at : NULL,
                       .w = a->w + c0,
                       .u = a->u + c0};
}

/* No sum yet: of before, or of after. */
static void clear(double *state)
{
    memset(state, 0, UNIT);
    for (int i = 0; i < HEEDI_LANES; i++)
        state[2 * HEEDI_LANES + i] = HEEDI_WKV_NONE;
}

void heedi_wkv_begin(double *state, const void *before, int64_t group)
{
    if (before)
        memcpy(state, (const char *)before + (size_t)group * UNIT, UNIT);
    else
        clear(state);
}

static void apply(const heedi_node *y, const heedi_run *run, const heed_real *x,
                  heed_real *out)
{
    const heedi_batch *b = run->batch;
    const heedi_wkv_table *k = heedi_wkv_kernels();
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t g = 0; g < heedi_wkv_groups(y); g++) {
            double *h = own(run).state;
            const heedi_wkv s =
                heedi_wkv_part(y, b->start[seq], heedi_len(b, seq), g, x);
            clear(h);
            k->forward(&s, h, out + b->start[seq] * y->cols + g * HEEDI_LANES,
                       NULL, NULL);
        }
}

static void forward(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const heedi_wkv_table *k = heedi_wkv_kernels();
    if (!y->state) {
        apply(y, run, y->in[1]->x, y->x);
        return;
    }
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t g = 0; g < heedi_wkv_groups(y); g++) {
            const heedi_wkv s = heedi_wkv_part(
                y, b->start[seq], heedi_len(b, seq), g, y->in[1]->x);
            double *h = (double *)(void *)((char *)heedi_state(y, seq) +
                                           (size_t)g * UNIT);
            k->forward(&s, h, y->x + b->start[seq] * y->cols + g * HEEDI_LANES,
                       NULL, NULL);
        }
}

/* Of one group of a sequence, the chunks from the last to the first. v NULL:
 * k is constant. to: of the sequence's first row. */
static void back_group(const heedi_node *y, const heedi_run *run, int64_t seq,
                       int64_t g, const heed_real *v, const heed_real *gy,
                       heedi_wkv_grad to)
{
    const heedi_wkv_table *k = heedi_wkv_kernels();
    const int64_t row = run->batch->start[seq];
    const int64_t len = heedi_len(run->batch, seq);
    const room r = own(run);
    const heedi_wkv all = heedi_wkv_part(y, row, len, g, v);
    clear(r.state);
    clear(r.carry);
    k->forward(&all, r.state, NULL, r.marks, NULL);
    for (int64_t i = (int64_t)chunks(len) - 1; i >= 0; i--) {
        const int64_t t = i * HEEDI_WKV_CHUNK, at = t * y->cols;
        const int64_t n = len - t < HEEDI_WKV_CHUNK ? len - t : HEEDI_WKV_CHUNK;
        const heedi_wkv s = heedi_wkv_part(y, row + t, n, g, v);
        const heedi_wkv_grad there = {.k = to.k ? to.k + at : NULL,
                                      .v = to.v + at,
                                      .add_k = to.add_k,
                                      .add_v = to.add_v};
        memcpy(r.state, r.marks + i * HEEDI_WKV_STATE, UNIT);
        k->forward(&s, r.state, NULL, NULL, r.steps);
        k->back(&s, r.steps, r.carry, gy + at, &there);
    }
}

static void back(const heedi_node *y, const heedi_run *run, const heed_real *v,
                 const heed_real *gy, heedi_wkv_grad to)
{
    const heedi_batch *b = run->batch;
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t g = 0; g < heedi_wkv_groups(y); g++) {
            const int64_t at = b->start[seq] * y->cols + g * HEEDI_LANES;
            heedi_wkv_grad here = to;
            here.k = to.k ? to.k + at : NULL;
            here.v = to.v + at;
            back_group(y, run, seq, g, v, gy + at, here);
        }
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    back(y, run, y->in[1]->x, y->g,
         (heedi_wkv_grad){.k = y->in[0]->g,
                          .v = y->in[1]->g,
                          .add_k = !y->first[0],
                          .add_v = !y->first[1]});
}

static void relevance(const heedi_node *y, heedi_run *run)
{
    back(y, run, NULL, y->g,
         (heedi_wkv_grad){.v = y->in[1]->g, .add_v = !y->first[1]});
}

static size_t state(const heedi_node *y, int64_t len)
{
    (void)len;
    return (size_t)heedi_wkv_groups(y) * UNIT;
}

static void state_init(const heedi_node *y, int64_t len)
{
    (void)len;
    for (int64_t g = 0; g < heedi_wkv_groups(y); g++)
        clear((double *)y->state + g * HEEDI_WKV_STATE);
}

/* Two exponentials, a quotient and a dozen multiply-adds. */
static double flops(const heedi_node *y, const heedi_batch *b)
{
    return 70.0 * (double)b->rows * (double)y->cols;
}

/* ---- as a matrix: a head is a channel ---- */

static int64_t heads(const heedi_node *y)
{
    return y->cols;
}

/* fn(of each row q0 ... q0+nq-1 of one group: its number, and its step) */
typedef void row_fn(const heedi_node *y, const heedi_run *run,
                    const heedi_view *v, int64_t group, int64_t r,
                    const double *step);

static void each_row(const heedi_node *y, const heedi_run *run,
                     const heedi_view *v, int64_t group, row_fn *fn)
{
    const heedi_wkv_table *k = heedi_wkv_kernels();
    const int64_t row = run->batch->start[v->seq], end = v->q0 + v->nq;
    const room m = own(run);
    heedi_wkv_begin(m.state, v->before, group);
    for (int64_t t = 0; t < end; t += HEEDI_WKV_CHUNK) {
        const int64_t n = end - t < HEEDI_WKV_CHUNK ? end - t : HEEDI_WKV_CHUNK;
        const heedi_wkv s = heedi_wkv_part(y, row + t, n, group, NULL);
        k->forward(&s, m.state, NULL, NULL, m.steps);
        for (int64_t r = t < v->q0 ? v->q0 : t; r < t + n; r++)
            fn(y, run, v, group, r, m.steps + (r - t) * HEEDI_WKV_STATE);
    }
}

static void row_of_weights(const heedi_node *y, const heedi_run *run,
                           const heedi_view *v, int64_t group, int64_t r,
                           const double *step)
{
    const heedi_wkv_args *a = y->args;
    const int64_t len = heedi_len(run->batch, v->seq);
    const int64_t lane = v->head - group * HEEDI_LANES;
    const double max = step[lane], inv = step[HEEDI_LANES + lane];
    const double *k = own(run).k;
    heed_real *out = v->out + (r - v->q0) * len;
    heedi_wkv_kernels()->weights(r, k, a->w[v->head], max, inv, out);
    out[r] = (heed_real)(exp(a->u[v->head] + k[r] - max) * inv);
    memset(out + r + 1, 0, (size_t)(len - r - 1) * sizeof *out);
}

static void rows(const heedi_node *y, const heedi_run *run, const heedi_view *v)
{
    const heed_real *k =
        y->in[0]->x + run->batch->start[v->seq] * y->cols + v->head;
    double *mine = own(run).k;
    for (int64_t c = 0; c < v->q0 + v->nq; c++)
        mine[c] = (double)k[c * y->cols];
    each_row(y, run, v, v->head / HEEDI_LANES, row_of_weights);
}

/* What the carried numerator makes of row r. */
static void row_of_rest(const heedi_node *y, const heedi_run *run,
                        const heedi_view *v, int64_t group, int64_t r,
                        const double *step)
{
    const heedi_wkv_args *a = y->args;
    const int64_t c0 = group * HEEDI_LANES;
    double *h = own(run).carry;
    heedi_wkv_begin(h, v->before, group);
    for (int64_t i = 0; i < HEEDI_LANES && c0 + i < y->cols; i++)
        v->out[(r - v->q0) * y->cols + c0 + i] =
            (heed_real)(h[i] * step[HEEDI_LANES + i] *
                        exp(h[2 * HEEDI_LANES + i] + a->w[c0 + i] * (double)r -
                            step[i]));
}

static void rest(const heedi_node *y, const heedi_run *run, const heedi_view *v)
{
    if (!v->before) {
        memset(v->out, 0, (size_t)(v->nq * y->cols) * sizeof *v->out);
        return;
    }
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t g = 0; g < heedi_wkv_groups(y); g++)
        each_row(y, run, v, g, row_of_rest);
}

static void transpose(const heedi_node *y, const heedi_run *run,
                      const heed_real *g, heed_real *gv)
{
    back(y, run, NULL, g, (heedi_wkv_grad){.v = gv});
}

static int64_t states(const heedi_node *y)
{
    (void)y;
    return 1;
}

static void rates(const heedi_node *y, const heedi_run *run,
                  const heedi_steps *s, double *out)
{
    const heedi_wkv_args *a = y->args;
    (void)run;
    for (int64_t t = 0; t < s->n; t++)
        out[t] = -a->w[s->head];
}

static const heedi_mixing mixing = {.mixer = "wkv",
                                    .operand = 1,
                                    .channels = true,
                                    .positive = true,
                                    .heads = heads,
                                    .rows = rows,
                                    .rest = rest,
                                    .states = states,
                                    .rates = rates,
                                    .transpose = transpose,
                                    .apply = apply,
                                    .separable = &heedi_wkv_separable};

static const double decay[32] = {-0.02, -0.7, -3,  -0.2, -20, 0,
                                 -1e-4, -1,   -50, -0.5, -7,  -0.01,
                                 -0.3,  -2,   -4,  -0.1, -1.5};
static const double bonus[32] = {0.3, -1.2, 2,  0.5, -0.4, 1,   0.2, -3, 4,
                                 0.7, -0.6, 10, -9,  0.1,  0.9, -2,  1.3};
static const heedi_wkv_args some = {3, decay, bonus}, more = {17, decay, bonus},
                            single = {1, decay, bonus};

const heedi_op heedi_op_wkv = {
    .name = "wkv",
    .formula = "y[r] = sum over c of softmax(w (r-c-1) + k[c]; u + k[r]) v[c]",
    .rule = "k constant: all to v",
    .n_in = 2,
    .quotient = HEEDI_BY_MAP,
    .conserves = true,
    .assigns = true,
    .vjp_needs = HEEDI_IN0 | HEEDI_IN1,
    .relevance_needs = HEEDI_IN0,
    .relevance_stops = HEEDI_IN0,
    .examples =
        (const heedi_example[]){
            {.in = {3, 3}, .args = &some},
            {.in = {17, 17}, .args = &more},
            {.in = {1, 1}, .args = &single},
            {.in = {0}},
        },
    .refused =
        (const heedi_example[]){
            {.in = {3, 4}, .args = &some},
            {.in = {4, 4}, .args = &some},
            {.in = {3, 3}},
            {.in = {0}},
        },
    .infer = infer,
    .scratch = scratch,
    .forward = forward,
    .vjp = vjp,
    .relevance = relevance,
    .mixing = &mixing,
    .state = state,
    .state_init = state_init,
    .flops = flops,
};
