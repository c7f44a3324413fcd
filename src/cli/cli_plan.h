/* cli_plan.h - the memory plan as a table and as JSON. */
#ifndef HEEDI_CLI_PLAN_H
#define HEEDI_CLI_PLAN_H

#include <jansson.h>

#include "cli.h"

/* One part for each line: "PREFIX<name>\tbytes\tsize". */
void heedi_cli_plan_print(const char *prefix, const heed_plan *p);
json_t *heedi_cli_plan_json(const heed_plan *p);

/* A number of bytes as people say it: "1.5G". */
const char *heedi_cli_bytes(char out[32], uint64_t n);

/* Print a document on stdout; j is released. NULL is "out of memory". */
heed_status heedi_cli_json_print(heedi_cli *c, json_t *j);
/* A string that may be NULL or no valid UTF-8. */
json_t *heedi_cli_json_text(const char *s);

#endif
