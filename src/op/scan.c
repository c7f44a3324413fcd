#include "args.h"
#include "kernel.h"
#include "op.h"
#include "threads.h"

#include <omp.h>
#include <string.h>

/* The selective scan of Mamba (Gu and Dao 2023, arXiv:2312.00752), inputs x,
 * dt > 0, B, C:
 *     h_t = exp(dt_t A) h_{t-1} + dt_t B_t x_t,   y_t = C_t h_t + D x_t.
 * Relevance (MambaLRP, Jafari et al. 2024, arXiv:2406.07592) holds dt, B and C
 * constant: everything goes to x, and their projections need no backward.
 * Tasks are groups of channels, so that no sum crosses threads. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    const heedi_scan_args *a = y->args;
    if (!a || a->n_state < 1 || y->in[0]->cols != a->channels ||
        y->in[1]->cols != a->channels || y->in[2]->cols != a->n_state ||
        y->in[3]->cols != a->n_state)
        return heedi_bad_shapes(ctx, y);
    y->cols = a->channels;
    return HEED_OK;
}

static int64_t groups(const heedi_node *y)
{
    return (y->cols + HEEDI_LANES - 1) / HEEDI_LANES;
}

/* One group's states. */
static size_t unit(const heedi_node *y)
{
    const heedi_scan_args *a = y->args;
    return (size_t)a->n_state * HEEDI_LANES;
}

static int64_t chunks(int64_t len)
{
    return (len + HEEDI_SCAN_CHUNK - 1) / HEEDI_SCAN_CHUNK;
}

/* The state before every chunk of every sequence, for the full gradient. */
static size_t saved(const heedi_node *y, const heedi_batch *b)
{
    int64_t n = 0;
    for (int64_t s = 0; s < b->n_seq; s++)
        n += chunks(heedi_len(b, s));
    return (size_t)(n * groups(y)) * unit(y) * sizeof(heed_real);
}

/* The first mark of a group of a sequence. */
static heed_real *marks(const heedi_node *y, const heedi_batch *b, int64_t seq,
                        int64_t group)
{
    int64_t n = 0;
    for (int64_t s = 0; s < seq; s++)
        n += chunks(heedi_len(b, s)) * groups(y);
    n += group * chunks(heedi_len(b, seq));
    return y->saved ? (heed_real *)y->saved + (size_t)n * unit(y) : NULL;
}

/* Per thread: states, or those and the chunk's; and for the full gradient, of
 * every group, carried gradients and sums over its lanes. */
static size_t per_thread(const heedi_node *y)
{
    return (2 + 2 * HEEDI_SCAN_CHUNK) * unit(y);
}

static size_t per_group(const heedi_node *y)
{
    const heedi_scan_args *a = y->args;
    return unit(y) + 2 * (size_t)(HEEDI_SCAN_CHUNK * a->n_state);
}

static size_t scratch(const heedi_node *y, const heedi_batch *b, int threads)
{
    (void)b;
    return ((size_t)threads * per_thread(y) + (size_t)groups(y) * per_group(y) +
            HEEDI_LANES) *
           sizeof(heed_real);
}

static heedi_scan part(const heedi_node *y, int64_t row, int64_t len,
                       int64_t group)
{
    const heedi_scan_args *a = y->args;
    const int64_t c0 = group * HEEDI_LANES, at = row * y->cols + c0;
    const int64_t left = y->cols - c0;
    return (heedi_scan){.len = len,
                        .n_state = a->n_state,
                        .ld = y->cols,
                        .lanes = left < HEEDI_LANES ? left : HEEDI_LANES,
                        .x = y->in[0]->x + at,
                        .dt = y->in[1]->x + at,
                        .b = y->in[2]->x + row * a->n_state,
                        .c = y->in[3]->x + row * a->n_state,
                        .a = a->a + (size_t)group * unit(y),
                        .d = a->d + c0};
}

static void forward(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const heedi_scan_table *k = heedi_scan_kernels();
    const size_t n = unit(y);
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t g = 0; g < groups(y); g++) {
            heed_real *h = (heed_real *)run->scratch +
                           (size_t)omp_get_thread_num() * per_thread(y);
            heedi_scan s = part(y, b->start[seq], heedi_len(b, seq), g);
            if (y->state)
                h = (heed_real *)heedi_state(y, seq) + (size_t)g * n;
            else
                memset(h, 0, n * sizeof *h);
            k->forward(&s, h, y->x + b->start[seq] * y->cols + g * HEEDI_LANES,
                       marks(y, b, seq, g));
        }
}

static void relevance(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const heedi_scan_table *k = heedi_scan_kernels();
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t g = 0; g < groups(y); g++) {
            heed_real *h = (heed_real *)run->scratch +
                           (size_t)omp_get_thread_num() * per_thread(y);
            const int64_t at = b->start[seq] * y->cols + g * HEEDI_LANES;
            heedi_scan s = part(y, b->start[seq], heedi_len(b, seq), g);
            memset(h, 0, unit(y) * sizeof *h);
            k->relevance(&s, h, y->g + at, y->in[0]->g + at, !y->first[0]);
        }
}

/* Sums over the groups, in their order. */
static void gather(const heedi_node *y, const heed_real *work, int64_t row,
                   int64_t len, int which)
{
    const heedi_scan_args *a = y->args;
    const heedi_node *to = y->in[2 + which];
    const int64_t m = len * a->n_state;
    heed_real *g = to->g + row * a->n_state;
    if (y->first[2 + which])
        memset(g, 0, (size_t)m * sizeof *g);
    for (int64_t k = 0; k < groups(y); k++) {
        const heed_real *p = work + (size_t)k * per_group(y) + unit(y) +
                             (size_t)(which * HEEDI_SCAN_CHUNK * a->n_state);
        for (int64_t i = 0; i < m; i++)
            g[i] += p[i];
    }
}

static void vjp_sequence(const heedi_node *y, const heedi_run *run, int64_t seq)
{
    const heedi_scan_args *a = y->args;
    const heedi_batch *b = run->batch;
    const heedi_scan_table *k = heedi_scan_kernels();
    heed_real *work =
        (heed_real *)run->scratch + (size_t)run->threads * per_thread(y);
    const int64_t len = heedi_len(b, seq);
    for (int64_t c = chunks(len) - 1; c >= 0; c--) {
        const int64_t t0 = c * HEEDI_SCAN_CHUNK;
        const int64_t n =
            len - t0 < HEEDI_SCAN_CHUNK ? len - t0 : HEEDI_SCAN_CHUNK;
        const int64_t row = b->start[seq] + t0;
#pragma omp parallel for schedule(dynamic, 1)
        for (int64_t g = 0; g < groups(y); g++) {
            heed_real *mine = (heed_real *)run->scratch +
                              (size_t)omp_get_thread_num() * per_thread(y);
            heed_real *carry = work + (size_t)g * per_group(y);
            heed_real *gb = carry + unit(y);
            const int64_t at = row * y->cols + g * HEEDI_LANES;
            heedi_scan s = part(y, row, n, g);
            if (t0 + n == len)
                memset(carry, 0, unit(y) * sizeof *carry);
            k->vjp(&s, marks(y, b, seq, g) + (size_t)c * unit(y), carry,
                   y->g + at, y->in[0]->g + at, y->in[1]->g + at, gb,
                   gb + HEEDI_SCAN_CHUNK * a->n_state, !y->first[0],
                   !y->first[1], mine);
        }
        gather(y, work, row, n, 0);
        gather(y, work, row, n, 1);
    }
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    for (int64_t s = 0; s < run->batch->n_seq; s++)
        vjp_sequence(y, run, s);
}

static size_t state(const heedi_node *y, int64_t len)
{
    (void)len;
    return (size_t)groups(y) * unit(y) * sizeof(heed_real);
}

static void state_init(const heedi_node *y, int64_t len)
{
    (void)y; /* zeros */
    (void)len;
}

/* One exponential and three multiply-adds for each state. */
static double flops(const heedi_node *y, const heedi_batch *b)
{
    const heedi_scan_args *a = y->args;
    return 16.0 * (double)b->rows * (double)y->cols * (double)a->n_state;
}

#define R16(x) x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x
static const heed_real decay[2 * 2 * 16] = {
    R16((heed_real)-0.7), R16((heed_real)-1.9), R16((heed_real)-0.2),
    R16((heed_real)-3)};
static const heed_real skip[32] = {R16((heed_real)0.8), R16((heed_real)-0.3)};
static const heedi_scan_args small = {3, 2, decay, skip},
                             wide = {18, 2, decay, skip},
                             single = {1, 1, decay, skip};

const heedi_op heedi_op_scan = {
    .name = "scan",
    .formula = "h = exp(dt A) h + dt B x, y = C h + D x",
    .rule = "dt, B, C constant: all to x",
    .n_in = 4,
    .conserves = true,
    .assigns = true,
    .vjp_needs = HEEDI_IN0 | HEEDI_IN1 | HEEDI_IN2 | HEEDI_IN3,
    .relevance_needs = HEEDI_IN1 | HEEDI_IN2 | HEEDI_IN3,
    .relevance_stops = HEEDI_IN1 | HEEDI_IN2 | HEEDI_IN3,
    .examples =
        (const heedi_example[]){
            {.in = {3, 3, 2, 2}, .args = &small},
            {.in = {18, 18, 2, 2}, .args = &wide},
            {.in = {1, 1, 1, 1}, .args = &single},
            {.in = {0}},
        },
    .refused =
        (const heedi_example[]){
            {.in = {3, 4, 2, 2}, .args = &small},
            {.in = {3, 3, 2, 3}, .args = &small},
            {.in = {3, 3, 2, 2}},
            {.in = {0}},
        },
    .infer = infer,
    .saved = saved,
    .scratch = scratch,
    .forward = forward,
    .vjp = vjp,
    .relevance = relevance,
    .state = state,
    .state_init = state_init,
    .flops = flops,
};
