/* Help on a terminal. */
#include "cli_help.h"

#include <string.h>

void heedi_cli_usage(FILE *f)
{
    fputs("usage: heed COMMAND [-m MODEL] [-p TEXT | -f FILE | -] [options]\n"
          "       heed help COMMAND\n\n"
          "heed explains the predictions of sequence models.\n\n",
          f);
    for (int i = 0; heedi_commands[i]; i++)
        fprintf(f, "  %-10s %s\n", heedi_commands[i]->name,
                heedi_commands[i]->summary);
}

static void print_flag(const heedi_flag *f)
{
    char left[80];
    int n = snprintf(left, sizeof left, "%s%c%s--%s%s%s", f->key ? "-" : "  ",
                     f->key ? f->key : ' ', f->key ? ", " : " ", f->name,
                     f->arg ? " " : "", f->arg ? f->arg : "");
    if (n <= 24)
        printf("  %-24s %s\n", left, f->help);
    else
        printf("  %s\n  %-24s %s\n", left, "", f->help);
}

static void print_method_options(void)
{
    puts("\nOptions of methods are options, too: --NAME VALUE. `heed methods "
         "NAME`\nlists those of a method.");
}

void heedi_cli_command_help(const heedi_command *k)
{
    const char *operand = k->operand ? k->operand : "";
    if (k->sets & HEEDI_SET_TEXT && strcmp(operand, "[-]") == 0)
        operand = "-m MODEL {-p TEXT | -f FILE | -}";
    printf("usage: heed %s%s%s [options]\n\n%s\n", k->name, *operand ? " " : "",
           operand, k->summary);
    for (int bit = 0; bit < HEEDI_N_SETS; bit++) {
        bool titled = false;
        if (!(k->sets & 1 << bit))
            continue;
        for (const heedi_flag *f = heedi_cli_flags; f->name; f++) {
            /* A flag of several sets is listed once, in the first. */
            int mine = f->sets & k->sets;
            if (!f->help || (mine & -mine) != 1 << bit)
                continue;
            if (!titled)
                printf("\n%s\n", heedi_cli_set_titles[bit]);
            titled = true;
            print_flag(f);
        }
    }
    if (k->sets & HEEDI_SET_METHOD)
        print_method_options();
}
