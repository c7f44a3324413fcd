/* cli_output.h - result files, pictures, tables. */
#ifndef HEEDI_CLI_OUTPUT_H
#define HEEDI_CLI_OUTPUT_H

#include "cli.h"
#include "cli_input.h"

/* Where the results of one input go: memory, a file, or both. */
typedef struct heedi_cli_output {
    heed_result *result; /* NULL: not kept */
    heed_file *file;     /* NULL: no -o */
    heed_sink to[2];
    int n;
    bool again; /* a second method: "input" is there already */
} heedi_cli_output;

/* The sink that feeds both; valid as long as o stays where it is. */
heed_sink heedi_cli_output_sink(heedi_cli_output *o);

/* PATH with a suffix in front of its extension; free() it. NULL, with a
 * sentence, without memory. An index below 0 and a NULL word add nothing. */
char *heedi_cli_path(heedi_cli *c, const char *path, int64_t index,
                     const char *word, int64_t target);

/* Everything about outputs that can be known before the work: names, formats,
 * existing files. n inputs are to come. */
heed_status heedi_cli_outputs_check(heedi_cli *c, int64_t n);

/* Open those of input i of n; keep: results are needed in memory. */
heed_status heedi_cli_output_open(heedi_cli *c, heedi_cli_output *o, int64_t i,
                                  int64_t n, bool keep);
/* Bytes that the files of n inputs take while they are written. */
uint64_t heedi_cli_output_memory(const heedi_cli *c, int64_t n);
/* Finish the file. */
heed_status heedi_cli_output_close(heedi_cli *c, heedi_cli_output *o);
/* Give up what is unfinished, and free. */
void heedi_cli_output_free(heedi_cli_output *o);

/* Whether any picture was asked for. */
bool heedi_cli_has_picture(const heedi_args *a);
/* All pictures of one group of results; `word` and `target` go into the names
 * of files unless NULL and below 0. */
heed_status heedi_cli_pictures(heedi_cli *c, const heed_result *r,
                               const char *group, const char *array,
                               int64_t index, const char *word, int64_t target);
/* The figure that draws one such array; of several the plainest, a token heat.
 * NULL: this build has none. */
const heed_figure_info *heedi_cli_figure_of(const char *array);
/* The figure of that name, or NULL. */
const heed_figure_info *heedi_cli_figure_named(const char *name);
/* A figure of n explanations, into each of the pictures that were asked for. */
heed_status heedi_cli_draw(heedi_cli *c, const char *figure,
                           const heed_figure_part *part, int64_t n,
                           int64_t index, const char *word, int64_t target);
/* That of --figure, or NULL. HEED_EINVAL: there is none of that name. */
heed_status heedi_cli_figure(heedi_cli *c, const heed_figure_info **out);
/* What --cmap and the like say. HEED_ENOTSUP for what cannot be drawn. */
heed_status heedi_cli_figure_options(heedi_cli *c, heed_figure_options *o);

/* Who made the results, from what: attributes of the root. */
heed_status heedi_cli_provenance(heedi_cli *c, const heed_sink *s,
                                 const heed_tokens *tokens);

/* c->hash, once; left empty with --no-hash. */
heed_status heedi_cli_hash(heedi_cli *c);

/* One document on stdout. */
heed_status heedi_cli_json(heedi_cli *c, const heed_result *r, bool many);

/* The i-th number of an attribute, NaN if there is none; its i-th string, ""
 * if there is none. One value stands for all. */
double heedi_cli_attr_num(const heed_result *r, const char *group,
                          const char *key, int64_t i);
const char *heedi_cli_attr_str(const heed_result *r, const char *group,
                               const char *key, int64_t i);

/* How a table of relevance is laid out. */
typedef struct heedi_cli_columns {
    bool input, method, target, word;
} heedi_cli_columns;
/* The greatest heads and neurons, with --top: a line for each. */
void heedi_cli_top(const heedi_cli_columns *k, const heed_result *r,
                   const char *group, const char *method, int64_t input);

void heedi_cli_relevance_head(const heedi_cli_columns *k);
void heedi_cli_relevance_rows(const heedi_cli_columns *k, const heed_result *r,
                              const char *group, const char *method,
                              int64_t input, const heedi_cli_input *in);
/* The ledger of a method; head: with a line of column names. */
void heedi_cli_ledger(const heed_result *r, const char *group);
/* Target, sum, absorbed, residual: one line on stderr for each target. */
void heedi_cli_summary(const heedi_cli *c, const heed_result *r,
                       const char *group, const char *method, int64_t n);

#endif
