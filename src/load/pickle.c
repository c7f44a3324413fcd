/* The stack, the memo and the values of the machine that reads pickles. */
#include "pickle.h"

#include <string.h>

#include "ctx.h"

/* Far beyond what the tensors of a model need: 20 items for each. */
enum { MAX_ITEMS = 1 << 22 };

const char *heedi_pickle_kind_name(heedi_pickle_kind k)
{
    static const char *const names[] = {
        [HEEDI_P_MARK] = "a mark",        [HEEDI_P_NONE] = "None",
        [HEEDI_P_BOOL] = "a truth value", [HEEDI_P_INT] = "an integer",
        [HEEDI_P_FLOAT] = "a number",     [HEEDI_P_STR] = "a text",
        [HEEDI_P_TUPLE] = "a tuple",      [HEEDI_P_LIST] = "a list",
        [HEEDI_P_DICT] = "a dictionary",  [HEEDI_P_GLOBAL] = "a callable",
        [HEEDI_P_STORAGE] = "a storage",  [HEEDI_P_TENSOR] = "a tensor"};
    return names[k];
}

heedi_str heedi_pickle_str(const heedi_pickle *m, heedi_pickled v)
{
    return (heedi_str){(const char *)m->p + v.i, v.n};
}

heed_status heedi_pickle_bad(const heedi_pickle *m, const char *why)
{
    return heedi_fail(m->ctx, HEED_EFORMAT, "%s: byte %zu of the pickle: %s",
                      m->path, m->at, why);
}

heed_status heedi_pickle_limit(const heedi_pickle *m, size_t items)
{
    if (items <= MAX_ITEMS)
        return HEED_OK;
    return heedi_fail(m->ctx, HEED_ENOTSUP,
                      "%s: the pickle has more than %d items", m->path,
                      MAX_ITEMS);
}

heed_status heedi_pickle_cells(heedi_pickle *m, size_t n, size_t *first)
{
    HEEDI_TRY(heedi_pickle_limit(m, m->n_cells + n));
    heedi_cell *c =
        heedi_grow(m->ctx, m->cell, &m->cap_cells, m->n_cells + n, sizeof *c);
    if (!c)
        return HEED_ENOMEM;
    m->cell = c;
    memset(c + m->n_cells, 0, n * sizeof *c);
    *first = m->n_cells;
    m->n_cells += n;
    return HEED_OK;
}

heed_status heedi_pickle_dict(heedi_pickle *m, bool ordered, heedi_pickled *out)
{
    size_t at;
    HEEDI_TRY(heedi_pickle_cells(m, 1, &at));
    *out = (heedi_pickled){HEEDI_P_DICT, ordered, (int64_t)at};
    return HEED_OK;
}

heed_status heedi_pickle_push(heedi_pickle *m, heedi_pickled v)
{
    HEEDI_TRY(heedi_pickle_limit(m, m->n_stack + 1));
    heedi_pickled *s =
        heedi_grow(m->ctx, m->stack, &m->cap_stack, m->n_stack + 1, sizeof *s);
    if (!s)
        return HEED_ENOMEM;
    m->stack = s;
    s[m->n_stack++] = v;
    return HEED_OK;
}

heed_status heedi_pickle_pop(heedi_pickle *m, heedi_pickled *out)
{
    if (m->n_stack == 0 || m->stack[m->n_stack - 1].kind == HEEDI_P_MARK)
        return heedi_pickle_bad(m, "nothing is on the stack");
    *out = m->stack[--m->n_stack];
    return HEED_OK;
}

heed_status heedi_pickle_tuple(heedi_pickle *m, size_t n, bool mark)
{
    size_t at = 0;
    if (n > 0)
        HEEDI_TRY(heedi_pickle_cells(m, n, &at));
    m->n_stack -= n;
    for (size_t i = 0; i < n; i++)
        m->cell[at + i].v = m->stack[m->n_stack + i];
    m->n_stack -= mark;
    return heedi_pickle_push(
        m, (heedi_pickled){HEEDI_P_TUPLE, (uint32_t)n, (int64_t)at});
}

heed_status heedi_pickle_items(heedi_pickle *m, size_t n, heedi_pickled dict)
{
    size_t at;
    HEEDI_TRY(heedi_pickle_cells(m, 2 * n, &at));
    m->n_stack -= 2 * n;
    heedi_cell *head = &m->cell[dict.i];
    for (size_t i = 0; i < n; i++, at += 2) {
        m->cell[at].v = m->stack[m->n_stack + 2 * i];
        m->cell[at + 1].v = m->stack[m->n_stack + 2 * i + 1];
        if (head->next)
            m->cell[head->next].next = at;
        else
            head->v.i = (int64_t)at;
        head->next = at;
    }
    return HEED_OK;
}

heed_status heedi_pickle_put(heedi_pickle *m, uint64_t at)
{
    if (m->n_stack == 0 || m->stack[m->n_stack - 1].kind == HEEDI_P_MARK)
        return heedi_pickle_bad(m, "nothing is on the stack");
    if (at > m->n_memo) /* MEMOIZE counts what is there: without gaps */
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: byte %zu of the pickle: place %llu of the memo, "
                          "where the next is %zu",
                          m->path, m->at, (unsigned long long)at, m->n_memo);
    HEEDI_TRY(heedi_pickle_limit(m, m->n_memo + 1));
    heedi_pickled *p =
        heedi_grow(m->ctx, m->memo, &m->cap_memo, m->n_memo + 1, sizeof *p);
    if (!p)
        return HEED_ENOMEM;
    m->memo = p;
    p[at] = m->stack[m->n_stack - 1];
    m->n_memo += at == m->n_memo;
    return HEED_OK;
}

void heedi_pickle_clear(heedi_pickle *m)
{
    heedi_free(m->ctx, m->stack);
    heedi_free(m->ctx, m->memo);
    heedi_free(m->ctx, m->cell);
    heedi_free(m->ctx, m->storage);
    heedi_free(m->ctx, m->tensor);
    *m = (heedi_pickle){0};
}
