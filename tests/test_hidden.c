/* The matrices of the selective scan, folded by tiles: against the row
 * recursion in double, channel by channel, with weak and strong decay, steps of
 * size 0, a filter and weights, at lengths on both sides of panels and tiles;
 * rows cut elsewhere; matrix, operand and rest against what the scan made, with
 * and without a carried state; column sums of the contribution map against
 * relevance through the scan; and variants that must not agree. */
#include "testlib.h"

#include <stdlib.h>

#include "fold.h"
#include "optest.h"

enum { WIDTH = 4, SAMPLES = 6 };

typedef struct shape {
    int64_t len, channels, n_state, nq; /* nq: rows of a call */
    bool weighted, filtered, carried;
} shape;

static const shape shapes[] = {
    {1, 3, 2, 1, false, false, false},
    {5, 16, 16, 5, true, true, true},
    {37, 19, 5, 16, true, false, true},
    {130, 33, 16, 128, false, true, false},
    {131, 145, 16, 48, true, true, true},
    {1000, 40, 16, 256, true, true, true},
    {2048, 24, 16, 128, true, true, false},
    {2048, 17, 7, 2048, false, false, false},
    {300, 18, 33, 1, true, true, false},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

typedef struct scene {
    const shape *s;
    optest t;
    heedi_arena mem;
    heed_ctx *ctx;
    heed_real *left, *right, *post, *filter, *before;
} scene;

static heed_real *values(scene *c, int64_t n, uint32_t seed)
{
    heed_real *x = optest_reals(&c->t, n);
    for (int64_t i = 0; i < n; i++)
        x[i] = optest_value(&seed);
    return x;
}

/* Time steps from 1e-4 to 50 over the channels, some of size 0. */
static void steps(scene *c)
{
    uint32_t seed = 77;
    const int64_t e = c->s->channels;
    for (int64_t i = 0; i < c->s->len * e; i++) {
        const double at = e > 1 ? (double)(i % e) / (double)(e - 1) : 0;
        const double jitter = exp(0.3 * (double)rnd(&seed));
        c->t.in[1]->x[i] =
            i % 13 == 7 ? 0 : (heed_real)(1e-4 * exp(at * log(5e5)) * jitter);
    }
}

static void enter(scene *c, const shape *s)
{
    const int64_t groups = (s->channels + HEEDI_LANES - 1) / HEEDI_LANES;
    const int64_t m = groups * HEEDI_LANES, n = s->n_state;
    *c = (scene){.s = s, .ctx = new_ctx()};
    heedi_arena_init(&c->mem, c->ctx);
    heed_real *a = heedi_arena_alloc(&c->mem, (size_t)(m * n) * sizeof *a);
    heed_real *d = heedi_arena_alloc(&c->mem, (size_t)m * sizeof *d);
    heedi_scan_args *args = heedi_arena_alloc(&c->mem, sizeof *args);
    assert_true(a && d && args);
    for (int64_t i = 0; i < s->channels; i++) {
        d[i] = (heed_real)(1 - 0.2 * (double)(i % 9));
        for (int64_t k = 0; k < n; k++)
            a[(i / HEEDI_LANES * n + k) * HEEDI_LANES + i % HEEDI_LANES] =
                (heed_real)(-0.3 - (double)k - 0.01 * (double)(i % 7));
    }
    *args = (heedi_scan_args){
        .channels = s->channels, .n_state = n, .a = a, .d = d};
    const heedi_example row = {.in = {s->channels, s->channels, n, n},
                               .args = args};
    assert_int_equal(
        optest_open(&c->t, &heedi_op_scan, &row,
                    (optest_how){.len = &s->len, .n_seq = 1, .threads = 3}),
        HEED_OK);
    steps(c);
    const int64_t all = s->len * s->channels;
    c->left = s->weighted ? values(c, all, 3) : NULL;
    c->right = s->weighted ? values(c, all, 5) : NULL;
    c->post = s->weighted ? values(c, all, 7) : NULL;
    c->filter = s->filtered ? values(c, WIDTH * s->channels, 9) : NULL;
    const size_t bytes = heedi_op_scan.state(c->t.y, s->len);
    if (s->carried) {
        c->before = values(c, (int64_t)(bytes / sizeof(heed_real)), 11);
        c->t.y->state = optest_alloc(&c->t, bytes);
        memcpy(c->t.y->state, c->before, bytes);
    }
    optest_forward(&c->t);
}

static void leave(scene *c)
{
    optest_close(&c->t);
    heedi_arena_clear(&c->mem);
    heed_ctx_free(c->ctx);
}

static double value(const heed_real *x, int64_t i)
{
    return x ? (double)x[i] : 1;
}

/* Row r of channel d, in double. */
static void recursion(const scene *c, int64_t r, int64_t d, double *out)
{
    const heedi_node *y = c->t.y;
    const heedi_scan_args *a = y->args;
    const int64_t n = a->n_state, e = a->channels;
    double *g = malloc((size_t)n * sizeof *g);
    for (int64_t k = 0; k < n; k++)
        g[k] = (double)y->in[3]->x[r * n + k];
    for (int64_t i = 0; i < c->s->len; i++)
        out[i] = 0;
    for (int64_t i = r; i >= 0; i--) {
        const double dt = (double)y->in[1]->x[i * e + d];
        for (int64_t k = 0; k < n; k++) {
            const int64_t at =
                (d / HEEDI_LANES * n + k) * HEEDI_LANES + d % HEEDI_LANES;
            out[i] += g[k] * dt * (double)y->in[2]->x[i * n + k];
            g[k] *= exp(dt * (double)a->a[at]);
        }
    }
    free(g);
}

static double folded(heedi_fold_kind f, double acc, double x)
{
    return f == HEEDI_FOLD_SUM        ? acc + x
           : f == HEEDI_FOLD_POSITIVE ? acc + fmax(x, 0)
           : f == HEEDI_FOLD_ABSOLUTE ? acc + fabs(x)
           : f == HEEDI_FOLD_SQUARE   ? acc + x * x
                                      : fmax(acc, x);
}

/* want: (T), of row r; size: the same of |entries|, that rounding goes with */
static void definition(const scene *c, heedi_fold_kind f, int64_t r,
                       double *want, double *size)
{
    const int64_t len = c->s->len, e = c->s->channels;
    double *m = malloc((size_t)len * sizeof *m);
    for (int64_t i = 0; i < len; i++) {
        want[i] = f == HEEDI_FOLD_MAX ? -HUGE_VAL : 0;
        size[i] = 0;
    }
    for (int64_t d = 0; d < e; d++) {
        recursion(c, r, d, m);
        for (int64_t i = 0; i < len; i++) {
            double x = c->filter ? 0 : m[i] * value(c->right, i * e + d);
            for (int64_t k = 0; c->filter && k < WIDTH && i + k < len; k++)
                x += m[i + k] * value(c->right, (i + k) * e + d) *
                     (double)c->filter[(WIDTH - 1 - k) * e + d];
            x *= value(c->left, r * e + d) * value(c->post, i * e + d);
            want[i] = folded(f, want[i], x);
            size[i] = folded(f == HEEDI_FOLD_SQUARE ? f : HEEDI_FOLD_ABSOLUTE,
                             size[i], x);
        }
    }
    free(m);
}

/* All rows, in calls of nq. */
static heed_real *fold(scene *c, heedi_fold_kind f, int64_t nq, int threads)
{
    const int64_t len = c->s->len;
    heed_real *out = optest_reals(&c->t, len * len);
    heedi_fold q = {.f = f,
                    .left = c->left,
                    .right = c->right,
                    .post = c->post,
                    .filter = c->filter,
                    .width = WIDTH};
    c->t.run.threads = threads;
    omp_set_num_threads(threads);
    q.scratch = optest_alloc(
        &c->t, heedi_fold_scratch(c->t.y, &c->t.batch, threads, nq));
    for (q.q0 = 0; q.q0 < len; q.q0 += nq) {
        q.nq = len - q.q0 < nq ? len - q.q0 : nq;
        q.out = out + q.q0 * len;
        heedi_fold_run(c->t.y, &c->t.run, &q);
    }
    return out;
}

static void check_row(const scene *c, heedi_fold_kind f, int64_t r,
                      const heed_real *got)
{
    const int64_t len = c->s->len;
    double *want = malloc((size_t)len * sizeof *want), most_ = 0, worst = 0;
    double *size = malloc((size_t)len * sizeof *size);
    definition(c, f, r, want, size);
    for (int64_t i = 0; i < len; i++) {
        const double d = fabs((double)got[i] - want[i]);
        worst = d <= worst ? worst : d == d ? d : HUGE_VAL;
        most_ = fmax(most_, size[i]);
        if (i > r)
            assert_true(got[i] == 0);
        if (got[i] != 0 && !isnormal((double)got[i]))
            fail_msg("entry %g", (double)got[i]);
    }
    free(want);
    free(size);
    if (!(worst <= optest_tol(1e-6, 1e-13) * most_))
        fail_msg("T = %d, %d channels, %d states, kind %d, row %d: %.2g",
                 (int)len, (int)c->s->channels, (int)c->s->n_state, (int)f,
                 (int)r, worst / most_);
}

static void test_tiles(void **state)
{
    (void)state;
    for (int i = 0; i < N_SHAPES; i++)
        for (int f = 0; f < HEEDI_N_FOLD; f++) {
            scene c;
            enter(&c, &shapes[i]);
            const int64_t len = c.s->len;
            const heed_real *m = fold(&c, (heedi_fold_kind)f, c.s->nq, 3);
            for (int64_t k = 0; k < SAMPLES; k++) {
                const int64_t r = k * (len - 1) / (SAMPLES - 1);
                check_row(&c, (heedi_fold_kind)f, r, m + r * len);
            }
            leave(&c);
        }
}

static void test_threads(void **state)
{
    (void)state;
    for (int i = 2; i < 5; i++) {
        scene c;
        enter(&c, &shapes[i]);
        const size_t n = (size_t)(c.s->len * c.s->len) * sizeof(heed_real);
        const heed_real *one = fold(&c, HEEDI_FOLD_SUM, c.s->nq, 1);
        assert_memory_equal(one, fold(&c, HEEDI_FOLD_SUM, c.s->nq, 2), n);
        assert_memory_equal(one, fold(&c, HEEDI_FOLD_SUM, c.s->nq, 4), n);
        leave(&c);
    }
}

/* ---- matrix, operand and rest make the output ---- */

/* The largest of the row's errors; `drop`: without the rest. */
static double apart(scene *c, int64_t r, bool drop)
{
    const heedi_node *y = c->t.y;
    const int64_t len = c->s->len, e = c->s->channels;
    heed_real *row = optest_reals(&c->t, len), *rest = optest_reals(&c->t, e);
    const heedi_mixing *mix = y->op->mixing;
    double worst = 0, most_ = 0;
    heedi_view v = {.q0 = r, .nq = 1, .out = rest, .before = c->before};
    mix->rest(y, &c->t.run, &v);
    v.out = row;
    for (v.head = 0; v.head < e; v.head++) {
        double sum = drop ? 0 : (double)rest[v.head];
        mix->rows(y, &c->t.run, &v);
        for (int64_t i = 0; i < len; i++)
            sum += (double)row[i] * (double)y->in[0]->x[i * e + v.head];
        worst = fmax(worst, fabs(sum - (double)y->x[r * e + v.head]));
        most_ = fmax(most_, fabs((double)y->x[r * e + v.head]));
    }
    return worst / most_;
}

static void test_identity(void **state)
{
    (void)state;
    for (int i = 0; i < N_SHAPES; i++) {
        scene c;
        enter(&c, &shapes[i]);
        for (int64_t k = 0; k < SAMPLES; k++) {
            const int64_t r = k * (c.s->len - 1) / (SAMPLES - 1);
            assert_true(apart(&c, r, false) <= optest_tol(1e-6, 1e-12));
            assert_true(apart(&c, r, true) > 1e-4);
        }
        leave(&c);
    }
}

/* The released row, which lacks its own decay and its diagonal, makes another
 * output: that of a step of size 0. */
static void test_code_row_differs(void **state)
{
    (void)state;
    static const shape s = {37, 19, 5, 37, false, false, false};
    scene c;
    enter(&c, &s);
    heed_real *dt = c.t.in[1]->x + 36 * s.channels;
    memset(dt, 0, (size_t)s.channels * sizeof *dt);
    assert_true(apart(&c, 36, false) > 1e-2);
    leave(&c);
}

/* Sums of the columns of g M x over all channels are what relevance through
 * the scan gives x, times x: two ways that share no code. */
static void test_contributions(void **state)
{
    (void)state;
    static const shape s = {300, 40, 16, 128, true, false, false};
    scene c;
    enter(&c, &s);
    const int64_t e = s.channels;
    const heedi_scan_args *a = c.t.y->args;
    heed_real *no_skip = optest_reals(&c.t, 48);
    heedi_scan_args bare = *a;
    memset(no_skip, 0, 48 * sizeof *no_skip);
    bare.d = no_skip;
    c.t.y->args = &bare;
    c.left = c.t.y->g;
    c.right = c.t.in[0]->x;
    c.post = NULL;
    const heed_real *m = fold(&c, HEEDI_FOLD_SUM, s.nq, 2);
    optest_back(&c.t, HEEDI_RELEVANCE, 15, 0);
    double worst = 0, most_ = 0;
    for (int64_t i = 0; i < s.len; i++) {
        double column = 0, want = 0;
        for (int64_t r = 0; r < s.len; r++)
            column += (double)m[r * s.len + i];
        for (int64_t d = i * e; d < (i + 1) * e; d++)
            want += (double)c.t.in[0]->x[d] * (double)c.t.in[0]->g[d];
        worst = fmax(worst, fabs(column - want));
        most_ = fmax(most_, fabs(want));
    }
    assert_true(worst <= optest_tol(1e-5, 1e-12) * most_);
    leave(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_tiles), test(test_threads), test(test_identity),
        test(test_code_row_differs), test(test_contributions)};
    RUN(tests);
}
