#include "gla.h"

#include <omp.h>
#include <string.h>

/* Gated linear attention (Yang et al. 2024, arXiv:2312.06635) and the mixer of
 * RWKV-6 (Peng et al. 2024, arXiv:2404.05892). Inputs r, k, v and w; in each
 * head, with the decay d_t in (0, 1) of w_t and the bonus u, the vector,
 *     o_t = r_t S_{t-1} + (r_t u . k_t) v_t,  S_t = d_t S_{t-1} + k_t v_t^T;
 * inclusive: o_t = r_t S_t, no bonus. Relevance holds r, k and d constant, so
 * that o is linear in v: everything goes there, and the projections of the
 * others need no backward.
 *
 * The adjoint of v is the same recurrence in G, the gradient of S, backwards in
 * time with r and k exchanged: gv_t = k_t G + (r_t u . k_t) go_t, then G = d_t
 * G
 * + r_t go_t^T; inclusive, with the decay of the step after. So forward and
 * relevance are one loop. Tasks are heads, or groups of keys of a head, so that
 * no sum crosses threads. Nothing is divided by a decay, and no exponent is
 * above 0: a decay may be 0.
 *
 * Memory besides inputs and outputs, in values, K keys and V values in each of
 * H heads. Kept for the full gradient alone: the state before every chunk of 64
 * steps, H K V / 64 for each token (with V = 64 one activation); relevance
 * keeps nothing. Working memory of a thread, whatever the length: K V + 64 K,
 * or 16 (66 V + 128): 0.3 MiB with V = 64. */

enum { CHUNK = HEEDI_GLA_CHUNK, WIDE = HEEDI_GLA_VALUES, LANES = HEEDI_LANES };

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    const heedi_gla_args *a = y->args;
    if (!a || a->heads < 1 || a->keys < 1 || a->values < 1 || a->tau < 0 ||
        y->in[0]->cols != a->heads * a->keys ||
        y->in[1]->cols != y->in[0]->cols || y->in[3]->cols != y->in[0]->cols ||
        y->in[2]->cols != a->heads * a->values ||
        (y->vec && (a->inclusive || y->n_vec != y->in[0]->cols)))
        return heedi_bad_shapes(ctx, y);
    y->cols = y->in[2]->cols;
    return HEED_OK;
}

static int64_t chunks(int64_t len)
{
    return (len + CHUNK - 1) / CHUNK;
}

static const heed_real *bonus(const heedi_node *y, int64_t head)
{
    const heedi_gla_args *a = y->args;
    return y->vec ? y->vec + head * a->keys : NULL;
}

/* A state kept for the gradient: (groups of keys, values, LANES). */
static int64_t mark_unit(const heedi_node *y)
{
    const heedi_gla_args *a = y->args;
    return heedi_gla_up(a->keys) * a->values;
}

static size_t saved(const heedi_node *y, const heedi_batch *b)
{
    const heedi_gla_args *a = y->args;
    int64_t n = 0;
    for (int64_t s = 0; s < b->n_seq; s++)
        n += chunks(heedi_len(b, s));
    return (size_t)(n * a->heads * mark_unit(y)) * sizeof(heed_real);
}

/* The first mark of a head of a sequence. */
static heed_real *marks(const heedi_node *y, const heedi_batch *b, int64_t seq,
                        int64_t head)
{
    const heedi_gla_args *a = y->args;
    int64_t n = head * chunks(heedi_len(b, seq));
    for (int64_t s = 0; s < seq; s++)
        n += chunks(heedi_len(b, s)) * a->heads;
    return y->saved ? (heed_real *)y->saved + n * mark_unit(y) : NULL;
}

/* Of a thread: decays of a chunk and one step, and a state; or decays, slopes,
 * a carried state and the chunk's states of one group of keys. */
static int64_t per_thread(const heedi_node *y)
{
    const heedi_gla_args *a = y->args;
    const int64_t values =
        (CHUNK + 1) * heedi_gla_up(a->keys) + heedi_gla_unit(y);
    const int64_t keys = LANES * (2 * CHUNK + (CHUNK + 1) * a->values);
    const int64_t rows = heedi_gla_rows_room(y),
                  most = values > keys ? values : keys;
    return rows > most ? rows : most;
}

static size_t scratch(const heedi_node *y, const heedi_batch *b, int threads)
{
    (void)b;
    return (size_t)(threads * per_thread(y)) * sizeof(heed_real);
}

heed_real *heedi_gla_own(const heedi_node *y, const heedi_run *run)
{
    return (heed_real *)run->scratch + omp_get_thread_num() * per_thread(y);
}

/* Decays of `len` rows of a head, rows of heedi_gla_up(keys) values. */
void heedi_gla_decays(const heedi_node *y, int64_t row, int64_t len,
                      int64_t head, heed_real *d)
{
    const heedi_gla_args *a = y->args;
    for (int64_t i = 0; i < a->keys; i += LANES) {
        const heedi_gla_gate s = {
            .len = len,
            .lanes = a->keys - i < LANES ? a->keys - i : LANES,
            .ld = y->in[3]->cols,
            .to = heedi_gla_up(a->keys),
            .w = y->in[3]->x + row * y->in[3]->cols + head * a->keys + i,
            .tau = (heed_real)a->tau};
        heedi_gla_kernels()->decay(&s, d + i, NULL);
    }
}

/* A pass over the values of a head, WIDE at a time. s: but for x and values;
 * x, y: first rows of the head. */
static void pass(const heedi_gla_args *a, heedi_gla *s, const heed_real *x,
                 heed_real *y, heed_real *state)
{
    for (int64_t j = 0; j < a->values; j += WIDE) {
        s->values = a->values - j < WIDE ? a->values - j : WIDE;
        s->x = x + j;
        heedi_gla_kernels()->pass(s, state + a->keys * j, y + j);
    }
}

static void mark(const heedi_node *y, const heed_real *state, heed_real *to)
{
    const heedi_gla_args *a = y->args;
    for (int64_t i = 0; i < a->keys; i++)
        for (int64_t j = 0; j < a->values; j++)
            to[(i / LANES * a->values + j) * LANES + i % LANES] =
                state[heedi_gla_at(a, i, j)];
}

/* out = M x, from the state, or from nothing. */
static void values(const heedi_node *y, const heedi_run *run,
                   const heed_real *x, heed_real *out, bool kept)
{
    const heedi_gla_args *a = y->args;
    const heedi_batch *b = run->batch;
    const int64_t cols = y->in[0]->cols;
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t h = 0; h < a->heads; h++) {
            heed_real *d = heedi_gla_own(y, run),
                      *m = kept ? marks(y, b, seq, h) : NULL;
            heed_real *state = d + (CHUNK + 1) * heedi_gla_up(a->keys);
            if (kept && y->state)
                state =
                    (heed_real *)heedi_state(y, seq) + h * heedi_gla_unit(y);
            else
                memset(state, 0, (size_t)heedi_gla_unit(y) * sizeof *state);
            const int64_t len = heedi_len(b, seq);
            for (int64_t t = 0; t < len; t += CHUNK) {
                const int64_t row = b->start[seq] + t;
                const int64_t at = row * cols + h * a->keys;
                const int64_t to = row * y->cols + h * a->values;
                heedi_gla s = {.len = len - t < CHUNK ? len - t : CHUNK,
                               .keys = a->keys,
                               .ld = cols,
                               .ld_x = y->cols,
                               .ld_decay = heedi_gla_up(a->keys),
                               .read = y->in[0]->x + at,
                               .write = y->in[1]->x + at,
                               .decay = d,
                               .bonus = bonus(y, h),
                               .inclusive = a->inclusive};
                heedi_gla_decays(y, row, s.len, h, d);
                if (m)
                    mark(y, state, m + t / CHUNK * mark_unit(y));
                pass(a, &s, x + to, out + to, state);
            }
        }
}

static void forward(const heedi_node *y, heedi_run *run)
{
    values(y, run, y->in[2]->x, y->x, true);
}

static void apply(const heedi_node *y, const heedi_run *run, const heed_real *x,
                  heed_real *out)
{
    values(y, run, x, out, false);
}

/* Inclusive, the first step back has the decay of a step after the last one:
 * any number, since nothing is there to decay. */
static void adjoint(const heedi_node *y, const heedi_run *run,
                    const heed_real *g, heed_real *gv, bool add)
{
    const heedi_gla_args *a = y->args;
    const heedi_batch *b = run->batch;
    const int64_t cols = y->in[0]->cols, wide = heedi_gla_up(a->keys);
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t h = 0; h < a->heads; h++) {
            heed_real *d = heedi_gla_own(y, run),
                      *state = d + (CHUNK + 1) * wide;
            const int64_t len = heedi_len(b, seq);
            memset(d, 0,
                   (size_t)((CHUNK + 1) * wide + heedi_gla_unit(y)) *
                       sizeof *d);
            for (int64_t t = (len - 1) / CHUNK * CHUNK; t >= 0; t -= CHUNK) {
                const int64_t n = len - t < CHUNK ? len - t : CHUNK;
                const int64_t row = b->start[seq] + t, last = row + n - 1;
                const int64_t at = last * cols + h * a->keys;
                const int64_t out = last * y->cols + h * a->values;
                heedi_gla s = {.len = n,
                               .keys = a->keys,
                               .ld = -cols,
                               .ld_x = -y->cols,
                               .ld_decay = -wide,
                               .read = y->in[1]->x + at,
                               .write = y->in[0]->x + at,
                               .decay = d + (n - !a->inclusive) * wide,
                               .bonus = bonus(y, h),
                               .inclusive = a->inclusive,
                               .add = add};
                heedi_gla_decays(y, row, n + (t + n < len), h, d);
                pass(a, &s, g + out, gv + out, state);
            }
        }
}

static void relevance(const heedi_node *y, heedi_run *run)
{
    adjoint(y, run, y->g, y->in[2]->g, !y->first[2]);
}

static void transpose(const heedi_node *y, const heedi_run *run,
                      const heed_real *g, heed_real *gv)
{
    adjoint(y, run, g, gv, false);
}

/* r, k and w of one group of keys of a head. */
static void keys(const heedi_node *y, const heedi_run *run, int64_t seq,
                 int64_t h, int64_t i)
{
    const heedi_gla_args *a = y->args;
    const heedi_batch *b = run->batch;
    const heedi_gla_table *k = heedi_gla_kernels();
    const int64_t cols = y->in[0]->cols, len = heedi_len(b, seq);
    const int64_t lanes = a->keys - i < LANES ? a->keys - i : LANES;
    heed_real *d = heedi_gla_own(y, run), *slope = d + CHUNK * LANES;
    heed_real *carry = slope + CHUNK * LANES, *step = carry + a->values * LANES;
    const heed_real *m = marks(y, b, seq, h) + i * a->values;
    memset(carry, 0, (size_t)(a->values * LANES) * sizeof *carry);
    for (int64_t t = (len - 1) / CHUNK * CHUNK; t >= 0; t -= CHUNK) {
        const int64_t n = len - t < CHUNK ? len - t : CHUNK;
        const int64_t row = b->start[seq] + t;
        const int64_t at = row * cols + h * a->keys + i;
        const int64_t out = row * y->cols + h * a->values;
        const heedi_gla_gate gate = {.len = n,
                                     .lanes = lanes,
                                     .ld = cols,
                                     .to = LANES,
                                     .w = y->in[3]->x + at,
                                     .tau = (heed_real)a->tau};
        const heedi_gla_keys s = {.len = n,
                                  .lanes = lanes,
                                  .values = a->values,
                                  .ld = cols,
                                  .ld_v = y->cols,
                                  .r = y->in[0]->x + at,
                                  .k = y->in[1]->x + at,
                                  .v = y->in[2]->x + out,
                                  .o = y->g + out,
                                  .decay = d,
                                  .slope = slope,
                                  .bonus = y->vec ? bonus(y, h) + i : NULL,
                                  .inclusive = a->inclusive};
        const heedi_gla_grad to = {.r = y->in[0]->g + at,
                                   .k = y->in[1]->g + at,
                                   .w = y->in[3]->g + at,
                                   .add_r = !y->first[0],
                                   .add_k = !y->first[1],
                                   .add_w = !y->first[3]};
        k->decay(&gate, d, slope);
        k->keys(&s, m + t / CHUNK * mark_unit(y), carry, &to, step);
    }
}

/* v last: all inputs may be one value, and r is the first to write there. */
static void vjp(const heedi_node *y, heedi_run *run)
{
    const heedi_gla_args *a = y->args;
    const heedi_batch *b = run->batch;
#pragma omp parallel for collapse(3) schedule(dynamic, 1)
    for (int64_t seq = 0; seq < b->n_seq; seq++)
        for (int64_t h = 0; h < a->heads; h++)
            for (int64_t i = 0; i < a->keys; i += LANES)
                keys(y, run, seq, h, i);
    relevance(y, run);
}

static int64_t heads(const heedi_node *y)
{
    const heedi_gla_args *a = y->args;
    return a->heads;
}

static size_t state(const heedi_node *y, int64_t len)
{
    const heedi_gla_args *a = y->args;
    (void)len;
    return (size_t)(a->heads * heedi_gla_unit(y)) * sizeof(heed_real);
}

static void state_init(const heedi_node *y, int64_t len)
{
    (void)y; /* zeros */
    (void)len;
}

/* Three multiply-adds, nearly, for each number of a state. */
static double flops(const heedi_node *y, const heedi_batch *b)
{
    const heedi_gla_args *a = y->args;
    return 5.0 * (double)b->rows * (double)a->heads * (double)a->keys *
           (double)a->values;
}

static const heedi_gla_args three = {3, 5, 5, false, 0},
                            groups = {2, 18, 70, false, 0},
                            plain = {1, 3, 17, false, 16},
                            gated = {2, 19, 3, true, 0},
                            soft = {3, 4, 4, true, 2};

static const heedi_mixing mixing = {.mixer = "gla",
                                    .operand = 2,
                                    .heads = heads,
                                    .rows = heedi_gla_rows,
                                    .rest = heedi_gla_rest,
                                    .states = heedi_gla_states,
                                    .rates = heedi_gla_rates,
                                    .transpose = transpose,
                                    .apply = apply,
                                    .separable = &heedi_gla_separable};

const heedi_op heedi_op_gla = {
    .name = "gla",
    .formula = "o = r S + (r u . k) v, S = d S + k v, d = exp(-exp(w)); or "
               "inclusive",
    .rule = "r, k, d, u constant: all to v",
    .n_in = 4,
    .quotient = HEEDI_BY_MAP,
    .conserves = true,
    .assigns = true,
    .vjp_needs = HEEDI_IN0 | HEEDI_IN1 | HEEDI_IN2 | HEEDI_IN3,
    .relevance_needs = HEEDI_IN0 | HEEDI_IN1 | HEEDI_IN3,
    .relevance_stops = HEEDI_IN0 | HEEDI_IN1 | HEEDI_IN3,
    .examples =
        (const heedi_example[]){
            {.in = {15, 15, 15, 15}, .n_vec = 15, .args = &three},
            {.in = {36, 36, 140, 36}, .n_vec = 36, .args = &groups},
            {.in = {3, 3, 17, 3}, .args = &plain},
            {.in = {38, 38, 6, 38}, .args = &gated},
            {.in = {12, 12, 12, 12}, .args = &soft},
            {.in = {0}},
        },
    .refused =
        (const heedi_example[]){
            {.in = {15, 15, 15, 12}, .args = &three},
            {.in = {15, 15, 12, 15}, .args = &three},
            {.in = {15, 15, 15, 15}, .n_vec = 5, .args = &three},
            {.in = {38, 38, 6, 38}, .n_vec = 38, .args = &gated},
            {.in = {15, 15, 15, 15}},
            {.in = {0}},
        },
    .infer = infer,
    .saved = saved,
    .saved_for_vjp = true,
    .scratch = scratch,
    .forward = forward,
    .vjp = vjp,
    .relevance = relevance,
    .mixing = &mixing,
    .state = state,
    .state_init = state_init,
    .flops = flops,
};
