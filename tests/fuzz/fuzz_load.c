/* clang -fsanitize=fuzzer,address,undefined: the first byte picks what the
 * others are: a GGUF file (its vocabulary, too), a safetensors file, a
 * config.json or an index. */
#include <heed/token.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/heed-fuzz-XXXXXX";

static const char *const names[] = {"m.gguf", "model.safetensors",
                                    "config.json",
                                    "model.safetensors.index.json"};
enum { N = sizeof names / sizeof *names };

static void put(const char *name, const void *p, size_t n)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(p, 1, n, f) != n || fclose(f) != 0)
        abort();
}

static void drop(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    remove(path);
}

static void at_end(void)
{
    for (int i = 0; i < N; i++)
        drop(names[i]);
    rmdir(dir);
}

static void read_all(heedi_checkpoint *c)
{
    heed_real out[256];
    for (int64_t i = 0; i < c->n_tensors; i++) {
        const heedi_tensor *t = &c->tensor[i];
        if (t->dtype->is_float && t->bytes >= (size_t)t->dtype->bytes)
            heedi_dtype_decode(t->dtype, out, t->data, (size_t)t->dtype->block);
    }
    heedi_value v = heedi_config(c, "a.b");
    for (int64_t i = 0; i < v.n && i < 100; i++)
        heedi_config_item(&v, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int ready;
    if (!ready) {
        if (!mkdtemp(dir))
            abort();
        atexit(at_end);
        ready = 1;
    }
    if (size < 1)
        return 0;
    int kind = data[0] % N;
    put("config.json", "{\"model_type\":\"x\"}", 18);
    put(names[kind], data + 1, size - 1);

    char path[128];
    heed_ctx *ctx;
    heedi_checkpoint *c;
    heed_tokenizer *t;
    snprintf(path, sizeof path, kind == 0 ? "%s/m.gguf" : "%s", dir);
    if (heed_ctx_new(&ctx, NULL) != HEED_OK)
        return 0;
    if (heedi_checkpoint_open(&c, ctx, path) == HEED_OK) {
        read_all(c);
        heedi_checkpoint_close(c);
    } else if (!heed_error(ctx)[0]) {
        abort(); /* a failure without a sentence */
    }
    if (kind == 0 && heed_tokenizer_load(&t, ctx, path) == HEED_OK)
        heed_tokenizer_free(t);
    heed_ctx_free(ctx);
    drop(names[kind]);
    return 0;
}
