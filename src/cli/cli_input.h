/* cli_input.h - from options to sequences, and what to explain of them. */
#ifndef HEEDI_CLI_INPUT_H
#define HEEDI_CLI_INPUT_H

#include "cli.h"

/* The texts of -p, -f, - or --dataset; with --ids and --image one that has
 * none. */
typedef struct heedi_cli_texts {
    struct {
        char *s; /* NULL: --ids, --image */
        int64_t len;
    } * v;
    int64_t n;
} heedi_cli_texts;

/* Before any model is loaded: reads files, checks UTF-8 and that exactly one
 * source was given. Errors: HEED_EINVAL, HEED_EIO, HEED_EFORMAT. */
heed_status heedi_cli_texts_read(heedi_cli *c, heedi_cli_texts *out);
void heedi_cli_texts_free(heedi_cli_texts *t);
/* The lines of a .jsonl file, appended. */
heed_status heedi_cli_dataset_read(heedi_cli *c, heedi_cli_texts *out);
/* s belongs to the list afterwards, also on failure. */
heed_status heedi_cli_texts_add(heedi_cli *c, heedi_cli_texts *t, char *s,
                                int64_t len);

/* An operand other than "-" is the model, in place of -m. */
heed_status heedi_cli_model_operand(heedi_cli *c);

/* The model of -m, which must be given; and its tokenizer. Without one only
 * text fails, at heedi_cli_tokenizer(). */
heed_status heedi_cli_load_model(heedi_cli *c);
void heedi_cli_load_tokenizer(heedi_cli *c);
heed_status heedi_cli_tokenizer(heedi_cli *c);

/* One sequence. Zero-initialise; heedi_cli_input_free() frees what it owns. */
typedef struct heedi_cli_input {
    heed_tokens tokens; /* prompt and continuation; a view */
    int64_t n_prompt;   /* tokens of the prompt */
    bool paired;        /* it is two texts in one sequence */
    heed_target *target;
    int64_t n_targets;
    heed_pixels *pixels;        /* of --image; else NULL */
    heed_tokens *full, *joined; /* what the view looks into */
    heed_token *kept;
} heedi_cli_input;

/* The prompt of texts->v[i], at most as long as allowed with `room` tokens to
 * come after it. */
heed_status heedi_cli_prompt(heedi_cli *c, const heedi_cli_texts *t, int64_t i,
                             int64_t room, heedi_cli_input *out);
/* The same of in->full, which is of a picture that nobody gave. HEED_EINVAL
 * names an option that is about texts. */
heed_status heedi_cli_made_image(heedi_cli *c, heedi_cli_input *in);
/* The continuation of -g or --target-ids, or K new tokens of -n. */
heed_status heedi_cli_continue(heedi_cli *c, heedi_cli_input *in);
/* Greedy continuation by at most n_new tokens; appended to the tokens. */
heed_status heedi_cli_generate(heedi_cli *c, heedi_cli_input *in,
                               int64_t n_new);
/* How many tokens a continuation will have; needs the tokenizer. */
heed_status heedi_cli_room(heedi_cli *c, int64_t *out);
void heedi_cli_input_free(heedi_cli *c, heedi_cli_input *in);

/* Whether -g, --target-ids or -n was given. */
bool heedi_cli_has_continuation(const heedi_args *a);

/* Conflicts between target options and a kind that does not exist, before any
 * model is loaded. */
heed_status heedi_cli_target_check(heedi_cli *c);
/* Fills in->target. */
heed_status heedi_cli_targets(heedi_cli *c, heedi_cli_input *in);
/* One position of --at in a sequence of n; HEED_EINVAL. */
heed_status heedi_cli_at(heedi_cli *c, int64_t at, int64_t n, int64_t *out);

/* ids of tokens; NULL, with a sentence, without memory. free() it. */
int32_t *heedi_cli_ids(heedi_cli *c, const heed_tokens *t);

#endif
