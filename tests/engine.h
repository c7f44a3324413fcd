/* engine.h - golden models, requests on them, and results compared byte for
 * byte. Needs testlib.h before it. */
#ifndef ENGINE_H
#define ENGINE_H

#include <stdlib.h>

static inline heed_model *golden(heed_ctx *ctx, const char *name)
{
    char path[256];
    heed_model *m;
    snprintf(path, sizeof path, "tests/golden/llama/%s", name);
    if (heed_model_load(&m, ctx, path) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    return m;
}

/* Some ids, the same ones for the same seed. */
static inline void some_ids(int32_t *id, int64_t n, uint32_t seed, int32_t v)
{
    uint32_t s = (seed + 1) * 2654435761u | 1u;
    for (int64_t i = 0; i < n; i++)
        id[i] = (int32_t)((double)(rnd(&s) + 1) / 2 * v) % v;
}

enum { MOST_TOKENS = 1024 };

static inline heed_tokens *some_tokens(heed_ctx *ctx, const heed_model *m,
                                       int64_t n, uint32_t seed)
{
    int32_t id[MOST_TOKENS];
    heed_tokens *t;
    some_ids(id, n, seed, (int32_t)heed_model_about(m)->vocab);
    if (heed_tokens_of(&t, ctx, NULL, id, n) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    return t;
}

enum { MOST_INPUTS = 4 };

/* Results of a request, one for each input; free_results(). */
static inline void attribute(heed_ctx *ctx, const heed_request *q,
                             heed_result *out[MOST_INPUTS])
{
    heed_sink sink[MOST_INPUTS];
    for (int64_t i = 0; i < q->n_inputs; i++) {
        assert_int_equal(heed_result_new(&out[i], ctx), HEED_OK);
        sink[i] = heed_result_sink(out[i]);
    }
    if (heed_attribute(ctx, q, sink) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
}

static inline void free_results(heed_result *r[MOST_INPUTS], int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        heed_result_free(r[i]);
}

static inline size_t n_values(const heed_var *v)
{
    size_t n = 1;
    for (int d = 0; d < v->nd; d++)
        n *= (size_t)v->len[d];
    return n;
}

/* n values are the same bits; strings are the same text. */
static inline void same_values(heed_type t, size_t n, const void *a,
                               const void *b, const char *group,
                               const char *name)
{
    for (size_t i = 0; t == HEED_STR && i < n; i++)
        assert_string_equal(((const char *const *)a)[i],
                            ((const char *const *)b)[i]);
    if (t != HEED_STR && memcmp(a, b, n * heed_type_size(t)) != 0)
        fail_msg("%s/%s differs", group, name);
}

/* Every array and every attribute. */
static inline void same_results(const heed_result *a, const heed_result *b)
{
    const heed_array *x, *y;
    int i = 0;
    for (; (x = heed_result_at(a, i)); i++) {
        y = heed_result_at(b, i);
        assert_non_null(y);
        assert_string_equal(x->var.name, y->var.name);
        assert_string_equal(x->var.group, y->var.group);
        assert_int_equal(x->var.type, y->var.type);
        assert_int_equal(n_values(&x->var), n_values(&y->var));
        same_values(x->var.type, n_values(&x->var), x->data, y->data,
                    x->var.group, x->var.name);
    }
    assert_null(heed_result_at(b, i));
    const heed_attr *p, *q;
    const char *group, *key;
    for (i = 0; (p = heed_result_attr_at(a, i, &group, &key)); i++) {
        q = heed_result_attr(b, group, key);
        if (!q)
            fail_msg("%s has no %s", group, key);
        assert_int_equal(p->type, q->type);
        assert_int_equal(p->n, q->n);
        same_values(p->type, p->n < 0 ? 1 : (size_t)p->n, p->data, q->data,
                    group, key);
    }
    assert_null(heed_result_attr_at(b, i, &group, &key));
}

#endif
