#include "baseline.h"

#include <stdlib.h>
#include <string.h>

#include "ctx.h"
#include "words.h"

enum { CHUNK = 256 }; /* rows of the embedding at a time */

/* `read` may fail, `row` finds values. */
typedef struct heedi_baseline_kind {
    const char *name;
    heed_status (*read)(heedi_baseline *b, heedi_job *j, const char *option,
                        const char *text);
    heed_status (*row)(const heedi_baseline *b, heedi_exec *e, heed_real *row);
} heedi_baseline_kind;

static heed_status zero(const heedi_baseline *b, heedi_exec *e, heed_real *row)
{
    (void)b;
    memset(row, 0, (size_t)e->leaf->cols * sizeof *row);
    return HEED_OK;
}

static heed_status of_token(const heedi_baseline *b, heedi_exec *e,
                            heed_real *row)
{
    heedi_exec_leaf(e, &b->id, 1, row);
    return HEED_OK;
}

static heed_status mean(const heedi_baseline *b, heedi_exec *e, heed_real *row)
{
    const int64_t v = e->m->dim['V'], c = e->leaf->cols;
    int32_t id[CHUNK];
    heed_real *x = heedi_arena_alloc(&e->mem, (size_t)(CHUNK * c) * sizeof *x);
    double *sum = heedi_arena_alloc(&e->mem, (size_t)c * sizeof *sum);
    (void)b;
    if (!x || !sum)
        return HEED_ENOMEM;
    for (int64_t i0 = 0, n; i0 < v; i0 += n) {
        n = v - i0 < CHUNK ? v - i0 : CHUNK;
        for (int64_t i = 0; i < n; i++)
            id[i] = (int32_t)(i0 + i);
        heedi_exec_leaf(e, id, n, x);
        for (int64_t i = 0; i < n * c; i++)
            sum[i % c] += (double)x[i];
    }
    for (int64_t i = 0; i < c; i++)
        row[i] = (heed_real)(sum[i] / (double)v);
    return HEED_OK;
}

static heed_status read_mean(heedi_baseline *b, heedi_job *j,
                             const char *option, const char *text)
{
    (void)b;
    (void)option;
    (void)text;
    j->o.leaf_full = true;
    return HEED_OK;
}

static heed_status read_pad(heedi_baseline *b, heedi_job *j, const char *option,
                            const char *text)
{
    const heed_tokenizer *t = j->q->tokenizer;
    (void)text;
    b->id = t ? heed_tokenizer_about(t)->pad : -1;
    if (b->id < 0 || b->id >= j->q->model->dim['V'])
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: %s is 'pad', and %s; zero, mean and token:ID "
                          "need none",
                          j->info->name, option,
                          t ? "the tokenizer has no padding token"
                            : "without a tokenizer there is no padding token");
    return HEED_OK;
}

static heed_status read_id(heedi_baseline *b, heedi_job *j, const char *option,
                           const char *text)
{
    const int64_t v = j->q->model->dim['V'];
    const char *digits = text + strcspn(text, ":") + 1;
    char *end;
    long long id = strtoll(digits, &end, 10);
    if (*digits < '0' || *digits > '9' || *end || id >= v)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: %s is '%.40s', the id must be from 0 to %lld",
                          j->info->name, option, text, (long long)v - 1);
    b->id = (int32_t)id;
    return HEED_OK;
}

static const heedi_baseline_kind kinds[] = {{"zero", NULL, zero},
                                            {"pad", read_pad, of_token},
                                            {"mean", read_mean, mean}};
static const heedi_baseline_kind token = {"token", read_id, of_token};

heed_status heedi_baseline_read(heedi_baseline *b, heedi_job *j,
                                const char *option, const char *text)
{
    *b = (heedi_baseline){0};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (heedi_same_name(kinds[i].name, text))
            b->kind = &kinds[i];
    if (strncmp(text, "token:", 6) == 0)
        b->kind = &token;
    if (b->kind && j->q->model->patch.rows > 0) {
        if (b->kind->row != zero && b->kind->row != mean)
            return heedi_fail(j->ctx, HEED_EINVAL,
                              "%s: %s is '%.40s', of an image it can only be "
                              "zero or mean",
                              j->info->name, option, text);
        b->kind = &kinds[0]; /* normalisation makes the mean colour 0 */
    }
    if (!b->kind)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: %s is '%.40s', must be zero, pad, mean or "
                          "token:ID",
                          j->info->name, option, text);
    return b->kind->read ? b->kind->read(b, j, option, text) : HEED_OK;
}

bool heedi_baseline_is_zero(const heedi_baseline *b)
{
    return b->kind->row == zero;
}

heed_status heedi_baseline_row(const heedi_baseline *b, heedi_exec *e,
                               heed_real *row)
{
    return b->kind->row(b, e, row);
}
