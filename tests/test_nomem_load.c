/* The n-th allocation fails, for all n: models of every family and format, the
 * plan and the run of every method on every family that has it, tokenizers.
 * (Result files and pictures: test_formats.c, test_figures.c; heed_check():
 * test_check.c.) The status says so, nothing is left behind. What jansson
 * allocates never fails, since then it aborts (2.14, lex_scan_string()); but it
 * must be freed, too. */
#include "testlib.h"

#include <jansson.h>
#include <stdbool.h>
#include <unistd.h>

#include "engine.h"

static ration *now; /* counts what jansson has out, too */

static void *json_get(size_t n)
{
    ration *r = now;
    if (r)
        r->out++;
    return malloc(n);
}

static void json_put(void *p)
{
    ration *r = now;
    if (r)
        r->out -= p != NULL;
    free(p);
}

/* Frees all that it gets. */
typedef heed_status work_fn(heed_ctx *ctx, const char *arg);

static heed_status attempt(ration *r, work_fn *work, const char *arg,
                           char why[256])
{
    const heed_allocator alloc = {ration_resize, r};
    heed_ctx *ctx;
    why[0] = '\0';
    heed_status st = heed_ctx_new(&ctx, &alloc);
    if (st != HEED_OK)
        return st;
    st = heed_ctx_threads(ctx, 1);
    if (st == HEED_OK)
        st = work(ctx, arg);
    snprintf(why, 256, "%s", heed_error(ctx));
    heed_ctx_free(ctx);
    return st;
}

/* How many allocations the work makes. With `spare`, it can do without some. */
static long sweep_but(work_fn *work, const char *arg, bool spare)
{
    char why[256];
    for (long k = 1;; k++) {
        ration r = {.fail_at = k};
        now = &r;
        heed_status st = attempt(&r, work, arg, why);
        now = NULL;
        const bool reached = r.calls >= k;
        if (st != (reached ? HEED_ENOMEM : HEED_OK) &&
            !(spare && st == HEED_OK))
            fail_msg("%s: allocation %ld: %d '%s'", arg, k, st, why);
        if (st == HEED_ENOMEM && why[0] && !strstr(why, " memory"))
            fail_msg("%s: allocation %ld: '%s'", arg, k, why);
        if (r.out != 0)
            fail_msg("%s: allocation %ld: %ld were not freed", arg, k, r.out);
        if (!reached)
            return k - 1;
    }
}

static long sweep(work_fn *work, const char *arg)
{
    return sweep_but(work, arg, false);
}

/* ---- models ---- */

static const char *const models[] = {
    "llama/bias_sharded",
    "llama/gguf_llama3.gguf",
    "llama/rope_dynamic",
    "mamba/sharded_bare",
    "mamba/gguf_tied.gguf",
    "mamba/native",
    "rwkv/sharded_bare",
    "gpt2/aliases_sharded",
    "gpt2/gguf_untied.gguf",
    "gpt2/plain",
    "bin/native",
    "recurrent_gemma/sharded_bare",
    "gemma3/inside_new",
    "gemma3/gguf_list.gguf",
    "falcon_mamba/plain",
    "mamba2/native_groups",
    "mamba2/gguf_groups.gguf",
    "rwkv6/plain",
    "rwkv6/gguf_apart.gguf",
};
enum { N_MODELS = sizeof models / sizeof *models };

static const char *model_path(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "tests/golden/%s", name);
    return path;
}

static heed_status load(heed_ctx *ctx, const char *name)
{
    heed_model *m;
    heed_status st = heed_model_load(&m, ctx, model_path(name));
    assert_true((st == HEED_OK) == (m != NULL));
    heed_model_free(m);
    return st;
}

static heed_status hash(heed_ctx *ctx, const char *name)
{
    char hex[3][65];
    return heed_model_hash(ctx, model_path(name), hex[0], hex[1], hex[2]);
}

static void test_models(void **state)
{
    (void)state;
    for (int i = 0; i < N_MODELS; i++) {
        assert_true(sweep(load, models[i]) > 10);
        assert_true(sweep(hash, models[i]) > 0);
    }
}

/* ---- methods ---- */

static const heed_method_info *method;
static bool planned;  /* ask for the plan only */
static int n_targets; /* a logit, a contrast */

static heed_status explain(heed_ctx *ctx, const char *name)
{
    static const heed_setting few[] = {
        {"steps", "2"}, {"samples", "2"}, {NULL, NULL}};
    static const heed_target target[] = {HEED_TARGET,
                                         {"contrast_prob_diff", 2, -1, 3}};
    int32_t id[5];
    heed_model *m;
    heed_tokens *t = NULL;
    heed_result *r = NULL;
    heed_status st = heed_model_load(&m, ctx, model_path(name));
    some_ids(id, 5, 1, 40);
    if (st == HEED_OK)
        st = heed_tokens_of(&t, ctx, NULL, id, 5);
    if (st == HEED_OK)
        st = heed_result_new(&r, ctx);
    if (st == HEED_OK) {
        const heed_setting *set = few + 2;
        for (const heed_option *o = method->options; o && o->name; o++)
            for (int i = 0; i < 2; i++)
                if (strcmp(o->name, few[i].name) == 0)
                    set = few + i;
        const heed_setting settings[] = {*set, {0}};
        heed_input in = {t, target, n_targets, NULL};
        heed_request q = {.model = m,
                          .method = method->name,
                          .settings = settings,
                          .input = &in,
                          .n_inputs = 1,
                          .ledger = method->conserves};
        heed_sink sink = heed_result_sink(r);
        heed_plan plan;
        st = planned ? heed_plan_of(ctx, &q, &plan)
                     : heed_attribute(ctx, &q, &sink);
    }
    heed_result_free(r);
    heed_tokens_free(ctx, t);
    heed_model_free(m);
    return st;
}

static void test_methods(void **state)
{
    (void)state;
    static const char *const family[] = {"llama/plain", "mamba/bf16",
                                         "gpt2/masks", "recurrent_gemma/cap3"};
    char why[256];
    int done = 0;
    for (int i = 0; (method = heed_method_at(i)); i++)
        for (int k = 0; k < 4; k++) {
            ration r = {0};
            n_targets = 2;
            heed_status st = attempt(&r, explain, family[k], why);
            if (st == HEED_EINVAL) { /* it takes no contrast */
                n_targets = 1;
                st = attempt(&r, explain, family[k], why);
            }
            if (st == HEED_ENOTSUP)
                continue; /* not a method of this family */
            for (int p = 0; p < 2; p++) {
                planned = p;
                assert_true(sweep(explain, family[k]) > 10);
            }
            planned = false;
            done++;
        }
    assert_true(done > 12);
}

/* ---- tokenizers ---- */

static heed_status tokenize(heed_ctx *ctx, const char *path)
{
    static const char text[] = " ab c\xc3\xa9 <s>a b\n1,";
    static const heed_encode_options o = {.special = 1};
    int32_t id[2] = {1, 2}, found;
    heed_tokenizer *t = NULL;
    heed_tokens *a = NULL, *b = NULL, *c = NULL;
    heed_status st = heed_tokenizer_load(&t, ctx, path);
    assert_true((st == HEED_OK) == (t != NULL));
    if (st == HEED_OK)
        st = heed_encode(&a, ctx, t, text, sizeof text - 1, &o);
    if (st == HEED_OK)
        st = heed_tokens_of(&b, ctx, t, id, 2);
    if (st == HEED_OK)
        st = heed_tokens_join(&c, ctx, a, b);
    if (st == HEED_OK)
        st = heed_token_id(&found, ctx, t, "ab");
    heed_tokens_free(ctx, a);
    heed_tokens_free(ctx, b);
    heed_tokens_free(ctx, c);
    heed_tokenizer_free(t);
    return st;
}

/* The seeds of fuzz_tokenizer, up to the NUL. Patterns do without the compiler
 * of PCRE2 if it gets no memory. */
static void test_tokenizers(void **state)
{
    (void)state;
    static const char *const json[] = {"bytes",    "metaspace", "split",
                                       "template", "accents",   "added"};
    static char dir[] = "/tmp/heed-nomem-XXXXXX";
    char path[128], bytes[4096];
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < sizeof json / sizeof *json; i++) {
        snprintf(path, sizeof path, "tests/fuzz/corpus/tokenizer/%s", json[i]);
        FILE *f = fopen(path, "rb");
        assert_non_null(f);
        bytes[fread(bytes, 1, sizeof bytes - 1, f)] = '\0';
        fclose(f);
        snprintf(path, sizeof path, "%s/tokenizer.json", dir);
        f = fopen(path, "wb");
        assert_non_null(f);
        fputs(bytes, f);
        fclose(f);
        assert_true(sweep_but(tokenize, path, true) > 20);
        remove(path);
    }
    rmdir(dir);
    assert_true(
        sweep_but(tokenize, "tests/fuzz/corpus/gguf/vocab_bytes", true) > 20);
    assert_true(sweep_but(tokenize, "tests/fuzz/corpus/gguf/vocab_spm", true) >
                20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_models), test(test_methods),
                                       test(test_tokenizers)};
    json_set_alloc_funcs(json_get, json_put);
    RUN(tests);
}
