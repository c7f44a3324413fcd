#include "method.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ctx.h"
#include "rule.h"
#include "words.h"

#define ROW(name) extern const heedi_method heedi_method_##name;
#include "methods.inc"
#undef ROW

static const heedi_method *const methods[] = {
#define ROW(name) &heedi_method_##name,
#include "methods.inc"
#undef ROW
};

enum { N_METHODS = sizeof methods / sizeof *methods };

const heed_method_info *heed_method_at(int i)
{
    return i >= 0 && i < N_METHODS ? &methods[i]->info : NULL;
}

static const heedi_method *named(const char *name)
{
    for (int i = 0; i < N_METHODS; i++)
        if (heedi_same_name(methods[i]->info.name, name) ||
            heedi_has_word(methods[i]->info.aliases, name))
            return methods[i];
    return NULL;
}

const heed_method_info *heed_method_named(const char *name)
{
    const heedi_method *m = named(name);
    return m ? &m->info : NULL;
}

/* ---- options ---- */

/* Words are their place in the list: 0, 1, ... */
static heed_status word(heedi_job *j, const heed_option *o, const char *text,
                        double *out)
{
    int k = 0;
    for (const char *s = o->type; *s; k++) {
        size_t n = strcspn(s, "|");
        char w[64];
        snprintf(w, sizeof w, "%.*s", (int)n, s);
        if (heedi_same_name(w, text)) {
            *out = k;
            return HEED_OK;
        }
        s += n + (s[n] == '|');
    }
    return heedi_fail(j->ctx, HEED_EINVAL, "%s: %s is '%s', must be one of %s",
                      j->info->name, o->name, text, o->type);
}

static heed_status value(heedi_job *j, const heed_option *o, const char *text,
                         double *out)
{
    if (strcmp(o->type, "text") == 0)
        return HEED_OK; /* the method's `check` reads it */
    if (strcmp(o->type, "number") != 0 && strcmp(o->type, "integer") != 0)
        return word(j, o, text, out);
    char *end;
    *out = strtod(text, &end);
    if (end == text || *end)
        return heedi_fail(j->ctx, HEED_EINVAL, "%s: %s is '%s', not a number",
                          j->info->name, o->name, text);
    if (strcmp(o->type, "integer") == 0 && *out != (double)(long long)*out)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: %s is %s, must be a whole number", j->info->name,
                          o->name, text);
    if (!(*out >= o->min && *out <= o->max))
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: %s is %s, must be from %g to %g", j->info->name,
                          o->name, text, o->min, o->max);
    return HEED_OK;
}

static heed_status unknown_option(heedi_job *j, const char *name)
{
    char all[256] = "";
    for (const heed_option *o = j->info->options; o && o->name; o++) {
        size_t n = strlen(all);
        snprintf(all + n, sizeof all - n, "%s%s", n ? ", " : "; it has ",
                 o->name);
    }
    return heedi_fail(j->ctx, HEED_EINVAL, "%s has no option '%s'%s",
                      j->info->name, name, all);
}

/* Defaults, then the caller's settings, each checked against its bounds. */
static heed_status options(heedi_job *j)
{
    static const heed_option none[] = {{0}};
    const heed_option *o = j->info->options ? j->info->options : none;
    int n = 0;
    for (; o[n].name; n++) {
        j->opt_text[n] = o[n].def;
        HEEDI_TRY(value(j, &o[n], o[n].def, &j->opt[n]));
    }
    for (const heed_setting *s = j->q->settings; s && s->name; s++) {
        int i = 0;
        while (i < n && !heedi_same_name(o[i].name, s->name))
            i++;
        if (i == n)
            return unknown_option(j, s->name);
        HEEDI_TRY(value(j, &o[i], s->value, &j->opt[i]));
        j->opt_text[i] = s->value;
    }
    return HEED_OK;
}

/* ---- reductions ---- */

static const struct {
    const char *name, *aliases;
    heedi_reduction r;
    bool hidden, map; /* over the hidden dimension; over heads or channels */
} reductions[] = {
    {"sum", "", HEEDI_SUM, true, false},
    {"mean", "", HEEDI_MEAN, true, true},
    {"l1", "", HEEDI_L1, true, false},
    {"l2", "vnorm", HEEDI_L2, true, true},
    {"absmax", "", HEEDI_ABSMAX, true, false},
    {"max", "", HEEDI_MAX, true, true},
    {"pos_mean", "", HEEDI_POS_MEAN, false, true},
    {"abs_mean", "", HEEDI_ABS_MEAN, false, true},
    {"none", "", HEEDI_NONE, false, true},
};

static heed_status reduction(heedi_job *j, const heedi_method *m)
{
    const char *want = j->q->reduce ? j->q->reduce : m->info.reduce;
    char all[128] = "";
    if (!*m->info.reduce) {
        j->reduce = HEEDI_SUM;
        j->reduce_name = "none";
        if (!want || !*want)
            return HEED_OK;
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: gives one number for each token, there is "
                          "nothing to reduce by '%s'",
                          m->info.name, want);
    }
    for (size_t i = 0; i < sizeof reductions / sizeof *reductions; i++) {
        if (!(m->mixing ? reductions[i].map : reductions[i].hidden))
            continue;
        size_t n = strlen(all);
        snprintf(all + n, sizeof all - n, "%s%s", n ? ", " : "",
                 reductions[i].name);
        if (heedi_same_name(reductions[i].name, want) ||
            heedi_has_word(reductions[i].aliases, want)) {
            j->reduce = reductions[i].r;
            j->reduce_name = reductions[i].name;
            return HEED_OK;
        }
    }
    return heedi_fail(j->ctx, HEED_EINVAL,
                      "%s: no reduction '%s'; there are %s", m->info.name, want,
                      all);
}

/* ---- inputs ---- */

static const heed_target default_target = HEED_TARGET;

static heed_status inputs(heedi_job *j)
{
    const heed_request *q = j->q;
    const size_t n = (size_t)j->n;
    int64_t rows = 0;
    if (j->n < 1)
        return heedi_fail(j->ctx, HEED_EINVAL, "no input");
    for (int64_t s = 0; s < j->n; s++) {
        if (!q->input[s].tokens)
            return heedi_fail(j->ctx, HEED_EINVAL, "input %lld has no tokens",
                              (long long)s);
        rows += q->input[s].tokens->n;
    }
    j->rows = rows;
    j->len = heedi_arena_alloc(&j->mem, n * sizeof *j->len);
    j->id = heedi_arena_alloc(&j->mem, (size_t)(rows + 1) * sizeof *j->id);
    j->target = heedi_arena_alloc(&j->mem, n * sizeof *j->target);
    j->n_targets = heedi_arena_alloc(&j->mem, n * sizeof *j->n_targets);
    if (!j->len || !j->id || !j->target || !j->n_targets)
        return HEED_ENOMEM;
    rows = 0;
    for (int64_t s = 0; s < j->n; s++) {
        const heed_input *in = &q->input[s];
        j->len[s] = in->tokens->n;
        for (int64_t i = 0; i < in->tokens->n; i++)
            j->id[rows++] = in->tokens->token[i].id;
        j->target[s] = in->target ? in->target : &default_target;
        j->n_targets[s] = in->target ? in->n_targets : 1;
        if (j->n_targets[s] < 1)
            return heedi_fail(j->ctx, HEED_EINVAL, "input %lld has no target",
                              (long long)s);
        if (j->n_targets[s] > j->rounds)
            j->rounds = j->n_targets[s];
    }
    return heedi_job_sequences(j);
}

static bool has_heads(const heedi_node *y, const void *unused)
{
    (void)unused;
    return heedi_has_heads(y);
}

/* arg: where their number goes */
static bool has_neurons(const heedi_node *y, const void *arg)
{
    if (heedi_has_neurons(y))
        *(int64_t *)(uintptr_t)arg = y->cols;
    return heedi_has_neurons(y);
}

static heed_status keep_one(heedi_job *j, const char *name)
{
    static const struct {
        const char *name;
        int bit;
        heedi_node_is *is;
    } kinds[] = {{"layer", HEEDI_KEEP_LAYER, NULL},
                 {"head", HEEDI_KEEP_HEAD, has_heads},
                 {"neuron", HEEDI_KEEP_NEURON, has_neurons}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        bool found = !kinds[i].is;
        if (!heedi_same_name(kinds[i].name, name))
            continue;
        if (!found)
            HEEDI_TRY(heedi_model_has(j->ctx, j->q->model, kinds[i].is,
                                      &j->neurons, &found));
        if (!found)
            return heedi_fail(j->ctx, HEED_ENOTSUP,
                              "relevance of '%s' cannot be kept: '%s' models "
                              "have none",
                              name, j->q->model->family->info.name);
        j->o.keep |= kinds[i].bit;
        return HEED_OK;
    }
    return heedi_fail(j->ctx, HEED_ENOTSUP,
                      "relevance of '%s' cannot be kept; of layer, head and "
                      "neuron it can",
                      name);
}

static heed_status keep(heedi_job *j, const heedi_method *m)
{
    for (const char *const *k = j->q->keep; k && *k; k++) {
        if (m->tokens_only)
            return heedi_fail(j->ctx, HEED_ENOTSUP,
                              "%s: relevance of '%s' cannot be kept, there is "
                              "that of tokens alone",
                              m->info.name, *k);
        HEEDI_TRY(keep_one(j, *k));
    }
    return HEED_OK;
}

/* Bytes of what is kept of all inputs and targets. */
static uint64_t kept(const heedi_job *j)
{
    const int64_t *d = j->q->model->dim;
    uint64_t sum = 0;
    for (int64_t s = 0; s < j->n; s++)
        sum += (uint64_t)j->n_targets[s] *
               heedi_latent_bytes(j->o.keep, d['L'], d['H'], j->neurons,
                                  j->len[s]);
    return 2 * sum; /* and once more in the sink */
}

/* Bytes of attention maps that a sink in memory will hold. */
static uint64_t maps(const heedi_job *j)
{
    const heed_request *q = j->q;
    const int64_t *d = q->model->dim;
    uint64_t layers = (uint64_t)(q->layers ? q->n_layers : d['L']), sum = 0;
    uint64_t heads = (uint64_t)(q->heads ? q->n_heads : d['H']);
    if (j->reduce != HEEDI_NONE)
        heads = 1;
    for (int64_t s = 0; s < j->n; s++)
        sum += (uint64_t)(j->len[s] * j->len[s]);
    return sum * layers * heads * sizeof(heed_real);
}

/* What the run will need of the engine. */
static void engine(heedi_job *j, const heedi_method *m)
{
    const heed_model *model = j->q->model;
    j->o.account = m->info.conserves && !m->info.approximates;
    j->o.detail = j->o.account && j->q->ledger;
    j->o.center = m->info.has_target && j->q->center_logits;
    j->o.mixing = m->mixing;
    j->o.opt = j->opt;
    for (int64_t s = 0; m->info.has_target && s < j->n; s++)
        for (int64_t k = 0; k < j->n_targets[s]; k++) {
            j->o.head_rows++;
            j->o.head_full |=
                j->o.center || heedi_target_full(model, &j->target[s][k]);
        }
    j->o.results = (uint64_t)heedi_target_room(model) * 2 * sizeof(heed_real);
    j->o.results += kept(j);
    if (m->info.gives_maps && !j->q->streams)
        j->o.results += maps(j);
}

/* Only of a logit is there a mean of the others. */
static heed_status center(heedi_job *j)
{
    for (int64_t s = 0; j->o.center && s < j->n; s++)
        for (int64_t k = 0; k < j->n_targets[s]; k++) {
            const heedi_target_kind *t =
                heedi_target_kind_of(j->q->model, &j->target[s][k]);
            if (t && (t->all || t->info.contrast || t->info.pair))
                return heedi_fail(j->ctx, HEED_EINVAL,
                                  "logits are centred for targets of kind "
                                  "'logit', not '%s'",
                                  t->info.name);
        }
    return HEED_OK;
}

static bool has_name(const heedi_node *y, const void *name)
{
    return strcmp(y->op->name, name) == 0;
}

static bool mixes(const heedi_node *y, const void *unused)
{
    (void)unused;
    return y->op->mixing != NULL;
}

/* Does some layer of the model have what the method is about? */
static heed_status can_run(heedi_job *j, const heedi_method *m)
{
    bool found;
    if (!m->needs && !m->mixing)
        return HEED_OK;
    HEEDI_TRY(heedi_model_has(j->ctx, j->q->model, m->mixing ? mixes : has_name,
                              m->needs, &found));
    if (found)
        return HEED_OK;
    return heedi_fail(j->ctx, HEED_ENOTSUP,
                      "%s: '%s' models have no operation %s", m->info.name,
                      j->q->model->family->info.name,
                      m->mixing ? "with a mixing view" : m->needs);
}

/* ---- rules ---- */

/* The i-th row of a table, in which a kind has as many as operations; false:
 * there is none. */
static bool row_at(const heedi_method_rule *r, int64_t i,
                   const heedi_method_rule **out, const heedi_op **op)
{
    for (; r && r->kind; r++) {
        int64_t n = 0;
        while (r->kind->ops && r->kind->ops[n])
            n++;
        if (i < (n > 0 ? n : 1)) {
            *out = r;
            *op = n > 0 ? r->kind->ops[i] : r->kind->row.op;
            return true;
        }
        i -= n > 0 ? n : 1;
    }
    return false;
}

static int64_t count(const heedi_method_rule *r)
{
    const heedi_method_rule *row;
    const heedi_op *op;
    int64_t n = 0;
    while (row_at(r, n, &row, &op))
        n++;
    return n;
}

static heedi_rule row_of(const heedi_job *j, const heedi_method_rule *r,
                         int64_t i)
{
    const heedi_method_rule *m = NULL;
    const heedi_op *op = NULL;
    row_at(r, i, &m, &op);
    heedi_rule row = heedi_rule_row(m->kind, m->glob);
    row.op = op;
    for (int k = 0; k < HEED_RULE_ARGS; k++)
        if (m->opt[k] > 0)
            row.arg[k] = j->opt[m->opt[k] - 1];
    return row;
}

int heed_method_rule_at(const heed_method_info *info, int i,
                        heed_method_rule *out)
{
    const heedi_method *m = info ? named(info->name) : NULL;
    const heedi_method_rule *row;
    const heedi_op *op;
    if (!m || i < 0 || !row_at(m->rules, i, &row, &op))
        return 0;
    *out = (heed_method_rule){op ? op->name : "linear, conv1d", row->glob,
                              &row->kind->info};
    return 1;
}

/* Room for the method's own rows, those that its `check` adds, and the
 * caller's. */
static heed_status rules(heedi_job *j, const heedi_method *m)
{
    int64_t n = count(m->rules), more = 0;
    while (j->q->rules && j->q->rules[more])
        more++;
    j->rule = heedi_arena_alloc(
        &j->mem, (size_t)(n + HEEDI_MAX_RULES + more + 1) * sizeof *j->rule);
    if (!j->rule)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        heedi_job_rule(j, row_of(j, m->rules, i));
    if (more && m->pass != HEEDI_RELEVANCE)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: has no rules that could be changed",
                          m->info.name);
    return HEED_OK;
}

static bool is_meant(const heedi_node *y, const void *rule)
{
    return heedi_rule_applies(rule, y->op, y->name);
}

static heed_status add_rules(heedi_job *j)
{
    for (const char *const *s = j->q->rules; s && *s; s++) {
        heedi_rule r;
        bool found;
        HEEDI_TRY(heedi_rule_parse(&r, j->ctx, &j->mem, *s));
        HEEDI_TRY(heedi_model_has(j->ctx, j->q->model, is_meant, &r, &found));
        if (!found && !heedi_rule_applies(&r, &heedi_op_linear, "head"))
            return heedi_fail(j->ctx, HEED_EINVAL,
                              "rule '%s': no operation of the model that it "
                              "is for has such a name",
                              *s);
        heedi_job_rule(j, r);
    }
    return HEED_OK;
}

static heed_status prepare(heedi_job *j, const heedi_method **out)
{
    const heed_request *q = j->q;
    if (!q->model)
        return heedi_fail(j->ctx, HEED_EINVAL, "the request has no model");
    const char *name = q->method ? q->method : q->model->family->info.method;
    const heedi_method *m = named(name);
    if (!m)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "no method is called '%s'; see 'heed methods'", name);
    *out = m;
    j->info = &m->info;
    HEEDI_TRY(can_run(j, m));
    j->times_input = !m->gradient_only;
    j->units = m->units;
    j->group = q->group;
    if (!j->group) {
        size_t n = strlen(m->info.name) + sizeof "explanations/";
        char *g = heedi_arena_alloc(&j->mem, n);
        if (!g)
            return HEED_ENOMEM;
        snprintf(g, n, "explanations/%s", m->info.name);
        j->group = g;
    }
    HEEDI_TRY(options(j));
    HEEDI_TRY(reduction(j, m));
    HEEDI_TRY(keep(j, m));
    HEEDI_TRY(inputs(j));
    engine(j, m);
    HEEDI_TRY(center(j));
    HEEDI_TRY(rules(j, m));
    if (m->check)
        HEEDI_TRY(m->check(j));
    HEEDI_TRY(add_rules(j));
    j->o.rules = (heedi_rules){m->pass, j->rule};
    return m->settled ? m->settled(j) : HEED_OK;
}

static void start(heedi_job *j, heed_ctx *ctx, const heed_request *q)
{
    heedi_begin(ctx);
    *j = (heedi_job){.ctx = ctx, .q = q, .n = q->n_inputs};
    heedi_arena_init(&j->mem, ctx);
}

heed_status heed_attribute(heed_ctx *ctx, const heed_request *q,
                           const heed_sink *sink)
{
    heedi_job j;
    const heedi_method *m;
    start(&j, ctx, q);
    j.sink = sink;
    heed_status st = prepare(&j, &m);
    if (st == HEED_OK)
        st = m->run(&j);
    heedi_arena_clear(&j.mem);
    if (st == HEED_OK && j.late != HEED_OK)
        return heedi_fail(ctx, j.late, "%s", j.late_msg);
    return st;
}

heed_status heed_plan_of(heed_ctx *ctx, const heed_request *q, heed_plan *out)
{
    heedi_job j;
    const heedi_method *m;
    heedi_exec e = {0};
    start(&j, ctx, q);
    heed_status st = prepare(&j, &m);
    if (st == HEED_OK && m->plan)
        st = m->plan(&j, &e.plan);
    else if (st == HEED_OK)
        st = heedi_job_plan(&j, &e);
    *out = e.plan;
    heedi_arena_clear(&j.mem);
    return st;
}

heed_status heed_check(heed_ctx *ctx, const heed_model *model,
                       const heed_tokens *tokens, const heed_check_options *o,
                       heed_check_report **out)
{
    const heed_input in = {.tokens = tokens};
    const heed_request q = {.model = model,
                            .input = &in,
                            .n_inputs = 1,
                            .method = o ? o->method : NULL,
                            .settings = o ? o->settings : NULL,
                            .rules = o ? o->rules : NULL};
    heedi_job j;
    const heedi_method *m;
    *out = NULL;
    start(&j, ctx, &q);
    j.alone = true;
    heed_status st = prepare(&j, &m);
    if (st == HEED_OK && m->pass != HEEDI_RELEVANCE)
        st = heedi_fail(ctx, HEED_EINVAL,
                        "%s: has no rules of relevance to check", m->info.name);
    if (st == HEED_OK) {
        const heedi_check_rules rules = {
            {HEEDI_GRADIENT, NULL}, j.o.rules, j.opt};
        st = heedi_check_run(ctx, model, j.id, tokens->n, o, &rules, out);
    }
    heedi_arena_clear(&j.mem);
    return st;
}
