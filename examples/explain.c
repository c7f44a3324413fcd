/* explain [MODEL] [TEXT] - why does the model continue the text as it does?
 * Prints the relevance of each token. Run from the build folder, or name a
 * model. */
#include <heed/heed.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "../examples/models/austen-llama";
    const char *text = argc > 2 ? argv[2] : "She was the youngest of the two";
    const char *group = "explanations/attn_lrp";
    heed_ctx *ctx = NULL;
    heed_model *model = NULL;
    heed_tokenizer *tokenizer = NULL;
    heed_tokens *tokens = NULL;
    heed_result *result = NULL;
    heed_status st = heed_ctx_new(&ctx, NULL);

    if (st == HEED_OK)
        st = heed_model_load(&model, ctx, path);
    if (st == HEED_OK)
        st = heed_tokenizer_load(&tokenizer, ctx, path);
    if (st == HEED_OK)
        st = heed_encode(&tokens, ctx, tokenizer, text, (int64_t)strlen(text),
                         NULL);
    if (st == HEED_OK)
        st = heed_result_new(&result, ctx);
    if (st == HEED_OK) {
        heed_input input = {.tokens = tokens};
        heed_request q = {.model = model, .tokenizer = tokenizer};
        heed_sink sink = heed_result_sink(result);
        q.method = "attn_lrp";
        q.input = &input;
        q.n_inputs = 1;
        st = heed_attribute(ctx, &q, &sink);
    }
    if (st == HEED_OK) {
        const heed_real *r = heed_result_get(result, group, "relevance")->data;
        printf("logit of '%s': %.2f\n",
               heed_result_str(result, group, "target_text"),
               heed_result_num(result, group, "target_value"));
        for (int64_t i = 0; i < tokens->n; i++)
            printf("%6.2f  '%s'\n", (double)r[i], tokens->token[i].text);
    } else if (ctx) {
        fprintf(stderr, "explain: %s\n", heed_error(ctx));
    }
    heed_result_free(result);
    heed_tokens_free(ctx, tokens);
    heed_tokenizer_free(tokenizer);
    heed_model_free(model);
    heed_ctx_free(ctx);
    return heed_status_exit(st);
}
