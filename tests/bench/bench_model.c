/* bench_model MODEL THREADS METHOD[,ledger][,SPLIT...] - heed's side of
 * bench.py, which tells the protocol, and of cost.py. SPLIT: of --position-by.
 */
#include <cblas.h>
#include <heed/heed.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static heed_ctx *ctx;
static heed_model *model;
static const char *method;
static const char *split[8]; /* ends at NULL */
static int ledger;

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

static heed_request request(const heed_input *input)
{
    return (heed_request){.model = model,
                          .method = method,
                          .input = input,
                          .n_inputs = 1,
                          .ledger = ledger,
                          .position_by = split};
}

static heed_status plan(int64_t t)
{
    int32_t *id = ids(t);
    heed_tokens *tokens;
    heed_plan p;
    heed_status st = heed_tokens_of(&tokens, ctx, NULL, id, t);
    free(id);
    if (st != HEED_OK)
        return st;
    heed_input input = {.tokens = tokens};
    heed_request q = request(&input);
    st = heed_plan_of(ctx, &q, &p);
    heed_tokens_free(ctx, tokens);
    if (st == HEED_OK)
        printf("ok %lld\n", (long long)(p.peak / 1024));
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
    heed_request q = request(&input);
    heed_sink sink = heed_result_sink(r);
    double t0 = now();
    st = heed_attribute(ctx, &q, &sink);
    t0 = now() - t0;
    char g[64];
    snprintf(g, sizeof g, "explanations/%s", method);
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

/* GFLOP/s of sgemm with one product on each thread at a time. */
static void peak(int threads)
{
    enum { N = 1024, ROUNDS = 4 };
    double best = 0;
    size_t n = (size_t)N * N;
    float *x = malloc(3 * n * (size_t)threads * sizeof *x);
    for (size_t i = 0; i < 3 * n * (size_t)threads; i++)
        x[i] = (float)(i % 17) - 8;
    for (int round = 0; round < 5; round++) {
        double t0 = now();
#pragma omp parallel for num_threads(threads) schedule(static, 1)
        for (int k = 0; k < threads; k++) {
            float *a = x + 3 * n * (size_t)k;
            for (int i = 0; i < ROUNDS; i++)
                cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, N, N, N, 1,
                            a, N, a + n, N, 0, a + 2 * n, N);
        }
        double r = 2e-9 * N * N * N * ROUNDS * threads / (now() - t0);
        best = r > best ? r : best;
    }
    free(x);
    printf("ok %.1f\n", best);
}

/* Weights of the layers, causal attention where there is any (Q K^T and A V;
 * five products in the backward pass) and the head for one position. */
static void flops(double t)
{
    const heed_model_info *m = heed_model_about(model);
    double head = 2 * (double)m->width * (double)m->vocab;
    double linear = t * (2 * (double)m->n_weights - head * (m->tied ? 1 : 2));
    double q = (double)(m->n_heads * m->head_dim);
    double attention = (double)m->n_layers * 2 * q * t * (t + 1) / 2;
    printf("ok %.0f %.0f\n", linear + 2 * attention + head,
           2 * linear + 7 * attention + head);
}

int main(int argc, char **argv)
{
    char line[128], word[32];
    if (argc != 4 || heed_ctx_new(&ctx, NULL) != HEED_OK)
        return 2;
    if (heed_ctx_threads(ctx, atoi(argv[2])) != HEED_OK)
        return 2;
    heed_tune_process(ctx);
    method = strtok(argv[3], ",");
    for (int n = 0; n < 7;) {
        const char *name = strtok(NULL, ",");
        if (!name)
            break;
        if (!strcmp(name, "ledger"))
            ledger = 1;
        else
            split[n++] = name;
    }
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
        else if (!strcmp(word, "plan"))
            st = plan(t);
        else if (!strcmp(word, "peak"))
            peak(atoi(argv[2]));
        else if (!strcmp(word, "flops"))
            flops((double)t);
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
