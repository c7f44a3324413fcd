/* Gated linear attention against its definition in double: the state before or
 * after the step, the bonus, both kinds of decay; decays of 0 and of 1; long
 * sequences; what relevance holds constant. */
#include "testlib.h"

#include <stdlib.h>

#include "optest.h"

enum { KEYS = 18, VALUES = 70, HEADS = 2 };
static const int64_t lengths_[] = {1, 5, 130, 1000};

static const heedi_gla_args kinds[] = {
    {HEADS, KEYS, VALUES, false, 0},
    {HEADS, KEYS, VALUES, true, 0},
    {HEADS, KEYS, VALUES, false, 4},
    {HEADS, KEYS, VALUES, true, 4},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

/* Pre-activations of the decay: as they come; a decay of 1, of 0, and both. */
static double forced(int how, int64_t i)
{
    static const double value[] = {0, -90, 90};
    return how == 3 ? (i % 3 ? 90 : -90) : value[how];
}
enum { N_FORCED = 4 };

static void open_kind(optest *t, const heedi_gla_args *a, const int64_t *len,
                      int how)
{
    const heedi_example row = {
        .in = {HEADS * KEYS, HEADS * KEYS, HEADS * VALUES, HEADS * KEYS},
        .n_vec = a->inclusive ? 0 : HEADS * KEYS,
        .args = a};
    open_(t, &heedi_op_gla, &row,
          (optest_how){.len = len, .n_seq = 1, .threads = 2});
    for (int64_t i = 0; how > 0 && i < *len * HEADS * KEYS; i++)
        t->in[3]->x[i] = (heed_real)(forced(how, i) * (a->tau > 0 ? -1 : 1));
}

static double at(const heedi_node *x, int64_t t, int64_t h, int64_t i,
                 int64_t n)
{
    return (double)x->x[t * x->cols + h * n + i];
}

static double decay_of(const heedi_node *y, int64_t t, int64_t h, int64_t i)
{
    const heedi_gla_args *a = y->args;
    const double w = at(y->in[3], t, h, i, KEYS);
    return a->tau > 0 ? pow(1 / (1 + exp(-w)), 1 / a->tau) : exp(-exp(w));
}

/* How much a step gives itself. */
static double present(const heedi_node *y, int64_t t, int64_t h)
{
    double sum = 0;
    for (int64_t i = 0; y->vec && i < KEYS; i++)
        sum += at(y->in[0], t, h, i, KEYS) * (double)y->vec[h * KEYS + i] *
               at(y->in[1], t, h, i, KEYS);
    return sum;
}

/* Channel j of a head, forward; inclusive: as given, whatever y says. */
static void reference(const heedi_node *y, int64_t len, int64_t h, int64_t j,
                      bool inclusive, double *out)
{
    double s[KEYS] = {0};
    for (int64_t t = 0; t < len; t++) {
        const double v = at(y->in[2], t, h, j, VALUES);
        out[t] = present(y, t, h) * v;
        for (int64_t i = 0; i < KEYS; i++) {
            const double was = s[i];
            s[i] = decay_of(y, t, h, i) * was + at(y->in[1], t, h, i, KEYS) * v;
            out[t] += at(y->in[0], t, h, i, KEYS) * (inclusive ? s[i] : was);
        }
    }
}

/* gv of channel j: G, the gradient of the state, step by step. */
static void reference_back(const heedi_node *y, int64_t len, int64_t h,
                           int64_t j, bool inclusive, double *out)
{
    double g[KEYS] = {0};
    for (int64_t t = len - 1; t >= 0; t--) {
        const double o = (double)y->g[t * y->cols + h * VALUES + j];
        out[t] = present(y, t, h) * o;
        for (int64_t i = 0; i < KEYS; i++) {
            const double r = at(y->in[0], t, h, i, KEYS) * o;
            const double of = inclusive ? g[i] + r : g[i];
            out[t] += at(y->in[1], t, h, i, KEYS) * of;
            g[i] = decay_of(y, t, h, i) * of + (inclusive ? 0 : r);
        }
    }
}

static double error_of(const heed_real *x, int64_t h, int64_t j,
                       const double *want, int64_t len)
{
    double worst = 0, most_ = 1e-30;
    for (int64_t t = 0; t < len; t++) {
        const double got = (double)x[t * HEADS * VALUES + h * VALUES + j];
        const double d = fabs(got - want[t]);
        worst = d <= worst ? worst : d;
        worst = d == d ? worst : HUGE_VAL;
        most_ = fmax(most_, fabs(want[t]));
    }
    return worst / most_;
}

/* Weak decays add up many terms that cancel: 1e-5 of the largest value. */
static void test_definition(void **state)
{
    static const int64_t some[] = {0, 15, 16, 63, 64, VALUES - 1};
    const double tol = optest_tol(1e-5, 1e-12);
    (void)state;
    double *want = calloc(1000, sizeof *want);
    for (int k = 0; k < N_KINDS; k++)
        for (int how = 0; how < N_FORCED; how++)
            for (int l = 0; l < 4; l++) {
                optest t;
                const heedi_gla_args *a = &kinds[k];
                const int64_t len = lengths_[l];
                double worst = 0, other = 0;
                open_kind(&t, a, &len, how);
                optest_forward(&t);
                optest_back(&t, HEEDI_RELEVANCE, 0, 0);
                for (int64_t h = 0; h < HEADS; h++)
                    for (int j = 0; j < 6; j++) {
                        reference(t.y, len, h, some[j], a->inclusive, want);
                        worst = fmax(worst,
                                     error_of(t.y->x, h, some[j], want, len));
                        reference_back(t.y, len, h, some[j], a->inclusive,
                                       want);
                        worst = fmax(
                            worst, error_of(t.in[2]->g, h, some[j], want, len));
                        reference(t.y, len, h, some[j], !a->inclusive, want);
                        other = fmax(other,
                                     error_of(t.y->x, h, some[j], want, len));
                    }
                if (!(worst <= tol) || !(other > 1e-3))
                    fail_msg("kind %d, decays %d, length %lld: %g, %g", k, how,
                             (long long)len, worst, other);
                optest_close(&t);
            }
    free(want);
}

/* Nothing is infinite or no number, and a decay of 0 or 1 gets no gradient:
 * there the exponential of its exponential is flat. */
static void test_gradients(void **state)
{
    (void)state;
    for (int k = 0; k < N_KINDS; k++)
        for (int how = 1; how < N_FORCED; how++) {
            optest t;
            const int64_t len = 130;
            open_kind(&t, &kinds[k], &len, how);
            optest_forward(&t);
            optest_back(&t, HEEDI_GRADIENT, 0, 0);
            for (int i = 0; i < 4; i++)
                for (int64_t n = 0; n < len * t.in[i]->cols; n++) {
                    const double g = (double)t.in[i]->g[n];
                    if (!(g - g == 0) || (i == 3 && fabs(g) > 1e-6))
                        fail_msg("kind %d, decays %d, input %d: %g", k, how, i,
                                 g);
                }
            optest_close(&t);
        }
}

/* Relevance gives v what the gradient gives it, bit for bit, the others
 * nothing, and reads no value of v. */
static void test_constant(void **state)
{
    (void)state;
    for (int k = 0; k < N_KINDS; k++) {
        optest t;
        const int64_t len = 200;
        open_kind(&t, &kinds[k], &len, 0);
        optest_forward(&t);
        optest_back(&t, HEEDI_GRADIENT, 0, 0);
        const int64_t n = len * t.in[2]->cols;
        heed_real *gv = optest_copy(&t, t.in[2]->g, n);
        memset(t.in[2]->x, 0xff, (size_t)n * sizeof *gv);
        optest_back(&t, HEEDI_RELEVANCE, 0, 0);
        assert_memory_equal(gv, t.in[2]->g, (size_t)n * sizeof *gv);
        for (int i = 0; i < 4; i++)
            for (int64_t c = 0; i != 2 && c < len * t.in[i]->cols; c++)
                assert_true(t.in[i]->g[c] == 0);
        optest_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_definition),
        test(test_gradients),
        test(test_constant),
    };
    RUN(tests);
}
