/* texttest.h - what the tests of tokenizers share. */
#ifndef TEXTTEST_H
#define TEXTTEST_H

#include <stdlib.h>

#include "testlib.h"
#include "text.h"
#include "tokenizer.h"

/* A whole file; ended by NUL, freed with free(). NULL if there is none. */
static inline char *slurp(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    char *s = malloc((size_t)n + 1);
    assert_non_null(s);
    *len = fread(s, 1, (size_t)n, f);
    s[*len] = '\0';
    fclose(f);
    return s;
}

/* Ranges in order and within the text; if `whole`, they are a partition. */
static inline void check_ranges(const heed_tokens *k, int whole)
{
    int64_t at = 0, start = 0;
    for (int64_t i = 0; i < k->n; i++) {
        const heed_token *t = k->token + i;
        if (t->is_added) {
            assert_true(t->byte_start == t->byte_end);
            continue;
        }
        assert_true(t->byte_start >= start && t->byte_end >= t->byte_start);
        assert_true(t->byte_end <= k->text_len);
        if (whole)
            assert_true(t->byte_start == at);
        start = t->byte_start;
        at = t->byte_end;
    }
    if (whole)
        assert_true(at == k->text_len);
}

/* The ids decode to the text. */
static inline void check_round(heed_ctx *ctx, const heed_tokenizer *t,
                               const heed_tokens *k)
{
    heed_tokens *back;
    int32_t *id = malloc(((size_t)k->n + 1) * sizeof *id);
    assert_non_null(id);
    for (int64_t i = 0; i < k->n; i++)
        id[i] = k->token[i].id;
    assert_int_equal(heed_tokens_of(&back, ctx, t, id, k->n), HEED_OK);
    assert_int_equal(back->text_len, k->text_len);
    assert_memory_equal(back->text, k->text, (size_t)k->text_len);
    heed_tokens_free(ctx, back);
    free(id);
}

/* Trained vocabularies and expected ids: tests/golden/tokenizers/make.py. */
static inline json_t *golden(void)
{
    json_error_t e;
    json_t *j = json_load_file("tests/golden/tokenizers/cases.json",
                               JSON_ALLOW_NUL, &e);
    if (!j)
        fail_msg("%s", e.text);
    return j;
}

static inline json_t *variant_json(const json_t *all, const json_t *v)
{
    json_t *j = json_deep_copy(
        json_object_get(json_object_get(all, "base"),
                        json_string_value(json_object_get(v, "base"))));
    json_object_update(j, json_object_get(v, "parts"));
    json_object_update(json_object_get(j, "model"),
                       json_object_get(v, "model"));
    return j;
}

static inline heed_tokenizer *variant(heed_ctx *ctx, const json_t *all,
                                      const json_t *v)
{
    heed_tokenizer *t;
    json_t *j = variant_json(all, v);
    char *s = json_dumps(j, 0);
    if (heedi_tokenizer_from_text(&t, ctx, "cases.json",
                                  (heedi_str){s, strlen(s)}) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    free(s);
    json_decref(j);
    return t;
}

static inline const json_t *variant_named(const json_t *all, const char *name)
{
    const json_t *list = json_object_get(all, "variants");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        if (strcmp(json_string_value(json_object_get(v, "name")), name) == 0)
            return v;
    }
    fail_msg("no variant %s", name);
    return NULL;
}

#endif
