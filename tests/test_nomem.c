/* Work that is cut short: the n-th allocation fails, the listener stops at the
 * n-th call, the sink fails at its n-th, for all n. The status says so, and
 * nothing is left behind. */
#include "testlib.h"

#include <stdbool.h>

#include "engine.h"

enum { T = 7, V = 61 };

typedef struct world {
    ration memory;
    heed_allocator alloc;
    heed_ctx *ctx;
    heed_model *m;
    heed_tokens *t;
    heed_result *r;
    int32_t id[T];
} world;

static heed_status enter(world *w, const char *model)
{
    heed_status st = heed_ctx_new(&w->ctx, &w->alloc);
    if (st != HEED_OK) {
        assert_null(w->ctx);
        return st;
    }
    assert_int_equal(heed_ctx_threads(w->ctx, 1), HEED_OK);
    some_ids(w->id, T, 1, V);
    st = heed_model_load(&w->m, w->ctx, model);
    assert_true((st == HEED_OK) == (w->m != NULL));
    if (st == HEED_OK)
        st = heed_tokens_of(&w->t, w->ctx, NULL, w->id, T);
    assert_true((st == HEED_OK) == (w->t != NULL));
    if (st == HEED_OK)
        st = heed_result_new(&w->r, w->ctx);
    return st;
}

/* Two targets, everything that a method can keep. */
static heed_status explain(world *w, const char *method, const heed_sink *sink)
{
    static const heed_target target[] = {HEED_TARGET,
                                         {"contrast_prob_diff", 2, -1, 3}};
    static const char *const layer[] = {"layer", NULL};
    heed_input in = {w->t, target, 2, NULL};
    heed_request q = {.model = w->m,
                      .method = method,
                      .input = &in,
                      .n_inputs = 1,
                      .ledger = 1};
    static const heed_setting few[] = {{"steps", "2"}, {0}};
    if (strcmp(method, "ig") == 0)
        q.settings = few;
    else if (strcmp(method, "attention") != 0 && strcmp(method, "loo") != 0)
        q.keep = layer;
    return heed_attribute(w->ctx, &q, sink);
}

static void leave(world *w)
{
    heed_result_free(w->r);
    if (w->ctx)
        heed_tokens_free(w->ctx, w->t);
    heed_model_free(w->m);
    heed_ctx_free(w->ctx);
    if (w->memory.out != 0)
        fail_msg("%ld allocations were not freed", w->memory.out);
}

static world new_world(long fail_at)
{
    return (world){.memory = {.fail_at = fail_at}};
}

typedef heed_status work_fn(world *w);

static heed_status work_attribute(world *w)
{
    heed_sink sink = heed_result_sink(w->r);
    return explain(w, "attn_lrp", &sink);
}

static heed_status work_saliency(world *w)
{
    heed_sink sink = heed_result_sink(w->r);
    return explain(w, "saliency", &sink);
}

static heed_status work_path(world *w)
{
    heed_sink sink = heed_result_sink(w->r);
    return explain(w, "ig", &sink);
}

static heed_status work_occlusion(world *w)
{
    heed_sink sink = heed_result_sink(w->r);
    return explain(w, "loo", &sink);
}

static heed_status work_maps(world *w)
{
    heed_sink sink = heed_result_sink(w->r);
    return explain(w, "attention", &sink);
}

/* Of a model with labels or embeddings, what its head is made for. */
static heed_status work_head(world *w)
{
    heed_sink sink = heed_result_sink(w->r);
    const heed_input in = {.tokens = w->t};
    const heed_request q = {.model = w->m, .input = &in, .n_inputs = 1};
    w->t->token[w->t->n - 1].segment = 1;
    return heed_attribute(w->ctx, &q, &sink);
}

static heed_status work_embed(world *w)
{
    double x[24]; /* the width of the model */
    return heed_embed(w->ctx, w->m, w->t, x);
}

static heed_status work_predict(world *w)
{
    int64_t at = 0;
    heed_candidate best;
    return heed_predict(w->ctx, w->m, w->id, T, &at, 1, 1, &best);
}

static heed_status work_generate(world *w)
{
    int32_t out[3];
    int64_t n;
    return heed_generate(w->ctx, w->m, w->id, T, 3, -1, out, &n);
}

/* st is what became of work whose k-th allocation had to fail; whether it came
 * so far. */
static bool denied(const world *w, long k, heed_status st)
{
    const bool reached = w->memory.calls >= k;
    if (st != (reached ? HEED_ENOMEM : HEED_OK))
        fail_msg("allocation %ld: %d '%s'", k, st,
                 w->ctx ? heed_error(w->ctx) : "");
    if (st == HEED_ENOMEM && w->ctx && !strstr(heed_error(w->ctx), "no memory"))
        fail_msg("allocation %ld: '%s'", k, heed_error(w->ctx));
    return reached;
}

static void load_denied(const char *model)
{
    bool reached = true;
    for (long k = 1; reached; k++) {
        world w = new_world(k);
        w.alloc = (heed_allocator){ration_resize, &w.memory};
        reached = denied(&w, k, enter(&w, model));
        leave(&w);
    }
}

/* In one world, which must be as before after every failure. */
static void work_denied(work_fn *work, const char *model)
{
    world w = new_world(0);
    bool reached = true;
    w.alloc = (heed_allocator){ration_resize, &w.memory};
    assert_int_equal(enter(&w, model), HEED_OK);
    heed_ctx_max_memory(w.ctx,
                        UINT64_MAX); /* nothing is kept to fall back on */
    heed_result_free(w.r);
    w.r = NULL;
    const long out = w.memory.out;
    for (long k = 1; reached; k++) {
        w.memory.calls = 0;
        w.memory.fail_at = k;
        heed_status st = heed_result_new(&w.r, w.ctx);
        if (st == HEED_OK)
            st = work(&w);
        reached = denied(&w, k, st);
        heed_result_free(w.r);
        w.r = NULL;
        assert_int_equal(w.memory.out, out);
    }
    leave(&w);
}

static void test_allocations(void **state)
{
    (void)state;
    static const char *const model[] = {"tests/golden/llama/bias_sharded",
                                        "tests/golden/llama/gguf_llama3.gguf",
                                        "tests/golden/llama/rope_dynamic",
                                        "tests/golden/bert/plain",
                                        "tests/golden/bert/embed_mean"};
    static work_fn *const work[] = {work_attribute, work_saliency, work_path,
                                    work_occlusion, work_maps,     work_predict,
                                    work_generate};
    for (int i = 0; i < 5; i++)
        load_denied(model[i]);
    work_denied(work_head, model[3]);
    work_denied(work_head, model[4]);
    work_denied(work_embed, model[4]);
    for (int i = 0; i < 7; i++)
        for (int k = 0; k < 3; k += 2)
            work_denied(work[i], model[k]);
}

/* ---- cancelling ---- */

typedef struct patience {
    int calls, last;
    char what[32];
} patience;

static int listen_(void *ud, const char *what, double done, double total)
{
    patience *p = ud;
    snprintf(p->what, sizeof p->what, "%s", what);
    assert_true(done >= 0 && done <= total);
    return ++p->calls == p->last;
}

static int cancelled_everywhere(work_fn *work, const char *model)
{
    for (int k = 1;; k++) {
        world w = new_world(0);
        patience p = {.last = k};
        w.alloc = (heed_allocator){ration_resize, &w.memory};
        assert_int_equal(enter(&w, model), HEED_OK);
        heed_ctx_listen(w.ctx, listen_, NULL, &p);
        const long out = w.memory.out;
        heed_status st = work(&w);
        const bool reached = p.calls >= k;
        assert_int_equal(st, reached ? HEED_ECANCEL : HEED_OK);
        if (reached) {
            char want[64];
            snprintf(want, sizeof want, "interrupted during %s", p.what);
            assert_string_equal(heed_error(w.ctx), want);
            assert_int_equal(p.calls, k); /* not asked again */
            heed_ctx_listen(w.ctx, NULL, NULL, NULL);
            heed_ctx_trim(w.ctx);
            if (work == work_predict || work == work_generate)
                assert_int_equal(w.memory.out, out);
            assert_int_equal(work(&w), HEED_OK); /* as if nothing was */
        }
        leave(&w);
        if (!reached)
            return k - 1;
    }
}

static void test_cancel(void **state)
{
    (void)state;
    const char *plain = "tests/golden/llama/plain";
    const char *dynamic = "tests/golden/llama/rope_dynamic";
    /* 4 blocks and the end: one pass forward, one back for each target; maps
     * ask before the rows of each of 2 layers, too */
    assert_int_equal(cancelled_everywhere(work_attribute, plain), 15);
    assert_int_equal(cancelled_everywhere(work_maps, plain), 7);
    assert_int_equal(cancelled_everywhere(work_predict, plain), 5);
    assert_int_equal(cancelled_everywhere(work_generate, plain), 15);
    assert_int_equal(cancelled_everywhere(work_generate, dynamic), 15);
}

/* ---- a sink that fails ---- */

typedef struct drain {
    heed_sink to;
    int calls, fail_at;
} drain;

static bool full(drain *d)
{
    return ++d->calls == d->fail_at;
}

static heed_status define(void *ud, heed_ctx *ctx, const heed_var *var)
{
    drain *d = ud;
    return full(d) ? HEED_EOUTPUT : d->to.define(d->to.ud, ctx, var);
}

static heed_status write_(void *ud, heed_ctx *ctx, const char *group,
                          const char *name, const int64_t *start,
                          const int64_t *count, const void *data)
{
    drain *d = ud;
    return full(d)
               ? HEED_EOUTPUT
               : d->to.write(d->to.ud, ctx, group, name, start, count, data);
}

static heed_status attr(void *ud, heed_ctx *ctx, const char *group,
                        const char *key, heed_attr value)
{
    drain *d = ud;
    return full(d) ? HEED_EOUTPUT
                   : d->to.attr(d->to.ud, ctx, group, key, value);
}

static void test_sink(void **state)
{
    (void)state;
    const char *const method[] = {"attn_lrp", "attention", "ig", "loo"};
    for (int i = 0; i < 4; i++)
        for (int k = 1;; k++) {
            world w = new_world(0);
            w.alloc = (heed_allocator){ration_resize, &w.memory};
            assert_int_equal(enter(&w, "tests/golden/llama/bias_sharded"),
                             HEED_OK);
            drain d = {.to = heed_result_sink(w.r), .fail_at = k};
            heed_sink sink = {&d, define, write_, attr};
            heed_status st = explain(&w, method[i], &sink);
            const bool reached = d.calls >= k;
            assert_int_equal(st, reached ? HEED_EOUTPUT : HEED_OK);
            if (reached)
                assert_int_equal(d.calls, k);
            leave(&w);
            if (!reached)
                break;
        }
}

/* More working memory than 32 MiB. */
static heed_status work_long(world *w)
{
    enum { LONG = 6000 };
    static int32_t id[LONG];
    int64_t at = LONG - 1;
    heed_candidate best;
    some_ids(id, LONG, 1, V);
    return heed_predict(w->ctx, w->m, id, LONG, &at, 1, 1, &best);
}

/* Working memory stays with the context until it is trimmed or limited, and
 * goes before an allocation fails; what is small does not stay. */
static void test_spare(void **state)
{
    (void)state;
    world w = new_world(0);
    w.alloc = (heed_allocator){ration_resize, &w.memory};
    assert_int_equal(enter(&w, "examples/models/austen-llama"), HEED_OK);
    const long out = w.memory.out;
    long calls[2];
    assert_int_equal(work_predict(&w), HEED_OK);
    assert_int_equal(w.memory.out, out);
    for (int i = 0; i < 2; i++) {
        w.memory.calls = 0;
        assert_int_equal(work_long(&w), HEED_OK);
        calls[i] = w.memory.calls;
        assert_int_equal(w.memory.out, out + 1);
    }
    assert_int_equal(calls[1], calls[0] - 1);
    heed_ctx_trim(w.ctx);
    assert_int_equal(w.memory.out, out);
    assert_int_equal(work_long(&w), HEED_OK);
    heed_ctx_max_memory(w.ctx, UINT64_MAX);
    assert_int_equal(w.memory.out, out);
    assert_int_equal(work_long(&w), HEED_OK);
    assert_int_equal(w.memory.out, out);
    heed_ctx_max_memory(w.ctx, 0);
    assert_int_equal(work_long(&w), HEED_OK);
    assert_int_equal(w.memory.out, out + 1);
    w.memory.calls = 0;
    w.memory.fail_at = 1; /* and no more: the spare was freed for it */
    assert_int_equal(work_long(&w), HEED_OK);
    w.memory.calls = 0;
    w.memory.last = true;
    assert_int_equal(work_long(&w), HEED_ENOMEM);
    assert_int_equal(w.memory.out, out);
    w.memory.fail_at = 0;
    leave(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_allocations),
                                       test(test_cancel), test(test_sink),
                                       test(test_spare)};
    RUN(tests);
}
