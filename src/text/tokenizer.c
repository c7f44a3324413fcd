#include "tokenizer.h"

#include <string.h>

#include "ctx.h"

heed_status heedi_tokenizer_new(heed_tokenizer **out, heed_ctx *ctx,
                                const char *path)
{
    heedi_str copy;
    heed_tokenizer *t = *out = heedi_alloc(ctx, sizeof *t);
    if (!t)
        return HEED_ENOMEM;
    t->ctx = ctx;
    heedi_arena_init(&t->arena, ctx);
    t->info.bos = t->info.eos = t->info.pad = t->info.mask = -1;
    t->model.unk = -1;
    if (heedi_str_copy(t, &copy, path, strlen(path)) != HEED_OK) {
        heed_tokenizer_free(t);
        *out = NULL;
        return HEED_ENOMEM;
    }
    t->info.path = copy.s;
    t->info.kind = t->info.pre = "";
    return HEED_OK;
}

static void steps_free(heed_ctx *ctx, heedi_steps *list)
{
    for (size_t i = 0; i < list->n; i++)
        pcre2_code_free(list->v[i].re);
    heedi_free(ctx, list->v);
}

void heed_tokenizer_free(heed_tokenizer *t)
{
    if (!t)
        return;
    heed_ctx *ctx = t->ctx;
    steps_free(ctx, &t->normalizer);
    steps_free(ctx, &t->pre);
    steps_free(ctx, &t->decoder);
    heedi_trie_free(&t->raw, ctx);
    heedi_trie_free(&t->normalized, ctx);
    heedi_trie_free(&t->model.begin, ctx);
    heedi_trie_free(&t->model.go_on, ctx);
    heedi_map_free(&t->model.merges, ctx);
    heedi_map_free(&t->model.meet, ctx);
    heedi_free(ctx, t->front.v);
    heedi_free(ctx, t->back.v);
    heedi_free(ctx, t->pair.v);
    heedi_arena_clear(&t->arena);
    heedi_free(ctx, t);
}

const heed_tokenizer_info *heed_tokenizer_about(const heed_tokenizer *t)
{
    return &t->info;
}

heed_status heedi_tokenizer_room(heed_tokenizer *t, size_t n)
{
    t->str = heedi_arena_alloc(&t->arena, n * sizeof *t->str);
    t->flag = heedi_arena_alloc(&t->arena, n);
    t->info.n_tokens = (int64_t)n;
    return t->str && t->flag ? HEED_OK : HEED_ENOMEM;
}

heed_status heedi_str_copy(heed_tokenizer *t, heedi_str *out, const char *s,
                           size_t len)
{
    char *copy = heedi_arena_alloc(&t->arena, len + 1);
    if (!copy)
        return HEED_ENOMEM;
    memcpy(copy, s, len);
    *out = (heedi_str){copy, len};
    return HEED_OK;
}

heed_status heedi_steps_add(heed_tokenizer *t, heedi_steps *list,
                            heedi_step step)
{
    heedi_step *v =
        heedi_grow(t->ctx, list->v, &list->cap, list->n + 1, sizeof *v);
    if (!v) {
        pcre2_code_free(step.re);
        return HEED_ENOMEM;
    }
    list->v = v;
    v[list->n++] = step;
    return HEED_OK;
}

heed_status heedi_ids_add(heed_ctx *ctx, heedi_ids *list, int32_t id)
{
    int32_t *v = heedi_grow(ctx, list->v, &list->cap, list->n + 1, sizeof *v);
    if (!v)
        return HEED_ENOMEM;
    list->v = v;
    v[list->n++] = id;
    return HEED_OK;
}

heed_status heedi_slots_add(heed_ctx *ctx, heedi_slots *list, int32_t id,
                            int segment)
{
    heedi_slot *v =
        heedi_grow(ctx, list->v, &list->cap, list->n + 1, sizeof *v);
    if (!v)
        return HEED_ENOMEM;
    list->v = v;
    v[list->n++] = (heedi_slot){id, (uint8_t)segment};
    return HEED_OK;
}
