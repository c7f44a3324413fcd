/* heed embed - the pooled embedding of a text. */
#include <stdlib.h>

#include "cli_input.h"
#include "cli_output.h"

typedef struct job {
    heedi_cli *c;
    heedi_cli_texts texts;
    heedi_cli_input in;
    heedi_cli_output out;
    double *x; /* as many as the model is wide */
} job;

static heed_status store(const job *j, const heed_sink *s)
{
    heedi_cli *c = j->c;
    const heed_model_info *m = heed_model_about(c->model);
    const heed_var v = {.group = "",
                        .name = "embedding",
                        .type = HEED_F64,
                        .nd = 1,
                        .dim = {"dimension"},
                        .len = {m->width},
                        .long_name = "pooled embedding of the text"};
    HEEDI_LIB(c, heed_put_input(s, c->ctx, &j->in.tokens));
    HEEDI_LIB(c, heed_put(s, c->ctx, &v, j->x));
    HEEDI_LIB(c, heed_put_str(s, c->ctx, "", "pooling", m->pooling));
    HEEDI_LIB(c, heed_put_int(s, c->ctx, "", "normalizes", m->normalizes));
    return HEED_OK;
}

static heed_status run_all(job *j)
{
    heedi_cli *c = j->c;
    const heedi_args *a = &c->args;
    HEEDI_TRY(heedi_cli_texts_read(c, &j->texts));
    HEEDI_TRY(heedi_cli_outputs_check(c, 1));
    HEEDI_TRY(heedi_cli_load_model(c));
    heedi_cli_load_tokenizer(c);
    const int64_t n = heed_model_about(c->model)->width;
    HEEDI_TRY(heedi_cli_output_open(c, &j->out, 0, 1, a->json));
    HEEDI_TRY(heedi_cli_prompt(c, &j->texts, 0, 0, &j->in));
    j->x = heedi_cli_calloc(c, n, sizeof *j->x);
    if (!j->x)
        return HEED_ENOMEM;
    HEEDI_LIB(c, heed_embed(c->ctx, c->model, &j->in.tokens, j->x));
    heedi_cli_progress_end();
    if (a->json || a->output) {
        heed_sink s = heedi_cli_output_sink(&j->out);
        HEEDI_TRY(heedi_cli_provenance(c, &s, &j->in.tokens));
        HEEDI_TRY(store(j, &s));
        HEEDI_TRY(heedi_cli_output_close(c, &j->out));
    }
    if (a->json)
        return heedi_cli_json(c, j->out.result, false);
    if (a->output)
        return HEED_OK;
    puts("dimension\tvalue");
    for (int64_t i = 0; i < n; i++) {
        printf("%lld\t", (long long)i);
        heedi_cli_print_number(stdout, j->x[i], '\n');
    }
    return HEED_OK;
}

static heed_status run(heedi_cli *c)
{
    job j = {.c = c};
    heed_status st = run_all(&j);
    free(j.x);
    heedi_cli_output_free(&j.out);
    heedi_cli_input_free(c, &j.in);
    heedi_cli_texts_free(&j.texts);
    return st;
}

const heedi_command heedi_command_embed = {
    .name = "embed",
    .summary = "the pooled embedding of a text",
    .operand = "[-]",
    .sets = HEEDI_SET_COMMON | HEEDI_SET_MODEL | HEEDI_SET_TEXT |
            HEEDI_SET_LENGTH | HEEDI_SET_FILE,
    .run = run,
};
