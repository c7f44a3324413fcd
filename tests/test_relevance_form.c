/* Backward functions in relevance form, one operation at a time: what they keep
 * of the relevance that arrives, the sums of `add` by plain loops, the same
 * bits for any number of threads. (Values: tests/test_attributions.c.) */
#include "testlib.h"

#include <stdlib.h>

#include "optest.h"

#include "choices.h"

static const double limit = sizeof(heed_real) == 4 ? 2e-5 : 1e-9;
static const int64_t two[] = {3, 70};

typedef struct form {
    const heedi_op *op;
    heedi_back_fn *back;
    size_t (*scratch)(const heedi_node *y, const heedi_batch *b, int threads);
} form;

static const form forms[] = {
    {&heedi_op_linear, heedi_form_linear, heedi_form_linear_scratch},
    {&heedi_op_conv1d, heedi_form_conv, heedi_form_linear_scratch},
    {&heedi_op_add, heedi_form_add, heedi_form_add_scratch},
    {&heedi_op_glu, heedi_form_glu, NULL},
    {&heedi_op_rope, heedi_form_product, heedi_form_product_scratch},
    {&heedi_op_attention, heedi_form_attention, heedi_form_attention_scratch},
    {&heedi_op_act, heedi_form_pass, NULL},
    {&heedi_op_rmsnorm, heedi_form_pass, NULL},
    {&heedi_op_layernorm, heedi_form_pass, NULL},
    {&heedi_op_position, heedi_form_pass, NULL},
    {&heedi_op_segment, heedi_form_pass, NULL},
};
enum { N_FORMS = sizeof forms / sizeof *forms };

static void ready(optest *t, const form *f, const heedi_example *row,
                  int threads)
{
    assert_int_equal(
        optest_open(t, f->op, row,
                    (optest_how){.len = two, .n_seq = 2, .threads = threads}),
        HEED_OK);
    optest_forward(t);
    if (f->scratch)
        t->run.scratch = optest_alloc(t, f->scratch(t->y, &t->batch, threads));
}

static void run(optest *t, const form *f, double arg)
{
    const heedi_rule rule = {.op = f->op, .back = f->back, .arg = {arg}};
    omp_set_num_threads(t->run.threads);
    for (int i = 0; i < f->op->n_in; i++)
        t->y->first[i] = true;
    t->run.rule = &rule;
    f->back(t->y, &t->run);
    t->run.rule = NULL;
}

static double sum_of(const heed_real *x, int64_t n, double *magnitude)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)x[i];
        *magnitude += fabs((double)x[i]);
    }
    return sum;
}

/* What arrives and can go on: not at an output of a linear map that has no
 * positive contribution. */
static double arriving(optest *t, double *magnitude)
{
    const heedi_node *y = t->y, *x = t->in[0];
    const int64_t n = t->batch.rows * y->cols, m = t->batch.rows * x->cols;
    heed_real *part = optest_reals(t, m), *z = optest_reals(t, n);
    double sum = 0;
    for (int sign = -1; y->op->map && sign <= 1; sign += 2) {
        for (int64_t i = 0; i < m; i++)
            part[i] = (double)x->x[i] * sign > 0 ? x->x[i] : 0;
        y->op->map->to(y, &t->run, sign < 0 ? HEEDI_NEGATIVE : HEEDI_POSITIVE,
                       part, z, sign < 0);
    }
    for (int64_t i = 0; i < n; i++)
        if (!y->op->map || z[i] > 0)
            sum += sum_of(y->g + i, 1, magnitude);
    return sum;
}

static double quotient(double r, double z)
{
    return z == 0 ? 0 : r / (z + 1e-9 == 0 ? 1e-9 : z + 1e-9);
}

static double product(const heed_real *a, const heed_real *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Of one head: with M = R_A / Z, R_A = A (R / O) V^T / 2 and Z the scores
 * before scaling, the tables have M times half of what they add to Z, which is
 * no input's; and nobody has what the 1e-9 of the quotient takes. */
static double table_share(optest *t, int64_t seq, int64_t h)
{
    const heedi_attention_args *a = t->y->args;
    const int64_t d = a->head_dim, len = heedi_len(&t->batch, seq);
    const int64_t row0 = t->batch.start[seq], g = h / (a->heads / a->kv_heads);
    const int64_t ldq = t->y->cols, ldk = t->in[1]->cols;
    double *s = optest_alloc(t, (size_t)(2 * len * len) * sizeof *s);
    double *p = s + len * len, sum = 0;
    optest_attention(t->y, row0, len, h, s, p);
    for (int64_t i = 0; i < len; i++)
        for (int64_t j = 0; j < len; j++) {
            const int64_t qi = (row0 + i) * ldq + h * d;
            const int64_t kj = (row0 + j) * ldk + g * d;
            const heed_real *q = t->in[0]->x + qi, *k = t->in[1]->x + kj;
            const double more = optest_relative(a, q, k, j - i);
            double r = 0;
            for (int64_t c = 0; c < d; c++)
                r +=
                    quotient((double)t->y->g[qi + c], (double)t->y->x[qi + c]) *
                    (double)t->in[2]->x[kj + c];
            r *= p[i * len + j] / 2;
            const double z = product(q, k, d) + more, n = quotient(r, z);
            sum += n * more / 2 + (r - n * z);
        }
    return sum;
}

static double table_shares(optest *t)
{
    const heedi_attention_args *a = t->y->args;
    double sum = 0;
    if (t->y->op != &heedi_op_attention || (!a->by_query && !a->by_key))
        return 0;
    for (int64_t s = 0; s < t->batch.n_seq; s++)
        for (int64_t h = 0; h < a->heads; h++)
            sum += table_share(t, s, h);
    return sum;
}

/* The shares of all inputs, and of tables, add up to it. */
static void test_keeps(void **state)
{
    (void)state;
    int tables = 0;
    for (int k = 0; k < N_FORMS; k++)
        for (const heedi_example *row = forms[k].op->examples; row->in[0] > 0;
             row++) {
            optest t;
            double most = 0, out = 0;
            ready(&t, &forms[k], row, 2);
            run(&t, &forms[k], 0);
            const int64_t rows = t.batch.rows;
            const double in = arriving(&t, &most), table = table_shares(&t);
            for (int i = 0; i < forms[k].op->n_in; i++)
                out += sum_of(t.in[i]->g, rows * t.in[i]->cols, &most);
            if (!(fabs(out + table - in) <= limit * most))
                fail_msg("%s: %.9g and %.9g of %.9g", forms[k].op->name, out,
                         table, in);
            tables += fabs(table) > 100 * limit * most;
            optest_close(&t);
        }
    assert_true(tables >= 2); /* a control: there are some */
}

/* Half of R to Q K^T, half to the values, of every query alone. */
static void test_halves(void **state)
{
    (void)state;
    optest t;
    const form *f = &forms[5];
    double most = 0;
    ready(&t, f, f->op->examples, 2);
    run(&t, f, 0);
    const int64_t rows = t.batch.rows;
    const double in = sum_of(t.y->g, rows * t.y->cols, &most);
    const double v = sum_of(t.in[2]->g, rows * t.in[2]->cols, &most);
    const double q = sum_of(t.in[0]->g, rows * t.in[0]->cols, &most);
    const double k = sum_of(t.in[1]->g, rows * t.in[1]->cols, &most);
    assert_true(fabs(v - in / 2) < limit * most);
    assert_true(fabs(q - in / 4) < limit * most);
    assert_true(fabs(k - in / 4) < limit * most);
    optest_close(&t);
}

/* Of output c at row i, the share of the input at row `from`, weight w. */
static void part_of(optest *t, int64_t seq, int64_t i, int64_t c,
                    const heedi_conv_args *a, double *want)
{
    const int64_t cols = t->y->cols, start = t->batch.start[seq];
    const double r = (double)t->y->g[i * cols + c];
    for (int sign = -1; sign <= 1; sign += 2) {
        double z = 0, part[64];
        int64_t at[64], n = 0;
        for (int64_t k = 0; k < a->width; k++) {
            const int64_t back = a->width - 1 - k;
            const int64_t from = a->reversed ? i + back : i - back;
            if (from < start || from >= t->batch.start[seq + 1])
                continue;
            const double x = (double)t->in[0]->x[from * cols + c];
            const double w = (double)a->w[k * cols + c];
            at[n] = from * cols + c;
            part[n] = x * sign > 0 && w * sign > 0 ? x * w : 0;
            z += part[n++];
        }
        for (int64_t k = 0; z != 0 && k < n; k++)
            want[at[k]] += part[k] * r / (z + 1e-9);
    }
}

/* A convolution whose two parts have denominators of their own. */
static void test_apart(void **state)
{
    (void)state;
    for (const heedi_example *row = forms[1].op->examples; row->in[0] > 0;
         row++) {
        optest t;
        double most = 0, joint = 0, apart = 0;
        ready(&t, &forms[1], row, 2);
        const int64_t cols = t.y->cols, n = t.batch.rows * cols;
        double *want = calloc((size_t)n, sizeof *want);
        for (int64_t s = 0; s < t.batch.n_seq; s++)
            for (int64_t i = t.batch.start[s]; i < t.batch.start[s + 1]; i++)
                for (int64_t c = 0; c < cols; c++)
                    part_of(&t, s, i, c, row->args, want);
        for (int k = 0; k < 2; k++) {
            run(&t, &forms[1], k);
            for (int64_t i = 0; i < n; i++) {
                const double d = fabs((double)t.in[0]->g[i] - want[i]);
                *(k ? &apart : &joint) = fmax(k ? apart : joint, d);
                most = fmax(most, fabs(want[i]));
            }
        }
        assert_true(most > 0);
        if (!(apart <= limit * most))
            fail_msg("apart: %g of %g", apart, most);
        /* a control; of one weight there is but one sign */
        assert_true(t.y->cols == 7 || joint > 100 * limit * most);
        free(want);
        optest_close(&t);
    }
}

static void test_threads(void **state)
{
    (void)state;
    for (int k = 0; k < N_FORMS; k++) {
        optest t, u;
        const heedi_example *row = forms[k].op->examples;
        ready(&t, &forms[k], row, 1);
        run(&t, &forms[k], 0);
        for (int threads = 2; threads <= 4; threads++) {
            ready(&u, &forms[k], row, threads);
            run(&u, &forms[k], 0);
            for (int i = 0; i < forms[k].op->n_in; i++)
                assert_memory_equal(t.in[i]->g, u.in[i]->g,
                                    (size_t)(t.batch.rows * t.in[i]->cols) *
                                        sizeof(heed_real));
            optest_close(&u);
        }
        optest_close(&t);
    }
}

/* ---- y = a + b by plain loops ---- */

/* Rows from row0 to row1 share their sums. */
static double by_loop(const optest *t, int64_t row0, int64_t row1)
{
    const int64_t c = t->y->cols;
    double p[2] = {0}, r = 0, worst = 0, most = 0;
    for (int64_t i = row0 * c; i < row1 * c; i++) {
        const double a = (double)t->in[0]->x[i], b = (double)t->in[1]->x[i];
        const double s = quotient((double)t->y->g[i], a + b);
        p[0] += a * s;
        p[1] += b * s;
        r += (double)t->y->g[i];
    }
    const double both = fabs(p[0]) + fabs(p[1]);
    for (int64_t i = row0 * c; i < row1 * c; i++) {
        const double a = (double)t->in[0]->x[i], b = (double)t->in[1]->x[i];
        const double s = quotient((double)t->y->g[i], a + b);
        const double want[] = {a * s * fabs(p[0]) / both * r / p[0],
                               b * s * fabs(p[1]) / both * r / p[1]};
        for (int k = 0; k < 2; k++) {
            worst = fmax(worst, fabs((double)t->in[k]->g[i] - want[k]));
            most = fmax(most, fabs(want[k]));
        }
    }
    return worst / most;
}

static void test_sums(void **state)
{
    (void)state;
    const form *f = &forms[2];
    for (int together = 0; together < 2; together++) {
        optest t;
        ready(&t, f, f->op->examples, 2);
        run(&t, f, together);
        const int64_t at = t.batch.start[1], end = t.batch.rows;
        if (together) {
            assert_true(by_loop(&t, 0, end) < limit);
            assert_true(by_loop(&t, 0, at) > 1e-3);
        } else {
            assert_true(by_loop(&t, 0, at) < limit);
            assert_true(by_loop(&t, at, end) < limit);
        }
        optest_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_keeps), test(test_halves),
                                       test(test_apart), test(test_threads),
                                       test(test_sums)};
    RUN(tests);
}
