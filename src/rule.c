#include "rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctx.h"
#include "words.h"

static const heedi_rule_kind *const kinds[] = {
#define ROW(name) &heedi_rule_##name,
#include "rules.inc"
#undef ROW
};

enum { N_KINDS = sizeof kinds / sizeof *kinds };

const heed_rule_info *heed_rule_at(int i)
{
    for (int k = 0; i >= 0 && k < N_KINDS; k++)
        if (!kinds[k]->of_method && i-- == 0)
            return &kinds[k]->info;
    return NULL;
}

const heedi_rule_kind *heedi_rule_named(const char *name)
{
    for (int i = 0; i < N_KINDS; i++) {
        const heed_rule_info *k = &kinds[i]->info;
        if (!kinds[i]->of_method &&
            (heedi_same_name(k->name, name) ||
             (k->aliases && heedi_has_word(k->aliases, name))))
            return kinds[i];
    }
    return NULL;
}

heedi_rule heedi_rule_row(const heedi_rule_kind *k, const char *glob)
{
    heedi_rule r = k->row;
    r.name = k->info.name;
    r.glob = glob;
    for (int i = 0; i < HEED_RULE_ARGS && k->info.arg[i].name; i++)
        r.arg[i] = k->info.arg[i].def;
    return r;
}

static heed_status unknown(heed_ctx *ctx, const char *text, const char *name)
{
    char all[256] = "";
    for (int i = 0; i < N_KINDS; i++) {
        size_t n = strlen(all);
        if (!kinds[i]->of_method)
            snprintf(all + n, sizeof all - n, "%s%s", n ? ", " : "",
                     kinds[i]->info.name);
    }
    return heedi_fail(ctx, HEED_EINVAL,
                      "rule '%s': no rule is called '%s'; there are %s", text,
                      name, all);
}

/* The numbers after the name; at: the first ':' or the end. */
static heed_status numbers(heedi_rule *r, heed_ctx *ctx, const char *text,
                           const heed_rule_info *info, const char *at)
{
    int i = 0;
    for (; *at == ':'; i++) {
        char *end;
        if (i == HEED_RULE_ARGS || !info->arg[i].name)
            return heedi_fail(ctx, HEED_EINVAL,
                              "rule '%s': %s takes %d number%s", text,
                              info->name, i, i == 1 ? "" : "s");
        r->arg[i] = strtod(at + 1, &end);
        if (end == at + 1 || (*end && *end != ':'))
            return heedi_fail(ctx, HEED_EINVAL,
                              "rule '%s': '%s' is not a number", text, at + 1);
        if (!(r->arg[i] >= info->arg[i].min && r->arg[i] <= info->arg[i].max))
            return heedi_fail(ctx, HEED_EINVAL,
                              "rule '%s': %s is %g, must be from %g to %g",
                              text, info->arg[i].name, r->arg[i],
                              info->arg[i].min, info->arg[i].max);
        at = end;
    }
    return HEED_OK;
}

heed_status heedi_rule_parse(heedi_rule *out, heed_ctx *ctx, heedi_arena *mem,
                             const char *text)
{
    const char *equals = strrchr(text, '=');
    if (!equals || equals == text || !equals[1])
        return heedi_fail(ctx, HEED_EINVAL,
                          "rule '%s': must be PATTERN=RULE or "
                          "PATTERN=RULE:VALUE",
                          text);
    const size_t n = (size_t)(equals - text), m = strcspn(equals + 1, ":");
    char *glob = heedi_arena_alloc(mem, n + 1);
    char *name = heedi_arena_alloc(mem, m + 1);
    if (!glob || !name)
        return HEED_ENOMEM;
    memcpy(glob, text, n);
    memcpy(name, equals + 1, m);
    const heedi_rule_kind *k = heedi_rule_named(name);
    if (!k)
        return unknown(ctx, text, name);
    *out = heedi_rule_row(k, glob);
    return numbers(out, ctx, text, &k->info, equals + 1 + m);
}
