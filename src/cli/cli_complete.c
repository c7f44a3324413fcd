#include "cli_complete.h"

#include <string.h>

static void add(heedi_offer *o, const char *word)
{
    size_t n = strlen(o->words), m = strlen(word);
    if (n + m + 2 > sizeof o->words)
        return; /* the list is a help, not a contract */
    if (n)
        o->words[n++] = ' ';
    memcpy(o->words + n, word, m + 1);
}

/* "left|right" */
static void add_split(heedi_offer *o, const char *words, char sep)
{
    char word[64];
    while (*words) {
        const char *end = strchr(words, sep);
        size_t n = end ? (size_t)(end - words) : strlen(words);
        if (n && n < sizeof word) {
            memcpy(word, words, n);
            word[n] = '\0';
            add(o, word);
        }
        words += n + (end != NULL);
    }
}

/* ---- lists of the library ------------------------------------------------ */

static void methods(heedi_offer *o)
{
    const heed_method_info *m;
    for (int i = 0; (m = heed_method_at(i)); i++)
        add(o, m->name);
}

static void targets(heedi_offer *o)
{
    const heed_target_info *t;
    for (int i = 0; (t = heed_target_at(i)); i++)
        add(o, t->name);
}

static void formats(heedi_offer *o)
{
    const heed_format_info *f;
    for (int i = 0; (f = heed_format_at(i)); i++)
        add(o, f->name);
}

static void figures(heedi_offer *o)
{
    const heed_figure_info *f;
    for (int i = 0; (f = heed_figure_at(i)); i++)
        add(o, f->name);
}

static void cmaps(heedi_offer *o)
{
    const char *name;
    for (int i = 0; (name = heed_cmap_at(i)); i++)
        add(o, name);
}

static void commands(heedi_offer *o)
{
    for (int i = 0; heedi_commands[i]; i++)
        add(o, heedi_commands[i]->name);
}

/* Values of options whose rows have no list of words. */
static const struct {
    const char *option;
    heedi_offer_kind kind;
    void (*fill)(heedi_offer *o);
    const char *words; /* where no registry has them */
} rows[] = {
    {"method", HEEDI_OFFER_LIST, methods, NULL},
    {"target", HEEDI_OFFER_WORD, targets, NULL},
    {"format", HEEDI_OFFER_WORD, formats, NULL},
    {"figure", HEEDI_OFFER_WORD, figures, NULL},
    {"cmap", HEEDI_OFFER_WORD, cmaps, NULL},
    {"group", HEEDI_OFFER_WORD, NULL, "token word"},
    {"leaf", HEEDI_OFFER_WORD, NULL, "word sum normed"},
    {"keep", HEEDI_OFFER_LIST, NULL, "layer"},
    {"reduce", HEEDI_OFFER_WORD, NULL,
     "sum mean l1 l2 absmax max none pos_mean abs_mean"},
};

/* ---- what is offered ----------------------------------------------------- */

void heedi_complete_flag(heedi_offer *o, const heedi_flag *f)
{
    *o = (heedi_offer){HEEDI_OFFER_NOTHING, ""};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].option, f->name) == 0) {
            o->kind = rows[i].kind;
            if (rows[i].fill)
                rows[i].fill(o);
            else
                add(o, rows[i].words);
            return;
        }
    if (f->words) {
        o->kind = HEEDI_OFFER_WORD;
        add_split(o, f->words, '|');
    } else if (f->arg && (strncmp(f->arg, "FILE", 4) == 0 ||
                          strcmp(f->arg, "PATH") == 0)) {
        o->kind = HEEDI_OFFER_FILES;
    }
}

void heedi_complete_option(heedi_offer *o, const heed_option *f)
{
    *o = (heedi_offer){HEEDI_OFFER_NOTHING, ""};
    if (!strchr(f->type, '|'))
        return;
    o->kind = HEEDI_OFFER_WORD;
    add_split(o, f->type, '|');
}

void heedi_complete_operand(heedi_offer *o, const heedi_command *k)
{
    *o = (heedi_offer){HEEDI_OFFER_NOTHING, ""};
    const char *s = k->operand ? k->operand : "";
    void (*fill)(heedi_offer *) = strstr(s, "COMMAND") ? commands
                                  : strstr(s, "NAME")  ? methods
                                                       : NULL;
    if (fill) {
        o->kind = HEEDI_OFFER_WORD;
        fill(o);
    } else if (strncmp(s, "FILE", 4) == 0 || strncmp(s, "{MODEL", 6) == 0 ||
               strncmp(s, "[MODEL", 6) == 0) {
        o->kind = HEEDI_OFFER_FILES;
    }
}

const heed_option *heedi_complete_option_at(int i)
{
    const heed_method_info *m, *before;
    for (int a = 0; (m = heed_method_at(a)); a++)
        for (const heed_option *o = m->options; o && o->name; o++) {
            bool known = false;
            for (int b = 0; b < a && (before = heed_method_at(b)); b++)
                for (const heed_option *p = before->options; p && p->name; p++)
                    known |= strcmp(p->name, o->name) == 0;
            if (!known && i-- == 0)
                return o;
        }
    return NULL;
}

bool heedi_complete_takes(const heedi_command *k, const heedi_flag *f)
{
    return f->help && k->sets & f->sets;
}

heed_status heedi_cli_completion(heedi_cli *c)
{
    if (c->args.completion == HEEDI_SHELL_ZSH)
        heedi_complete_zsh();
    else
        heedi_complete_bash();
    return HEED_OK;
}
