#include "method.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ctx.h"
#include "leaf.h"
#include "patches.h"
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

/* ---- inputs ---- */

static const heed_target default_target = HEED_TARGET;

/* The names of the rows, which an image need not bring along. */
static heed_status tokens(heedi_job *j, int64_t s)
{
    const heed_input *in = &j->q->input[s];
    if (in->pixels) {
        HEEDI_TRY(heedi_patches_check(j->ctx, j->q->model, in->pixels));
        if (!in->tokens)
            HEEDI_TRY(
                heed_image_tokens(&j->own[s], j->ctx, j->q->model, in->pixels));
    }
    j->tokens[s] = in->tokens ? in->tokens : j->own[s];
    if (!j->tokens[s])
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "input %lld has neither tokens nor an image",
                          (long long)s);
    if (in->pixels && j->tokens[s]->n != heedi_patch_tokens(j->q->model))
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "input %lld: %lld tokens for an image of %lld",
                          (long long)s, (long long)j->tokens[s]->n,
                          (long long)heedi_patch_tokens(j->q->model));
    if (!in->pixels != !j->q->input[0].pixels)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "one input is an image and another is not");
    return HEED_OK;
}

/* What the run is made on: ids, or pixels. */
static heed_status rows(heedi_job *j)
{
    const heed_model *m = j->q->model;
    const int64_t cols = heedi_leaf_cols(m);
    heed_real *x = NULL;
    j->id = heedi_arena_alloc(&j->mem, (size_t)(j->rows + 1) * sizeof *j->id);
    if (!j->id)
        return HEED_ENOMEM;
    if (j->q->input[0].pixels) {
        x = heedi_arena_alloc(&j->mem, (size_t)(j->rows * cols) * sizeof *x);
        if (!x)
            return HEED_ENOMEM;
    }
    for (int64_t s = 0, row = 0; s < j->n; row += j->len[s++]) {
        if (x)
            heedi_patches_fill(m, j->q->input[s].pixels, x + row * cols);
        for (int64_t i = 0; i < j->len[s]; i++)
            j->id[row + i] = j->tokens[s]->token[i].id;
    }
    j->o.pixels = x;
    return HEED_OK;
}

static heed_status inputs(heedi_job *j)
{
    const heed_request *q = j->q;
    const size_t n = (size_t)j->n;
    if (j->n < 1)
        return heedi_fail(j->ctx, HEED_EINVAL, "no input");
    j->len = heedi_arena_alloc(&j->mem, n * sizeof *j->len);
    j->tokens = heedi_arena_alloc(&j->mem, n * sizeof *j->tokens);
    j->own = heedi_arena_alloc(&j->mem, n * sizeof *j->own);
    j->target = heedi_arena_alloc(&j->mem, n * sizeof *j->target);
    j->n_targets = heedi_arena_alloc(&j->mem, n * sizeof *j->n_targets);
    if (!j->len || !j->tokens || !j->own || !j->target || !j->n_targets)
        return HEED_ENOMEM;
    for (int64_t s = 0; s < j->n; s++) {
        const heed_input *in = &q->input[s];
        HEEDI_TRY(tokens(j, s));
        j->len[s] = j->tokens[s]->n;
        j->rows += j->len[s];
        j->target[s] = in->target ? in->target : &default_target;
        j->n_targets[s] = in->target ? in->n_targets : 1;
        if (j->n_targets[s] < 1)
            return heedi_fail(j->ctx, HEED_EINVAL, "input %lld has no target",
                              (long long)s);
        if (j->n_targets[s] > j->rounds)
            j->rounds = j->n_targets[s];
    }
    HEEDI_TRY(rows(j));
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
        if (heedi_same_name(*k, "channel") && !m->mixing &&
            j->q->model->patch.rows > 0) {
            j->keep_channels = true;
            continue;
        }
        if (m->tokens_only)
            return heedi_fail(j->ctx, HEED_ENOTSUP,
                              "%s: relevance of '%s' cannot be kept, there is "
                              "that of tokens alone",
                              m->info.name, *k);
        HEEDI_TRY(keep_one(j, *k));
    }
    if (j->q->top < 0 || (j->q->top > 0 && !(j->o.keep & ~HEEDI_KEEP_LAYER)))
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "top %lld: it is of heads or neurons whose relevance "
                          "is kept (--keep head or neuron)",
                          (long long)j->q->top);
    return HEED_OK;
}

/* What is chosen of attention maps, of a method that makes none. */
static heed_status choices(heedi_job *j, const heedi_method *m)
{
    const heed_request *q = j->q;
    const struct {
        bool given;
        const char *name;
    } of[] = {{q->layers || q->n_layers != 0, "layers"},
              {q->heads || q->n_heads != 0, "heads"},
              {q->channels || q->n_channels != 0, "channels"},
              {q->rows || q->n_rows != 0 || q->row_step != 0, "rows"}};
    for (size_t i = 0; !m->info.gives_maps && i < sizeof of / sizeof *of; i++)
        if (of[i].given)
            return heedi_fail(j->ctx, HEED_EINVAL,
                              "%s: %s are chosen of attention maps, which it "
                              "does not make",
                              m->info.name, of[i].name);
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

/* Bytes of patches, and of the relevance of pixels and channels. */
static uint64_t pictures(const heedi_job *j)
{
    const heedi_patch *p = &j->q->model->patch;
    const int64_t area = p->image_h * p->image_w;
    uint64_t sum = 0;
    for (int64_t s = 0; s < j->n && p->rows > 0; s++)
        sum += (uint64_t)(j->len[s] * heedi_patch_size(j->q->model) +
                          j->n_targets[s] * area * (1 + p->channels));
    return sum * sizeof(heed_real);
}

/* What the run will need of the engine. */
static void engine(heedi_job *j, const heedi_method *m)
{
    const heed_model *model = j->q->model;
    j->o.account = m->info.conserves && !m->info.approximates;
    j->o.detail = j->o.account && j->q->ledger;
    j->o.center = m->info.has_target && j->q->center_logits;
    j->o.mixing = m->mixing;
    /* who visits one block after the other needs none that is kept */
    j->o.recompute = m->mixing && m->pass == HEEDI_FORWARD;
    j->o.opt = j->opt;
    for (int64_t s = 0; m->info.has_target && s < j->n; s++)
        for (int64_t k = 0; k < j->n_targets[s]; k++) {
            j->o.head_rows++;
            j->o.head_full |=
                j->o.center || heedi_target_full(model, &j->target[s][k]);
        }
    j->o.results = (uint64_t)heedi_target_room(model) * 2 * sizeof(heed_real);
    j->o.results += j->q->files;
    j->o.program = j->q->program;
    for (int64_t s = 0; s < j->n; s++)
        if (j->q->input[s].pixels &&
            j->q->input[s].pixels->source.memory > j->o.before)
            j->o.before = j->q->input[s].pixels->source.memory;
    j->o.results += kept(j);
    j->o.results += pictures(j);
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

/* The tensor that is explained; whether the model has it is seen when a run is
 * built. */
static heed_status leaf(heedi_job *j, const heedi_method *m)
{
    HEEDI_TRY(heedi_leaf_named(j->ctx, j->q->leaf, &j->o.leaf));
    if (j->o.leaf == HEEDI_LEAF_WORD || m->has_leaf)
        return HEED_OK;
    return heedi_fail(j->ctx, HEED_EINVAL,
                      "%s: leaf '%s' is for methods that read gradients or "
                      "relevance at a tensor; this one explains tokens",
                      m->info.name, j->q->leaf);
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
    if (!m->mixing)
        return HEED_OK;
    HEEDI_TRY(heedi_model_has(j->ctx, j->q->model, mixes, NULL, &found));
    if (found)
        return HEED_OK;
    return heedi_fail(j->ctx, HEED_ENOTSUP,
                      "%s: '%s' models have no operation with a mixing view",
                      m->info.name, j->q->model->family->info.name);
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
    HEEDI_TRY(choices(j, m));
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
    HEEDI_TRY(heedi_method_options(j));
    HEEDI_TRY(heedi_method_reduction(j, m));
    HEEDI_TRY(keep(j, m));
    HEEDI_TRY(inputs(j));
    engine(j, m);
    HEEDI_TRY(leaf(j, m));
    HEEDI_TRY(center(j));
    HEEDI_TRY(rules(j, m));
    if (m->check)
        HEEDI_TRY(m->check(j));
    if (j->q->position_by && *j->q->position_by && !j->o.readout)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: has no relevance of positions that could be "
                          "split by %s; pa_lrp has",
                          m->info.name, *j->q->position_by);
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

static void stop(heedi_job *j)
{
    for (int64_t s = 0; j->own && s < j->n; s++)
        heed_tokens_free(j->ctx, j->own[s]);
    heedi_arena_clear(&j->mem);
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
    stop(&j);
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
    stop(&j);
    return st;
}

/* A text by itself: what is compared with it is not asked for. */
static bool is_alone(const heed_model *m, const heed_tokens *t)
{
    bool second = false;
    for (int64_t i = 0; m && t && i < t->n; i++)
        second = second || t->token[i].segment > 0;
    return !second || m->info.head != HEED_HEAD_EMBEDDING;
}

heed_status heed_check(heed_ctx *ctx, const heed_model *model,
                       const heed_tokens *tokens, const heed_check_options *o,
                       heed_check_report **out)
{
    const heed_input in = {.tokens = tokens, .pixels = o ? o->pixels : NULL};
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
    j.alone = is_alone(model, tokens);
    heed_status st = prepare(&j, &m);
    if (st == HEED_OK && m->pass != HEEDI_RELEVANCE)
        st = heedi_fail(ctx, HEED_EINVAL,
                        "%s: has no rules of relevance to check", m->info.name);
    if (st == HEED_OK) {
        const heedi_check_rules rules = {
            {HEEDI_GRADIENT, NULL}, j.o.rules, j.opt};
        const heedi_check_input run = {j.seq, j.parts, j.id, j.segment,
                                       j.o.pixels};
        st = heedi_check_run(ctx, model, &run, o, &rules, out);
    }
    stop(&j);
    return st;
}
