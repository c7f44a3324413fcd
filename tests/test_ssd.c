/* The state space with a decay for each head against a recurrence in double:
 * forward, full gradient, what relevance holds constant, extreme decays; its
 * matrix, of which one variant is exact for x; its inner loops for every
 * instruction set. */
#include "testlib.h"

#include <stdlib.h>

#include "kernel.h"
#include "optest.h"

typedef struct shape {
    int64_t len, heads, dim, groups, states;
    double a, dt; /* the strongest decay; the largest step */
    bool carried;
} shape;

static const shape shapes[] = {
    {1, 2, 3, 1, 4, 1, 1, false},          {5, 3, 1, 3, 7, 1, 1, true},
    {63, 4, 5, 2, 6, 1, 0.5, false},       {64, 2, 16, 1, 16, 2, 0.3, true},
    {65, 6, 4, 2, 3, 1, 0.1, true},        {130, 4, 9, 1, 33, 4, 0.5, false},
    {130, 3, 5, 3, 1, 1, 2, true},         {600, 16, 2, 4, 5, 0.5, 0.1, true},
    {1000, 2, 8, 1, 12, 1, 0.05, false},   {200, 2, 3, 1, 4, 100, 1e4, true},
    {1000, 2, 3, 2, 4, 1e-3, 1e-3, false}, {130, 1, 1, 1, 1, 1e-6, 1e-6, true},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

typedef struct subject {
    optest t;
    heedi_ssd_args args;
    heed_real a[16], d[16];
    double *s0; /* the state before, or zeros */
} subject;

static const heedi_op *const op = &heedi_op_ssd;

static void enter(subject *s, const shape *w)
{
    const int64_t e = w->heads * w->dim, n = w->groups * w->states;
    const heedi_example row = {.in = {e, w->heads, n, n}, .args = &s->args};
    s->args =
        (heedi_ssd_args){w->heads, w->dim, w->groups, w->states, s->a, s->d};
    for (int64_t h = 0; h < w->heads; h++) {
        s->a[h] = (heed_real)(-w->a / (double)(h + 1));
        s->d[h] = (heed_real)(1 - 0.3 * (double)h);
    }
    open_(&s->t, op, &row,
          (optest_how){.len = &w->len, .n_seq = 1, .threads = 2});
    for (int64_t i = 0; i < w->len * w->heads; i++) {
        heed_real *dt = s->t.in[1]->x + i;
        *dt = (heed_real)(w->dt * fabs((double)*dt));
    }
    const int64_t m = e * w->states;
    s->s0 = calloc((size_t)m, sizeof *s->s0);
    if (!w->carried)
        return;
    heed_real *x = s->t.y->state =
        optest_alloc(&s->t, op->state(s->t.y, w->len));
    for (int64_t i = 0; i < m; i++)
        s->s0[i] = (double)(x[i] = (heed_real)(0.5 - (double)(i % 7) / 8));
}

static void leave(subject *s)
{
    free(s->s0);
    optest_close(&s->t);
}

/* ---- reference ---- */

typedef struct answer {
    double *y, *gx, *gdt, *gb, *gc;
} answer;

static double *doubles(int64_t n)
{
    return calloc((size_t)(n > 0 ? n : 1), sizeof(double));
}

/* One head: the states, kept, then the gradient back through them. With `held`
 * gdt, gb and gc mean nothing. */
static void head_reference(const subject *s, int64_t h, int64_t len, answer *o)
{
    const heedi_ssd_args *a = &s->args;
    heedi_node *const *in = s->t.in;
    const int64_t p = a->head_dim, n = a->n_state, e = a->heads * p;
    const int64_t g = h / (a->heads / a->groups) * n, ld = a->groups * n;
    double *state = doubles((len + 1) * p * n), *gs = doubles(p * n);
    const double rate = (double)s->a[h], skip = (double)s->d[h];
    memcpy(state, s->s0 + h * p * n, (size_t)(p * n) * sizeof *state);
    for (int64_t t = 0; t < len; t++) {
        const double dt = (double)in[1]->x[t * a->heads + h];
        const double decay = exp(rate * dt);
        for (int64_t i = 0; i < p; i++) {
            const double x = (double)in[0]->x[t * e + h * p + i];
            double sum = skip * x;
            for (int64_t k = 0; k < n; k++) {
                double *now = state + ((t + 1) * p + i) * n + k;
                *now = decay * now[-p * n] +
                       dt * x * (double)in[2]->x[t * ld + g + k];
                sum += *now * (double)in[3]->x[t * ld + g + k];
            }
            o->y[t * e + h * p + i] = sum;
        }
    }
    for (int64_t t = len - 1; t >= 0; t--) {
        const double dt = (double)in[1]->x[t * a->heads + h];
        const double decay = exp(rate * dt);
        for (int64_t i = 0; i < p; i++) {
            const double x = (double)in[0]->x[t * e + h * p + i];
            const double gy = (double)s->t.y->g[t * e + h * p + i];
            o->gx[t * e + h * p + i] += skip * gy;
            for (int64_t k = 0; k < n; k++) {
                const double *now = state + ((t + 1) * p + i) * n + k;
                const double b = (double)in[2]->x[t * ld + g + k];
                double *r = gs + i * n + k;
                *r += gy * (double)in[3]->x[t * ld + g + k];
                o->gc[t * ld + g + k] += gy * *now;
                o->gb[t * ld + g + k] += dt * x * *r;
                o->gx[t * e + h * p + i] += dt * b * *r;
                o->gdt[t * a->heads + h] +=
                    *r * (x * b + rate * decay * now[-p * n]);
                *r *= decay;
            }
        }
    }
    free(state);
    free(gs);
}

static answer reference(const subject *s, int64_t len)
{
    const heedi_ssd_args *a = &s->args;
    const int64_t e = a->heads * a->head_dim, n = a->groups * a->n_state;
    answer o = {doubles(len * e), doubles(len * e), doubles(len * a->heads),
                doubles(len * n), doubles(len * n)};
    for (int64_t h = 0; h < a->heads; h++)
        head_reference(s, h, len, &o);
    return o;
}

static void free_answer(answer *o)
{
    free(o->y);
    free(o->gx);
    free(o->gdt);
    free(o->gb);
    free(o->gc);
}

/* max |x - want| / max |want| */
static double error_of(const heed_real *x, const double *want, int64_t n)
{
    double worst = 0, most_ = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)x[i] - want[i]);
        worst = d <= worst ? worst : d;
        worst = d == d ? worst : HUGE_VAL;
        most_ = fmax(most_, fabs(want[i]));
    }
    return most_ > 0 ? worst / most_ : worst;
}

static void one_shape(const shape *w)
{
    subject s;
    enter(&s, w);
    optest_forward(&s.t);
    const heedi_example *row = op->examples;
    const int64_t e = w->heads * w->dim * w->len,
                  n = w->groups * w->states * w->len;
    answer want = reference(&s, w->len);
    const double tol = optest_tol(3e-6, 1e-12);
    within(op, row, "y", error_of(s.t.y->x, want.y, e), tol);
    optest_back(&s.t, HEEDI_RELEVANCE, 1, (heed_real)NAN);
    within(op, row, "relevance", error_of(s.t.in[0]->g, want.gx, e), tol);
    heed_real *held = optest_copy(&s.t, s.t.in[0]->g, e);
    optest_back(&s.t, HEEDI_GRADIENT, 15, (heed_real)NAN);
    assert_memory_equal(held, s.t.in[0]->g, (size_t)e * sizeof *held);
    within(op, row, "gdt", error_of(s.t.in[1]->g, want.gdt, w->len * w->heads),
           3 * tol);
    within(op, row, "gB", error_of(s.t.in[2]->g, want.gb, n), tol);
    within(op, row, "gC", error_of(s.t.in[3]->g, want.gc, n), tol);
    if (w->len > 64 && w->a < 10) { /* what comes from another chunk counts */
        want.y[e - 1] *= 1.01;
        beyond(op, row, "y", error_of(s.t.y->x, want.y, e), tol);
    }
    free_answer(&want);
    leave(&s);
}

static void test_shapes(void **state)
{
    (void)state;
    for (int i = 0; i < N_SHAPES; i++)
        one_shape(&shapes[i]);
}

/* ---- the matrix ---- */

/* max |M x + rest - y|, relative; with `raw` the columns of M without dt, which
 * is the matrix for dt x and not for x. */
static double identity_error(subject *s, const shape *w, bool raw)
{
    const heedi_node *y = s->t.y;
    heed_real *m = optest_reals(&s->t, w->len * w->len);
    heed_real *rest = optest_reals(&s->t, w->len * y->cols);
    heedi_view v = {.nq = w->len, .out = rest};
    heed_real *before = NULL;
    if (w->carried) {
        before = optest_alloc(&s->t, op->state(y, w->len));
        for (int64_t i = 0; i < y->cols * w->states; i++)
            before[i] = (heed_real)s->s0[i];
    }
    v.before = before;
    op->mixing->rest(y, &s->t.run, &v);
    double worst = 0, most_ = 0;
    v.out = m;
    for (v.head = 0; v.head < w->heads; v.head++) {
        op->mixing->rows(y, &s->t.run, &v);
        for (int64_t i = 0; i < w->len * w->dim; i++) {
            const int64_t r = i / w->dim, c = v.head * w->dim + i % w->dim;
            double sum = (double)rest[r * y->cols + c];
            for (int64_t k = 0; k <= r; k++) {
                const double dt = (double)y->in[1]->x[k * w->heads + v.head];
                sum += (double)m[r * w->len + k] / (raw ? dt : 1) *
                       (double)y->in[0]->x[k * y->cols + c];
            }
            const double out = (double)y->x[r * y->cols + c];
            worst = fmax(worst, fabs(sum - out));
            most_ = fmax(most_, fabs(out));
        }
    }
    return worst / most_;
}

static void test_matrix(void **state)
{
    (void)state;
    for (int i = 0; i < N_SHAPES; i++) {
        subject s;
        enter(&s, &shapes[i]);
        optest_forward(&s.t);
        within(op, op->examples, "M x + rest",
               identity_error(&s, &shapes[i], false), optest_tol(1e-6, 1e-12));
        beyond(op, op->examples, "the raw variant",
               identity_error(&s, &shapes[i], true), optest_tol(1e-6, 1e-12));
        leave(&s);
    }
}

/* ---- memory ---- */

static void test_memory(void **state)
{
    (void)state;
    enum { H = 32, P = 64, N = 128, E = H * P };
    heed_ctx *ctx = new_ctx();
    heedi_arena mem;
    heedi_arena_init(&mem, ctx);
    const heedi_ssd_args args = {H, P, 1, N, NULL, NULL};
    const heedi_node y = {.op = op, .args = &args, .cols = E};
    for (int64_t len = 1024; len <= 65536; len *= 8) {
        heedi_batch b;
        assert_int_equal(heedi_batch_init(&b, &mem, &len, 1, 0), HEED_OK);
        const size_t all = 8 * 64 * 64 + 9 * E * N,
                     own = 4 * 64 * 64 + 4 * 64 + 2 * 64 * N;
        assert_true(op->scratch(&y, &b, 2) ==
                    (all + 2 * own) * sizeof(heed_real) +
                        2 * (size_t)len * sizeof(double));
        assert_true(op->saved(&y, &b) ==
                    (size_t)(len / 64 * N * E) * sizeof(heed_real));
    }
    heedi_arena_clear(&mem);
    heed_ctx_free(ctx);
}

/* ---- inner loops, every instruction set ---- */

static const heedi_ssd_table *const tables[] = {
#define X(isa) &heedi_ssd_table_##isa,
    HEEDI_ISA_LIST(X)
#undef X
};

static void test_tables(void **state)
{
    (void)state;
    enum { Q = HEEDI_SSD_CHUNK };
    static heed_real l[Q], m[Q * Q], in[Q], gram[Q * Q], w[Q * Q], gm[Q * Q],
        gg[Q * Q], gdt[Q], gl[Q], dt[Q];
    uint32_t seed = 9;
    for (int i = 0; i < Q; i++) {
        dt[i] = (heed_real)fabs((double)optest_value(&seed));
        l[i] = i == 40 ? (heed_real)-1e30 : -dt[i] / 4;
    }
    for (int i = 0; i < Q * Q; i++) {
        gram[i] = optest_value(&seed);
        gm[i] = optest_value(&seed);
    }
    const double tol = optest_tol(2e-6, 1e-13);
    for (int k = 0; k <= heedi_isa_index(); k++)
        for (int len = 1; len <= Q; len += 9) {
            double want_l[Q] = {0}, want_dt[Q] = {0}, before = 0, worst = 0;
            memset(gg, 0, sizeof gg);
            memset(gdt, 0, sizeof gdt);
            tables[k]->decays(len, l, m, in);
            tables[k]->weights(len, gram, m, dt, 3, w);
            tables[k]->pairs(len, gm, gram, m, dt, gg, gdt, gl);
            for (int r = 0; r < len; r++) {
                double sum = 0;
                before += (double)l[r];
                worst = fmax(worst, fabs((double)in[r] - exp(before)));
                for (int c = r; c >= 0; sum += (double)l[c--]) {
                    const double d = exp(sum), g = (double)gm[r * Q + c];
                    const double pair = (double)gram[r * Q + c] * d * g;
                    const double step = (double)dt[c];
                    worst = fmax(worst, fabs((double)m[r * Q + c] - d));
                    worst =
                        fmax(worst, fabs((double)w[r * Q + c] -
                                         d * step * (double)gram[r * Q + c] -
                                         3 * (r == c)));
                    worst =
                        fmax(worst, fabs((double)gg[r * Q + c] - g * d * step));
                    want_dt[c] += pair;
                    for (int i = c + 1; i <= r; i++)
                        want_l[i] += pair * step;
                }
                for (int c = r + 1; c < len; c++)
                    assert_true(m[r * Q + c] == 0 && w[r * Q + c] == 0 &&
                                gg[r * Q + c] == 0);
            }
            for (int c = 0; c < len; c++) {
                worst = fmax(worst, fabs((double)gdt[c] - want_dt[c]) / 4);
                worst = fmax(worst, fabs((double)gl[c] - want_l[c]) / 8);
            }
            if (!(worst <= tol))
                fail_msg("table %d, %d steps: %.3g", k, len, worst);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_shapes), test(test_matrix),
                                       test(test_memory), test(test_tables)};
    RUN(tests);
}
