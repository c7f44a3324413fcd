/* from_txt.c - a tokenizer from the vocab.txt of a BERT: the tokenizer.json
 * that it stands for is made, and read. */
#include <string.h>

#include "ctx.h"
#include "fields.h"
#include "utf8.h"

enum { CLS, SEP, UNK, PAD, MASK, N_SPECIAL };
static const char *const keys[N_SPECIAL] = {
    "cls_token", "sep_token", "unk_token", "pad_token", "mask_token"};
static const char *const usual[N_SPECIAL] = {"[CLS]", "[SEP]", "[UNK]", "[PAD]",
                                             "[MASK]"};

/* What the files beside the vocabulary say; names are borrowed from them. */
typedef struct settings {
    json_t *config, *map; /* NULL: there is none */
    const char *name[N_SPECIAL];
    bool lower, ideographs;
    json_t *strip; /* true, false or null; borrowed */
} settings;

/* The token of each line to its number; of equal lines the last one counts. */
static heed_status read_lines(json_t *vocab, heed_ctx *ctx, const char *s,
                              size_t n)
{
    json_int_t id = 0;
    size_t bad = heedi_utf8_check(s, n);
    if (bad < n)
        return heedi_fail(ctx, HEED_EFORMAT, "byte %zu is no valid UTF-8", bad);
    for (size_t i = 0, end; i < n; i = end + 1, id++) {
        const char *nl = memchr(s + i, '\n', n - i);
        end = nl ? (size_t)(nl - s) : n;
        size_t len = end - i - (end > i && s[end - 1] == '\r');
        if (json_object_setn_new(vocab, s + i, len, json_integer(id)) != 0)
            return heedi_fail(ctx, HEED_ENOMEM, "no memory for the tokens");
    }
    return HEED_OK;
}

/* The classes of transformers that read a vocab.txt in BERT's way. */
static heed_status check_class(heed_ctx *ctx, const settings *s)
{
    static const char *const known[] = {"Bert", "DistilBert", "MobileBert",
                                        "Electra"};
    const json_t *j = json_object_get(s->config, "tokenizer_class");
    const char *name = json_string_value(j);
    if (!name)
        return HEED_OK;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t n = strlen(known[i]);
        if (strncmp(name, known[i], n) == 0 &&
            (strcmp(name + n, "Tokenizer") == 0 ||
             strcmp(name + n, "TokenizerFast") == 0))
            return HEED_OK;
    }
    return heedi_fail(ctx, HEED_ENOTSUP,
                      "the tokenizer_class \"%.60s\" is not supported", name);
}

static heed_status read_settings(settings *s, heed_ctx *ctx, const char *path)
{
    const char *where = "tokenizer_config.json";
    json_t *added;
    bool basic = true;
    HEEDI_TRY(heedi_json_beside(&s->map, ctx, path, "special_tokens_map.json"));
    HEEDI_TRY(heedi_json_beside(&s->config, ctx, path, where));
    HEEDI_TRY(heedi_json_beside(&added, ctx, path, "added_tokens.json"));
    if (json_object_size(added) > 0) {
        json_decref(added);
        return heedi_fail(ctx, HEED_ENOTSUP,
                          "added_tokens.json is not read; save the tokenizer "
                          "as tokenizer.json");
    }
    json_decref(added);
    HEEDI_TRY(check_class(ctx, s));
    for (int i = 0; i < N_SPECIAL; i++) {
        const json_t *c = heedi_special_text(s->config, keys[i]);
        const json_t *m = heedi_special_text(s->map, keys[i]);
        s->name[i] = c   ? json_string_value(c)
                     : m ? json_string_value(m)
                         : usual[i];
    }
    s->lower = s->ideographs = true;
    HEEDI_TRY(
        heedi_field_bool(ctx, s->config, where, "do_lower_case", &s->lower));
    HEEDI_TRY(heedi_field_bool(ctx, s->config, where, "tokenize_chinese_chars",
                               &s->ideographs));
    HEEDI_TRY(
        heedi_field_bool(ctx, s->config, where, "do_basic_tokenize", &basic));
    if (!basic || json_array_size(json_object_get(s->config, "never_split")))
        return heedi_fail(ctx, HEED_ENOTSUP,
                          "%s: do_basic_tokenize false and never_split are not "
                          "supported",
                          where);
    s->strip = json_object_get(s->config, "strip_accents");
    return HEED_OK;
}

/* Special tokens that the vocabulary has. */
static json_t *added_tokens(const settings *s, const json_t *vocab)
{
    json_t *list = json_array();
    for (int i = 0; i < N_SPECIAL; i++) {
        json_t *id = json_object_get(vocab, s->name[i]);
        if (id)
            json_array_append_new(
                list, json_pack("{s:O, s:s, s:b, s:b}", "id", id, "content",
                                s->name[i], "special", 1, "normalized", 0));
    }
    return list;
}

static json_t *tree_of(const settings *s, json_t *vocab)
{
    json_t *strip = s->strip ? json_incref(s->strip) : json_null();
    return json_pack(
        "{s:o, s:{s:s, s:b, s:o, s:b}, s:{s:s}, s:{s:s, s:[s, O], s:[s, O]},"
        " s:{s:s}, s:{s:s, s:O, s:s}}",
        "added_tokens", added_tokens(s, vocab), "normalizer", "type",
        "BertNormalizer", "handle_chinese_chars", s->ideographs,
        "strip_accents", strip, "lowercase", s->lower, "pre_tokenizer", "type",
        "BertPreTokenizer", "post_processor", "type", "BertProcessing", "cls",
        s->name[CLS], json_object_get(vocab, s->name[CLS]), "sep", s->name[SEP],
        json_object_get(vocab, s->name[SEP]), "decoder", "type", "WordPiece",
        "model", "type", "WordPiece", "vocab", vocab, "unk_token",
        s->name[UNK]);
}

static heed_status make_tree(json_t **out, settings *s, json_t *vocab,
                             heed_ctx *ctx, const char *path, heedi_str text)
{
    HEEDI_TRY(read_lines(vocab, ctx, text.s, text.len));
    HEEDI_TRY(read_settings(s, ctx, path));
    for (int i = CLS; i <= UNK; i++)
        if (!json_object_get(vocab, s->name[i]))
            return heedi_fail(ctx, HEED_EFORMAT,
                              "the %s \"%.60s\" is not in the vocabulary",
                              keys[i], s->name[i]);
    *out = tree_of(s, vocab);
    return *out ? HEED_OK
                : heedi_fail(ctx, HEED_ENOMEM, "no memory for the tokenizer");
}

static heed_status from_bert(heed_tokenizer **out, heed_ctx *ctx,
                             const char *path, heedi_str text)
{
    settings s = {0};
    json_t *vocab = json_object(), *tree = NULL;
    heed_status st = make_tree(&tree, &s, vocab, ctx, path, text);
    st = st == HEED_OK ? heedi_tokenizer_from_tree(out, ctx, path, tree, true)
                       : heedi_fail_in(ctx, st, path);
    json_decref(tree);
    json_decref(vocab);
    json_decref(s.config);
    json_decref(s.map);
    return st;
}

heed_status heedi_tokenizer_from_txt(heed_tokenizer **out, heed_ctx *ctx,
                                     const char *path)
{
    char *s;
    size_t n;
    *out = NULL;
    heed_status st = heedi_text_of(&s, &n, ctx, path);
    if (st != HEED_OK)
        st = heedi_fail_in(ctx, st, path);
    else
        st = (heedi_world_is(s, n) ? heedi_tokenizer_from_lines : from_bert)(
            out, ctx, path, (heedi_str){s, n});
    heedi_free(ctx, s);
    return st;
}
