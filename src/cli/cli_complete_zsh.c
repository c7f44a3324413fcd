/* A function for zsh, of the kind that #compdef finds in a folder of $fpath. */
#include <string.h>

#include "cli_complete.h"

/* Inside single quotes; characters that _arguments or _describe take to mean
 * something get a backslash. */
static void print_quoted(const char *s, const char *special)
{
    for (; *s; s++) {
        if (*s == '\'')
            fputs("'\\'", stdout);
        else if (strchr(special, *s) || *s == '\\')
            putchar('\\');
        putchar(*s);
    }
}

static void print_offer(const char *what, const heedi_offer *o)
{
    putchar(':');
    print_quoted(what, ":");
    putchar(':');
    switch (o->kind) {
    case HEEDI_OFFER_NOTHING:
        break;
    case HEEDI_OFFER_FILES:
        fputs("_files", stdout);
        break;
    case HEEDI_OFFER_WORD:
        printf("(%s)", o->words);
        break;
    case HEEDI_OFFER_LIST:
        printf("_sequence compadd - %s", o->words);
        break;
    }
}

static void print_option(const char *dashes, const char *name, bool equals,
                         const char *help, const char *arg,
                         const heedi_offer *o)
{
    /* a list may be repeated, and so may a flag: heed takes the last one */
    printf("        '*%s%s%s[", dashes, name, equals ? "=" : "");
    print_quoted(help, "[]");
    putchar(']');
    if (arg)
        print_offer(arg, o);
    puts("' \\");
}

static void print_flag(const heedi_flag *f)
{
    heedi_offer o;
    const char *arg = f->kind == HEEDI_SWITCH ? NULL : f->arg;
    heedi_complete_flag(&o, f);
    if (f->key) {
        const char key[2] = {f->key, '\0'};
        print_option("-", key, false, f->help, arg, &o);
    }
    print_option("--", f->name, arg != NULL, f->help, arg, &o);
}

static void print_command(const heedi_command *k)
{
    heedi_offer o;
    const heed_option *m;
    printf("    %s)\n        _arguments -S \\\n", k->name);
    for (const heedi_flag *f = heedi_cli_flags; f->name; f++)
        if (heedi_complete_takes(k, f))
            print_flag(f);
    for (int i = 0;
         k->sets & HEEDI_SET_METHOD && (m = heedi_complete_option_at(i)); i++) {
        heedi_complete_option(&o, m);
        print_option("--", m->name, true, m->help, m->type, &o);
    }
    heedi_complete_operand(&o, k);
    /* without candidates there would be a message where an option is wanted */
    if (o.kind != HEEDI_OFFER_NOTHING) {
        fputs("        '*", stdout);
        print_offer(k->operand, &o);
        puts("' \\");
    }
    puts("        && return ;;");
}

void heedi_complete_zsh(void)
{
    puts("#compdef heed\n"
         "# Made by `heed help --completion zsh` from the tables of options.\n"
         "_heed() {\n"
         "    local -a commands\n"
         "    commands=(");
    for (int i = 0; heedi_commands[i]; i++) {
        printf("        '%s:", heedi_commands[i]->name);
        print_quoted(heedi_commands[i]->summary, ":");
        puts("'");
    }
    puts("    )\n"
         "    if ((CURRENT == 2)); then\n"
         "        _describe -t commands command commands\n"
         "        return\n"
         "    fi\n"
         "    shift words\n"
         "    ((CURRENT--))\n"
         "    case $words[1] in");
    for (int i = 0; heedi_commands[i]; i++)
        print_command(heedi_commands[i]);
    puts("    esac\n"
         "}\n"
         "if [[ $funcstack[1] == _heed ]]; then\n"
         "    _heed \"$@\"\n"
         "else\n"
         "    compdef _heed heed\n"
         "fi");
}
