/* Every rule of linear maps on linear maps, transposed ones and convolutions:
 * against its definition, contribution by contribution in plain loops, with
 * what the bias and the stabiliser take; the same bits with any threads and
 * company; added to what is there. */
#include "testlib.h"

#include <stdlib.h>

#include "args.h"
#include "optest.h"
#include "rule.h"

/* ---- definitions ---- */

static double plus(double x)
{
    return x > 0 ? x : 0;
}

static double minus(double x)
{
    return x < 0 ? x : 0;
}

/* What counts of a contribution of weight w and an input of this sign, which is
 * plus(x w) or minus(x w) as a weight. */
static double towards(double w, bool positive, bool up)
{
    return positive == up ? plus(w) : minus(w);
}

typedef double part_fn(const double *arg, double w, bool positive, double z);

static double whole(const double *arg, double w, bool positive, double z)
{
    (void)arg, (void)positive, (void)z;
    return w;
}

static double more(const double *arg, double w, bool positive, double z)
{
    return w + arg[0] * towards(w, positive, z > 0);
}

static double any_more(const double *arg, double w, bool positive, double z)
{
    (void)positive, (void)z;
    return w + arg[0] * plus(w);
}

static double only_up(const double *arg, double w, bool positive, double z)
{
    (void)arg, (void)z;
    return towards(w, positive, true);
}

static double only_down(const double *arg, double w, bool positive, double z)
{
    (void)arg, (void)z;
    return towards(w, positive, false);
}

/* R of an input that is not in proportion to it. */
typedef double share_fn(const double *arg, double x, double w);

static double square(const double *arg, double x, double w)
{
    (void)arg, (void)x;
    return w * w;
}

static double equal(const double *arg, double x, double w)
{
    (void)arg, (void)x, (void)w;
    return 1;
}

static double box(const double *arg, double x, double w)
{
    return x * w - arg[0] * plus(w) - arg[1] * minus(w);
}

/* weight: factors of alpha_beta's two parts, else 1 and 0. biased: the bias
 * is one more input, of value 1. */
static const struct definition {
    const char *text, *name;
    double arg[HEED_RULE_ARGS], eps, weight[2];
    part_fn *part[2];
    share_fn *share;
    bool biased;
} definitions[] = {
    {"*=epsilon:0", "epsilon", {0}, 0, {1}, {whole}, NULL, true},
    {"*=epsilon:0.3", "epsilon", {0.3}, 0.3, {1}, {whole}, NULL, true},
    {"*=gamma:0", "gamma", {0}, 0, {1}, {more}, NULL, true},
    {"*=gamma:0.25", "gamma", {0.25}, 0, {1}, {more}, NULL, true},
    {"*=gamma:100", "gamma", {100}, 0, {1}, {more}, NULL, true},
    {"*=gamma:0.25:0.3", "gamma", {0.25, 0.3}, 0.3, {1}, {more}, NULL, true},
    /* without eps, a D near 0 makes what it likes of rounding */
    {"*=cp_gamma:0.25:0.3",
     "cp_gamma",
     {0.25, 0.3},
     0.3,
     {1},
     {any_more},
     NULL,
     true},
    {"*=cp_gamma:100:30",
     "cp_gamma",
     {100, 30},
     30,
     {1},
     {any_more},
     NULL,
     true},
    {"*=alpha_beta:2:0.01",
     "alpha_beta",
     {2, 0.01},
     0.01,
     {2, -1},
     {only_up, only_down},
     NULL,
     true},
    {"*=alpha_beta:1:0.01",
     "alpha_beta",
     {1, 0.01},
     0.01,
     {1},
     {only_up},
     NULL,
     true},
    {"*=zplus:0.01", "zplus", {0.01}, 0.01, {1}, {only_up}, NULL, true},
    {"*=w2", "w2", {0}, 0, {1}, {NULL}, square, true},
    {"*=flat", "flat", {0}, 0, {1}, {NULL}, equal, false},
    {"*=zbox:-2:1.5", "zbox", {-2, 1.5}, 0, {1}, {NULL}, box, false},
};
enum { N_DEFINITIONS = sizeof definitions / sizeof *definitions };

/* One output and its inputs; at: index into x of the whole batch. */
typedef struct output {
    int64_t n, at[64];
    double w[64], b, z, g;
} output;

typedef struct answer {
    double *g;           /* of every input */
    double bias, eps;    /* of one sequence */
    bool no_bias_in_sum; /* a control: the sum leaves the bias out */
} answer;

static double stabilised(double d, double eps)
{
    return d < 0 ? d - eps : d + eps;
}

/* The gradient at 0 is the mean of both sides. */
static void by_parts(const struct definition *k, const output *o,
                     const heed_real *x, answer *a)
{
    double left = o->z * o->g;
    for (int side = 0; side < 2 && k->part[side]; side++) {
        part_fn *of = k->part[side];
        const double b = of(k->arg, o->b, true, o->z);
        double d = a->no_bias_in_sum ? 0 : b;
        for (int64_t i = 0; i < o->n; i++) {
            const double v = (double)x[o->at[i]];
            d += v * of(k->arg, o->w[i], v > 0, o->z);
        }
        d = stabilised(d, k->eps);
        /* nothing arrives: epsilon is the plain transpose, the others 0 */
        const double s = d != 0        ? k->weight[side] * o->z * o->g / d
                         : of == whole ? o->g
                                       : 0;
        for (int64_t i = 0; i < o->n; i++) {
            const double v = (double)x[o->at[i]];
            const double up = of(k->arg, o->w[i], true, o->z);
            const double down = of(k->arg, o->w[i], false, o->z);
            const double g = v > 0 ? up : v < 0 ? down : (up + down) / 2;
            a->g[o->at[i]] += s * g;
            left -= s * g * v;
        }
        a->bias += s * b;
        left -= s * b;
    }
    a->eps += left;
}

/* What an input that is 0 gets cannot be handed on. */
static void by_shares(const struct definition *k, const output *o,
                      const heed_real *x, answer *a)
{
    const double b = k->biased ? k->share(k->arg, 1, o->b) : 0;
    double d = b, left = o->z * o->g;
    for (int64_t i = 0; i < o->n; i++)
        d += k->share(k->arg, (double)x[o->at[i]], o->w[i]);
    const double s = d != 0 ? o->z * o->g / d : 0;
    for (int64_t i = 0; i < o->n; i++) {
        const double v = (double)x[o->at[i]];
        const double r = s * k->share(k->arg, v, o->w[i]);
        a->g[o->at[i]] += v != 0 ? r / v : 0;
        left -= v != 0 ? r : 0;
    }
    a->bias += s * b;
    a->eps += left - s * b;
}

/* ---- operations ---- */

static double entry(const optest *t, int64_t at)
{
    const void *p = t->weight.data;
    return strcmp(t->weight.dtype->name, "f32") == 0
               ? (double)((const float *)p)[at]
               : ((const double *)p)[at];
}

static double weight(const optest *t, int64_t o, int64_t i)
{
    const heedi_weight *w = &t->weight;
    return entry(t, w->transposed ? i * w->cols + o : o * w->cols + i);
}

static const heedi_blockdiag_args *block_args(const heedi_node *y)
{
    return y->args;
}

static output inputs_of(const optest *t, int64_t seq, int64_t row, int64_t c)
{
    const heedi_node *y = t->y;
    output o = {.b = y->vec ? (double)y->vec[c] : 0,
                .g = (double)y->g[row * y->cols + c]};
    if (y->op == &heedi_op_linear) {
        for (; o.n < t->in[0]->cols; o.n++) {
            o.at[o.n] = row * t->in[0]->cols + o.n;
            o.w[o.n] = weight(t, c, o.n);
        }
        return o;
    }
    if (y->op == &heedi_op_blockdiag) {
        const int64_t n = t->weight.rows / block_args(y)->blocks;
        for (; o.n < n; o.n++) {
            const int64_t i = c / t->weight.cols * n + o.n;
            o.at[o.n] = row * t->in[0]->cols + i;
            o.w[o.n] = entry(t, i * t->weight.cols + c % t->weight.cols);
        }
        return o;
    }
    const heedi_conv_args *a = y->args;
    for (int64_t k = 0; k < a->width; k++) {
        const int64_t back = a->width - 1 - k;
        const int64_t from = a->reversed ? row + back : row - back;
        if (from < t->batch.start[seq] || from >= t->batch.start[seq + 1])
            continue;
        o.at[o.n] = from * y->cols + c;
        o.w[o.n++] = (double)a->w[k * y->cols + c];
    }
    return o;
}

/* z is summed here: a rounding of y's own would be one of every share. */
static output output_of(const optest *t, int64_t seq, int64_t row, int64_t c)
{
    output o = inputs_of(t, seq, row, c);
    o.z = o.b;
    for (int64_t i = 0; i < o.n; i++)
        o.z += o.w[i] * (double)t->in[0]->x[o.at[i]];
    return o;
}

static heedi_rule parsed(optest *t, const char *text)
{
    heedi_rule r;
    if (heedi_rule_parse(&r, t->ctx, &t->mem, text) != HEED_OK)
        fail_msg("%s", heed_error(t->ctx));
    return r;
}

/* zeros: some inputs are 0, as after a ReLU. */
static void open_rule(optest *t, const heedi_op *op, const heedi_example *row,
                      optest_how how, bool zeros)
{
    open_(t, op, row, how);
    const heedi_node *x = t->in[0];
    for (int64_t s = 0; zeros && s < how.n_seq; s++)
        for (int64_t i = t->batch.start[s] * x->cols + 3;
             i < t->batch.start[s + 1] * x->cols; i += 7)
            x->x[i] = 0;
    optest_forward(t);
}

static void run_rule(optest *t, const heedi_rule *r, bool first, heed_real fill)
{
    heedi_node *y = t->y;
    const int64_t n = t->batch.rows * t->in[0]->cols;
    y->first[0] = first;
    for (int64_t i = 0; i < n; i++)
        t->in[0]->g[i] = fill;
    t->run.rule = r;
    t->run.scratch = optest_alloc(t, r->scratch(y, &t->batch, t->run.threads));
    heedi_ledger_zero(&t->ledger);
    omp_set_num_threads(t->run.threads);
    r->back(y, &t->run);
}

/* Largest difference from the definition, of gradients and of deposits. */
static double error_of(optest *t, const struct definition *k, bool control)
{
    const int64_t c = t->in[0]->cols;
    double worst = 0, *g = calloc((size_t)(t->batch.rows * c), sizeof *g);
    for (int64_t s = 0; s < t->batch.n_seq; s++) {
        answer a = {.g = g, .no_bias_in_sum = control};
        double most = 0, scale = 1;
        for (int64_t r = t->batch.start[s]; r < t->batch.start[s + 1]; r++)
            for (int64_t i = 0; i < t->y->cols; i++) {
                const output o = output_of(t, s, r, i);
                (k->share ? by_shares : by_parts)(k, &o, t->in[0]->x, &a);
                scale += fabs(o.z * o.g);
            }
        for (int64_t i = t->batch.start[s] * c; i < t->batch.start[s + 1] * c;
             i++)
            most = fmax(most, fabs(g[i]));
        for (int64_t i = t->batch.start[s] * c; i < t->batch.start[s + 1] * c;
             i++) {
            double d = fabs(g[i] - (double)t->in[0]->g[i]) / fmax(most, 0.01);
            worst = d <= worst ? worst : d;
        }
        const double got[] = {
            heedi_ledger_entry(&t->ledger, s, HEEDI_ENTRY_bias),
            heedi_ledger_entry(&t->ledger, s, HEEDI_ENTRY_eps)};
        worst = fmax(worst, fabs(got[0] - a.bias) / scale);
        worst = fmax(worst, fabs(got[1] - a.eps) / scale);
        worst = fmax(worst,
                     fabs(heedi_ledger_total(&t->ledger, s) - got[0] - got[1]));
    }
    free(g);
    return worst;
}

static void check_definition(const struct definition *k, const heedi_op *op,
                             const heedi_example *row, optest_how how)
{
    const double tol = optest_tol(2e-5, 1e-12);
    optest t;
    open_rule(&t, op, row, how, true);
    const heedi_rule r = parsed(&t, k->text);
    assert_string_equal(r.name, k->name);
    run_rule(&t, &r, true, (heed_real)NAN);
    within(op, row, k->text, error_of(&t, k, false), tol);
    if (row->n_vec > 1 && !k->share)
        beyond(op, row, k->text, error_of(&t, k, true), 100 * tol);
    const int64_t n = t.batch.rows * t.in[0]->cols;
    heed_real *g = optest_copy(&t, t.in[0]->g, n);
    run_rule(&t, &r, false, 3);
    for (int64_t i = 0; i < n; i++)
        t.in[0]->g[i] -= 3;
    int64_t at;
    const double scale = most(g, n, &at);
    within(op, row, "added to 3",
           optest_worst(t.in[0]->g, g, n) * scale / (3 + scale),
           optest_tol(1e-6, 1e-14));
    optest_close(&t);
}

/* Sequence s of `a` is the only one of b. */
static void same(const optest *a, int64_t s, const optest *b, const char *text)
{
    const int64_t c = a->in[0]->cols;
    if (memcmp(a->in[0]->g + a->batch.start[s] * c, b->in[0]->g,
               (size_t)(b->batch.rows * c) * sizeof(heed_real)) != 0 ||
        memcmp(a->ledger.sink + s * HEEDI_N_ENTRIES, b->ledger.sink,
               (size_t)b->batch.n_seq * HEEDI_N_ENTRIES * sizeof(double)) != 0)
        fail_msg("%s: %s differs alone or with %d threads", a->y->op->name,
                 text, b->run.threads);
}

static void check_bits(const struct definition *k, const heedi_op *op,
                       const heedi_example *row, optest_how how)
{
    optest a, b;
    how.threads = 1;
    open_rule(&a, op, row, how, true);
    const heedi_rule r = parsed(&a, k->text);
    run_rule(&a, &r, true, 0);
    for (int threads = 2; threads <= 4; threads++) {
        optest_how other = how;
        other.threads = threads;
        open_rule(&b, op, row, other, true);
        run_rule(&b, &r, true, 0);
        same(&a, 0, &b, k->text);
        optest_close(&b);
    }
    for (int64_t s = 0; s < how.n_seq; s++) {
        optest_how alone = how;
        alone.len += s;
        alone.n_seq = 1;
        alone.offset = s;
        open_rule(&b, op, row, alone, true);
        run_rule(&b, &r, true, 0);
        same(&a, s, &b, k->text);
        optest_close(&b);
    }
    optest_close(&a);
}

/* Without its number a rule is the plain transpose. */
static void check_plain(const struct definition *k, const heedi_op *op,
                        const heedi_example *row, optest_how how)
{
    optest t;
    if (k->share || k->arg[0] != 0)
        return;
    open_rule(&t, op, row, how, false);
    const heedi_rule r = parsed(&t, k->text);
    const int64_t n = t.batch.rows * t.in[0]->cols;
    run_rule(&t, &r, true, 0);
    heed_real *g = optest_copy(&t, t.in[0]->g, n);
    if (op->scratch)
        t.run.scratch = optest_alloc(&t, op->scratch(t.y, &t.batch, 2));
    optest_back(&t, HEEDI_GRADIENT, 0, 0);
    within(op, row, "the plain transpose", optest_worst(g, t.in[0]->g, n),
           optest_tol(2e-7, 1e-15));
    optest_close(&t);
}

/* ---- every rule on every kind of map ---- */

static const heedi_example linear_rows[] = {
    {.in = {7}, .w_rows = 5, .w_cols = 7},
    {.in = {40}, .w_rows = 300, .w_cols = 40, .n_vec = 300},
    {.in = {1}, .w_rows = 1, .w_cols = 1, .n_vec = 1},
    {.in = {0}}};
static const heedi_blockdiag_args two = {2}, three = {3};
static const heedi_example block_rows[] = {
    {.in = {21}, .w_rows = 21, .w_cols = 5, .n_vec = 15, .args = &three},
    {.in = {12}, .w_rows = 12, .w_cols = 30, .args = &two},
    {.in = {0}}};
static const heedi_example transposed_rows[] = {
    {.in = {7}, .w_rows = 7, .w_cols = 5},
    {.in = {33}, .w_rows = 33, .w_cols = 130, .n_vec = 130},
    {.in = {1}, .w_rows = 1, .w_cols = 3, .n_vec = 3},
    {.in = {0}}};

typedef void rule_check(const struct definition *k, const heedi_op *op,
                        const heedi_example *row, optest_how how);

static void rows(rule_check *check, const struct definition *k,
                 const heedi_op *op, const heedi_example *row, optest_how how)
{
    for (; row->in[0]; row++) {
        how.other = false;
        check(k, op, row, how);
        how.other = true;
        if (row->w_rows > 0)
            check(k, op, row, how);
    }
}

static void every_rule(rule_check *check)
{
    for (int i = 0; i < N_DEFINITIONS; i++) {
        optest_how how = batch;
        const struct definition *k = &definitions[i];
        rows(check, k, &heedi_op_linear, linear_rows, how);
        rows(check, k, &heedi_op_conv1d, heedi_op_conv1d.examples, how);
        rows(check, k, &heedi_op_blockdiag, block_rows, how);
        how.transposed = true;
        rows(check, k, &heedi_op_linear, transposed_rows, how);
    }
}

static void test_definition(void **state)
{
    (void)state;
    every_rule(check_definition);
}

static void test_bits(void **state)
{
    (void)state;
    every_rule(check_bits);
}

static void test_plain(void **state)
{
    (void)state;
    every_rule(check_plain);
}

/* No rule of linear maps is left out here. */
static void test_all(void **state)
{
    (void)state;
    const heed_rule_info *info;
    for (int i = 0; (info = heed_rule_at(i)); i++) {
        bool found = strcmp(info->on, "linear maps") != 0;
        for (int k = 0; k < N_DEFINITIONS; k++)
            found = found || strcmp(definitions[k].name, info->name) == 0;
        if (!found)
            fail_msg("no definition of %s", info->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_all), test(test_definition),
                                       test(test_bits), test(test_plain)};
    RUN(tests);
}
