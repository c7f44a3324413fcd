#include "steps.h"

#include <math.h>
#include <string.h>

#include "result.h"

/* The number in "blk.29.attn.q", and how long the name is up to its end. */
static const char *number_in(const char *name, size_t *prefix, size_t *digits)
{
    for (const char *p = name; (p = strchr(p, '.')); p++) {
        size_t n = strspn(p + 1, "0123456789");
        if (n > 0 && (p[1 + n] == '.' || p[1 + n] == '\0')) {
            *prefix = (size_t)(p - name) + 1 + n;
            *digits = n;
            return p + 1;
        }
    }
    return NULL;
}

/* Whether an operation goes on with the block of the one before it. */
static bool same_block(const char *a, const char *b)
{
    size_t pa, pb, d;
    bool na = number_in(a, &pa, &d) != NULL, nb = number_in(b, &pb, &d) != NULL;
    return na == nb && (!na || (pa == pb && strncmp(a, b, pa) == 0));
}

static const char *label_of(heedi_view *v, const char *const *name, int64_t i,
                            int64_t n, bool *is_numbered)
{
    size_t prefix, digits;
    const char *d = number_in(name[i], &prefix, &digits);
    *is_numbered = d != NULL;
    if (d)
        return heedi_arena_print(&v->arena, "%.*s", (int)digits, d);
    /* the last operations are norm and head */
    return heedi_arena_print(&v->arena, "%s", name[i == 0 ? 0 : n - 1]);
}

static heed_status make_blocks(heedi_steps *s, heedi_view *v,
                               const heed_array *names, int64_t *first)
{
    const char *const *name = names->data;
    const int64_t n = names->var.len[0];
    int64_t blocks = 1;
    for (int64_t i = 1; i < n; i++)
        blocks += !same_block(name[i - 1], name[i]);
    s->block = heedi_arena_alloc(&v->arena, (size_t)blocks * sizeof *s->block);
    if (!s->block)
        return HEED_ENOMEM;
    s->n_blocks = blocks;
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || !same_block(name[i - 1], name[i])) {
            heedi_step_block *b = &s->block[--blocks];
            b->label = label_of(v, name, i, n, &b->is_numbered);
            if (!b->label)
                return HEED_ENOMEM;
            s->n_numbered += b->is_numbered;
        }
        first[i] = blocks; /* the block of each operation */
    }
    return HEED_OK;
}

static heed_status add_entries(heedi_steps *s, heedi_view *v, int64_t n_ops,
                               const int64_t *block_of)
{
    const heed_array *a;
    int64_t n, offset;
    for (int i = 0; (a = heedi_entry_at(v, i, &n, &offset)); i++) {
        if (n != n_ops || i >= HEEDI_MAX_STEP_ENTRIES)
            return heedi_fail(v->ctx, HEED_EINVAL,
                              "%s/%s does not fit %lld operations",
                              a->var.group, a->var.name, (long long)n_ops);
        s->look[i] = heedi_entry_look_of(heedi_entry_name_of(a));
        for (int64_t k = 0; k < n; k++) {
            double x = heedi_number(a->var.type, a->data, offset + k);
            if (!isfinite(x))
                return heedi_fail(v->ctx, HEED_ENUMERIC,
                                  "%s/%s is not finite at operation %lld",
                                  a->var.group, a->var.name, (long long)k);
            s->block[block_of[k]].sink[i] += x;
            s->total[i] += x;
        }
        s->n_entries = i + 1;
    }
    return HEED_OK;
}

heed_status heedi_steps_init(heedi_steps *s, heedi_view *v)
{
    *s = (heedi_steps){.target = heedi_view_num(v, "target_value"),
                       .tokens = heedi_view_num(v, "sum")};
    const char *group = heedi_arena_print(&v->arena, "%s/ledger", v->group);
    if (!group)
        return HEED_ENOMEM;
    const heed_array *names = heed_result_get(v->r, group, "op_name");
    if (!names || names->var.type != HEED_STR || names->var.nd != 1 ||
        !isfinite(s->target) || !isfinite(s->tokens))
        return heedi_fail(v->ctx, HEED_EINVAL, "%s has no account", v->group);
    const int64_t n = names->var.len[0];
    int64_t *block_of =
        heedi_arena_alloc(&v->arena, (size_t)n * sizeof *block_of);
    if (!block_of)
        return HEED_ENOMEM;
    HEEDI_TRY(make_blocks(s, v, names, block_of));
    HEEDI_TRY(add_entries(s, v, n, block_of));
    for (int i = 0; i < s->n_entries; i++)
        s->tokens -= s->look[i]->is_relevance ? s->total[i] : 0;
    return HEED_OK;
}
