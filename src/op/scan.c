#include "scan.h"
#include "args.h"
#include "kernel.h"
#include "threads.h"

#include <omp.h>
#include <string.h>

/* The selective scan of Mamba (Gu and Dao 2023, arXiv:2312.00752), inputs x,
 * dt > 0, B, C:
 *     h_t = exp(dt_t A) h_{t-1} + dt_t B_t x_t,   y_t = C_t h_t + D x_t,
 * t running from the last position to the first if it is reversed.
 * Relevance (MambaLRP, Jafari et al. 2024, arXiv:2406.07592) holds dt, B and C
 * constant: everything goes to x, and their projections need no backward.
 * Tasks are groups of channels, so that no sum crosses threads.
 *
 * Memory besides inputs and outputs, in values, N states and E channels. Kept
 * for the full gradient alone: the state before every chunk of 64 steps, N E /
 * 64 for each token (with 16 states one quarter of an activation); relevance
 * keeps nothing. Working memory, whatever the length: 1600 N for each thread; N
 * E, the gradient carried between chunks; 2048 N for every 128 channels, what B
 * and C get in 1024 steps. 1.8 MiB with 1536 channels, 16 states, 2 threads. */

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

int64_t heedi_scan_groups(const heedi_node *y)
{
    return (y->cols + HEEDI_LANES - 1) / HEEDI_LANES;
}

/* One group's states. */
size_t heedi_scan_unit(const heedi_node *y)
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
    return (size_t)(n * heedi_scan_groups(y)) * heedi_scan_unit(y) *
           sizeof(heed_real);
}

/* The first mark of a group of a sequence. */
static heed_real *marks(const heedi_node *y, const heedi_batch *b, int64_t seq,
                        int64_t group)
{
    int64_t n = 0;
    for (int64_t s = 0; s < seq; s++)
        n += chunks(heedi_len(b, s)) * heedi_scan_groups(y);
    n += group * chunks(heedi_len(b, seq));
    return y->saved ? (heed_real *)y->saved + (size_t)n * heedi_scan_unit(y)
                    : NULL;
}

/* Groups whose sums for B and C are added up lane by lane. */
enum { BAND = 8 };

static int64_t bands(const heedi_node *y)
{
    return (heedi_scan_groups(y) + BAND - 1) / BAND;
}

/* Working memory of a thread: a state; and for the full gradient states of the
 * band, the piece's steps, and sums of the lanes. */
enum {
    PIECES = HEEDI_SCAN_CHUNK / HEEDI_SCAN_PIECE,
    STEPS = 1 + BAND * PIECES, /* in states */
    SUMS = STEPS + 3 + 2 * HEEDI_SCAN_PIECE,
    UNITS = SUMS + 2 * HEEDI_SCAN_PIECE
};

static size_t per_thread(const heedi_node *y)
{
    return UNITS * heedi_scan_unit(y);
}

heed_real *heedi_scan_own(const heedi_node *y, const heedi_run *run)
{
    return (heed_real *)run->scratch +
           (size_t)omp_get_thread_num() * per_thread(y);
}

/* Chunks that a band goes through before the threads meet to add up what B and
 * C get. */
enum { STRETCH = 16, STRETCH_ROWS = STRETCH * HEEDI_SCAN_CHUNK };

/* Of all threads: for each group the gradient carried between chunks, for each
 * band what B and C get. */
static size_t per_band(const heedi_node *y, const heedi_batch *b)
{
    const heedi_scan_args *a = y->args;
    int64_t most = 0;
    for (int64_t s = 0; s < b->n_seq; s++)
        most = heedi_len(b, s) > most ? heedi_len(b, s) : most;
    return 2 *
           (size_t)((most < STRETCH_ROWS ? most : STRETCH_ROWS) * a->n_state);
}

static heed_real *carries(const heedi_node *y, const heedi_run *run)
{
    return (heed_real *)run->scratch + (size_t)run->threads * per_thread(y);
}

static heed_real *band_sums(const heedi_node *y, const heedi_run *run)
{
    return carries(y, run) + (size_t)heedi_scan_groups(y) * heedi_scan_unit(y);
}

static size_t scratch(const heedi_node *y, const heedi_batch *b, int threads)
{
    return ((size_t)threads * per_thread(y) +
            (size_t)heedi_scan_groups(y) * heedi_scan_unit(y) +
            (size_t)bands(y) * per_band(y, b)) *
           sizeof(heed_real);
}

int64_t heedi_scan_step(const heedi_node *y)
{
    return ((const heedi_scan_args *)y->args)->reversed ? -1 : 1;
}

int64_t heedi_scan_row(const heedi_node *y, const heedi_batch *b, int64_t seq,
                       int64_t t)
{
    return heedi_scan_step(y) > 0 ? b->start[seq] + t
                                  : b->start[seq + 1] - 1 - t;
}

heedi_scan heedi_scan_part(const heedi_node *y, const heedi_batch *b,
                           int64_t seq, int64_t t, int64_t len, int64_t group)
{
    const heedi_scan_args *a = y->args;
    const int64_t row = heedi_scan_row(y, b, seq, t);
    const int64_t c0 = group * HEEDI_LANES, at = row * y->cols + c0;
    const int64_t left = y->cols - c0, step = heedi_scan_step(y);
    return (heedi_scan){.len = len,
                        .n_state = a->n_state,
                        .ld = step * y->cols,
                        .ldb = step * a->n_state,
                        .lanes = left < HEEDI_LANES ? left : HEEDI_LANES,
                        .x = y->in[0]->x + at,
                        .dt = y->in[1]->x + at,
                        .b = y->in[2]->x + row * a->n_state,
                        .c = y->in[3]->x + row * a->n_state,
                        .a = a->a + (size_t)group * heedi_scan_unit(y),
                        .d = a->d + c0};
}

static void forward(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const heedi_scan_table *k = heedi_scan_kernels();
    const size_t n = heedi_scan_unit(y);
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t g = 0; g < heedi_scan_groups(y); g++) {
            heed_real *h = heedi_scan_own(y, run);
            const heedi_scan s =
                heedi_scan_part(y, b, seq, 0, heedi_len(b, seq), g);
            const int64_t row = heedi_scan_row(y, b, seq, 0);
            if (y->state)
                h = (heed_real *)heedi_state(y, seq) + (size_t)g * n;
            else
                memset(h, 0, n * sizeof *h);
            k->forward(&s, h, y->x + row * y->cols + g * HEEDI_LANES,
                       marks(y, b, seq, g));
        }
}

static void relevance(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    const heedi_scan_table *k = heedi_scan_kernels();
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t g = 0; g < heedi_scan_groups(y); g++) {
            heed_real *h = heedi_scan_own(y, run);
            const int64_t row = heedi_scan_row(y, b, seq, 0);
            const int64_t at = row * y->cols + g * HEEDI_LANES;
            const heedi_scan s =
                heedi_scan_part(y, b, seq, 0, heedi_len(b, seq), g);
            memset(h, 0, heedi_scan_unit(y) * sizeof *h);
            k->relevance(&s, h, y->g + at, y->in[0]->g + at, !y->first[0]);
        }
}

/* A part of one sequence, steps t0 ... t0+len-1: a stretch, or a chunk of it.
 */
typedef struct stretch {
    int64_t seq, t0, len;
} stretch;

/* What B (which = 0) or C (1) get from a band at step t of a stretch. */
static heed_real *band_sum(const heedi_node *y, const heedi_run *run,
                           int64_t band, int which, int64_t t)
{
    const heedi_scan_args *a = y->args;
    const size_t n = per_band(y, run->batch);
    return band_sums(y, run) + (size_t)band * n + (size_t)which * (n / 2) +
           t * a->n_state;
}

/* The pieces of a chunk from the last to the first, all groups of a band in
 * each. gb, gc: of the band. */
static void vjp_chunk(const heedi_node *y, const heedi_run *run,
                      const stretch *c, int64_t band, heed_real *gb,
                      heed_real *gc)
{
    const heedi_scan_args *a = y->args;
    const heedi_scan_table *k = heedi_scan_kernels();
    const heedi_batch *b = run->batch;
    const int64_t g0 = band * BAND;
    const int64_t g1 =
        g0 + BAND < heedi_scan_groups(y) ? g0 + BAND : heedi_scan_groups(y);
    heed_real *mine = heedi_scan_own(y, run), *carry = carries(y, run);
    heed_real *steps = mine + STEPS * heedi_scan_unit(y);
    heed_real *sum = mine + SUMS * heedi_scan_unit(y);
    for (int64_t g = g0; g < g1; g++) {
        const heedi_scan s = heedi_scan_part(y, b, c->seq, c->t0, c->len, g);
        const heed_real *h = marks(y, b, c->seq, g);
        k->restate(
            &s, h + (size_t)(c->t0 / HEEDI_SCAN_CHUNK) * heedi_scan_unit(y),
            mine, mine + (size_t)(1 + (g - g0) * PIECES) * heedi_scan_unit(y));
    }
    for (int64_t p = (c->len - 1) / HEEDI_SCAN_PIECE; p >= 0; p--) {
        const int64_t t = p * HEEDI_SCAN_PIECE;
        const int64_t len =
            c->len - t < HEEDI_SCAN_PIECE ? c->len - t : HEEDI_SCAN_PIECE;
        memset(sum, 0, 2 * (size_t)len * heedi_scan_unit(y) * sizeof *sum);
        for (int64_t g = g0; g < g1; g++) {
            const heedi_scan s =
                heedi_scan_part(y, b, c->seq, c->t0 + t, len, g);
            const int64_t row = heedi_scan_row(y, b, c->seq, c->t0 + t);
            const int64_t at = row * y->cols + g * HEEDI_LANES;
            const heedi_scan_grad to = {.x = y->in[0]->g + at,
                                        .dt = y->in[1]->g + at,
                                        .add_x = !y->first[0],
                                        .add_dt = !y->first[1],
                                        .sum = sum};
            k->vjp(
                &s,
                mine + (size_t)(1 + (g - g0) * PIECES + p) * heedi_scan_unit(y),
                carry + (size_t)g * heedi_scan_unit(y), y->g + at, &to, steps);
        }
        k->fold(len * a->n_state, sum, gb + t * a->n_state,
                gc + t * a->n_state);
    }
}

static void vjp_band(const heedi_node *y, const heedi_run *run,
                     const stretch *w, int64_t band)
{
    if (w->t0 + w->len == heedi_len(run->batch, w->seq)) {
        const int64_t g = band * BAND;
        const int64_t n =
            heedi_scan_groups(y) - g < BAND ? heedi_scan_groups(y) - g : BAND;
        memset(carries(y, run) + (size_t)g * heedi_scan_unit(y), 0,
               (size_t)n * heedi_scan_unit(y) * sizeof(heed_real));
    }
    for (int64_t i = chunks(w->len) - 1; i >= 0; i--) {
        const int64_t t = i * HEEDI_SCAN_CHUNK, left = w->len - t;
        const stretch c = {w->seq, w->t0 + t,
                           left < HEEDI_SCAN_CHUNK ? left : HEEDI_SCAN_CHUNK};
        vjp_chunk(y, run, &c, band, band_sum(y, run, band, 0, t),
                  band_sum(y, run, band, 1, t));
    }
}

/* Sums over the bands, in their order, at step t of a stretch. */
static void gather(const heedi_node *y, const heedi_run *run, const stretch *w,
                   int64_t t, int which)
{
    const heedi_scan_args *a = y->args;
    const heedi_node *to = y->in[2 + which];
    const int64_t row = heedi_scan_row(y, run->batch, w->seq, w->t0 + t);
    heed_real *g = to->g + row * a->n_state;
    if (y->first[2 + which])
        memset(g, 0, (size_t)a->n_state * sizeof *g);
    for (int64_t k = 0; k < bands(y); k++) {
        const heed_real *p = band_sum(y, run, k, which, t);
        for (int64_t i = 0; i < a->n_state; i++)
            g[i] += p[i];
    }
}

static void vjp_sequence(const heedi_node *y, const heedi_run *run, int64_t seq)
{
    const int64_t len = heedi_len(run->batch, seq);
    for (int64_t t0 = (len - 1) / STRETCH_ROWS * STRETCH_ROWS; t0 >= 0;
         t0 -= STRETCH_ROWS) {
        const int64_t left = len - t0;
        const stretch w = {seq, t0, left < STRETCH_ROWS ? left : STRETCH_ROWS};
#pragma omp parallel for schedule(dynamic, 1)
        for (int64_t k = 0; k < bands(y); k++)
            vjp_band(y, run, &w, k);
#pragma omp parallel for schedule(static)
        for (int64_t t = 0; t < w.len; t++) {
            gather(y, run, &w, t, 0);
            gather(y, run, &w, t, 1);
        }
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
    return heedi_scan_step(y) < 0 ? 0
                                  : (size_t)heedi_scan_groups(y) *
                                        heedi_scan_unit(y) * sizeof(heed_real);
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
static const heedi_scan_args small = {3, 2, decay, skip, false},
                             wide = {18, 2, decay, skip, false},
                             single = {1, 1, decay, skip, false},
                             back = {18, 2, decay, skip, true};

const heedi_op heedi_op_scan = {
    .name = "scan",
    .formula = "h = exp(dt A) h + dt B x, y = C h + D x",
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
            {.in = {3, 3, 2, 2}, .args = &small},
            {.in = {18, 18, 2, 2}, .args = &wide},
            {.in = {1, 1, 1, 1}, .args = &single},
            {.in = {18, 18, 2, 2}, .args = &back},
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
    .saved_for_vjp = true,
    .scratch = scratch,
    .forward = forward,
    .vjp = vjp,
    .relevance = relevance,
    .mixing = &heedi_scan_mixing,
    .state = state,
    .state_init = state_init,
    .flops = flops,
};
