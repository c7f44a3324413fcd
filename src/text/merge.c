#include "merge.h"

#include "ctx.h"

heed_status heedi_merger_add(heedi_merger *m, heed_ctx *ctx, uint32_t start,
                             uint32_t end, int32_t id)
{
    heedi_symbol *s = heedi_grow(ctx, m->symbol, &m->cap, m->n + 1, sizeof *s);
    if (!s)
        return HEED_ENOMEM;
    m->symbol = s;
    int32_t k = (int32_t)m->n++;
    s[k] = (heedi_symbol){start, end, id, k - 1, -1, UINT32_MAX, -1};
    if (k > 0)
        s[k - 1].next = k;
    return HEED_OK;
}

static void push(heedi_merger *m, uint64_t key)
{
    size_t i = m->heap_n++;
    for (; i > 0 && m->heap[(i - 1) / 2] > key; i = (i - 1) / 2)
        m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = key;
}

static uint64_t pop(heedi_merger *m)
{
    uint64_t top = m->heap[0], last = m->heap[--m->heap_n];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < m->heap_n) {
        child += child + 1 < m->heap_n && m->heap[child + 1] < m->heap[child];
        if (m->heap[child] >= last)
            break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = last;
    return top;
}

static void consider(heedi_merger *m, heedi_pair_fn *pair, const void *model,
                     const char *s, int32_t i)
{
    heedi_symbol *a = m->symbol + i;
    a->rank = UINT32_MAX;
    if (a->next >= 0)
        a->rank = pair(model, s, a, m->symbol + a->next, &a->merged);
    if (a->rank != UINT32_MAX)
        push(m, (uint64_t)a->rank << 32 | (uint32_t)i);
}

heed_status heedi_merger_run(heedi_merger *m, heed_ctx *ctx,
                             heedi_pair_fn *pair, const void *model,
                             const char *s)
{
    /* each of at most n merges offers two new pairs */
    size_t most = 3 * m->n;
    uint64_t *h = heedi_grow(ctx, m->heap, &m->heap_cap, most, sizeof *h);
    if (!h)
        return HEED_ENOMEM;
    m->heap = h;
    m->heap_n = 0;
    for (size_t i = 0; i + 1 < m->n; i++)
        consider(m, pair, model, s, (int32_t)i);
    while (m->heap_n > 0) {
        uint64_t key = pop(m);
        heedi_symbol *a = m->symbol + (uint32_t)key;
        if (a->rank != (uint32_t)(key >> 32))
            continue; /* one of the two has grown since */
        heedi_symbol *b = m->symbol + a->next;
        a->id = a->merged;
        a->end = b->end;
        a->next = b->next;
        b->rank = UINT32_MAX;
        if (a->next >= 0)
            m->symbol[a->next].prev = (int32_t)(uint32_t)key;
        consider(m, pair, model, s, (int32_t)(uint32_t)key);
        if (a->prev >= 0)
            consider(m, pair, model, s, a->prev);
    }
    return HEED_OK;
}

void heedi_merger_free(heedi_merger *m, heed_ctx *ctx)
{
    heedi_free(ctx, m->symbol);
    heedi_free(ctx, m->heap);
    *m = (heedi_merger){0};
}
