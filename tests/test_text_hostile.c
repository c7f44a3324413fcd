/* Files that are wrong, and memory that ends: a sentence, no crash, no leak. */
#include "texttest.h"

static void expect(heed_ctx *ctx, const char *json, size_t n, heed_status want,
                   const char *says)
{
    heed_tokenizer *t;
    heed_status st =
        heedi_tokenizer_from_text(&t, ctx, "x.json", (heedi_str){json, n});
    if (st != want || !strstr(heed_error(ctx), says))
        print_error("%.300s\n  gives %d: %s\n", json, st, heed_error(ctx));
    assert_int_equal(st, want);
    assert_non_null(strstr(heed_error(ctx), says));
    assert_null(t);
    assert_memory_equal(heed_error(ctx), "x.json: ", 8);
}

#define MODEL(fields) "{\"model\": {\"type\": \"BPE\", " fields "}}"
#define VOCAB(vocab)  MODEL("\"vocab\": {" vocab "}, \"merges\": []")
#define PART(group, fields)                                         \
    "{\"" group "\": {" fields "}, \"model\": {\"type\": \"BPE\", " \
    "\"vocab\": {\"a\": 0}, \"merges\": []}}"
#define MERGES(merges) \
    MODEL("\"vocab\": {\"a\": 0, \"b\": 1}, \"merges\": [" merges "]")
#define ADDED(token)                                                  \
    "{\"added_tokens\": [" token "], \"model\": {\"type\": \"BPE\", " \
    "\"vocab\": {\"a\": 0}, \"merges\": []}}"
#define WORDS(fields) \
    "{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0}" fields "}}"
#define BAD HEED_EFORMAT
#define NOT HEED_ENOTSUP

static const struct {
    const char *json;
    heed_status want;
    const char *says;
} cases[] = {
    {"", BAD, "line 1"},
    {"[]", BAD, "not an object"},
    {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\"", BAD, "line 1"},
    {"{\"a\": 1, \"a\": 2}", BAD, "duplicate"},
    {"{\"model\": \"\xC3\"}", BAD, "byte 0xc3"},
    {"{\"model\": \"\\ud800\"}", BAD, "Unicode"},
    {"{}", BAD, "no \"model\""},
    {"{\"model\": []}", BAD, "no \"model\""},
    {"{\"extra\": 1}", NOT, "\"extra\""},
    {"{\"model\": {\"type\": \"WordPiece\"}}", BAD, "\"vocab\""},
    {WORDS(""), BAD, "unk_token"},
    {WORDS(", \"unk_token\": \"b\""), BAD, "unk_token"},
    {WORDS(", \"unk_token\": 3"), BAD, "unk_token"},
    {WORDS(", \"merges\": []"), NOT, "\"merges\""},
    {WORDS(", \"continuing_subword_prefix\": 1"), BAD, "prefix"},
    {WORDS(", \"max_input_chars_per_word\": -1"), BAD, "per_word"},
    {"{\"model\": {\"type\": \"Unigram\"}}", NOT, "\"Unigram\""},
    {"{\"model\": {\"type\": \"WordLevel\"}}", NOT, "\"WordLevel\""},
    {"{\"model\": {\"type\": 3}}", NOT, "without a type"},
    {MODEL("\"merges\": []"), BAD, "\"vocab\""},
    {MODEL("\"vocab\": [], \"merges\": []"), BAD, "\"vocab\""},
    {MODEL("\"vocab\": {}"), BAD, "\"merges\""},
    {MODEL("\"vocab\": {}, \"merges\": {}"), BAD, "\"merges\""},
    {MODEL("\"vocab\": {}, \"merges\": [], \"dropout\": 0.1"), NOT, "dropout"},
    {MODEL("\"vocab\": {}, \"merges\": [], \"dropout\": \"x\""), NOT,
     "dropout"},
    {MODEL("\"vocab\": {}, \"merges\": [], \"new\": 1"), NOT, "\"new\""},
    {MODEL("\"vocab\": {}, \"merges\": [], \"fuse_unk\": 1"), BAD, "fuse_unk"},
    {MODEL("\"vocab\": {}, \"merges\": [], \"unk_token\": \"u\""), BAD,
     "\"u\""},
    {MODEL("\"vocab\": {}, \"merges\": [], \"unk_token\": 1"), BAD,
     "unk_token"},
    {VOCAB("\"a\": \"0\""), BAD, "\"a\" is not an integer"},
    {VOCAB("\"a\": 1.5"), BAD, "\"a\" is not an integer"},
    {VOCAB("\"a\": -1"), BAD, "-1"},
    {VOCAB("\"a\": 2147483648"), BAD, "2147483648"},
    {VOCAB("\"a\": 2147483647"), BAD, "2147483647"},
    {VOCAB("\"a\": 2147483646"), BAD, "2147483646"},
    {VOCAB("\"a\": 99999999999999999999"), BAD, "line 1"},
    {VOCAB("\"a\": 0, \"b\": 0"), BAD, "id 0 is of two tokens"},
    {MERGES("\"a c\""), BAD, "\"c\""},
    {MERGES("\"c a\""), BAD, "\"c\""},
    {MERGES("\"a b\""), BAD, "\"ab\""},
    {MERGES("\"ab\""), BAD, "merge 0"},
    {MERGES("\"a b c\""), BAD, "merge 0"},
    {MERGES("\"\""), BAD, "merge 0"},
    {MERGES("[\"a\"]"), BAD, "merge 0"},
    {MERGES("[\"a\", 1]"), BAD, "merge 0"},
    {MERGES("7"), BAD, "merge 0"},
    {ADDED("3"), BAD, "content"},
    {ADDED("{\"id\": 1}"), BAD, "content"},
    {ADDED("{\"content\": \"x\"}"), BAD, "not an integer"},
    {ADDED("{\"content\": \"x\", \"id\": -3}"), BAD, "-3"},
    {ADDED("{\"content\": \"x\", \"id\": 1, \"special\": 1}"), BAD, "special"},
    {ADDED("{\"content\": \"x\", \"id\": 0}"), BAD, "in the vocabulary"},
    {ADDED("{\"content\": \"x\", \"id\": 1}, {\"content\": \"y\", \"id\": 1}"),
     BAD, "two added tokens"},
    {ADDED("{\"content\": \"x\", \"id\": 1, \"odd\": 1}"), NOT, "\"odd\""},
    {"{\"added_tokens\": 1, \"model\": {\"vocab\": {}, \"merges\": []}}", BAD,
     "added_tokens"},
    {PART("normalizer", ""), BAD, "\"type\""},
    {PART("normalizer", "\"type\": \"Nmt\""), NOT, "\"Nmt\""},
    {PART("normalizer", "\"type\": \"Precompiled\""), NOT, "\"Precompiled\""},
    {PART("normalizer", "\"type\": \"BertNormalizer\", \"lowercase\": 1"), BAD,
     "\"lowercase\""},
    {PART("normalizer", "\"type\": \"BertNormalizer\", \"strip\": true"), NOT,
     "\"strip\""},
    {PART("normalizer", "\"type\": \"NFC\", \"x\": 1"), NOT, "\"x\""},
    {PART("normalizer", "\"type\": \"Sequence\""), BAD, "normalizers"},
    {PART("normalizer", "\"type\": \"Replace\", \"content\": \"\""), BAD,
     "pattern"},
    {PART("normalizer", "\"type\": \"Replace\", \"content\": 1"), BAD,
     "content"},
    {PART("normalizer", "\"type\": \"Strip\", \"strip_left\": 1"), BAD,
     "strip_left"},
    {PART("pre_tokenizer", "\"type\": \"BertPreTokenizer\", \"x\": 1"), NOT,
     "\"x\""},
    {PART("pre_tokenizer", "\"type\": \"UnicodeScripts\""), NOT,
     "\"UnicodeScripts\""},
    {PART("pre_tokenizer", "\"type\": \"Split\", \"pattern\": 3"), BAD,
     "pattern"},
    {PART("pre_tokenizer", "\"type\": \"Split\", \"behavior\": \"Odd\", "
                           "\"pattern\": \" \""),
     NOT, "\"Odd\""},
    {PART("pre_tokenizer", "\"type\": \"Metaspace\", \"prepend_scheme\": "
                           "\"odd\""),
     NOT, "\"odd\""},
    {PART("pre_tokenizer", "\"type\": \"ByteLevel\", \"use_regex\": []"), BAD,
     "use_regex"},
    {PART("decoder", "\"type\": \"WordPiece\", \"cleanup\": 1"), BAD,
     "\"cleanup\""},
    {PART("post_processor", "\"type\": \"TemplateProcessing\", \"single\": "
                            "[{\"Sequence\": {\"id\": \"A\"}}], \"pair\": [3]"),
     BAD, "a pair"},
    {PART("decoder", "\"type\": \"CTC\""), NOT, "\"CTC\""},
    {PART("decoder", "\"type\": \"Strip\", \"start\": -1"), BAD, "-1"},
    {PART("post_processor", "\"type\": \"Odd\""), NOT, "\"Odd\""},
    {PART("post_processor", "\"type\": \"BertProcessing\""), BAD, "\"cls\""},
    {PART("post_processor", "\"type\": \"BertProcessing\", \"cls\": "
                            "[\"a\", 9], \"sep\": [\"a\", 0]"),
     BAD, "id 9"},
    {PART("post_processor", "\"type\": \"TemplateProcessing\""), NOT,
     "0 times"},
    {PART("post_processor", "\"type\": \"TemplateProcessing\", \"single\": "
                            "[{\"SpecialToken\": {\"id\": \"q\"}}]"),
     BAD, "\"q\""},
    {PART("post_processor", "\"type\": \"TemplateProcessing\", \"single\": "
                            "[{\"SpecialToken\": {\"id\": \"q\"}}], "
                            "\"special_tokens\": {\"q\": {\"ids\": [\"a\"]}}"),
     BAD, "id -1"},
};

static void wrong_files(void **state)
{
    heed_ctx *ctx = new_ctx();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(ctx, cases[i].json, strlen(cases[i].json), cases[i].want,
               cases[i].says);
    heed_ctx_free(ctx);
}

static void wrong_patterns(void **state)
{
    static const struct {
        const char *pattern;
        heed_status want;
    } p[] = {{"(", BAD},
             {"[a", BAD},
             {"a{2,1}", BAD},
             {"*", BAD},
             {"\\\\p{Odd}", BAD},
             {"(?<n", BAD},
             {"\\\\", BAD},
             {"\\\\C", BAD},
             {"(?&x)", BAD},
             {"[a&&b]", NOT},
             {"[a[bc]]", NOT},
             {"[[:graph:]]", NOT},
             {"[\\\\W]", NOT},
             {"a{1,3}+", NOT},
             {"\\\\Qa\\\\E", NOT},
             {"\\\\u12", NOT},
             {"(*LIMIT_MATCH=1)a", NOT}};
    heed_ctx *ctx = new_ctx();
    (void)state;
    for (size_t i = 0; i < sizeof p / sizeof *p; i++) {
        char json[512];
        snprintf(json, sizeof json,
                 PART("pre_tokenizer", "\"type\": \"Split\", \"behavior\": "
                                       "\"Isolated\", \"pattern\": {\"Regex\": "
                                       "\"%s\"}"),
                 p[i].pattern);
        expect(ctx, json, strlen(json), p[i].want, "pattern");
    }
    heed_ctx_free(ctx);
}

/* A pattern that needs too many steps fails; it never gives other pieces. */
static void endless_pattern(void **state)
{
    static const char json[] =
        PART("pre_tokenizer", "\"type\": \"Split\", \"behavior\": \"Isolated\","
                              " \"pattern\": {\"Regex\": \"(a+)+[bc]\"}");
    heed_ctx *ctx = new_ctx();
    heed_tokenizer *t;
    heed_tokens *k;
    char text[64];
    (void)state;
    memset(text, 'a', sizeof text);
    assert_int_equal(heedi_tokenizer_from_text(&t, ctx, "x",
                                               (heedi_str){json, strlen(json)}),
                     HEED_OK);
    assert_int_equal(heed_encode(&k, ctx, t, text, sizeof text, NULL),
                     HEED_ENOTSUP);
    assert_non_null(strstr(heed_error(ctx), "limit"));
    assert_null(k);
    heed_tokenizer_free(t);
    heed_ctx_free(ctx);
}

static void nested(void **state)
{
    static const struct {
        const char *group, *open;
        int deep;
    } bombs[] = {
        {"normalizer", "{\"type\":\"Sequence\",\"normalizers\":[", 100},
        {"pre_tokenizer", "{\"type\":\"Sequence\",\"pretokenizers\":[", 900},
        {"decoder", "{\"type\":\"Sequence\",\"decoders\":[", 100},
        {"post_processor", "{\"type\":\"Sequence\",\"processors\":[", 100},
        {"version", "[", 100000},
    };
    heed_ctx *ctx = new_ctx();
    (void)state;
    for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
        size_t n = strlen(bombs[i].open), deep = (size_t)bombs[i].deep;
        int object = bombs[i].open[0] == '{';
        char *s = malloc(deep * (n + 2) + 256), *p = s;
        assert_non_null(s);
        p += sprintf(p, "{\"%s\": ", bombs[i].group);
        for (size_t k = 0; k < deep; k++, p += n)
            memcpy(p, bombs[i].open, n);
        for (size_t k = 0; k < deep; k++)
            p += sprintf(p, object ? "]}" : "]");
        p += sprintf(p, ", \"model\": {\"type\": \"BPE\", \"vocab\": "
                        "{\"a\": 0}, \"merges\": []}}");
        expect(ctx, s, (size_t)(p - s), BAD, object ? "nested" : "depth");
        free(s);
    }
    heed_ctx_free(ctx);
}

/* Every byte of a good file changed, and every beginning of it. */
static void damage(heed_ctx *ctx, const json_t *all, const char *base)
{
    json_t *j =
        json_deep_copy(json_object_get(json_object_get(all, "base"), base));
    char *s = json_dumps(j, JSON_COMPACT);
    size_t n = strlen(s);
    uint32_t seed = 1;
    for (size_t i = 0; i < 1500; i++) {
        heed_tokenizer *t;
        seed = seed * 1664525 + 1013904223;
        size_t at = (seed >> 8) % n;
        char old = s[at];
        if (i % 2)
            s[at] = "0\"{}[]:,9 -\\n"[(seed >> 4) % 13];
        heedi_str x = {s, i % 2 ? n : at};
        heed_status st = heedi_tokenizer_from_text(&t, ctx, "x", x);
        if (st == HEED_OK) {
            heed_tokens *k;
            heed_status e = heed_encode(&k, ctx, t, "Hello the fox", 13, NULL);
            if (e == HEED_OK)
                heed_tokens_free(ctx, k);
            heed_tokenizer_free(t);
        } else {
            assert_true(heed_error(ctx)[0] != '\0');
        }
        s[at] = old;
    }
    free(s);
    json_decref(j);
}

static void damaged(void **state)
{
    heed_ctx *ctx = new_ctx();
    json_t *all = golden();
    (void)state;
    damage(ctx, all, "full");
    damage(ctx, all, "bert");
    json_decref(all);
    heed_ctx_free(ctx);
}

/* ---- vocabularies of GGUF files ---- */

static void expect_vocab(heed_ctx *ctx, const heedi_vocab *v, heed_status want,
                         const char *says)
{
    heed_tokenizer *t;
    heed_status st = heedi_tokenizer_from_vocab(&t, ctx, v);
    if (st != want || !strstr(heed_error(ctx), says))
        print_error("gives %d: %s\n", st, heed_error(ctx));
    assert_int_equal(st, want);
    assert_non_null(strstr(heed_error(ctx), says));
    assert_null(t);
}

static void wrong_vocabs(void **state)
{
    static const heedi_str token[] = {{"a", 1}, {"b", 1}};
    static const heedi_str merge[] = {{"a b", 3}, {"ab", 2}, {"a \xFF", 3}};
    static const int32_t type[] = {1, 7};
    static const float score[] = {1, (float)NAN};
    const heedi_vocab good = {.path = "x.gguf",
                              .model = "gpt2",
                              .pre = "gpt-2",
                              .n = 2,
                              .token = token,
                              .bos = -1,
                              .eos = -1,
                              .unk = -1,
                              .sep = -1,
                              .pad = -1,
                              .cls = -1,
                              .add_bos = -1,
                              .add_eos = -1,
                              .add_space_prefix = -1};
    heed_ctx *ctx = new_ctx();
    heed_tokenizer *t;
    (void)state;
    assert_int_equal(heedi_tokenizer_from_vocab(&t, ctx, &good), HEED_OK);
    heed_tokenizer_free(t);
    heedi_vocab v = good;
    v.model = "bert";
    expect_vocab(ctx, &v, BAD, "[CLS]");
    v.model = "t5";
    expect_vocab(ctx, &v, NOT, "\"t5\"");
    v.model = NULL;
    expect_vocab(ctx, &v, NOT, "(none)");
    v = good;
    v.pre = "default";
    expect_vocab(ctx, &v, NOT, "\"default\"");
    v.pre = "gpt";
    expect_vocab(ctx, &v, NOT, "\"gpt\"");
    v.pre = NULL;
    expect_vocab(ctx, &v, NOT, "tokenizer.ggml.pre");
    v.pre = "jina-v2-de";
    assert_int_equal(heedi_tokenizer_from_vocab(&t, ctx, &v), HEED_OK);
    assert_string_equal(heed_tokenizer_about(t)->pre, "jina-v2-de");
    heed_tokenizer_free(t);
    v = good;
    v.type = type;
    expect_vocab(ctx, &v, BAD, "type 7");
    v = good;
    v.bos = 2;
    expect_vocab(ctx, &v, BAD, "bos_token_id is 2");
    v = good;
    v.n = 0;
    expect_vocab(ctx, &v, BAD, "0 tokens");
    v = good;
    v.n_merges = 1;
    v.merge = merge;
    expect_vocab(ctx, &v, BAD, "\"ab\"");
    v.merge = merge + 1;
    expect_vocab(ctx, &v, BAD, "merge 0");
    v.merge = merge + 2;
    expect_vocab(ctx, &v, BAD, "merge 0");
    v = good;
    v.model = "llama";
    expect_vocab(ctx, &v, BAD, "scores");
    v.score = score;
    expect_vocab(ctx, &v, BAD, "not a number");
    v = good;
    v.hf_json = (heedi_str){"{}", 2};
    expect_vocab(ctx, &v, BAD, "model");
    heed_ctx_free(ctx);
}

/* ---- memory that ends ---- */

typedef struct budget {
    long left, held;
} budget;

static void *limited(void *ud, void *p, size_t n)
{
    budget *b = ud;
    if (n == 0) {
        b->held -= p != NULL;
        free(p);
        return NULL;
    }
    if (b->left-- <= 0)
        return NULL;
    b->held += p == NULL;
    return realloc(p, n);
}

static heed_status use(heed_ctx *ctx, heedi_str json)
{
    static const char text[] = "Hello <s> e\u0301 \u65E5 the fox, 12 foxes";
    heed_tokenizer *t;
    heed_tokens *k = NULL, *x = NULL, *both = NULL;
    int32_t id = 5;
    heed_status st = heedi_tokenizer_from_text(&t, ctx, "x", json);
    if (st == HEED_OK)
        st = heed_encode(&k, ctx, t, text, sizeof text - 1, NULL);
    if (st == HEED_OK)
        st = heed_tokens_of(&x, ctx, t, &k->token[0].id, 1);
    if (st == HEED_OK)
        st = heed_tokens_join(&both, ctx, k, x);
    heed_tokens_free(ctx, both);
    both = NULL;
    heed_encode_options pair = {.pair = "a fox", .pair_len = 5};
    if (st == HEED_OK)
        st = heed_encode(&both, ctx, t, text, sizeof text - 1, &pair);
    if (st == HEED_OK)
        st = heed_token_id(&id, ctx, t, "the");
    heed_tokens_free(ctx, k);
    heed_tokens_free(ctx, x);
    heed_tokens_free(ctx, both);
    heed_tokenizer_free(t);
    return st;
}

static void no_memory(void **state)
{
    static const char *const names[] = {"NFKC",
                                        "Llama",
                                        "Split L3",
                                        "prefix and suffix",
                                        "added, normalized",
                                        "template",
                                        "BERT, post-processor"};
    json_t *all = golden();
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *j = variant_json(all, variant_named(all, names[i]));
        char *s = json_dumps(j, 0);
        heedi_str json = {s, strlen(s)};
        heed_status st = HEED_ENOMEM;
        long n = 1;
        for (; st == HEED_ENOMEM && n < 20000; n++) {
            budget b = {n, 0};
            heed_allocator a = {limited, &b};
            heed_ctx *ctx;
            assert_int_equal(heed_ctx_new(&ctx, &a), HEED_OK);
            st = use(ctx, json);
            if (st != HEED_OK && st != HEED_ENOMEM)
                fail_msg("%s", heed_error(ctx));
            heed_ctx_free(ctx);
            assert_int_equal(b.held, 0);
        }
        assert_int_equal(st, HEED_OK);
        assert_true(n > 20);
        free(s);
        json_decref(j);
    }
    json_decref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(wrong_files), test(wrong_patterns), test(endless_pattern),
        test(nested),      test(damaged),        test(wrong_vocabs),
        test(no_memory)};
    RUN(tests);
}
