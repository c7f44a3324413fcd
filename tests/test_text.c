/* Tokenizers: what the public functions promise. */
#include <pthread.h>

#include "texttest.h"

static heed_tokens *encode(heed_ctx *ctx, const heed_tokenizer *t,
                           const char *s, const heed_encode_options *o)
{
    heed_tokens *k;
    if (heed_encode(&k, ctx, t, s, (int64_t)strlen(s), o) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    return k;
}

static heed_tokenizer *load(heed_ctx *ctx, const char *name)
{
    json_t *all = golden();
    heed_tokenizer *t = variant(ctx, all, variant_named(all, name));
    json_decref(all);
    return t;
}

static void count_warning(void *ud, const char *text)
{
    (void)text;
    ++*(int *)ud;
}

/* ---- display ---- */

static void display(void **state)
{
    heed_ctx *ctx = new_ctx();
    heed_tokenizer *t = load(ctx, "plain");
    (void)state;
    const heed_tokenizer_info *info = heed_tokenizer_about(t);
    assert_string_equal(info->kind, "byte-level BPE");
    assert_string_equal(info->pre, "ByteLevel");
    heed_tokens *k = encode(ctx, t, " the \xF0\x9F\x98\x80", NULL);
    assert_int_equal(k->n, 6);
    assert_string_equal(k->token[0].text, " the");
    assert_string_equal(k->token[1].text, " ");
    assert_string_equal(k->token[2].text, "\u27E8F0\u27E9");
    assert_string_equal(k->token[5].text, "\u27E880\u27E9");
    assert_int_equal(k->token[5].byte_end, 9);
    assert_int_equal(k->token[0].word_id, 0);
    assert_int_equal(k->token[1].word_id, -1);
    assert_int_equal(k->token[4].word_id, 1);
    /* a part of a character: its text is U+FFFD, shown as its bytes */
    heed_tokens *part;
    int32_t id[] = {k->token[2].id, k->token[3].id, 329, 1000000};
    assert_int_equal(heed_tokens_of(&part, ctx, t, id, 4), HEED_OK);
    assert_memory_equal(part->text, "\uFFFD\uFFFD", 6);
    assert_string_equal(part->token[1].text, "\u27E89F\u27E9");
    assert_int_equal(part->token[1].byte_end, 6);
    assert_string_equal(part->token[3].text, "#1000000");
    assert_int_equal(part->token[3].byte_start, part->text_len);
    check_ranges(part, 1);
    heed_tokens_free(ctx, part);
    heed_tokens_free(ctx, k);
    k = encode(ctx, t, "", NULL);
    assert_int_equal(k->n, 0);
    heed_tokens_free(ctx, k);
    heed_tokens_free(ctx, NULL);
    heed_tokenizer_free(t);
    heed_ctx_free(ctx);
}

static void no_tokenizer(void **state)
{
    heed_ctx *ctx = new_ctx();
    heed_tokens *k;
    int32_t id[] = {0, 123, -1};
    (void)state;
    assert_int_equal(heed_tokens_of(&k, ctx, NULL, id, 2), HEED_OK);
    assert_string_equal(k->token[1].text, "#123");
    assert_int_equal(k->text_len, 0);
    heed_tokens_free(ctx, k);
    assert_int_equal(heed_tokens_of(&k, ctx, NULL, id, 3), HEED_EINVAL);
    assert_non_null(strstr(heed_error(ctx), "-1"));
    assert_null(k);
    heed_ctx_free(ctx);
}

static void joined(void **state)
{
    heed_ctx *ctx = new_ctx();
    heed_tokenizer *t = load(ctx, "plain");
    (void)state;
    heed_tokens *a = encode(ctx, t, "the fo", NULL), *k;
    heed_tokens *b = encode(ctx, t, "xes are", NULL);
    assert_int_equal(heed_tokens_join(&k, ctx, a, b), HEED_OK);
    assert_string_equal(k->text, "the foxes are");
    assert_int_equal(k->n, a->n + b->n);
    check_ranges(k, 1);
    assert_int_equal(k->token[a->n - 1].word_id, 1);
    assert_int_equal(k->token[a->n].word_id, 1);
    assert_int_equal(k->token[k->n - 1].word_id, 2);
    heed_tokens_free(ctx, a);
    heed_tokens_free(ctx, b);
    assert_string_equal(k->token[0].text, "the");
    heed_tokens_free(ctx, k);
    heed_tokenizer_free(t);
    heed_ctx_free(ctx);
}

/* ---- words ---- */

static void words(void **state)
{
    static const struct {
        const char *text, *word; /* a letter for each byte's word, . for none */
    } cases[] = {
        {"don't go", "aaaaa.bb"},
        {"'tis, (x)", ".aaa...b."},
        {"3.14 1,000. a.b", "aaaa.bbbbb..c.d"},
        {"snake_case _x", "aaaaaaaaaa..b"},
        {"\u65E5\u672C", "aaabbb"},
        {"e\u0301x-y", "aaaa.b"},
        {"\U0001F600\U0001F44B\U0001F3FD", "aaaabbbbbbbb"},
        {"\u30C6\u30AD", "aaaaaa"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t word[32];
        char got[33] = "";
        size_t n = strlen(cases[i].text);
        heedi_words(word, cases[i].text, n, 0);
        for (size_t k = 0; k < n; k++)
            got[k] = word[k] < 0 ? '.' : (char)('a' + word[k]);
        assert_string_equal(got, cases[i].word);
    }
}

/* ---- special tokens and what is added ---- */

static void added(void **state)
{
    heed_ctx *ctx = new_ctx();
    heed_tokenizer *t = load(ctx, "template");
    int warnings = 0;
    (void)state;
    heed_ctx_listen(ctx, NULL, count_warning, &warnings);
    assert_int_equal(heed_tokenizer_about(t)->bos, -1);
    heed_tokens *k = encode(ctx, t, "the", NULL);
    assert_int_equal(k->n, 4);
    assert_int_equal(k->token[0].id, 0);
    assert_true(k->token[0].is_special && k->token[0].is_added);
    assert_int_equal(k->token[3].byte_start, 3);
    assert_string_equal(k->token[3].text, "</s>");
    assert_int_equal(k->token[3].word_id, -1);
    heed_tokens_free(ctx, k);
    heed_encode_options o = {.plain = 1};
    k = encode(ctx, t, "the", &o);
    assert_int_equal(k->n, 1);
    heed_tokens_free(ctx, k);
    assert_int_equal(warnings, 0);
    k = encode(ctx, t, "<s><s>", &o);
    assert_true(k->n > 2);
    assert_int_equal(warnings, 1);
    heed_tokens_free(ctx, k);
    o.special = 1;
    k = encode(ctx, t, "<s><s>", &o);
    assert_int_equal(k->n, 2);
    assert_true(k->token[1].is_special && !k->token[1].is_added);
    assert_int_equal(warnings, 1);
    heed_tokens_free(ctx, k);
    o = (heed_encode_options){.bos = 1};
    assert_int_equal(heed_encode(&k, ctx, t, "x", 1, &o), HEED_EINVAL);
    assert_int_equal(heed_encode(&k, ctx, t, "ab\xFFx", 4, NULL), HEED_EFORMAT);
    assert_non_null(strstr(heed_error(ctx), "byte 2 is 0xFF"));
    assert_int_equal(heed_encode(&k, ctx, t, "x", -1, NULL), HEED_EINVAL);
    heed_tokenizer_free(t);
    heed_ctx_free(ctx);
}

static void write_file(const char *path, const char *text, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* tokenizer.json in a folder with a tokenizer_config.json. */
static void configured(void **state)
{
    static const struct {
        const char *config;
        int bos, eos, front, back;
    } cases[] = {
        {"{}", -1, -1, 0, 0},
        {"{\"bos_token\": \"<s>\"}", 0, -1, 0, 0},
        /* 10^30, as transformers writes it where there is no limit */
        {"{\"model_max_length\": 1000000000000000019884624838656, "
         "\"bos_token\": \"<s>\"}",
         0, -1, 0, 0},
        {"{\"bos_token\": \"<s>\", \"add_bos_token\": true}", 0, -1, 1, 0},
        {"{\"bos_token\": {\"content\": \"<s>\"}, \"eos_token\": \"</s>\", "
         "\"add_bos_token\": true, \"add_eos_token\": true}",
         0, 1, 1, 1},
    };
    heed_ctx *ctx = new_ctx();
    json_t *all = golden();
    char dir[] = "/tmp/heed-text-XXXXXX", path[64], config[64];
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/tokenizer.json", dir);
    snprintf(config, sizeof config, "%s/tokenizer_config.json", dir);
    char *s =
        json_dumps(json_object_get(json_object_get(all, "base"), "level"), 0);
    write_file(path, s, strlen(s));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heed_tokenizer *t;
        write_file(config, cases[i].config, strlen(cases[i].config));
        assert_int_equal(heedi_tokenizer_from_json(&t, ctx, path), HEED_OK);
        const heed_tokenizer_info *o = heed_tokenizer_about(t);
        assert_int_equal(o->bos, cases[i].bos);
        assert_int_equal(o->eos, cases[i].eos);
        assert_int_equal(o->adds_bos, cases[i].front);
        assert_int_equal(o->adds_eos, cases[i].back);
        heed_tokens *k = encode(ctx, t, "the", NULL);
        assert_int_equal(k->n, 1 + cases[i].front + cases[i].back);
        heed_tokens_free(ctx, k);
        heed_encode_options none = {.bos = -1}, one = {.bos = 1};
        k = encode(ctx, t, "the", &none);
        assert_int_equal(k->n, 1 + cases[i].back);
        heed_tokens_free(ctx, k);
        if (cases[i].bos >= 0) {
            k = encode(ctx, t, "the", &one);
            assert_int_equal(k->n, 2 + cases[i].back);
            heed_tokens_free(ctx, k);
        }
        heed_tokenizer_free(t);
    }
    heed_tokenizer *t;
    write_file(config, "[1", 2);
    assert_int_equal(heedi_tokenizer_from_json(&t, ctx, path), HEED_EFORMAT);
    assert_non_null(strstr(heed_error(ctx), "tokenizer_config.json"));
    remove(config);
    remove(path);
    assert_int_equal(heedi_tokenizer_from_json(&t, ctx, path), HEED_EIO);
    remove(dir);
    free(s);
    json_decref(all);
    heed_ctx_free(ctx);
}

static void ids_of_texts(void **state)
{
    heed_ctx *ctx = new_ctx();
    heed_tokenizer *t = load(ctx, "plain");
    heed_tokens *k = encode(ctx, t, " the", NULL);
    int32_t id;
    (void)state;
    assert_int_equal(heed_token_id(&id, ctx, t, " the"), HEED_OK);
    assert_int_equal(id, k->token[0].id);
    assert_int_equal(heed_token_id(&id, ctx, t, "</s>"), HEED_OK);
    assert_int_equal(id, 1);
    assert_int_equal(heed_token_id(&id, ctx, t, "zzz"), HEED_EINVAL);
    assert_non_null(strstr(heed_error(ctx), "\"z\", \"z\", \"z\""));
    assert_int_equal(heed_token_id(&id, ctx, t, ""), HEED_EINVAL);
    heed_tokens_free(ctx, k);
    heed_tokenizer_free(t);
    t = load(ctx, "Llama");
    assert_int_equal(heed_token_id(&id, ctx, t, " the"), HEED_OK);
    assert_int_equal(heed_token_id(&id, ctx, t, "\xE6"), HEED_EFORMAT);
    assert_int_equal(heed_token_id(&id, ctx, t, "a"), HEED_OK);
    assert_true(id > 258); /* and not <0x61> */
    heed_tokenizer_free(t);
    heed_ctx_free(ctx);
}

/* ---- properties ---- */

static uint32_t next(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    *s ^= *s << 5;
    return *s;
}

static size_t random_text(char *p, uint32_t *seed)
{
    static const char *const some[] = {"the",
                                       " fox",
                                       "es",
                                       "'s",
                                       "'LL",
                                       "\n",
                                       "\r\n",
                                       "\t",
                                       "  ",
                                       " ",
                                       "12",
                                       "7",
                                       "\u00BD",
                                       "\u0663",
                                       ".",
                                       "!!",
                                       "<s>",
                                       "</s",
                                       "\u00E9",
                                       "e\u0301",
                                       "\u0327",
                                       "\u041F\u0440",
                                       "\u65E5",
                                       "\uAC01",
                                       "\u1112\u1161\u11AB",
                                       "\u0E44\u0E17",
                                       "\u0928\u092E\u0938\u094D",
                                       "\u0639\u0631",
                                       "\u200F",
                                       "\u200D",
                                       "\U0001F600",
                                       "\U0001F469\u200D\U0001F467",
                                       "\uFFFE",
                                       "\U0010FFFF",
                                       "\u00A0",
                                       "\u3000",
                                       "\u2028",
                                       "\u0130",
                                       "\u017F",
                                       "_"};
    size_t n = next(seed) % 24, at = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = next(seed) % (sizeof some / sizeof *some + 1);
        const char *s = k < sizeof some / sizeof *some ? some[k] : "";
        size_t len = k < sizeof some / sizeof *some ? strlen(s) : 1; /* NUL */
        memcpy(p + at, s, len);
        at += len;
    }
    return at;
}

/* Ranges are a partition, and ids go back to the text. */
static void properties(void **state)
{
    static const struct {
        const char *name;
        int whole, round, special;
    } rows[] = {
        {"plain", 1, 1, 1},
        {"ignore_merges", 1, 1, 1},
        {"no regex", 1, 1, 1},
        {"Falcon", 1, 1, 1},
        {"added", 1, 1, 1},
        {"added, lstrip", 1, 0, 1}, /* the space it takes is not decoded */
        {"Digits individual", 1, 1, 1},
        {"Split L3", 1, 1, 1},
        {"Split MergedWithNext 1", 1, 1, 1},
        {"NFKC", 0, 0, 1},
        {"Gemma", 1, 1, 1},
        {"Llama", 1, 1, 0}, /* the space after a special token is added */
    };
    const char *many = getenv("HEED_TEST_STRINGS");
    long n = many ? atol(many) : 1000;
    heed_ctx *ctx = new_ctx();
    json_t *all = golden();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        heed_tokenizer *t = variant(ctx, all, variant_named(all, rows[i].name));
        uint32_t seed = 1 + (uint32_t)i;
        for (long k = 0; k < n; k++) {
            char text[512];
            heed_tokens *x;
            size_t len = random_text(text, &seed);
            heed_encode_options o = {.special = rows[i].special & k};
            assert_int_equal(heed_encode(&x, ctx, t, text, (int64_t)len, &o),
                             HEED_OK);
            check_ranges(x, rows[i].whole);
            if (rows[i].round)
                check_round(ctx, t, x);
            heed_tokens_free(ctx, x);
        }
        heed_tokenizer_free(t);
    }
    json_decref(all);
    heed_ctx_free(ctx);
}

/* Every entry of the vocabulary: its text encodes to ids that decode to it. */
static void entries(void **state)
{
    heed_ctx *ctx = new_ctx();
    heed_tokenizer *t = load(ctx, "plain");
    (void)state;
    for (int32_t id = 0; id < heed_tokenizer_about(t)->n_tokens; id++) {
        heed_tokens *k, *x;
        assert_int_equal(heed_tokens_of(&k, ctx, t, &id, 1), HEED_OK);
        assert_int_equal(heed_encode(&x, ctx, t, k->text, k->text_len, NULL),
                         HEED_OK);
        check_round(ctx, t, x);
        heed_tokens_free(ctx, x);
        heed_tokens_free(ctx, k);
    }
    heed_tokenizer_free(t);
    heed_ctx_free(ctx);
}

static void long_texts(void **state)
{
    static const char *const unit[] = {"a",   " ", "\U0001F600", "\u0301",
                                       "ab ", "<", "\n"};
    enum { N = 1 << 18 };
    heed_ctx *ctx = new_ctx();
    heed_tokenizer *t = load(ctx, "plain"), *nfc = load(ctx, "NFC");
    char *s = malloc(N);
    (void)state;
    assert_non_null(s);
    for (size_t i = 0; i < sizeof unit / sizeof *unit; i++) {
        size_t len = strlen(unit[i]), n = 0;
        for (; n + len <= N; n += len)
            memcpy(s + n, unit[i], len);
        heed_tokens *k;
        assert_int_equal(heed_encode(&k, ctx, t, s, (int64_t)n, NULL), HEED_OK);
        check_ranges(k, 1);
        check_round(ctx, t, k);
        heed_tokens_free(ctx, k);
        assert_int_equal(heed_encode(&k, ctx, nfc, s, (int64_t)n, NULL),
                         HEED_OK);
        check_ranges(k, 0);
        heed_tokens_free(ctx, k);
    }
    free(s);
    heed_tokenizer_free(t);
    heed_tokenizer_free(nfc);
    heed_ctx_free(ctx);
}

/* ---- threads ---- */

typedef struct job {
    const heed_tokenizer *t;
    const json_t *texts, *cases;
    int wrong;
} job;

static void *worker(void *arg)
{
    job *j = arg;
    heed_ctx *ctx;
    heed_encode_options o = {.special = 1, .plain = 1};
    if (heed_ctx_new(&ctx, NULL) != HEED_OK)
        return NULL;
    for (size_t i = 0; i < 20 * json_array_size(j->texts); i++) {
        size_t k = i % json_array_size(j->texts);
        const json_t *text = json_array_get(j->texts, k);
        const json_t *ids = json_array_get(json_array_get(j->cases, k), 0);
        heed_tokens *x;
        if (heed_encode(&x, ctx, j->t, json_string_value(text),
                        (int64_t)json_string_length(text), &o) != HEED_OK) {
            j->wrong++;
            continue;
        }
        j->wrong += (size_t)x->n != json_array_size(ids);
        for (int64_t b = 0; b < x->n && j->wrong == 0; b++)
            j->wrong += x->token[b].id !=
                        json_integer_value(json_array_get(ids, (size_t)b));
        heed_tokens_free(ctx, x);
    }
    heed_ctx_free(ctx);
    return NULL;
}

static void threads(void **state)
{
    static const char *const names[] = {"NFKC", "Split L3", "Llama"};
    heed_ctx *ctx = new_ctx();
    json_t *all = golden();
    (void)state;
    for (int i = 0; i < 3; i++) {
        const json_t *v = variant_named(all, names[i]);
        heed_tokenizer *t = variant(ctx, all, v);
        pthread_t id[8];
        job j[8];
        for (int k = 0; k < 8; k++) {
            j[k] = (job){t, json_object_get(all, "texts"),
                         json_object_get(v, "cases"), 0};
            assert_int_equal(pthread_create(&id[k], NULL, worker, &j[k]), 0);
        }
        for (int k = 0; k < 8; k++) {
            assert_int_equal(pthread_join(id[k], NULL), 0);
            assert_int_equal(j[k].wrong, 0);
        }
        heed_tokenizer_free(t);
    }
    json_decref(all);
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(display), test(no_tokenizer), test(joined),       test(words),
        test(added),   test(configured),   test(ids_of_texts), test(properties),
        test(entries), test(long_texts),   test(threads)};
    RUN(tests);
}
