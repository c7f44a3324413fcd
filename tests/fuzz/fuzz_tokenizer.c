/* fuzz_tokenizer.c - a tokenizer.json or a vocabulary of RWKV World, and after
 * a NUL a text, which is cut into tokens; its ids are turned into text again.
 */
#include "fuzz.h"
#include "tokenizer.h"

#define need(x) ((x) ? (void)0 : abort())

/* Ranges are in order and within the text; what is shown can be shown. */
static void look(const heed_tokens *k)
{
    int64_t at = 0;
    for (int64_t i = 0; i < k->n; i++) {
        const heed_token *t = &k->token[i];
        need(t->id >= 0 && t->text);
        need(t->byte_end >= t->byte_start && t->byte_end <= k->text_len);
        need(t->is_added ? t->byte_start == t->byte_end : t->byte_start >= at);
        if (!t->is_added)
            at = t->byte_start;
    }
}

static void back(heed_ctx *ctx, const heed_tokenizer *t, const heed_tokens *k)
{
    heed_tokens *again;
    int32_t *id = malloc(((size_t)k->n + 1) * sizeof *id);
    need(id);
    for (int64_t i = 0; i < k->n; i++)
        id[i] = k->token[i].id;
    if (fuzz_ok(heed_tokens_of(&again, ctx, t, id, k->n), heed_error(ctx))) {
        look(again);
        heed_tokens_free(ctx, again);
    }
    free(id);
}

static void use(heed_ctx *ctx, const heed_tokenizer *t, const char *text,
                size_t len)
{
    static const heed_encode_options how[2] = {{0}, {.special = 1, .bos = 1}};
    heed_tokens *k;
    int32_t id;
    char word[32] = "";
    for (int i = 0; i < 2; i++)
        if (fuzz_ok(heed_encode(&k, ctx, t, text, (int64_t)len, &how[i]),
                    heed_error(ctx))) {
            look(k);
            back(ctx, t, k);
            heed_tokens_free(ctx, k);
        }
    memcpy(word, text, len < 31 ? len : 31);
    fuzz_ok(heed_token_id(&id, ctx, t, word), heed_error(ctx));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    const size_t n = nul ? (size_t)(nul - data) : size;
    heedi_str json = {(const char *)data, n};
    heed_tokenizer *t;
    heed_ctx *ctx = fuzz_ctx();
    const heed_status st =
        heedi_world_is(json.s, json.len)
            ? heedi_tokenizer_from_lines(&t, ctx, "vocabulary", json)
            : heedi_tokenizer_from_text(&t, ctx, "tokenizer.json", json);
    if (fuzz_ok(st, heed_error(ctx))) {
        use(ctx, t, nul ? (const char *)nul + 1 : "ab c",
            nul ? size - n - 1 : 4);
        heed_tokenizer_free(t);
    }
    heed_ctx_free(ctx);
    return 0;
}
