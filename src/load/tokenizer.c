#include <string.h>

#include "ctx.h"
#include "load.h"

/* ---- the vocabulary of a GGUF file ---- */
static heed_status list_of(heedi_checkpoint *c, const char *key,
                           heedi_kind kind, int64_t n, heedi_value *out)
{
    *out = heedi_config(c, key);
    if (out->kind == HEEDI_ABSENT)
        return HEED_OK;
    heedi_value first = heedi_config_item(out, 0);
    if (out->kind != HEEDI_LIST || (out->n > 0 && first.kind != kind))
        return heedi_fail(c->ctx, HEED_EFORMAT, "%s: %s is of a wrong type",
                          c->path, key);
    if (n >= 0 && out->n != n)
        return heedi_fail(c->ctx, HEED_EFORMAT,
                          "%s: %s has %lld entries for %lld tokens", c->path,
                          key, (long long)out->n, (long long)n);
    return HEED_OK;
}

static heed_status read_strings(heedi_checkpoint *c, const char *key,
                                const heedi_str **out, int64_t *n)
{
    heedi_value v;
    HEEDI_TRY(list_of(c, key, HEEDI_STR, -1, &v));
    if (v.kind == HEEDI_LIST && v.n > 0)
        *out = ((const heedi_list *)v.ref)->str;
    *n = v.n;
    return HEED_OK;
}

static heed_status read_types(heedi_checkpoint *c, heedi_vocab *v)
{
    heedi_value list;
    HEEDI_TRY(list_of(c, "tokenizer.ggml.token_type", HEEDI_INT, v->n, &list));
    if (list.kind != HEEDI_LIST)
        return HEED_OK;
    int32_t *type = heedi_arena_alloc(&c->mem, (size_t)v->n * sizeof *type);
    if (!type)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < v->n; i++) {
        int64_t t = heedi_config_item(&list, i).i;
        if (t < 0 || t > 6)
            return heedi_fail(c->ctx, HEED_EFORMAT,
                              "%s: token %lld is of type %lld, which is none",
                              c->path, (long long)i, (long long)t);
        type[i] = (int32_t)t;
    }
    v->type = type;
    return HEED_OK;
}

static heed_status read_scores(heedi_checkpoint *c, heedi_vocab *v)
{
    heedi_value list;
    HEEDI_TRY(list_of(c, "tokenizer.ggml.scores", HEEDI_NUM, v->n, &list));
    if (list.kind != HEEDI_LIST)
        return HEED_OK;
    float *score = heedi_arena_alloc(&c->mem, (size_t)v->n * sizeof *score);
    if (!score)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < v->n; i++)
        score[i] = (float)heedi_config_item(&list, i).f;
    v->score = score;
    return HEED_OK;
}

static heed_status read_id(heedi_checkpoint *c, const heedi_vocab *v,
                           const char *key, int32_t *out)
{
    heedi_value id = heedi_config(c, key);
    if (id.kind == HEEDI_ABSENT)
        return HEED_OK;
    if (id.kind != HEEDI_INT)
        return heedi_fail(c->ctx, HEED_EFORMAT, "%s: %s is not an integer",
                          c->path, key);
    if (id.i == -1 || id.i == UINT32_MAX) /* two ways to write "none" */
        return HEED_OK;
    if (id.i < 0 || id.i >= v->n || id.i > INT32_MAX)
        return heedi_fail(c->ctx, HEED_EFORMAT, "%s: %s is %lld of %lld tokens",
                          c->path, key, (long long)id.i, (long long)v->n);
    *out = (int32_t)id.i;
    return HEED_OK;
}

static heed_status read_ids(heedi_checkpoint *c, heedi_vocab *v)
{
    const struct {
        const char *key;
        int32_t *id;
    } rows[] = {
        {"tokenizer.ggml.bos_token_id", &v->bos},
        {"tokenizer.ggml.eos_token_id", &v->eos},
        {"tokenizer.ggml.unknown_token_id", &v->unk},
        {"tokenizer.ggml.separator_token_id", &v->sep},
        {"tokenizer.ggml.seperator_token_id", &v->sep}, /* spelt so in files */
        {"tokenizer.ggml.padding_token_id", &v->pad},
        {"tokenizer.ggml.cls_token_id", &v->cls},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        HEEDI_TRY(read_id(c, v, rows[i].key, rows[i].id));
    return HEED_OK;
}

static void read_flags(heedi_checkpoint *c, heedi_vocab *v)
{
    const struct {
        const char *key;
        int *flag;
    } rows[] = {{"tokenizer.ggml.add_bos_token", &v->add_bos},
                {"tokenizer.ggml.add_eos_token", &v->add_eos},
                {"tokenizer.ggml.add_space_prefix", &v->add_space_prefix}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        heedi_value flag = heedi_config(c, rows[i].key);
        if (flag.kind == HEEDI_BOOL)
            *rows[i].flag = flag.i != 0;
    }
}

static heed_status read_vocab(heedi_checkpoint *c, heedi_vocab *v)
{
    *v = (heedi_vocab){.path = c->path,
                       .model = heedi_config(c, "tokenizer.ggml.model").s,
                       .pre = heedi_config(c, "tokenizer.ggml.pre").s,
                       .bos = -1,
                       .eos = -1,
                       .unk = -1,
                       .sep = -1,
                       .pad = -1,
                       .cls = -1,
                       .add_bos = -1,
                       .add_eos = -1,
                       .add_space_prefix = -1};
    v->hf_json.s = heedi_config(c, "tokenizer.huggingface.json").s;
    v->hf_json.len = v->hf_json.s ? strlen(v->hf_json.s) : 0;
    if (!v->model && !v->hf_json.s)
        return heedi_fail(c->ctx, HEED_EFORMAT,
                          "%s has no tokenizer: no tokenizer.ggml.model",
                          c->path);
    HEEDI_TRY(read_strings(c, "tokenizer.ggml.tokens", &v->token, &v->n));
    if (v->n == 0 && !v->hf_json.s)
        return heedi_fail(c->ctx, HEED_EFORMAT,
                          "%s: no tokenizer.ggml.tokens, or none in it",
                          c->path);
    if (v->n > INT32_MAX)
        return heedi_fail(c->ctx, HEED_EFORMAT, "%s: %lld tokens", c->path,
                          (long long)v->n);
    HEEDI_TRY(
        read_strings(c, "tokenizer.ggml.merges", &v->merge, &v->n_merges));
    HEEDI_TRY(read_types(c, v));
    HEEDI_TRY(read_scores(c, v));
    read_flags(c, v);
    return read_ids(c, v);
}

static heed_status load_gguf(heed_tokenizer **out, heed_ctx *ctx,
                             const char *path)
{
    heedi_checkpoint *c;
    heedi_vocab v;
    HEEDI_TRY(heedi_checkpoint_new(&c, ctx, path));
    heed_status st = heedi_gguf_read(c, false);
    if (!st)
        st = read_vocab(c, &v);
    if (!st)
        st = heedi_tokenizer_from_vocab(out, ctx, &v);
    heedi_checkpoint_close(c);
    return st;
}

/* ---- a directory ---- */
typedef heed_status reader(heed_tokenizer **out, heed_ctx *ctx,
                           const char *path);

static heed_status find_file(const char **file, reader **read, heedi_arena *mem,
                             const char *dir)
{
    static const struct {
        const char *name;
        reader *read;
    } known[] = {{"tokenizer.json", heedi_tokenizer_from_json},
                 {"rwkv_vocab_v20230424.txt", heedi_tokenizer_from_world},
                 {"vocab.txt", heedi_tokenizer_from_txt}};
    static const char *const older[] = {"tokenizer.model", "spiece.model",
                                        "vocab.json"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        *read = known[i].read;
        *file = heedi_join(mem, dir, known[i].name);
        if (!*file || heedi_exists(*file))
            return *file ? HEED_OK : HEED_ENOMEM;
    }
    for (size_t i = 0; i < sizeof older / sizeof *older; i++) {
        const char *path = heedi_join(mem, dir, older[i]);
        if (!path)
            return HEED_ENOMEM;
        if (heedi_exists(path))
            return heedi_fail(mem->ctx, HEED_ENOTSUP,
                              "%s is not read; save the tokenizer as "
                              "tokenizer.json",
                              path);
    }
    return heedi_fail(mem->ctx, HEED_EIO, "%s: no tokenizer.json in it", dir);
}

static heed_status load_dir(heed_tokenizer **out, heed_ctx *ctx,
                            const char *dir)
{
    heedi_arena mem;
    const char *file;
    reader *read;
    heedi_arena_init(&mem, ctx);
    heed_status st = find_file(&file, &read, &mem, dir);
    if (!st)
        st = read(out, ctx, file);
    heedi_arena_clear(&mem);
    return st;
}

heed_status heed_tokenizer_load(heed_tokenizer **out, heed_ctx *ctx,
                                const char *path)
{
    heedi_map m;
    heedi_begin(ctx);
    *out = NULL;
    if (heedi_is_dir(path))
        return load_dir(out, ctx, path);
    HEEDI_TRY(heedi_map_open(&m, ctx, path));
    bool gguf = heedi_gguf_is(&m);
    size_t white = 0;
    while (white < m.n && strchr(" \t\r\n", m.p[white]) && m.p[white])
        white++;
    bool json = white < m.n && m.p[white] == '{';
    bool world = heedi_world_is((const char *)m.p, m.n);
    heedi_map_close(&m);
    if (gguf)
        return load_gguf(out, ctx, path);
    if (json)
        return heedi_tokenizer_from_json(out, ctx, path);
    if (world)
        return heedi_tokenizer_from_world(out, ctx, path);
    return heedi_fail(ctx, HEED_ENOTSUP,
                      "%s is neither a tokenizer.json nor a GGUF file", path);
}
