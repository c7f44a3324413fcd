/* heed methods - attribution methods and their options. */
#include <string.h>

#include "cli_method.h"
#include "cli_plan.h"

static json_t *as_json(const heed_method_info *m)
{
    json_t *j = json_object(), *options = json_array();
    json_object_set_new(j, "name", heedi_cli_json_text(m->name));
    json_object_set_new(j, "aliases", heedi_cli_json_text(m->aliases));
    json_object_set_new(j, "summary", heedi_cli_json_text(m->summary));
    json_object_set_new(j, "cite", heedi_cli_json_text(m->cite));
    json_object_set_new(j, "reduce", heedi_cli_json_text(m->reduce));
    json_object_set_new(j, "has_target", json_boolean(m->has_target));
    json_object_set_new(j, "is_signed", json_boolean(m->is_signed));
    json_object_set_new(j, "conserves", json_boolean(m->conserves));
    json_object_set_new(j, "approximates", json_boolean(m->approximates));
    for (const heed_option *o = m->options; o && o->name; o++) {
        json_t *k = json_object();
        json_object_set_new(k, "name", heedi_cli_json_text(o->name));
        json_object_set_new(k, "type", heedi_cli_json_text(o->type));
        json_object_set_new(k, "default", heedi_cli_json_text(o->def));
        json_object_set_new(k, "help", heedi_cli_json_text(o->help));
        json_array_append_new(options, k);
    }
    json_object_set_new(j, "options", options);
    return j;
}

static void print_options(const heed_method_info *m)
{
    for (const heed_option *o = m->options; o && o->name; o++) {
        printf("  --%s %s\n      %s", o->name, o->type, o->help);
        if (!strchr(o->type, '|') && o->min < o->max)
            printf("; from %.6g to %.6g", o->min, o->max);
        printf(" (%s)\n", o->def ? o->def : "");
    }
}

static void print_one(const heed_method_info *m)
{
    printf("%s - %s\n", m->name, m->summary);
    if (m->aliases && *m->aliases)
        printf("  also called: %s\n", m->aliases);
    printf("  %s\n", m->cite);
    printf("  relevance is %s%s%s%s\n", m->is_signed ? "signed" : "unsigned",
           m->reduce && *m->reduce ? ", reduced by " : "",
           m->reduce ? m->reduce : "",
           m->approximates ? ", adds up to the target approximately"
           : m->conserves  ? ", adds up to the target"
                           : "");
    print_options(m);
}

/* ---- --rules ---- */

static void print_rule(const char *method, const char *op, const char *pattern,
                       const char *name, const char *formula)
{
    printf("%s\t%s\t%s\t%s\t%s\n", method, op, pattern, name, formula);
}

static void print_method_rules(const heed_method_info *m)
{
    heed_method_rule r;
    for (int i = 0; heed_method_rule_at(m, i, &r); i++)
        print_rule(m->name, r.op, r.pattern ? r.pattern : "*", r.rule->name,
                   r.rule->formula);
}

/* What --rule can put anywhere. */
static void print_named(void)
{
    const heed_rule_info *r;
    for (int i = 0; (r = heed_rule_at(i)); i++) {
        char name[128];
        int n = snprintf(name, sizeof name, "%s", r->name);
        for (int k = 0; k < HEED_RULE_ARGS && r->arg[k].name; k++)
            n += snprintf(name + n, sizeof name - (size_t)n, ":%s=%g",
                          r->arg[k].name, r->arg[k].def);
        print_rule("--rule", r->on, "GLOB", name, r->formula);
    }
}

/* Of every operation its own rule, of every method what it changes, and what
 * can be chosen. */
static void print_rules(const heed_method_info *only)
{
    const char *op, *rule;
    const heed_method_info *m;
    puts("method\top\tpattern\trule\tformula");
    for (int i = 0; (rule = heed_op_rule_at(i, &op)); i++)
        print_rule("all", op, "*", "own", rule);
    for (int i = 0; (m = heed_method_at(i)); i++)
        if (!only || m == only)
            print_method_rules(m);
    print_named();
}

static heed_status run(heedi_cli *c)
{
    const heed_method_info *m, *only = NULL;
    if (c->args.operand)
        HEEDI_TRY(heedi_cli_method_find(c, c->args.operand, &only));
    if (c->args.rules) {
        print_rules(only);
        return HEED_OK;
    }
    if (c->args.json && only)
        return heedi_cli_json_print(c, as_json(only));
    if (c->args.json) {
        json_t *all = json_array();
        for (int i = 0; (m = heed_method_at(i)); i++)
            json_array_append_new(all, as_json(m));
        return heedi_cli_json_print(c, json_pack("{s:o}", "methods", all));
    }
    if (only) {
        print_one(only);
        return HEED_OK;
    }
    for (int i = 0; (m = heed_method_at(i)); i++)
        printf("%s\t%s\n", m->name, m->summary);
    return HEED_OK;
}

const heedi_command heedi_command_methods = {
    .name = "methods",
    .summary = "list attribution methods; of one, its options and its source",
    .operand = "[NAME]",
    .sets = HEEDI_SET_COMMON | HEEDI_SET_RULES,
    .run = run,
};
