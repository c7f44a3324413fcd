#include <heed/predict.h>
#include <math.h>
#include <string.h>

#include "ctx.h"
#include "head.h"
#include "kernel.h"
#include "patches.h"

/* Keep the `top` best of z in out, best first. */
static void choose(const heed_real *z, int64_t v, int64_t top,
                   heed_candidate *out)
{
    int64_t n = 0;
    for (int64_t i = 0; i < v; i++) {
        if (n == top && (double)z[i] <= out[n - 1].logit)
            continue;
        int64_t lo = 0, hi = n; /* after all that are greater or equal */
        while (lo < hi) {
            int64_t mid = (lo + hi) / 2;
            if (out[mid].logit >= (double)z[i])
                lo = mid + 1;
            else
                hi = mid;
        }
        n += n < top;
        memmove(out + lo + 1, out + lo, (size_t)(n - 1 - lo) * sizeof *out);
        out[lo] = (heed_candidate){(int32_t)i, (double)z[i], 0};
    }
}

static double log_sum(const heed_real *z, int64_t v)
{
    heed_real max = z[0];
    for (int64_t i = 1; i < v; i++)
        max = z[i] > max ? z[i] : max;
    return (double)max + log(heedi_vector()->sum_exp((size_t)v, z, max));
}

/* Where labels do not exclude each other, each is true with a probability of
 * its own. */
static double log_sigmoid(double z)
{
    return z < 0 ? z - log1p(exp(z)) : -log1p(exp(-z));
}

/* ids and segments of tokens, in the arena */
static heed_status columns(heedi_arena *mem, const heed_model *m,
                           const heed_tokens *t, int32_t **id,
                           uint8_t **segment)
{
    *id = heedi_arena_alloc(mem, (size_t)(t->n + 1) * sizeof **id);
    *segment = heedi_arena_alloc(mem, (size_t)t->n + 1);
    if (!*id || !*segment)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < t->n; i++) {
        (*id)[i] = t->token[i].id;
        (*segment)[i] = t->token[i].segment;
    }
    return heedi_segments_check(mem->ctx, m->info.n_segments, *segment, t->n);
}

static heed_status predict(heedi_exec *e, const int64_t *at, int64_t n_at,
                           int64_t top, heed_real *z, heed_candidate *out)
{
    const int64_t v = e->m->head.rows;
    const bool alone = e->m->info.head == HEED_HEAD_CLASS &&
                       (e->m->info.multi_label || v == 1);
    HEEDI_TRY(heedi_exec_forward(e, NULL, NULL));
    for (int64_t i = 0; i < n_at; i++) {
        HEEDI_TRY(heedi_head_row(e, at[i], z));
        double l = log_sum(z, v);
        choose(z, v, top, out + i * top);
        for (int64_t k = 0; k < top; k++)
            out[i * top + k].logprob = alone
                                           ? log_sigmoid(out[i * top + k].logit)
                                           : out[i * top + k].logit - l;
    }
    return HEED_OK;
}

static heed_status check(heed_ctx *ctx, const heed_model *m, int64_t n,
                         const int64_t *at, int64_t n_at, int64_t top)
{
    const int64_t v = m->head.rows;
    const bool whole = m->info.head == HEED_HEAD_CLASS;
    if (m->info.head == HEED_HEAD_EMBEDDING)
        return heedi_fail(ctx, HEED_ENOTSUP,
                          "%s: the model predicts nothing, it makes embeddings "
                          "(heed embed)",
                          m->info.path);
    if (top < 1 || top > v)
        return heedi_fail(ctx, HEED_EINVAL,
                          "%lld %s are asked for, the %s has %lld",
                          (long long)top, whole ? "labels" : "tokens",
                          whole ? "model" : "vocabulary", (long long)v);
    for (int64_t i = 0; i < n_at; i++)
        if (at[i] < 0 || at[i] >= (whole ? 1 : n))
            return heedi_fail(ctx, HEED_EINVAL,
                              whole ? "position %lld: labels are of the whole "
                                      "text, of %lld tokens, and read at 0"
                                    : "position %lld is out of range, the "
                                      "input has %lld tokens",
                              (long long)at[i], (long long)n);
    return HEED_OK;
}

/* o: what the input is, beside ids */
static heed_status run_predict(heed_ctx *ctx, const heed_model *m,
                               const int32_t *id, int64_t n, const int64_t *at,
                               int64_t n_at, int64_t top, heedi_exec_options o,
                               heed_candidate *out)
{
    const int64_t v = m->head.rows;
    HEEDI_TRY(check(ctx, m, n, at, n_at, top));
    static const heedi_exec zero;
    heedi_exec e = zero;
    o.head_rows = n_at;
    o.head_full = true;
    o.results += (uint64_t)v * sizeof(heed_real);
    HEEDI_TRY(heedi_exec_init(&e, ctx, m, &n, 1, id, &o));
    heed_real *z = heedi_arena_alloc(&e.mem, (size_t)v * sizeof *z);
    heed_status st = z ? predict(&e, at, n_at, top, z, out) : HEED_ENOMEM;
    heedi_exec_clear(&e);
    return st;
}

heed_status heed_predict(heed_ctx *ctx, const heed_model *m, const int32_t *id,
                         int64_t n, const int64_t *at, int64_t n_at,
                         int64_t top, heed_candidate *out)
{
    heedi_begin(ctx);
    return run_predict(ctx, m, id, n, at, n_at, top, (heedi_exec_options){0},
                       out);
}

heed_status heed_predict_tokens(heed_ctx *ctx, const heed_model *m,
                                const heed_tokens *t, const int64_t *at,
                                int64_t n_at, int64_t top, heed_candidate *out)
{
    heedi_arena mem;
    int32_t *id;
    uint8_t *segment;
    heedi_begin(ctx);
    heedi_arena_init(&mem, ctx);
    heed_status st = columns(&mem, m, t, &id, &segment);
    if (st == HEED_OK)
        st = run_predict(ctx, m, id, t->n, at, n_at, top,
                         (heedi_exec_options){.segment = segment}, out);
    heedi_arena_clear(&mem);
    return st;
}

static heed_status pooled(heedi_exec *e, double *out)
{
    const int64_t c = e->m->head.cols;
    double length = 0;
    HEEDI_TRY(heedi_exec_forward(e, NULL, NULL));
    const heed_real *x = heedi_head_state(e, 0);
    for (int64_t i = 0; i < c; i++) {
        out[i] = (double)x[i];
        length += out[i] * out[i];
    }
    length = sqrt(length);
    for (int64_t i = 0; e->m->info.normalizes && length > 0 && i < c; i++)
        out[i] /= length;
    return HEED_OK;
}

heed_status heed_embed(heed_ctx *ctx, const heed_model *m, const heed_tokens *t,
                       double *out)
{
    heedi_arena mem;
    int32_t *id;
    uint8_t *segment;
    heedi_begin(ctx);
    if (m->info.head != HEED_HEAD_EMBEDDING)
        return heedi_fail(ctx, HEED_ENOTSUP,
                          "%s: the model has a head '%s' and makes no "
                          "embeddings",
                          m->info.path, heed_head_name(m->info.head));
    heedi_arena_init(&mem, ctx);
    heed_status st = columns(&mem, m, t, &id, &segment);
    static const heedi_exec zero;
    heedi_exec e = zero;
    const heedi_exec_options o = {.segment = segment};
    if (st == HEED_OK)
        st = heedi_exec_init(&e, ctx, m, &t->n, 1, id, &o);
    if (st == HEED_OK) {
        st = pooled(&e, out);
        heedi_exec_clear(&e);
    }
    heedi_arena_clear(&mem);
    return st;
}

heed_status heed_predict_image(heed_ctx *ctx, const heed_model *m,
                               const heed_pixels *pixels, int64_t top,
                               heed_candidate *out)
{
    heedi_begin(ctx);
    HEEDI_TRY(heedi_patches_check(ctx, m, pixels));
    const int64_t t = heedi_patch_tokens(m), cls = 0;
    const size_t n = (size_t)(t * heedi_patch_size(m));
    heed_real *rows = heedi_alloc_raw(ctx, n * sizeof *rows);
    int32_t *id = heedi_alloc(ctx, (size_t)t * sizeof *id); /* of nothing */
    heed_status st = rows && id ? HEED_OK : HEED_ENOMEM;
    if (st == HEED_OK) {
        heedi_patches_fill(m, pixels, rows);
        st = run_predict(
            ctx, m, id, t, &cls, 1, top,
            (heedi_exec_options){.pixels = rows, .results = n * sizeof *rows},
            out);
    }
    heedi_free(ctx, rows);
    heedi_free(ctx, id);
    return st;
}

static heed_status step(heedi_exec *e, int64_t row, heed_real *z, int32_t *id)
{
    const int64_t v = e->m->head.rows;
    HEEDI_TRY(heedi_head_row(e, row, z));
    int64_t k = 0;
    for (int64_t i = 1; i < v; i++)
        if (z[i] > z[k])
            k = i;
    *id = (int32_t)k;
    return HEED_OK;
}

static heed_status go_on(heedi_exec *e, int64_t n, int64_t n_new, int32_t eos,
                         heed_real *z, int32_t *out, int64_t *n_out)
{
    HEEDI_TRY(heedi_exec_forward(e, NULL, NULL));
    for (int64_t i = 0; i < n_new; i++) {
        HEEDI_TRY(step(e, i == 0 ? n - 1 : 0, z, &out[i]));
        *n_out = i + 1;
        if (out[i] == eos || i + 1 == n_new)
            break;
        HEEDI_TRY(heedi_exec_feed(e, out[i]));
    }
    return HEED_OK;
}

/* Frequencies that change with the length do not go with kept keys: every
 * step is a whole pass. */
static heed_status from_start(heed_ctx *ctx, const heed_model *m,
                              const int32_t *id, int64_t n, int64_t n_new,
                              int32_t eos, int32_t *out, int64_t *n_out)
{
    size_t bytes = (size_t)(n + n_new) * sizeof *id;
    int32_t *all = heedi_alloc(ctx, bytes);
    heed_status st = all ? HEED_OK : HEED_ENOMEM;
    if (all)
        memcpy(all, id, (size_t)n * sizeof *id);
    for (int64_t i = 0; st == HEED_OK && i < n_new; i++) {
        heed_candidate best;
        int64_t at = n + i - 1;
        st = heed_predict(ctx, m, all, n + i, &at, 1, 1, &best);
        if (st != HEED_OK)
            break;
        all[n + i] = out[i] = best.id;
        *n_out = i + 1;
        if (best.id == eos)
            break;
    }
    heedi_free(ctx, all);
    return st;
}

heed_status heed_generate(heed_ctx *ctx, const heed_model *m, const int32_t *id,
                          int64_t n, int64_t n_new, int32_t eos, int32_t *out,
                          int64_t *n_out)
{
    heedi_begin(ctx);
    *n_out = 0;
    if (m->info.head != HEED_HEAD_NEXT)
        return heedi_fail(ctx, HEED_ENOTSUP,
                          "%s: the model has a head '%s' and continues no text",
                          m->info.path, heed_head_name(m->info.head));
    if (n_new < 0 || n_new > 1 << 20)
        return heedi_fail(ctx, HEED_EINVAL,
                          "%lld new tokens are asked for, at most %d are "
                          "possible",
                          (long long)n_new, 1 << 20);
    if (n_new == 0)
        return HEED_OK;
    for (int i = 0; i < m->n_rope; i++)
        if (m->rope[i].type->by_length)
            return from_start(ctx, m, id, n, n_new, eos, out, n_out);
    const int64_t v = m->head.rows;
    static const heedi_exec zero;
    heedi_exec e = zero;
    heedi_exec_options o = {.head_rows = 1,
                            .head_full = true,
                            .state = n + n_new,
                            .results = (uint64_t)v * sizeof(heed_real)};
    HEEDI_TRY(heedi_exec_init(&e, ctx, m, &n, 1, id, &o));
    heed_real *z = heedi_arena_alloc(&e.mem, (size_t)v * sizeof *z);
    heed_status st = z ? go_on(&e, n, n_new, eos, z, out, n_out) : HEED_ENOMEM;
    heedi_exec_clear(&e);
    return st;
}
