/* The mixing row of every operation of the registry that has one, on every row
 * of its examples: rows and rest make the output again, and what is folded or
 * multiplied is what the rows say. */
#include "testlib.h"

#include <stdlib.h>

#include "args.h"
#include "fold.h"
#include "mixing.h"
#include "optest.h"

static double tol(void)
{
    return optest_tol(1e-5, 1e-12);
}

/* ---- rows ---- */

static int64_t width(const heedi_node *y)
{
    return heedi_mixing_width(y);
}

static void rows_of(const optest *t, heedi_view v)
{
    t->y->op->mixing->rows(t->y, &t->run, &v);
}

/* Not a number before, so that what is not assigned is seen. */
static heed_real *unset(optest *t, int64_t n)
{
    heed_real *x = optest_reals(t, n);
    memset(x, 0xff, (size_t)n * sizeof *x);
    return x;
}

/* Does the entry stand on the side where a row of this direction sees nothing?
 */
static bool behind(const heedi_node *y, int64_t q, int64_t j)
{
    const char *way = heedi_mixing_direction(y);
    return strcmp(way, "forward") == 0    ? j > q
           : strcmp(way, "backward") == 0 ? j < q
                                          : strcmp(way, "both") != 0;
}

/* How far a row is from what its operation promises: nothing where nothing can
 * enter, no negative number where there is none, a softmax's sum. */
static double row_error(const heedi_node *y, const heed_real *m, int64_t q,
                        int64_t len, bool before)
{
    const bool softmax = strcmp(y->op->mixing->mixer, "softmax") == 0;
    double sum = 0;
    for (int64_t j = 0; j < len; j++) {
        const bool out = softmax              ? !optest_seen(y->args, q, j)
                         : optest_reversed(y) ? j < q
                                              : j > q;
        sum += (double)m[j];
        if (behind(y, q, j) && m[j] != 0)
            return HUGE_VAL;
        if (out ? m[j] != 0
                : !(y->op->mixing->positive ? m[j] >= 0 : m[j] == m[j]))
            return HUGE_VAL;
    }
    if (strcmp(heedi_mixing_direction(y), "both") == 0 &&
        !(softmax && ((const heedi_attention_args *)y->args)->bidirectional))
        return HUGE_VAL;
    return softmax && !before ? fabs(sum - 1) : 0;
}

/* Zeros are the same; the rest is in rounding, which the rows that are asked
 * for together may change. */
static double row_difference(const heed_real *a, const heed_real *b, int64_t n)
{
    double error = 0, most_ = 1;
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - (double)b[i]);
        most_ = fmax(most_, fabs((double)b[i]));
        error = (a[i] == 0) != (b[i] == 0) ? HUGE_VAL : d <= error ? error : d;
    }
    return error / most_;
}

/* max |M v + rest - y| over all rows and columns of a sequence; v times size,
 * (rows, y->cols), or NULL. */
typedef struct sums {
    double with, most; /* the rest; of |y| */
    double without;    /* relative to y itself */
} sums;

static void compare(optest *t, int64_t seq, const void *before,
                    const heed_real *size, sums *s)
{
    const heedi_node *y = t->y, *v = y->in[y->op->mixing->operand];
    const int64_t len = heedi_len(&t->batch, seq), w = width(y);
    const int64_t row0 = t->batch.start[seq];
    heed_real *m = unset(t, len * len), *rest = unset(t, len * y->cols);
    heedi_view view = {.seq = seq, .nq = len, .out = rest, .before = before};
    if (y->op->mixing->rest)
        y->op->mixing->rest(y, &t->run, &view);
    else
        memset(rest, 0, (size_t)(len * y->cols) * sizeof *rest);
    for (int64_t d = 0; d < y->cols; d++) {
        const int64_t col = heedi_mixing_column(y, d);
        view.head = d / w;
        view.out = m;
        if (d % w == 0)
            rows_of(t, view);
        for (int64_t q = 0; q < len; q++) {
            double sum = -(double)y->x[(row0 + q) * y->cols + d];
            const double out = fabs(sum);
            s->most = fmax(s->most, out);
            for (int64_t i = 0; i < len; i++)
                sum += (double)m[q * len + i] *
                       (double)v->x[(row0 + i) * v->cols + col] *
                       (size ? (double)size[(row0 + i) * y->cols + d] : 1);
            s->without = fmax(s->without, fabs(sum) / fmax(out, 1e-3));
            sum += (double)rest[q * y->cols + d];
            s->with = sum == sum ? fmax(s->with, fabs(sum)) : HUGE_VAL;
        }
    }
}

static bool all_zero(const heed_real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (x[i] != 0)
            return false;
    return true;
}

static void check_identity(const heedi_op *op, const heedi_example *row,
                           optest_how how)
{
    optest t;
    sums s = {0};
    if (!op->mixing)
        return;
    open_(&t, op, row, how);
    optest_forward(&t);
    for (int64_t seq = 0; seq < how.n_seq; seq++)
        compare(&t, seq, NULL, NULL, &s);
    within(op, row, "rows and rest", s.with / s.most, tol());
    heed_real *rest = optest_reals(&t, t.y->cols);
    if (op->mixing->rest)
        op->mixing->rest(t.y, &t.run, &(heedi_view){.nq = 1, .out = rest});
    if (!all_zero(rest, t.y->cols))
        beyond(op, row, "rows without the rest", s.without, tol());
    optest_close(&t);
}

static void check_rows(const heedi_op *op, const heedi_example *row,
                       optest_how how)
{
    optest t;
    if (!op->mixing)
        return;
    open_(&t, op, row, how);
    optest_forward(&t);
    for (int64_t s = 0; s < how.n_seq; s++)
        for (int64_t h = 0; h < op->mixing->heads(t.y); h++) {
            const int64_t len = how.len[s];
            heed_real *m = unset(&t, len * len), *one = unset(&t, len);
            rows_of(&t, (heedi_view){.seq = s, .head = h, .nq = len, .out = m});
            for (int64_t q = 0; q < len; q++) {
                within(op, row, "row of weights",
                       row_error(t.y, m + q * len, q, len, false),
                       optest_tol(2e-6, 1e-12));
                rows_of(&t,
                        (heedi_view){
                            .seq = s, .head = h, .q0 = q, .nq = 1, .out = one});
                within(op, row, "a row by itself",
                       row_difference(one, m + q * len, len),
                       optest_tol(2e-6, 1e-12));
            }
        }
    optest_close(&t);
}

/* ---- raw ---- */

/* Where rows are without the sizes of steps, the operand with them makes the
 * output, and without them does not. */
static void check_raw(const heedi_op *op, const heedi_example *row,
                      optest_how how)
{
    optest t;
    if (!op->mixing || !op->mixing->sizes)
        return;
    open_(&t, op, row, how);
    optest_forward(&t);
    heed_real *size = unset(&t, t.batch.rows * t.y->cols);
    op->mixing->sizes(t.y, &t.run, 0, t.batch.rows, size);
    t.run.raw = true;
    sums bare = {0}, sized = {0};
    for (int64_t seq = 0; seq < how.n_seq; seq++)
        compare(&t, seq, NULL, NULL, &bare);
    for (int64_t seq = 0; seq < how.n_seq; seq++)
        compare(&t, seq, NULL, size, &sized);
    within(op, row, "raw rows", sized.with / sized.most, tol());
    beyond(op, row, "raw rows of the bare operand", bare.with / bare.most,
           tol());
    optest_close(&t);
}

/* ---- carried state ---- */

static void check_carried(const heedi_op *op, const heedi_example *row,
                          optest_how how)
{
    const int64_t len = 40, first = 23, second = len - first;
    optest t;
    sums s = {0};
    heedi_batch b;
    if (!op->mixing || !op->state)
        return;
    open_(&t, op, row, (optest_how){.len = &len, .n_seq = 1, .threads = 2});
    heedi_node *y = t.y;
    const size_t size = op->state(y, len);
    if (size == 0) {
        optest_close(&t);
        return;
    }
    y->state = optest_alloc(&t, size);
    op->state_init(y, len);
    assert_int_equal(heedi_batch_init(&b, &t.mem, &first, 1, 0), HEED_OK);
    t.run.batch = &b;
    optest_forward(&t);
    void *before = optest_alloc(&t, size);
    memcpy(before, y->state, size);
    for (int i = 0; i < op->n_in; i++)
        memmove(t.in[i]->x, t.in[i]->x + first * t.in[i]->cols,
                (size_t)(second * t.in[i]->cols) * sizeof(heed_real));
    assert_int_equal(heedi_batch_init(&t.batch, &t.mem, &second, 1, first),
                     HEED_OK);
    t.run.batch = &t.batch;
    optest_forward(&t);
    compare(&t, 0, before, NULL, &s);
    within(op, row, "rows and rest of a continued sequence", s.with / s.most,
           tol());
    beyond(op, row, "rows without the carried state", s.without, tol());
    (void)how;
    optest_close(&t);
}

/* ---- folds ---- */

enum {
    LEFT = 1,
    RIGHT = 2,
    POST = 4,
    FILTER = 8,
    BACK = 16,
    BY_HEAD = 32,
    PICK = 64,
    SKIP = 128
};
static const int plans[] = {
    0,
    BY_HEAD,
    LEFT | RIGHT | POST,
    LEFT | POST | BY_HEAD,
    RIGHT | BY_HEAD,
    FILTER,
    LEFT | RIGHT | POST | FILTER,
    LEFT | RIGHT | FILTER | BACK,
    LEFT | RIGHT | POST | FILTER | SKIP,
    LEFT | FILTER | BACK | SKIP | PICK,
    LEFT | POST | PICK,
    PICK | SKIP,
    PICK | SKIP | BY_HEAD,
    LEFT | RIGHT | SKIP | PICK | BY_HEAD,
};
enum { N_PLANS = sizeof plans / sizeof *plans, WIDTH = 4 };
static const int64_t short_[] = {5, 1, 9, 70};

static heed_real *values(optest *t, int64_t which)
{
    heed_real *x = optest_reals(t, t->batch.rows * t->y->cols);
    optest_fill(t, x, t->y->cols, which, 0);
    return x;
}

static heedi_fold fold_of(optest *t, int plan, heedi_fold_kind f)
{
    const int64_t c = t->y->cols;
    heedi_fold out = {.f = f,
                      .by_head = (plan & BY_HEAD) != 0,
                      .reversed = (plan & BACK) != 0,
                      .width = WIDTH};
    out.left = plan & LEFT ? values(t, 20) : NULL;
    out.right = plan & RIGHT ? values(t, 21) : NULL;
    out.post = plan & POST ? values(t, 22) : NULL;
    if (plan & FILTER) {
        heed_real *w = optest_reals(t, WIDTH * c);
        uint32_t seed = optest_seed(7, 7);
        for (int64_t i = 0; i < WIDTH * c; i++)
            w[i] = optest_value(&seed);
        out.filter = w;
    }
    if (plan & SKIP) {
        heed_real *d = optest_reals(t, c);
        for (int64_t i = 0; i < c; i++)
            d[i] = (heed_real)(0.5 - (double)(i / width(t->y)) / 8);
        out.skip = d;
    }
    if (plan & PICK) {
        bool *pick = optest_alloc(t, (size_t)c * sizeof *pick);
        for (int64_t i = 0; i < c; i++)
            pick[i] = i == 0 || i % 3 == 1;
        out.pick = pick;
    }
    return out;
}

static double with_skip(const heedi_fold *f, const heed_real *m, int64_t d,
                        int64_t r, int64_t c, int64_t len)
{
    return (double)m[r * len + c] +
           (f->skip && r == c ? (double)f->skip[d] : 0);
}

static double factor(const heed_real *x, int64_t i)
{
    return x ? (double)x[i] : 1;
}

/* left K post of one entry and column, in double */
static double entry(const optest *t, const heedi_fold *f, const heed_real *m,
                    int64_t d, int64_t r, int64_t c)
{
    const int64_t cols = t->y->cols, row0 = t->batch.start[f->seq];
    const int64_t len = heedi_len(&t->batch, f->seq);
    double sum = 0;
    for (int64_t k = 0; k < (f->filter ? WIDTH : 1); k++) {
        const int64_t from = f->reversed ? c - k : c + k;
        if (from < 0 || from >= len)
            continue;
        sum += with_skip(f, m, d, r, from, len) *
               factor(f->right, (row0 + from) * cols + d) *
               factor(f->filter, (WIDTH - 1 - k) * cols + d);
    }
    return sum * factor(f->left, (row0 + r) * cols + d) *
           factor(f->post, (row0 + c) * cols + d);
}

static double take(heedi_fold_kind f, double acc, double x)
{
    return f == HEEDI_FOLD_SUM        ? acc + x
           : f == HEEDI_FOLD_POSITIVE ? acc + fmax(x, 0)
           : f == HEEDI_FOLD_ABSOLUTE ? acc + fabs(x)
           : f == HEEDI_FOLD_SQUARE   ? acc + x * x
                                      : fmax(acc, x);
}

/* The fold by definition: want is (T, T). m: T T values. */
static void folded(const optest *t, const heedi_fold *f, heed_real *m,
                   double *want)
{
    const int64_t len = heedi_len(&t->batch, f->seq), w = width(t->y);
    const bool plain = !f->left && !f->right && !f->post && !f->filter;
    for (int64_t i = 0; i < len * len; i++)
        want[i] = f->f == HEEDI_FOLD_MAX ? -HUGE_VAL : 0;
    for (int64_t h = 0; h < t->y->op->mixing->heads(t->y); h++) {
        rows_of(t, (heedi_view){.seq = f->seq, .head = h, .nq = len, .out = m});
        for (int64_t i = 0; i < len * len; i++) {
            double sum = 0;
            for (int64_t d = h * w; d < (h + 1) * w; d++) {
                if (f->pick && !f->pick[f->by_head ? h * w : d])
                    continue;
                const double x = entry(t, f, m, d, i / len, i % len);
                if (!f->by_head)
                    want[i] = take(f->f, want[i], x);
                sum += x;
            }
            if (f->by_head && (!f->pick || f->pick[h * w]))
                want[i] =
                    take(f->f, want[i],
                         plain ? with_skip(f, m, h * w, i / len, i % len, len)
                               : sum);
        }
    }
}

static double apart(const heed_real *got, const double *want, int64_t n)
{
    double worst = 0, most_ = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)got[i] - want[i]);
        worst = d <= worst ? worst : d == d ? d : HUGE_VAL;
        worst = want[i] == 0 && got[i] != 0 ? HUGE_VAL : worst;
        most_ = fmax(most_, fabs(want[i]));
    }
    return most_ > 0 ? worst / most_ : worst;
}

static void run_fold(optest *t, heedi_fold *f, int threads, heed_real *out)
{
    heedi_team team;
    f->out = out;
    t->run.threads = threads;
    heedi_team_enter(&team, t->ctx); /* denormals are 0, as in every run */
    omp_set_num_threads(threads);
    heedi_fold_run(t->y, &t->run, f);
    heedi_team_leave(&team);
}

static void one_fold(optest *t, const heedi_example *row, int plan,
                     heedi_fold_kind kind)
{
    const heedi_op *op = t->y->op;
    heedi_fold f = fold_of(t, plan, kind);
    for (f.seq = 0; f.seq < t->batch.n_seq; f.seq++) {
        const int64_t len = heedi_len(&t->batch, f.seq), n = len * len;
        heed_real *got = unset(t, n), *again = unset(t, n);
        heed_real *m = unset(t, n);
        double *want = optest_alloc(t, (size_t)n * sizeof *want);
        f.scratch =
            optest_alloc(t, heedi_fold_scratch(t->y, &t->batch, 3, len));
        f.q0 = 0;
        f.nq = len;
        folded(t, &f, m, want);
        run_fold(t, &f, 3, got);
        within(op, row, "fold", apart(got, want, n), tol());
        run_fold(t, &f, 1, again);
        assert_memory_equal(got, again, (size_t)n * sizeof *got);
        f.q0 = len / 2;
        f.nq = len - f.q0;
        run_fold(t, &f, 2, again);
        within(op, row, "fold of some rows",
               apart(again, want + f.q0 * len, f.nq * len), tol());
    }
}

static void check_fold(const heedi_op *op, const heedi_example *row,
                       optest_how how)
{
    if (!op->mixing)
        return;
    how.len = short_;
    for (int p = 0; p < N_PLANS; p++)
        for (int k = 0; k < HEEDI_N_FOLD; k++) {
            optest t;
            how.threads = 3; /* of the scratch memory */
            open_(&t, op, row, how);
            optest_forward(&t);
            one_fold(&t, row, plans[p], (heedi_fold_kind)k);
            optest_close(&t);
        }
}

/* ---- products ---- */

static double *of_rows(optest *t, const heed_real *x, bool transposed)
{
    const heedi_node *y = t->y, *v = y->in[y->op->mixing->operand];
    const int64_t from = transposed ? y->cols : v->cols;
    const int64_t to = transposed ? v->cols : y->cols;
    double *out = optest_alloc(t, (size_t)(t->batch.rows * to) * sizeof *out);
    for (int64_t s = 0; s < t->batch.n_seq; s++) {
        const int64_t len = heedi_len(&t->batch, s), w = width(y);
        const int64_t row0 = t->batch.start[s];
        heed_real *m = unset(t, len * len);
        for (int64_t d = 0; d < y->cols; d++) {
            const int64_t col = heedi_mixing_column(y, d);
            const int64_t i = transposed ? d : col, o = transposed ? col : d;
            if (d % w == 0)
                rows_of(t, (heedi_view){
                               .seq = s, .head = d / w, .nq = len, .out = m});
            for (int64_t r = 0; r < len; r++)
                for (int64_t c = 0; c < len; c++) {
                    const int64_t a = transposed ? r : c;
                    const int64_t b = transposed ? c : r;
                    out[(row0 + b) * to + o] +=
                        (double)m[r * len + c] *
                        (double)x[(row0 + a) * from + i];
                }
        }
    }
    return out;
}

static void check_products(const heedi_op *op, const heedi_example *row,
                           optest_how how)
{
    optest t;
    if (!op->mixing)
        return;
    how.len = short_;
    how.threads = 3;
    open_(&t, op, row, how);
    optest_forward(&t);
    const heedi_node *y = t.y, *v = y->in[op->mixing->operand];
    const int64_t ny = t.batch.rows * y->cols, nv = t.batch.rows * v->cols;
    heed_real *x = optest_reals(&t, nv), *g = optest_reals(&t, ny);
    optest_fill(&t, x, v->cols, 30, 0);
    optest_fill(&t, g, y->cols, 31, 0);
    heed_real *out[2], *gv[2];
    void *scratch = optest_alloc(&t, heedi_mixing_scratch(y, &t.batch, 3) + 1);
    for (int i = 0; i < 2; i++) {
        t.run.threads = i ? 1 : 3;
        omp_set_num_threads(t.run.threads);
        out[i] = unset(&t, ny);
        gv[i] = unset(&t, nv);
        heedi_mixing_apply(y, &t.run, x, out[i], scratch);
        heedi_mixing_transpose(y, &t.run, g, gv[i], scratch);
    }
    within(op, row, "M x", apart(out[0], of_rows(&t, x, false), ny), tol());
    within(op, row, "M^T g", apart(gv[0], of_rows(&t, g, true), nv), tol());
    assert_memory_equal(out[0], out[1], (size_t)ny * sizeof *x);
    assert_memory_equal(gv[0], gv[1], (size_t)nv * sizeof *x);
    optest_close(&t);
}

#define EVERY(name)                       \
    static void test_##name(void **state) \
    {                                     \
        (void)state;                      \
        every_row(check_##name);          \
    }
EVERY(identity)
EVERY(rows)
EVERY(raw)
EVERY(carried)
EVERY(fold)
EVERY(products)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_identity), test(test_rows), test(test_raw),
        test(test_carried),  test(test_fold), test(test_products),
    };
    RUN(tests);
}
