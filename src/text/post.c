/* post.c - post-processors: the ids put before and behind a text. */
#include <string.h>

#include "ctx.h"
#include "fields.h"

static heed_status check_id(heed_tokenizer *t, json_int_t id)
{
    if (id < 0 || id >= t->info.n_tokens || !t->str[id].s)
        return heedi_fail(t->ctx, HEED_EFORMAT,
                          "post_processor: id %lld is no token", (long long)id);
    return HEED_OK;
}

/* The library's result, where two of a Sequence add ids, is not a plain nesting
 * of the two. */
static heed_status add(heed_tokenizer *t, const heedi_ids *before,
                       const heedi_ids *after)
{
    if (t->front.n + t->back.n > 0 && before->n + after->n > 0)
        return heedi_fail(t->ctx, HEED_ENOTSUP,
                          "post_processor: two parts of a Sequence that both "
                          "add tokens are not supported");
    for (size_t i = 0; i < before->n; i++)
        HEEDI_TRY(heedi_ids_add(t->ctx, &t->front, before->v[i]));
    for (size_t i = 0; i < after->n; i++)
        HEEDI_TRY(heedi_ids_add(t->ctx, &t->back, after->v[i]));
    return HEED_OK;
}

/* ["<s>", 0] */
static heed_status pair_id(heed_tokenizer *t, const json_t *j, const char *key,
                           heedi_ids *out)
{
    const json_t *id = json_array_get(json_object_get(j, key), 1);
    if (!json_is_integer(id))
        return heedi_fail(t->ctx, HEED_EFORMAT,
                          "post_processor: \"%s\" is not a text and an id",
                          key);
    HEEDI_TRY(check_id(t, json_integer_value(id)));
    return heedi_ids_add(t->ctx, out, (int32_t)json_integer_value(id));
}

static heed_status cls_sep(heed_tokenizer *t, const json_t *j, heedi_ids *front,
                           heedi_ids *back)
{
    HEEDI_TRY(heedi_field_fields(t->ctx, j, "post_processor",
                                 "sep cls trim_offsets add_prefix_space"));
    HEEDI_TRY(pair_id(t, j, "cls", front));
    return pair_id(t, j, "sep", back);
}

static heed_status byte_level(heed_tokenizer *t, const json_t *j,
                              heedi_ids *front, heedi_ids *back)
{
    (void)front, (void)back;
    return heedi_field_fields(t->ctx, j, "post_processor",
                              "add_prefix_space trim_offsets use_regex");
}

static heed_status template_ids(heed_tokenizer *t, const json_t *j,
                                const char *name, heedi_ids *out)
{
    const json_t *ids = json_object_get(
        json_object_get(json_object_get(j, "special_tokens"), name), "ids");
    if (!json_is_array(ids))
        return heedi_fail(t->ctx, HEED_EFORMAT,
                          "post_processor: the template needs \"%.60s\", which "
                          "special_tokens does not have",
                          name);
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const json_t *id = json_array_get(ids, i);
        HEEDI_TRY(
            check_id(t, json_is_integer(id) ? json_integer_value(id) : -1));
        HEEDI_TRY(heedi_ids_add(t->ctx, out, (int32_t)json_integer_value(id)));
    }
    return HEED_OK;
}

static heed_status template(heed_tokenizer *t, const json_t *j,
                            heedi_ids *front, heedi_ids *back)
{
    const json_t *list = json_object_get(j, "single");
    int texts = 0;
    HEEDI_TRY(heedi_field_fields(t->ctx, j, "post_processor",
                                 "single pair special_tokens"));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *x = json_array_get(list, i);
        const char *name = json_string_value(
            json_object_get(json_object_get(x, "SpecialToken"), "id"));
        texts += json_object_get(x, "Sequence") != NULL;
        if (name)
            HEEDI_TRY(template_ids(t, j, name, texts ? back : front));
        else if (!json_object_get(x, "Sequence"))
            return heedi_fail(t->ctx, HEED_EFORMAT,
                              "post_processor: piece %zu of the template is "
                              "neither Sequence nor SpecialToken",
                              i);
    }
    if (texts != 1)
        return heedi_fail(t->ctx, HEED_ENOTSUP,
                          "post_processor: the template has the text %d times, "
                          "must be once",
                          texts);
    return HEED_OK;
}

static const struct row {
    const char *name;
    heed_status (*read)(heed_tokenizer *, const json_t *, heedi_ids *,
                        heedi_ids *);
} rows[] = {
    {"TemplateProcessing", template},
    {"ByteLevel", byte_level},
    {"RobertaProcessing", cls_sep},
    {"BertProcessing", cls_sep},
};

static heed_status read_one(heed_tokenizer *t, const json_t *j)
{
    const char *type = json_string_value(json_object_get(j, "type"));
    heedi_ids front = {0}, back = {0};
    if (!type)
        return heedi_fail(t->ctx, HEED_EFORMAT,
                          "post_processor: a part without a \"type\"");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].name, type) != 0)
            continue;
        heed_status st = rows[i].read(t, j, &front, &back);
        if (st == HEED_OK)
            st = add(t, &front, &back);
        heedi_free(t->ctx, front.v);
        heedi_free(t->ctx, back.v);
        return st;
    }
    return heedi_fail(t->ctx, HEED_ENOTSUP,
                      "the post_processor \"%.60s\" is not supported", type);
}

heed_status heedi_post_read(heed_tokenizer *t, const json_t *j, int depth)
{
    const char *type = json_string_value(json_object_get(j, "type"));
    if (!j || json_is_null(j))
        return HEED_OK;
    if (!type || strcmp(type, "Sequence") != 0)
        return read_one(t, j);
    const json_t *list = json_object_get(j, "processors");
    if (depth > 64 || !json_is_array(list))
        return heedi_fail(t->ctx, HEED_EFORMAT,
                          "post_processor: \"processors\" is no list, or "
                          "sequences are nested over 64 deep");
    for (size_t i = 0; i < json_array_size(list); i++)
        HEEDI_TRY(heedi_post_read(t, json_array_get(list, i), depth + 1));
    return HEED_OK;
}
