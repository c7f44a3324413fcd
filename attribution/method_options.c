#include "method.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctx.h"
#include "words.h"

/* ---- options ---- */

/* Words are their place in the list: 0, 1, ... */
static heed_status word(heedi_job *j, const heed_option *o, const char *text,
                        double *out)
{
    int k = 0;
    for (const char *s = o->type; *s; k++) {
        size_t n = strcspn(s, "|");
        char w[64];
        snprintf(w, sizeof w, "%.*s", (int)n, s);
        if (heedi_same_name(w, text)) {
            *out = k;
            return HEED_OK;
        }
        s += n + (s[n] == '|');
    }
    return heedi_fail(j->ctx, HEED_EINVAL, "%s: %s is '%s', must be one of %s",
                      j->info->name, o->name, text, o->type);
}

static heed_status value(heedi_job *j, const heed_option *o, const char *text,
                         double *out)
{
    if (strcmp(o->type, "text") == 0)
        return HEED_OK; /* the method's `check` reads it */
    if (strcmp(o->type, "number") != 0 && strcmp(o->type, "integer") != 0)
        return word(j, o, text, out);
    char *end;
    *out = strtod(text, &end);
    if (end == text || *end)
        return heedi_fail(j->ctx, HEED_EINVAL, "%s: %s is '%s', not a number",
                          j->info->name, o->name, text);
    if (strcmp(o->type, "integer") == 0 && *out != (double)(long long)*out)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: %s is %s, must be a whole number", j->info->name,
                          o->name, text);
    if (!(*out >= o->min && *out <= o->max))
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: %s is %s, must be from %g to %g", j->info->name,
                          o->name, text, o->min, o->max);
    return HEED_OK;
}

static heed_status unknown_option(heedi_job *j, const char *name)
{
    char all[256] = "";
    for (const heed_option *o = j->info->options; o && o->name; o++) {
        size_t n = strlen(all);
        snprintf(all + n, sizeof all - n, "%s%s", n ? ", " : "; it has ",
                 o->name);
    }
    return heedi_fail(j->ctx, HEED_EINVAL, "%s has no option '%s'%s",
                      j->info->name, name, all);
}

/* Another default of the model's family, or the option's own. */
static const char *default_of(const heedi_job *j, const heed_option *o)
{
    const heedi_preference *p = j->q->model->family->prefers;
    for (; p && p->method; p++)
        if (strcmp(p->method, j->info->name) == 0 &&
            strcmp(p->option, o->name) == 0)
            return p->value;
    return o->def;
}

/* Defaults, then the caller's settings, each checked against its bounds. */
heed_status heedi_method_options(heedi_job *j)
{
    static const heed_option none[] = {{0}};
    const heed_option *o = j->info->options ? j->info->options : none;
    int n = 0;
    for (; o[n].name; n++) {
        j->opt_text[n] = default_of(j, &o[n]);
        HEEDI_TRY(value(j, &o[n], j->opt_text[n], &j->opt[n]));
    }
    for (const heed_setting *s = j->q->settings; s && s->name; s++) {
        int i = 0;
        while (i < n && !heedi_same_name(o[i].name, s->name))
            i++;
        if (i == n)
            return unknown_option(j, s->name);
        HEEDI_TRY(value(j, &o[i], s->value, &j->opt[i]));
        j->opt_text[i] = s->value;
    }
    return HEED_OK;
}

/* ---- reductions ---- */

static const struct {
    const char *name, *aliases;
    heedi_reduction r;
    bool hidden, map; /* over the hidden dimension; over heads or channels */
} reductions[] = {
    {"sum", "", HEEDI_SUM, true, false},
    {"mean", "", HEEDI_MEAN, true, true},
    {"l1", "", HEEDI_L1, true, false},
    {"l2", "vnorm", HEEDI_L2, true, true},
    {"absmax", "", HEEDI_ABSMAX, true, false},
    {"max", "", HEEDI_MAX, true, true},
    {"pos_mean", "", HEEDI_POS_MEAN, false, true},
    {"abs_mean", "", HEEDI_ABS_MEAN, false, true},
    {"none", "", HEEDI_NONE, false, true},
    {"auto", "", HEEDI_AUTO, false, true},
};

heed_status heedi_method_reduction(heedi_job *j, const heedi_method *m)
{
    const char *want = j->q->reduce ? j->q->reduce : m->info.reduce;
    char all[128] = "";
    if (!*m->info.reduce) {
        j->reduce = HEEDI_SUM;
        j->reduce_name = "none";
        if (!want || !*want)
            return HEED_OK;
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: gives one number for each token, there is "
                          "nothing to reduce by '%s'",
                          m->info.name, want);
    }
    for (size_t i = 0; i < sizeof reductions / sizeof *reductions; i++) {
        if (!(m->mixing ? reductions[i].map : reductions[i].hidden))
            continue;
        size_t n = strlen(all);
        snprintf(all + n, sizeof all - n, "%s%s", n ? ", " : "",
                 reductions[i].name);
        if (heedi_same_name(reductions[i].name, want) ||
            heedi_has_word(reductions[i].aliases, want)) {
            j->reduce = reductions[i].r;
            j->reduce_name = reductions[i].name;
            return HEED_OK;
        }
    }
    return heedi_fail(j->ctx, HEED_EINVAL,
                      "%s: no reduction '%s'; there are %s", m->info.name, want,
                      all);
}
