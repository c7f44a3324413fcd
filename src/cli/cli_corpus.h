/* cli_corpus.h - --dataset into one file. */
#ifndef HEEDI_CLI_CORPUS_H
#define HEEDI_CLI_CORPUS_H

#include "cli_input.h"

/* Whether the results of all inputs go to one file. */
bool heedi_cli_is_corpus(const heedi_args *a);

/* What can be known before a model is loaded. */
heed_status heedi_cli_corpus_check(heedi_cli *c);

typedef struct heedi_cli_corpus {
    heed_corpus *file; /* NULL: none */
    heed_result *run;
    int64_t done; /* inputs that it has */
} heedi_cli_corpus;

/* n inputs in all. */
heed_status heedi_cli_corpus_open(heedi_cli *c, int64_t n,
                                  heedi_cli_corpus *out);
heed_status heedi_cli_corpus_add(heedi_cli *c, heedi_cli_corpus *k,
                                 const heed_result *r);
void heedi_cli_corpus_close(heedi_cli_corpus *k);

#endif
