#include "args.h"
#include "choices.h"
#include "op.h"
#include "readout.h"

/* y = R(pos) x for each head: the first rot dimensions turn in pairs, the
 * others pass. Linear in x, so that relevance is the plain transpose and
 * nothing is lost here. */

static heed_status infer(heed_ctx *ctx, heedi_node *y)
{
    const heedi_rope_args *a = y->args;
    if (!a || a->head_dim < 1 || y->in[0]->cols % a->head_dim != 0 ||
        a->rope->rot > a->head_dim || a->rope->rot % 2 != 0)
        return heedi_bad_shapes(ctx, y);
    y->cols = y->in[0]->cols;
    return HEED_OK;
}

/* y (+)= rotation of x by sign * angle, the rotated dimensions times f */
static void turn(const heedi_node *y, const heedi_run *run, const heed_real *x,
                 heed_real *out, heed_real sign, heed_real f, bool add)
{
    const heedi_rope_args *a = y->args;
    const heedi_rope *r = a->rope;
    const int64_t half = r->rot / 2, d = a->head_dim;
    const int64_t step = r->interleaved ? 2 : 1;
    const int64_t other = r->interleaved ? 1 : half;
    const heedi_batch *b = run->batch;
    const heed_real *table = run->rope[r->index];
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++)
        for (int64_t row = b->small[k].row;
             row < b->small[k].row + b->small[k].n; row++) {
            const heed_real *cs = table + row * r->rot;
            for (int64_t h = 0; h < y->cols; h += d) {
                const heed_real *p = x + row * y->cols + h;
                heed_real *q = out + row * y->cols + h;
                for (int64_t i = 0; i < half; i++) {
                    heed_real c = f * cs[2 * i], s = f * sign * cs[2 * i + 1];
                    heed_real u = p[i * step], v = p[i * step + other];
                    heed_real w0 = u * c - v * s, w1 = v * c + u * s;
                    q[i * step] = add ? q[i * step] + w0 : w0;
                    q[i * step + other] = add ? q[i * step + other] + w1 : w1;
                }
                for (int64_t i = r->rot; i < d; i++)
                    q[i] = add ? q[i] + p[i] : p[i];
            }
        }
}

static void forward(const heedi_node *y, heedi_run *run)
{
    turn(y, run, y->in[0]->x, y->x, 1, 1, false);
}

static void vjp(const heedi_node *y, heedi_run *run)
{
    turn(y, run, y->g, y->in[0]->g, -1, 1, !y->first[0]);
}

/* ---- PA-LRP: the tables are live and take a half ---- */

/* Terms of one row: with y0 = u cos - v sin, y1 = v cos + u sin,
 *     cos: (u g0 + v g1) cos / 2,  sin: (u g1 - v g0) sin / 2. */
static void read_row(const heedi_node *y, const heedi_run *run, int64_t row,
                     double sum[2], double *channel)
{
    const heedi_rope_args *a = y->args;
    const heedi_rope *r = a->rope;
    const int64_t half = r->rot / 2, step = r->interleaved ? 2 : 1;
    const int64_t other = r->interleaved ? 1 : half;
    const heed_real *cs = run->rope[r->index] + row * r->rot;
    sum[0] = sum[1] = 0;
    for (int64_t h = 0; h < y->cols; h += a->head_dim) {
        const heed_real *x = y->in[0]->x + row * y->cols + h;
        const heed_real *g = y->g + row * y->cols + h;
        for (int64_t i = 0; i < half; i++) {
            const int64_t d0 = i * step, d1 = d0 + other;
            const double u = (double)x[d0], v = (double)x[d1];
            const double g0 = (double)g[d0], g1 = (double)g[d1];
            const double c = (double)cs[2 * i], s = (double)cs[2 * i + 1];
            sum[0] += 0.5 * c * (u * g0 + v * g1);
            sum[1] += 0.5 * s * (u * g1 - v * g0);
            if (channel) {
                channel[d0] += 0.5 * c * u * g0;
                channel[d1] += 0.5 * c * v * g1;
                channel[r->rot + d0] -= 0.5 * s * v * g0;
                channel[r->rot + d1] += 0.5 * s * u * g1;
            }
        }
    }
}

void heedi_rope_shared(const heedi_node *y, heedi_run *run)
{
    const heedi_batch *b = run->batch;
    heedi_readout *o = run->readout;
    const int64_t slot = o ? heedi_readout_slot(o, y) : 0;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        run->partial[k] = 0;
        for (int64_t r = b->small[k].row; r < b->small[k].row + b->small[k].n;
             r++) {
            double sum[2];
            read_row(y, run, r, sum,
                     o && o->channel
                         ? o->channel + (slot * o->rows + r) * 2 * o->rot
                         : NULL);
            run->partial[k] += sum[0] + sum[1];
            if (o) {
                o->cos[slot * o->rows + r] += sum[0];
                o->sin[slot * o->rows + r] += sum[1];
            }
        }
    }
    for (int64_t k = 0; k < b->n_small; k++)
        heedi_deposit(run->ledger, b->small[k].seq, y->id, HEEDI_ENTRY_position,
                      run->partial[k]);
    if (o)
        o->rotary[slot] = true;
    turn(y, run, y->g, y->in[0]->g, -1, (heed_real)0.5, !y->first[0]);
}

/* Tests give a table of their own; frequencies are not used there. */
static const heedi_rope half_pairs = {.index = 0, .rot = 6};
static const heedi_rope next_pairs = {
    .index = 0, .rot = 6, .interleaved = true};
static const heedi_rope_args whole = {&half_pairs, 6},
                             partial = {&half_pairs, 9},
                             interleaved = {&next_pairs, 6};

static heedi_columns divided(const heedi_node *y)
{
    const heedi_rope_args *a = y->args;
    return (heedi_columns){a->rope->rot, a->head_dim};
}

const heedi_op heedi_op_rope = {
    .name = "rope",
    .formula = "y = R(pos) x in each head",
    .rule = "g_x = R^T g",
    .n_in = 1,
    .quotient = HEEDI_BY_SUM,
    .divided = divided,
    .conserves = true,
    .assigns = true,
    .examples =
        (const heedi_example[]){
            {.in = {12}, .args = &whole},
            {.in = {18}, .args = &partial},
            {.in = {6}, .args = &interleaved},
            {.in = {0}},
        },
    .refused = (const heedi_example[]){{.in = {11}, .args = &whole},
                                       {.in = {12}},
                                       {.in = {0}}},
    .infer = infer,
    .forward = forward,
    .vjp = vjp,
};
