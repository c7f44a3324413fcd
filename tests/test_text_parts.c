/* Every part of a tokenizer.json, against the ids, ranges and decoded texts of
 * the library `tokenizers`: tests/golden/tokenizers/make.py. */
#include "texttest.h"

/* Ranges of the library do not cut characters. */
static int64_t widen(const heed_tokens *k, int64_t at, int step)
{
    while (at > 0 && at < k->text_len && (k->text[at] & 0xC0) == 0x80)
        at += step;
    return at;
}

static int same_ids(const heed_tokens *k, const json_t *ids)
{
    int same = (size_t)k->n == json_array_size(ids);
    for (int64_t i = 0; same && i < k->n; i++)
        same = k->token[i].id ==
               json_integer_value(json_array_get(ids, (size_t)i));
    return same;
}

static int same_ranges(const heed_tokens *k, const json_t *ranges)
{
    for (int64_t i = 0; i < k->n && json_is_array(ranges); i++) {
        const heed_token *t = k->token + i;
        size_t at = 2 * (size_t)i;
        int64_t a = json_integer_value(json_array_get(ranges, at));
        int64_t b = json_integer_value(json_array_get(ranges, at + 1));
        if (t->is_added ? t->byte_start != t->byte_end
                        : a != widen(k, t->byte_start, -1) ||
                              b != widen(k, t->byte_end, 1)) {
            print_error("token %d: [%d, %d) and not [%d, %d)\n", (int)i,
                        (int)t->byte_start, (int)t->byte_end, (int)a, (int)b);
            return 0;
        }
    }
    return 1;
}

static int same_decoded(heed_ctx *ctx, const heed_tokenizer *t,
                        const json_t *ids, const json_t *want)
{
    int32_t id[4096];
    heed_tokens *k;
    size_t n = json_array_size(ids);
    if (!json_is_string(want))
        return 1;
    assert_true(n < 4096);
    for (size_t i = 0; i < n; i++)
        id[i] = (int32_t)json_integer_value(json_array_get(ids, i));
    assert_int_equal(heed_tokens_of(&k, ctx, t, id, (int64_t)n), HEED_OK);
    check_ranges(k, 0);
    int same =
        (size_t)k->text_len == json_string_length(want) &&
        memcmp(k->text, json_string_value(want), (size_t)k->text_len) == 0;
    if (!same)
        print_error("decoded: \"%s\" and not \"%s\"\n", k->text,
                    json_string_value(want));
    heed_tokens_free(ctx, k);
    return same;
}

static int same_segments(const heed_tokens *k, const json_t *want)
{
    int same = 1;
    for (int64_t i = 0; i < k->n; i++)
        same = same && k->token[i].segment ==
                           json_integer_value(json_array_get(want, (size_t)i));
    return same;
}

static int one_case(heed_ctx *ctx, const heed_tokenizer *t, const char *name,
                    const json_t *text, const json_t *want,
                    const heed_encode_options *o)
{
    heed_tokens *k;
    const char *s = json_string_value(text);
    const json_t *ids = json_array_get(want, 0);
    if (heed_encode(&k, ctx, t, s, (int64_t)json_string_length(text), o) !=
        HEED_OK)
        fail_msg("%s", heed_error(ctx));
    if (!o->pair) /* whose second text may come first */
        check_ranges(k, 0);
    int ok = same_ids(k, ids);
    if (!ok) {
        for (int64_t i = 0; i < k->n; i++)
            print_error(" %d", k->token[i].id);
        char *w = json_dumps(ids, JSON_COMPACT);
        print_error(": ids, not %s\n", w);
        free(w);
    }
    ok = ok && same_ranges(k, json_array_get(want, 1)) &&
         same_segments(k, json_array_get(want, 3));
    ok = same_decoded(ctx, t, ids, json_array_get(want, 2)) && ok;
    if (!ok)
        print_error("  %s: \"%s\"\n", name, s);
    heed_tokens_free(ctx, k);
    return ok;
}

static void parts(void **state)
{
    heed_ctx *ctx = new_ctx();
    json_t *all = golden(), *list = json_object_get(all, "variants");
    int wrong = 0, total = 0;
    (void)state;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        heed_encode_options o = {
            .special = json_is_true(json_object_get(v, "special")),
            .plain = json_is_true(json_object_get(v, "plain"))};
        heed_tokenizer *t = variant(ctx, all, v);
        const char *name = json_string_value(json_object_get(v, "name"));
        const char *base = json_string_value(json_object_get(v, "base"));
        const json_t *texts = json_object_get(
            all, strcmp(base, "bert") == 0 ? "bert_texts" : "texts");
        const size_t n = json_array_size(texts);
        for (size_t k = 0; k < n; k++, total++) {
            const json_t *second = json_array_get(texts, (k + 1) % n);
            if (json_is_true(json_object_get(v, "pair"))) {
                o.pair = json_string_value(second);
                o.pair_len = (int64_t)json_string_length(second);
            }
            wrong +=
                !one_case(ctx, t, name, json_array_get(texts, k),
                          json_array_get(json_object_get(v, "cases"), k), &o);
        }
        heed_tokenizer_free(t);
    }
    print_message("%d of %d cases, %zu tokenizers\n", total - wrong, total,
                  json_array_size(list));
    json_decref(all);
    heed_ctx_free(ctx);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(parts)};
    RUN(tests);
}
