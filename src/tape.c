#include "tape.h"

#include <assert.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "ctx.h"

static heedi_node *fail(heedi_tape *t, heed_status st)
{
    t->status = st;
    return NULL;
}

static const char *join(heedi_arena *mem, const char *a, const char *b)
{
    size_t n = strlen(a) + strlen(b) + 1;
    char *s = heedi_arena_alloc(mem, n);
    if (s)
        snprintf(s, n, "%s%s", a, b);
    return s;
}

heedi_node *heedi_outside(heedi_tape *t, int64_t cols)
{
    if (t->status != HEED_OK)
        return NULL;
    heedi_node *y = heedi_arena_alloc(t->mem, sizeof *y);
    if (!y)
        return fail(t, HEED_ENOMEM);
    y->name = "input";
    y->cols = cols;
    y->step = -1;
    y->id = -1;
    return y;
}

heedi_node *heedi_apply_list(heedi_tape *t, const heedi_op *op, heedi_with with,
                             heedi_node *const in[HEEDI_MAX_IN])
{
    if (t->status != HEED_OK)
        return NULL;
    heedi_node *y = heedi_arena_alloc(t->mem, sizeof *y);
    if (!y || !(y->name = join(t->mem, t->prefix, with.name)))
        return fail(t, HEED_ENOMEM);
    y->op = op;
    y->w = with.w;
    y->vec = with.vec;
    y->n_vec = with.n_vec;
    y->args = with.args;
    for (int i = 0; i < HEEDI_MAX_IN; i++) {
        assert((in[i] != NULL) == (i < op->n_in));
        y->in[i] = in[i];
    }
    y->step = t->n;
    y->id = t->first_id + t->n++;
    y->layer = t->layer;
    y->prev = t->last;
    if (t->last)
        t->last->next = y;
    else
        t->first = y;
    t->last = y;
    heed_status st = op->infer(t->ctx, y);
    return st == HEED_OK ? y : fail(t, st);
}

bool heedi_name_matches(const char *glob, const char *name)
{
    static const char prefix[] = "blk.";
    char other[128];
    if (fnmatch(glob, name, 0) == 0)
        return true;
    if (strncmp(name, prefix, sizeof prefix - 1) != 0)
        return false;
    const char *number = name + sizeof prefix - 1;
    const char *rest = strchr(number, '.');
    if (!rest)
        return false;
    snprintf(other, sizeof other, "layers.%s", number);
    return fnmatch(glob, rest + 1, 0) == 0 || fnmatch(glob, other, 0) == 0;
}

bool heedi_rule_applies(const heedi_rule *k, const heedi_op *op,
                        const char *name)
{
    return (k->op ? k->op == op : op->map != NULL) &&
           (!k->glob || heedi_name_matches(k->glob, name));
}

heedi_back heedi_back_of(const heedi_node *y, heedi_rules r)
{
    heedi_back b = {y->op->vjp, y->op->vjp_needs, 0, NULL};
    if (r.pass == HEEDI_RELEVANCE) {
        b.stops = y->op->relevance_stops;
        if (y->op->relevance) {
            b.fn = y->op->relevance;
            b.needs = y->op->relevance_needs;
        }
    }
    for (const heedi_rule *k = r.rule; k && k->back; k++)
        if (heedi_rule_applies(k, y->op, y->name))
            b = (heedi_back){k->back, k->needs, k->stops, k};
    return b;
}

const heedi_rule *heedi_head_rule(heedi_rules r)
{
    const heedi_rule *found = NULL;
    for (const heedi_rule *k = r.rule; k && k->back; k++)
        if (!k->op && k->glob && heedi_name_matches(k->glob, "head"))
            found = k;
    return found;
}
