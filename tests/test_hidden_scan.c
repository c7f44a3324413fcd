/* What the matrices of the selective scan promise: with the rest they make the
 * output again, by rows and by tiles; their products with gradients are what
 * relevance gives; and those of a scan that runs from the end are those of the
 * flipped sequence. */
#include "testlib.h"

#include "hidden.h"

/* ---- against rows(), and what rows() make of the operand ---- */

/* The rows of channel d, by rows() or by a fold that has this channel alone. */
static void channel(optest *t, const shape *w, int64_t d, bool tiles,
                    heed_real *m)
{
    const int64_t n = w->len * w->channels;
    if (!tiles) {
        t->y->op->mixing->rows(
            t->y, &t->run, &(heedi_view){.head = d, .nq = w->len, .out = m});
        return;
    }
    heedi_fold f = fold_of(t, w, 0);
    heed_real *left = optest_reals(t, n);
    for (int64_t i = 0; i < n; i++)
        left[i] = i % w->channels == d;
    f.left = left;
    run(t, f, 2, PANEL, 0, w->len, m);
}

/* max |M x + rest - y| of a row, relative to the row's largest |y| or entry
 * M[r][c] x_c. */
static double residual(const optest *t, const shape *w, int64_t d,
                       const heed_real *m, const heed_real *rest)
{
    const int64_t e = w->channels;
    double worst = 0;
    for (int64_t r = 0; r < w->len; r++) {
        double sum = (double)rest[r * e + d] - (double)t->y->x[r * e + d];
        double most_ = TINY;
        for (int64_t i = 0; i < e; i++)
            most_ = fmax(most_, fabs((double)t->y->x[r * e + i]));
        for (int64_t c = 0; c < w->len; c++) {
            const double x =
                (double)m[r * w->len + c] * (double)t->in[0]->x[c * e + d];
            most_ = fmax(most_, fabs(x));
            sum += x;
        }
        const double apart = fabs(sum) / most_;
        worst = apart <= worst ? worst : apart == apart ? apart : HUGE_VAL;
    }
    return worst;
}

static void check_identity(optest *t, const shape *w)
{
    const int64_t len = w->len, e = w->channels;
    const double scan = optest_tol(1e-6, 1e-12);
    const double tol = optest_tol(1e-5, 1e-12);
    heed_real *rest = optest_reals(t, len * e);
    heed_real *m = optest_reals(t, len * len), *by = optest_reals(t, len * len);
    double *code = malloc((size_t)len * sizeof *code);
    t->y->op->mixing->rest(t->y, &t->run,
                           &(heedi_view){.nq = len, .out = rest});
    for (int64_t d = 0; d < e; d += 3) {
        channel(t, w, d, false, by);
        channel(t, w, d, true, m);
        within(&heedi_op_scan, heedi_op_scan.examples, "rows and rest",
               residual(t, w, d, by, rest), scan);
        within(&heedi_op_scan, heedi_op_scan.examples, "tiles and rest",
               residual(t, w, d, m, rest), tol);
        for (int64_t r = 0; r < len; r++) {
            for (int64_t c = 0; c < len; c++)
                code[c] = (double)by[r * len + c];
            within(&heedi_op_scan, heedi_op_scan.examples, "tiles and rows",
                   row_error(w, r, m + r * len, code, code), tol);
            row_of(t, w, d, r, true, code);
            for (int64_t c = 0; c < len; c++)
                m[r * len + c] = (heed_real)code[c];
        }
        beyond(&heedi_op_scan, heedi_op_scan.examples,
               "the released code's row", residual(t, w, d, m, rest), 10 * tol);
    }
    free(code);
}

static void test_identity(void **state)
{
    (void)state;
    static const int64_t len[] = {5, 130, 1000};
    for (int i = 0; i < 3; i++)
        for (int back = 0; back < 2; back++)
            with_team(&(shape){len[i], 17, 16, 1e-3, 1, false, back != 0},
                      check_identity);
}

/* A sequence that goes on: rest has what is left of the state before it. */
static void check_carried(optest *t, const shape *w)
{
    const size_t size = heedi_op_scan.state(t->y, w->len);
    const int64_t len = w->len, e = w->channels;
    heed_real *rest = optest_reals(t, len * e), *m = optest_reals(t, len * len);
    heed_real *before = optest_alloc(t, size);
    const double scan = optest_tol(1e-6, 1e-12), tol = optest_tol(1e-5, 1e-12);
    for (size_t i = 0; i < size / sizeof *before; i++)
        before[i] = (heed_real)(0.2 * (double)(i % 7) - 0.5);
    t->y->state = optest_alloc(t, size);
    memcpy(t->y->state, before, size);
    optest_forward(t);
    for (int64_t d = 0; d < e; d += 3)
        for (int tiles = 0; tiles < 2; tiles++) {
            heedi_view v = {.nq = len, .out = rest, .before = before};
            t->y->op->mixing->rest(t->y, &t->run, &v);
            channel(t, w, d, tiles != 0, m);
            within(&heedi_op_scan, heedi_op_scan.examples, "a carried state",
                   residual(t, w, d, m, rest), tiles ? tol : scan);
            v.before = NULL;
            t->y->op->mixing->rest(t->y, &t->run, &v);
            beyond(&heedi_op_scan, heedi_op_scan.examples, "no carried state",
                   residual(t, w, d, m, rest), 1e3 * tol);
        }
}

static void test_carried(void **state)
{
    (void)state;
    with_team(&(shape){130, 17, 16, 1e-3, 1e-1, false, false}, check_carried);
}

/* Column sums of the contribution map, g left and x right, are x times what
 * relevance gives x, without what goes through the skip. */
static void check_columns(optest *t, const shape *w)
{
    const heedi_scan_args *a = t->y->args;
    const int64_t len = w->len, e = w->channels;
    heed_real *map = optest_reals(t, len * len);
    heedi_fold f = fold_of(t, w, 0);
    f.left = t->y->g;
    f.post = t->in[0]->x;
    run(t, f, 2, PANEL, 0, len, map);
    optest_back(t, HEEDI_RELEVANCE, 1, 0);
    double worst = 0, most_ = 0;
    for (int64_t c = 0; c < len; c++) {
        double sum = 0, want = 0;
        for (int64_t r = 0; r < len; r++)
            sum += (double)map[r * len + c];
        for (int64_t d = c * e; d < (c + 1) * e; d++)
            want += (double)t->in[0]->x[d] *
                    ((double)t->in[0]->g[d] -
                     (double)a->d[d % e] * (double)t->y->g[d]);
        worst = fmax(worst, fabs(sum - want));
        most_ = fmax(most_, fabs(want));
    }
    within(&heedi_op_scan, heedi_op_scan.examples, "column sums", worst / most_,
           optest_tol(1e-5, 1e-12));
}

static void test_columns(void **state)
{
    (void)state;
    for (int back = 0; back < 2; back++)
        with_team(&(shape){500, 150, 16, 1e-3, 1, false, back != 0},
                  check_columns);
}

/* ---- direction ---- */

/* To the bit, a reversed scan is the scan of the flipped sequence: output,
 * gradients, relevance, and where panels are cut at the same steps, folds. */
static void test_reversed(void **state)
{
    (void)state;
    optest t[2];
    heedi_arena mem;
    heed_ctx *ctx = new_ctx();
    heedi_arena_init(&mem, ctx);
    const shape w = {130, 37, 16, 1e-3, 1, false, false};
    shape back = w;
    back.reversed = true;
    open_shape(&t[0], &mem, &w);
    open_shape(&t[1], &mem, &back);
    const int64_t n = w.len * w.channels, all = w.len * w.len;
    heed_real *m[2];
    for (int i = 0; i < 4; i++)
        optest_flip(t[1].in[i]->x, w.len, t[1].in[i]->cols);
    optest_flip(t[1].y->g, w.len, w.channels);
    for (int i = 0; i < 2; i++) {
        optest_forward(&t[i]);
        optest_back(&t[i], HEEDI_GRADIENT, 15, 0);
        heedi_fold f = fold_of(&t[i], i ? &back : &w, 0);
        m[i] = optest_reals(&t[i], all);
        run(&t[i], f, 2, w.len, 0, w.len, m[i]);
    }
    optest_flip(m[1], all, 1);
    assert_memory_equal(m[0], m[1], (size_t)all * sizeof *m[0]);
    optest_flip(t[1].y->x, w.len, w.channels);
    assert_memory_equal(t[0].y->x, t[1].y->x, (size_t)n * sizeof(heed_real));
    for (int i = 0; i < 4; i++) {
        optest_flip(t[1].in[i]->g, w.len, t[1].in[i]->cols);
        assert_memory_equal(t[0].in[i]->g, t[1].in[i]->g,
                            (size_t)(w.len * t[0].in[i]->cols) *
                                sizeof(heed_real));
    }
    optest_close(&t[0]);
    optest_close(&t[1]);
    heedi_arena_clear(&mem);
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_identity), test(test_carried),
                                       test(test_columns), test(test_reversed)};
    RUN(tests);
}
