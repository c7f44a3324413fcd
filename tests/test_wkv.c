/* The weighted mean of RWKV-4 against its definition, a softmax for each
 * channel, in double: values, gradient and what relevance holds constant, for
 * weak and strong decay and large keys; its rows, with and without a carried
 * state; and its inner loops for every instruction set. */
#include "testlib.h"

#include <stdlib.h>

#include "kernel.h"
#include "optest.h"

enum { MOST = 33 };

typedef struct shape {
    int64_t len, channels;
    double keys; /* they are so large */
    double first[MOST], decay[MOST];
} shape;

/* Decays of all sorts, and bonuses; or all alike. */
static shape shape_of(int64_t len, int64_t channels, double keys)
{
    static const double some[] = {-1e-5, -0.01, -0.3,          0, -2, -20,
                                  -1e-3, -1,    HEEDI_WKV_NONE};
    shape s = {.len = len, .channels = channels, .keys = keys};
    for (int64_t c = 0; c < channels; c++) {
        s.decay[c] = some[c % 9];
        s.first[c] = keys * ((double)(c % 5) - 2) / 2;
    }
    return s;
}

static void arrange(const shape *s, heedi_wkv_args *a, double *w, double *u)
{
    memset(w, 0, 3 * HEEDI_LANES * sizeof *w);
    memset(u, 0, 3 * HEEDI_LANES * sizeof *u);
    memcpy(w, s->decay, (size_t)s->channels * sizeof *w);
    memcpy(u, s->first, (size_t)s->channels * sizeof *u);
    *a = (heedi_wkv_args){s->channels, w, u};
}

static void open_shape(optest *t, const shape *s, heedi_wkv_args *a, double *w,
                       double *u)
{
    arrange(s, a, w, u);
    const heedi_example row = {.in = {s->channels, s->channels}, .args = a};
    open_(t, &heedi_op_wkv, &row,
          (optest_how){.len = &s->len, .n_seq = 1, .threads = 2});
    for (int64_t i = 0; i < s->len * s->channels; i++)
        t->in[0]->x[i] *= (heed_real)s->keys;
}

/* ---- the definition ---- */

/* Row r of one channel: weights of columns 0 ... r; with `late`, of a decay
 * that begins one step late, which must not pass. */
static void weights(const optest *t, int64_t c, int64_t r, bool late, double *a)
{
    const heedi_wkv_args *p = t->y->args;
    const heed_real *k = t->in[0]->x;
    double max = -HUGE_VAL, sum = 0;
    for (int64_t i = 0; i <= r; i++) {
        const double back = (double)(r - i - (late ? 0 : 1));
        a[i] =
            (double)k[i * t->y->cols + c] + (i == r ? p->u[c] : p->w[c] * back);
        max = fmax(max, a[i]);
    }
    for (int64_t i = 0; i <= r; i++)
        sum += a[i] = exp(a[i] - max);
    for (int64_t i = 0; i <= r; i++)
        a[i] /= sum;
}

typedef struct wanted {
    double *y, *gk, *gv; /* (T) of one channel */
} wanted;

static void define(const optest *t, int64_t c, bool late, double *a, wanted *w)
{
    const int64_t n = t->batch.rows, cols = t->y->cols;
    const heed_real *v = t->in[1]->x + c, *g = t->y->g + c;
    for (int64_t i = 0; i < n; i++)
        w->gk[i] = w->gv[i] = 0;
    for (int64_t r = 0; r < n; r++) {
        weights(t, c, r, late, a);
        double y = 0;
        for (int64_t i = 0; i <= r; i++)
            y += a[i] * (double)v[i * cols];
        for (int64_t i = 0; i <= r; i++) {
            const double ag = a[i] * (double)g[r * cols];
            w->gv[i] += ag;
            w->gk[i] += ag * ((double)v[i * cols] - y);
        }
        w->y[r] = y;
    }
}

/* Largest difference of a channel relative to `scale`. */
static double apart(const heed_real *x, int64_t cols, const double *want,
                    int64_t n, double scale)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)x[i * cols] - want[i]);
        worst = d == d ? fmax(worst, d) : HUGE_VAL;
    }
    return worst / scale;
}

/* Values and gradients are of order 1. */
static void check_shape(const shape *s)
{
    optest t;
    heedi_wkv_args args;
    double w_[3 * HEEDI_LANES], u_[3 * HEEDI_LANES], late = 0;
    open_shape(&t, s, &args, w_, u_);
    const heedi_example *row = heedi_op_wkv.examples;
    const int64_t n = s->len, cols = s->channels;
    const double tol = optest_tol(1e-6, 1e-12);
    const heed_real nan_ = (heed_real)NAN;
    double *room = malloc((size_t)(4 * n) * sizeof *room);
    wanted w = {room + n, room + 2 * n, room + 3 * n};
    optest_forward(&t);
    optest_back(&t, HEEDI_RELEVANCE, 2, nan_);
    heed_real *held = optest_copy(&t, t.in[1]->g, n * cols);
    optest_back(&t, HEEDI_GRADIENT, 3, nan_);
    for (int64_t c = 0; c < cols; c++) {
        define(&t, c, false, room, &w);
        double most_ = 1;
        for (int64_t i = 0; i < n; i++)
            most_ = fmax(most_, fabs(w.gv[i]));
        within(&heedi_op_wkv, row, "y", apart(t.y->x + c, cols, w.y, n, 1),
               tol);
        within(&heedi_op_wkv, row, "gv of relevance",
               apart(held + c, cols, w.gv, n, most_), tol);
        within(&heedi_op_wkv, row, "gv",
               apart(t.in[1]->g + c, cols, w.gv, n, most_), tol);
        within(&heedi_op_wkv, row, "gk",
               apart(t.in[0]->g + c, cols, w.gk, n, most_), 2 * tol);
        if (args.w[c] > -0.2 || args.w[c] < -3)
            continue;
        define(&t, c, true, room, &w);
        late = fmax(late, apart(held + c, cols, w.gv, n, most_));
    }
    if (n > 2 && cols > 4)
        beyond(&heedi_op_wkv, row, "gv of another decay", late, 100 * tol);
    free(room);
    optest_close(&t);
}

static void test_definition(void **state)
{
    (void)state;
    static const int64_t len[] = {1, 2, 63, 64, 65, 130, 1000};
    static const double keys[] = {1, 20, 200};
    for (int i = 0; i < 7; i++)
        for (int k = 0; k < 3; k++) {
            const shape s = shape_of(len[i], 17, keys[k]);
            check_shape(&s);
        }
}

/* A maximum that sinks by w for thousands of steps. */
static void test_long(void **state)
{
    (void)state;
    shape s = shape_of(5000, 3, 1);
    check_shape(&s);
    s.decay[2] = -1e-3;
    s.keys = 8;
    check_shape(&s);
}

/* ---- as a matrix ---- */

/* Rows and rest of a sequence that goes on from `before`, or began: they make
 * y again; what the rows lack of 1 is the weight of the state, `kept` (or
 * NULL) what its mean is. */
static void check_rows(optest *t, const void *before, const double *kept)
{
    const heedi_node *y = t->y;
    const int64_t n = t->batch.rows, cols = y->cols;
    const double tol = optest_tol(1e-6, 1e-12);
    const heedi_example *row = heedi_op_wkv.examples;
    heed_real *m = optest_reals(t, n * n), *rest = optest_reals(t, n * cols);
    double error = 0, mass = 0, without = 0;
    heedi_op_wkv.mixing->rest(
        y, &t->run, &(heedi_view){.nq = n, .out = rest, .before = before});
    for (int64_t c = 0; c < cols; c++) {
        heedi_op_wkv.mixing->rows(
            y, &t->run,
            &(heedi_view){.head = c, .nq = n, .out = m, .before = before});
        for (int64_t r = 0; r < n; r++) {
            double sum = 0, all = 0;
            for (int64_t i = 0; i < n; i++) {
                const double a = (double)m[r * n + i];
                assert_true(i > r ? a == 0 : a >= 0);
                all += a;
                sum += a * (double)t->in[1]->x[i * cols + c];
            }
            const double z = (double)rest[r * cols + c];
            const double d = fabs(sum - (double)y->x[r * cols + c]);
            without = fmax(without, d);
            error = fmax(error, fabs(sum + z - (double)y->x[r * cols + c]));
            mass = fmax(mass, fabs(kept ? (1 - all) * kept[c] - z : 1 - all));
        }
    }
    within(&heedi_op_wkv, row, "rows and rest", error, tol);
    within(&heedi_op_wkv, row, "weight of the rows", mass, tol);
    if (kept)
        beyond(&heedi_op_wkv, row, "rows without the rest", without, tol);
}

static void test_rows(void **state)
{
    (void)state;
    static const int64_t len[] = {1, 5, 130, 1000};
    for (int i = 0; i < 4; i++) {
        optest t;
        heedi_wkv_args args;
        double w[3 * HEEDI_LANES], u[3 * HEEDI_LANES];
        const shape s = shape_of(len[i], 17, 4);
        open_shape(&t, &s, &args, w, u);
        optest_forward(&t);
        check_rows(&t, NULL, NULL);
        optest_close(&t);
    }
}

/* Pieces give the bits of the whole, and each piece is its rows and the rest
 * of what was before it. */
static void test_carried(void **state)
{
    (void)state;
    static const int64_t piece[] = {70, 1, 5, 130, 1};
    optest t;
    heedi_wkv_args args;
    double w[3 * HEEDI_LANES], u[3 * HEEDI_LANES], kept[MOST];
    const shape s = shape_of(207, 17, 4);
    const int64_t c = s.channels;
    open_shape(&t, &s, &args, w, u);
    heedi_node *y = t.y;
    optest_forward(&t);
    heed_real *whole = optest_copy(&t, y->x, s.len * c);
    heed_real *x[2] = {optest_copy(&t, t.in[0]->x, s.len * c),
                       optest_copy(&t, t.in[1]->x, s.len * c)};
    const size_t size = heedi_op_wkv.state(y, s.len);
    double *before = optest_alloc(&t, size);
    y->state = optest_alloc(&t, size);
    heedi_op_wkv.state_init(y, s.len);
    for (int64_t at = 0, i = 0; at < s.len; at += piece[i++]) {
        assert_int_equal(heedi_batch_init(&t.batch, &t.mem, &piece[i], 1, at),
                         HEED_OK);
        for (int k = 0; k < 2; k++)
            memcpy(t.in[k]->x, x[k] + at * c,
                   (size_t)(piece[i] * c) * sizeof *whole);
        memcpy(before, y->state, size);
        optest_forward(&t);
        assert_memory_equal(y->x, whole + at * c,
                            (size_t)(piece[i] * c) * sizeof *whole);
        for (int64_t k = 0; k < c; k++) {
            const double *h = before + k / HEEDI_LANES * HEEDI_WKV_STATE;
            kept[k] = h[k % HEEDI_LANES] / h[HEEDI_LANES + k % HEEDI_LANES];
        }
        check_rows(&t, before, at > 0 ? kept : NULL);
    }
    optest_close(&t);
}

/* M^T g is what relevance gives, and M x what the forward pass makes. */
static void test_products(void **state)
{
    (void)state;
    optest t;
    heedi_wkv_args args;
    double w[3 * HEEDI_LANES], u[3 * HEEDI_LANES];
    const shape s = shape_of(130, 17, 4);
    const size_t bytes = (size_t)(s.len * s.channels) * sizeof(heed_real);
    open_shape(&t, &s, &args, w, u);
    heed_real *out = optest_reals(&t, s.len * s.channels);
    optest_forward(&t);
    heedi_op_wkv.mixing->apply(t.y, &t.run, t.in[1]->x, out);
    assert_memory_equal(out, t.y->x, bytes);
    optest_back(&t, HEEDI_RELEVANCE, 2, (heed_real)NAN);
    heedi_op_wkv.mixing->transpose(t.y, &t.run, t.y->g, out);
    assert_memory_equal(out, t.in[1]->g, bytes);
    optest_close(&t);
}

/* ---- inner loops, every instruction set ---- */

static const heedi_wkv_table *const tables[] = {
#define X(isa) &heedi_wkv_table_##isa,
    HEEDI_ISA_LIST(X)
#undef X
};

enum { T = 70, LANES = HEEDI_LANES, LD = 19 };

typedef struct results {
    heed_real y[T * LD], gk[T * LD], gv[T * LD], row[T];
    double state[HEEDI_WKV_STATE];
} results;

static void run(const heedi_wkv_table *k, int64_t lanes, results *out)
{
    static heed_real key[T * LD], v[T * LD], g[T * LD];
    static double steps[T * HEEDI_WKV_STATE];
    double w[LANES], u[LANES], keys[T], carry[HEEDI_WKV_STATE] = {0};
    uint32_t seed = optest_seed(3, 3);
    for (int i = 0; i < T * LD; i++) {
        key[i] = 9 * optest_value(&seed);
        v[i] = optest_value(&seed);
        g[i] = optest_value(&seed);
    }
    for (int i = 0; i < LANES; i++) {
        w[i] = -0.01 * i * i;
        u[i] = i - 5;
        out->state[2 * LANES + i] = carry[2 * LANES + i] = HEEDI_WKV_NONE;
    }
    for (int i = 0; i < T; i++)
        keys[i] = (double)key[i * LD + 3];
    const heedi_wkv s = {
        .len = T, .ld = LD, .lanes = lanes, .k = key, .v = v, .w = w, .u = u};
    k->forward(&s, out->state, out->y, NULL, steps);
    k->back(&s, steps, carry, g, &(heedi_wkv_grad){.k = out->gk, .v = out->gv});
    const double *last = steps + (T - 1) * HEEDI_WKV_STATE;
    k->weights(T - 1, keys, w[3], last[3], last[LANES + 3], out->row);
}

static void near(const heed_real *a, const heed_real *b, int64_t n,
                 double most_)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)a[i] - (double)b[i]) <=
              optest_tol(2e-6, 1e-13) * most_))
            fail_msg("value %d is %.9g and %.9g", (int)i, (double)a[i],
                     (double)b[i]);
}

/* Beyond `lanes` nothing is written. */
static void test_kernels(void **state)
{
    (void)state;
    static results first, other;
    for (int64_t lanes = 1; lanes <= LANES; lanes += 5) {
        memset(&first, 0, sizeof first);
        run(tables[0], lanes, &first);
        for (int i = 0; i < T * LD; i++)
            if (i % LD >= lanes)
                assert_true(first.y[i] == 0 && first.gk[i] == 0 &&
                            first.gv[i] == 0);
        for (int k = 1; k <= heedi_isa_index(); k++) {
            memset(&other, 0, sizeof other);
            run(tables[k], lanes, &other);
            near(other.y, first.y, T * LD, 1);
            near(other.gk, first.gk, T * LD, 10);
            near(other.gv, first.gv, T * LD, 10);
            near(other.row, first.row, T, 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_definition), test(test_long),     test(test_rows),
        test(test_carried),    test(test_products), test(test_kernels),
    };
    RUN(tests);
}
