/* Runs of golden models: what is kept or computed again, the number of
 * threads, the company in a batch and the number of targets change no bit of
 * a result. */
#include "testlib.h"

#include "args.h"
#include "asan.h"
#include "engine.h"
#include "exec.h"
#include "head.h"

static const char *const layer[] = {"layer", NULL};
static const char *const models[] = {"plain",
                                     "bias_sharded",
                                     "gqa2_tied_bf16",
                                     "gguf_llama3.gguf",
                                     "rope_dynamic",
                                     "vocab1000",
                                     "../gpt2/plain",
                                     "../mamba/plain",
                                     "../bloom/plain",
                                     "../gptj/plain",
                                     "../gpt_neox/plain",
                                     "../falcon_mamba/eps_large",
                                     "../mamba2/groups2",
                                     "../rwkv/narrow",
                                     "../rwkv6/plain",
                                     "../recurrent_gemma/window5",
                                     "../gemma3/plain"};
enum { N_MODELS = sizeof models / sizeof *models };

/* ---- memory ---- */

static int never(void *ud, const char *what, double done, double total)
{
    (void)what;
    (void)done;
    (void)total;
    ++*(int *)ud;
    return 0;
}

static void sound(const heed_plan *p)
{
    assert_true(p->peak_min <= p->peak && p->peak <= p->peak_max);
    assert_true(p->n_kept >= 0 && p->n_kept <= p->n_blocks);
    assert_true(p->peak == p->program + p->weights + p->activations +
                               p->scratch + p->blas + p->results);
}

/* Under a limit between the least (0) and the most (1) that a plan can need.
 * The program itself may have grown before the run, and then it is tried
 * again. Returns how many blocks were kept. */
static int64_t limited(heed_ctx *ctx, const heed_request *q, double share,
                       heed_result **out)
{
    for (int i = 0; i < 100; i++) {
        heed_plan p;
        heed_ctx_max_memory(ctx, 0);
        assert_int_equal(heed_plan_of(ctx, q, &p), HEED_OK);
        assert_int_equal(p.n_kept, p.n_blocks);
        sound(&p);
        double room = (double)(p.peak_max - p.peak_min);
        double most = share < 1 ? share * room : room + (1 << 26);
        heed_ctx_max_memory(ctx, p.peak_min + (uint64_t)most);
        heed_status st = heed_plan_of(ctx, q, &p);
        assert_int_equal(heed_result_new(out, ctx), HEED_OK);
        heed_sink sink = heed_result_sink(*out);
        if (st == HEED_OK)
            st = heed_attribute(ctx, q, &sink);
        if (st == HEED_OK) {
            sound(&p);
            return p.n_kept;
        }
        assert_int_equal(st, HEED_ENOMEM);
        heed_result_free(*out);
    }
    fail_msg("%s", heed_error(ctx));
    return -1;
}

/* ASan gives nothing back: the program grows with every plan. */
#ifdef HEEDI_ASAN
static const double share[] = {0.6, 0.8, 1};
#else
static const double share[] = {0.1, 0.5, 1};
#endif

static void recompute(heed_ctx *ctx, const char *name)
{
    heed_model *m = golden(ctx, name);
    heed_tokens *t = some_tokens(ctx, m, 400, 1);
    heed_input in = {.tokens = t};
    heed_request q = {.model = m,
                      .method = "attn_lrp",
                      .input = &in,
                      .n_inputs = 1,
                      .ledger = 1,
                      .keep = layer};
    heed_result *all[MOST_INPUTS], *some[MOST_INPUTS];
    const int64_t blocks = heed_model_about(m)->n_layers + 2;
    heed_ctx_max_memory(ctx, 0);
    attribute(ctx, &q, all);
    for (int i = 0; i < 3; i++) {
        int64_t n = limited(ctx, &q, share[i], some);
        assert_true(i == 2 ? n == blocks : n < blocks);
        same_results(all[0], some[0]);
        free_results(some, 1);
    }
    free_results(all, 1);
    heed_tokens_free(ctx, t);
    heed_model_free(m);
}

static void test_recompute(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    for (int i = 0; i < N_MODELS; i++)
        recompute(ctx, models[i]);
    heed_ctx_free(ctx);
}

/* Too little: told before anything runs. */
static void test_too_little(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m = golden(ctx, "plain");
    heed_tokens *t = some_tokens(ctx, m, 20, 1);
    heed_input in = {.tokens = t};
    heed_request q = {.model = m, .input = &in, .n_inputs = 1};
    heed_plan p;
    heed_result *r;
    int calls = 0;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    heed_sink s = heed_result_sink(r);
    assert_int_equal(heed_plan_of(ctx, &q, &p), HEED_OK);
    heed_ctx_max_memory(ctx, p.peak_min - (1 << 20));
    heed_ctx_listen(ctx, never, NULL, &calls);
    assert_int_equal(heed_attribute(ctx, &q, &s), HEED_ENOMEM);
    assert_non_null(strstr(heed_error(ctx), "the run needs at least "));
    assert_non_null(strstr(heed_error(ctx), "MiB of --max-memory"));
    assert_int_equal(heed_plan_of(ctx, &q, &p), HEED_ENOMEM);
    int32_t id = 0, out;
    int64_t at = 0, n;
    heed_candidate best;
    heed_ctx_max_memory(ctx, 1);
    assert_int_equal(heed_predict(ctx, m, &id, 1, &at, 1, 1, &best),
                     HEED_ENOMEM);
    assert_int_equal(heed_generate(ctx, m, &id, 1, 1, -1, &out, &n),
                     HEED_ENOMEM);
    assert_int_equal(calls, 0);
    assert_null(heed_result_at(r, 0));
    heed_result_free(r);
    heed_tokens_free(ctx, t);
    heed_model_free(m);
    heed_ctx_free(ctx);
}

/* ---- threads and batches ---- */

static const heed_setting few_steps[] = {{"steps", "3"}, {0}};
static const heed_setting few_samples[] = {{"samples", "3"}, {0}};

/* Methods of many runs: with few of them, on shorter inputs. */
static const struct {
    const char *method;
    const heed_setting *settings;
} long_ones[] = {{"integrated_gradients", few_steps},
                 {"smooth_grad", few_samples},
                 {"occlusion", NULL}};

/* Is the method one for this family, and can this be kept? */
static int can(heed_ctx *ctx, const heed_model *m, const char *method,
               const char *const *keep)
{
    heed_tokens *t = some_tokens(ctx, m, 2, 1);
    heed_input in = {.tokens = t};
    heed_request q = {.model = m,
                      .method = method,
                      .input = &in,
                      .n_inputs = 1,
                      .keep = keep};
    heed_plan plan;
    heed_status st = heed_plan_of(ctx, &q, &plan);
    heed_tokens_free(ctx, t);
    assert_true(st == HEED_OK || st == HEED_ENOTSUP);
    return st == HEED_OK;
}

/* One method: 1, 2 and 4 threads, three inputs together and each alone. */
static void alike(heed_ctx *ctx, const heed_model *m, const char *method)
{
    int64_t len[] = {37, 1, 300};
    heed_input in[3];
    heed_tokens *t[3];
    heed_result *first[3][MOST_INPUTS], *r[MOST_INPUTS];
    heed_request q = {.model = m, .method = method, .ledger = 1, .seed = 5};
    if (!can(ctx, m, method, NULL))
        return;
    if (strcmp(method, "attention") != 0 && can(ctx, m, method, layer))
        q.keep = layer;
    for (int i = 0; i < 3; i++)
        if (strcmp(method, long_ones[i].method) == 0) {
            q.settings = long_ones[i].settings;
            len[2] = 50;
        }
    for (int i = 0; i < 3; i++) {
        t[i] = some_tokens(ctx, m, len[i], (uint32_t)i + 5);
        in[i] = (heed_input){.tokens = t[i]};
        q.input = &in[i];
        q.n_inputs = 1;
        assert_int_equal(heed_ctx_threads(ctx, i == 2 ? 3 : 1), HEED_OK);
        attribute(ctx, &q, first[i]);
    }
    for (int threads = 1; threads <= 4; threads *= 2) {
        assert_int_equal(heed_ctx_threads(ctx, threads), HEED_OK);
        q.input = in;
        q.n_inputs = 3;
        attribute(ctx, &q, r);
        for (int i = 0; i < 3; i++)
            same_results(first[i][0], r[i]);
        free_results(r, 3);
    }
    for (int i = 0; i < 3; i++) {
        free_results(first[i], 1);
        heed_tokens_free(ctx, t[i]);
    }
    assert_int_equal(heed_ctx_threads(ctx, 0), HEED_OK);
}

static void test_alike(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    for (int i = 0; i < N_MODELS; i++) {
        heed_model *m = golden(ctx, models[i]);
        const heed_method_info *info;
        for (int k = 0; (info = heed_method_at(k)); k++)
            alike(ctx, m, info->name);
        heed_model_free(m);
    }
    heed_ctx_free(ctx);
}

/* ---- several targets ---- */

static const heed_target targets[] = {
    {NULL, -1, -1, -1},         {"logit", 3, 5, -1},
    {"contrast", -2, -1, -1},   {"contrast_prob_diff", 4, 7, 2},
    {"probability", -1, 6, -1}, {"entropy", 0, -1, -1},
    {"perplexity", -1, -1, -1}, {"logprob", 2, 1, -1},
};
enum { N_TARGETS = sizeof targets / sizeof *targets };

/* Target i of many is the only target of one. */
static void same_target(const heed_result *many, const heed_result *one, int i)
{
    const heed_array *x, *y;
    for (int k = 0; (x = heed_result_at(many, k)); k++) {
        const heed_var *v = &x->var;
        size_t size = heed_type_size(v->type), n = n_values(v);
        const char *data = x->data;
        if (v->nd > 0 && strcmp(v->dim[0], "target") == 0) {
            assert_int_equal(v->len[0], N_TARGETS);
            n /= N_TARGETS;
            data += (size_t)i * n * size;
        }
        y = heed_result_get(one, v->group, v->name);
        for (size_t b = 0; !y && b < n * size; b++)
            assert_int_equal(data[b], 0); /* a sink of other targets */
        if (y) {
            assert_int_equal(n_values(&y->var), n);
            same_values(v->type, n, data, y->data, v->group, v->name);
        }
    }
    const heed_attr *p, *q;
    const char *group, *key;
    for (int k = 0; (p = heed_result_attr_at(many, k, &group, &key)); k++) {
        q = heed_result_attr(one, group, key);
        size_t size = heed_type_size(p->type);
        const char *data = p->data;
        if (!q) /* of contrasts alone */
            assert_true(strncmp(key, "foil_", 5) == 0);
        else
            same_values(p->type, 1, data + (p->n > 0 ? (size_t)i * size : 0),
                        q->data, group, key);
    }
}

static void test_targets(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m = golden(ctx, "bias_sharded");
    heed_tokens *t[2] = {some_tokens(ctx, m, 9, 1), some_tokens(ctx, m, 30, 2)};
    heed_input in[] = {{t[0], targets, N_TARGETS, NULL},
                       {t[1], &targets[2], 1, NULL}};
    for (int method = 0; method < 2; method++) {
        heed_request q = {.model = m,
                          .method = method ? "saliency" : "attn_lrp",
                          .input = in,
                          .n_inputs = 2,
                          .ledger = 1,
                          .keep = layer};
        heed_result *many[MOST_INPUTS], *one[MOST_INPUTS];
        attribute(ctx, &q, many);
        for (int i = 0; i < N_TARGETS; i++) {
            heed_input single = {t[0], &targets[i], 1, NULL};
            q.input = &single;
            q.n_inputs = 1;
            attribute(ctx, &q, one);
            same_target(many[0], one[0], i);
            free_results(one, 1);
        }
        q.input = &in[1]; /* its neighbour went through more rounds */
        attribute(ctx, &q, one);
        same_results(many[1], one[0]);
        free_results(one, 1);
        free_results(many, 2);
    }
    heed_tokens_free(ctx, t[0]);
    heed_tokens_free(ctx, t[1]);
    heed_model_free(m);
    heed_ctx_free(ctx);
}

/* ---- inputs that a rule holds constant ---- */

/* gu += f(a) g = y / u g; nothing for a, or zeros. */
static void constant_gate(const heedi_node *y, heedi_run *run)
{
    const int64_t n = run->batch->rows * y->cols;
    heed_real *gu = y->in[1]->g;
    for (int64_t k = 0; k < n; k++) {
        heed_real u = y->in[1]->x[k], g = u != 0 ? y->x[k] / u * y->g[k] : 0;
        gu[k] = y->first[1] ? g : gu[k] + g;
    }
}

static void zero_gate(const heedi_node *y, heedi_run *run)
{
    const int64_t n = run->batch->rows * y->cols;
    for (int64_t k = 0; y->first[0] && k < n; k++)
        y->in[0]->g[k] = 0;
    constant_gate(y, run);
}

/* Gradient at the embedding; what dead operations got. */
static heed_real *at_leaf(heed_ctx *ctx, const heed_model *m,
                          const heedi_rule *rule, int64_t *n, double *gate)
{
    int32_t id[50];
    const int64_t len = 50;
    heedi_exec e;
    heedi_exec_options o = {
        .rules = {HEEDI_RELEVANCE, rule}, .account = true, .detail = true};
    some_ids(id, len, 3, (int32_t)heed_model_about(m)->vocab);
    if (heedi_exec_init(&e, ctx, m, &len, 1, id, &o) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    heedi_seed seed = {.row = len - 1, .n = 1, .id = {7}, .c = {1}};
    double value = 0;
    assert_int_equal(heedi_exec_forward(&e, NULL, NULL), HEED_OK);
    assert_int_equal(heedi_head_seed(&e, &seed, 1, &value), HEED_OK);
    assert_int_equal(heedi_exec_backward(&e, NULL, NULL), HEED_OK);
    *n = len * e.leaf->cols;
    *gate = 0;
    for (int k = 0; k < e.n_ops - 1; k++) {
        const heedi_ledger *l = &e.ledger;
        double d = l->in[k] - l->out[k];
        for (int i = 0; i < HEEDI_N_ENTRIES; i++)
            d -= l->sink[k * HEEDI_N_ENTRIES + i];
        if (strstr(l->op_name[k], "mlp.gate"))
            *gate += fabs(l->in[k]) + fabs(l->out[k]);
        if (!(fabs(d) < 1e-4) && strcmp(l->op_name[k], "embed") != 0)
            fail_msg("%s: rest %g", l->op_name[k], d);
    }
    heed_real *g = malloc((size_t)*n * sizeof *g);
    memcpy(g, e.leaf->g, (size_t)*n * sizeof *g);
    heedi_exec_clear(&e);
    return g;
}

static void test_stops(void **state)
{
    (void)state;
    const int needs = HEEDI_IN0 | HEEDI_IN1 | HEEDI_OUT;
    const heedi_rule stop[] = {{.op = &heedi_op_glu,
                                .back = constant_gate,
                                .needs = needs,
                                .stops = HEEDI_IN0},
                               {0}};
    const heedi_rule zero[] = {
        {.op = &heedi_op_glu, .back = zero_gate, .needs = needs}, {0}};
    heed_ctx *ctx = new_ctx();
    for (int i = 0; i < N_MODELS; i++) {
        heed_model *m = golden(ctx, models[i]);
        int64_t n;
        double gate;
        heed_real *a = at_leaf(ctx, m, stop, &n, &gate);
        assert_true(gate == 0);
        heed_real *b = at_leaf(ctx, m, zero, &n, &gate);
        for (int64_t k = 0; k < n; k++)
            assert_true(a[k] == b[k]);
        free(a);
        free(b);
        heed_model_free(m);
    }
    heed_ctx_free(ctx);
}

/* ---- attention both ways ---- */

static const heedi_family *one_way;

/* The same blocks, but a query sees later keys, too. */
static heedi_node *both_ways(const heed_model *m, int64_t block, heedi_tape *t,
                             heedi_node *x)
{
    heedi_node *out = one_way->build(m, block, t, x);
    for (heedi_node *y = t->first; y; y = y->next) {
        if (y->op != &heedi_op_attention)
            continue;
        heedi_attention_args *a = heedi_arena_alloc(t->mem, sizeof *a);
        assert_non_null(a);
        *a = *(const heedi_attention_args *)y->args;
        a->bidirectional = true;
        y->args = a;
    }
    return out;
}

/* How far the first position's logit is from what it is without the last
 * token. */
static double hindsight(heed_ctx *ctx, const heed_model *m)
{
    int32_t id[9];
    const int64_t at = 0;
    heed_candidate a, b;
    some_ids(id, 9, 3, (int32_t)heed_model_about(m)->vocab);
    assert_int_equal(heed_predict(ctx, m, id, 9, &at, 1, 1, &a), HEED_OK);
    assert_int_equal(heed_predict(ctx, m, id, 8, &at, 1, 1, &b), HEED_OK);
    return fabs(a.logit - b.logit);
}

static void test_both_ways(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m = golden(ctx, "../bloom/plain");
    one_way = m->family;
    heedi_family family = *one_way;
    family.build = both_ways;
    assert_true(hindsight(ctx, m) < 1e-5);
    m->family = &family;
    assert_true(hindsight(ctx, m) > 1e-2);
    int32_t id[] = {1, 2, 3}, out;
    int64_t n;
    assert_int_equal(heed_generate(ctx, m, id, 3, 1, -1, &out, &n),
                     HEED_ENOTSUP);
    assert_non_null(strstr(heed_error(ctx),
                           "blk.0.attn sees later positions, so no text can "
                           "be continued"));
    double gate;
    free(at_leaf(ctx, m, NULL, &n, &gate)); /* every operation closes */
    alike(ctx, m, "attn_lrp");
    alike(ctx, m, "attention");
    m->family = one_way;
    heed_model_free(m);
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_recompute), test(test_too_little), test(test_alike),
        test(test_targets),   test(test_stops),      test(test_both_ways)};
    RUN(tests);
}
