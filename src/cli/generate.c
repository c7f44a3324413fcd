/* heed generate - continue a text, greedily. */
#include <stdlib.h>
#include <string.h>

#include "cli_input.h"
#include "cli_output.h"

typedef struct job {
    heedi_cli *c;
    heedi_cli_texts texts;
    heedi_cli_input in;
    heedi_cli_output out;
} job;

/* The new tokens are the last n_tokens ones of "input". */
static heed_status print_json(job *j, const char *text)
{
    heedi_cli *c = j->c;
    heed_sink s = heedi_cli_output_sink(&j->out);
    HEEDI_TRY(heedi_cli_provenance(c, &s, &j->in.tokens));
    HEEDI_LIB(c, heed_put_input(&s, c->ctx, &j->in.tokens));
    HEEDI_LIB(c, heed_put_str(&s, c->ctx, "generation", "text", text));
    HEEDI_LIB(c, heed_put_int(&s, c->ctx, "generation", "n_tokens",
                              j->in.tokens.n - j->in.n_prompt));
    return heedi_cli_json(c, j->out.result, false);
}

/* Without a tokenizer there is no text, only ids. */
static void print_text(const job *j, const char *text, int64_t len)
{
    const heed_tokens *t = &j->in.tokens;
    if (j->c->tokenizer)
        fwrite(text, 1, (size_t)len, stdout);
    for (int64_t i = j->in.n_prompt; !j->c->tokenizer && i < t->n; i++)
        printf("%s%d", i > j->in.n_prompt ? "," : "", (int)t->token[i].id);
    putchar('\n');
}

static heed_status run_all(job *j)
{
    heedi_cli *c = j->c;
    int64_t n = c->args.new_tokens > 0 ? c->args.new_tokens : 32;
    HEEDI_TRY(heedi_cli_texts_read(c, &j->texts));
    HEEDI_TRY(heedi_cli_load_model(c));
    heedi_cli_load_tokenizer(c);
    HEEDI_TRY(heedi_cli_output_open(c, &j->out, 0, 1, c->args.json));
    HEEDI_TRY(heedi_cli_prompt(c, &j->texts, 0, n, &j->in));
    int64_t prompt_len = j->in.tokens.text_len;
    HEEDI_TRY(heedi_cli_generate(c, &j->in, n));
    heedi_cli_progress_end();
    const char *text = j->in.tokens.text + prompt_len;
    if (c->args.json)
        return print_json(j, text);
    print_text(j, text, j->in.tokens.text_len - prompt_len);
    return HEED_OK;
}

static heed_status run(heedi_cli *c)
{
    job j = {.c = c};
    heed_status st = run_all(&j);
    heedi_cli_output_free(&j.out);
    heedi_cli_input_free(c, &j.in);
    heedi_cli_texts_free(&j.texts);
    return st;
}

const heedi_command heedi_command_generate = {
    .name = "generate",
    .summary = "continue a text greedily (32 tokens unless -n says otherwise)",
    .operand = "[-]",
    .sets = HEEDI_SET_COMMON | HEEDI_SET_MODEL | HEEDI_SET_TEXT |
            HEEDI_SET_LENGTH | HEEDI_SET_NEW,
    .run = run,
};
