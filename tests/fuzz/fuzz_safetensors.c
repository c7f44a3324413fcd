/* fuzz_safetensors.c - the first byte picks what the others are: with one of
 * three sound configurations ('l' llama, 'm' mamba, 'o' gpt2) the weights; for
 * 'n' the index of two sound shards. */
#include "checkpoint.h"

#include "fuzz.h"

typedef struct part {
    uint8_t *p;
    size_t n;
} part;

static part config[4];

static void begin(void)
{
    static const char *const family[4] = {"llama", "mamba", NULL, "gpt2"};
    static const char *const shard[2] = {"model-00001-of-00002.safetensors",
                                         "model-00002-of-00002.safetensors"};
    char path[128];
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, SEEDS "config/%s",
                 family[i] ? family[i] : "llama");
        config[i].p = fuzz_read(path, &config[i].n);
    }
    for (int i = 0; i < 2; i++) {
        size_t n;
        snprintf(path, sizeof path, "tests/golden/load/shards/%s", shard[i]);
        uint8_t *p = fuzz_read(path, &n);
        fuzz_put(shard[i], p, n);
        free(p);
    }
}

/* All that a file holds can be read. */
static void read_all(heed_ctx *ctx)
{
    heedi_checkpoint *c;
    heed_real out[256];
    if (!fuzz_ok(heedi_checkpoint_open(&c, ctx, fuzz_dir), heed_error(ctx)))
        return;
    for (int64_t i = 0; i < c->n_tensors; i++) {
        const heedi_tensor *t = &c->tensor[i];
        if (t->dtype->is_float && t->bytes >= (size_t)t->dtype->bytes)
            heedi_dtype_decode(t->dtype, out, t->data, (size_t)t->dtype->block);
    }
    heedi_checkpoint_close(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (fuzz_begin())
        begin();
    if (size < 1)
        return 0;
    const int kind = data[0] % 4;
    const char *name =
        kind == 2 ? "model.safetensors.index.json" : "model.safetensors";
    fuzz_put("config.json", config[kind].p + 1, config[kind].n - 1);
    fuzz_put(name, data + 1, size - 1);
    heed_ctx *ctx = fuzz_ctx();
    read_all(ctx);
    fuzz_model(ctx, fuzz_dir);
    heed_ctx_free(ctx);
    fuzz_drop(name);
    return 0;
}
