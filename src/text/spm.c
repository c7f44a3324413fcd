/* spm.c - byte-pair encoding ranked by scores, as in SentencePiece. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ctx.h"
#include "tokenizer.h"
#include "utf8.h"

/* The pair becomes a token if its text is one. */
static uint32_t scored(const void *model, const char *s, const heedi_symbol *l,
                       const heedi_symbol *r, int32_t *merged)
{
    const heedi_model *m = model;
    *merged = heedi_names_get(&m->names, s + l->start, r->end - l->start);
    return *merged < 0 ? UINT32_MAX : m->rank[*merged];
}

static heed_status emit(heedi_work *w, const heedi_symbol *y)
{
    const heedi_model *m = &w->t->model;
    bool bytes = true;
    if (y->id >= 0)
        return heedi_hit_add(
            w, y->id, heedi_rope_span(&w->text, y->start, y->end), false);
    for (uint32_t i = y->start; i < y->end; i++)
        bytes = bytes && m->byte_id[(unsigned char)w->text.s[i]] >= 0;
    if (!bytes && m->unk < 0) {
        w->dropped += y->end - y->start;
        return HEED_OK;
    }
    if (!bytes)
        return heedi_hit_add(
            w, m->unk, heedi_rope_span(&w->text, y->start, y->end), false);
    for (uint32_t i = y->start; i < y->end; i++)
        HEEDI_TRY(heedi_hit_add(w, m->byte_id[(unsigned char)w->text.s[i]],
                                heedi_rope_span(&w->text, i, i + 1), false));
    return HEED_OK;
}

static heed_status finish(heedi_work *w)
{
    heedi_merger *g = &w->merger;
    HEEDI_TRY(heedi_merger_run(g, w->ctx, scored, &w->t->model, w->text.s));
    for (int32_t i = g->n ? 0 : -1; i >= 0; i = g->symbol[i].next)
        HEEDI_TRY(emit(w, g->symbol + i));
    g->n = 0;
    return HEED_OK;
}

static heed_status encode(heedi_work *w, size_t from, size_t to)
{
    const heedi_model *m = &w->t->model;
    uint32_t before = 0;
    w->merger.n = 0;
    for (size_t i = from, len; i < to; i += len) {
        uint32_t c = heedi_utf8_get(w->text.s + i, to - i, &len);
        if (w->merger.n > 0 && heedi_never_meet(m, before, c))
            HEEDI_TRY(finish(w));
        before = c;
        HEEDI_TRY(heedi_merger_add(
            &w->merger, w->ctx, (uint32_t)i, (uint32_t)(i + len),
            heedi_names_get(&m->names, w->text.s + i, len)));
    }
    return finish(w);
}

const heedi_model_kind heedi_spm_bpe = {"SentencePiece BPE", encode};

void heedi_spm_bytes(heed_tokenizer *t)
{
    memset(t->model.byte_id, -1, sizeof t->model.byte_id);
    for (int64_t i = 0; i < t->info.n_tokens; i++) {
        int b = heedi_named_byte(t->str[i].s, t->str[i].len);
        if (b >= 0 && (t->flag[i] & HEEDI_BYTE))
            t->model.byte_id[b] = (int32_t)i;
    }
}

typedef struct scored_id {
    float score;
    int32_t id;
} scored_id;

static int by_score(const void *a, const void *b)
{
    const scored_id *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* Equal scores have equal ranks, so that the leftmost pair wins. */
heed_status heedi_spm_ranks(heed_tokenizer *t, const float *score, size_t n)
{
    uint32_t *rank = heedi_arena_alloc(&t->arena, n * sizeof *rank);
    scored_id *order = rank ? heedi_alloc(t->ctx, n * sizeof *order) : NULL;
    if (!order)
        return HEED_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (isnan(score[i])) {
            heedi_free(t->ctx, order);
            return heedi_fail(t->ctx, HEED_EFORMAT,
                              "the score of token %zu is not a number", i);
        }
        order[i] = (scored_id){score[i], (int32_t)i};
    }
    qsort(order, n, sizeof *order, by_score);
    for (size_t i = 0, r = 0; i < n; i++) {
        if (i > 0 && order[i].score != order[i - 1].score)
            r = i;
        rank[order[i].id] = (uint32_t)r;
    }
    heedi_free(t->ctx, order);
    t->model.rank = rank;
    return HEED_OK;
}
