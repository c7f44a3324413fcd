/* The account can fail. Controls: a rule that is damaged on purpose leaves a
 * residual, and the table of operations names the one that did it. And every
 * sink against its closed form, worked out from what the operation was given
 * with plain loops. */
#include "testlib.h"

#include "account.h"
#include "attention.h"

static const char *const models[] = {"plain",         "bias_sharded",
                                     "mqa_bias",      "mlp_bias_f16",
                                     "../bert/plain", "../bert/masked"};
enum { N_LLAMA = 4, N_MODELS = sizeof models / sizeof *models };

/* ---- damage ---- */

static void original(const heedi_node *y, heedi_run *run)
{
    (y->op->relevance ? y->op->relevance : y->op->vjp)(y, run);
}

/* Passes on half of what it should, of whatever operation. */
static void half(const heedi_node *y, heedi_run *run)
{
    heed_real *before[HEEDI_MAX_IN];
    const int64_t rows = run->batch->rows;
    for (int i = 0; i < y->op->n_in; i++) {
        int64_t n = rows * y->in[i]->cols;
        before[i] = malloc((size_t)n * sizeof *before[i]);
        for (int64_t k = 0; k < n; k++)
            before[i][k] = y->first[i] ? 0 : y->in[i]->g[k];
    }
    original(y, run);
    for (int i = 0; i < y->op->n_in; i++) {
        for (int64_t k = 0; k < rows * y->in[i]->cols; k++)
            y->in[i]->g[k] = (y->in[i]->g[k] + before[i][k]) / 2;
        free(before[i]);
    }
}

static void no_deposit(const heedi_node *y, heedi_run *run)
{
    heedi_run r = *run;
    r.ledger = NULL;
    original(y, &r);
}

static void deposit_twice(const heedi_node *y, heedi_run *run)
{
    heedi_ledger *l = run->ledger;
    double before[HEEDI_N_ENTRIES];
    double *at = l->sink + y->id * HEEDI_N_ENTRIES;
    memcpy(before, at, sizeof before);
    original(y, run);
    for (int e = 0; e < HEEDI_N_ENTRIES; e++)
        at[e] += at[e] - before[e];
}

/* Attention with the values held constant, or with 1/4 for all three. */
static void no_values(const heedi_node *y, heedi_run *run)
{
    heedi_attention_back(y, run, (heed_real)0.25, 0, true);
}

static void quarters(const heedi_node *y, heedi_run *run)
{
    heedi_attention_back(y, run, (heed_real)0.25, (heed_real)0.25, true);
}

static void gradient(const heedi_node *y, heedi_run *run)
{
    y->op->vjp(y, run);
}

static void second_only(const heedi_node *y, heedi_run *run)
{
    const int64_t n = run->batch->rows * y->cols;
    for (int i = 0; i < 2; i++)
        for (int64_t k = 0; k < n; k++)
            y->in[i]->g[k] =
                (y->first[i] ? 0 : y->in[i]->g[k]) + (i == 1 ? y->g[k] : 0);
}

enum { ALL = HEEDI_IN0 | HEEDI_IN1 | HEEDI_IN2 | HEEDI_OUT };

static const struct damage {
    const char *what, *model, *op, *node;
    heedi_back_fn *back;
} damages[] = {
    {"kappa forgotten", "plain", "attention", "blk.0.attn", no_deposit},
    {"kappa twice", "plain", "attention", "blk.1.attn", deposit_twice},
    {"values constant", "mqa_bias", "attention", "blk.1.attn", no_values},
    {"quarters", "plain", "attention", "blk.1.attn", quarters},
    {"plain attention", "plain", "attention", "blk.0.attn", gradient},
    {"bias forgotten", "bias_sharded", "linear", "blk.0.attn.o", no_deposit},
    {"bias forgotten", "bias_sharded", "linear", "blk.1.attn.q", no_deposit},
    {"bias twice", "mqa_bias", "linear", "blk.1.attn.v", deposit_twice},
    {"bias forgotten", "mlp_bias_f16", "linear", "blk.0.mlp.up", no_deposit},
    {"statistics live", "plain", "rmsnorm", "blk.1.mlp.norm", gradient},
    {"statistics live", "plain", "rmsnorm", "norm", gradient},
    {"plain gate", "plain", "glu", "blk.1.mlp.glu", gradient},
    {"branch dropped", "plain", "add", "blk.0.attn.add", second_only},
};

static void test_damage(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        const struct damage *d = &damages[i];
        heed_model *m = golden(ctx, d->model);
        const heedi_rule rule[] = {{.op = heedi_op_named(d->op),
                                    .glob = d->node,
                                    .back = d->back,
                                    .needs = ALL},
                                   {0}};
        account a;
        account_run(ctx, m, rule, &a, NULL);
        account_names(&a, d->what, d->node, 1e-3);
        heed_model_free(m);
    }
    heed_ctx_free(ctx);
}

/* Any operation of any model that passes on half. */
static void test_half(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    for (int i = 0; i < N_MODELS; i++) {
        heed_model *m = golden(ctx, models[i]);
        account whole, a;
        account_run(ctx, m, NULL, &whole, NULL);
        assert_true(whole.residual <= account_tol());
        for (int k = 0; k < whole.n; k++) {
            if (!whole.op[k] || !whole.op[k]->vjp) /* the head, the leaf */
                continue;
            const heedi_rule rule[] = {{.op = whole.op[k],
                                        .glob = whole.name[k],
                                        .back = half,
                                        .needs = ALL},
                                       {0}};
            account_run(ctx, m, rule, &a, NULL);
            account_names(&a, "half", whole.name[k], 10 * account_tol());
        }
        heed_model_free(m);
    }
    heed_ctx_free(ctx);
}

/* ---- closed forms ---- */

static double expected[MOST_OPS][HEEDI_N_ENTRIES];

static void spy_linear(const heedi_node *y, heedi_run *run)
{
    for (int64_t r = 0; y->vec && r < run->batch->rows; r++)
        for (int64_t c = 0; c < y->cols; c++)
            expected[y->id][HEEDI_ENTRY_bias] +=
                (double)y->vec[c] * (double)y->g[r * y->cols + c];
    original(y, run);
}

static void spy_attention(const heedi_node *y, heedi_run *run)
{
    expected[y->id][HEEDI_ENTRY_kappa] =
        optest_kappa(y, 0, run->batch->rows, 0, 0, NULL, NULL);
    original(y, run);
}

static void check_sinks(const heedi_exec *e)
{
    const heedi_ledger *l = &e->ledger;
    int deposits = 0;
    for (int k = 0; k < l->n_ops; k++)
        for (int i = 0; i < HEEDI_N_ENTRIES; i++) {
            double got = l->sink[k * HEEDI_N_ENTRIES + i];
            double want = expected[k][i];
            deposits += want != 0;
            if (want == 0 ? got != 0
                          : !(fabs(got - want) <=
                              account_tol() * fmax(1, fabs(want))))
                fail_msg("%s: %s is %.9g, not %.9g", l->op_name[k],
                         heedi_entry_name[i], got, want);
        }
    assert_true(deposits >= 2); /* kappa of two layers, at least */
}

static void test_closed_forms(void **state)
{
    (void)state;
    const heedi_rule rule[] = {
        {.op = &heedi_op_linear, .back = spy_linear},
        {.op = &heedi_op_attention, .back = spy_attention, .needs = ALL},
        {0}};
    heed_ctx *ctx = new_ctx();
    for (int i = 0; i < N_LLAMA; i++) {
        heed_model *m = golden(ctx, models[i]);
        account a;
        memset(expected, 0, sizeof expected);
        account_run(ctx, m, rule, &a, check_sinks);
        assert_true(a.residual <= account_tol());
        heed_model_free(m);
    }
    heed_ctx_free(ctx);
}

/* ---- as a caller sees it ---- */

static const double *column(const heed_result *r, const char *name, int64_t n)
{
    const heed_array *a =
        heed_result_get(r, "explanations/attn_lrp/ledger", name);
    if (a)
        assert_int_equal(a->var.len[0], n);
    return a ? a->data : NULL;
}

/* value = tokens + absorbed + residual, absorbed = all sinks, and operations
 * hand on what they get. */
static void adds_up(const heed_result *r)
{
    const char *g = "explanations/attn_lrp";
    const heed_array *rel = heed_result_get(r, g, "relevance");
    const double value = heed_result_num(r, g, "target_value");
    const double sum = heed_result_num(r, g, "sum");
    const double absorbed = heed_result_num(r, g, "absorbed");
    const double rest = heed_result_num(r, g, "conservation_residual");
    double tokens = 0, scale = fabs(value), all = 0;
    for (int64_t i = 0; i < rel->var.len[0]; i++) {
        double x = (double)((const heed_real *)rel->data)[i];
        tokens += x;
        scale = fmax(scale, fabs(x));
    }
    scale = fmax(scale, fabs(absorbed));
    assert_true(fabs(tokens - sum) <= account_tol() * scale);
    assert_true(fabs(value - sum - absorbed - rest) <= 1e-14 * scale);
    assert_true(fabs(rest) <= account_tol() * scale);
    const heed_array *op =
        heed_result_get(r, "explanations/attn_lrp/ledger", "op_name");
    const int64_t n = op->var.len[0];
    const double *in = column(r, "relevance_in", n);
    const double *out = column(r, "relevance_out", n);
    assert_true(in && out);
    for (int64_t k = 0; k < n; k++) {
        const char *name = ((const char *const *)op->data)[k];
        double d = in[k] - out[k];
        for (int e = 0; e < HEEDI_N_ENTRIES; e++) {
            char sink[64];
            snprintf(sink, sizeof sink, "sink_%s", heedi_entry_name[e]);
            const double *x = column(r, sink, n);
            all += x ? x[k] : 0;
            d -= x ? x[k] : 0;
        }
        if (strcmp(name, "embed") != 0 && !(fabs(d) <= account_tol() * scale))
            fail_msg("%s: in %g, out %g, rest %g", name, in[k], out[k], d);
    }
    assert_true(fabs(all - absorbed) <= 1e-13 * scale);
}

static void test_report(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    for (int i = 0; i < N_MODELS; i++) {
        heed_model *m = golden(ctx, models[i]);
        heed_tokens *t = some_tokens(ctx, m, T, 2);
        const heed_target_info *info;
        for (int k = 0; (info = heed_target_at(k)); k++) {
            const heed_head head = heed_model_about(m)->head;
            heed_target target = {info->name, -2, -1, -1};
            if (!(info->heads >> head & 1))
                continue;
            if (head == HEED_HEAD_CLASS)
                target.at = HEED_AT_HEAD;
            heed_input in = {t, &target, 1, NULL};
            heed_request q = {.model = m, .method = "attn_lrp"};
            heed_result *r[MOST_INPUTS];
            q.input = &in;
            q.n_inputs = q.ledger = 1;
            attribute(ctx, &q, r);
            adds_up(r[0]);
            free_results(r, 1);
        }
        heed_tokens_free(ctx, t);
        heed_model_free(m);
    }
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_damage), test(test_half),
                                       test(test_closed_forms),
                                       test(test_report)};
    RUN(tests);
}
