/* Folds of matrices that fall apart away from the diagonal (src/separable.h)
 * against the same by rows, at lengths of several blocks: every kind, with and
 * without weights, filter and skip; weak, strong and no decay, zero inputs;
 * bits whatever the threads and the panels; a state that the sequence
 * continued. Short shapes, and the definition: tests/test_mixing.c. */
#include "testlib.h"

#include <stdlib.h>

#include "fold.h"
#include "kernel.h"
#include "optest.h"

enum { WIDTH = 4, THREADS = 4, MOST = 160 };
enum { LEFT = 1, RIGHT = 2, POST = 4, FILTER = 8, HEADS = 16, SKIP = 32 };
static const int plans[] = {0,
                            HEADS,
                            LEFT | RIGHT | POST,
                            LEFT | RIGHT | HEADS,
                            LEFT | FILTER,
                            LEFT | RIGHT | POST | FILTER | SKIP};
enum { N_PLANS = sizeof plans / sizeof *plans };

static heed_real rates[MOST], skips[MOST];
static double decay[MOST], bonus[MOST];
static const heedi_ssd_args ssd = {6, 5, 2, 7, rates, skips},
                            wide_ssd = {130, 1, 1, 3, rates, skips};
static const heedi_gla_args gla = {3, 19, 7, false, 0},
                            inclusive = {2, 16, 9, true, 16};
static const heedi_wkv_args wkv = {150, decay, bonus};
static const heedi_rglru_args rglru = {140, rates};

/* gate: the input that decays are made of, and what is added to it and what it
 * is multiplied with where decay is weak, strong, and between. */
static const struct subject {
    const char *name;
    const heedi_op *op;
    heedi_example row;
    int gate;
    double times[3], plus[3];
    bool raw; /* without the sizes of steps */
} subjects[] = {
    {"ssd",
     &heedi_op_ssd,
     {.in = {30, 6, 14, 14}, .args = &ssd},
     1,
     {1e-4, 20, 0.1},
     {2e-4, 40, 0.2},
     false},
    {"ssd of many heads",
     &heedi_op_ssd,
     {.in = {130, 130, 3, 3}, .args = &wide_ssd},
     1,
     {1e-4, 20, 0.1},
     {2e-4, 40, 0.2},
     false},
    {"ssd, raw",
     &heedi_op_ssd,
     {.in = {30, 6, 14, 14}, .args = &ssd},
     1,
     {1e-4, 20, 0.1},
     {2e-4, 40, 0.2},
     true},
    {"rglru, raw",
     &heedi_op_rglru,
     {.in = {140, 140, 140}, .args = &rglru},
     2,
     {1, 20, 3},
     {-9, 9, 0},
     true},
    {"gla",
     &heedi_op_gla,
     {.in = {57, 57, 21, 57}, .n_vec = 57, .args = &gla},
     3,
     {1, 40, 1},
     {-9, 60, -3},
     false},
    {"gla, inclusive",
     &heedi_op_gla,
     {.in = {32, 32, 18, 32}, .args = &inclusive},
     3,
     {1, 40, 1},
     {9, -60, 0},
     false},
    {"wkv",
     &heedi_op_wkv,
     {.in = {150, 150}, .args = &wkv},
     0,
     {1, 60, 5},
     {0, 0, 0},
     false},
    {"rglru",
     &heedi_op_rglru,
     {.in = {140, 140, 140}, .args = &rglru},
     2,
     {1, 20, 3},
     {-9, 9, 0},
     false},
};
enum { N_SUBJECTS = sizeof subjects / sizeof *subjects };

static heed_real *values(optest *t, int64_t n, int64_t which)
{
    heed_real *x = optest_reals(t, n);
    uint32_t seed = optest_seed(n, which);
    for (int64_t i = 0; i < n; i++)
        x[i] = optest_value(&seed);
    return x;
}

static heedi_fold fold_of(optest *t, int plan)
{
    const int64_t c = t->y->cols, n = t->batch.rows * c;
    const int64_t w = heedi_mixing_width(t->y);
    heedi_fold f = {.by_head = (plan & HEADS) != 0, .width = WIDTH};
    heed_real *skip = values(t, c, 24);
    for (int64_t i = 0; i < c; i++)
        skip[i] = skip[i / w * w];
    f.left = plan & LEFT ? values(t, n, 20) : NULL;
    f.right = plan & RIGHT ? values(t, n, 21) : NULL;
    f.post = plan & POST ? values(t, n, 22) : NULL;
    f.filter = plan & FILTER ? values(t, WIDTH * c, 23) : NULL;
    f.skip = plan & SKIP ? skip : NULL;
    f.seq = t->batch.n_seq - 1;
    f.scratch = optest_alloc(
        t, heedi_fold_scratch(t->y, &t->batch, THREADS, t->batch.longest));
    return f;
}

static void run(optest *t, heedi_fold f, int threads, int64_t panel,
                heed_real *out)
{
    const int64_t len = heedi_len(&t->batch, f.seq);
    memset(out, 0xff, (size_t)(len * len) * sizeof *out);
    t->run.threads = threads;
    omp_set_num_threads(threads);
    for (; f.q0 < len; f.q0 += panel) {
        f.nq = len - f.q0 < panel ? len - f.q0 : panel;
        f.out = out + f.q0 * len;
        heedi_fold_run(t->y, &t->run, &f);
    }
}

/* By rows, head after head. */
static void by_rows(optest *t, heedi_fold f, heed_real *out)
{
    f.q0 = 0;
    f.nq = heedi_len(&t->batch, f.seq);
    f.out = out;
    heedi_fold_rows(t->y, &t->run, &f);
}

/* Of a row, of its largest sum of `scale`. */
static double apart(const heed_real *got, const heed_real *want,
                    const heed_real *scale, int64_t len)
{
    double worst = 0;
    for (int64_t r = 0; r < len; r++) {
        double off = 0, most = 0;
        for (int64_t c = 0; c < len; c++) {
            const int64_t i = r * len + c;
            const double d = fabs((double)got[i] - (double)want[i]);
            if (!(d < HUGE_VAL) || (c > r && got[i] != 0) ||
                (got[i] != 0 && !isnormal((double)got[i])))
                return HUGE_VAL;
            off = fmax(off, d);
            most = fmax(most, fabs((double)scale[i]));
        }
        if (off > 0)
            worst = fmax(worst, most > 1e-30 ? off / most : off);
    }
    return worst;
}

static void open_subject(optest *t, const struct subject *s, int strength,
                         const int64_t *len, int64_t n_seq)
{
    open_(t, s->op, &s->row,
          (optest_how){.len = len, .n_seq = n_seq, .threads = THREADS});
    heedi_node *gate = t->in[s->gate];
    t->run.raw = s->raw;
    for (int64_t i = 0; i < t->batch.rows * gate->cols; i++)
        gate->x[i] = (heed_real)(s->times[strength] * (double)gate->x[i] +
                                 s->plus[strength]);
    for (int64_t i = 0;
         s->op == &heedi_op_ssd && i < t->batch.rows * gate->cols; i++)
        gate->x[i] = gate->x[i] > 0 ? gate->x[i] : 0;
    assert_int_equal(heed_ctx_threads(t->ctx, THREADS), HEED_OK);
}

/* Every kind and plan of one subject. */
static void check(const struct subject *s, optest *t, const void *before)
{
    const int64_t len = heedi_len(&t->batch, t->batch.n_seq - 1);
    const size_t size = (size_t)(len * len) * sizeof(heed_real);
    const double tol = optest_tol(1e-5, 1e-12);
    heed_real *got = optest_reals(t, len * len);
    heed_real *want = optest_reals(t, len * len);
    heed_real *scale = optest_reals(t, len * len);
    for (int p = 0; p < N_PLANS; p++) {
        heedi_fold f = fold_of(t, plans[p]);
        f.before = before;
        for (int k = 0; k < HEEDI_N_FOLD; k++) {
            f.f = HEEDI_FOLD_ABSOLUTE;
            if (k == 0)
                by_rows(t, f, scale);
            f.f = (heedi_fold_kind)k;
            by_rows(t, f, want);
            run(t, f, THREADS, len, got);
            const double off =
                apart(got, want, k == HEEDI_FOLD_SQUARE ? want : scale, len);
            if (!(off <= tol))
                fail_msg("%s, plan %d, kind %d: %.3g", s->name, p, k, off);
            run(t, f, 1, 64, want);
            assert_memory_equal(got, want, size);
            run(t, f, 3, 23, want);
            assert_memory_equal(got, want, size);
        }
    }
}

static void with(const struct subject *s, int strength, bool zero)
{
    const int64_t len[] = {3, SANITIZED ? 100 : strength == 2 ? 210 : 140};
    optest t;
    heedi_team team;
    open_subject(&t, s, strength, len, 2);
    for (int64_t i = t.batch.start[1] + 20; zero && i < t.batch.rows; i++)
        for (int k = 0; k < s->op->n_in; k++)
            memset(t.in[k]->x + i * t.in[k]->cols, 0,
                   (size_t)t.in[k]->cols * sizeof(heed_real));
    heedi_team_enter(&team, t.ctx);
    check(s, &t, NULL);
    heedi_team_leave(&team);
    optest_close(&t);
}

static void test_folds(void **state)
{
    (void)state;
    for (int i = 0; i < N_SUBJECTS; i++)
        with(&subjects[i], 2, false);
}

static void test_decay(void **state)
{
    (void)state;
    for (int i = 0; i < N_SUBJECTS; i++)
        for (int strength = 0; strength < 2; strength++)
            with(&subjects[i], strength, strength == 0);
}

/* Rows of wkv have what was before in their sum; others only in the rest. */
static void test_carried(void **state)
{
    (void)state;
    static const int64_t len[] = {100};
    for (int i = 0; i < N_SUBJECTS; i++) {
        const struct subject *s = &subjects[i];
        optest t;
        heedi_team team;
        open_subject(&t, s, 2, len, 1);
        const size_t size = s->op->state(t.y, 100);
        void *before = optest_alloc(&t, size);
        t.y->state = optest_alloc(&t, size);
        s->op->state_init(t.y, 100);
        heedi_team_enter(&team, t.ctx);
        optest_forward(&t);
        memcpy(before, t.y->state, size);
        t.y->state = NULL;
        check(s, &t, before);
        heedi_team_leave(&team);
        optest_close(&t);
    }
}

/* Filters that are wider or look ahead go by rows. */
static void test_rows(void **state)
{
    (void)state;
    static const int64_t len[] = {70};
    for (int back = 0; back < 2; back++) {
        optest t;
        open_subject(&t, &subjects[0], 2, len, 1);
        heedi_fold f = fold_of(&t, LEFT);
        f.filter = values(&t, 20 * t.y->cols, 25);
        f.width = back ? WIDTH : 20;
        f.reversed = back != 0;
        heed_real *got = optest_reals(&t, 70 * 70);
        heed_real *want = optest_reals(&t, 70 * 70);
        run(&t, f, 2, 70, got);
        by_rows(&t, f, want);
        assert_memory_equal(got, want, 70 * 70 * sizeof *got);
        optest_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_folds), test(test_decay),
                                       test(test_carried), test(test_rows)};
    for (int i = 0; i < MOST; i++) {
        rates[i] = (heed_real)(-0.2 - (i * 7 % 11) / 4.0);
        skips[i] = (heed_real)(1 - i % 5 / 4.0);
        decay[i] = i % 9 == 4 ? 0 : -exp(-6 + 8.0 * (i * 5 % 17) / 17);
        bonus[i] = i % 7 - 3;
    }
    RUN(tests);
}
