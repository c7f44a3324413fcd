/* from_json.c - a tokenizer from a tokenizer.json. */
#include <stdio.h>
#include <string.h>

#include "ctx.h"
#include "fields.h"
#include "json_error.h"
#include "utf8.h"

enum { TOKEN_MAX = 1 << 16 };

static const struct model {
    const char *type;
    const char *field; /* that only it has: files of 2020 do not say the type */
    const heedi_model_kind *kind;
    heed_status (*read)(heed_tokenizer *t, const json_t *j);
} models[] = {
    {"BPE", "merges", &heedi_bpe, heedi_bpe_read},
    {"WordPiece", "max_input_chars_per_word", &heedi_wordpiece,
     heedi_wordpiece_read},
};

static heed_status find_model(heed_tokenizer *t, const json_t *j,
                              const struct model **out)
{
    const char *type = json_string_value(json_object_get(j, "type"));
    *out = NULL;
    if (!json_is_object(j))
        return heedi_fail(t->ctx, HEED_EFORMAT, "there is no \"model\"");
    for (size_t i = 0; i < sizeof models / sizeof *models && !*out; i++)
        if (type ? strcmp(type, models[i].type) == 0
                 : json_object_get(j, models[i].field) != NULL)
            *out = &models[i];
    if (!*out)
        return heedi_fail(t->ctx, HEED_ENOTSUP,
                          "the model \"%.60s\" is not supported",
                          type ? type : "(without a type)");
    t->model.kind = (*out)->kind;
    if (!json_is_object(json_object_get(j, "vocab")))
        return heedi_fail(t->ctx, HEED_EFORMAT,
                          "model: \"vocab\" is not an object");
    return HEED_OK;
}

static heed_status check_token(heed_ctx *ctx, const char *s, size_t len,
                               const json_t *id)
{
    json_int_t v = json_integer_value(id);
    if (!json_is_integer(id))
        return heedi_fail(ctx, HEED_EFORMAT,
                          "the id of the token \"%.60s\" is not an integer", s);
    if (v < 0 || v >= INT32_MAX)
        return heedi_fail(ctx, HEED_EFORMAT,
                          "the id of the token \"%.60s\" is %lld, must be from "
                          "0 to 2147483646",
                          s, (long long)v);
    if (len > TOKEN_MAX)
        return heedi_fail(ctx, HEED_EFORMAT,
                          "token %lld is %zu bytes long, must be at most %d",
                          (long long)v, len, TOKEN_MAX);
    return HEED_OK;
}

/* Bounds of the ids, before there is memory for them. */
static heed_status count(heed_tokenizer *t, json_t *vocab, const json_t *added)
{
    size_t n = json_object_size(vocab), most = 0;
    for (void *i = json_object_iter(vocab); i;
         i = json_object_iter_next(vocab, i)) {
        const json_t *id = json_object_iter_value(i);
        HEEDI_TRY(check_token(t->ctx, json_object_iter_key(i),
                              json_object_iter_key_len(i), id));
        size_t v = (size_t)json_integer_value(id) + 1;
        most = v > most ? v : most;
    }
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *a = json_array_get(added, i);
        const json_t *text = json_object_get(a, "content");
        if (!json_is_string(text))
            return heedi_fail(t->ctx, HEED_EFORMAT,
                              "added_tokens: \"content\" of entry %zu is not a "
                              "string",
                              i);
        HEEDI_TRY(check_token(t->ctx, json_string_value(text),
                              json_string_length(text),
                              json_object_get(a, "id")));
        size_t v = (size_t)json_integer_value(json_object_get(a, "id")) + 1;
        most = v > most ? v : most;
    }
    n += json_array_size(added);
    if (most > 4 * n + 65536)
        return heedi_fail(t->ctx, HEED_EFORMAT,
                          "the greatest id is %zu, but there are only %zu "
                          "tokens",
                          most - 1, n);
    return heedi_tokenizer_room(t, most);
}

static heed_status read_vocab(heed_tokenizer *t, json_t *vocab)
{
    size_t bytes = 0;
    for (void *i = json_object_iter(vocab); i;
         i = json_object_iter_next(vocab, i))
        bytes += json_object_iter_key_len(i) + 1;
    char *p = heedi_arena_alloc(&t->arena, bytes);
    if (!p)
        return HEED_ENOMEM;
    HEEDI_TRY(heedi_names_init(&t->model.names, &t->arena, t->str,
                               json_object_size(vocab)));
    for (void *i = json_object_iter(vocab); i;
         i = json_object_iter_next(vocab, i)) {
        int32_t id = (int32_t)json_integer_value(json_object_iter_value(i));
        size_t n = json_object_iter_key_len(i);
        memcpy(p, json_object_iter_key(i), n);
        if (t->str[id].s)
            return heedi_fail(t->ctx, HEED_EFORMAT,
                              "id %d is of two tokens, \"%.60s\" and \"%.60s\"",
                              id, t->str[id].s, p);
        t->str[id] = (heedi_str){p, n};
        t->flag[id] = HEEDI_IN_MODEL;
        heedi_names_add(&t->model.names, id);
        p += n + 1;
    }
    return HEED_OK;
}

static heed_status read_one_added(heed_tokenizer *t, const json_t *j,
                                  heedi_added *a)
{
    const char *where = "added_tokens";
    heed_ctx *ctx = t->ctx;
    heedi_str s = {0};
    HEEDI_TRY(heedi_field_fields(ctx, j, where,
                                 "id content single_word lstrip rstrip "
                                 "normalized special"));
    HEEDI_TRY(heedi_field_str(ctx, j, where, "content", &s));
    HEEDI_TRY(heedi_field_int(ctx, j, where, "id", &a->id));
    HEEDI_TRY(heedi_field_bool(ctx, j, where, "special", &a->special));
    a->normalized = !a->special;
    HEEDI_TRY(heedi_field_bool(ctx, j, where, "normalized", &a->normalized));
    HEEDI_TRY(heedi_field_bool(ctx, j, where, "lstrip", &a->lstrip));
    HEEDI_TRY(heedi_field_bool(ctx, j, where, "rstrip", &a->rstrip));
    HEEDI_TRY(heedi_field_bool(ctx, j, where, "single_word", &a->single_word));
    HEEDI_TRY(heedi_str_copy(t, &a->text, s.s, s.len));
    heedi_str *old = t->str + a->id;
    if ((t->flag[a->id] & HEEDI_ADDED) &&
        (old->len != s.len || memcmp(old->s, s.s, s.len) != 0))
        return heedi_fail(ctx, HEED_EFORMAT,
                          "id %d is of two added tokens, \"%.60s\" and "
                          "\"%.60s\"",
                          a->id, old->s, s.s);
    /* the model looks names up in t->str: one it has stays as it is */
    if (!(t->flag[a->id] & HEEDI_IN_MODEL))
        *old = a->text;
    else if (old->len != s.len || memcmp(old->s, s.s, s.len) != 0)
        return heedi_fail(ctx, HEED_EFORMAT,
                          "id %d is \"%.60s\" in the vocabulary and \"%.60s\" "
                          "in added_tokens",
                          a->id, old->s, s.s);
    t->flag[a->id] |= HEEDI_ADDED | (a->special ? HEEDI_SPECIAL : 0);
    return HEED_OK;
}

static heed_status read_added(heed_tokenizer *t, const json_t *list)
{
    size_t n = json_array_size(list);
    if (list && !json_is_array(list) && !json_is_null(list))
        return heedi_fail(t->ctx, HEED_EFORMAT,
                          "\"added_tokens\" is not a list");
    t->added = heedi_arena_alloc(&t->arena, n * sizeof *t->added);
    if (!t->added)
        return HEED_ENOMEM;
    for (size_t i = 0; i < n; i++)
        HEEDI_TRY(read_one_added(t, json_array_get(list, i), t->added + i));
    t->n_added = n;
    return HEED_OK;
}

static void note_gaps(heed_tokenizer *t)
{
    int64_t gaps = 0;
    for (int64_t i = 0; i < t->info.n_tokens; i++)
        gaps += !t->str[i].s;
    if (gaps)
        heedi_warn(t->ctx, "%s: %lld ids below %lld have no token",
                   t->info.path, (long long)gaps, (long long)t->info.n_tokens);
}

/* The types of the pre-tokenizer, as the file names them. */
static heed_status describe(heed_tokenizer *t)
{
    char buf[256] = "";
    size_t at = 0;
    heedi_str s;
    for (size_t i = 0; i < t->pre.n && at < sizeof buf; i++)
        at += (size_t)snprintf(buf + at, sizeof buf - at, "%s%s", i ? ", " : "",
                               t->pre.v[i].part->name);
    HEEDI_TRY(heedi_str_copy(t, &s, buf, strlen(buf)));
    t->info.pre = s.s;
    t->info.kind = t->model.byte_mode       ? "byte-level BPE"
                   : t->model.byte_fallback ? "BPE with byte fallback"
                                            : t->model.kind->name;
    return HEED_OK;
}

static heed_status build(heed_tokenizer *t, json_t *j)
{
    heed_ctx *ctx = t->ctx;
    json_t *model = json_object_get(j, "model");
    HEEDI_TRY(heedi_field_fields(ctx, j, "the file",
                                 "version truncation padding added_tokens "
                                 "normalizer pre_tokenizer post_processor "
                                 "decoder model"));
    static const char *const ignored[] = {"truncation", "padding"};
    for (int i = 0; i < 2; i++)
        if (json_is_object(json_object_get(j, ignored[i])))
            heedi_warn(ctx, "%s: \"%s\" is ignored", t->info.path, ignored[i]);
    const struct model *kind = NULL;
    HEEDI_TRY(find_model(t, model, &kind));
    json_t *vocab = json_object_get(model, "vocab");
    const json_t *added = json_object_get(j, "added_tokens");
    const json_t *decoder = json_object_get(j, "decoder");
    HEEDI_TRY(count(t, vocab, added));
    HEEDI_TRY(read_vocab(t, vocab));
    HEEDI_TRY(read_added(t, added));
    note_gaps(t);
    HEEDI_TRY(heedi_parts_read(t, &t->normalizer, heedi_normalizers,
                               json_object_get(j, "normalizer"), "normalizer",
                               "normalizers"));
    HEEDI_TRY(heedi_parts_read(t, &t->pre, heedi_pre_tokenizers,
                               json_object_get(j, "pre_tokenizer"),
                               "pre-tokenizer", "pretokenizers"));
    HEEDI_TRY(heedi_parts_read(t, &t->decoder, heedi_decoders, decoder,
                               "decoder", "decoders"));
    t->decoder_given = json_is_object(decoder);
    HEEDI_TRY(heedi_post_read(t, json_object_get(j, "post_processor"), 0));
    HEEDI_TRY(kind->read(t, model));
    HEEDI_TRY(heedi_added_build(t));
    return describe(t);
}

static heed_status parse(json_t **out, heed_ctx *ctx, FILE *f,
                         const heedi_str *text)
{
    json_error_t e;
    size_t flags = JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES;
    *out = f ? json_loadf(f, flags, &e)
             : json_loadb(text->s, text->len, flags, &e);
    if (*out)
        return HEED_OK;
    if (f && ferror(f))
        return heedi_fail(ctx, HEED_EIO, "the file could not be read");
    return heedi_json_fail(ctx, "", &e);
}

heed_status heedi_tokenizer_from_tree(heed_tokenizer **out, heed_ctx *ctx,
                                      const char *path, json_t *j, bool config)
{
    heed_tokenizer *t;
    *out = NULL;
    heed_status st = heedi_tokenizer_new(&t, ctx, path);
    if (st == HEED_OK)
        st = build(t, j);
    if (st == HEED_OK && config)
        st = heedi_config_read(t, path);
    if (st != HEED_OK) {
        heed_tokenizer_free(t);
        return heedi_fail_in(ctx, st, path);
    }
    *out = t;
    return HEED_OK;
}

/* From an open file, or from text. */
static heed_status from(heed_tokenizer **out, heed_ctx *ctx, const char *path,
                        FILE *f, const heedi_str *text)
{
    json_t *j;
    *out = NULL;
    heed_status st = parse(&j, ctx, f, text);
    st = st == HEED_OK ? heedi_tokenizer_from_tree(out, ctx, path, j, f != NULL)
                       : heedi_fail_in(ctx, st, path);
    json_decref(j);
    return st;
}

heed_status heedi_tokenizer_from_json(heed_tokenizer **out, heed_ctx *ctx,
                                      const char *path)
{
    FILE *f;
    *out = NULL;
    HEEDI_TRY(heedi_file_of(&f, ctx, path));
    heed_status st = from(out, ctx, path, f, NULL);
    fclose(f);
    return st;
}

heed_status heedi_tokenizer_from_text(heed_tokenizer **out, heed_ctx *ctx,
                                      const char *path, heedi_str text)
{
    return from(out, ctx, path, NULL, &text);
}
