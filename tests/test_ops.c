/* Every operation of the registry on every row of its examples: gradient,
 * relevance, account, accumulation, threads, state. A checker returns
 * the error it found, so that controls can ask whether it finds any. */
#include "testlib.h"

#include <stdlib.h>

#include "args.h"
#include "attention.h"
#include "choices.h"
#include "optest.h"
#include "readout.h"

/* ---- gradient ---- */

static double loss(optest *t)
{
    double sum = 0;
    optest_forward(t);
    for (int64_t i = 0; i < t->batch.rows * t->y->cols; i++)
        sum += (double)t->y->x[i] * (double)t->y->g[i];
    return sum;
}

/* dL/dx by five points */
static double slope(optest *t, heed_real *x)
{
    const heed_real was = *x, h = (heed_real)optest_tol(0.03125, 0.0009765625);
    double l[4];
    for (int k = 0; k < 4; k++) {
        *x = was + h * (heed_real)(k < 2 ? k - 2 : k - 1);
        l[k] = loss(t);
    }
    *x = was;
    return (l[0] - 8 * l[1] + 8 * l[2] - l[3]) / (12 * (double)h);
}

/* vjp against central differences at some places of every sequence, the
 * steepest among them; relative to the largest gradient. *largest: that. */
static double gradient_error(const heedi_op *op, const heedi_example *row,
                             optest_how how, int places, double *largest)
{
    optest t;
    how.threads = 1;
    open_(&t, op, row, how);
    optest_forward(&t);
    optest_back(&t, HEEDI_GRADIENT, 0, 0);
    double error = 0;
    *largest = HUGE_VAL;
    for (int i = 0; i < op->n_in; i++) {
        heedi_node *x = t.in[i];
        int64_t at, n = t.batch.rows * x->cols;
        double scale = most(x->g, n, &at);
        *largest = fmin(*largest, scale);
        scale = fmax(scale, 0.01); /* values and cotangents are about 1 */
        for (int64_t s = 0; s < how.n_seq; s++) {
            int64_t o = t.batch.start[s] * x->cols;
            int64_t m = lengths[s + how.offset] * x->cols;
            uint32_t seed = optest_seed(s, 99);
            most(x->g + o, m, &at);
            for (int k = 0; k < places; k++) {
                double d = slope(&t, x->x + o + at);
                double e = fabs(d - (double)x->g[o + at]) / scale;
                error = e <= error ? error : e;
                at = (int64_t)((rnd(&seed) + 1) / 2 * (heed_real)m) % m;
            }
        }
    }
    optest_close(&t);
    return error;
}

static const heedi_op *healthy;

static void scale_up(const heedi_node *y, const heedi_run *run)
{
    for (int i = 0; i < y->op->n_in; i++)
        for (int64_t k = 0; k < run->batch->rows * y->in[i]->cols; k++)
            y->in[i]->g[k] *= (heed_real)1.01;
}

static void wrong_vjp(const heedi_node *y, heedi_run *run)
{
    healthy->vjp(y, run);
    scale_up(y, run);
}

static void wrong_relevance(const heedi_node *y, heedi_run *run)
{
    (healthy->relevance ? healthy->relevance : healthy->vjp)(y, run);
    scale_up(y, run);
}

/* A copy of op with a gradient, or a relevance, 1 % too large. */
static heedi_op damaged(const heedi_op *op)
{
    heedi_op bad = *op;
    healthy = op;
    bad.vjp = wrong_vjp;
    bad.relevance = wrong_relevance;
    return bad;
}

static void check_gradient(const heedi_op *op, const heedi_example *row,
                           optest_how how)
{
    const double tol = optest_tol(2e-3, 1e-8);
    double largest;
    if (!op->vjp)
        return;
    within(op, row, "gradient against differences",
           gradient_error(op, row, how, 3, &largest), tol);
    heedi_op bad = damaged(op);
    double error = gradient_error(&bad, row, how, 1, &largest);
    /* a normalised single number has next to no gradient */
    if (sizeof(heed_real) == 8 || largest > 0.01)
        beyond(op, row, "gradient against differences", error, tol);
}

/* ---- relevance and the account ---- */

static double dot(const heed_real *a, const heed_real *b, int64_t n,
                  double *magnitude)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
        *magnitude += fabs((double)a[i] * (double)b[i]);
    }
    return sum;
}

/* <y, g> = sum <x, g_x> + deposits, for each sequence */
static double account_error(const heedi_op *op, const heedi_example *row,
                            optest_how how)
{
    optest t;
    double error = 0;
    open_(&t, op, row, how);
    optest_forward(&t);
    optest_back(&t, HEEDI_RELEVANCE, 0, 0);
    for (int64_t s = 0; s < how.n_seq; s++) {
        const int64_t r = t.batch.start[s], n = heedi_len(&t.batch, s);
        double scale = 0, mass = 0, c = t.y->cols;
        double in = dot(t.y->x + r * t.y->cols, t.y->g + r * t.y->cols,
                        n * t.y->cols, &mass);
        double out = heedi_ledger_total(&t.ledger, s);
        scale = fmax(fabs(in), fabs(out)) + 1e-3 * c;
        mass = 0;
        for (int i = 0; i < op->n_in; i++)
            out +=
                dot(t.in[i]->x + r * t.in[i]->cols,
                    t.in[i]->g + r * t.in[i]->cols, n * t.in[i]->cols, &mass);
        error = fmax(error, fabs(in - out) / fmax(scale, mass));
    }
    optest_close(&t);
    return error;
}

/* A constant activation keeps all it gets: there is nothing to damage. */
static int passes_nothing(const heedi_op *op, const heedi_example *row)
{
    const heedi_act_args *a = row->args;
    return op == &heedi_op_act && a->f->constant;
}

static void check_account(const heedi_op *op, const heedi_example *row,
                          optest_how how)
{
    const double tol = optest_tol(1e-5, 1e-12);
    if (!op->vjp || !op->conserves)
        return;
    within(op, row, "account", account_error(op, row, how), tol);
    heedi_op bad = damaged(op);
    if (!passes_nothing(op, row))
        beyond(op, row, "account", account_error(&bad, row, how), tol);
}

/* What an operation may deposit, and how much that is. */
/* <v, g> of one vector for all rows. */
static double along(const optest *t, int64_t seq, const heed_real *v)
{
    double sum = 0;
    for (int64_t r = t->batch.start[seq]; v && r < t->batch.start[seq + 1]; r++)
        for (int64_t c = 0; c < t->y->cols; c++)
            sum += (double)v[c] * (double)t->y->g[r * t->y->cols + c];
    return sum;
}

static double bias(const optest *t, int64_t seq)
{
    return along(t, seq, t->y->vec);
}

static double beta(const optest *t, int64_t seq)
{
    const heedi_layernorm_args *a = t->y->args;
    return along(t, seq, a->beta);
}

static double group_beta(const optest *t, int64_t seq)
{
    const heedi_groupnorm_args *a = t->y->args;
    return along(t, seq, a->beta);
}

static double gate(const optest *t, int64_t seq)
{
    const heedi_act_args *a = t->y->args;
    double sum = 0;
    for (int64_t i = t->batch.start[seq] * t->y->cols;
         a->f->constant && i < t->batch.start[seq + 1] * t->y->cols; i++)
        sum += (double)t->y->x[i] * (double)t->y->g[i];
    return sum;
}

static double unread(const optest *t, int64_t seq)
{
    double sum = 0;
    const heedi_node *y = t->y;
    heed_real *p = calloc((size_t)y->cols, sizeof *p);
    for (int64_t r = t->batch.start[seq]; r < t->batch.start[seq + 1]; r++) {
        heedi_weight_row(y->w, r - t->batch.start[seq], 0, y->cols, p);
        for (int64_t c = 0; c < y->cols; c++)
            sum += (double)p[c] * (double)y->g[r * y->cols + c];
    }
    free(p);
    return sum;
}

static double learned(const optest *t, int64_t seq)
{
    double sum = 0;
    const heedi_prefix_args *a = t->y->args;
    const int64_t n = heedi_len(&t->batch, seq), c = a->cols;
    for (int64_t i = 0; i < (n < a->n ? n : a->n) * c; i++)
        sum += (double)a->c[i] * (double)t->y->g[t->batch.start[seq] * c + i];
    return sum;
}

static double unread_type(const optest *t, int64_t seq)
{
    double sum = 0;
    const heedi_node *y = t->y;
    heed_real *p = calloc((size_t)y->cols, sizeof *p);
    for (int64_t r = t->batch.start[seq]; r < t->batch.start[seq + 1]; r++) {
        int64_t type = t->run.segment[r];
        heedi_weight_row(y->w, type < y->w->rows ? type : 0, 0, y->cols, p);
        for (int64_t c = 0; c < y->cols; c++)
            sum += (double)p[c] * (double)y->g[r * y->cols + c];
    }
    free(p);
    return sum;
}

static double kappa(const optest *t, int64_t seq)
{
    return optest_kappa(t->y, t->batch.start[seq], heedi_len(&t->batch, seq), 0,
                        0, NULL, NULL);
}

/* Sum over all pairs of f_bias b gS + f_rel rel gS. */
static double of_scores(const optest *t, int64_t seq, double f_bias,
                        double f_rel)
{
    double query[300], key[300], sum = 0;
    const int64_t n = heedi_len(&t->batch, seq);
    optest_kappa(t->y, t->batch.start[seq], n, f_bias, f_rel, query, key);
    for (int64_t i = 0; i < n; i++)
        sum += query[i];
    return sum;
}

/* 1/2 sum b gS: the half of the product A V. */
static double pos_bias(const optest *t, int64_t seq)
{
    return of_scores(t, seq, 0.5, 0);
}

/* Half of that of relative keys, which are a product, too. */
static double unread_keys(const optest *t, int64_t seq)
{
    return of_scores(t, seq, 0, 0.25);
}

static const struct {
    const char *op;
    heedi_entry entry;
    double (*value)(const optest *t, int64_t seq);
} deposits[] = {
    {"linear", HEEDI_ENTRY_bias, bias},
    {"blockdiag", HEEDI_ENTRY_bias, bias},
    {"conv1d", HEEDI_ENTRY_bias, bias},
    {"act", HEEDI_ENTRY_gate, gate},
    {"layernorm", HEEDI_ENTRY_beta, beta},
    {"groupnorm", HEEDI_ENTRY_beta, group_beta},
    {"position", HEEDI_ENTRY_unread, unread},
    {"prefix", HEEDI_ENTRY_prefix, learned},
    {"segment", HEEDI_ENTRY_unread, unread_type},
    {"attention", HEEDI_ENTRY_kappa, kappa},
    {"attention", HEEDI_ENTRY_pos_bias, pos_bias},
    {"attention", HEEDI_ENTRY_unread, unread_keys},
};

static void check_deposits(const heedi_op *op, const heedi_example *row,
                           optest_how how)
{
    optest t;
    if (!op->vjp)
        return;
    open_(&t, op, row, how);
    optest_forward(&t);
    optest_back(&t, HEEDI_RELEVANCE, 0, 0);
    for (int64_t s = 0; s < how.n_seq; s++)
        for (int e = 0; e < HEEDI_N_ENTRIES; e++) {
            double want = 0, tol = 0;
            for (size_t k = 0; k < sizeof deposits / sizeof *deposits; k++)
                if (strcmp(deposits[k].op, op->name) == 0 &&
                    (int)deposits[k].entry == e) {
                    want = deposits[k].value(&t, s);
                    tol = optest_tol(1e-5, 1e-12);
                }
            double got = heedi_ledger_entry(&t.ledger, s, (heedi_entry)e);
            within(op, row, heedi_entry_name[e],
                   fabs(got - want) / fmax(1, fabs(want)), tol);
        }
    optest_close(&t);
}

/* What the score biases get, read out by row: half to the query, half to the
 * key; not deposited then, and nothing else changes. */
static void check_share(const heedi_op *op, const heedi_example *row,
                        optest_how how)
{
    optest t;
    if (op != &heedi_op_attention)
        return;
    open_(&t, op, row, how);
    const int64_t n = t.batch.rows;
    const heedi_attention_args *a = t.y->args;
    const bool biased = a->slope || a->by_step || a->by_query || a->by_key;
    heedi_readout o;
    assert_int_equal(
        heedi_readout_init(&o, &t.mem, HEEDI_READ_POSITION, n, 1, a->heads, 0),
        HEED_OK);
    t.y->layer = 0;
    double *share = o.add + n; /* slot 1 is layer 0 */
    t.run.scratch = optest_alloc(
        &t, heedi_attention_read_scratch(t.y, &t.batch, how.threads));
    optest_forward(&t);
    optest_back(&t, HEEDI_RELEVANCE, 0, 0);
    heed_real *g = optest_copy(&t, t.in[1]->g, n * t.in[1]->cols);
    for (int i = 0; i < op->n_in; i++)
        memset(t.in[i]->g, 0, (size_t)(n * t.in[i]->cols) * sizeof *g);
    for (int64_t i = 0; i < n; i++)
        share[i] = biased ? 3 : 0;
    heedi_ledger_zero(&t.ledger);
    t.run.readout = &o;
    heedi_attention_read(t.y, &t.run);
    assert_memory_equal(t.in[1]->g, g, (size_t)(n * t.in[1]->cols) * sizeof *g);
    for (int64_t s = 0; s < how.n_seq; s++) {
        const int64_t first = t.batch.start[s], len = heedi_len(&t.batch, s);
        double query[300], key[300], worst = 0, most_ = 0.1;
        optest_kappa(t.y, first, len, 1, 0.5, query, key);
        for (int64_t i = 0; i < len; i++) {
            double want = (query[i] + key[i]) / 4;
            worst =
                fmax(worst, fabs(share[first + i] - (biased ? 3 : 0) - want));
            most_ = fmax(most_, fabs(want));
        }
        within(op, row, "shares of the bias", worst / most_,
               biased ? optest_tol(1e-5, 1e-12) : 0);
        double all = 0;
        for (int64_t i = 0; i < len; i++)
            all += (query[i] + key[i]) / 4;
        assert_true(heedi_ledger_entry(&t.ledger, s, HEEDI_ENTRY_pos_bias) ==
                    0);
        assert_true(heedi_ledger_entry(&t.ledger, s, HEEDI_ENTRY_unread) == 0);
        within(
            op, row, "position",
            fabs(heedi_ledger_entry(&t.ledger, s, HEEDI_ENTRY_position) - all) /
                fmax(1, fabs(all)),
            optest_tol(1e-5, 1e-12));
    }
    optest_close(&t);
}

/* ---- state ---- */

/* A sequence fed in pieces of 1 after `prefill`, or of `piece`: the largest
 * difference to the whole one. */
static double pieces_error(const heedi_op *op, const heedi_example *row,
                           int64_t len, int64_t prefill, int64_t piece)
{
    optest t;
    double error = 0;
    open_(&t, op, row, (optest_how){.len = &len, .n_seq = 1, .threads = 2});
    heedi_node *y = t.y;
    const heed_real *x[HEEDI_MAX_IN];
    optest_forward(&t);
    heed_real *whole = optest_copy(&t, y->x, len * y->cols);
    for (int i = 0; i < op->n_in; i++)
        x[i] = optest_copy(&t, t.in[i]->x, len * t.in[i]->cols);
    y->state = optest_alloc(&t, op->state(y, len));
    op->state_init(y, len);
    for (int64_t at = 0, n; at < len; at += n) {
        heedi_batch b;
        n = at == 0 ? prefill : piece < len - at ? piece : len - at;
        assert_int_equal(heedi_batch_init(&b, &t.mem, &n, 1, at), HEED_OK);
        t.run.batch = &b;
        for (int i = 0; i < op->n_in; i++)
            memcpy(t.in[i]->x, x[i] + at * t.in[i]->cols,
                   (size_t)(n * t.in[i]->cols) * sizeof *whole);
        optest_forward(&t);
        error =
            fmax(error, optest_worst(y->x, whole + at * y->cols, n * y->cols));
    }
    optest_close(&t);
    return error;
}

/* It says so by a state of no bytes. */
static bool cannot_continue(const heedi_op *op, const heedi_example *row)
{
    const heedi_node y = {.op = op, .args = row->args, .cols = row->in[0]};
    if (!optest_ahead(&y))
        return false;
    assert_int_equal(op->state(&y, 5), 0);
    return true;
}

static void check_state(const heedi_op *op, const heedi_example *row,
                        optest_how how)
{
    const double tol = optest_tol(1e-5, 1e-12);
    (void)how;
    if (!op->state || cannot_continue(op, row))
        return;
    within(op, row, "one at a time", pieces_error(op, row, 20, 7, 1), tol);
    within(op, row, "from the start", pieces_error(op, row, 20, 1, 1), tol);
    within(op, row, "pieces", pieces_error(op, row, 20, 5, 3), tol);
    within(op, row, "long", pieces_error(op, row, 300, 290, 1), tol);
    within(op, row, "long pieces", pieces_error(op, row, 300, 100, 137), tol);
}

#define EVERY(name)                       \
    static void test_##name(void **state) \
    {                                     \
        (void)state;                      \
        every_row(check_##name);          \
    }
EVERY(gradient)
EVERY(account)
EVERY(deposits)
EVERY(share)
EVERY(state)

/* ---- the registry ---- */

static void check_refused(const heedi_op *op)
{
    int n = 0;
    for (const heedi_example *row = op->refused; row->in[0]; row++, n++) {
        optest t;
        assert_int_equal(optest_open(&t, op, row, batch), HEED_ESHAPE);
        char want[64];
        snprintf(want, sizeof want, "node: %s: ", op->name);
        if (strncmp(heed_error(t.ctx), want, strlen(want)) != 0 ||
            !strstr(heed_error(t.ctx), op->formula))
            fail_msg("%s", heed_error(t.ctx));
        optest_close(&t);
    }
    assert_true(n > 0);
}

static void test_registry(void **state)
{
    (void)state;
    const char *before = "";
    for (const heedi_op *const *o = heedi_ops; *o; o++) {
        const heedi_op *op = *o;
        assert_true(strcmp(before, op->name) < 0);
        before = op->name;
        assert_ptr_equal(heedi_op_named(op->name), op);
        assert_true(op->formula[0] && op->infer && op->forward);
        assert_true(op->examples->in[0] && op->n_in <= HEEDI_MAX_IN);
        assert_true(!op->mixing || (op->mixing->heads && op->mixing->rows));
        assert_true(!op->state == !op->state_init);
        check_refused(op);
    }
    assert_null(heedi_op_named("no such operation"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_registry), test(test_gradient), test(test_account),
        test(test_deposits), test(test_share),    test(test_state),
    };
    RUN(tests);
}
