/* cli_help.h - help and the manual page, from the tables. */
#ifndef HEEDI_CLI_HELP_H
#define HEEDI_CLI_HELP_H

#include "cli.h"

void heedi_cli_usage(FILE *f);
void heedi_cli_command_help(const heedi_command *k);
void heedi_cli_man(void);
/* A script for the shell of --completion. */
heed_status heedi_cli_completion(heedi_cli *c);

#endif
