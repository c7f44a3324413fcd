/* A script for bash. It needs no other: words are taken from COMP_WORDS, in
 * which bash has made "--name=value" three. */
#include <string.h>

#include "cli_complete.h"

/* A command of the script. */
static void print_offer(const heedi_offer *o)
{
    switch (o->kind) {
    case HEEDI_OFFER_NOTHING:
        putchar(':');
        break;
    case HEEDI_OFFER_FILES:
        fputs("_heed_files", stdout);
        break;
    case HEEDI_OFFER_WORD:
        printf("_heed_words '%s'", o->words);
        break;
    case HEEDI_OFFER_LIST:
        printf("_heed_list '%s'", o->words);
        break;
    }
}

/* What follows an option, which is the same for all commands. */
static void print_values(void)
{
    heedi_offer o;
    const heed_option *m;
    puts("    case $prev in");
    for (const heedi_flag *f = heedi_cli_flags; f->name; f++) {
        if (!f->help || f->kind == HEEDI_SWITCH)
            continue;
        heedi_complete_flag(&o, f);
        printf("    --%s", f->name);
        if (f->key)
            printf("|-%c", f->key);
        fputs(") ", stdout);
        print_offer(&o);
        puts("; return ;;");
    }
    for (int i = 0; (m = heedi_complete_option_at(i)); i++) {
        heedi_complete_option(&o, m);
        printf("    --%s) ", m->name);
        print_offer(&o);
        puts("; return ;;");
    }
    puts("    esac");
}

static void print_command(const heedi_command *k)
{
    heedi_offer o;
    const heed_option *m;
    printf("    %s)\n        options='", k->name);
    for (const heedi_flag *f = heedi_cli_flags; f->name; f++)
        if (heedi_complete_takes(k, f))
            printf("--%s ", f->name);
    for (int i = 0;
         k->sets & HEEDI_SET_METHOD && (m = heedi_complete_option_at(i)); i++)
        printf("--%s ", m->name);
    fputs("'\n        [[ $cur == -* ]] || { ", stdout);
    heedi_complete_operand(&o, k);
    print_offer(&o);
    puts("; return; } ;;");
}

void heedi_complete_bash(void)
{
    puts("# Made by `heed help --completion bash` from the tables of options.\n"
         "_heed_words() {\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\")\n"
         "}\n"
         "_heed_list() { # the last of several, separated by commas\n"
         "    local head=\n"
         "    [[ $cur != *,* ]] || head=${cur%,*},\n"
         "    mapfile -t COMPREPLY < <(compgen -P \"$head\" -W \"$1\" -- "
         "\"${cur##*,}\")\n"
         "}\n"
         "_heed_files() {\n"
         "    compopt -o filenames 2>/dev/null\n"
         "    mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
         "}\n"
         "_heed() {\n"
         "    local cur=${COMP_WORDS[COMP_CWORD]} "
         "prev=${COMP_WORDS[COMP_CWORD-1]} options=\n"
         "    COMPREPLY=()\n"
         "    if [[ $cur == = ]]; then\n"
         "        cur=\n"
         "    elif [[ $prev == = ]] && ((COMP_CWORD > 2)); then\n"
         "        prev=${COMP_WORDS[COMP_CWORD-2]}\n"
         "    fi\n"
         "    if ((COMP_CWORD == 1)); then");
    fputs("        _heed_words '", stdout);
    for (int i = 0; heedi_commands[i]; i++)
        printf("%s ", heedi_commands[i]->name);
    puts("--help --version'\n        return\n    fi");
    print_values();
    puts("    case ${COMP_WORDS[1]} in");
    for (int i = 0; heedi_commands[i]; i++)
        print_command(heedi_commands[i]);
    puts("    esac\n"
         "    _heed_words \"$options\"\n"
         "}\n"
         "complete -F _heed heed");
}
