/* fuzz_gguf.c - a GGUF file: the model, and the vocabulary. */
#include "fuzz.h"

static void encode(heed_ctx *ctx, const heed_tokenizer *t)
{
    static const char text[] = "ab a\xc3\xa9\xf0\x9f\x98\x80 12<s>\n";
    heed_tokens *k;
    if (fuzz_ok(heed_encode(&k, ctx, t, text, sizeof text - 1, NULL),
                heed_error(ctx)))
        heed_tokens_free(ctx, k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    heed_tokenizer *t;
    fuzz_begin();
    fuzz_put("text", data, size);
    heed_ctx *ctx = fuzz_ctx();
    fuzz_model(ctx, fuzz_path("text"));
    if (fuzz_ok(heed_tokenizer_load(&t, ctx, fuzz_path("text")),
                heed_error(ctx))) {
        encode(ctx, t);
        heed_tokenizer_free(t);
    }
    heed_ctx_free(ctx);
    return 0;
}
