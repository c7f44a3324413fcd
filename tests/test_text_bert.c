/* Pairs of texts, and vocabularies of a BERT that are not a tokenizer.json. */
#include "texttest.h"

#include <unistd.h>

static heed_tokenizer *named(heed_ctx *ctx, const char *name)
{
    json_t *all = golden();
    heed_tokenizer *t = variant(ctx, all, variant_named(all, name));
    json_decref(all);
    return t;
}

static heed_tokens *encode(heed_ctx *ctx, const heed_tokenizer *t,
                           const char *text, heed_encode_options o)
{
    heed_tokens *k;
    if (heed_encode(&k, ctx, t, text, (int64_t)strlen(text), &o) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    return k;
}

/* Ranges of the second text go on where the first ends, words do not. */
static void pair(void **state)
{
    heed_ctx *ctx = new_ctx();
    heed_tokenizer *t = named(ctx, "BERT, post-processor");
    heed_encode_options o = {.pair = "fox the", .pair_len = 7};
    (void)state;
    heed_tokens *k = encode(ctx, t, "the fox", o);
    static const int start[] = {0, 0, 4, 7, 7, 11, 14},
                     end[] = {0, 3, 7, 7, 10, 14, 14},
                     word[] = {-1, 0, 1, -1, 2, 3, -1},
                     segment[] = {0, 0, 0, 0, 1, 1, 1};
    assert_int_equal(k->n, 7);
    assert_string_equal(k->text, "the foxfox the");
    for (int i = 0; i < 7; i++) {
        assert_int_equal(k->token[i].byte_start, start[i]);
        assert_int_equal(k->token[i].byte_end, end[i]);
        assert_int_equal(k->token[i].word_id, word[i]);
        assert_int_equal(k->token[i].segment, segment[i]);
        assert_int_equal(k->token[i].is_added, start[i] == end[i]);
    }
    heed_tokens_free(ctx, k);
    o.plain = 1;
    k = encode(ctx, t, "the fox", o);
    assert_int_equal(k->n, 4);
    assert_int_equal(k->token[1].segment, 0);
    assert_int_equal(k->token[2].segment, 1);
    heed_tokens_free(ctx, k);
    o.pair = "\xFF";
    o.pair_len = 1;
    assert_int_equal(heed_encode(&k, ctx, t, "the", 3, &o), HEED_EFORMAT);
    assert_non_null(strstr(heed_error(ctx), "second text"));
    heed_tokenizer_free(t);
    heed_ctx_free(ctx);
}

static void no_template(void **state)
{
    heed_ctx *ctx = new_ctx();
    json_t *all = golden();
    json_t *j = variant_json(all, variant_named(all, "template, pair"));
    json_t *list =
        json_object_get(json_object_get(j, "post_processor"), "pair");
    heed_tokenizer *t;
    heed_tokens *k;
    (void)state;
    assert_int_equal(json_array_remove(list, 0), 0); /* the second text */
    char *s = json_dumps(j, 0);
    assert_int_equal(
        heedi_tokenizer_from_text(&t, ctx, "x.json", (heedi_str){s, strlen(s)}),
        HEED_OK);
    heed_encode_options o = {.pair = "fox", .pair_len = 3};
    assert_int_equal(heed_encode(&k, ctx, t, "the", 3, &o), HEED_ENOTSUP);
    assert_non_null(strstr(heed_error(ctx), "x.json: its template"));
    o.pair = NULL;
    heed_tokens_free(ctx, encode(ctx, t, "the", o));
    heed_tokenizer_free(t);
    free(s);
    json_decref(j);
    json_decref(all);
    heed_ctx_free(ctx);
}

static void compared(void **state)
{
    heed_ctx *ctx = new_ctx();
    heed_tokenizer *t = named(ctx, "BERT");
    const heed_encode_options o = {0};
    heed_tokens *a = encode(ctx, t, "the fox", o), *k;
    heed_tokens *b = encode(ctx, t, "foxes", o);
    (void)state;
    assert_int_equal(heed_tokens_pair(&k, ctx, a, b), HEED_OK);
    assert_int_equal(k->n, a->n + b->n);
    assert_string_equal(k->text, "the foxfoxes");
    for (int64_t i = 0; i < k->n; i++)
        assert_int_equal(k->token[i].segment, i >= a->n);
    assert_int_equal(k->token[a->n].byte_start, 7);
    assert_int_equal(k->token[a->n].word_id, 2);
    heed_tokens_free(ctx, a);
    heed_tokens_free(ctx, b);
    heed_tokens_free(ctx, k);
    heed_tokenizer_free(t);
    heed_ctx_free(ctx);
}

/* ---- vocab.txt ---- */

static const char dir[] = "build/vocab-txt";

static void put(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (!text) {
        unlink(path);
        return;
    }
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    fclose(f);
}

#define WORDS \
    "[PAD]\n[UNK]\n[CLS]\r\n[SEP]\n[MASK]\nfox\n##es\nF\xC3\xA9\nthe\n"

/* Files beside the vocabulary, and the ids of "The Foxes F\u00E9". */
static void vocab_txt(void **state)
{
    static const struct {
        const char *config, *map;
        int n, id[8];
    } rows[] = {
        {NULL, NULL, 6, {2, 8, 5, 6, 1, 3}},
        {"{\"do_lower_case\": false}", NULL, 5, {2, 1, 1, 7, 3}},
        {"{\"cls_token\": {\"content\": \"fox\"}}",
         NULL,
         6,
         {5, 8, 5, 6, 1, 3}},
        {NULL, "{\"sep_token\": \"the\"}", 6, {2, 8, 5, 6, 1, 8}},
        {"{\"model_max_length\": 1000000000000000019884624838656, "
         "\"do_lower_case\": false}",
         NULL,
         5,
         {2, 1, 1, 7, 3}},
        {"{\"sep_token\": \"[SEP]\"}",
         "{\"sep_token\": \"the\"}",
         6,
         {2, 8, 5, 6, 1, 3}},
    };
    heed_ctx *ctx = new_ctx();
    (void)state;
    put("vocab.txt", WORDS);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        heed_tokenizer *t;
        put("tokenizer_config.json", rows[i].config);
        put("special_tokens_map.json", rows[i].map);
        if (heed_tokenizer_load(&t, ctx, dir) != HEED_OK)
            fail_msg("%s", heed_error(ctx));
        heed_tokens *k =
            encode(ctx, t, "The Foxes F\u00E9", (heed_encode_options){0});
        assert_int_equal(k->n, rows[i].n);
        for (int64_t n = 0; n < k->n; n++)
            assert_int_equal(k->token[n].id, rows[i].id[n]);
        heed_tokens_free(ctx, k);
        heed_tokenizer_free(t);
    }
    put("tokenizer_config.json", NULL);
    put("special_tokens_map.json", NULL);
    heed_ctx_free(ctx);
}

static void wrong_txt(void **state)
{
    static const struct {
        const char *vocab, *config, *added;
        heed_status st;
        const char *says;
    } rows[] = {
        {"a\n", NULL, NULL, HEED_EFORMAT, "cls_token \"[CLS]\" is not in"},
        {"", NULL, NULL, HEED_EFORMAT, "[CLS]"},
        {"[CLS]\n\xFF\n", NULL, NULL, HEED_EFORMAT, "byte 6"},
        {WORDS, "{\"tokenizer_class\": \"FooTokenizer\"}", NULL, HEED_ENOTSUP,
         "\"FooTokenizer\""},
        {WORDS, "{\"tokenizer_class\": \"BertJapaneseTokenizer\"}", NULL,
         HEED_ENOTSUP, "Japanese"},
        {WORDS, "{\"do_lower_case\": 1}", NULL, HEED_EFORMAT, "do_lower_case"},
        {WORDS, "{\"strip_accents\": 1}", NULL, HEED_EFORMAT, "strip_accents"},
        {WORDS, "{\"do_basic_tokenize\": false}", NULL, HEED_ENOTSUP,
         "do_basic_tokenize"},
        {WORDS, "{\"never_split\": [\"a\"]}", NULL, HEED_ENOTSUP,
         "never_split"},
        {WORDS, "{", NULL, HEED_EFORMAT, "tokenizer_config.json: line 1"},
        {WORDS, NULL, "{\"x\": 9}", HEED_ENOTSUP, "added_tokens.json"},
    };
    heed_ctx *ctx = new_ctx();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        heed_tokenizer *t;
        put("vocab.txt", rows[i].vocab);
        put("tokenizer_config.json", rows[i].config);
        put("added_tokens.json", rows[i].added);
        heed_status st = heed_tokenizer_load(&t, ctx, dir);
        if (st != rows[i].st || !strstr(heed_error(ctx), rows[i].says))
            fail_msg("row %zu: %d '%s'", i, st, heed_error(ctx));
        assert_non_null(strstr(heed_error(ctx), "vocab.txt: "));
        assert_null(t);
    }
    put("tokenizer_config.json", NULL);
    put("added_tokens.json", NULL);
    heed_ctx_free(ctx);
}

/* ---- GGUF ---- */

/* The begin of a word is marked there, its continuation is not. */
static void gguf(void **state)
{
    static const heedi_str token[] = {
        {"[PAD]", 5}, {"[UNK]", 5},     {"[CLS]", 5},     {"[SEP]", 5},
        {"es", 2},    {"\u2581fox", 6}, {"\u2581the", 6}, {"[unused1]", 9}};
    static const int32_t type[] = {3, 2, 3, 3, 1, 1, 1, 1};
    static const int32_t want[] = {2, 6, 5, 4, 1, 3};
    const heedi_vocab v = {.path = "x.gguf",
                           .model = "bert",
                           .pre = "bert-bge",
                           .n = 8,
                           .token = token,
                           .type = type,
                           .bos = -1,
                           .eos = -1,
                           .unk = 1,
                           .sep = 3,
                           .pad = 0,
                           .cls = 2,
                           .add_bos = -1,
                           .add_eos = -1,
                           .add_space_prefix = -1};
    heed_ctx *ctx = new_ctx();
    heed_tokenizer *t;
    (void)state;
    if (heedi_tokenizer_from_vocab(&t, ctx, &v) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    heed_tokens *k =
        encode(ctx, t, "The f\u00F3xes esfox", (heed_encode_options){0});
    assert_int_equal(k->n, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(k->token[i].id, want[i]);
    assert_int_equal(k->token[2].byte_end, 8);
    assert_string_equal(k->token[3].text, "##es");
    heed_tokens_free(ctx, k);
    assert_int_equal(heed_tokens_of(&k, ctx, t, want, 5), HEED_OK);
    assert_string_equal(k->text, "[CLS] the foxes [UNK]");
    heed_tokens_free(ctx, k);
    k = encode(ctx, t, "the",
               (heed_encode_options){.pair = "fox", .pair_len = 3});
    assert_int_equal(k->n, 5);
    assert_int_equal(k->token[4].segment, 1);
    heed_tokens_free(ctx, k);
    k = encode(ctx, t, "the",
               (heed_encode_options){.pair = "fox", .pair_len = 3, .bos = -1});
    assert_int_equal(k->n, 4); /* without [CLS] */
    heed_tokens_free(ctx, k);
    heed_tokenizer_free(t);
    heed_ctx_free(ctx);
}

int main(void)
{
    char path[128];
    snprintf(path, sizeof path, "mkdir -p %s", dir);
    if (system(path) != 0)
        return 1;
    const struct CMUnitTest tests[] = {test(pair),      test(no_template),
                                       test(compared),  test(vocab_txt),
                                       test(wrong_txt), test(gguf)};
    RUN(tests);
}
