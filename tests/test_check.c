/* heed check: sound models pass, and every kind of damage is found and named:
 * a gradient or a relevance that is 1 % too large in any operation; a forward
 * pass that depends on what it must not depend on. */
#include "testlib.h"

#include <stdlib.h>

#include "args.h"
#include "checktest.h"
#include "optest.h"

static const char *const models[] = {"act_relu6",
                                     "plain",
                                     "gguf_llama3.gguf",
                                     "../gpt2/plain",
                                     "../gpt2/gguf_tied.gguf",
                                     "../bert/plain",
                                     "../bert/masked",
                                     "../bert/embed_mean",
                                     "../gpt_neox/sequential",
                                     "../gpt_neox/gguf_parallel.gguf",
                                     "../gptj/plain",
                                     "../bloom/three_heads",
                                     "../mamba/plain",
                                     "../mamba/gguf_tied.gguf",
                                     "../falcon_mamba/eps_large",
                                     "../mamba2/limits",
                                     "../mamba2/gguf_groups.gguf",
                                     "../rwkv/narrow",
                                     "../rwkv6/plain",
                                     "../rwkv6/gguf.gguf",
                                     "../recurrent_gemma/plain",
                                     "../recurrent_gemma/cap3",
                                     "../gemma3/plain",
                                     "../gemma3/gguf_keys.gguf",
                                     "../vit/vit_plain",
                                     "../vit/vit_no_bias",
                                     "../vit/deit_plain",
                                     "../vit/deit_teacher"};
enum { N_MODELS = sizeof models / sizeof *models };

static const char *const names[] = {"finite", "account", "total",
                                    "batch",  "threads", "recompute",
                                    "steps",  "adjoint", "rule"};
enum { N_CHECKS = sizeof names / sizeof *names };

/* ---- sound models ---- */

static heed_check_report *passes(heed_ctx *ctx, const heed_model *m,
                                 const heed_tokens *t,
                                 const heed_check_options *o)
{
    heed_check_report *r;
    if (heed_check(ctx, m, t, o, &r) != HEED_OK)
        fail_msg("%s: %s", heed_model_about(m)->path, heed_error(ctx));
    for (int i = 0; i < N_CHECKS; i++) {
        const heed_check_row *row = heed_check_at(r, i);
        assert_string_equal(row->name, names[i]);
        assert_true(row->passed != 0 && row->error <= row->tolerance);
        assert_true(row->summary[0] && row->worst && row->note);
    }
    assert_null(heed_check_at(r, N_CHECKS));
    assert_null(heed_check_at(r, -1));
    if (sizeof(heed_real) == 8)
        assert_true(row_of(r, "adjoint")->tolerance <= 1e-8);
    return r;
}

/* On n tokens, or on a picture. */
static heed_check_report *sound(heed_ctx *ctx, const heed_model *m, int64_t n,
                                const heed_check_options *o)
{
    heed_check_options more = o ? *o : (heed_check_options){.tokens = 0};
    const bool vision = heed_model_about(m)->image_height > 0;
    heed_tokens *t = vision ? NULL : some_tokens(ctx, m, n, 1);
    heed_pixels p = vision ? noise(m, 5) : (heed_pixels){.x = NULL};
    more.pixels = vision ? &p : NULL;
    heed_check_report *r = passes(ctx, m, t, &more);
    heed_tokens_free(ctx, t);
    free(p.x);
    return r;
}

static void test_sound(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    for (int i = 0; i < N_MODELS; i++) {
        heed_model *m = golden(ctx, models[i]);
        heed_check_report *r = sound(ctx, m, 12, NULL);
        for (int k = 0; k < N_CHECKS; k++) {
            const bool both_ways = m->bidirectional;
            const bool skipped = both_ways && strcmp(names[k], "steps") == 0;
            assert_int_equal(heed_check_at(r, k)->passed, skipped ? -1 : 1);
        }
        assert_true(row_of(r, "adjoint")->error > 0);
        assert_true(isnan(row_of(r, "adjoint")->amount));
        assert_true(isfinite(row_of(r, "account")->amount));
        heed_check_free(r);
        heed_model_free(m);
    }
    heed_ctx_free(ctx);
}

/* Two texts: of one sequence, by every head; of a model of embeddings, which
 * compares them, two. */
static void test_pairs(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "../bert/plain", "../bert/masked", "../bert/embed_mean",
        "../bert/embed_root", "../bert/embed_cls_one_type"};
    heed_ctx *ctx = new_ctx();
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        heed_model *m = golden(ctx, heads[i]);
        heed_tokens *a = some_tokens(ctx, m, 9, 1), *t,
                    *b = some_tokens(ctx, m, 5, 2);
        assert_int_equal(heed_tokens_pair(&t, ctx, a, b), HEED_OK);
        heed_check_report *one = passes(ctx, m, a, NULL),
                          *two = passes(ctx, m, t, NULL);
        assert_true(row_of(one, "total")->amount !=
                    row_of(two, "total")->amount);
        heed_check_free(one);
        heed_check_free(two);
        two = passes(ctx, m, t, &(heed_check_options){.tokens = 4});
        assert_string_equal(row_of(two, "rule")->note,
                            m->info.head == HEED_HEAD_EMBEDDING
                                ? "first 8 of 14 tokens"
                                : "first 4 of 14 tokens");
        heed_check_free(two);
        heed_tokens_free(ctx, a);
        heed_tokens_free(ctx, b);
        heed_tokens_free(ctx, t);
        heed_model_free(m);
    }
    heed_ctx_free(ctx);
}

static void refused(heed_ctx *ctx, const heed_model *m, const heed_tokens *t,
                    const heed_pixels *p, heed_status st, const char *why)
{
    heed_check_report *r;
    const heed_check_options o = {.pixels = p};
    assert_int_equal(heed_check(ctx, m, t, &o, &r), st);
    assert_string_equal(heed_error(ctx), why);
    assert_null(r);
}

static void test_pictures(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m = golden(ctx, "../vit/vit_long"),
               *text = golden(ctx, "plain");
    heed_tokens *t = some_tokens(ctx, text, 4, 1);
    heed_pixels p = noise(m, 3);
    heed_check_report *r =
        passes(ctx, m, NULL, &(heed_check_options){.pixels = &p, .tokens = 5});
    char note[80];
    snprintf(note, sizeof note, "first 5 of %lld tokens",
             (long long)heedi_patch_tokens(m));
    assert_string_equal(row_of(r, "adjoint")->note, note);
    assert_string_equal(row_of(r, "steps")->note, "a position sees later ones");
    heed_check_free(r);
    r = passes(ctx, m, NULL,
               &(heed_check_options){.pixels = &p, .method = "pa_lrp"});
    heed_check_free(r);
    refused(ctx, text, t, &p, HEED_EINVAL,
            "'llama' models read text, the input is an image");
    refused(ctx, m, t, NULL, HEED_EINVAL,
            "'vit' models read an image, the input has none");
    refused(ctx, m, NULL, NULL, HEED_EINVAL,
            "input 0 has neither tokens nor an image");
    refused(ctx, m, t, &p, HEED_EINVAL,
            "input 0: 4 tokens for an image of 145");
    free(p.x);
    heed_tokens_free(ctx, t);
    heed_model_free(text);
    heed_model_free(m);
    heed_ctx_free(ctx);
}

static void test_options(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m = golden(ctx, "plain");
    const int64_t one = 1, far = 2;
    heed_check_report *r = sound(ctx, m, 1, NULL);
    assert_int_equal(row_of(r, "steps")->passed, -1);
    heed_check_free(r);
    r = sound(ctx, m, 100, &(heed_check_options){.n_layers = -1});
    assert_string_equal(row_of(r, "adjoint")->note, "first 64 of 100 tokens");
    assert_string_equal(row_of(r, "total")->note, "");
    heed_check_free(r);
    r = sound(
        ctx, m, 9,
        &(heed_check_options){.layers = &one, .n_layers = 1, .tokens = 5});
    assert_string_equal(row_of(r, "steps")->note, "first 5 of 9 tokens");
    heed_check_free(r);
    heed_tokens *t = some_tokens(ctx, m, 3, 1);
    assert_int_equal(
        heed_check(ctx, m, t,
                   &(heed_check_options){.layers = &far, .n_layers = 1}, &r),
        HEED_EINVAL);
    assert_string_equal(heed_error(ctx),
                        "layer 2 is out of range, the model has 2");
    assert_null(r);
    t->token[1].id = 61;
    assert_int_equal(heed_check(ctx, m, t, NULL, &r), HEED_EINVAL);
    assert_null(r);
    t->n = 0;
    assert_int_equal(heed_check(ctx, m, t, NULL, &r), HEED_EINVAL);
    t->n = 3;
    heed_tokens_free(ctx, t);
    heed_model_free(m);
    heed_check_free(NULL);
    m = golden(ctx, "rope_dynamic"); /* cannot go on from a state */
    r = sound(ctx, m, 9, NULL);
    assert_int_equal(row_of(r, "steps")->passed, -1);
    assert_true(row_of(r, "steps")->note[0] != '\0');
    heed_check_free(r);
    heed_model_free(m);
    heed_ctx_free(ctx);
}

static void test_nomem(void **state)
{
    (void)state;
    heed_ctx *ctx;
    ration memory = {0};
    const heed_allocator alloc = {ration_resize, &memory};
    assert_int_equal(heed_ctx_new(&ctx, &alloc), HEED_OK);
    heed_ctx_max_memory(ctx, UINT64_MAX); /* nothing is kept to fall back on */
    heed_model *m = golden(ctx, "plain");
    heed_tokens *t = some_tokens(ctx, m, 4, 1);
    heed_check_report *r;
    heed_status st = HEED_ENOMEM;
    const long out = memory.out;
    for (long at = 1; st != HEED_OK; at += 1 + at / 8) {
        memory.calls = 0;
        memory.fail_at = at;
        st = heed_check(ctx, m, t, NULL, &r);
        assert_true(st == HEED_OK || st == HEED_ENOMEM);
        assert_true((r != NULL) == (st == HEED_OK));
        heed_check_free(r);
        assert_int_equal(memory.out, out);
    }
    memory.fail_at = 0;
    heed_tokens_free(ctx, t);
    heed_model_free(m);
    heed_ctx_free(ctx);
}

/* ---- backward functions that are 1 % wrong ---- */

static const heedi_op *hurt;
static bool in_relevance;
static char seen[64][48]; /* names of the operations it was called for */
static int n_seen;

static bool was_seen(const char *name)
{
    for (int i = 0; i < n_seen; i++)
        if (strcmp(seen[i], name) == 0)
            return true;
    return false;
}

static void wrong(const heedi_node *y, heedi_run *run)
{
    (in_relevance && hurt->relevance ? hurt->relevance : hurt->vjp)(y, run);
    for (int i = 0; i < y->op->n_in; i++)
        for (int64_t k = 0; k < run->batch->rows * y->in[i]->cols; k++)
            if (!(in_relevance && hurt->relevance_stops & 1 << i))
                y->in[i]->g[k] *= (heed_real)1.01;
    if (!was_seen(y->name) && n_seen < 64)
        snprintf(seen[n_seen++], sizeof seen[0], "%s", y->name);
}

/* Rules with all functions of one operation wrong, of one pass. */
static void hurt_op(const heedi_op *op, bool relevance, heedi_rule rule[2],
                    heedi_check_rules *rules)
{
    const bool own = relevance && op->relevance;
    rule[0] = (heedi_rule){.op = op,
                           .back = wrong,
                           .needs = own ? op->relevance_needs : op->vjp_needs,
                           .stops = relevance ? op->relevance_stops : 0};
    rule[1] = (heedi_rule){0};
    *rules = (heedi_check_rules){{HEEDI_GRADIENT, relevance ? NULL : rule},
                                 {HEEDI_RELEVANCE, relevance ? rule : NULL},
                                 NULL};
    hurt = op;
    in_relevance = relevance;
    n_seen = 0;
}

/* In one model: found and named, if it is there at all. */
static bool found(heed_ctx *ctx, const heed_model *m, const heedi_op *op,
                  bool relevance)
{
    const char *check = relevance ? "rule" : "adjoint";
    heedi_check_rules rules;
    heedi_rule rule[2];
    heed_check_report *r;
    hurt_op(op, relevance, rule, &rules);
    heed_status st = check_any(ctx, m, 7, NULL, &rules, &r);
    if (n_seen == 0) {
        assert_int_equal(st, HEED_OK);
        heed_check_free(r);
        return false;
    }
    assert_int_equal(st, HEED_ENUMERIC);
    bool told = false; /* the sentence is of the first check that failed */
    const heed_check_row *row;
    for (int i = 0; (row = heed_check_at(r, i)); i++)
        if (row->passed == 0 && !was_seen(row->worst))
            fail_msg("%s: check %s names %s", op->name, row->name, row->worst);
        else if (row->passed == 0)
            told = told || strstr(heed_error(ctx), row->worst);
    row = row_of(r, check);
    if (row->passed != 0 || !told)
        fail_msg("%s of %s: not found: %s", check, op->name, heed_error(ctx));
    if (!relevance)
        assert_string_equal(failed(r), "adjoint ");
    heed_check_free(r);
    return true;
}

/* One example of an operation, by itself; the greater error of the two. */
static void alone(const heedi_op *op, const heedi_example *example,
                  const heedi_check_rules *rules, double error[2])
{
    static const int64_t len[] = {9, 1};
    optest t;
    heed_check_report r = {.n = 0};
    open_(&t, op, example, (optest_how){.len = len, .n_seq = 2, .threads = 2});
    heedi_check k = {.ctx = t.ctx, .rules = rules, .r = &r};
    heedi_arena_init(&r.mem, t.ctx);
    heed_check_row *a =
        heedi_check_row(&k, "adjoint", "", heedi_check_tol(1e-3, 1e-8));
    heed_check_row *b =
        heedi_check_row(&k, "rule", "", heedi_check_tol(1e-4, 1e-10));
    optest_forward(&t);
    assert_int_equal(heedi_check_node(&k, &t.run, t.y, a, b), HEED_OK);
    error[0] = a->error;
    error[1] = b->error;
    heedi_arena_clear(&r.mem);
    optest_close(&t);
}

/* An activation that is held constant passes nothing on, and has no part that
 * could be wrong. */
static bool passes_nothing(const heedi_op *op, const heedi_example *row)
{
    const heedi_act_args *a = row->args;
    return op == &heedi_op_act && a->f->constant;
}

/* Every example of every operation, those of no golden model among them. */
static void test_alone(void **state)
{
    (void)state;
    const heedi_check_rules good = {
        {HEEDI_GRADIENT, NULL}, {HEEDI_RELEVANCE, NULL}, NULL};
    const double tol[] = {heedi_check_tol(1e-3, 1e-8),
                          heedi_check_tol(1e-4, 1e-10)};
    for (const heedi_op *const *op = heedi_ops; *op; op++)
        for (const heedi_example *row = (*op)->examples;
             row->in[0] && (*op)->vjp; row++) {
            double error[2];
            alone(*op, row, &good, error);
            within(*op, row, "adjoint", error[0], tol[0]);
            within(*op, row, "rule", error[1], tol[1]);
            for (int relevance = 0; relevance < 2; relevance++) {
                heedi_check_rules bad;
                heedi_rule rule[2];
                /* a normalised single number has no gradient */
                if (relevance ? !(*op)->conserves || passes_nothing(*op, row)
                              : (*op)->vjp && row->n_vec == 1)
                    continue;
                hurt_op(*op, relevance, rule, &bad);
                alone(*op, row, &bad, error);
                beyond(*op, row, relevance ? "rule" : "adjoint",
                       error[relevance], tol[relevance]);
            }
        }
}

static void test_damage(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m[] = {golden(ctx, "plain"),
                       golden(ctx, "../gpt2/plain"),
                       golden(ctx, "../mamba/plain"),
                       golden(ctx, "../recurrent_gemma/plain"),
                       golden(ctx, "../bert/plain"),
                       golden(ctx, "../bert/embed_mean"),
                       golden(ctx, "../vit/vit_plain"),
                       golden(ctx, "../vit/deit_teacher")};
    enum { N = sizeof m / sizeof *m };
    for (const heedi_op *const *op = heedi_ops; *op; op++)
        for (int relevance = 0; relevance < 2 && (*op)->vjp; relevance++) {
            int models_with_it = 0;
            for (int i = 0; i < N; i++)
                models_with_it += found(ctx, m[i], *op, relevance);
            if (models_with_it == 0)
                print_message("%s: in no golden model, see test_alone\n",
                              (*op)->name);
        }
    for (int i = 0; i < N; i++)
        heed_model_free(m[i]);
    heed_ctx_free(ctx);
}

/* ---- forward passes that depend on what they must not depend on ---- */

static const heedi_op *sane_op;
static heedi_op sick_op;
static const heedi_family *sane_family;
static int calls;

/* The family's block with the first operation of a kind in layer 1 replaced. */
static heedi_node *sick_build(const heed_model *m, int64_t block, heedi_tape *t,
                              heedi_node *x)
{
    heedi_node *out = sane_family->build(m, block, t, x);
    for (heedi_node *y = t->first; y && block == 2; y = y->next)
        if (y->op == sane_op) {
            y->op = &sick_op;
            break;
        }
    return out;
}

static void add_first(const heedi_node *y, heedi_run *run, double d)
{
    const heedi_batch *b = run->batch;
    sane_op->forward(y, run);
    for (int64_t s = 0; s < b->n_seq; s++)
        y->x[b->start[s] * y->cols] += (heed_real)d;
}
static void by_threads(const heedi_node *y, heedi_run *run)
{
    add_first(y, run, 0.25 * run->threads);
}
static void by_batch(const heedi_node *y, heedi_run *run)
{
    add_first(y, run, 0.25 * (double)run->batch->n_seq);
}
static void by_call(const heedi_node *y, heedi_run *run)
{
    add_first(y, run, 0.25 * calls++);
}
static void by_position(const heedi_node *y, heedi_run *run)
{
    add_first(y, run, run->batch->pos0 > 0 ? 0.25 : 0);
}
static void infinite(const heedi_node *y, heedi_run *run)
{
    add_first(y, run, (double)INFINITY);
}

static const struct {
    void (*forward)(const heedi_node *y, heedi_run *run);
    const char *failed, *worst;
} sick[] = {
    {by_threads, "threads", "blk.1.attn.q"},
    {by_batch, "batch", "blk.1.attn.q"},
    {by_position, "steps", "blk.1.mlp.add"}, /* the end of the block */
    {infinite, "finite", "blk.1.attn.q"},
    {by_call, "recompute", "blk.1.attn.q"},
};

static void test_sick(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m = golden(ctx, "plain");
    heed_model bad = *m;
    heedi_family family = *m->family;
    const heedi_check_rules rules = {
        {HEEDI_GRADIENT, NULL}, {HEEDI_RELEVANCE, NULL}, NULL};
    int32_t id[7];
    some_ids(id, 7, 2, (int32_t)m->dim['V']);
    sane_family = m->family;
    sane_op = &heedi_op_linear;
    family.build = sick_build;
    bad.family = &family;
    assert_int_equal(heed_ctx_threads(ctx, 3), HEED_OK);
    for (size_t i = 0; i < sizeof sick / sizeof *sick; i++) {
        heed_check_report *r;
        sick_op = heedi_op_linear;
        sick_op.forward = sick[i].forward;
        calls = 0;
        heed_status st = check_ids(ctx, &bad, id, 7, NULL, &rules, &r);
        assert_int_equal(st, HEED_ENUMERIC);
        const heed_check_row *row = row_of(r, sick[i].failed);
        assert_int_equal(row->passed, 0);
        assert_string_equal(row->worst, sick[i].worst);
        assert_non_null(strstr(heed_error(ctx), row->worst));
        heed_check_free(r);
    }
    heed_model_free(m);
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_sound),    test(test_pairs),
                                       test(test_pictures), test(test_options),
                                       test(test_nomem),    test(test_damage),
                                       test(test_alone),    test(test_sick)};
    RUN(tests);
}
