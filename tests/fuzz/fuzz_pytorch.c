/* fuzz_pytorch.c - with an even first byte the rest is a pytorch_model.bin, of
 * a sound mamba; with an odd one it is a pickle, put into an archive with two
 * storages of 64 and 16 bytes. */
#include "checkpoint.h"

#include "fuzz.h"
#include "zipfile.h"

#define BIN "pytorch_model.bin"

static void put_pickle(const uint8_t *data, size_t size)
{
    static const unsigned char numbers[64] = {0, 0, 0x80, 0x3f, 1};
    const zip_part part[] = {{"m/data.pkl", data, size},
                             {"m/data/0", numbers, 64},
                             {"m/data/1", numbers, 16},
                             {"m/version", "3\n", 2}};
    unsigned char *out = malloc(size + 1024);
    if (!out)
        abort();
    fuzz_put(BIN, out, zip_write(out, part, 4));
    free(out);
}

/* All that a file holds can be read. */
static void read_all(heed_ctx *ctx)
{
    heedi_checkpoint *c;
    volatile uint8_t sum = 0;
    if (!fuzz_ok(heedi_checkpoint_open(&c, ctx, fuzz_dir), heed_error(ctx)))
        return;
    for (int64_t i = 0; i < c->n_tensors; i++)
        for (size_t b = 0; b < c->tensor[i].bytes; b++)
            sum = (uint8_t)(sum + c->tensor[i].data[b]);
    heedi_checkpoint_close(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (fuzz_begin()) {
        size_t n;
        uint8_t *p = fuzz_read(SEEDS "config/mamba", &n);
        fuzz_put("config.json", p + 1, n - 1);
        free(p);
    }
    if (size < 1)
        return 0;
    if (data[0] % 2 == 0)
        fuzz_put(BIN, data + 1, size - 1);
    else
        put_pickle(data + 1, size - 1);
    heed_ctx *ctx = fuzz_ctx();
    read_all(ctx);
    fuzz_model(ctx, fuzz_dir);
    heed_ctx_free(ctx);
    return 0;
}
