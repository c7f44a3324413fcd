/* bench_occlusion MODEL [T [THREADS [ROUNDS]]] - occlusion of T tokens by
 * another one, beside T single runs: what a user would write with
 * heed_predict() and the changed ids. In turn within each round; prints the
 * best of each, the ratio, and in how many of the T values the bits differ. */
#include <heed/heed.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OTHER = 5 }; /* the token in place of another */

static heed_ctx *ctx;
static heed_model *model;
static int64_t n;
static int32_t *id;

static void or_die(heed_status st)
{
    if (st == HEED_OK)
        return;
    fprintf(stderr, "bench_occlusion: %s\n", heed_error(ctx));
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double occlusion(heed_real *out, int32_t *target)
{
    heed_tokens *tokens;
    heed_result *r;
    char other[32];
    snprintf(other, sizeof other, "token:%d", OTHER);
    or_die(heed_tokens_of(&tokens, ctx, NULL, id, n));
    or_die(heed_result_new(&r, ctx));
    heed_setting set[] = {{"replacement", other}, {NULL, NULL}};
    heed_input input = {.tokens = tokens};
    heed_request q = {.model = model,
                      .method = "occlusion",
                      .settings = set,
                      .input = &input,
                      .n_inputs = 1};
    heed_sink sink = heed_result_sink(r);
    double t0 = now();
    or_die(heed_attribute(ctx, &q, &sink));
    t0 = now() - t0;
    const char *g = "explanations/occlusion";
    memcpy(out, heed_result_get(r, g, "relevance")->data,
           (size_t)n * sizeof *out);
    *target = (int32_t)heed_result_num(r, g, "target_id");
    heed_result_free(r);
    heed_tokens_free(ctx, tokens);
    return t0;
}

/* The logit of `target`; of `best` if it is not negative, timed. */
static double single(int64_t top, heed_candidate *c, int32_t target)
{
    const int64_t at = n - 1;
    or_die(heed_predict(ctx, model, id, n, &at, 1, top, c));
    for (int64_t i = 0; i < top; i++)
        if (c[i].id == target)
            return c[i].logit;
    return 0;
}

static double singles(void)
{
    heed_candidate c[10];
    double t0 = now();
    for (int64_t t = 0; t < n; t++) {
        const int32_t old = id[t];
        id[t] = OTHER;
        single(10, c, -1);
        id[t] = old;
    }
    return now() - t0;
}

static int64_t differing(const heed_real *relevance, int32_t target)
{
    const int64_t v = heed_model_about(model)->vocab;
    heed_candidate *c = malloc((size_t)v * sizeof *c);
    int64_t bad = 0;
    const double f = single(v, c, target);
    for (int64_t t = 0; t < n; t++) {
        const int32_t old = id[t];
        id[t] = OTHER;
        bad += (heed_real)(f - single(v, c, target)) != relevance[t];
        id[t] = old;
    }
    free(c);
    return bad;
}

int main(int argc, char **argv)
{
    if (argc < 2 || heed_ctx_new(&ctx, NULL) != HEED_OK)
        return 2;
    n = argc > 2 ? atoi(argv[2]) : 128;
    or_die(heed_ctx_threads(ctx, argc > 3 ? atoi(argv[3]) : 2));
    heed_tune_process(ctx);
    or_die(heed_model_load(&model, ctx, argv[1]));
    const int64_t v = heed_model_about(model)->vocab;
    id = malloc((size_t)n * sizeof *id);
    for (int64_t i = 0; i < n; i++)
        id[i] = (int32_t)((7919 * i + 13) % v);
    heed_real *r = malloc((size_t)n * sizeof *r);
    double best[2] = {1e9, 1e9};
    int32_t target = 0;
    for (int round = argc > 4 ? atoi(argv[4]) : 3; round > 0; round--) {
        const double a = singles(), b = occlusion(r, &target);
        best[0] = a < best[0] ? a : best[0];
        best[1] = b < best[1] ? b : best[1];
        printf("singles %.3f s, occlusion %.3f s\n", a, b);
    }
    printf("%s, %lld tokens: singles %.3f s, occlusion %.3f s, %.2f times "
           "faster\n",
           heed_build(), (long long)n, best[0], best[1], best[0] / best[1]);
    fflush(stdout);
    printf("%lld values differ in bits\n", (long long)differing(r, target));
    free(r);
    free(id);
    heed_model_free(model);
    heed_ctx_free(ctx);
    return 0;
}
