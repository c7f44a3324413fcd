/* from_vocab.c - a tokenizer from the vocabulary of a GGUF file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctx.h"
#include "tokenizer.h"
#include "utf8.h"

enum {
    UNDEFINED,
    NORMAL,
    UNKNOWN,
    CONTROL,
    USER,
    UNUSED,
    BYTE,
    TOKEN_MAX = 1 << 16
};

/* ---- pre-tokenizers, which the file only names ---- */

#define GPT2                                                            \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+" \
    "|\\s+(?!\\S)|\\s+"
#define LLAMA3_WITH(digits)                                              \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LLAMA3 LLAMA3_WITH("\\p{N}{1,3}")
#define QWEN2  LLAMA3_WITH("\\p{N}")
#define CJK    "[\\x{4E00}-\\x{9FA5}\\x{0800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]+"

static const struct pre {
    const char *names; /* each between spaces; "jina-*": all that begin so */
    const char *pattern[6];
    bool ignore_merges, adds_bos; /* unless the file says otherwise */
} pres[] = {
    {"gpt-2 mpt olmo jais phi-2 roberta-bpe jina-*", {GPT2}, false, false},
    {"starcoder refact command-r smollm codeshell exaone minerva-7b",
     {"\\p{N}", GPT2},
     false,
     false},
    {"falcon",
     {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"},
     false,
     false},
    {"deepseek-coder",
     {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", CJK, "\\p{N}"},
     false,
     false},
    {"deepseek-llm",
     {"[\\r\\n]", "\\s?[\\p{Lu}\\p{Ll}\\p{Lt}]+",
      "\\s?[!-/:-~\\x{FF01}-\\x{FF0F}\\x{FF1A}-\\x{FF5E}\\x{2018}-\\x{201F}"
      "\\x{3000}-\\x{3002}]+",
      "\\s+$", CJK, "\\p{N}+"},
     false,
     false},
    {"bloom poro-chat gpt3-finnish",
     {" ?[^(\\s|.,!?\\x{2026}\\x{3002}\\x{FF0C}\\x{3001}\\x{0964}\\x{06D4}"
      "\\x{060C})]+"},
     false,
     false},
    {"llama-bpe llama3 llama-v3 falcon3", {LLAMA3}, true, true},
    {"dbrx smaug-bpe chatglm-bpe", {LLAMA3}, false, false},
    {"qwen2 deepseek-r1-qwen stablelm2 megrez", {QWEN2}, false, false},
};

static bool named(const char *names, const char *name)
{
    for (size_t n; *names; names += n + (names[n] == ' ')) {
        n = strcspn(names, " ");
        if (names[n - 1] == '*'
                ? strncmp(names, name, n - 1) == 0
                : n == strlen(name) && strncmp(names, name, n) == 0)
            return true;
    }
    return false;
}

static heed_status split(heed_tokenizer *t, const char *pattern)
{
    heedi_step s = {.part = heedi_part_named(heedi_pre_tokenizers, "Split")};
    HEEDI_TRY(heedi_regex_new(&s.re, t->ctx, pattern, strlen(pattern)));
    return heedi_steps_add(t, &t->pre, s);
}

static heed_status byte_level(heed_tokenizer *t)
{
    heedi_step pre = {.part =
                          heedi_part_named(heedi_pre_tokenizers, "ByteLevel")};
    heedi_step decoder = {.part =
                              heedi_part_named(heedi_decoders, "ByteLevel")};
    t->decoder_given = true;
    HEEDI_TRY(heedi_steps_add(t, &t->pre, pre));
    return heedi_steps_add(t, &t->decoder, decoder);
}

static heed_status set_pre(heed_tokenizer *t, const heedi_vocab *v, bool *bos)
{
    heedi_str name;
    if (!v->pre)
        return heedi_fail(t->ctx, HEED_ENOTSUP,
                          "the file does not name its pre-tokenizer "
                          "(tokenizer.ggml.pre); give the tokenizer with "
                          "--tokenizer FILE");
    for (size_t i = 0; i < sizeof pres / sizeof *pres; i++) {
        const struct pre *p = pres + i;
        if (!named(p->names, v->pre))
            continue;
        for (int k = 0; k < 6 && p->pattern[k]; k++)
            HEEDI_TRY(split(t, p->pattern[k]));
        t->model.ignore_merges = p->ignore_merges;
        *bos = p->adds_bos;
        HEEDI_TRY(heedi_str_copy(t, &name, v->pre, strlen(v->pre)));
        t->info.pre = name.s;
        return byte_level(t);
    }
    return heedi_fail(t->ctx, HEED_ENOTSUP,
                      "the pre-tokenizer \"%.60s\" is not supported; give the "
                      "tokenizer with --tokenizer FILE",
                      v->pre);
}

/* ---- tokens ---- */

/* "[PAD50277]" with its own id fills up the embedding. */
static bool is_filler(heedi_str s, int64_t id)
{
    char buf[32];
    int n = snprintf(buf, sizeof buf, "[PAD%lld]", (long long)id);
    return s.len == (size_t)n && memcmp(s.s, buf, s.len) == 0;
}

static int32_t type_of(const heedi_vocab *v, int64_t i)
{
    return v->type ? v->type[i] : NORMAL;
}

static heed_status read_tokens(heed_tokenizer *t, const heedi_vocab *v)
{
    /* by type: what the model may produce, and what is found in the text */
    static const uint8_t flags[] = {[UNDEFINED] = HEEDI_IN_MODEL,
                                    [NORMAL] = HEEDI_IN_MODEL,
                                    [UNKNOWN] = HEEDI_SPECIAL,
                                    [CONTROL] = HEEDI_ADDED | HEEDI_SPECIAL,
                                    [USER] = HEEDI_IN_MODEL | HEEDI_ADDED,
                                    [UNUSED] = HEEDI_IN_MODEL,
                                    [BYTE] = HEEDI_BYTE};
    size_t bytes = 0;
    if (v->n <= 0 || v->n >= INT32_MAX)
        return heedi_fail(t->ctx, HEED_EFORMAT, "%lld tokens", (long long)v->n);
    for (int64_t i = 0; i < v->n; i++) {
        if (v->token[i].len > TOKEN_MAX)
            return heedi_fail(t->ctx, HEED_EFORMAT,
                              "token %lld is %zu bytes long, must be at most "
                              "%d",
                              (long long)i, v->token[i].len, TOKEN_MAX);
        bytes += v->token[i].len + 1;
    }
    HEEDI_TRY(heedi_tokenizer_room(t, (size_t)v->n));
    char *p = heedi_arena_alloc(&t->arena, bytes);
    if (!p)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < v->n; i++) {
        int32_t type = type_of(v, i);
        if (type < UNDEFINED || type > BYTE)
            return heedi_fail(t->ctx, HEED_EFORMAT,
                              "token %lld has the type %d, must be from 0 to 6",
                              (long long)i, type);
        if (v->token[i].len)
            memcpy(p, v->token[i].s, v->token[i].len);
        t->str[i] = (heedi_str){p, v->token[i].len};
        t->flag[i] = is_filler(v->token[i], i) ? HEEDI_FILLER : flags[type];
        p += v->token[i].len + 1;
    }
    return HEED_OK;
}

static heed_status add_added(heed_tokenizer *t)
{
    size_t n = 0;
    for (int64_t i = 0; i < t->info.n_tokens; i++)
        n += (t->flag[i] & HEEDI_ADDED) != 0;
    t->added = heedi_arena_alloc(&t->arena, n * sizeof *t->added);
    if (!t->added)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < t->info.n_tokens; i++)
        if (t->flag[i] & HEEDI_ADDED)
            t->added[t->n_added++] =
                (heedi_added){.text = t->str[i],
                              .id = (int32_t)i,
                              .special = (t->flag[i] & HEEDI_SPECIAL) != 0};
    return heedi_added_build(t);
}

/* bos and eos: whether they are added, unless the file says. */
static heed_status set_special(heed_tokenizer *t, const heedi_vocab *v,
                               bool bos, bool eos)
{
    const struct {
        const char *name;
        int32_t id, *to;
    } ids[] = {{"bos", v->bos, &t->info.bos},
               {"eos", v->eos, &t->info.eos},
               {"padding", v->pad, &t->info.pad},
               {"unknown", v->unk, &t->model.unk}};
    for (int i = 0; i < 4; i++) {
        if (ids[i].id >= t->info.n_tokens)
            return heedi_fail(t->ctx, HEED_EFORMAT,
                              "%s_token_id is %d, but there are %lld tokens",
                              ids[i].name, ids[i].id,
                              (long long)t->info.n_tokens);
        *ids[i].to = ids[i].id < 0 ? -1 : ids[i].id;
    }
    bos = v->add_bos < 0 ? bos : v->add_bos != 0;
    eos = v->add_eos < 0 ? eos : v->add_eos != 0;
    HEEDI_TRY(heedi_set_front(t, t->info.bos, bos));
    HEEDI_TRY(heedi_set_back(t, t->info.eos, eos));
    heedi_config_done(t);
    return HEED_OK;
}

/* A complete tokenizer.json; the file's own keys name what it does not. */
static heed_status build_whole(heed_tokenizer *t, const heedi_vocab *v)
{
    int32_t unk = t->model.unk;
    heedi_config_done(t);
    heedi_vocab w = *v;
    w.bos = v->bos < 0 ? t->info.bos : v->bos;
    w.eos = v->eos < 0 ? t->info.eos : v->eos;
    heed_status st = set_special(t, &w, t->info.adds_bos, t->info.adds_eos);
    t->model.unk = unk;
    return st;
}

static heed_status add_names(heed_tokenizer *t)
{
    HEEDI_TRY(heedi_names_init(&t->model.names, &t->arena, t->str,
                               (size_t)t->info.n_tokens));
    for (int64_t i = 0; i < t->info.n_tokens; i++)
        if (t->flag[i] & (HEEDI_IN_MODEL | HEEDI_ADDED))
            heedi_names_add(&t->model.names, (int32_t)i);
    return HEED_OK;
}

/* ---- the algorithms ---- */

static heed_status merge(heed_tokenizer *t, size_t rank, heedi_str s)
{
    const char *cut = s.len ? memchr(s.s, ' ', s.len) : NULL;
    if (!cut)
        return heedi_fail(t->ctx, HEED_EFORMAT,
                          "merge %zu has no space between its two tokens",
                          rank);
    size_t n = (size_t)(cut - s.s);
    return heedi_bpe_merge(t, rank, (heedi_str){s.s, n},
                           (heedi_str){cut + 1, s.len - n - 1});
}

static heed_status build_gpt2(heed_tokenizer *t, const heedi_vocab *v)
{
    bool bos = false;
    t->model.kind = &heedi_bpe;
    t->info.kind = "byte-level BPE";
    HEEDI_TRY(set_pre(t, v, &bos));
    HEEDI_TRY(add_names(t));
    if (v->n_merges < 0 || v->n_merges >= INT32_MAX)
        return heedi_fail(t->ctx, HEED_EFORMAT, "%lld merges",
                          (long long)v->n_merges);
    HEEDI_TRY(heedi_bpe_room(t, (size_t)v->n_merges));
    for (int64_t i = 0; i < v->n_merges; i++)
        HEEDI_TRY(merge(t, (size_t)i, v->merge[i]));
    HEEDI_TRY(heedi_bpe_finish(t));
    HEEDI_TRY(set_special(t, v, bos, false));
    /* a byte without a token is left out, never the unknown token */
    t->model.unk = -1;
    return add_added(t);
}

static heed_status step(heed_tokenizer *t, heedi_steps *list,
                        const heedi_part *rows, const char *name,
                        const char *what, const char *with)
{
    heedi_step s = {.part = heedi_part_named(rows, name),
                    .what = {what, strlen(what)},
                    .with = {with, strlen(with)},
                    .left = 1};
    return heedi_steps_add(t, list, s);
}

static heed_status build_llama(heed_tokenizer *t, const heedi_vocab *v)
{
    const char *space = "\u2581";
    bool prefix = v->add_space_prefix != 0;
    t->model.kind = &heedi_spm_bpe;
    t->info.kind = heedi_spm_bpe.name;
    t->info.pre = "";
    if (!v->score)
        return heedi_fail(t->ctx, HEED_EFORMAT,
                          "the tokens have no scores (tokenizer.ggml.scores)");
    if (prefix)
        HEEDI_TRY(
            step(t, &t->normalizer, heedi_normalizers, "Prepend", "", space));
    HEEDI_TRY(
        step(t, &t->normalizer, heedi_normalizers, "Replace", " ", space));
    HEEDI_TRY(step(t, &t->decoder, heedi_decoders, "Replace", space, " "));
    HEEDI_TRY(step(t, &t->decoder, heedi_decoders, "ByteFallback", "", ""));
    HEEDI_TRY(step(t, &t->decoder, heedi_decoders, "Fuse", "", ""));
    if (prefix)
        HEEDI_TRY(step(t, &t->decoder, heedi_decoders, "Strip", " ", ""));
    t->decoder_given = true;
    HEEDI_TRY(add_names(t));
    HEEDI_TRY(heedi_spm_ranks(t, v->score, (size_t)v->n));
    HEEDI_TRY(set_special(t, v, true, false));
    heedi_spm_bytes(t);
    HEEDI_TRY(heedi_meet_build(t));
    return add_added(t);
}

/* The file marks the begin of a word with U+2581 and what goes on not at all;
 * names in brackets are as they are. The tables have it the other way round. */
static heed_status unmark(heed_tokenizer *t)
{
    static const char space[] = "\u2581";
    const size_t n = sizeof space - 1;
    for (int64_t i = 0; i < t->info.n_tokens; i++) {
        heedi_str *s = &t->str[i];
        char *go_on;
        if (s->len > n && memcmp(s->s, space, n) == 0) {
            *s = (heedi_str){s->s + n, s->len - n};
        } else if ((t->flag[i] & HEEDI_IN_MODEL) && s->len > 0 &&
                   (s->s[0] != '[' || s->s[s->len - 1] != ']')) {
            if (!(go_on = heedi_arena_alloc(&t->arena, s->len + 3)))
                return HEED_ENOMEM;
            memcpy(go_on, "##", 2);
            memcpy(go_on + 2, s->s, s->len);
            *s = (heedi_str){go_on, s->len + 2};
        }
    }
    return HEED_OK;
}

static heed_status bert_step(heed_tokenizer *t, heedi_steps *list,
                             const heedi_part *rows, const char *name)
{
    heedi_step s = {.part = heedi_part_named(rows, name),
                    .what = {"##", 2},
                    .clean = true,
                    .ideographs = true,
                    .strip = true,
                    .lower = true};
    return heedi_steps_add(t, list, s);
}

/* The token of a key, or of its usual name; -1: neither is there. */
static int32_t bert_token(const heed_tokenizer *t, int32_t id, const char *name)
{
    return id >= 0 ? id : heedi_names_get(&t->model.names, name, strlen(name));
}

static heed_status build_bert(heed_tokenizer *t, const heedi_vocab *v)
{
    heedi_vocab w = *v;
    t->info.pre = "BertPreTokenizer";
    t->model.max_chars = 100;
    HEEDI_TRY(unmark(t));
    HEEDI_TRY(add_names(t));
    w.bos = bert_token(t, v->cls >= 0 ? v->cls : v->bos, "[CLS]");
    w.eos = bert_token(t, v->sep >= 0 ? v->sep : v->eos, "[SEP]");
    w.unk = bert_token(t, v->unk, "[UNK]");
    if (w.bos < 0 || w.eos < 0)
        return heedi_fail(t->ctx, HEED_EFORMAT,
                          "the vocabulary has no [CLS] or no [SEP]");
    HEEDI_TRY(set_special(t, &w, true, true));
    HEEDI_TRY(
        bert_step(t, &t->normalizer, heedi_normalizers, "BertNormalizer"));
    HEEDI_TRY(bert_step(t, &t->pre, heedi_pre_tokenizers, "BertPreTokenizer"));
    HEEDI_TRY(bert_step(t, &t->decoder, heedi_decoders, "WordPiece"));
    t->decoder_given = true;
    HEEDI_TRY(heedi_str_copy(t, &t->model.prefix, "##", 2));
    HEEDI_TRY(heedi_bert_pair(t, w.bos, w.eos));
    HEEDI_TRY(heedi_wordpiece_finish(t, w.unk));
    return add_added(t);
}

/* Tokens are spelt as bytes in Python. Those that fill up the embedding are
 * marked unused. Token 0 ends a text, whatever else the file says. */
static heed_status build_rwkv(heed_tokenizer *t, const heedi_vocab *v)
{
    heedi_vocab w = *v;
    w.bos = v->bos < 0 ? 0 : v->bos;
    w.eos = v->eos < 0 ? 0 : v->eos;
    for (int64_t i = 0; i < t->info.n_tokens; i++) {
        heedi_str *s = &t->str[i];
        char *to = heedi_arena_alloc(&t->arena, s->len + 1);
        if (type_of(v, i) == UNUSED)
            t->flag[i] = HEEDI_FILLER;
        if (!to)
            return HEED_ENOMEM;
        if (heedi_world_unescape(t->ctx, *s, true, to, &s->len) != HEED_OK) {
            char where[32];
            snprintf(where, sizeof where, "token %lld", (long long)i);
            return heedi_fail_in(t->ctx, HEED_EFORMAT, where);
        }
        s->s = to;
    }
    HEEDI_TRY(add_names(t));
    HEEDI_TRY(set_special(t, &w, false, false));
    HEEDI_TRY(heedi_world_finish(t));
    return add_added(t);
}

static const struct kind {
    const char *name;
    heed_status (*build)(heed_tokenizer *, const heedi_vocab *);
} kinds[] = {{"gpt2", build_gpt2},
             {"llama", build_llama},
             {"bert", build_bert},
             {"rwkv", build_rwkv}};

static heed_status build(heed_tokenizer *t, const heedi_vocab *v)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (v->model && strcmp(kinds[i].name, v->model) == 0) {
            HEEDI_TRY(read_tokens(t, v));
            return kinds[i].build(t, v);
        }
    return heedi_fail(t->ctx, HEED_ENOTSUP,
                      "the tokenizer model \"%.60s\" is not supported",
                      v->model ? v->model : "(none)");
}

heed_status heedi_tokenizer_from_vocab(heed_tokenizer **out, heed_ctx *ctx,
                                       const heedi_vocab *v)
{
    heed_tokenizer *t;
    heed_status st;
    *out = NULL;
    if (v->hf_json.s) {
        HEEDI_TRY(heedi_tokenizer_from_text(&t, ctx, v->path, v->hf_json));
        st = build_whole(t, v);
    } else {
        HEEDI_TRY(heedi_tokenizer_new(&t, ctx, v->path));
        st = build(t, v);
    }
    if (st != HEED_OK) {
        heed_tokenizer_free(t);
        return heedi_fail_in(ctx, st, v->path);
    }
    *out = t;
    return HEED_OK;
}
