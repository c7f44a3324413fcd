/* heed predict - the most likely next tokens. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli_input.h"
#include "cli_output.h"

typedef struct job {
    heedi_cli *c;
    heedi_cli_texts texts;
    heedi_cli_input in;
    heedi_cli_output out;
    int64_t *at, n_at, top;
    heed_candidate *best; /* (n_at, top) */
    heed_tokens *tokens;  /* of them, for their text */
} job;

/* The positions of mask tokens, for a masked model without --at. */
static heed_status masks(job *j)
{
    const heed_tokens *t = &j->in.tokens;
    const int32_t mask =
        j->c->tokenizer ? heed_tokenizer_about(j->c->tokenizer)->mask : -1;
    j->at = heedi_cli_calloc(j->c, t->n, sizeof *j->at);
    if (!j->at)
        return HEED_ENOMEM;
    for (int64_t i = 0; mask >= 0 && i < t->n; i++)
        if (t->token[i].id == mask)
            j->at[j->n_at++] = i;
    return j->n_at > 0 ? HEED_OK
                       : heedi_cli_fail(j->c, HEED_EINVAL,
                                        "predict: the input has no mask token: "
                                        "--at names positions (a [MASK] in the "
                                        "text is read as one with --special)");
}

static heed_status rows(job *j)
{
    const heedi_ints *at = &j->c->args.at;
    const heed_head head = heed_model_about(j->c->model)->head;
    int64_t n = j->in.tokens.n;
    if (head == HEED_HEAD_MASKED && at->n == 0)
        return masks(j);
    if (head == HEED_HEAD_CLASS && at->n != 0)
        return heedi_cli_fail(j->c, HEED_EINVAL,
                              "--at: labels are of the text as a whole");
    if (head == HEED_HEAD_CLASS)
        n = 1;
    j->n_at = at->n < 0 ? n : at->n > 0 ? at->n : 1;
    j->at = heedi_cli_calloc(j->c, j->n_at, sizeof *j->at);
    if (!j->at)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < j->n_at; i++)
        HEEDI_TRY(heedi_cli_at(j->c,
                               at->n < 0   ? i
                               : at->n > 0 ? at->v[i]
                                           : -1,
                               n, &j->at[i]));
    return HEED_OK;
}

/* The text of every candidate. */
static heed_status name_tokens(job *j)
{
    int64_t n = j->n_at * j->top;
    if (heed_model_about(j->c->model)->head == HEED_HEAD_CLASS)
        return HEED_OK; /* labels have names */
    int32_t *id = heedi_cli_calloc(j->c, n, sizeof *id);
    if (!id)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        id[i] = j->best[i].id;
    heed_status st =
        heed_tokens_of(&j->tokens, j->c->ctx, j->c->tokenizer, id, n);
    free(id);
    return st == HEED_OK ? st : heedi_cli_lib(j->c, st);
}

static heed_status predict(job *j)
{
    heedi_cli *c = j->c;
    const heed_model_info *m = heed_model_about(c->model);
    int64_t vocab = m->head == HEED_HEAD_CLASS ? m->n_labels : m->vocab;
    const int64_t top = c->args.top > 0 ? c->args.top : 10;
    j->top = top < vocab ? top : vocab;
    if (j->n_at > INT32_MAX / j->top)
        return heedi_cli_fail(c, HEED_EINVAL,
                              "--top %lld: too many for %lld rows",
                              (long long)j->top, (long long)j->n_at);
    j->best = heedi_cli_calloc(c, j->n_at * j->top, sizeof *j->best);
    if (!j->best)
        return HEED_ENOMEM;
    heed_status st = j->in.pixels
                         ? heed_predict_image(c->ctx, c->model, j->in.pixels,
                                              j->top, j->best)
                         : heed_predict_tokens(c->ctx, c->model, &j->in.tokens,
                                               j->at, j->n_at, j->top, j->best);
    heedi_cli_progress_end();
    return st == HEED_OK ? name_tokens(j) : heedi_cli_lib(c, st);
}

static const char *text_of(const job *j, int64_t i)
{
    const heed_model_info *m = heed_model_about(j->c->model);
    return j->tokens ? j->tokens->token[i].text : m->label[j->best[i].id];
}

static void print_table(const job *j)
{
    printf("pos\trank\tid\t%s\tlogit\tlogprob\tprobability\n",
           j->tokens ? "token" : "label");
    for (int64_t i = 0; i < j->n_at * j->top; i++) {
        const heed_candidate *b = &j->best[i];
        printf("%lld\t%lld\t%d\t", (long long)j->at[i / j->top],
               (long long)(i % j->top), (int)b->id);
        heedi_cli_print_cell(stdout, text_of(j, i));
        putchar('\t');
        heedi_cli_print_number(stdout, b->logit, '\t');
        heedi_cli_print_number(stdout, b->logprob, '\t');
        heedi_cli_print_number(stdout, exp(b->logprob), '\n');
    }
}

static heed_status put(const job *j, const heed_sink *s, const char *name,
                       heed_type type, const char *units, const void *data)
{
    heed_var v = {.group = "predictions",
                  .name = name,
                  .type = type,
                  .nd = 2,
                  .dim = {"row", "rank"},
                  .len = {j->n_at, j->top},
                  .units = units};
    return heed_put(s, j->c->ctx, &v, data);
}

/* The columns of candidates, one array each. */
static heed_status put_columns(const job *j, const heed_sink *s, int32_t *id,
                               const char **text, double *x)
{
    int64_t n = j->n_at * j->top;
    for (int64_t i = 0; i < n; i++) {
        id[i] = j->best[i].id;
        text[i] = text_of(j, i);
        x[i] = j->best[i].logit;
        x[n + i] = j->best[i].logprob;
        x[2 * n + i] = exp(j->best[i].logprob);
    }
    HEEDI_TRY(put(j, s, "id", HEED_I32, NULL, id));
    HEEDI_TRY(put(j, s, "text", HEED_STR, NULL, text));
    HEEDI_TRY(put(j, s, "logit", HEED_F64, "logit", x));
    HEEDI_TRY(put(j, s, "logprob", HEED_F64, "nat", x + n));
    return put(j, s, "probability", HEED_F64, "1", x + 2 * n);
}

static heed_status put_predictions(job *j)
{
    heedi_cli *c = j->c;
    heed_sink s = heedi_cli_output_sink(&j->out);
    int64_t n = j->n_at * j->top;
    int32_t *id = heedi_cli_calloc(c, n, sizeof *id);
    const char **text = heedi_cli_calloc(c, n, sizeof *text);
    double *x = heedi_cli_calloc(c, n, 3 * sizeof *x);
    heed_var pos = {.group = "predictions",
                    .name = "pos",
                    .type = HEED_I64,
                    .nd = 1,
                    .dim = {"row"},
                    .len = {j->n_at}};
    heed_status st = id && text && x ? HEED_OK : HEED_ENOMEM;
    if (st == HEED_OK) {
        st = heed_put_input(&s, c->ctx, &j->in.tokens);
        if (st == HEED_OK && j->in.pixels)
            st = heed_put_pixels(&s, c->ctx, j->in.pixels, 0);
        if (st == HEED_OK)
            st = heed_put(&s, c->ctx, &pos, j->at);
        if (st == HEED_OK)
            st = put_columns(j, &s, id, text, x);
        if (st != HEED_OK)
            heedi_cli_lib(c, st);
    }
    free(id);
    free(text);
    free(x);
    return st;
}

static heed_status run_all(job *j)
{
    heedi_cli *c = j->c;
    bool to_stdout = c->args.output && strcmp(c->args.output, "-") == 0;
    HEEDI_TRY(heedi_cli_texts_read(c, &j->texts));
    HEEDI_TRY(heedi_cli_outputs_check(c, 1));
    HEEDI_TRY(heedi_cli_load_model(c));
    if (heed_model_about(c->model)->head == HEED_HEAD_EMBEDDING)
        return heedi_cli_fail(c, HEED_ENOTSUP,
                              "%s: the model predicts nothing, it makes "
                              "embeddings: `heed embed` prints them, "
                              "`heed attribute --pair` explains a similarity",
                              c->args.model);
    heedi_cli_load_tokenizer(c);
    HEEDI_TRY(heedi_cli_output_open(c, &j->out, 0, 1, c->args.json));
    HEEDI_TRY(heedi_cli_prompt(c, &j->texts, 0, 0, &j->in));
    HEEDI_TRY(rows(j));
    HEEDI_TRY(predict(j));
    if (c->args.json || c->args.output) {
        heed_sink s = heedi_cli_output_sink(&j->out);
        HEEDI_TRY(heedi_cli_provenance(c, &s, &j->in.tokens));
        HEEDI_TRY(put_predictions(j));
        HEEDI_TRY(heedi_cli_output_close(c, &j->out));
    }
    if (c->args.json)
        return heedi_cli_json(c, j->out.result, false);
    if (!to_stdout)
        print_table(j);
    return HEED_OK;
}

static heed_status run(heedi_cli *c)
{
    job j = {.c = c};
    heed_status st = run_all(&j);
    heed_tokens_free(c->ctx, j.tokens);
    free(j.best);
    free(j.at);
    heedi_cli_output_free(&j.out);
    heedi_cli_input_free(c, &j.in);
    heedi_cli_texts_free(&j.texts);
    return st;
}

const heedi_command heedi_command_predict = {
    .name = "predict",
    .summary = "the most likely next tokens, labels, or tokens at a mask",
    .operand = "[-]",
    .sets = HEEDI_SET_COMMON | HEEDI_SET_MODEL | HEEDI_SET_TEXT |
            HEEDI_SET_PAIR | HEEDI_SET_IMAGE | HEEDI_SET_LENGTH | HEEDI_SET_AT |
            HEEDI_SET_TOP | HEEDI_SET_FILE,
    .run = run,
};
