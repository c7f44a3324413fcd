/* cli_complete.h - what a shell can offer, from the tables of commands, options
 * and methods; scripts for shells are made of it. */
#ifndef HEEDI_CLI_COMPLETE_H
#define HEEDI_CLI_COMPLETE_H

#include "cli_help.h"

typedef enum heedi_offer_kind {
    HEEDI_OFFER_NOTHING, /* a text, a number */
    HEEDI_OFFER_FILES,
    HEEDI_OFFER_WORD, /* one of `words` */
    HEEDI_OFFER_LIST  /* several of them, separated by commas */
} heedi_offer_kind;

typedef struct heedi_offer {
    heedi_offer_kind kind;
    char words[1024]; /* separated by spaces */
} heedi_offer;

void heedi_complete_flag(heedi_offer *o, const heedi_flag *f);
void heedi_complete_option(heedi_offer *o, const heed_option *f);
void heedi_complete_operand(heedi_offer *o, const heedi_command *k);

/* i-th option of any method, each name once; NULL: no more. */
const heed_option *heedi_complete_option_at(int i);

/* Whether a command takes an option, and shows it. */
bool heedi_complete_takes(const heedi_command *k, const heedi_flag *f);

void heedi_complete_bash(void);
void heedi_complete_zsh(void);

#endif
