/* The matrix of a block: a mixing operation with a convolution, an activation,
 * a gate and norms around it, by hand, and the blocks of golden models. Rows
 * times operand and the rest make the output again, and do not where a part is
 * left out. */
#include "testlib.h"

#include <stdlib.h>

#include "args.h"
#include "exec.h"
#include "implicit.h"
#include "kernel.h"
#include "optest.h"

enum { KV = 6, C = 12, RANK = 4 };

/* ---- operations of this test ---- */

/* Attention that is no softmax attention by name. */
static heedi_mixing toy_mixing;
static heedi_op toy;

/* y = 2 (x - its mean over RANK neighbours) + 3 */
static heed_status centre_infer(heed_ctx *ctx, heedi_node *y)
{
    (void)ctx;
    y->cols = y->in[0]->cols;
    return HEED_OK;
}

static double mean_at(const heed_real *x, int64_t i)
{
    double sum = 0;
    for (int64_t k = 0; k < RANK; k++)
        sum += (double)x[i / RANK * RANK + k];
    return sum / RANK;
}

static void centre_forward(const heedi_node *y, heedi_run *run)
{
    const heed_real *x = y->in[0]->x;
    for (int64_t i = 0; i < run->batch->rows * y->cols; i++)
        y->x[i] = (heed_real)(2 * ((double)x[i] - mean_at(x, i)) + 3);
}

static void fill(const heedi_node *y, int64_t n, heed_real with, heed_real *out)
{
    for (int64_t i = 0; i < n * y->cols; i++)
        out[i] = with;
}

static void two(const heedi_node *y, const heedi_run *run, int64_t row,
                int64_t n, heed_real *f)
{
    (void)run;
    (void)row;
    fill(y, n, 2, f);
}

static void three(const heedi_node *y, const heedi_run *run, int64_t row,
                  int64_t n, heed_real *f)
{
    (void)run;
    (void)row;
    fill(y, n, 3, f);
}

static int64_t rank(const heedi_node *y)
{
    (void)y;
    return RANK;
}

static const heedi_factor centre_factor = {
    .of = two, .rest = three, .centred = rank};
static const heedi_op centre = {.name = "centre",
                                .formula = "",
                                .n_in = 1,
                                .infer = centre_infer,
                                .forward = centre_forward,
                                .factor = &centre_factor};

static int setup(void **state)
{
    (void)state;
    toy = heedi_op_attention;
    toy_mixing = *toy.mixing;
    toy_mixing.mixer = "toy";
    toy_mixing.softmax = false;
    toy.mixing = &toy_mixing;
    return 0;
}

/* ---- a chain by hand ---- */

typedef struct chain {
    heed_ctx *ctx;
    heedi_arena mem;
    heedi_batch batch;
    heedi_tape tape;
    heedi_run run;
    heedi_node *mixing;
    heedi_implicit m;
} chain;

static const int64_t lengths_[] = {7, 1, 40};

static heed_real *some(chain *t, int64_t rows, int64_t cols, int64_t which)
{
    heed_real *x =
        heedi_arena_alloc(&t->mem, (size_t)(rows * cols) * sizeof *x);
    uint32_t seed = optest_seed(which, 3);
    assert_non_null(x);
    for (int64_t i = 0; i < rows * cols; i++)
        x[i] = optest_value(&seed);
    return x;
}

static void open_chain(chain *t)
{
    *t = (chain){.ctx = new_ctx()};
    heedi_arena_init(&t->mem, t->ctx);
    assert_int_equal(heedi_batch_init(&t->batch, &t->mem, lengths_, 3, 0),
                     HEED_OK);
    t->run = (heedi_run){.ctx = t->ctx, .batch = &t->batch, .threads = 2};
    t->tape = (heedi_tape){.ctx = t->ctx, .mem = &t->mem, .prefix = ""};
}

static void close_chain(chain *t)
{
    heedi_arena_clear(&t->mem);
    heed_ctx_free(t->ctx);
}

static heedi_node *outside(chain *t, int64_t cols, int64_t which)
{
    heedi_node *x = heedi_outside(&t->tape, cols);
    assert_non_null(x);
    x->x = some(t, t->batch.rows, cols, which);
    return x;
}

static void run_chain(chain *t)
{
    omp_set_num_threads(t->run.threads);
    assert_int_equal(t->tape.status, HEED_OK);
    for (heedi_node *y = t->tape.first; y; y = y->next) {
        y->x = some(t, t->batch.rows, y->cols, 0);
        if (y->op->saved)
            y->saved =
                heedi_arena_alloc(&t->mem, y->op->saved(y, &t->batch) + 1);
        size_t n = y->op->scratch ? y->op->scratch(y, &t->batch, 2) : 0;
        t->run.scratch = heedi_arena_alloc(&t->mem, n + 1);
        y->op->forward(y, &t->run);
    }
    size_t n = t->mixing->op->scratch(t->mixing, &t->batch, 2);
    t->run.scratch = heedi_arena_alloc(&t->mem, n + 1);
}

static void fill_chain(chain *t)
{
    size_t n;
    heedi_implicit_of(&t->m, &t->tape, t->mixing, true);
    run_chain(t);
    n = heedi_implicit_bytes(&t->m, &t->batch, t->run.threads);
    heedi_implicit_fill(&t->m, &t->run, heedi_arena_alloc(&t->mem, n + 1));
}

/* max |M operand + rest - output| over max |output|, M from its rows. */
static double identity(heedi_arena *mem, const heedi_implicit *m,
                       const heedi_run *run, int64_t step)
{
    const heedi_batch *b = run->batch;
    const int64_t c = m->y->cols, w = heedi_mixing_width(m->y);
    heed_real *rest = heedi_arena_alloc(mem, (size_t)c * sizeof *rest);
    heed_real *row = heedi_arena_alloc(mem, (size_t)b->longest * sizeof *row);
    void *work =
        heedi_arena_alloc(mem, heedi_implicit_sums_bytes(m, b, run->threads));
    double worst = 0, most_ = 0;
    for (int64_t s = 0; s < b->n_seq; s++)
        for (int64_t q = 0; q < heedi_len(b, s); q += step) {
            const int64_t row0 = b->start[s];
            heedi_implicit_sums(m, run, s, &q, 1, work, NULL, rest);
            for (int64_t d = 0; d < c; d++) {
                const heedi_view v = {.seq = s,
                                      .head = m->by_channel ? d : d / w,
                                      .q0 = q,
                                      .nq = 1,
                                      .out = row};
                const double out = (double)m->output->x[(row0 + q) * c + d];
                double sum = (double)rest[d] - out;
                heedi_implicit_rows(m, run, &v);
                for (int64_t i = 0; i < heedi_len(b, s); i++)
                    sum += (double)row[i] *
                           (double)heedi_implicit_operand_at(m, row0 + i, d);
                worst = fabs(sum) <= worst ? worst : fabs(sum);
                most_ = fmax(most_, fabs(out));
            }
        }
    return worst / most_;
}

/* The library's own check says the same. */
static double own_check(heedi_arena *mem, const heedi_implicit *m,
                        const heedi_run *run, bool drop)
{
    const size_t n =
        heedi_implicit_sums_bytes(m, run->batch, run->threads) +
        (size_t)(2 * HEEDI_SUM_ROWS * m->y->cols) * sizeof(heed_real);
    int64_t rows;
    return heedi_implicit_error(m, run, run->batch->n_seq - 1, drop,
                                heedi_arena_alloc(mem, n), &rows);
}

static double tol(void)
{
    return optest_tol(1e-5, 1e-12);
}

/* q, k, z from outside; v = silu(conv(x)); norm(silu(z) attention) */
static const heedi_attention_args grouped = {
    .heads = 4, .kv_heads = 2, .head_dim = 3, .scale = 0.4};
static const heedi_act_args silu = {
    &(const heedi_activation){"silu", "", HEEDI_ACT_silu, false}};
static const heedi_norm_args norm = {.eps = 1e-5};

static void gated(chain *t, bool bias)
{
    static heedi_conv_args conv = {.width = 4};
    heedi_node *q = outside(t, C, 1), *k = outside(t, KV, 2);
    heedi_node *x = outside(t, KV, 3), *z = outside(t, C, 4);
    conv.w = some(t, 4, KV, 5);
    x = heedi_apply(&t->tape, &heedi_op_conv1d,
                    ((heedi_with){.name = "conv",
                                  .args = &conv,
                                  .vec = bias ? some(t, 1, KV, 6) : NULL,
                                  .n_vec = bias ? KV : 0}),
                    x);
    x = heedi_apply(&t->tape, &heedi_op_act,
                    ((heedi_with){.name = "act", .args = &silu}), x);
    t->mixing =
        heedi_apply(&t->tape, &toy,
                    ((heedi_with){.name = "mix", .args = &grouped}), q, k, x);
    x = heedi_apply(&t->tape, &heedi_op_glu,
                    ((heedi_with){.name = "gate", .args = &silu}), z,
                    t->mixing);
    heedi_apply(&t->tape, &heedi_op_rmsnorm,
                ((heedi_with){.name = "norm",
                              .args = &norm,
                              .vec = some(t, 1, C, 7),
                              .n_vec = C}),
                x);
}

static void test_gated(void **state)
{
    chain t;
    (void)state;
    open_chain(&t);
    gated(&t, true);
    fill_chain(&t);
    assert_ptr_equal(t.m.output, t.tape.last);
    assert_ptr_equal(t.m.operand, t.tape.first->in[0]);
    assert_true(t.m.by_channel);
    assert_int_equal(heedi_implicit_count(&t.m), C);
    const double error = identity(&t.mem, &t.m, &t.run, 1);
    if (!(error <= tol()))
        fail_msg("block: %g", error);
    assert_true(own_check(&t.mem, &t.m, &t.run, false) <= tol());
    assert_true(own_check(&t.mem, &t.m, &t.run, true) > 0.01);
    heedi_implicit bad = t.m;
    bad.left = NULL; /* the gate and the norm */
    assert_true(identity(&t.mem, &bad, &t.run, 1) > 0.01);
    bad = t.m;
    bad.right = NULL; /* the activation */
    assert_true(identity(&t.mem, &bad, &t.run, 1) > 0.01);
    bad = t.m;
    bad.w = NULL; /* the convolution */
    assert_true(identity(&t.mem, &bad, &t.run, 1) > 0.01);
    bad = t.m;
    bad.rest = NULL; /* its bias */
    assert_true(identity(&t.mem, &bad, &t.run, 1) > 0.01);
    close_chain(&t);
}

/* Softmax attention has no block; a second reader ends one. */
static void test_ends(void **state)
{
    chain t;
    heedi_implicit m;
    (void)state;
    open_chain(&t);
    gated(&t, false);
    heedi_implicit_of(&m, &t.tape, t.mixing, false);
    assert_true(!m.by_channel && m.output == t.mixing && m.n_up == 0);
    t.mixing->op = &heedi_op_attention;
    heedi_implicit_of(&m, &t.tape, t.mixing, true);
    assert_true(!m.by_channel && m.output == t.mixing && m.n_up == 0);
    t.mixing->op = &toy;
    heedi_apply(&t.tape, &heedi_op_add, ((heedi_with){.name = "add"}), t.mixing,
                t.mixing);
    heedi_implicit_of(&m, &t.tape, t.mixing, true);
    assert_true(m.output == t.mixing && m.n_down == 0 && m.n_up == 2);
    close_chain(&t);
}

/* What is centred below the matrix is its operand, which is then that of the
 * mixing operation itself. */
static void test_centred(void **state)
{
    static const heedi_attention_args two_heads = {
        .heads = 2, .kv_heads = 2, .head_dim = 2 * RANK, .scale = 0.3};
    static const heedi_attention_args small = {
        .heads = 8, .kv_heads = 8, .head_dim = 2, .scale = 0.3};
    const int64_t c = 4 * RANK;
    chain t;
    (void)state;
    open_chain(&t);
    heedi_node *q = outside(&t, c, 1), *k = outside(&t, c, 2);
    heedi_node *x = outside(&t, c, 3), *z = outside(&t, c, 4);
    x = heedi_apply(&t.tape, &heedi_op_act,
                    ((heedi_with){.name = "act", .args = &silu}), x);
    t.mixing =
        heedi_apply(&t.tape, &toy,
                    ((heedi_with){.name = "mix", .args = &two_heads}), q, k, x);
    x = heedi_apply(&t.tape, &centre, ((heedi_with){.name = "centre"}),
                    t.mixing);
    heedi_apply(&t.tape, &heedi_op_glu,
                ((heedi_with){.name = "gate", .args = &silu}), z, x);
    fill_chain(&t);
    assert_int_equal(t.m.centred, RANK);
    assert_int_equal(t.m.n_up, 0);
    assert_ptr_equal(t.m.output, t.tape.last);
    const double error = identity(&t.mem, &t.m, &t.run, 1);
    if (!(error <= tol()))
        fail_msg("centred block: %g", error);
    heedi_implicit bad = t.m;
    bad.centred = 0;
    assert_true(identity(&t.mem, &bad, &t.run, 1) > 0.01);
    t.mixing->args = &small; /* a mean over several heads is no operand's */
    heedi_implicit_of(&t.m, &t.tape, t.mixing, true);
    assert_ptr_equal(t.m.output, t.mixing);
    close_chain(&t);
}

/* ---- golden models ---- */

/* core, block, block with the skip in the matrix */
enum { N_KINDS = 3 };

static int expected; /* row of models[] */
static void check_chain(const heedi_implicit *m);

static heed_status visit(void *ud, heedi_exec *e, int64_t block)
{
    double *error = ud;
    heedi_arena mem;
    heedi_arena_init(&mem, e->ctx);
    for (int kind = 0; kind < N_KINDS; kind++)
        for (const heedi_node *y = NULL;
             (y = heedi_next_mixing(&e->block[block].tape, y));) {
            heedi_implicit m;
            heedi_implicit_of(&m, &e->block[block].tape, y, kind > 0);
            m.folds_skip = kind == 2;
            if (kind > 0)
                check_chain(&m);
            size_t n = heedi_implicit_bytes(&m, &e->batch, e->run.threads);
            heedi_implicit_fill(&m, &e->run, heedi_arena_alloc(&mem, n + 1));
            error[kind] = fmax(error[kind], identity(&mem, &m, &e->run, 3));
            error[N_KINDS]++;
        }
    heedi_arena_clear(&mem);
    return HEED_OK;
}

/* What the chains of a recurrent layer have. */
static const struct {
    const char *name;
    int up, down;
} models[] = {
    {"llama/plain", 0, 0},           {"mamba/plain", 2, 1},
    {"mamba/no_conv_bias", 2, 1},    {"mamba/state8_conv2_rank3", 2, 1},
    {"mamba/act_gelu", 2, 1},        {"mamba2/plain", 2, 2},
    {"recurrent_gemma/plain", 1, 1}, {"rwkv/plain", 0, 1},
    {"rwkv6/plain", 0, 2},           {"rwkv6/wider", 0, 2},
    {"rwkv6/extreme_decay", 0, 2},
};

static void check_chain(const heedi_implicit *m)
{
    const bool softmax = m->y->op->mixing->softmax;
    assert_int_equal(m->n_up, softmax ? 0 : models[expected].up);
    assert_int_equal(m->n_down, softmax ? 0 : models[expected].down);
}

static void test_models(void **state)
{
    const int64_t len[] = {13, 40};
    int32_t id[53];
    (void)state;
    for (int i = 0; i < 53; i++)
        id[i] = (7 * i + 3) % 29;
    for (size_t k = 0; k < sizeof models / sizeof *models; k++) {
        heed_ctx *ctx = new_ctx();
        heed_model *m;
        heedi_exec e;
        char path[128];
        double error[N_KINDS + 1] = {0};
        const heedi_exec_options o = {.mixing = true};
        snprintf(path, sizeof path, "tests/golden/%s", models[k].name);
        expected = (int)k;
        if (heed_model_load(&m, ctx, path) != HEED_OK ||
            heedi_exec_init(&e, ctx, m, len, 2, id, &o) != HEED_OK)
            fail_msg("%s", heed_error(ctx));
        assert_int_equal(heedi_exec_forward(&e, visit, error), HEED_OK);
        printf("%-16s core %.1e, block %.1e, with its skip %.1e\n",
               models[k].name, error[0], error[1], error[2]);
        assert_true(error[N_KINDS] > 0);
        for (int kind = 0; kind < N_KINDS; kind++)
            if (!(error[kind] <= tol()))
                fail_msg("%s: %g", models[k].name, error[kind]);
        heedi_exec_clear(&e);
        heed_model_free(m);
        heed_ctx_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_gated),
        test(test_ends),
        test(test_centred),
        test(test_models),
    };
    return cmocka_run_group_tests_name(__FILE__, tests, setup, NULL) != 0;
}
