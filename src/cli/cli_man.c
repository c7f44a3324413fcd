/* The manual page, in man(7) macros. */
#include "cli_help.h"

/* Text of a line: backslashes, hyphens and a leading dot mean something. */
static void print_roff(const char *s)
{
    if (*s == '.' || *s == '\'')
        fputs("\\&", stdout);
    for (; *s; s++) {
        if (*s == '\\')
            fputs("\\e", stdout);
        else if (*s == '-')
            fputs("\\-", stdout);
        else if (*s == '`')
            fputs("\\(ga", stdout);
        else if ((unsigned char)*s == 0xe2 && (unsigned char)s[1] == 0x90 &&
                 (unsigned char)s[2] == 0xa3) { /* U+2423 */
            fputs("\\[u2423]", stdout);
            s += 2;
        } else
            putchar(*s);
    }
}

static void print_flag(const heedi_flag *f)
{
    puts(".TP");
    fputs(".B ", stdout);
    if (f->key)
        printf("\\-%c, ", f->key);
    fputs("\\-\\-", stdout);
    print_roff(f->name);
    if (f->arg) {
        fputs("\\fR \\fI", stdout);
        print_roff(f->arg);
    }
    putchar('\n');
    print_roff(f->help);
    putchar('\n');
    /* Which commands: those that share a set. */
    if (f->sets & HEEDI_SET_COMMON)
        return;
    fputs("(", stdout);
    bool any = false;
    for (int i = 0; heedi_commands[i]; i++)
        if (heedi_commands[i]->sets & f->sets) {
            printf("%s%s", any ? ", " : "", heedi_commands[i]->name);
            any = true;
        }
    puts(")");
}

static void print_options(void)
{
    puts(
        ".SH OPTIONS\n"
        "The commands that take an option follow it in parentheses. Names are\n"
        "case\\-insensitive, hyphens and underscores are the same.\n"
        "\\fB\\-\\-name=value\\fR and \\fB\\-\\-name value\\fR are the same, "
        "and\n"
        "\\fB\\-\\-\\fR ends the options.");
    for (int bit = 0; bit < HEEDI_N_SETS; bit++) {
        bool titled = false;
        for (const heedi_flag *f = heedi_cli_flags; f->name; f++) {
            if (!f->help || (f->sets & -f->sets) != 1 << bit)
                continue;
            if (!titled)
                printf(".SS %s\n", heedi_cli_set_titles[bit]);
            titled = true;
            print_flag(f);
        }
    }
    puts(
        ".SS Options of methods\n"
        "Every option of a method is an option of \\fBattribute\\fR:\n"
        "\\fB\\-\\-\\fINAME VALUE\\fR. \\fBheed methods\\fR \\fINAME\\fR lists "
        "those of a method.");
}

static void print_statuses(void)
{
    static const struct {
        int status;
        const char *text;
    } rows[] = {
        {0, "done"},
        {1, "any other failure"},
        {2, "wrong use: an unknown option, a value out of range, an input that "
            "is too long"},
        {3, "the model or the input file cannot be read or parsed"},
        {4, "an architecture, operation, tokenizer part or quantisation is not "
            "supported; the message names it"},
        {5, "out of memory, or the plan exceeds --max-memory"},
        {6, "a value is not finite, a residual exceeds --tol, or a check "
            "failed; in the last two cases the results have been written"},
        {7, "the output cannot be written, or exists and --force is missing"},
        {130, "interrupted"},
    };
    puts(".SH EXIT STATUS");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        printf(".TP\n.B %d\n", rows[i].status);
        print_roff(rows[i].text);
        putchar('\n');
    }
}

void heedi_cli_man(void)
{
    printf(".\\\" Made by `heed help --man` from the tables of options.\n"
           ".TH HEED 1 \"\" \"heed %s\" \"User Commands\"\n",
           heed_version());
    puts(
        ".SH NAME\n"
        "heed \\- explain the predictions of sequence models\n"
        ".SH SYNOPSIS\n"
        ".B heed\n"
        "\\fICOMMAND\\fR \\fB\\-m\\fR \\fIMODEL\\fR "
        "[\\fB\\-p\\fR \\fITEXT\\fR | \\fB\\-f\\fR \\fIFILE\\fR | \\fB\\-\\fR] "
        "[\\fIoptions\\fR]\n"
        ".SH DESCRIPTION\n"
        "\\fIMODEL\\fR is a Hugging Face directory or a .gguf file. Data goes\n"
        "to standard output: a heat map on a terminal, else a table separated\n"
        "by tabs, or JSON; everything else goes to standard error. No network\n"
        "connection is ever opened.\n"
        ".SH COMMANDS");
    for (int i = 0; heedi_commands[i]; i++) {
        printf(".TP\n.B %s\n", heedi_commands[i]->name);
        print_roff(heedi_commands[i]->summary);
        putchar('\n');
    }
    print_options();
    print_statuses();
    puts(".SH ENVIRONMENT\n"
         ".TP\n.B NO_COLOR\nno heat map in colour on a terminal\n"
         ".TP\n.B OMP_NUM_THREADS\nthreads, unless \\fB\\-\\-threads\\fR says "
         "otherwise\n"
         ".TP\n.B SOURCE_DATE_EPOCH\nthe time that result files name");
}
