/* The RG-LRU against a recurrence in double: values, what relevance gives, the
 * whole gradient with the bound of its root; states of any life, gates from end
 * to end; the start of a sequence; its inner loops for every instruction set.
 */
#include "testlib.h"

#include <stdlib.h>

#include "kernel.h"
#include "optest.h"

enum { CHANNELS = 19, LANES_ = 2 * HEEDI_LANES }; /* a group and a part */

/* Rates of -1e-9 to -1e4: states that live long, or not at all. */
static const heedi_rglru_args *arguments(heedi_arena *mem)
{
    heedi_rglru_args *a = heedi_arena_alloc(mem, sizeof *a);
    heed_real *rate = heedi_arena_alloc(mem, LANES_ * sizeof *rate);
    for (int c = 0; c < CHANNELS; c++)
        rate[c] = (heed_real)-pow(10, -9 + 13.0 * c / (CHANNELS - 1));
    *a = (heedi_rglru_args){CHANNELS, rate};
    return a;
}

typedef struct setting {
    heed_ctx *ctx;
    heedi_arena mem;
    optest t;
} setting;

static void set_up(setting *s, int64_t len)
{
    s->ctx = new_ctx();
    heedi_arena_init(&s->mem, s->ctx);
    const heedi_example row = {.in = {CHANNELS, CHANNELS, CHANNELS},
                               .args = arguments(&s->mem)};
    open_(&s->t, &heedi_op_rglru, &row,
          (optest_how){.len = &len, .n_seq = 1, .threads = 2});
}

static void tear_down(setting *s)
{
    optest_close(&s->t);
    heedi_arena_clear(&s->mem);
    heed_ctx_free(s->ctx);
}

/* ---- reference: one channel, in double ---- */

static double sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

typedef struct step {
    double x, p, r, gy; /* as the operation reads them */
    double log_a, a, m, h;
    double most; /* h if nothing cancelled */
} step;

static step *steps_of(const heedi_node *y, int64_t len, int64_t c)
{
    const heedi_rglru_args *a = y->args;
    step *s = calloc((size_t)len, sizeof *s);
    double h = 0, most_ = 0;
    for (int64_t t = 0; t < len; t++) {
        const int64_t at = t * CHANNELS + c;
        s[t].x = (double)y->in[0]->x[at];
        s[t].p = (double)y->in[1]->x[at];
        s[t].r = (double)y->in[2]->x[at];
        s[t].gy = (double)y->g[at];
        s[t].log_a = (double)a->rate[c] * sigmoid(s[t].r);
        s[t].a = t == 0 ? 0 : exp(s[t].log_a);
        s[t].m = t == 0 ? 1 : sqrt(-expm1(2 * s[t].log_a));
        const double add = s[t].m * sigmoid(s[t].p) * s[t].x;
        s[t].h = h = s[t].a * h + add;
        s[t].most = most_ = s[t].a * most_ + fabs(add);
    }
    return s;
}

/* A value, and how large it would be if nothing cancelled. */
typedef struct value {
    double x, most;
} value;

/* What x (0) and the gates p (1) and r (2) get; bound: of 1/m in the gradient
 * of the root. */
static void gradient_of(const step *s, int64_t len, double bound, value *g[3])
{
    double carry = 0, most_ = 0;
    for (int64_t t = len - 1; t >= 0; t--) {
        const step *k = &s[t];
        const double i = sigmoid(k->p);
        const value sum = {k->gy + carry, fabs(k->gy) + most_};
        const value was = {t > 0 ? k[-1].h : 0, t > 0 ? k[-1].most : 0};
        const double root = k->a * k->a * fmin(1 / k->m, bound);
        const double to_p = k->x * sigmoid(-k->p);
        const double to_r = k->log_a * sigmoid(-k->r);
        g[0][t] = (value){sum.x * k->m * i, sum.most * k->m * i};
        g[1][t] = (value){g[0][t].x * to_p, g[0][t].most * fabs(to_p)};
        g[2][t] = (value){sum.x * (k->a * was.x - root * i * k->x) * to_r,
                          sum.most * (k->a * was.most + root * i * fabs(k->x)) *
                              fabs(to_r)};
        carry = k->a * sum.x;
        most_ = k->a * sum.most;
    }
}

/* Relevance by the matrix: column c of alpha against gy. */
static double by_matrix(const step *s, int64_t len, int64_t c)
{
    double sum = 0, product = 1;
    for (int64_t r = c; r < len; r++) {
        product *= r > c ? s[r].a : 1;
        sum += product * s[c].m * sigmoid(s[c].p) * s[r].gy;
    }
    return sum;
}

/* Largest difference of a channel, of what each value would be if nothing
 * cancelled. What is a root of what flushes to zero is not asked for. */
static double channel_error(const heed_real *x, int64_t c, const value *want,
                            int64_t len)
{
    double worst = 0;
    for (int64_t t = 0; t < len; t++) {
        const double d = fabs((double)x[t * CHANNELS + c] - want[t].x);
        const double e = d / fmax(want[t].most, optest_tol(1e-12, 1e-30));
        worst = e <= worst ? worst : e;
        worst = e == e ? worst : HUGE_VAL;
    }
    return worst;
}

static void normal(const char *what, const heed_real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (x[i] != 0 &&
            (!isnormal((double)x[i]) ||
             (sizeof x[i] == 4 && fabs((double)x[i]) < 1.17549435e-38)))
            fail_msg("%s[%d] is %g", what, (int)i, (double)x[i]);
}

/* ---- every decay ---- */

/* Gates are stretched over the channels, so that some are open or shut. */
static void stretch(optest *t, double by, bool padded)
{
    const int64_t len = t->batch.rows;
    for (int64_t i = 0; i < len * CHANNELS; i++) {
        t->in[1]->x[i] *= (heed_real)by;
        t->in[2]->x[i] *= (heed_real)by;
        if (padded && i / CHANNELS >= len / 16 + 1)
            t->in[0]->x[i] = 0;
        if (padded && i / CHANNELS < len - len / 16 - 1)
            t->y->g[i] = 0;
    }
}

static void check_channel(const optest *t, const heed_real *relevance,
                          int64_t c)
{
    const int64_t len = t->batch.rows;
    /* the logarithm of a decay of 1e-38 is rounded by 5e-6, and a state at
     * every step by half a unit of its last place: always in one direction
     * where the decay is less than that and x is 0 */
    const double tol = optest_tol(1e-5 + 3e-8 * (double)len, 1e-12);
    step *s = steps_of(t->y, len, c);
    value *want = calloc(4 * (size_t)len, sizeof *want);
    value *g[3] = {want, want + len, want + 2 * len}, *h = want + 3 * len;
    for (int64_t i = 0; i < len; i++)
        h[i] = (value){s[i].h, s[i].most};
    gradient_of(s, len, 2000, g);
    within(&heedi_op_rglru, heedi_op_rglru.examples, "y",
           channel_error(t->y->x, c, h, len), tol);
    within(&heedi_op_rglru, heedi_op_rglru.examples, "relevance",
           channel_error(relevance, c, g[0], len), tol);
    for (int i = 0; i < 3; i++)
        within(&heedi_op_rglru, heedi_op_rglru.examples, "gradient",
               channel_error(t->in[i]->g, c, g[i], len), tol);
    for (int64_t i = 0; i < len; i += 1 + len / 7)
        within(&heedi_op_rglru, heedi_op_rglru.examples, "matrix",
               fabs(by_matrix(s, len, i) - g[0][i].x) /
                   fmax(1e-30, g[0][i].most),
               1e-9);
    h[len - 1].x += 0.01 * h[len - 1].most;
    if (h[len - 1].most > 1e-9) /* not all gates are shut */
        beyond(&heedi_op_rglru, heedi_op_rglru.examples, "y",
               channel_error(t->y->x, c, h, len), tol);
    free(want);
    free(s);
}

static void check_decay(int64_t len, double by, bool padded)
{
    setting s;
    heedi_team team;
    set_up(&s, len);
    optest *t = &s.t;
    stretch(t, by, padded);
    heedi_team_enter(&team, t->ctx);
    optest_forward(t);
    optest_back(t, HEEDI_RELEVANCE, 7, (heed_real)NAN);
    heed_real *r = optest_copy(t, t->in[0]->g, len * CHANNELS);
    optest_back(t, HEEDI_GRADIENT, 7, (heed_real)NAN);
    heedi_team_leave(&team);
    normal("y", t->y->x, len * CHANNELS);
    normal("relevance", r, len * CHANNELS);
    for (int i = 0; i < 3; i++)
        normal("gradient", t->in[i]->g, len * CHANNELS);
    for (int64_t c = 0; c < CHANNELS; c++)
        check_channel(t, r, c);
    tear_down(&s);
}

static void test_decay(void **state)
{
    (void)state;
    static const int64_t len[] = {1, 2, 63, 130, 1025};
    static const double by[] = {1, 6, 60};
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 3; k++)
            for (int padded = 0; padded < 2; padded++)
                check_decay(len[i], by[k], padded);
    check_decay(65536, 1, false);
}

/* The gradient of the root is bounded as the reference's is, and that shows. */
static void test_bound(void **state)
{
    enum { T = 9 };
    setting s;
    (void)state;
    set_up(&s, T);
    optest_forward(&s.t);
    optest_back(&s.t, HEEDI_GRADIENT, 7, 0);
    value want[3 * T], *g[3] = {want, want + T, want + 2 * T};
    int differ = 0;
    for (int64_t c = 0; c < CHANNELS; c++) {
        step *k = steps_of(s.t.y, T, c);
        gradient_of(k, T, HUGE_VAL, g);
        const double e = channel_error(s.t.in[2]->g, c, g[2], T);
        const bool beyond_ = 1 - k[T - 1].a * k[T - 1].a < 1e-7;
        differ += beyond_;
        if (beyond_ ? e < 1e-2 : -expm1(2 * k[T - 1].log_a) > 1e-6 && e > 1e-4)
            fail_msg("channel %d: %g from the unbounded gradient", (int)c, e);
        free(k);
    }
    assert_in_range(differ, 2, CHANNELS - 2);
    tear_down(&s);
}

/* A sequence that goes on does not start again; one that starts takes x as it
 * is, whatever was there before. */
static void test_start(void **state)
{
    setting s;
    (void)state;
    set_up(&s, 1);
    optest_forward(&s.t);
    heed_real *start = optest_copy(&s.t, s.t.y->x, CHANNELS);
    for (int i = 0; i < CHANNELS; i++)
        assert_true(fabs((double)start[i] -
                         (double)s.t.in[0]->x[i] *
                             sigmoid((double)s.t.in[1]->x[i])) < 1e-6);
    const int64_t one = 1;
    heed_real *h = optest_alloc(&s.t, heedi_op_rglru.state(s.t.y, 9));
    for (int i = 0; i < CHANNELS; i++)
        h[i] = 5;
    s.t.y->state = h;
    s.t.y->state_size = heedi_op_rglru.state(s.t.y, 9);
    optest_forward(&s.t);
    assert_memory_equal(s.t.y->x, start, CHANNELS * sizeof *start);
    assert_memory_equal(h, start, CHANNELS * sizeof *start);
    heedi_batch b;
    assert_int_equal(heedi_batch_init(&b, &s.t.mem, &one, 1, 1), HEED_OK);
    s.t.run.batch = &b;
    optest_forward(&s.t);
    const heedi_rglru_args *a = s.t.y->args;
    for (int i = 0; i < CHANNELS; i++) {
        const double log_a =
            (double)a->rate[i] * sigmoid((double)s.t.in[2]->x[i]);
        const double want =
            (exp(log_a) + sqrt(-expm1(2 * log_a))) * (double)start[i];
        assert_true(fabs((double)s.t.y->x[i] - want) < 1e-6);
    }
    tear_down(&s);
}

/* ---- the matrix ---- */

/* Row r of channel c by definition; where `wrong`, of the official code: m is
 * 1, and a sequence starts with the decay that it would have had. */
static void row_of(const step *s, int64_t r, double first, bool wrong,
                   double *row)
{
    double product = 1;
    for (int64_t c = r; c >= 0; c--) {
        row[c] = product * (wrong ? 1 : s[c].m) * sigmoid(s[c].p);
        product *= wrong && c == 0 ? first : s[c].a;
    }
}

/* Largest difference of a row relative to its largest entry. */
static double row_error(const heed_real *got, const double *want, int64_t r,
                        int64_t len)
{
    double worst = 0, most_ = 0;
    for (int64_t c = 0; c < len; c++) {
        const double d = fabs((double)got[c] - (c <= r ? want[c] : 0));
        worst = d <= worst ? worst : d == d ? d : HUGE_VAL;
        most_ = c <= r ? fmax(most_, want[c]) : most_;
    }
    return most_ > 1e-12 ? worst / most_ : worst;
}

/* |M x + rest - y| of a row, of the sum of magnitudes. */
static double left_over(const optest *t, const heed_real *row, double rest,
                        int64_t r, int64_t c)
{
    double sum = rest - (double)t->y->x[r * CHANNELS + c], most_ = 1e-12;
    most_ += fabs(rest);
    for (int64_t i = 0; i <= r; i++) {
        const double x = (double)row[i] * (double)t->in[0]->x[i * CHANNELS + c];
        sum += x;
        most_ += fabs(x);
    }
    return fabs(sum) / most_;
}

/* The second part of a sequence of `before` + len steps. */
static void go_on(setting *s, int64_t before, int64_t len, heed_real **state)
{
    optest *t = &s->t;
    heedi_batch b;
    t->y->state = optest_alloc(t, heedi_op_rglru.state(t->y, 1));
    assert_int_equal(heedi_batch_init(&b, &t->mem, &before, 1, 0), HEED_OK);
    t->run.batch = &b;
    optest_forward(t);
    *state = optest_copy(t, t->y->state, LANES_);
    for (int i = 0; i < 3; i++)
        memmove(t->in[i]->x, t->in[i]->x + before * CHANNELS,
                (size_t)(len * CHANNELS) * sizeof **state);
    assert_int_equal(heedi_batch_init(&t->batch, &t->mem, &len, 1, before),
                     HEED_OK);
    t->run.batch = &t->batch;
    optest_forward(t);
}

static void check_matrix(int64_t before, int64_t len)
{
    const double tol = optest_tol(1e-6, 1e-12);
    /* y, unlike a row, is rounded at every step */
    const double walk = optest_tol(3e-8, 1e-16) * sqrt((double)len);
    setting s;
    heed_real *state = NULL;
    set_up(&s, before + len);
    optest *t = &s.t;
    stretch(t, 2, false);
    if (before > 0)
        go_on(&s, before, len, &state);
    else
        optest_forward(t);
    const heedi_mixing *m = heedi_op_rglru.mixing;
    heed_real *rows = optest_reals(t, len * len), *one = optest_reals(t, len);
    heed_real *rest = optest_reals(t, len * CHANNELS);
    double *want = calloc((size_t)len, sizeof *want);
    m->rest(t->y, &t->run,
            &(heedi_view){.nq = len, .out = rest, .before = state});
    for (int64_t c = 0; c < CHANNELS; c += 3) {
        double worst = 0, apart = 0;
        m->rows(t->y, &t->run,
                &(heedi_view){.head = c, .nq = len, .out = rows});
        for (int64_t r = 0; r < len; r++) {
            const double o = (double)rest[r * CHANNELS + c];
            const heed_real *row = rows + r * len;
            within(&heedi_op_rglru, heedi_op_rglru.examples, "rows and rest",
                   left_over(t, row, o, r, c), tol + walk);
            apart = fmax(apart, left_over(t, row, 0, r, c));
        }
        if (before > 0) /* the state counts where it lives for a step */
            assert_true(c > 12 || apart > 1e-3);
        step *k = steps_of(t->y, len, c);
        for (int64_t r = 0; before == 0 && r < len; r += 1 + len / 9) {
            row_of(k, r, exp(k[0].log_a), false, want);
            within(&heedi_op_rglru, heedi_op_rglru.examples, "row",
                   row_error(rows + r * len, want, r, len), tol);
            row_of(k, r, exp(k[0].log_a), true, want);
            worst = fmax(worst, row_error(rows + r * len, want, r, len));
            m->rows(t->y, &t->run,
                    &(heedi_view){.head = c, .q0 = r, .nq = 1, .out = one});
            assert_memory_equal(one, rows + r * len, (size_t)len * sizeof *one);
        }
        if (before == 0 && len > 1 && c < 12) /* elsewhere m is 1 */
            assert_true(worst > 1e-3);
        free(k);
    }
    free(want);
    tear_down(&s);
}

static void test_matrix(void **state)
{
    (void)state;
    static const int64_t len[] = {1, 5, 130, 1000};
    for (int i = 0; i < 4; i++) {
        check_matrix(0, len[i]);
        check_matrix(7, len[i]);
    }
}

/* M^T g is relevance, and M x the output where nothing was carried. */
static void test_products(void **state)
{
    enum { T = 137 };
    setting s;
    (void)state;
    set_up(&s, T);
    optest_forward(&s.t);
    optest_back(&s.t, HEEDI_RELEVANCE, 7, (heed_real)NAN);
    heed_real *out = optest_reals(&s.t, T * CHANNELS);
    const size_t size = T * CHANNELS * sizeof *out;
    memset(out, 0xff, size);
    heedi_op_rglru.mixing->transpose(s.t.y, &s.t.run, s.t.y->g, out);
    assert_memory_equal(out, s.t.in[0]->g, size);
    heedi_op_rglru.mixing->apply(s.t.y, &s.t.run, s.t.in[0]->x, out);
    assert_memory_equal(out, s.t.y->x, size);
    tear_down(&s);
}

/* ---- inner loops, every instruction set ---- */

static const heedi_rglru_table *const tables[] = {
#define X(isa) &heedi_rglru_table_##isa,
    HEEDI_ISA_LIST(X)
#undef X
};

static void run_table(const heedi_rglru_table *k, const heedi_rglru *s,
                      const heed_real *gy, heed_real *out)
{
    const int64_t n = s->len * HEEDI_LANES;
    heed_real h[HEEDI_LANES] = {0};
    const heedi_rglru_grad to = {out + 2 * n, out + 3 * n, out + 4 * n,
                                 false,       false,       false};
    k->forward(s, h, out);
    k->relevance(s, gy, out + n, false);
    k->vjp(s, out, gy, &to);
    k->coefficients(s, out + 5 * n, out + 6 * n, out + 7 * n);
}

static void test_tables(void **state)
{
    (void)state;
    enum { T = 61, MANY = T * HEEDI_LANES, ARRAYS = 8 };
    heed_ctx *ctx = new_ctx();
    heedi_arena mem;
    heedi_arena_init(&mem, ctx);
    heed_real *in = heedi_arena_alloc(&mem, 4 * MANY * sizeof *in);
    heed_real *out[3];
    uint32_t seed = 5;
    for (int i = 0; i < 4 * MANY; i++)
        in[i] = 2 * optest_value(&seed);
    const heedi_rglru s = {
        T,  HEEDI_LANES, HEEDI_LANES,   true,
        in, in + MANY,   in + 2 * MANY, arguments(&mem)->rate};
    for (int k = 0; k <= heedi_isa_index(); k++) {
        out[k] = heedi_arena_alloc(&mem, ARRAYS * MANY * sizeof *in);
        run_table(tables[k], &s, in + 3 * MANY, out[k]);
        for (int i = 0; i < ARRAYS; i++)
            if (!(optest_worst(out[k] + i * MANY, out[0] + i * MANY, MANY) <=
                  optest_tol(2e-6, 1e-14)))
                fail_msg(
                    "table %d, array %d: %g", k, i,
                    optest_worst(out[k] + i * MANY, out[0] + i * MANY, MANY));
    }
    heedi_arena_clear(&mem);
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_decay),    test(test_bound),
                                       test(test_start),    test(test_matrix),
                                       test(test_products), test(test_tables)};
    RUN(tests);
}
