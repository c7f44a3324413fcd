/* The folds of the selective scan's matrices by tiles, every kind with and
 * without weights and filter, in both directions: against values of
 * tests/golden/hidden.py, and against a recursion in double, also with weak and
 * strong decay and zero padding; whole matrices, panels and single rows; what
 * threads must not change, and what it costs in memory. test_hidden.c has more
 * shapes at a closer look. */
#include "testlib.h"

#include "expect.h"
#include "hidden.h"

static const char *const folds[HEEDI_N_FOLD] = {"sum", "positive", "absolute",
                                                "square", "max"};
static const int plans[] = {0, LEFT | RIGHT | POST, LEFT | RIGHT | FILTER,
                            POST | FILTER};
enum { N_PLANS = sizeof plans / sizeof *plans };

/* ---- by definition, in double ---- */

static double take(int f, double acc, double x)
{
    return f == HEEDI_FOLD_SUM        ? acc + x
           : f == HEEDI_FOLD_POSITIVE ? acc + fmax(x, 0)
           : f == HEEDI_FOLD_ABSOLUTE ? acc + fabs(x)
           : f == HEEDI_FOLD_SQUARE   ? acc + x * x
                                      : fmax(acc, x);
}

static double factor(const heed_real *x, int64_t i)
{
    return x ? (double)x[i] : 1;
}

/* left K post of a row, in place. */
static void entries(const shape *w, const heedi_fold *f, int64_t d, int64_t r,
                    double *m)
{
    const int64_t e = w->channels, step = w->reversed ? -1 : 1;
    for (int64_t s = 0; s < w->len; s++) {
        const int64_t c = at(w, s);
        double sum = m[c] * factor(f->right, c * e + d);
        if (f->filter)
            sum *= (double)f->filter[(WIDTH - 1) * e + d];
        for (int64_t k = 1; f->filter && k < WIDTH && s + k < w->len; k++)
            sum += m[c + step * k] * factor(f->right, (c + step * k) * e + d) *
                   (double)f->filter[(WIDTH - 1 - k) * e + d];
        m[c] = sum * factor(f->left, r * e + d) * factor(f->post, c * e + d);
    }
}

/* All kinds of a row: want is (HEEDI_N_FOLD, T). */
static void want_row(const optest *t, const shape *w, const heedi_fold *f,
                     int64_t r, double *want)
{
    double *m = malloc((size_t)w->len * sizeof *m);
    for (int64_t i = 0; i < HEEDI_N_FOLD * w->len; i++)
        want[i] = i / w->len == HEEDI_FOLD_MAX ? -HUGE_VAL : 0;
    for (int64_t d = 0; d < w->channels; d++) {
        row_of(t, w, d, r, false, m);
        entries(w, f, d, r, m);
        for (int k = 0; k < HEEDI_N_FOLD; k++)
            for (int64_t c = 0; c < w->len; c++)
                want[k * w->len + c] = take(k, want[k * w->len + c], m[c]);
    }
    free(m);
}

/* Every kind and plan, the whole matrix at once and in panels, and single rows:
 * what a sample of its rows should be, relative to the row's largest sum of
 * absolute values, which channels that cancel leave as it is. */
static void check_folds(optest *t, const shape *w)
{
    const double tol = optest_tol(1e-5, 1e-12);
    const int64_t len = w->len, every = len > 200 ? len / 23 : 1;
    double *want = malloc((size_t)(HEEDI_N_FOLD * len) * sizeof *want);
    heed_real *got[2][HEEDI_N_FOLD], *one = optest_reals(t, len);
    for (int i = 0; i < 2 * HEEDI_N_FOLD; i++)
        got[i / HEEDI_N_FOLD][i % HEEDI_N_FOLD] = optest_reals(t, len * len);
    for (int p = 0; p < N_PLANS; p++) {
        heedi_fold f = fold_of(t, w, plans[p]);
        for (int k = 0; k < HEEDI_N_FOLD; k++) {
            f.f = (heedi_fold_kind)k;
            run(t, f, 2, len, 0, len, got[0][k]);
            run(t, f, 2, PANEL, 0, len, got[1][k]);
        }
        for (int64_t r = len - 1; r >= 0; r -= every) {
            want_row(t, w, &f, r, want);
            for (int k = 0; k < HEEDI_N_FOLD; k++) {
                f.f = (heedi_fold_kind)k;
                double worst = 0;
                const int scale =
                    k == HEEDI_FOLD_SQUARE ? k : HEEDI_FOLD_ABSOLUTE;
                run(t, f, 2, 1, r, 1, one);
                const heed_real *of[] = {got[0][k] + r * len,
                                         got[1][k] + r * len, one};
                for (int i = 0; i < 3; i++)
                    worst = fmax(worst, row_error(w, r, of[i], want + k * len,
                                                  want + scale * len));
                if (!(worst <= tol))
                    fail_msg("T = %d, %d channels, %d states%s%s, dt %g ... "
                             "%g, plan %d, %s, row %d: %.3g",
                             (int)len, (int)w->channels, (int)w->n_state,
                             w->padded ? ", padded" : "",
                             w->reversed ? ", reversed" : "", w->low, w->high,
                             p, folds[k], (int)r, worst);
            }
        }
    }
    free(want);
}

static void test_folds(void **state)
{
    (void)state;
    static const int64_t len[] = {1, 5, 130}, n[] = {1, 5, 16, 33, 64};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 5; j++)
            for (int back = 0; back < 2; back++)
                with_team(&(shape){len[i], j == 2 ? 150 : 19, n[j], 1e-3, 1,
                                   false, back != 0},
                          check_folds);
    for (int back = 0; !SANITIZED && back < 2; back++)
        with_team(&(shape){1000, 17, 16, 1e-3, 1, false, back != 0},
                  check_folds);
}

/* Weak, strong and mixed decay, dense and padded. */
static void test_decay(void **state)
{
    (void)state;
    static const double dt[][2] = {{1e-4, 50}, {1e-4, 1e-3}, {1, 50}};
    for (int i = 0; i < 3; i++)
        for (int padded = 0; padded < 2; padded++)
            with_team(&(shape){SANITIZED ? 200
                               : i == 0  ? 2048
                                         : 600,
                               17, 16, dt[i][0], dt[i][1], padded != 0, i == 1},
                      check_folds);
}

/* The slowest state is never written, the next hardly read: those that decay
 * faster are what there is. */
static void check_mute(optest *t, const shape *w)
{
    for (int64_t i = 0; i < w->len; i++) {
        t->in[2]->x[i * w->n_state] = 0;
        t->in[3]->x[i * w->n_state + 1] *= (heed_real)1e-9;
    }
    check_folds(t, w);
}

static void test_mute(void **state)
{
    (void)state;
    for (int back = 0; back < 2; back++)
        with_team(&(shape){300, 3, 5, 0.12, 0.12, true, back != 0}, check_mute);
}

/* ---- threads, memory ---- */

/* Rows of a call: bits do not depend on it. */
static const int64_t cuts[] = {1, 7, 8, 16, 40, 64, 256, 1000};
enum { N_CUTS = sizeof cuts / sizeof *cuts };

static void check_bits(optest *t, const shape *w)
{
    const int64_t n = w->len * w->len;
    heed_real *first = optest_reals(t, n), *other = optest_reals(t, n);
    for (int p = 0; p < N_PLANS; p++)
        for (int k = 0; k < HEEDI_N_FOLD; k++) {
            heedi_fold f = fold_of(t, w, plans[p]);
            f.f = (heedi_fold_kind)k;
            run(t, f, 1, PANEL, 0, w->len, first);
            for (int threads = 2; threads <= 4; threads++) {
                run(t, f, threads, PANEL, 0, w->len, other);
                assert_memory_equal(first, other, (size_t)n * sizeof *first);
            }
            for (int i = 0; i < N_CUTS; i++) {
                run(t, f, 2, cuts[i], 0, w->len, other);
                assert_memory_equal(first, other, (size_t)n * sizeof *first);
            }
            const int64_t from = w->len / 3; /* some rows alone */
            run(t, f, 2, 11, from, w->len / 2, other);
            assert_memory_equal(first + from * w->len, other,
                                (size_t)(w->len / 2 * w->len) * sizeof *first);
        }
}

static void test_bits(void **state)
{
    (void)state;
    with_team(&(shape){200, 150, 16, 1e-3, 1, false, false}, check_bits);
    with_team(&(shape){150, 37, 5, 1e-3, 1, false, true}, check_bits);
    with_team(&(shape){300, 17, 16, 1e-3, 1, false, false}, check_bits);
}

/* Beside what holds the matrix and the weights. */
static void test_memory(void **state)
{
    (void)state;
    enum { E = 1536, N = 16, MIB = 1048576 };
    static const struct {
        int64_t len, panel;
        size_t most; /* of float, MiB */
    } cases[] = {{1024, PANEL, 16}, {1024, 1024, 52}, {16384, PANEL, 90}};
    const heedi_scan_args args = {E, N, NULL, NULL, false};
    const heedi_node y = {.op = &heedi_op_scan, .args = &args, .cols = E};
    heed_ctx *ctx = new_ctx();
    heedi_arena mem;
    heedi_arena_init(&mem, ctx);
    for (int i = 0; i < 3; i++) {
        heedi_batch b;
        assert_int_equal(heedi_batch_init(&b, &mem, &cases[i].len, 1, 0),
                         HEED_OK);
        const size_t got =
            heedi_op_scan.mixing->fold_scratch(&y, &b, 2, cases[i].panel);
        if (got > cases[i].most * MIB * sizeof(heed_real) / sizeof(float))
            fail_msg("T = %d, panels of %d: %.1f MiB", (int)cases[i].len,
                     (int)cases[i].panel, (double)got / MIB);
    }
    heedi_arena_clear(&mem);
    heed_ctx_free(ctx);
}

/* ---- golden values ---- */

static const double *array(const expect *x, const char *prefix,
                           const char *name, int64_t n)
{
    int64_t got;
    const double *p = expect_get(x, prefix, name, &got);
    assert_non_null(p);
    assert_int_equal(got, n);
    return p;
}

static heed_real *reals(optest *t, const double *x, int64_t n)
{
    heed_real *to = optest_reals(t, n);
    for (int64_t i = 0; i < n; i++)
        to[i] = (heed_real)x[i];
    return to;
}

static double matrix_error(const heed_real *got, const double *want, int64_t n)
{
    double worst = 0, most_ = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)got[i] - want[i]);
        worst = d <= worst ? worst : d == d ? d : HUGE_VAL;
        worst = want[i] == 0 && got[i] != 0 ? HUGE_VAL : worst;
        most_ = fmax(most_, fabs(want[i]));
    }
    return worst / most_;
}

static void one_golden(const expect *x, const char *prefix, bool reversed)
{
    static const char *const input[] = {"x", "dt", "B", "C"};
    static const char *const plan[] = {"plain", "weights", "filter"};
    enum { T = 37, D = 19, N = 16 };
    const shape w = {T, D, N, 1, 2, false, reversed};
    const double tol = optest_tol(2e-6, 1e-12);
    optest t;
    heedi_arena mem;
    heed_ctx *ctx = new_ctx();
    int compared = 0;
    heedi_arena_init(&mem, ctx);
    open_shape(&t, &mem, &w);
    heed_real *a =
        (heed_real *)(uintptr_t)((const heedi_scan_args *)t.y->args)->a;
    heed_real *skip =
        (heed_real *)(uintptr_t)((const heedi_scan_args *)t.y->args)->d;
    for (int i = 0; i < D; i++) {
        skip[i] = (heed_real)array(x, prefix, "skip", D)[i];
        for (int k = 0; k < N; k++)
            *rate_of(a, &w, i, k) =
                (heed_real)array(x, prefix, "A", D * N)[i * N + k];
    }
    for (int i = 0; i < 4; i++) {
        const int64_t n = T * t.in[i]->cols;
        memcpy(t.in[i]->x, reals(&t, array(x, prefix, input[i], n), n),
               (size_t)n * sizeof(heed_real));
    }
    optest_forward(&t);
    within(&heedi_op_scan, heedi_op_scan.examples, "golden y",
           matrix_error(t.y->x, array(x, prefix, "y", T * D), T * D), tol);
    heedi_fold f = fold_of(&t, &w, 0);
    heed_real *m = optest_reals(&t, T * T);
    for (int p = 0; p < 3; p++) {
        f.left = p ? reals(&t, array(x, prefix, "left", T * D), T * D) : NULL;
        f.right = p ? reals(&t, array(x, prefix, "right", T * D), T * D) : NULL;
        f.post = p ? reals(&t, array(x, prefix, "post", T * D), T * D) : NULL;
        f.filter =
            p == 2 ? reals(&t, array(x, prefix, "filter", WIDTH * D), WIDTH * D)
                   : NULL;
        for (int k = 0; k < HEEDI_N_FOLD; k++) {
            char name[32];
            int64_t n;
            snprintf(name, sizeof name, "%s_%s", plan[p], folds[k]);
            const double *want = expect_get(x, prefix, name, &n);
            f.f = (heedi_fold_kind)k;
            for (int64_t panel = T; want && panel > 0; panel -= 18) {
                run(&t, f, 2, panel, 0, T, m);
                within(&heedi_op_scan, heedi_op_scan.examples, name,
                       matrix_error(m, want, T * T), tol);
                compared++;
            }
        }
    }
    assert_int_equal(compared, 10 * 3);
    f = fold_of(&t, &w, 0);
    run(&t, f, 2, T, 0, T, m);
    beyond(&heedi_op_scan, heedi_op_scan.examples, "the released code's rows",
           optest_worst(m, reals(&t, array(x, prefix, "code", T * T), T * T),
                        T * T),
           1e3 * tol);
    optest_close(&t);
    heedi_arena_clear(&mem);
    heed_ctx_free(ctx);
}

static void test_golden(void **state)
{
    (void)state;
    expect x;
    assert_true(expect_open(&x, "tests/golden/hidden/expect.safetensors"));
    one_golden(&x, "core", false);
    one_golden(&x, "back", true);
    expect_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_golden), test(test_folds),
                                       test(test_decay),  test(test_mute),
                                       test(test_bits),   test(test_memory)};
    RUN(tests);
}
