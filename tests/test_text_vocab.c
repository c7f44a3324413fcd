/* Tokenizers from the vocabularies of GGUF files, made by hand. */
#include "texttest.h"

static heedi_vocab empty(const char *model, const char *pre)
{
    return (heedi_vocab){.path = "x.gguf",
                         .model = model,
                         .pre = pre,
                         .bos = -1,
                         .eos = -1,
                         .unk = -1,
                         .sep = -1,
                         .pad = -1,
                         .cls = -1,
                         .add_bos = -1,
                         .add_eos = -1,
                         .add_space_prefix = -1};
}

static heed_tokenizer *made(heed_ctx *ctx, const heedi_vocab *v)
{
    heed_tokenizer *t;
    if (heedi_tokenizer_from_vocab(&t, ctx, v) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    return t;
}

/* `want`: ids, separated by spaces. */
static void expect(heed_ctx *ctx, const heed_tokenizer *t, const char *text,
                   const heed_encode_options *o, const char *want)
{
    char got[256] = "";
    heed_tokens *k;
    assert_int_equal(heed_encode(&k, ctx, t, text, (int64_t)strlen(text), o),
                     HEED_OK);
    for (int64_t i = 0; i < k->n; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%d",
                 i ? " " : "", k->token[i].id);
    assert_string_equal(got, want);
    heed_tokens_free(ctx, k);
}

static void note(void *ud, const char *text)
{
    snprintf(ud, 256, "%s", text);
}

/* The vocabulary of a tokenizer.json gives the same ids from a GGUF file. */
static void same_as_json(void **state)
{
    heed_ctx *ctx = new_ctx();
    json_t *all = golden(), *id;
    const json_t *plain = variant_named(all, "plain");
    json_t *model = json_object_get(
        json_object_get(json_object_get(all, "base"), "level"), "model");
    json_t *vocab = json_object_get(model, "vocab");
    json_t *merges = json_object_get(model, "merges");
    heedi_str token[1024], merge[1024];
    int32_t type[1024];
    char text[1024][64];
    const char *key;
    (void)state;
    heedi_vocab v = empty("gpt2", "gpt-2");
    v.n = (int64_t)json_object_size(vocab);
    v.n_merges = (int64_t)json_array_size(merges);
    assert_true(v.n <= 1024 && v.n_merges <= 1024);
    json_object_foreach(vocab, key, id)
    {
        json_int_t i = json_integer_value(id);
        token[i] = (heedi_str){key, strlen(key)};
        type[i] = i < 2 ? 3 : 1; /* <s> and </s> */
    }
    for (size_t i = 0; i < (size_t)v.n_merges; i++) {
        const json_t *m = json_array_get(merges, i);
        int n = snprintf(text[i], sizeof text[i], "%s %s",
                         json_string_value(json_array_get(m, 0)),
                         json_string_value(json_array_get(m, 1)));
        merge[i] = (heedi_str){text[i], (size_t)n};
    }
    v.token = token;
    v.type = type;
    v.merge = merge;
    heed_tokenizer *a = made(ctx, &v), *b = variant(ctx, all, plain);
    const json_t *texts = json_object_get(all, "texts");
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const json_t *s = json_array_get(texts, i);
        for (int special = 0; special < 2; special++) {
            heed_encode_options o = {.special = special};
            heed_tokens *x, *y;
            int64_t n = (int64_t)json_string_length(s);
            assert_int_equal(
                heed_encode(&x, ctx, a, json_string_value(s), n, &o), HEED_OK);
            assert_int_equal(
                heed_encode(&y, ctx, b, json_string_value(s), n, &o), HEED_OK);
            assert_int_equal(x->n, y->n);
            for (int64_t k = 0; k < x->n; k++) {
                assert_int_equal(x->token[k].id, y->token[k].id);
                assert_int_equal(x->token[k].byte_end, y->token[k].byte_end);
                assert_string_equal(x->token[k].text, y->token[k].text);
            }
            check_round(ctx, a, x);
            heed_tokens_free(ctx, x);
            heed_tokens_free(ctx, y);
        }
    }
    heed_tokenizer_free(a);
    heed_tokenizer_free(b);
    json_decref(all);
    heed_ctx_free(ctx);
}

#define S(x)             \
    {                    \
        x, sizeof(x) - 1 \
    }

/* Fillers never match, user-defined tokens always, control tokens when asked;
 * a byte without a token leaves a hole. */
static void kinds_of_tokens(void **state)
{
    static const heedi_str token[] = {S("a"),      S("b"),    S("ab"),
                                      S("[PAD3]"), S("bb"),   S("<s>"),
                                      S("[PAD9]"), S("\xC3"), S("\u0120")};
    static const int32_t type[] = {1, 1, 1, 4, 4, 3, 4, 4, 1};
    static const heedi_str merge[] = {S("a b")};
    heed_ctx *ctx = new_ctx();
    heed_encode_options special = {.special = 1};
    char said[256] = "";
    (void)state;
    heed_ctx_listen(ctx, NULL, note, said);
    heedi_vocab v = empty("gpt2", "gpt-2");
    v.n = 9;
    v.token = token;
    v.type = type;
    v.n_merges = 1;
    v.merge = merge;
    v.bos = 5;
    v.add_bos = 1;
    heed_tokenizer *t = made(ctx, &v);
    expect(ctx, t, "abab", NULL, "5 2 2");
    expect(ctx, t, "abba", NULL, "5 0 4 0");
    expect(ctx, t, "", NULL, "5");
    assert_string_equal(said, "");
    expect(ctx, t, "a<s>b", &special, "5 0 5 1");
    assert_string_equal(said, "");
    expect(ctx, t, "ab [PAD3]", NULL, "5 2 8");
    assert_non_null(strstr(said, "6 bytes"));
    expect(ctx, t, "[PAD9]", NULL, "5 6"); /* its id is 6: no filler */
    expect(ctx, t, "a\u00E9", NULL, "5 0");
    heed_tokens *k;
    assert_int_equal(heed_encode(&k, ctx, t, "a--ab", 5, NULL), HEED_OK);
    assert_int_equal(k->token[1].byte_end, 1);
    assert_int_equal(k->token[2].byte_start, 3);
    heed_tokens_free(ctx, k);
    heed_tokenizer_free(t);
    heed_ctx_free(ctx);
}

/* Scores: the highest first, the leftmost among equals. */
static void scores(void **state)
{
    static const heedi_str token[] = {
        S("<unk>"),   S("<s>"), S("</s>"),  S("<0xC3>"), S("<0xA9>"),
        S("\u2581"),  S("a"),   S("b"),     S("ab"),     S("ba"),
        S("\u2581a"), S("aba"), S("<0x0A>")};
    static const int32_t type[] = {2, 3, 3, 6, 6, 1, 1, 1, 1, 1, 1, 1, 6};
    static const float score[] = {0, 0, 0, 0, 0, -9, -8, -7, -2, -2, -3, -4, 0};
    heed_ctx *ctx = new_ctx();
    heed_encode_options plain = {.plain = 1};
    (void)state;
    heedi_vocab v = empty("llama", "default");
    v.n = 13;
    v.token = token;
    v.type = type;
    v.score = score;
    v.bos = 1;
    v.eos = 2;
    v.unk = 0;
    heed_tokenizer *t = made(ctx, &v);
    assert_string_equal(heed_tokenizer_about(t)->kind, "SentencePiece BPE");
    assert_int_equal(heed_tokenizer_about(t)->adds_bos, 1);
    expect(ctx, t, "", NULL, "1");
    expect(ctx, t, "a", NULL, "1 10");
    expect(ctx, t, "ab", NULL, "1 5 8");
    expect(ctx, t, "aba", NULL, "1 5 11");
    expect(ctx, t, "bab", NULL, "1 5 9 7");
    expect(ctx, t, "a a", &plain, "10 10");
    expect(ctx, t, "\u00E9\n", &plain, "5 3 4 12");
    expect(ctx, t, "<0x0A>", &plain, "5 0 0 0 0 0 0"); /* no byte token */
    expect(ctx, t, "\u00E8", &plain, "5 0");
    heed_tokens *k;
    assert_int_equal(heed_encode(&k, ctx, t, "a \u00E9", 4, &plain), HEED_OK);
    check_ranges(k, 1);
    check_round(ctx, t, k);
    assert_string_equal(k->token[0].text, " a");
    assert_string_equal(k->token[2].text, "\u27E8C3\u27E9");
    heed_tokens_free(ctx, k);
    heed_tokenizer_free(t);
    v.add_space_prefix = 0;
    v.add_bos = 0;
    v.add_eos = 1;
    t = made(ctx, &v);
    expect(ctx, t, "ab a", NULL, "8 10 2");
    heed_tokenizer_free(t);
    heed_ctx_free(ctx);
}

/* Gemma: no space in front, and tokens of several spaces, line feeds and tags,
 * which are cut out first, the longest first, and are spelt with spaces. */
static void cut_out(void **state)
{
    static const heedi_str token[] = {
        S("<pad>"),  S("<eos>"),  S("<bos>"),  S("<unk>"),   S("\n"),
        S("\n\n"),   S("  "),     S("   "),    S("<b>"),     S("</b>"),
        S("\u2581"), S("a"),      S("b"),      S("\u2581a"), S("ab"),
        S("<0xC3>"), S("<0xA9>"), S("<0x09>"), S("\t\t")};
    static const int32_t type[] = {3, 3, 3, 3, 4, 4, 4, 4, 4, 4,
                                   1, 1, 1, 1, 1, 6, 6, 6, 4};
    static const float score[] = {
        -1000, -1000, -1000, -1000, -1000, -1000, -1000, -1000, -1000, -1000,
        -3,    -4,    -5,    -1,    -2,    0,     0,     0,     -1000};
    heed_ctx *ctx = new_ctx();
    heed_encode_options plain = {.plain = 1};
    heed_tokens *k;
    (void)state;
    heedi_vocab v = empty("llama", "default");
    v.n = 19;
    v.token = token;
    v.type = type;
    v.score = score;
    v.bos = 2;
    v.eos = 1;
    v.unk = 3;
    v.add_bos = 1;
    v.add_space_prefix = 0;
    heed_tokenizer *t = made(ctx, &v);
    expect(ctx, t, "a", NULL, "2 11");
    expect(ctx, t, " a", &plain, "13");
    expect(ctx, t, "ab a", &plain, "14 13");
    expect(ctx, t, "a  a", &plain, "11 6 11");
    expect(ctx, t, "a    a", &plain, "11 7 13");
    expect(ctx, t, "     ", &plain, "7 6");
    expect(ctx, t, "\n\n\na\n", &plain, "5 4 11 4");
    expect(ctx, t, " \n ", &plain, "10 4 10");
    expect(ctx, t, "\ta\t\t\t", &plain, "17 11 18 17");
    expect(ctx, t, "<b>a</b> b", &plain, "8 11 9 10 12");
    expect(ctx, t, "\u2581\u2581a", &plain, "10 13"); /* no spaces */
    expect(ctx, t, "\u00E9 a", &plain, "15 16 13");
    assert_int_equal(heed_encode(&k, ctx, t, "a   \n\n <b>\u00E9", 12, &plain),
                     HEED_OK);
    check_ranges(k, 1);
    check_round(ctx, t, k);
    heed_tokens_free(ctx, k);
    heed_tokenizer_free(t);
    heed_ctx_free(ctx);
}

/* tokenizer.huggingface.json comes first; the file's keys name BOS and EOS. */
static void whole_json(void **state)
{
    static const char json[] =
        "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1}, "
        "\"merges\": []}}";
    heed_ctx *ctx = new_ctx();
    heed_tokenizer *t;
    (void)state;
    heedi_vocab v = empty("odd", NULL);
    v.hf_json = (heedi_str){json, sizeof json - 1};
    v.bos = 1;
    t = made(ctx, &v);
    expect(ctx, t, "ab", NULL, "0 1");
    assert_int_equal(heed_tokenizer_about(t)->bos, 1);
    heed_tokenizer_free(t);
    v.add_bos = 1;
    t = made(ctx, &v);
    expect(ctx, t, "ab", NULL, "1 0 1");
    heed_tokenizer_free(t);
    v.bos = 2;
    assert_int_equal(heedi_tokenizer_from_vocab(&t, ctx, &v), HEED_EFORMAT);
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(same_as_json),
                                       test(kinds_of_tokens), test(scores),
                                       test(cut_out), test(whole_json)};
    RUN(tests);
}
