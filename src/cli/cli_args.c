/* The parser: rows of heedi_cli_flags and options of methods, from argv. */
#include "cli_args.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"

static void clear_names(heedi_names *n)
{
    for (int64_t i = 0; i < n->n; i++)
        free(n->v[i]);
    free(n->v);
}

void heedi_cli_args_clear(heedi_args *a)
{
    free(a->ids.v);
    free(a->target_ids.v);
    free(a->at.v);
    free(a->layers.v);
    free(a->heads.v);
    free(a->channels.v);
    free(a->rows.v);
    clear_names(&a->method);
    clear_names(&a->keep);
    clear_names(&a->rule);
    clear_names(&a->position_by);
    free(a->settings.v);
    free(a->operands);
}

/* The row of a long name of n bytes, whatever the command. */
static const heedi_flag *flag_named(const char *name, size_t n)
{
    char copy[64];
    if (n == 0 || n >= sizeof copy)
        return NULL;
    memcpy(copy, name, n);
    copy[n] = '\0';
    for (const heedi_flag *f = heedi_cli_flags; f->name; f++)
        if (heedi_cli_listed(f->name, ' ', copy) ||
            heedi_cli_listed(f->aliases, ' ', copy))
            return f;
    return NULL;
}

static const heedi_flag *flag_keyed(char key)
{
    const heedi_flag *f = heedi_cli_flags;
    while (f->name && f->key != key)
        f++;
    return f->name ? f : NULL;
}

/* An option of any method, or NULL. */
static const heed_option *method_option(const char *name, size_t n)
{
    const heed_method_info *m;
    char copy[64];
    if (n == 0 || n >= sizeof copy)
        return NULL;
    memcpy(copy, name, n);
    copy[n] = '\0';
    for (int i = 0; (m = heed_method_at(i)); i++)
        for (const heed_option *o = m->options; o && o->name; o++)
            if (heedi_cli_listed(o->name, ' ', copy))
                return o;
    return NULL;
}

static heed_status unknown(heedi_cli *c, const char *arg, size_t n)
{
    char word[64];
    int shown = (int)(n < 60 ? n : 60);
    memcpy(word, arg, (size_t)shown);
    word[shown] = '\0';
    heedi_near near = {.word = word + strspn(word, "-")};
    for (const heedi_flag *f = heedi_cli_flags; f->name; f++)
        if (f->help && f->sets & c->command->sets)
            heedi_cli_near_offer(&near, f->name);
    const heed_method_info *m;
    if (c->command->sets & HEEDI_SET_METHOD)
        for (int i = 0; (m = heed_method_at(i)); i++)
            for (const heed_option *o = m->options; o && o->name; o++)
                heedi_cli_near_offer(&near, o->name);
    if (near.best)
        return heedi_cli_fail(c, HEED_EINVAL,
                              "%s: unknown option; the nearest is --%s", word,
                              near.best);
    return heedi_cli_fail(c, HEED_EINVAL,
                          "%s: unknown option; `heed help %s` lists them", word,
                          c->command->name);
}

static heed_status keep_setting(heedi_cli *c, const char *name,
                                const char *value)
{
    heedi_settings *s = &c->args.settings;
    heed_setting *v = realloc(s->v, ((size_t)s->n + 2) * sizeof *v);
    if (!v)
        return heedi_cli_fail(c, HEED_ENOMEM, "--%s: out of memory", name);
    s->v = v;
    v[s->n++] = (heed_setting){name, value};
    v[s->n] = (heed_setting){0};
    return HEED_OK;
}

/* The value of an option: after '=', else the next argument. */
static const char *value_of(heedi_cli *c, const char *equals, int *i)
{
    if (equals)
        return equals + 1;
    return *i + 1 < c->argc ? c->argv[++*i] : NULL;
}

static heed_status read_option(heedi_cli *c, int *i)
{
    const char *arg = c->argv[*i], *equals = NULL, *value;
    const heedi_flag *f;
    size_t n = strlen(arg);
    if (arg[1] == '-') {
        equals = strchr(arg, '=');
        n = equals ? (size_t)(equals - arg) : n;
        f = flag_named(arg + 2, n - 2);
    } else {
        f = n == 2 ? flag_keyed(arg[1]) : NULL;
    }
    if (f && !(f->sets & c->command->sets) &&
        c->command->sets & HEEDI_SET_METHOD &&
        method_option(f->name, strlen(f->name)))
        f = NULL;
    if (f && !(f->sets & c->command->sets))
        return heedi_cli_fail(
            c, HEED_EINVAL,
            "--%s: `heed %s` has no such option; `heed help %s` "
            "lists them",
            f->name, c->command->name, c->command->name);
    if (f && f->kind == HEEDI_SWITCH) {
        if (equals)
            return heedi_cli_fail(c, HEED_EINVAL, "--%s: takes no value",
                                  f->name);
        return heedi_cli_value_read(c, f, f->name, "");
    }
    const heed_option *o = NULL;
    if (!f && arg[1] == '-' && c->command->sets & HEEDI_SET_METHOD)
        o = method_option(arg + 2, n - 2);
    if (!f && !o)
        return unknown(c, arg, n);
    value = value_of(c, equals, i);
    if (!value)
        return heedi_cli_fail(c, HEED_EINVAL, "--%s: a value is missing",
                              f ? f->name : o->name);
    return f ? heedi_cli_value_read(c, f, f->name, value)
             : keep_setting(c, o->name, value);
}

/* A command takes one operand, or with "..." as many as there are. */
static bool takes_operand(const heedi_cli *c)
{
    const char *o = c->command->operand;
    return o && (!c->args.operand || strstr(o, "..."));
}

static heed_status keep_operand(heedi_cli *c, const char *arg)
{
    heedi_args *a = &c->args;
    size_t n = (size_t)a->n_operands + 1;
    const char **grown = realloc(a->operands, n * sizeof *grown);
    if (!grown)
        return heedi_cli_fail(c, HEED_ENOMEM, "%s: out of memory", arg);
    a->operands = grown;
    a->operands[a->n_operands++] = arg;
    a->operand = a->operands[0];
    return HEED_OK;
}

heed_status heedi_cli_args_parse(heedi_cli *c)
{
    bool options = true;
    for (int i = 2; i < c->argc; i++) {
        const char *arg = c->argv[i];
        if (options && strcmp(arg, "--") == 0) {
            options = false;
        } else if (options && arg[0] == '-' && arg[1]) {
            HEEDI_TRY(read_option(c, &i));
        } else if (takes_operand(c)) {
            HEEDI_TRY(keep_operand(c, arg));
        } else {
            return heedi_cli_fail(
                c, HEED_EINVAL, "'%s': unexpected argument%s", arg,
                c->command->sets & HEEDI_SET_TEXT ? "; a text goes after -p"
                                                  : "");
        }
    }
    return HEED_OK;
}
