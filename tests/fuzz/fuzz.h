/* fuzz.h - what the targets share: a folder, a context, and what must hold
 * after every call. A target is one LLVMFuzzerTestOneInput(); it is run from
 * the root of the tree, by libFuzzer (`make fuzz`) or by replay.c. */
#ifndef FUZZ_H
#define FUZZ_H

#include <heed/heed.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEEDS "tests/fuzz/corpus/"

enum { N_NAMES = 7 };
static const char *const fuzz_name[N_NAMES] = {
    "config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "pytorch_model.bin",
    "text"};
static char fuzz_dir[40];

static inline const char *fuzz_path(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", fuzz_dir, name);
    return path;
}

static inline void fuzz_drop(const char *name)
{
    remove(fuzz_path(name));
}

static inline void fuzz_end(void)
{
    for (int i = 0; i < N_NAMES; i++)
        fuzz_drop(fuzz_name[i]);
    rmdir(fuzz_dir);
}

/* A folder of its own, in memory if there is one; true the first time. */
static inline bool fuzz_begin(void)
{
    if (fuzz_dir[0])
        return false;
    strcpy(fuzz_dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/heed-XXXXXX"
                                                   : "/tmp/heed-fuzz-XXXXXX");
    if (!mkdtemp(fuzz_dir))
        abort();
    atexit(fuzz_end);
    return true;
}

static inline void fuzz_put(const char *name, const void *p, size_t n)
{
    FILE *f = fopen(fuzz_path(name), "wb");
    if (!f || fwrite(p, 1, n, f) != n || fclose(f) != 0)
        abort();
}

/* The bytes of a file; free() them. */
static inline uint8_t *fuzz_read(const char *path, size_t *n)
{
    static uint8_t buffer[1 << 16];
    FILE *f = fopen(path, "rb");
    if (!f) {
        fprintf(stderr, "%s: run from the root of the tree\n", path);
        abort();
    }
    *n = fread(buffer, 1, sizeof buffer, f);
    fclose(f);
    uint8_t *copy = malloc(*n + 1);
    if (!copy)
        abort();
    return memcpy(copy, buffer, *n);
}

static inline heed_ctx *fuzz_ctx(void)
{
    heed_ctx *ctx;
    if (heed_ctx_new(&ctx, NULL) != HEED_OK ||
        heed_ctx_threads(ctx, 1) != HEED_OK)
        abort();
    return ctx;
}

/* A failure leaves one line of plain text. */
static inline bool fuzz_ok(heed_status st, const char *why)
{
    if (st == HEED_OK)
        return true;
    if (!why[0])
        abort();
    for (const char *s = why; *s; s++)
        if ((unsigned char)*s < 32 || *s == 127)
            abort();
    return false;
}

/* Load a model; if it is one, predict from it and explain it. */
static inline void fuzz_model(heed_ctx *ctx, const char *path)
{
    static const int32_t id[3] = {1, 2, 3};
    static const heed_target target = HEED_TARGET;
    const int64_t at = 2;
    heed_candidate best;
    heed_model *m;
    if (!fuzz_ok(heed_model_load(&m, ctx, path), heed_error(ctx)))
        return;
    fuzz_ok(heed_predict(ctx, m, id, 3, &at, 1, 1, &best), heed_error(ctx));
    heed_tokens *t;
    heed_result *r;
    if (heed_tokens_of(&t, ctx, NULL, id, 3) != HEED_OK ||
        heed_result_new(&r, ctx) != HEED_OK)
        abort();
    heed_sink sink = heed_result_sink(r);
    heed_input in = {t, &target, 1, NULL};
    heed_request q = {.model = m,
                      .method = heed_model_about(m)->family->method,
                      .input = &in,
                      .n_inputs = 1,
                      .ledger = 1};
    fuzz_ok(heed_attribute(ctx, &q, &sink), heed_error(ctx));
    heed_result_free(r);
    heed_tokens_free(ctx, t);
    heed_model_free(m);
}

#endif
