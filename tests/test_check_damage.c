/* Rules damaged on purpose, in models of several families and at several
 * layers: heed check names the operation with its layer and the amount of
 * relevance that is missing, which is computed here from the values that were
 * dropped. Sound models name nothing. */
#include "testlib.h"

#include <stdlib.h>

#include "account.h"
#include "args.h"
#include "checktest.h"
#include "rule.h"

enum { N_TOKENS = 23, Q = HEEDI_IN0, K = HEEDI_IN1, V = HEEDI_IN2, ALL = 15 };

/* ---- what a deposit should be, from values and gradients alone ---- */

/* A call of a backward function. */
typedef struct call {
    const heedi_node *y;
    const heedi_run *run;
    double in;                   /* <y, g_y> */
    double passed[HEEDI_MAX_IN]; /* <x, g_x>, of the sound rule */
} call;

static double inner(const heed_real *a, const heed_real *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* <v, g> of a vector that is added to every row. */
static double added(const call *c, const heed_real *v)
{
    double sum = 0;
    for (int64_t t = 0; t < c->run->batch->rows; t++)
        sum += inner(v, c->y->g + t * c->y->cols, c->y->cols);
    return sum;
}
static double bias(const call *c)
{
    return added(c, c->y->vec);
}
static double beta(const call *c)
{
    return added(c, ((const heedi_layernorm_args *)c->y->args)->beta);
}

/* Row t of a table is added to row t, or that of its segment. */
static double table(const call *c)
{
    const int64_t n = c->y->cols;
    const bool by_segment = c->y->op == &heedi_op_segment;
    heed_real *row = malloc((size_t)n * sizeof *row);
    double sum = 0;
    for (int64_t t = 0; t < c->run->batch->rows; t++) {
        const int64_t at = by_segment ? c->run->segment[t] : t;
        heedi_weight_row(c->y->w, at, 0, n, row);
        sum += inner(row, c->y->g + t * n, n);
    }
    free(row);
    return sum;
}

static double prefix(const call *c)
{
    const heedi_prefix_args *a = c->y->args;
    return inner(a->c, c->y->g, a->n * a->cols);
}

/* V gets a half of what arrives; of the other half, what q and k do not. */
static double kappa(const call *c)
{
    return c->in / 2 - c->passed[0] - c->passed[1];
}
static double half(const call *c)
{
    return c->in / 2;
}
static double not_passed(const call *c)
{
    double sum = c->in;
    for (int i = 0; i < c->y->op->n_in; i++)
        sum -= c->passed[i];
    return sum;
}

/* ---- damage ---- */

static const struct damage {
    const char *model, *node, *rule; /* rule: NULL: the operation's own */
    const heedi_rule_kind *kind;     /* of methods alone, in place of it */
    int inputs;                      /* which get `factor` of their share */
    double factor;
    double (*sink)(const call *c); /* NULL: none; else `factor` of it is
                                      deposited */
    heedi_entry entry;
} damages[] = {
#define INPUTS(model, node, inputs, factor)              \
    {                                                    \
        model, node, NULL, NULL, inputs, factor, NULL, 0 \
    }
#define SINK(model, node, factor, sink, entry)                        \
    {                                                                 \
        model, node, NULL, NULL, 0, factor, sink, HEEDI_ENTRY_##entry \
    }
    /* a dropped half */
    INPUTS("llama/plain", "blk.0.mlp.down", Q, 0.5),
    INPUTS("llama/plain", "blk.1.attn.norm", Q, 0.5),
    INPUTS("llama/plain", "blk.1.mlp.glu", K, 0.5),
    INPUTS("mamba/plain", "blk.1.mixer.out", Q, 0.5),
    INPUTS("mamba/plain", "blk.0.mixer.scan", Q, 0.5),
    INPUTS("mamba/plain", "blk.1.mixer.gate", ALL, 0.5),
    INPUTS("bert/plain", "blk.0.mlp.proj", Q, 0.5),
    INPUTS("bert/plain", "pooler", Q, 0.5),
    INPUTS("vit/vit_plain", "blk.1.mlp.fc", Q, 0.5),
    INPUTS("vit/vit_plain", "patch", Q, 0.5),
    INPUTS("vit/deit_teacher", "blk.2.attn.v", Q, 0.5),
    /* a forgotten matrix product: of scores, of values, of a weight */
    INPUTS("llama/plain", "blk.1.attn", Q | K, 0),
    INPUTS("llama/plain", "blk.0.attn", V, 0),
    INPUTS("llama/plain", "blk.0.attn.v", Q, 0),
    INPUTS("mamba/plain", "blk.0.mixer.x", Q, 0),
    INPUTS("mamba/plain", "blk.1.mixer.conv", Q, 0),
    INPUTS("bert/plain", "blk.1.attn", Q | K, 0),
    INPUTS("bert/masked", "blk.0.attn", V, 0),
    INPUTS("vit/vit_plain", "blk.0.attn", Q | K, 0),
    INPUTS("vit/deit_teacher", "blk.1.attn.o", Q, 0),
    /* a branch */
    INPUTS("llama/plain", "blk.1.mlp.add", K, 0),
    INPUTS("mamba/plain", "blk.0.add", Q, 0),
    INPUTS("bert/plain", "blk.1.attn.add", K, 0),
    INPUTS("vit/vit_plain", "blk.0.mlp.add", Q, 0),
    /* too much */
    INPUTS("llama/plain", "blk.1.attn.o", Q, 1.25),
    INPUTS("vit/vit_plain", "blk.1.attn.add", ALL, 1.25),
    /* a bias that is not deposited, or twice */
    SINK("llama/bias_sharded", "blk.1.attn.o", 0, bias, bias),
    SINK("llama/bias_sharded", "blk.0.attn.v", 2, bias, bias),
    SINK("mamba/plain", "blk.0.mixer.conv", 0, bias, bias),
    SINK("mamba/plain", "blk.1.mixer.conv", 2, bias, bias),
    SINK("bert/plain", "blk.1.mlp.fc", 0, bias, bias),
    SINK("bert/plain", "pooler", 0, bias, bias),
    SINK("vit/vit_plain", "blk.0.mlp.proj", 0, bias, bias),
    SINK("vit/vit_plain", "patch", 0, bias, bias),
    /* shifts, positions, types, learned tokens, scores */
    SINK("bert/plain", "blk.0.attn.norm", 0, beta, beta),
    SINK("vit/vit_plain", "blk.1.mlp.norm", 0, beta, beta),
    SINK("bert/plain", "position", 0, table, unread),
    SINK("bert/plain", "type", 0, table, unread),
    SINK("vit/vit_plain", "position", 0, table, unread),
    SINK("vit/vit_plain", "prefix", 0, prefix, prefix),
    SINK("vit/deit_teacher", "prefix", 0, prefix, prefix),
    SINK("llama/plain", "blk.0.attn", 0, kappa, kappa),
    SINK("bert/plain", "blk.1.attn", 0, kappa, kappa),
    SINK("vit/vit_plain", "blk.1.attn", 0, kappa, kappa),
    {"bert/plain", "position", NULL, &heedi_rule_position_read, 0, 0, table,
     HEEDI_ENTRY_position},
    {"vit/deit_teacher", "position", NULL, &heedi_rule_position_read, 0, 0,
     table, HEEDI_ENTRY_position},
    /* what parity options drop */
    {"llama/plain", "blk.1.attn", "cp:0.5", NULL, 0, 0, half, HEEDI_ENTRY_leak},
    {"bert/plain", "blk.0.attn", "cp:0.5", NULL, 0, 0, half, HEEDI_ENTRY_leak},
    {"vit/vit_plain", "blk.1.attn", "cp:0.5", NULL, 0, 0, half,
     HEEDI_ENTRY_leak},
    {"llama/plain", "blk.0.mlp.glu", "gate_derivative", NULL, 0, 0, not_passed,
     HEEDI_ENTRY_gate},
    {"mamba/plain", "blk.1.mixer.gate", "gate_derivative", NULL, 0, 0,
     not_passed, HEEDI_ENTRY_gate},
#undef INPUTS
#undef SINK
};

static const struct damage *now;
static heedi_back_fn *sound; /* the rule as it should be */
static double lost;          /* by the first call */
static int calls;

/* Input i gets a part of what it should; the relevance that it does not. */
static double keep_part(call *c, int i, const heed_real *before)
{
    const heedi_node *x = c->y->in[i];
    const double f = now->inputs >> i & 1 ? now->factor : 1;
    double gone = 0;
    for (int64_t k = 0; k < c->run->batch->rows * x->cols; k++) {
        const heed_real share = x->g[k] - before[k];
        c->passed[i] += (double)x->x[k] * (double)share;
        if (f == 1)
            continue;
        x->g[k] = before[k] + (heed_real)f * share;
        gone += (double)x->x[k] *
                ((double)share - ((double)x->g[k] - (double)before[k]));
    }
    return gone;
}

static void deposit_part(const heedi_node *y, heedi_run *run,
                         const double *before)
{
    for (int64_t s = 0; s < run->ledger->n_seq; s++) {
        double *at = run->ledger->sink +
                     (s * run->ledger->n_ops + y->id) * HEEDI_N_ENTRIES +
                     (int)now->entry;
        *at = before[s] + now->factor * (*at - before[s]);
    }
}

static void damaged(const heedi_node *y, heedi_run *run)
{
    enum { MOST_SEQUENCES = 4 };
    call c = {.y = y, .run = run};
    heed_real *before[HEEDI_MAX_IN] = {0};
    double sink[MOST_SEQUENCES] = {0}, gone = 0;
    heedi_ledger *l = run->ledger;
    c.in = inner(y->x, y->g, run->batch->rows * y->cols);
    for (int i = 0; i < y->op->n_in; i++) {
        const int64_t n = run->batch->rows * y->in[i]->cols;
        if (run->rule->stops >> i & 1)
            continue;
        before[i] = calloc((size_t)n, sizeof *before[i]);
        if (!y->first[i])
            memcpy(before[i], y->in[i]->g, (size_t)n * sizeof *before[i]);
    }
    for (int64_t s = 0; l && s < l->n_seq; s++)
        sink[s] =
            l->sink[(s * l->n_ops + y->id) * HEEDI_N_ENTRIES + (int)now->entry];
    sound(y, run);
    for (int i = 0; i < y->op->n_in; i++) {
        if (before[i])
            gone += keep_part(&c, i, before[i]);
        free(before[i]);
    }
    if (now->sink && l)
        deposit_part(y, run, sink);
    if (now->sink)
        gone += (1 - now->factor) * now->sink(&c);
    if (calls++ == 0)
        lost = gone;
}

static const heedi_op *op_at(heed_ctx *ctx, const heed_model *m,
                             const char *node)
{
    account a;
    account_run(ctx, m, NULL, &a, NULL);
    for (int k = 0; k < a.n; k++)
        if (strcmp(a.name[k], node) == 0)
            return a.op[k];
    fail_msg("%s has no operation %s", heed_model_about(m)->path, node);
    return NULL;
}

/* The rule of a row, undamaged, as a table of one. */
static heedi_rule rule_of(heed_ctx *ctx, heedi_arena *mem, const heed_model *m,
                          const struct damage *d)
{
    char text[128];
    heedi_rule r;
    if (d->kind)
        return heedi_rule_row(d->kind, d->node);
    if (d->rule) {
        snprintf(text, sizeof text, "%s=%s", d->node, d->rule);
        assert_int_equal(heedi_rule_parse(&r, ctx, mem, text), HEED_OK);
        return r;
    }
    const heedi_op *op = op_at(ctx, m, d->node);
    return (heedi_rule){.op = op,
                        .glob = d->node,
                        .back = op->relevance ? op->relevance : op->vjp,
                        .needs = HEEDI_IN0 | HEEDI_IN1 | HEEDI_IN2 | HEEDI_IN3 |
                                 HEEDI_OUT,
                        .stops = op->relevance_stops};
}

/* The amount of a row of the report: within 1e-5 of the greater of |target| and
 * sum |R| (1e-11 in double), of which the report gives the share. */
static void same_amount(const struct damage *d, const heed_check_row *row)
{
    const double scale = fabs(row->amount) / row->error;
    const double tol = heedi_check_tol(1e-5, 1e-11) * scale;
    if (row->passed != 0 || strcmp(row->worst, d->node) != 0)
        fail_msg("%s of %s: %s names '%s' with %g", d->node, d->model,
                 row->name, row->worst, row->amount);
    if (!(fabs(row->amount - lost) <= tol) ||
        !(fabs(lost) > 20 * row->tolerance * scale))
        fail_msg("%s of %s: %s says %.9g, lost were %.9g of %.9g", d->node,
                 d->model, row->name, row->amount, lost, scale);
}

/* "check account: NAME: relevance of X is missing, the target is Y: ..." */
static void same_sentence(const struct damage *d, const char *why,
                          const heed_check_row *row)
{
    char name[64], kind[16];
    double amount, target, error;
    const int n = sscanf(why,
                         "check account: %63[^:]: relevance of %lf is %15s "
                         "%*[a-z, ] %lf: the error is %lf",
                         name, &amount, kind, &target, &error);
    const bool more = row->amount < 0;
    if (n != 5 || strcmp(name, d->node) != 0 ||
        strcmp(kind, more ? "too" : "missing,") != 0 ||
        !(fabs(amount - fabs(row->amount)) <= 1e-8 * amount) ||
        !(fabs(error - row->error) <= 1e-2 * error))
        fail_msg("%s of %s, %.9g: %s", d->node, d->model, row->amount, why);
}

static heed_status check(heed_ctx *ctx, const heed_model *m,
                         const heedi_rule *table, heed_check_report **out)
{
    const heedi_check_rules rules = {
        {HEEDI_GRADIENT, NULL}, {HEEDI_RELEVANCE, table}, NULL};
    const heed_check_options all = {.n_layers = -1};
    return check_any(ctx, m, N_TOKENS, &all, &rules, out);
}

static void one(heed_ctx *ctx, const struct damage *d)
{
    char path[128];
    heedi_arena mem;
    heed_check_report *r;
    snprintf(path, sizeof path, "../%s", d->model);
    heed_model *m = golden(ctx, path);
    heedi_arena_init(&mem, ctx);
    heedi_rule table[2] = {rule_of(ctx, &mem, m, d), {0}};
    if (check(ctx, m, table, &r) != HEED_OK)
        fail_msg("%s, sound: %s", d->model, heed_error(ctx));
    assert_string_equal(failed(r), "");
    heed_check_free(r);
    now = d;
    sound = table[0].back;
    calls = 0;
    table[0].back = damaged;
    assert_int_equal(check(ctx, m, table, &r), HEED_ENUMERIC);
    assert_string_equal(failed(r), "account total rule ");
    assert_string_equal(row_of(r, "rule")->worst, d->node);
    same_amount(d, row_of(r, "account"));
    same_amount(d, row_of(r, "total"));
    same_sentence(d, heed_error(ctx), row_of(r, "account"));
    heed_check_free(r);
    heed_model_free(m);
    heedi_arena_clear(&mem);
}

static void test_damages(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++)
        one(ctx, &damages[i]);
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_damages)};
    RUN(tests);
}
