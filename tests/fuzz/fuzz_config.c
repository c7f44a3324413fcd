/* fuzz_config.c - the first byte picks sound weights ('l' llama, 'm' mamba,
 * 'o' gpt2), the others are the config.json. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const family[4] = {"llama", "mamba", "mamba", "gpt2"};
    static uint8_t *weights[4];
    static size_t n[4];
    char path[128];
    if (fuzz_begin())
        for (int i = 0; i < 4; i++) {
            snprintf(path, sizeof path, SEEDS "safetensors/%s", family[i]);
            weights[i] = fuzz_read(path, &n[i]);
        }
    if (size < 1)
        return 0;
    const int kind = data[0] % 4;
    fuzz_put("config.json", data + 1, size - 1);
    fuzz_put("model.safetensors", weights[kind] + 1, n[kind] - 1);
    heed_ctx *ctx = fuzz_ctx();
    fuzz_model(ctx, fuzz_dir);
    heed_ctx_free(ctx);
    return 0;
}
