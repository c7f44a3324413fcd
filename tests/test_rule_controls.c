/* The account of every rule can fail: a sink that is forgotten, a share that is
 * not what it should be, a rule that is 1 % wrong are found, and the operation
 * is named; by the ledger and by heed check. Sound rules pass. */
#include "testlib.h"

#include <stdlib.h>

#include "account.h"
#include "checktest.h"
#include "rule.h"

enum { ALL = HEEDI_IN0 | HEEDI_IN1 | HEEDI_IN2 | HEEDI_OUT };

/* ---- damage of whatever rule ---- */

static heedi_back_fn *base; /* NULL: the operation's own */
static heedi_entry entry;
static double factor;

static void original(const heedi_node *y, heedi_run *run)
{
    (base ? base : y->op->relevance ? y->op->relevance : y->op->vjp)(y, run);
}

static void forget(const heedi_node *y, heedi_run *run)
{
    double *at = run->ledger->sink + y->id * HEEDI_N_ENTRIES + (int)entry;
    const double before = *at;
    original(y, run);
    *at = before;
}

/* Inputs that are no constants get `factor` of what they should. */
static void scaled(const heedi_node *y, heedi_run *run)
{
    heed_real *before[HEEDI_MAX_IN] = {0};
    const int64_t rows = run->batch->rows;
    const int stops = run->rule->stops;
    for (int i = 0; i < y->op->n_in; i++) {
        const int64_t n = rows * y->in[i]->cols;
        if (stops >> i & 1)
            continue;
        before[i] = malloc((size_t)n * sizeof *before[i]);
        for (int64_t k = 0; k < n; k++)
            before[i][k] = y->first[i] ? 0 : y->in[i]->g[k];
    }
    original(y, run);
    for (int i = 0; i < y->op->n_in; i++) {
        for (int64_t k = 0; before[i] && k < rows * y->in[i]->cols; k++) {
            heed_real *g = y->in[i]->g + k;
            *g = before[i][k] + (heed_real)factor * (*g - before[i][k]);
        }
        free(before[i]);
    }
}

static const struct control {
    const char *what, *model, *node;
    const char *rule; /* name and numbers, or NULL: the operation's own */
    const heedi_rule_kind *kind; /* of methods alone */
    heedi_entry entry;
    double factor; /* 0: `entry` is forgotten */
} controls[] = {
    /* sinks */
    {"kappa", "bloom/plain", "blk.0.attn", NULL, NULL, HEEDI_ENTRY_kappa, 0},
    {"pos_bias", "bloom/plain", "blk.0.attn", NULL, NULL, HEEDI_ENTRY_pos_bias,
     0},
    {"unread", "gpt2/plain", "position", NULL, NULL, HEEDI_ENTRY_unread, 0},
    {"beta", "gpt2/plain", "blk.0.attn.norm", NULL, NULL, HEEDI_ENTRY_beta, 0},
    {"bias of conv", "mamba/plain", "blk.0.mixer.conv", NULL, NULL,
     HEEDI_ENTRY_bias, 0},
    {"bias of conv", "mamba2/groups2", "blk.0.mixer.conv", NULL, NULL,
     HEEDI_ENTRY_bias, 0},
    {"table", "gpt2/plain", "position", NULL, &heedi_rule_position_read,
     HEEDI_ENTRY_position, 0},
    {"rotation", "llama/plain", "blk.0.attn.q_rope", NULL,
     &heedi_rule_rope_half, HEEDI_ENTRY_position, 0},
    {"rotation", "gptj/plain", "blk.1.attn.k_rope", NULL, &heedi_rule_rope_half,
     HEEDI_ENTRY_position, 0},
    {"score bias", "bloom/plain", "blk.0.attn", NULL, &heedi_rule_bias_read,
     HEEDI_ENTRY_position, 0},
    {"leak", "llama/plain", "blk.0.attn", "cp:0.5", NULL, HEEDI_ENTRY_leak, 0},
    {"gate", "llama/plain", "blk.0.mlp.glu", "gate_derivative", NULL,
     HEEDI_ENTRY_gate, 0},
    {"gate", "gpt2/plain", "blk.0.mlp.act", "act_derivative", NULL,
     HEEDI_ENTRY_gate, 0},
    {"gate", "mamba/plain", "blk.0.mixer.gate", "gate_derivative", NULL,
     HEEDI_ENTRY_gate, 0},
    {"bias", "llama/bias_sharded", "blk.0.attn.o", "epsilon:0.1", NULL,
     HEEDI_ENTRY_bias, 0},
    {"eps", "llama/bias_sharded", "blk.0.attn.o", "epsilon:0.1", NULL,
     HEEDI_ENTRY_eps, 0},
    {"eps", "llama/plain", "head", "epsilon:0.1", NULL, HEEDI_ENTRY_eps, 0},
    {"bias", "llama/bias_sharded", "blk.0.attn.o", "gamma:0.25", NULL,
     HEEDI_ENTRY_bias, 0},
    {"bias", "gptj/plain", "head", "gamma:0.25", NULL, HEEDI_ENTRY_bias, 0},
    {"leak", "gpt2/plain", "blk.0.mlp.norm", "constant_mean", NULL,
     HEEDI_ENTRY_leak, 0},
    {"beta", "gpt2/plain", "blk.0.mlp.norm", "constant_mean", NULL,
     HEEDI_ENTRY_beta, 0},
    {"type", "bert/plain", "type", NULL, &heedi_rule_segment_read,
     HEEDI_ENTRY_type, 0},
    {"types unread", "bert/plain", "type", NULL, NULL, HEEDI_ENTRY_unread, 0},
    {"table", "bert/plain", "position", NULL, &heedi_rule_position_read,
     HEEDI_ENTRY_position, 0},
    {"learned tokens", "vit/deit_plain", "prefix", NULL, NULL,
     HEEDI_ENTRY_prefix, 0},
    {"table", "vit/deit_plain", "position", NULL, &heedi_rule_position_read,
     HEEDI_ENTRY_position, 0},
    {"bias of patches", "vit/vit_plain", "patch", "gamma:100", NULL,
     HEEDI_ENTRY_bias, 0},
    {"leak", "vit/vit_plain", "blk.0.attn", "cp:0.5", NULL, HEEDI_ENTRY_leak,
     0},
    {"bias", "llama/bias_sharded", "blk.0.attn.v", "alpha_beta:2:0.1", NULL,
     HEEDI_ENTRY_bias, 0},
    {"eps", "llama/bias_sharded", "blk.0.attn.v", "alpha_beta:2:0.1", NULL,
     HEEDI_ENTRY_eps, 0},
    {"bias", "llama/bias_sharded", "blk.0.attn.v", "zplus:0.1", NULL,
     HEEDI_ENTRY_bias, 0},
    {"eps", "llama/bias_sharded", "blk.0.attn.v", "zplus:0.1", NULL,
     HEEDI_ENTRY_eps, 0},
    {"bias", "llama/bias_sharded", "blk.0.attn.v", "w2", NULL, HEEDI_ENTRY_bias,
     0},
    {"bias of conv", "mamba/plain", "blk.0.mixer.conv", "gamma:1", NULL,
     HEEDI_ENTRY_bias, 0},
    /* shares */
    {"rotation at 1/4", "llama/plain", "blk.0.attn.q_rope", NULL,
     &heedi_rule_rope_half, 0, 2},
    {"V at 1/2", "llama/plain", "blk.1.attn", "cp", NULL, 0, 0.5},
    {"u at 1/2", "llama/plain", "blk.1.mlp.glu", "constant_gate", NULL, 0, 0.5},
    {"1 %", "llama/plain", "blk.1.mlp.down", "gamma:0.25", NULL, 0, 1.01},
    {"1 %", "mamba2/groups2", "blk.1.mixer.gate", NULL, NULL, 0, 1.01},
};

static heedi_rule rule_row(heed_ctx *ctx, heedi_arena *mem, const char *node,
                           const char *rule, const heedi_rule_kind *kind)
{
    char text[128];
    heedi_rule r;
    if (kind)
        return heedi_rule_row(kind, node);
    snprintf(text, sizeof text, "%s=%s", node, rule);
    if (heedi_rule_parse(&r, ctx, mem, text) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    return r;
}

/* The operation of that name, for its own rule. */
static const heedi_op *op_at(const account *a, const char *node)
{
    for (int k = 0; k < a->n; k++)
        if (strcmp(a->name[k], node) == 0)
            return a->op[k];
    fail_msg("no operation %s", node);
    return NULL;
}

static heed_model *model_at(heed_ctx *ctx, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "../%s", name);
    return golden(ctx, path);
}

static void one_control(heed_ctx *ctx, const struct control *c)
{
    heedi_arena mem;
    account a;
    heedi_arena_init(&mem, ctx);
    heed_model *m = model_at(ctx, c->model);
    account_run(ctx, m, NULL, &a, NULL);
    assert_true(a.residual <= account_tol());
    heedi_rule table[2] = {{.op = NULL, .glob = c->node, .needs = ALL}, {0}};
    if (c->rule || c->kind)
        table[0] = rule_row(ctx, &mem, c->node, c->rule, c->kind);
    else
        table[0].op = op_at(&a, c->node);
    base = table[0].back;
    if (base) {
        account_run(ctx, m, table, &a, NULL);
        assert_true(a.residual <= account_tol());
    }
    entry = c->entry;
    factor = c->factor;
    table[0].back = c->factor != 0 ? scaled : forget;
    account_run(ctx, m, table, &a, NULL);
    account_names(&a, c->what, c->node, 20 * account_tol());
    heed_model_free(m);
    heedi_arena_clear(&mem);
}

static void test_ledger(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++)
        one_control(ctx, &controls[i]);
    heed_ctx_free(ctx);
}

/* ---- heed check ---- */

static const struct damage {
    const char *model, *node, *rule;
    const heedi_rule_kind *kind;
} damages[] = {
    {"llama/plain", "blk.0.attn", "cp", NULL},
    {"llama/plain", "blk.1.attn", "cp:0.5", NULL},
    {"llama/plain", "blk.0.mlp.glu", "constant_gate", NULL},
    {"llama/plain", "blk.0.mlp.glu", "gate_lxt", NULL},
    {"mamba/plain", "blk.0.mixer.act", "act_lxt", NULL},
    {"llama/plain", "blk.0.attn.q", "epsilon:0.01", NULL},
    {"gpt2/plain", "blk.0.mlp.fc", "gamma:0.25", NULL},
    {"gpt2/plain", "blk.1.attn.norm", "constant_mean", NULL},
    {"bert/plain", "blk.1.mlp.fc", "gamma:0.25", NULL},
    {"bert/plain", "type", NULL, &heedi_rule_segment_read},
    {"llama/plain", "blk.0.mlp.down", "alpha_beta:2:1e-3", NULL},
    {"mamba/plain", "blk.0.mixer.conv", "zplus", NULL},
    {"llama/plain", "blk.0.attn.v", "w2", NULL},
    {"llama/plain", "blk.0.attn.v", "flat", NULL},
    {"llama/plain", "blk.0.attn.v", "zbox:-3:3", NULL},
    {"gpt2/plain", "position", NULL, &heedi_rule_position_read},
    {"llama/plain", "blk.0.attn.k_rope", NULL, &heedi_rule_rope_half},
    {"bloom/plain", "blk.1.attn", NULL, &heedi_rule_bias_read},
};

static void one_damage(heed_ctx *ctx, const struct damage *d, double how_much)
{
    heedi_arena mem;
    heed_check_report *r;
    int32_t id[7];
    const int64_t layers[] = {0, 1};
    const heed_check_options o = {.layers = layers, .n_layers = 2};
    heedi_arena_init(&mem, ctx);
    heed_model *m = model_at(ctx, d->model);
    heedi_rule table[2] = {rule_row(ctx, &mem, d->node, d->rule, d->kind), {0}};
    const heedi_check_rules rules = {
        {HEEDI_GRADIENT, NULL}, {HEEDI_RELEVANCE, table}, NULL};
    some_ids(id, 7, 2, (int32_t)m->dim['V']);
    base = table[0].back;
    factor = how_much;
    table[0].back = scaled;
    heed_status st = check_ids(ctx, m, id, 7, &o, &rules, &r);
    const heed_check_row *row = r ? row_of(r, "rule") : NULL;
    const bool harmless = how_much == 1;
    if (!row || st != (harmless ? HEED_OK : HEED_ENUMERIC) ||
        row->passed != harmless ||
        (!harmless && strcmp(row->worst, d->node) != 0))
        fail_msg("%s at %s of %s, %g times: %d, %s, worst %s",
                 d->rule ? d->rule : d->kind->info.name, d->node, d->model,
                 how_much, st, heed_error(ctx), row ? row->worst : "");
    heed_check_free(r);
    heed_model_free(m);
    heedi_arena_clear(&mem);
}

static void test_check(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        one_damage(ctx, &damages[i], 1);
        one_damage(ctx, &damages[i], 1.01);
    }
    heed_ctx_free(ctx);
}

/* The rules of every method pass, on a model of every family. */
static void test_sound(void **state)
{
    (void)state;
    static const char *const methods[] = {"cp_lrp",         "pa_lrp",
                                          "lrp_epsilon",    "lrp_gamma",
                                          "lrp_alpha_beta", "lrp_zplus"};
    static const char *const models[] = {
        "llama/plain", "gpt2/plain",        "gpt_neox/plain",
        "gptj/plain",  "bloom/plain",       "mamba/plain",
        "bert/plain",  "bert/masked",       "recurrent_gemma/plain",
        "mamba2/bias", "falcon_mamba/bias", "gemma3/plain"};
    enum { N_MODELS = sizeof models / sizeof *models };
    heed_ctx *ctx = new_ctx();
    for (int i = 0; i < N_MODELS; i++) {
        heed_model *m = model_at(ctx, models[i]);
        heed_tokens *t = some_tokens(ctx, m, 9, 1);
        for (int k = 0; k < 6; k++) {
            heed_check_report *r;
            const heed_check_options o = {.method = methods[k]};
            if (heed_check(ctx, m, t, &o, &r) != HEED_OK)
                fail_msg("%s, %s: %s", models[i], methods[k], heed_error(ctx));
            heed_check_free(r);
        }
        heed_tokens_free(ctx, t);
        heed_model_free(m);
    }
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_ledger), test(test_check),
                                       test(test_sound)};
    RUN(tests);
}
