/* bench_llama MODEL THREADS - heed's side of bench.py, which tells the
 * protocol. */
#include <heed/heed.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static heed_ctx *ctx;
static heed_model *model;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int32_t *ids(int64_t t)
{
    int64_t v = heed_model_about(model)->vocab;
    int32_t *id = malloc((size_t)t * sizeof *id);
    for (int64_t i = 0; i < t; i++)
        id[i] = (int32_t)((7919 * i + 13) % v);
    return id;
}

static heed_status forward(int64_t t)
{
    int32_t *id = ids(t);
    int64_t at = t - 1;
    heed_candidate best;
    double t0 = now();
    heed_status st = heed_predict(ctx, model, id, t, &at, 1, 1, &best);
    t0 = now() - t0;
    free(id);
    if (st == HEED_OK)
        printf("ok %.6f\n", t0);
    return st;
}

static heed_status relevance(int64_t t, int show)
{
    int32_t *id = ids(t);
    heed_tokens *tokens;
    heed_result *r;
    heed_status st = heed_tokens_of(&tokens, ctx, NULL, id, t);
    free(id);
    if (st != HEED_OK || (st = heed_result_new(&r, ctx)) != HEED_OK)
        return st;
    heed_input input = {.tokens = tokens};
    heed_request q = {
        .model = model, .method = "attn_lrp", .input = &input, .n_inputs = 1};
    heed_sink sink = heed_result_sink(r);
    double t0 = now();
    st = heed_attribute(ctx, &q, &sink);
    t0 = now() - t0;
    const char *g = "explanations/attn_lrp";
    const heed_array *a = heed_result_get(r, g, "relevance");
    if (st == HEED_OK && show) {
        printf("ok %.0f %.9g", heed_result_num(r, g, "target_id"),
               heed_result_num(r, g, "target_value"));
        for (int64_t i = 0; i < t; i++)
            printf(" %.9g", (double)((const heed_real *)a->data)[i]);
        printf("\n");
    } else if (st == HEED_OK) {
        printf("ok %.6f\n", t0);
    }
    heed_result_free(r);
    heed_tokens_free(ctx, tokens);
    return st;
}

static void memory(void)
{
    char line[128];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %ld", &kib) == 1)
            break;
    if (f)
        fclose(f);
    printf("ok %ld\n", kib);
}

int main(int argc, char **argv)
{
    char line[128], word[32];
    if (argc != 3 || heed_ctx_new(&ctx, NULL) != HEED_OK)
        return 2;
    if (heed_ctx_threads(ctx, atoi(argv[2])) != HEED_OK)
        return 2;
    heed_tune_process(ctx);
    if (heed_model_load(&model, ctx, argv[1]) != HEED_OK) {
        printf("error %s\n", heed_error(ctx));
        return 1;
    }
    printf("ready %s\n", heed_build());
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        long t = 0;
        heed_status st = HEED_OK;
        if (sscanf(line, "%31s %ld", word, &t) < 1 || !strcmp(word, "quit"))
            break;
        if (!strcmp(word, "forward"))
            st = forward(t);
        else if (!strcmp(word, "relevance") || !strcmp(word, "check"))
            st = relevance(t, !strcmp(word, "check"));
        else
            memory();
        if (st != HEED_OK)
            printf("error %s\n", heed_error(ctx));
        fflush(stdout);
    }
    heed_model_free(model);
    heed_ctx_free(ctx);
    return 0;
}
