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

static heed_status slots(heed_tokenizer *t, const heedi_slot *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        HEEDI_TRY(heedi_slots_add(t->ctx, &t->pair, v[i].id, v[i].segment));
    return HEED_OK;
}

heed_status heedi_bert_pair(heed_tokenizer *t, int32_t cls, int32_t sep)
{
    const heedi_slot pair[] = {{cls, 0},
                               {HEEDI_FIRST_TEXT, 0},
                               {sep, 0},
                               {HEEDI_SECOND_TEXT, 1},
                               {sep, 1}};
    return slots(t, pair, 5);
}

static heed_status bert(heed_tokenizer *t, const json_t *j, heedi_ids *front,
                        heedi_ids *back)
{
    HEEDI_TRY(cls_sep(t, j, front, back));
    return heedi_bert_pair(t, front->v[0], back->v[0]);
}

/* It has one segment, and two separators between the texts. */
static heed_status roberta(heed_tokenizer *t, const json_t *j, heedi_ids *front,
                           heedi_ids *back)
{
    HEEDI_TRY(cls_sep(t, j, front, back));
    const heedi_slot pair[] = {{front->v[0], 0},       {HEEDI_FIRST_TEXT, 0},
                               {back->v[0], 0},        {back->v[0], 0},
                               {HEEDI_SECOND_TEXT, 0}, {back->v[0], 0}};
    return slots(t, pair, 6);
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

/* One piece of a template for two texts; counts the texts. */
static heed_status pair_piece(heed_tokenizer *t, const json_t *j,
                              const json_t *x, int texts[2])
{
    const json_t *special = json_object_get(x, "SpecialToken");
    const json_t *text = json_object_get(x, "Sequence");
    const char *name =
        json_string_value(json_object_get(special ? special : text, "id"));
    const json_int_t segment = json_integer_value(
        json_object_get(special ? special : text, "type_id"));
    if (!name || segment < 0 || segment > 255)
        return heedi_fail(t->ctx, HEED_EFORMAT,
                          "post_processor: a piece of the template for a pair "
                          "is no token and no text, or its type_id is not from "
                          "0 to 255");
    if (!special) {
        const bool second = strcmp(name, "B") == 0;
        texts[second]++;
        return heedi_slots_add(t->ctx, &t->pair,
                               second ? HEEDI_SECOND_TEXT : HEEDI_FIRST_TEXT,
                               (int)segment);
    }
    heedi_ids ids = {0};
    heed_status st = template_ids(t, j, name, &ids);
    for (size_t i = 0; st == HEED_OK && i < ids.n; i++)
        st = heedi_slots_add(t->ctx, &t->pair, ids.v[i], (int)segment);
    heedi_free(t->ctx, ids.v);
    return st;
}

/* A template that has not each text once is refused when a pair is encoded:
 * what is meant for one text only is none of our business. */
static heed_status template_pair(heed_tokenizer *t, const json_t *j)
{
    const json_t *list = json_object_get(j, "pair");
    int texts[2] = {0, 0};
    t->pair.n = 0;
    for (size_t i = 0; i < json_array_size(list); i++)
        HEEDI_TRY(pair_piece(t, j, json_array_get(list, i), texts));
    if (texts[0] != 1 || texts[1] != 1)
        t->pair.n = 0;
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
    return template_pair(t, j);
}

static const struct row {
    const char *name;
    heed_status (*read)(heed_tokenizer *, const json_t *, heedi_ids *,
                        heedi_ids *);
} rows[] = {
    {"TemplateProcessing", template},
    {"ByteLevel", byte_level},
    {"RobertaProcessing", roberta},
    {"BertProcessing", bert},
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
