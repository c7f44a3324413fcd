/* bpe_read.c - the model "BPE" of a tokenizer.json. */
#include <string.h>

#include "ctx.h"
#include "fields.h"

static heed_status read_merge(heed_tokenizer *t, size_t rank, const json_t *j)
{
    heedi_str left = {0}, right = {0};
    const char *s = json_string_value(j);
    if (s) {
        size_t n = json_string_length(j);
        const char *cut = memchr(s, ' ', n);
        if (cut) {
            left = (heedi_str){s, (size_t)(cut - s)};
            right = (heedi_str){cut + 1, n - left.len - 1};
        }
        if (!cut || memchr(right.s, ' ', right.len))
            left.s = NULL;
    } else if (json_array_size(j) == 2) {
        const json_t *a = json_array_get(j, 0), *b = json_array_get(j, 1);
        left = (heedi_str){json_string_value(a), json_string_length(a)};
        right = (heedi_str){json_string_value(b), json_string_length(b)};
    }
    if (!left.s || !right.s)
        return heedi_fail(t->ctx, HEED_EFORMAT,
                          "merge %zu is neither \"left right\" nor a pair of "
                          "strings",
                          rank);
    return heedi_bpe_merge(t, rank, left, right);
}

static heed_status read_dropout(heed_tokenizer *t, const json_t *j)
{
    const json_t *x = json_object_get(j, "dropout");
    if (!x || json_is_null(x) ||
        (json_is_number(x) && !(json_number_value(x) > 0)))
        return HEED_OK;
    return heedi_fail(t->ctx, HEED_ENOTSUP,
                      "model: \"dropout\" other than 0 is not supported");
}

heed_status heedi_bpe_read(heed_tokenizer *t, const json_t *j)
{
    heedi_model *m = &t->model;
    heed_ctx *ctx = t->ctx;
    const json_t *merges = json_object_get(j, "merges");
    heedi_str unk = {0};
    HEEDI_TRY(heedi_field_fields(ctx, j, "model",
                                 "dropout unk_token continuing_subword_prefix "
                                 "end_of_word_suffix fuse_unk byte_fallback "
                                 "ignore_merges vocab merges"));
    HEEDI_TRY(read_dropout(t, j));
    HEEDI_TRY(heedi_field_bool(ctx, j, "model", "fuse_unk", &m->fuse_unk));
    HEEDI_TRY(
        heedi_field_bool(ctx, j, "model", "byte_fallback", &m->byte_fallback));
    HEEDI_TRY(
        heedi_field_bool(ctx, j, "model", "ignore_merges", &m->ignore_merges));
    heedi_str affix = {0};
    HEEDI_TRY(
        heedi_field_str(ctx, j, "model", "continuing_subword_prefix", &affix));
    if (affix.s)
        HEEDI_TRY(heedi_str_copy(t, &m->prefix, affix.s, affix.len));
    affix = (heedi_str){0};
    HEEDI_TRY(heedi_field_str(ctx, j, "model", "end_of_word_suffix", &affix));
    if (affix.s)
        HEEDI_TRY(heedi_str_copy(t, &m->suffix, affix.s, affix.len));
    HEEDI_TRY(heedi_field_str(ctx, j, "model", "unk_token", &unk));
    if (unk.s && (m->unk = heedi_names_get(&m->names, unk.s, unk.len)) < 0)
        return heedi_fail(ctx, HEED_EFORMAT,
                          "model: the unk_token \"%.60s\" is not in the "
                          "vocabulary",
                          unk.s);
    if (!json_is_array(merges))
        return heedi_fail(ctx, HEED_EFORMAT, "model: \"merges\" is no list");
    HEEDI_TRY(heedi_bpe_room(t, json_array_size(merges)));
    for (size_t i = 0; i < json_array_size(merges); i++)
        HEEDI_TRY(read_merge(t, i, json_array_get(merges, i)));
    return heedi_bpe_finish(t);
}
