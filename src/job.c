#include "job.h"

#include <string.h>

#include "ctx.h"

heed_status heedi_job_exec(heedi_job *j, heedi_exec *e)
{
    return heedi_exec_init(e, j->ctx, j->q->model, j->seq, j->n * j->parts,
                           j->id, &j->o);
}

heed_status heedi_job_plan(heedi_job *j, heedi_exec *e)
{
    return heedi_exec_plan(e, j->ctx, j->q->model, j->seq, j->n * j->parts,
                           j->id, &j->o);
}

/* ---- two texts ---- */

/* The tokens of segment 1 come last; each text has some. */
static heed_status split(heedi_job *j, int64_t s)
{
    const heed_tokens *t = j->tokens[s];
    int64_t first = 0;
    while (first < t->n && t->token[first].segment == 0)
        first++;
    for (int64_t i = first; i < t->n; i++)
        if (t->token[i].segment != 1)
            first = t->n;
    if (first == 0 || first == t->n)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "the model makes embeddings, of which two are "
                          "compared: input %lld needs a second text (--pair)",
                          (long long)s);
    j->seq[2 * s] = first;
    j->seq[2 * s + 1] = t->n - first;
    return HEED_OK;
}

static heed_status sequences(heedi_job *j)
{
    const heed_model_info *m = &j->q->model->info;
    const bool pair =
        j->info->has_target && !j->alone && m->head == HEED_HEAD_EMBEDDING;
    j->parts = pair ? 2 : 1;
    j->seq =
        heedi_arena_alloc(&j->mem, (size_t)(j->n * j->parts) * sizeof *j->seq);
    if (!j->seq)
        return HEED_ENOMEM;
    for (int64_t s = 0; s < j->n; s++)
        if (pair)
            HEEDI_TRY(split(j, s));
        else
            j->seq[s] = j->len[s];
    return HEED_OK;
}

/* Texts that are compared are run apart, each as a first one. */
static heed_status segments(heedi_job *j)
{
    const int64_t most = j->q->model->info.n_segments;
    int64_t at = 0;
    j->segment = heedi_arena_alloc(&j->mem, (size_t)j->rows + 1);
    if (!j->segment)
        return HEED_ENOMEM;
    for (int64_t s = 0; j->parts == 1 && s < j->n; s++) {
        const heed_tokens *t = j->tokens[s];
        for (int64_t i = 0; i < t->n; i++)
            j->segment[at++] = t->token[i].segment;
    }
    HEEDI_TRY(heedi_segments_check(j->ctx, most, j->segment, j->rows));
    j->o.segment = j->segment;
    return HEED_OK;
}

heed_status heedi_segments_check(heed_ctx *ctx, int64_t n_segments,
                                 const uint8_t *segment, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (segment[i] > 0 && segment[i] >= n_segments)
            return heedi_fail(ctx, HEED_EINVAL,
                              "token %lld is of segment %d, and the model has "
                              "%lld: it takes no second text",
                              (long long)i, segment[i], (long long)n_segments);
    return HEED_OK;
}

/* ---- masks ---- */

/* The position of the only mask token. */
static heed_status find_mask(heedi_job *j, int64_t s, int64_t *at)
{
    const heed_tokens *t = j->tokens[s];
    const int32_t mask =
        j->q->tokenizer ? heed_tokenizer_about(j->q->tokenizer)->mask : -1;
    int64_t found = 0;
    for (int64_t i = 0; mask >= 0 && i < t->n; i++)
        if (t->token[i].id == mask) {
            *at = i;
            found++;
        }
    if (found == 1)
        return HEED_OK;
    return heedi_fail(j->ctx, HEED_EINVAL,
                      "input %lld has %lld mask tokens: --at says which "
                      "position is explained (a [MASK] in the text is read as "
                      "one with --special)",
                      (long long)s, (long long)found);
}

static heed_status place(heedi_job *j, int64_t s)
{
    const size_t n = (size_t)j->n_targets[s];
    heed_target *t = heedi_arena_alloc(&j->mem, n * sizeof *t);
    if (!t)
        return HEED_ENOMEM;
    memcpy(t, j->target[s], n * sizeof *t);
    for (size_t i = 0; i < n; i++)
        if (t[i].at == HEED_AT_HEAD)
            HEEDI_TRY(find_mask(j, s, &t[i].at));
    j->target[s] = t;
    return HEED_OK;
}

heed_status heedi_job_sequences(heedi_job *j)
{
    HEEDI_TRY(sequences(j));
    HEEDI_TRY(segments(j));
    for (int64_t s = 0; j->info->has_target && !j->alone && s < j->n; s++)
        if (j->q->model->info.head == HEED_HEAD_MASKED)
            HEEDI_TRY(place(j, s));
    return HEED_OK;
}
