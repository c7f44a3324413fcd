/* -a, and the options of methods. */
#include "cli_method.h"

#include <stdlib.h>
#include <string.h>

heed_status heedi_cli_method_find(heedi_cli *c, const char *name,
                                  const heed_method_info **out)
{
    const heed_method_info *m;
    *out = heed_method_named(name);
    if (*out)
        return HEED_OK;
    heedi_near near = {.word = name};
    for (int i = 0; (m = heed_method_at(i)); i++)
        heedi_cli_near_offer(&near, m->name);
    if (near.best)
        return heedi_cli_fail(c, HEED_EINVAL,
                              "method '%s': unknown; the nearest is %s", name,
                              near.best);
    return heedi_cli_fail(c, HEED_EINVAL,
                          "method '%s': unknown; `heed methods` lists them",
                          name);
}

static const heed_option *option_of(const heed_method_info *m, const char *name)
{
    for (const heed_option *o = m->options; o && o->name; o++)
        if (heedi_cli_listed(o->name, ' ', name))
            return o;
    return NULL;
}

static heed_status check_value(heedi_cli *c, const heed_method_info *m,
                               const heed_option *o, const char *value)
{
    double x;
    int64_t i;
    if (strchr(o->type, '|')) {
        if (heedi_cli_listed(o->type, '|', value))
            return HEED_OK;
        return heedi_cli_fail(c, HEED_EINVAL, "--%s '%s': %s takes one of %s",
                              o->name, value, m->name, o->type);
    }
    bool integer = strcmp(o->type, "integer") == 0;
    if (!integer && strcmp(o->type, "number") != 0)
        return HEED_OK; /* the method itself knows */
    if (integer ? !heedi_cli_int_of(value, &i)
                : !heedi_cli_number_of(value, &x))
        return heedi_cli_fail(c, HEED_EINVAL, "--%s '%s': %s takes %s %s",
                              o->name, value, m->name, integer ? "an" : "a",
                              o->type);
    if (integer)
        x = (double)i;
    if (x < o->min || x > o->max)
        return heedi_cli_fail(c, HEED_EINVAL,
                              "--%s '%s': %s takes values from %.16g to %.16g",
                              o->name, value, m->name, o->min, o->max);
    return HEED_OK;
}

/* The settings that m has; each is marked in `used`. */
static heed_status settings_of(heedi_cli *c, heedi_cli_method *m, char *used)
{
    const heedi_settings *s = &c->args.settings;
    int64_t n = 0;
    m->settings = heedi_cli_calloc(c, s->n + 1, sizeof *m->settings);
    if (!m->settings)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < s->n; i++) {
        const heed_option *o = option_of(m->info, s->v[i].name);
        if (!o)
            continue;
        HEEDI_TRY(check_value(c, m->info, o, s->v[i].value));
        used[i] = 1;
        int64_t k = 0; /* the last one of a name wins */
        while (k < n && strcmp(m->settings[k].name, o->name) != 0)
            k++;
        m->settings[k] = (heed_setting){o->name, s->v[i].value};
        n += k == n;
    }
    return HEED_OK;
}

/* An option that none of the methods has. */
static heed_status stray(heedi_cli *c, const heedi_cli_methods *m,
                         const char *name)
{
    char all[400] = "";
    const heed_method_info *first = m->v[0].info;
    for (const heed_option *o = first->options; o && o->name; o++) {
        size_t n = strlen(all);
        snprintf(all + n, sizeof all - n, " --%s", o->name);
    }
    return heedi_cli_fail(c, HEED_EINVAL,
                          "--%s: no option of method %s, which has%s", name,
                          first->name, *all ? all : " none");
}

static heed_status fill(heedi_cli *c, heedi_cli_methods *out, char *used)
{
    const heedi_args *a = &c->args;
    for (int64_t i = 0; i < out->n; i++) {
        heedi_cli_method *m = &out->v[i];
        const char *name = a->method.n > 0
                               ? a->method.v[i]
                               : heed_model_about(c->model)->family->method;
        HEEDI_TRY(heedi_cli_method_find(c, name, &m->info));
        for (int64_t j = 0; j < i; j++)
            if (out->v[j].info == m->info)
                return heedi_cli_fail(c, HEED_EINVAL,
                                      "method '%s': given twice (%s)", name,
                                      m->info->name);
        HEEDI_TRY(settings_of(c, m, used));
    }
    for (int64_t i = 0; i < a->settings.n; i++)
        if (!used[i])
            return stray(c, out, a->settings.v[i].name);
    return HEED_OK;
}

heed_status heedi_cli_methods_choose(heedi_cli *c, heedi_cli_methods *out)
{
    const heedi_args *a = &c->args;
    *out = (heedi_cli_methods){0};
    if (a->method.n == 0 && !c->model)
        return HEED_OK;
    out->v =
        heedi_cli_calloc(c, a->method.n > 0 ? a->method.n : 1, sizeof *out->v);
    char *used = heedi_cli_calloc(c, a->settings.n, 1);
    heed_status st = out->v && used ? HEED_OK : HEED_ENOMEM;
    if (st == HEED_OK) {
        out->n = a->method.n > 0 ? a->method.n : 1;
        st = fill(c, out, used);
    }
    free(used);
    return st;
}

void heedi_cli_methods_free(heedi_cli_methods *m)
{
    for (int64_t i = 0; i < m->n; i++)
        free(m->v[i].settings);
    free(m->v);
    *m = (heedi_cli_methods){0};
}
