/* heed tokenize - ids, text and byte ranges; and back. No weights are read. */
#include <stdlib.h>
#include <string.h>

#include "cli_input.h"
#include "cli_output.h"

static heed_status print_json(heedi_cli *c, const heed_tokens *t)
{
    heedi_cli_output out;
    HEEDI_TRY(heedi_cli_output_open(c, &out, 0, 1, true));
    heed_sink s = heedi_cli_output_sink(&out);
    heed_status st = heedi_cli_provenance(c, &s, t);
    if (st == HEED_OK) {
        st = heed_put_input(&s, c->ctx, t);
        st = st == HEED_OK ? heedi_cli_json(c, out.result, false)
                           : heedi_cli_lib(c, st);
    }
    heedi_cli_output_free(&out);
    return st;
}

static void print_table(const heed_tokens *t)
{
    puts("pos\tid\ttoken\tbyte_start\tbyte_end\tspecial\tword");
    for (int64_t i = 0; i < t->n; i++) {
        const heed_token *k = &t->token[i];
        printf("%lld\t%d\t", (long long)i, (int)k->id);
        heedi_cli_print_cell(stdout, k->text);
        printf("\t%lld\t%lld\t%d\t%d\n", (long long)k->byte_start,
               (long long)k->byte_end, k->is_special, (int)k->word_id);
    }
}

static heed_status run_all(heedi_cli *c, heedi_cli_texts *texts,
                           heedi_cli_input *in)
{
    const heedi_args *a = &c->args;
    if (a->raw_tokens)
        return heedi_cli_fail(c, HEED_ENOTSUP,
                              "--raw-tokens: not in this version");
    HEEDI_TRY(heedi_cli_texts_read(c, texts));
    if (a->decode && a->ids.n == 0)
        return heedi_cli_fail(c, HEED_EINVAL, "--decode: needs --ids");
    heedi_cli_load_tokenizer(c);
    HEEDI_TRY(heedi_cli_tokenizer(c));
    int64_t most = heed_tokenizer_about(c->tokenizer)->n_tokens;
    for (int64_t i = 0; i < a->ids.n; i++)
        if (a->ids.v[i] >= most)
            return heedi_cli_fail(c, HEED_EINVAL,
                                  "--ids: %lld is beyond the vocabulary of "
                                  "%lld tokens",
                                  (long long)a->ids.v[i], (long long)most);
    HEEDI_TRY(heedi_cli_prompt(c, texts, 0, 0, in));
    if (a->json)
        return print_json(c, &in->tokens);
    if (!a->decode) {
        print_table(&in->tokens);
        return HEED_OK;
    }
    fwrite(in->tokens.text, 1, (size_t)in->tokens.text_len, stdout);
    putchar('\n');
    return HEED_OK;
}

static heed_status run(heedi_cli *c)
{
    heedi_cli_texts texts = {0};
    heedi_cli_input in = {0};
    heed_status st = run_all(c, &texts, &in);
    heedi_cli_input_free(c, &in);
    heedi_cli_texts_free(&texts);
    return st;
}

const heedi_command heedi_command_tokenize = {
    .name = "tokenize",
    .summary = "token ids of a text with their byte ranges, and back",
    .operand = "[-]",
    .sets = HEEDI_SET_COMMON | HEEDI_SET_MODEL | HEEDI_SET_TEXT |
            HEEDI_SET_PAIR | HEEDI_SET_DECODE,
    .run = run,
};
