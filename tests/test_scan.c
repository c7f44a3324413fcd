/* The selective scan against a recurrence in double: what relevance holds
 * constant, weak and strong decay, zero padding, long sequences, memory; and
 * its inner loops for every instruction set. */
#include "testlib.h"

#include <stdlib.h>

#include "kernel.h"
#include "optest.h"

enum { MOST_STATES = 33 };

/* A, the skip, and the arguments of `channels`. */
static const heedi_scan_args *arguments(heedi_arena *mem, int64_t channels,
                                        int64_t n)
{
    const int64_t groups = (channels + HEEDI_LANES - 1) / HEEDI_LANES;
    const int64_t m = groups * HEEDI_LANES;
    heedi_scan_args *s = heedi_arena_alloc(mem, sizeof *s);
    heed_real *a = heedi_arena_alloc(mem, (size_t)(m * n) * sizeof *a);
    heed_real *d = heedi_arena_alloc(mem, (size_t)m * sizeof *d);
    for (int64_t c = 0; c < channels; c++) {
        d[c] = (heed_real)(1 - 0.2 * (double)(c % 9));
        for (int64_t k = 0; k < n; k++)
            a[(c / HEEDI_LANES * n + k) * HEEDI_LANES + c % HEEDI_LANES] =
                (heed_real)(-0.3 - (double)k - 0.01 * (double)(c % 7));
    }
    *s = (heedi_scan_args){channels, n, a, d, false};
    return s;
}

static heed_real decay_of(const heedi_node *y, int64_t c, int64_t k)
{
    const heedi_scan_args *s = y->args;
    return s
        ->a[(c / HEEDI_LANES * s->n_state + k) * HEEDI_LANES + c % HEEDI_LANES];
}

/* ---- reference: one channel of the first sequence, in double ---- */

static void reference(const heedi_node *y, int64_t len, int64_t c, double *out)
{
    const heedi_scan_args *s = y->args;
    const int64_t n = s->n_state, e = s->channels;
    double h[MOST_STATES] = {0};
    for (int64_t t = 0; t < len; t++) {
        const double x = (double)y->in[0]->x[t * e + c];
        const double dt = (double)y->in[1]->x[t * e + c];
        out[t] = (double)s->d[c] * x;
        for (int64_t k = 0; k < n; k++) {
            h[k] = exp(dt * (double)decay_of(y, c, k)) * h[k] +
                   dt * (double)y->in[2]->x[t * n + k] * x;
            out[t] += (double)y->in[3]->x[t * n + k] * h[k];
        }
    }
}

static void reference_back(const heedi_node *y, int64_t len, int64_t c,
                           double *out)
{
    const heedi_scan_args *s = y->args;
    const int64_t n = s->n_state, e = s->channels;
    double g[MOST_STATES] = {0};
    for (int64_t t = len - 1; t >= 0; t--) {
        const double o = (double)y->g[t * e + c];
        const double dt = (double)y->in[1]->x[t * e + c];
        out[t] = (double)s->d[c] * o;
        for (int64_t k = 0; k < n; k++) {
            g[k] += (double)y->in[3]->x[t * n + k] * o;
            out[t] += dt * (double)y->in[2]->x[t * n + k] * g[k];
            g[k] *= exp(dt * (double)decay_of(y, c, k));
        }
    }
}

/* Largest difference of a channel relative to its largest value. */
static double channel_error(const heed_real *x, int64_t e, int64_t c,
                            const double *want, int64_t len)
{
    double worst = 0, most_ = 0;
    for (int64_t t = 0; t < len; t++) {
        const double d = fabs((double)x[t * e + c] - want[t]);
        worst = d <= worst ? worst : d;
        worst = d == d ? worst : HUGE_VAL;
        most_ = fmax(most_, fabs(want[t]));
    }
    return most_ > 0 ? worst / most_ : worst;
}

/* ---- what relevance holds constant ---- */

typedef struct shape {
    int64_t len, channels, n_state;
    bool carried; /* the sequence goes on from a state */
} shape;

static void open_shape(optest *t, heedi_arena *mem, const shape *w)
{
    const heedi_example row = {
        .in = {w->channels, w->channels, w->n_state, w->n_state},
        .args = arguments(mem, w->channels, w->n_state)};
    open_(t, &heedi_op_scan, &row,
          (optest_how){.len = &w->len, .n_seq = 1, .threads = 2});
    for (int64_t i = 0; i < w->len * w->channels; i++)
        t->in[1]->x[i] = (heed_real)fabs((double)t->in[1]->x[i]);
    if (w->carried)
        t->y->state = optest_alloc(t, heedi_op_scan.state(t->y, w->len));
}

static void forward_from(optest *t, heed_real fill)
{
    const size_t n = heedi_op_scan.state(t->y, 0) / sizeof(heed_real);
    for (size_t i = 0; t->y->state && i < n; i++)
        ((heed_real *)t->y->state)[i] = fill * (heed_real)(1 + i % 5);
    optest_forward(t);
}

/* y is linear in x: any step gives the derivative, and a large one leaves no
 * rounding. */
static double difference(optest *t, heed_real *x)
{
    const heed_real was = *x;
    double l[2];
    for (int i = 0; i < 2; i++) {
        l[i] = 0;
        *x = i ? was + 64 : was - 64;
        forward_from(t, 1);
        for (int64_t k = 0; k < t->batch.rows * t->y->cols; k++)
            l[i] += (double)t->y->x[k] * (double)t->y->g[k];
    }
    *x = was;
    return (l[1] - l[0]) / 128;
}

static void check_constant(const shape *w)
{
    optest t;
    heedi_arena mem;
    heed_ctx *ctx = new_ctx();
    heedi_arena_init(&mem, ctx);
    open_shape(&t, &mem, w);
    const int64_t n = w->len * w->channels;
    forward_from(&t, 1);
    optest_back(&t, HEEDI_GRADIENT, 15, 0);
    heed_real *full = optest_copy(&t, t.in[0]->g, n);
    assert_true(t.in[1]->g[0] != 0);
    optest_back(&t, HEEDI_RELEVANCE, 15, 0);
    if (memcmp(full, t.in[0]->g, (size_t)n * sizeof *full) != 0)
        fail_msg("T = %d, %d channels, %d states: relevance is not what the "
                 "gradient gives x: %.3g",
                 (int)w->len, (int)w->channels, (int)w->n_state,
                 optest_worst(t.in[0]->g, full, n));
    int64_t at;
    const double scale = most(full, n, &at);
    uint32_t seed = optest_seed(w->len, w->channels);
    for (int k = 0; k < 6; k++) {
        const double d = difference(&t, t.in[0]->x + at);
        const double tol = optest_tol(1e-5, 1e-10);
        within(&heedi_op_scan, heedi_op_scan.examples, "x alone, differences",
               fabs(d - (double)full[at]) / scale, tol);
        if (k == 0)
            beyond(&heedi_op_scan, heedi_op_scan.examples, "differences",
                   fabs(d - 1.01 * (double)full[at]) / scale, tol);
        at = (int64_t)((rnd(&seed) + 1) / 2 * (heed_real)n) % n;
    }
    optest_close(&t);
    heedi_arena_clear(&mem);
    heed_ctx_free(ctx);
}

static void test_constant(void **state)
{
    (void)state;
    static const int64_t len[] = {1, 37, 130}, states[] = {1, 5, 16, 33},
                         channels[] = {1, 16, 19, 145};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            for (int k = 0; k < 4; k++)
                for (int carried = 0; carried < 2; carried++)
                    check_constant(
                        &(shape){len[i], channels[j], states[k], carried});
}

/* The same comparison finds coefficients that are not held constant: gradient
 * with the part that comes through dt where dt depends on x. */
static void test_live_differs(void **state)
{
    optest t;
    heedi_arena mem;
    heed_ctx *ctx = new_ctx();
    (void)state;
    heedi_arena_init(&mem, ctx);
    const shape w = {37, 19, 5, false};
    open_shape(&t, &mem, &w);
    forward_from(&t, 1);
    optest_back(&t, HEEDI_GRADIENT, 15, 0);
    int64_t at;
    const double scale = most(t.in[0]->g, w.len * w.channels, &at);
    const double d = difference(&t, t.in[0]->x + at);
    assert_true(fabs(d - (double)t.in[0]->g[at] - (double)t.in[1]->g[at]) >
                1e-3 * scale);
    optest_close(&t);
    heedi_arena_clear(&mem);
    heed_ctx_free(ctx);
}

/* ---- decays, padding, length ---- */

/* Time steps of 1e-4 to 50 over the channels, a little different for each
 * token; x only at the first tokens, g at the last. */
static void pad(optest *t, bool padded)
{
    const int64_t len = t->batch.rows, e = t->y->cols;
    uint32_t seed = 77;
    for (int64_t i = 0; i < len * e; i++) {
        const double c = (double)(i % e) / (double)(e - 1);
        const double jitter = exp(0.3 * (double)rnd(&seed));
        t->in[1]->x[i] = (heed_real)(1e-4 * exp(c * log(5e5)) * jitter);
        if (padded && i / e >= len / 16 + 1)
            t->in[0]->x[i] = 0;
        if (padded && i / e < len - len / 16 - 1)
            t->y->g[i] = 0;
    }
}

static void normal(const char *what, const heed_real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (x[i] != 0 && !isnormal((double)x[i]))
            fail_msg("%s[%d] is %g", what, (int)i, (double)x[i]);
        else if (sizeof x[i] == 4 && x[i] != 0 &&
                 fabs((double)x[i]) < 1.17549435e-38)
            fail_msg("%s[%d] is %g, a denormal", what, (int)i, (double)x[i]);
}

static void check_decay(int64_t len, bool padded)
{
    enum { CHANNELS = 17 }; /* a group, and a part of one */
    optest t;
    heedi_arena mem;
    heedi_team team;
    heed_ctx *ctx = new_ctx();
    heedi_arena_init(&mem, ctx);
    open_shape(&t, &mem, &(shape){len, CHANNELS, 16, false});
    pad(&t, padded);
    heedi_team_enter(&team, t.ctx);
    optest_forward(&t);
    optest_back(&t, HEEDI_GRADIENT, 15, (heed_real)NAN);
    heed_real *full = optest_copy(&t, t.in[0]->g, len * CHANNELS);
    for (int i = 1; i < 4; i++)
        normal("gradient", t.in[i]->g, len * t.in[i]->cols);
    optest_back(&t, HEEDI_RELEVANCE, 15, (heed_real)NAN);
    heedi_team_leave(&team);
    assert_memory_equal(full, t.in[0]->g,
                        (size_t)len * CHANNELS * sizeof *full);
    normal("y", t.y->x, len * CHANNELS);
    normal("gx", full, len * CHANNELS);
    double *want = malloc((size_t)len * sizeof *want);
    for (int64_t c = 0; c < CHANNELS; c += 4) {
        const double tol = optest_tol(2e-5, 1e-11);
        reference(t.y, len, c, want);
        within(&heedi_op_scan, heedi_op_scan.examples, "y",
               channel_error(t.y->x, CHANNELS, c, want, len), tol);
        reference_back(t.y, len, c, want);
        within(&heedi_op_scan, heedi_op_scan.examples, "gx",
               channel_error(full, CHANNELS, c, want, len), tol);
        want[0] *= 1.01, want[len - 1] *= 1.01;
        beyond(&heedi_op_scan, heedi_op_scan.examples, "gx",
               channel_error(full, CHANNELS, c, want, len), tol / 1e3);
    }
    free(want);
    optest_close(&t);
    heedi_arena_clear(&mem);
    heed_ctx_free(ctx);
}

static void test_decay(void **state)
{
    (void)state;
    static const int64_t len[] = {1, 63, 64, 65, 1025, 65536};
    for (int i = 0; i < 6; i++)
        for (int padded = 0; padded < 2; padded++)
            check_decay(len[i], padded);
}

/* Every thread of a run flushes denormals; afterwards the caller's does not. */
static void test_flush(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heedi_team team;
    int kept = 0, n = 0;
    assert_int_equal(heed_ctx_threads(ctx, 4), HEED_OK);
    heedi_team_enter(&team, ctx);
#pragma omp parallel reduction(+ : kept, n)
    {
        volatile float small = 1e-30f, less = 1e-10f;
        kept += small * less != 0;
        n++;
    }
    heedi_team_leave(&team);
    volatile float small = 1e-30f, less = 1e-10f;
    assert_true(small * less != 0);
    assert_int_equal(n, 4);
#if defined(__SSE__)
    assert_int_equal(kept, 0);
#endif
    heed_ctx_free(ctx);
}

/* ---- memory ---- */

static void test_memory(void **state)
{
    (void)state;
    enum { E = 1536, N = 16, GROUPS = E / HEEDI_LANES };
    heed_ctx *ctx = new_ctx();
    heedi_arena mem;
    heedi_arena_init(&mem, ctx);
    const heedi_scan_args args = {E, N, NULL, NULL, false};
    const heedi_node y = {.op = &heedi_op_scan, .args = &args, .cols = E};
    size_t at_most = 0;
    for (int64_t len = 1024; len <= 65536; len *= 8) {
        heedi_batch b;
        assert_int_equal(heedi_batch_init(&b, &mem, &len, 1, 0), HEED_OK);
        const size_t work = heedi_op_scan.scratch(&y, &b, 2);
        assert_true(at_most == 0 || work == at_most);
        at_most = work;
        assert_true(work == (2 * 100 * 16 * N + E * N + E / 128 * 2048 * N) *
                                sizeof(heed_real));
        assert_true(heedi_op_scan.saved(&y, &b) ==
                    (size_t)(len / 64 * N * E) * sizeof(heed_real));
    }
    heedi_arena_clear(&mem);
    heed_ctx_free(ctx);
}

/* ---- inner loops, every instruction set ---- */

static const heedi_scan_table *const tables[] = {
#define X(isa) &heedi_scan_table_##isa,
    HEEDI_ISA_LIST(X)
#undef X
};

static void test_exp(void **state)
{
    (void)state;
    enum { MANY = 16 * 4096 };
    heed_real *x = malloc(2 * MANY * sizeof *x), *y = x + MANY;
    for (int i = 0; i < MANY; i++)
        x[i] = (heed_real)(-87.0 * i / MANY);
    x[MANY - 1] = (heed_real)-INFINITY;
    x[MANY - 2] = (heed_real)NAN;
    x[MANY - 3] = (heed_real)-1e30;
    for (int k = 0; k <= heedi_isa_index(); k++) {
        tables[k]->decay(MANY, x, y);
        assert_true(y[0] == 1);
        assert_true(y[MANY - 1] == 0 && y[MANY - 3] == 0);
        assert_true(y[MANY - 2] != y[MANY - 2]);
        for (int i = 0; i < MANY - 3; i++) {
            const double want = exp((double)x[i]);
            /* half a unit of the argument's last place, and 2 of the value's */
            const double tol =
                optest_tol(2.4e-7 + 1.2e-7 * fabs((double)x[i]), 1e-15);
            if (!(fabs((double)y[i] - want) <= tol * want))
                fail_msg("table %d: exp(%.9g) is %.9g", k, (double)x[i],
                         (double)y[i]);
        }
    }
    free(x);
}

/* A group over a chunk: y, gx and gx of the full gradient, after each other. */
static void run_table(const heedi_scan_table *k, const heedi_scan *s,
                      const heed_real *gy, heedi_arena *mem, heed_real *out)
{
    const int64_t unit = s->n_state * HEEDI_LANES, n = s->len * HEEDI_LANES;
    const size_t piece = HEEDI_SCAN_PIECE;
    heed_real *h =
        heedi_arena_alloc(mem, (4 + HEEDI_SCAN_CHUNK / piece + 3 + 4 * piece) *
                                   (size_t)unit * sizeof *h);
    heed_real *g = h + unit, *work = g + unit,
              *marks = work + 3 * unit + 2 * (int64_t)piece * unit;
    heed_real *sum = marks + HEEDI_SCAN_CHUNK / (int64_t)piece * unit;
    heed_real *gdt = out + 3 * n;
    memset(h, 0, 2 * (size_t)unit * sizeof *h);
    k->restate(s, h, work, marks);
    k->forward(s, h, out, NULL);
    k->relevance(s, g, gy, out + n, false);
    memset(g, 0, (size_t)unit * sizeof *g);
    for (int64_t p = (s->len - 1) / HEEDI_SCAN_PIECE; p >= 0; p--) {
        const int64_t t = p * HEEDI_SCAN_PIECE, at = t * s->ld;
        heedi_scan part = *s;
        part.len =
            s->len - t < HEEDI_SCAN_PIECE ? s->len - t : HEEDI_SCAN_PIECE;
        part.x += at, part.dt += at;
        part.b += t * s->n_state, part.c += t * s->n_state;
        const heedi_scan_grad to = {out + 2 * n + at, gdt + at, false, false,
                                    sum};
        k->vjp(&part, marks + p * unit, g, gy + at, &to, work);
    }
}

static void test_tables(void **state)
{
    (void)state;
    static const int64_t states[] = {1, 5, 16, 33};
    enum { T = 61, MANY = T * HEEDI_LANES };
    for (int j = 0; j < 4; j++) {
        heed_ctx *ctx = new_ctx();
        heedi_arena mem;
        heedi_arena_init(&mem, ctx);
        const heedi_scan_args *a = arguments(&mem, HEEDI_LANES, states[j]);
        heed_real *in =
            heedi_arena_alloc(&mem, (3 * MANY + 2 * T * 33) * sizeof *in);
        heed_real *out[3];
        uint32_t seed = 5;
        for (int i = 0; i < 3 * MANY + 2 * T * 33; i++)
            in[i] = optest_value(&seed);
        for (int i = 0; i < MANY; i++)
            in[MANY + i] = (heed_real)fabs((double)in[MANY + i]);
        const heedi_scan s = {T,         states[j],     HEEDI_LANES,
                              states[j], HEEDI_LANES,   in,
                              in + MANY, in + 3 * MANY, in + 3 * MANY + T * 33,
                              a->a,      a->d};
        for (int k = 0; k <= heedi_isa_index(); k++) {
            out[k] = heedi_arena_alloc(&mem, 4 * MANY * sizeof *in);
            run_table(tables[k], &s, in + 2 * MANY, &mem, out[k]);
            assert_memory_equal(out[k] + MANY, out[k] + 2 * MANY,
                                MANY * sizeof *in);
            for (int i = 0; i < 4; i++)
                if (!(optest_worst(out[k] + i * MANY, out[0] + i * MANY,
                                   MANY) <= optest_tol(2e-6, 1e-14)))
                    fail_msg("table %d, %d states, array %d", k, (int)states[j],
                             i);
        }
        heedi_arena_clear(&mem);
        heed_ctx_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_constant), test(test_live_differs), test(test_decay),
        test(test_flush),    test(test_memory),       test(test_exp),
        test(test_tables),
    };
    RUN(tests);
}
