/* ask.h - one request to a golden model, and what came of it. Needs testlib.h
 * before it. */
#ifndef ASK_H
#define ASK_H

#include <stdbool.h>

#include "engine.h"

static inline heed_model *plain(heed_ctx *ctx, const char *family)
{
    char path[128];
    heed_model *m;
    snprintf(path, sizeof path, "tests/golden/%s%s", family,
             strchr(family, '/') ? "" : "/plain");
    if (heed_model_load(&m, ctx, path) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    return m;
}

typedef struct call {
    const char *method, *option[6]; /* names and values */
    const char *reduce;
    heed_target target;
    double tol;
    uint64_t seed;
    int center, ledger;
} call;

typedef struct world {
    heed_ctx *ctx;
    heed_model *m;
    heed_tokens *t;
    heed_result *r;
    heed_status st;
    const char *group;
    char name[64];
    char warning[512];
} world;

static inline void on_warning(void *ud, const char *text)
{
    world *w = ud;
    snprintf(w->warning, sizeof w->warning, "%s", text);
}

static inline heed_request request(const call *c, const world *w,
                                   const heed_input *in, heed_setting set[4])
{
    int n = 0;
    for (; n < 3 && c->option[2 * n]; n++)
        set[n] = (heed_setting){c->option[2 * n], c->option[2 * n + 1]};
    set[n] = (heed_setting){0};
    return (heed_request){.model = w->m,
                          .method = c->method,
                          .settings = set,
                          .input = in,
                          .n_inputs = 1,
                          .reduce = c->reduce,
                          .tol = c->tol,
                          .seed = c->seed,
                          .ledger = c->ledger,
                          .center_logits = c->center};
}

/* Into w->r, in place of what was there. */
static inline void ask(world *w, call c)
{
    heed_setting set[4];
    heed_target target = c.target;
    if (!target.kind && target.at == 0 && target.token == 0)
        target = (heed_target)HEED_TARGET;
    heed_input in = {w->t, &target, 1, NULL};
    heed_request q = request(&c, w, &in, set);
    heed_result_free(w->r);
    assert_int_equal(heed_result_new(&w->r, w->ctx), HEED_OK);
    heed_sink sink = heed_result_sink(w->r);
    w->warning[0] = '\0';
    w->st = heed_attribute(w->ctx, &q, &sink);
    const heed_method_info *info = heed_method_named(c.method);
    snprintf(w->name, sizeof w->name, "explanations/%s",
             info ? info->name : "");
    w->group = w->name;
}

static inline void ok(world *w, call c)
{
    ask(w, c);
    if (w->st != HEED_OK)
        fail_msg("%s", heed_error(w->ctx));
}

static inline const heed_real *relevance(const world *w)
{
    const heed_array *a = heed_result_get(w->r, w->group, "relevance");
    assert_non_null(a);
    return a->data;
}

static inline double number(const world *w, const char *key)
{
    const heed_attr *a = heed_result_attr(w->r, w->group, key);
    assert_non_null(a);
    assert_int_equal(a->type, HEED_F64);
    return *(const double *)a->data;
}

static inline world enter(const char *family, const int32_t *id, int64_t n)
{
    world w = {.ctx = new_ctx()};
    w.m = plain(w.ctx, family);
    assert_int_equal(heed_tokens_of(&w.t, w.ctx, NULL, id, n), HEED_OK);
    return w;
}

static inline world enter_some(const char *family, int64_t n)
{
    int32_t id[MOST_TOKENS];
    some_ids(id, n, 4, 61);
    return enter(family, id, n);
}

static inline void leave(world *w)
{
    heed_result_free(w->r);
    heed_tokens_free(w->ctx, w->t);
    heed_model_free(w->m);
    heed_ctx_free(w->ctx);
}

static inline heed_real *copy(const world *w)
{
    heed_real *x = malloc((size_t)w->t->n * sizeof *x);
    return memcpy(x, relevance(w), (size_t)w->t->n * sizeof *x);
}

static inline bool same(const world *w, heed_real *x)
{
    bool yes = memcmp(x, relevance(w), (size_t)w->t->n * sizeof *x) == 0;
    free(x);
    return yes;
}

#endif
