/* Every operation of the registry on every row of its examples: what must not
 * change a bit (threads, company in a batch), and what only in rounding
 * (accumulation, one value for all inputs, linearity). */
#include "testlib.h"

#include <stdlib.h>

#include "optest.h"

/* Everything that a forward and a backward pass leave behind. */
typedef struct left {
    optest t;
    heed_real *y, *g[HEEDI_MAX_IN];
} left;

static void leave(left *l, const heedi_op *op, const heedi_example *row,
                  optest_how how, heedi_pass pass)
{
    open_(&l->t, op, row, how);
    optest *t = &l->t;
    optest_forward(t);
    l->y = optest_copy(t, t->y->x, t->batch.rows * t->y->cols);
    if (op->vjp)
        optest_back(t, pass, 0, 0);
    for (int i = 0; i < op->n_in; i++)
        l->g[i] = t->in[i]->g;
}

static void same_bits(const heedi_op *op, const heed_real *a,
                      const heed_real *b, int64_t n, const char *what)
{
    for (int64_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, sizeof *a) != 0)
            fail_msg("%s: %s: value %lld is %.17g, was %.17g", op->name, what,
                     (long long)i, (double)b[i], (double)a[i]);
}

/* Sequences s0 ... of `a` are those of `b`, bit for bit. */
static void same(const left *a, int64_t s0, const left *b, const char *what)
{
    const heedi_op *op = a->t.y->op;
    const int64_t row = a->t.batch.start[s0], n = b->t.batch.rows;
    same_bits(op, a->y + row * a->t.y->cols, b->y, n * b->t.y->cols, what);
    for (int i = 0; i < op->n_in; i++)
        same_bits(op, a->g[i] + row * a->t.in[i]->cols, b->g[i],
                  n * b->t.in[i]->cols, what);
    assert_memory_equal(
        a->t.ledger.sink + s0 * HEEDI_N_ENTRIES, b->t.ledger.sink,
        (size_t)b->t.batch.n_seq * HEEDI_N_ENTRIES * sizeof(double));
}

static void check_bits(const heedi_op *op, const heedi_example *row,
                       optest_how how)
{
    for (int pass = HEEDI_GRADIENT; pass <= HEEDI_RELEVANCE; pass++) {
        left a, b;
        how.threads = 1;
        leave(&a, op, row, how, (heedi_pass)pass);
        for (int threads = 1; threads <= 4; threads++) {
            optest_how other = how;
            other.threads = threads;
            leave(&b, op, row, other, (heedi_pass)pass);
            same(&a, 0, &b, "threads");
            optest_close(&b.t);
        }
        for (int64_t s = 0; s < N_SEQ; s++) {
            optest_how alone = how;
            alone.len += s;
            alone.n_seq = 1;
            alone.offset = s;
            leave(&b, op, row, alone, (heedi_pass)pass);
            same(&a, s, &b, "alone");
            optest_close(&b.t);
        }
        optest_close(&a.t);
    }
}

static bool stopped(const optest *t, heedi_pass pass, int i)
{
    return heedi_back_of(t->y, (heedi_rules){pass, NULL}).stops >> i & 1;
}

/* Gradients are added to what is there, or assigned over garbage. */
static void check_accumulation(const heedi_op *op, const heedi_example *row,
                               optest_how how)
{
    const double tol = optest_tol(1e-6, 1e-14);
    const heed_real nan_ = (heed_real)NAN;
    for (int pass = HEEDI_GRADIENT; op->vjp && pass <= HEEDI_RELEVANCE;
         pass++) {
        left l;
        leave(&l, op, row, how, (heedi_pass)pass);
        const int64_t rows = l.t.batch.rows;
        for (int i = 0; i < op->n_in; i++)
            l.g[i] = optest_copy(&l.t, l.g[i], rows * l.t.in[i]->cols);
        optest_back(&l.t, (heedi_pass)pass, 0, 3);
        for (int i = 0; i < op->n_in; i++) {
            for (int64_t k = 0; k < rows * l.t.in[i]->cols; k++)
                l.t.in[i]->g[k] -= 3;
            double e =
                optest_worst(l.t.in[i]->g, l.g[i], rows * l.t.in[i]->cols);
            int64_t at;
            double scale = most(l.g[i], rows * l.t.in[i]->cols, &at);
            within(op, row, "added to 3", e * scale / (3 + scale), tol);
        }
        for (unsigned f = 1; op->assigns && f < 1u << op->n_in; f++) {
            optest_back(&l.t, (heedi_pass)pass, f, nan_);
            for (int i = 0; i < op->n_in; i++) {
                double e =
                    optest_worst(l.t.in[i]->g, l.g[i], rows * l.t.in[i]->cols);
                if (l.t.y->first[i])
                    within(op, row, "assigned over NaN", e, tol);
                else if (e < HUGE_VAL && !stopped(&l.t, (heedi_pass)pass, i))
                    fail_msg("%s: input %d was assigned", op->name, i);
            }
        }
        optest_close(&l.t);
    }
}

/* One value for all inputs: it gets the sum of what they got. */
static void check_same_input(const heedi_op *op, const heedi_example *row,
                             optest_how how)
{
    left l;
    bool fits = op->n_in >= 2;
    for (int i = 1; i < op->n_in; i++)
        fits = fits && row->in[i] == row->in[0];
    if (!fits)
        return;
    leave(&l, op, row, how, HEEDI_GRADIENT);
    const int64_t n = l.t.batch.rows * row->in[0];
    heed_real *sum = optest_reals(&l.t, n);
    for (int i = 1; i < op->n_in; i++) /* the same values, apart */
        memcpy(l.t.in[i]->x, l.t.in[0]->x, (size_t)n * sizeof *sum);
    optest_forward(&l.t);
    optest_back(&l.t, HEEDI_GRADIENT, 0, 0);
    for (int i = 0; i < op->n_in; i++)
        for (int64_t k = 0; k < n; k++)
            sum[k] += l.t.in[i]->g[k];
    left one;
    how.same = true;
    leave(&one, op, row, how, HEEDI_GRADIENT);
    within(op, row, "one value for all inputs",
           optest_worst(one.t.in[0]->g, sum, n), optest_tol(1e-6, 1e-14));
    optest_back(&one.t, HEEDI_GRADIENT, op->assigns ? 1 : 0,
                op->assigns ? (heed_real)NAN : 0);
    within(op, row, "one value for all inputs, assigned",
           optest_worst(one.t.in[0]->g, sum, n), optest_tol(1e-6, 1e-14));
    optest_close(&one.t);
    optest_close(&l.t);
}

/* As optest_worst(), but what is small of itself is compared with 0.1. */
static double off(const heed_real *a, const heed_real *b, int64_t n)
{
    int64_t at;
    double scale = most(b, n, &at);
    return optest_worst(a, b, n) * (scale > 0 ? scale / fmax(scale, 0.1) : 1);
}

/* back(2 g1 - 3 g2) = 2 back(g1) - 3 back(g2), back(0) = 0 */
static void check_linear(const heedi_op *op, const heedi_example *row,
                         optest_how how)
{
    for (int pass = HEEDI_GRADIENT; op->vjp && pass <= HEEDI_RELEVANCE;
         pass++) {
        left l;
        leave(&l, op, row, how, (heedi_pass)pass);
        const int64_t n = l.t.batch.rows, c = l.t.y->cols;
        heed_real *g1 = optest_copy(&l.t, l.t.y->g, n * c);
        heed_real *g2 = optest_reals(&l.t, n * c), *got[HEEDI_MAX_IN];
        optest_fill(&l.t, g2, c, 20, 0);
        for (int i = 0; i < op->n_in; i++)
            l.g[i] = optest_copy(&l.t, l.g[i], n * row->in[i]);
        for (int64_t k = 0; k < n * c; k++)
            l.t.y->g[k] = 2 * g1[k] - 3 * g2[k];
        optest_back(&l.t, (heedi_pass)pass, 0, 0);
        for (int i = 0; i < op->n_in; i++)
            got[i] = optest_copy(&l.t, l.t.in[i]->g, n * row->in[i]);
        memcpy(l.t.y->g, g2, (size_t)(n * c) * sizeof *g2);
        optest_back(&l.t, (heedi_pass)pass, 0, 0);
        for (int i = 0; i < op->n_in; i++) {
            for (int64_t k = 0; k < n * row->in[i]; k++)
                l.g[i][k] = 2 * l.g[i][k] - 3 * l.t.in[i]->g[k];
            within(op, row, "linear", off(got[i], l.g[i], n * row->in[i]),
                   optest_tol(2e-5, 1e-12));
        }
        memset(l.t.y->g, 0, (size_t)(n * c) * sizeof *g2);
        optest_back(&l.t, (heedi_pass)pass, 0, 0);
        for (int i = 0; i < op->n_in; i++)
            for (int64_t k = 0; k < n * row->in[i]; k++)
                if (l.t.in[i]->g[k] != 0)
                    fail_msg("%s: zero in, %g out", op->name,
                             (double)l.t.in[i]->g[k]);
        for (int64_t s = 0; s < N_SEQ; s++)
            if (heedi_ledger_total(&l.t.ledger, s) != 0)
                fail_msg("%s: zero in, a deposit", op->name);
        optest_close(&l.t);
    }
}

#define EVERY(name)                       \
    static void test_##name(void **state) \
    {                                     \
        (void)state;                      \
        every_row(check_##name);          \
    }
EVERY(bits)
EVERY(accumulation)
EVERY(same_input)
EVERY(linear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_bits),
        test(test_accumulation),
        test(test_same_input),
        test(test_linear),
    };
    RUN(tests);
}
