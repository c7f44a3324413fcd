/* stream [MODEL] [TEXT] - how spread out is the attention of every head?
 *
 * Weights come through a sink of our own, a few query rows at a time. What is
 * kept is two sums for each head, so a long text needs no T x T matrix. */
#include <heed/heed.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct sums {
    int64_t n_layers, n_heads, n_queries;
    double *entropy, *first; /* (layer, head): bits; weight on position 0 */
} sums;

/* Told of every array before it is written; one of them matters here. */
static heed_status define(void *ud, heed_ctx *ctx, const heed_var *var)
{
    sums *s = ud;
    (void)ctx;
    if (strcmp(var->name, "attention") != 0)
        return HEED_OK;
    s->n_layers = var->len[0]; /* (layer, head, query, key) */
    s->n_heads = var->len[1];
    s->n_queries = var->len[2];
    size_t n = (size_t)(s->n_layers * s->n_heads);
    s->entropy = calloc(n, sizeof *s->entropy);
    s->first = calloc(n, sizeof *s->first);
    return s->entropy && s->first ? HEED_OK : HEED_ENOMEM;
}

/* A tile: count[2] rows of count[3] keys, of one layer and head or of more. */
static heed_status take(void *ud, heed_ctx *ctx, const char *group,
                        const char *name, const int64_t *start,
                        const int64_t *count, const void *data)
{
    sums *s = ud;
    const heed_real *w = data;
    (void)ctx, (void)group;
    if (strcmp(name, "attention") != 0)
        return HEED_OK;
    for (int64_t l = 0; l < count[0]; l++)
        for (int64_t h = 0; h < count[1]; h++) {
            int64_t at = (start[0] + l) * s->n_heads + start[1] + h;
            for (int64_t q = 0; q < count[2]; q++, w += count[3]) {
                if (start[3] == 0)
                    s->first[at] += (double)w[0];
                for (int64_t k = 0; k < count[3]; k++)
                    if (w[k] > 0)
                        s->entropy[at] -= (double)w[k] * log2((double)w[k]);
            }
        }
    return HEED_OK;
}

static heed_status ignore(void *ud, heed_ctx *ctx, const char *group,
                          const char *key, heed_attr value)
{
    (void)ud, (void)ctx, (void)group, (void)key, (void)value;
    return HEED_OK;
}

static void print(const sums *s)
{
    puts("layer head  entropy, bits  on the first token");
    for (int64_t l = 0; l < s->n_layers; l++)
        for (int64_t h = 0; h < s->n_heads; h++) {
            int64_t at = l * s->n_heads + h;
            printf("%5d %4d  %13.1f  %17.2f\n", (int)l, (int)h,
                   s->entropy[at] / (double)s->n_queries,
                   s->first[at] / (double)s->n_queries);
        }
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "../examples/models/austen-llama";
    const char *text = argc > 2 ? argv[2] : "She was the youngest of the two";
    heed_ctx *ctx = NULL;
    heed_model *model = NULL;
    heed_tokenizer *tokenizer = NULL;
    heed_tokens *tokens = NULL;
    sums s = {0};
    heed_status st = heed_ctx_new(&ctx, NULL);

    if (st == HEED_OK)
        st = heed_model_load(&model, ctx, path);
    if (st == HEED_OK)
        st = heed_tokenizer_load(&tokenizer, ctx, path);
    if (st == HEED_OK)
        st = heed_encode(&tokens, ctx, tokenizer, text, (int64_t)strlen(text),
                         NULL);
    if (st == HEED_OK) {
        heed_input input = {.tokens = tokens};
        heed_request q = {.model = model, .method = "attention"};
        heed_sink sink = {&s, define, take, ignore};
        q.input = &input;
        q.n_inputs = 1;
        q.streams = 1; /* the sink keeps no map: the plan need not count one */
        st = heed_attribute(ctx, &q, &sink);
    }
    if (st == HEED_OK)
        print(&s);
    else if (ctx)
        fprintf(stderr, "stream: %s\n", heed_error(ctx));
    free(s.entropy);
    free(s.first);
    heed_tokens_free(ctx, tokens);
    heed_tokenizer_free(tokenizer);
    heed_model_free(model);
    heed_ctx_free(ctx);
    return heed_status_exit(st);
}
