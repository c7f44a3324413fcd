/* The vectors of six published vocabularies. They are not part of the tree:
 * HEED_TOKENIZER_VECTORS names a folder that holds them as
 * tests/golden/tokenizers/convert.py writes them, and may hold the GGUF files.
 */
#include "texttest.h"

typedef struct reader {
    const char *s;
    size_t len, at;
} reader;

static int32_t number(reader *r)
{
    int32_t v;
    assert_true(r->at + 4 <= r->len);
    memcpy(&v, r->s + r->at, 4);
    r->at += 4;
    return v;
}

static heedi_str string(reader *r)
{
    size_t n = (size_t)number(r);
    assert_true(n <= r->len - r->at);
    r->at += n;
    return (heedi_str){r->s + r->at - n, n};
}

static heedi_str *strings(reader *r, int64_t *n)
{
    *n = number(r);
    heedi_str *s = malloc((size_t)(*n + 1) * sizeof *s);
    assert_non_null(s);
    for (int64_t i = 0; i < *n; i++)
        s[i] = string(r);
    return s;
}

static heed_tokenizer *from_dump(heed_ctx *ctx, const char *path)
{
    reader r = {0};
    char *data = slurp(path, &r.len);
    assert_non_null(data);
    r.s = data;
    heedi_vocab v = {.path = path};
    heedi_str model = string(&r), pre = string(&r);
    char m[64], p[64];
    snprintf(m, sizeof m, "%.*s", (int)model.len, model.s);
    snprintf(p, sizeof p, "%.*s", (int)pre.len, pre.s);
    v.model = m;
    v.pre = p;
    heedi_str *token = strings(&r, &v.n);
    v.token = token;
    int32_t *type = malloc((size_t)v.n * 4);
    for (int64_t i = 0; i < v.n; i++)
        type[i] = number(&r);
    v.type = type;
    int64_t scores = number(&r);
    float *score = malloc((size_t)scores * 4 + 1);
    memcpy(score, r.s + r.at, (size_t)scores * 4);
    r.at += (size_t)scores * 4;
    v.score = scores ? score : NULL;
    heedi_str *merge = strings(&r, &v.n_merges);
    v.merge = merge;
    v.bos = number(&r);
    v.eos = number(&r);
    v.unk = number(&r);
    v.sep = number(&r);
    v.pad = number(&r);
    v.cls = number(&r);
    v.add_bos = number(&r);
    v.add_eos = number(&r);
    v.add_space_prefix = number(&r);
    heed_tokenizer *t;
    if (heedi_tokenizer_from_vocab(&t, ctx, &v) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    free(type);
    free(token);
    free(score);
    free(merge);
    free(data);
    return t;
}

/* whole: no byte of a text is without a token; round: ids give the text. */
static void run_cases(heed_ctx *ctx, const heed_tokenizer *t, const char *path,
                      int whole, int round)
{
    reader r = {0};
    char *data = slurp(path, &r.len);
    assert_non_null(data);
    r.s = data;
    heed_encode_options o = {.plain = 1};
    int32_t n = number(&r), passed = 0;
    for (int32_t i = 0; i < n; i++) {
        heedi_str text = string(&r);
        int32_t want = number(&r), same = 1;
        heed_tokens *k;
        if (heed_encode(&k, ctx, t, text.s, (int64_t)text.len, &o) != HEED_OK)
            fail_msg("%s", heed_error(ctx));
        same = k->n == want;
        for (int32_t x = 0; x < want; x++) {
            int32_t id = number(&r);
            same = same && k->token[x].id == id;
        }
        if (!same)
            print_error("case %d of %s: \"%.*s\"\n", i, path, (int)text.len,
                        text.s);
        passed += same;
        check_ranges(k, whole);
        if (round)
            check_round(ctx, t, k);
        heed_tokens_free(ctx, k);
    }
    print_message("%s: %d of %d, by %s\n", path, passed, n,
                  heed_tokenizer_about(t)->path);
    assert_int_equal(passed, n);
    free(data);
}

static void vectors(void **state)
{
    static const struct {
        const char *name;
        int whole, json, round; /* json: there is one; round: its ids too */
    } v[] = {{"gpt-2", 1, 1, 1},     {"mpt", 1, 1, 0}, /* NFC */
             {"falcon", 1, 1, 1},    {"refact", 1, 1, 1},
             {"llama-spm", 1, 0, 0}, {"bert-bge", 0, 0, 0}};
    const char *dir = getenv("HEED_TOKENIZER_VECTORS");
    (void)state;
    if (!dir) {
        print_message("skipped: HEED_TOKENIZER_VECTORS is not set\n");
        skip();
    }
    heed_ctx *ctx = new_ctx();
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        char path[512], cases[512];
        heed_tokenizer *t;
        snprintf(cases, sizeof cases, "%s/%s.cases", dir, v[i].name);
        snprintf(path, sizeof path, "%s/%s.vocab", dir, v[i].name);
        t = from_dump(ctx, path);
        run_cases(ctx, t, cases, v[i].whole, v[i].whole);
        heed_tokenizer_free(t);
        /* the same, if the GGUF file is there too */
        snprintf(path, sizeof path, "%s/ggml-vocab-%s.gguf", dir, v[i].name);
        FILE *f = fopen(path, "rb");
        if (f) {
            fclose(f);
            if (heed_tokenizer_load(&t, ctx, path) != HEED_OK)
                fail_msg("%s", heed_error(ctx));
            run_cases(ctx, t, cases, v[i].whole, v[i].whole);
            heed_tokenizer_free(t);
        }
        if (!v[i].json)
            continue;
        snprintf(path, sizeof path, "%s/%s.json", dir, v[i].name);
        if (heedi_tokenizer_from_json(&t, ctx, path) != HEED_OK)
            fail_msg("%s", heed_error(ctx));
        run_cases(ctx, t, cases, 1, v[i].round);
        heed_tokenizer_free(t);
    }
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(vectors)};
    RUN(tests);
}
