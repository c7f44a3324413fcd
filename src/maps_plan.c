#include "maps.h"

#include <stdio.h>
#include <string.h>

#include "ctx.h"
#include "mixing.h"
#include "plan.h"

/* ---- layers ---- */

static const char *copy(heedi_job *j, const char *s)
{
    size_t n = strlen(s) + 1;
    char *c = heedi_arena_alloc(&j->mem, n);
    return c ? memcpy(c, s, n) : NULL;
}

static bool is_block(const heedi_maps_how *how, bool softmax)
{
    return !softmax &&
           (how->kind == HEEDI_MAP_AUTO || how->kind == HEEDI_MAP_BLOCK);
}

static bool is_kind(const heedi_maps_how *how, bool softmax)
{
    return how->kind == HEEDI_MAP_AUTO ||
           softmax == (how->kind == HEEDI_MAP_SOFTMAX);
}

/* What one layer's matrix is, and what it needs. */
typedef struct survey {
    heedi_maps *m;
    heedi_batch batch;
    heedi_map_layer *l;
    bool found;
} survey;

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static heed_status look(void *ud, const heedi_tape *t)
{
    survey *s = ud;
    const heedi_node *y = heedi_next_mixing(t, NULL);
    const heedi_batch *b = &s->batch;
    const int threads = heed_ctx_thread_count(t->ctx);
    heedi_job *j = s->m->j;
    heedi_map_layer *l = s->l;
    heedi_implicit m;
    if (!y || !is_kind(&s->m->how, y->op->mixing->softmax))
        return HEED_OK;
    heedi_implicit_of(&m, t, y, is_block(&s->m->how, y->op->mixing->softmax));
    m.folds_skip = s->m->how.skip == HEEDI_SKIP_FOLD;
    m.raw = s->m->how.raw && !m.block && y->op->mixing->sizes;
    const size_t all = (size_t)(b->rows * y->cols) * sizeof(heed_real);
    const size_t check = (size_t)(2 * HEEDI_SUM_ROWS * y->cols);
    *l = (heedi_map_layer){
        .layer = t->layer,
        .softmax = y->op->mixing->softmax,
        .block = m.block,
        .by_channel = m.by_channel,
        .raw = m.raw,
        .count = heedi_implicit_count(&m),
        .cols = y->cols,
        .heads = y->op->mixing->heads(y),
        .states = y->op->mixing->states ? y->op->mixing->states(y) : 0,
        .bytes = heedi_implicit_bytes(&m, b, threads),
        .weights = s->m->how.weighted ? 2 * all : 0,
        .mixer = y->op->mixing->mixer,
        .direction = heedi_mixing_direction(y),
        .operand = copy(j, m.operand->name),
        .output = copy(j, m.output->name)};
    for (int k = 0; k < HEEDI_MAP_HEIGHTS; k++)
        l->scratch[k] =
            most(heedi_fold_scratch(y, b, threads, heedi_maps_panel(s->m, k)),
                 heedi_implicit_sums_bytes(&m, b, threads) +
                     check * sizeof(heed_real));
    if (!s->m->how.profile && s->m->how.skip == HEEDI_SKIP_SEPARATE &&
        heedi_implicit_rests(&m) && (m.by_channel || s->m->how.weighted))
        l->beside = heedi_maps_rest_bytes(&m, b, threads);
    s->found = true;
    return l->operand && l->output ? HEED_OK : HEED_ENOMEM;
}

static bool asked_for(const heed_request *q, int64_t layer)
{
    for (int64_t i = 0; i < q->n_layers; i++)
        if (q->layers[i] == layer)
            return true;
    return !q->layers;
}

/* HEED_EINVAL names a number that is out of range or not in rising order. */
static heed_status check_list(const heedi_job *j, const char *what,
                              const int64_t *x, int64_t n, int64_t all)
{
    for (int64_t i = 0; i < n; i++)
        if (x[i] < 0 || x[i] >= all || (i > 0 && x[i] <= x[i - 1]))
            return heedi_fail(j->ctx, HEED_EINVAL,
                              "%s %lld: there are %lld, named in rising order "
                              "from 0",
                              what, (long long)x[i], (long long)all);
    return HEED_OK;
}

static const char *kind_word(heedi_map_kind k)
{
    static const char *const words[] = {"", "softmax", "core", "block", "core"};
    return words[k];
}

/* HEED_EINVAL where no layer has such matrices. */
static heed_status check_raw(const heedi_maps *m)
{
    bool any = false;
    for (int64_t i = 0; i < m->n_layers; i++)
        any = any || m->layer[i].raw;
    if (!m->how.raw || (any && m->how.skip != HEEDI_SKIP_FOLD))
        return HEED_OK;
    return heedi_fail(m->j->ctx, HEED_EINVAL,
                      any ? "%s: variant raw has no skip in its matrix"
                          : "%s: variant raw is of kind core of Mamba 2 and "
                            "RecurrentGemma",
                      m->j->info->name);
}

static heed_status find_layers(heedi_maps *m)
{
    heedi_job *j = m->j;
    const heed_model *model = j->q->model;
    const int64_t layers = model->dim['L'];
    survey s = {.m = m};
    HEEDI_TRY(check_list(j, "layer", j->q->layers,
                         j->q->layers ? j->q->n_layers : 0, layers));
    HEEDI_TRY(heedi_batch_init(&s.batch, &j->mem, j->len, j->n, 0));
    m->longest = s.batch.longest;
    m->layer = heedi_arena_alloc(&j->mem, (size_t)layers * sizeof *m->layer);
    m->without =
        heedi_arena_alloc(&j->mem, (size_t)layers * sizeof *m->without);
    if (!m->layer || !m->without)
        return HEED_ENOMEM;
    for (int64_t l = 0; l < layers; l++) {
        s.l = &m->layer[m->n_layers];
        s.found = false;
        HEEDI_TRY(heedi_model_tape(j->ctx, model, l + 1, look, &s));
        if (s.found && asked_for(j->q, l))
            m->n_layers++;
        else if (!s.found && !j->q->layers)
            m->without[m->n_without++] = l;
        else if (!s.found && j->q->layers && asked_for(j->q, l))
            return heedi_fail(j->ctx, HEED_EINVAL,
                              "layer %lld has no %s%smatrix", (long long)l,
                              kind_word(m->how.kind),
                              m->how.kind ? " " : "mixing ");
    }
    if (m->n_layers > 0)
        return HEED_OK;
    return heedi_fail(j->ctx, HEED_ENOTSUP,
                      "attention: '%s' models have no layers of kind '%s'",
                      model->family->info.name, kind_word(m->how.kind));
}

/* ---- heads and channels ---- */

static heed_status find_reduction(heedi_maps *m)
{
    heedi_job *j = m->j;
    const heedi_map_layer *a = m->layer;
    bool same = true;
    m->by_channel = a->by_channel;
    for (int64_t i = 0; i < m->n_layers; i++) {
        const heedi_map_layer *b = &m->layer[i];
        m->mixed = m->mixed || b->softmax != a->softmax ||
                   strcmp(b->mixer, a->mixer) != 0;
        same = same && b->by_channel == a->by_channel && b->count == a->count;
        m->widest = b->cols > m->widest ? b->cols : m->widest;
    }
    m->reduce = m->how.weighted           ? HEEDI_WEIGHTED
                : j->reduce != HEEDI_AUTO ? j->reduce
                : same && !m->by_channel  ? HEEDI_NONE
                                          : HEEDI_MEAN;
    m->reduce_name = m->how.weighted           ? "weighted"
                     : j->reduce != HEEDI_AUTO ? j->reduce_name
                     : m->reduce == HEEDI_NONE ? "none"
                                               : "mean";
    const bool chosen = j->q->heads || j->q->channels;
    if (m->how.profile && m->reduce != HEEDI_ABS_MEAN &&
        m->reduce != HEEDI_POS_MEAN && m->reduce != HEEDI_L2)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: measures need weights that are not negative: "
                          "abs_mean, pos_mean or l2, not '%s'",
                          j->info->name, m->reduce_name);
    if (!same && m->how.ratios)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: layers differ in their heads or channels: "
                          "choose layers, or order ratio_of_sums",
                          j->info->name);
    if (!same && (m->reduce == HEEDI_NONE || chosen))
        return heedi_fail(
            j->ctx, HEED_EINVAL,
            "attention: layers differ in their heads or "
            "channels: choose layers, or reduce over all of them");
    if (m->reduce == HEEDI_NONE && m->by_channel && !j->q->channels)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "attention: a map of each of %lld channels: "
                          "--channels chooses some",
                          (long long)a->count);
    return HEED_OK;
}

static heed_status find_index(heedi_maps *m)
{
    heedi_job *j = m->j;
    const heed_request *q = j->q;
    const char *what = m->by_channel ? "channel" : "head";
    const int64_t *want = m->by_channel ? q->channels : q->heads;
    const int64_t n = m->by_channel ? q->n_channels : q->n_heads;
    const int64_t all = m->layer->count;
    if (m->by_channel ? q->heads != NULL : q->channels != NULL)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "attention: these matrices are of %ss, not of %s",
                          what, m->by_channel ? "heads" : "channels");
    HEEDI_TRY(check_list(j, what, want, want ? n : 0, all));
    m->some = want && n < all;
    m->n_index = want ? n : all;
    int64_t *x = heedi_arena_alloc(&j->mem, (size_t)m->n_index * sizeof *x);
    if (!x)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < m->n_index; i++)
        x[i] = want ? want[i] : i;
    m->index = x;
    return HEED_OK;
}

/* ---- rows ---- */

static heed_status rows_of(heedi_maps *m, int64_t s)
{
    heedi_job *j = m->j;
    const heed_request *q = j->q;
    const int64_t t = j->len[s], step = q->row_step > 1 ? q->row_step : 1;
    const int64_t n = q->rows ? q->n_rows : (t + step - 1) / step;
    int64_t *x = heedi_arena_alloc(&j->mem, (size_t)n * sizeof *x);
    if (!x)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        x[i] = q->rows ? q->rows[i] : t - 1 - (n - 1 - i) * step;
        x[i] += x[i] < 0 ? t : 0;
        if (x[i] < 0 || x[i] >= t || (i > 0 && x[i] <= x[i - 1]))
            return heedi_fail(j->ctx, HEED_EINVAL,
                              "row %lld: the sequence has rows 0 ... %lld, "
                              "named in rising order",
                              (long long)q->rows[i], (long long)(t - 1));
    }
    m->row[s] = x;
    m->n_rows[s] = n;
    return HEED_OK;
}

static heed_status find_rows(heedi_maps *m)
{
    heedi_job *j = m->j;
    m->row = heedi_arena_alloc(&j->mem, (size_t)j->n * sizeof *m->row);
    m->n_rows = heedi_arena_alloc(&j->mem, (size_t)j->n * sizeof *m->n_rows);
    if (!m->row || !m->n_rows)
        return HEED_ENOMEM;
    if (j->q->rows && j->q->row_step > 1)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "rows are chosen by number and by a step: one of "
                          "the two");
    for (int64_t s = 0; s < j->n; s++)
        HEEDI_TRY(rows_of(m, s));
    return HEED_OK;
}

/* ---- memory ---- */

/* Bytes of maps that a sink in memory will hold. */
static uint64_t stored(const heedi_maps *m)
{
    const heedi_job *j = m->j;
    uint64_t sum = 0;
    for (int64_t s = 0; s < j->n; s++)
        sum += (uint64_t)(m->n_rows[s] * j->len[s]);
    return sum * (uint64_t)m->n_layers *
           (uint64_t)(heedi_maps_indexed(m) ? m->n_index : 1) *
           sizeof(heed_real);
}

int64_t heedi_maps_together(const int64_t *row, int64_t n, int height)
{
    int64_t k = 1;
    while (k < n && row[k] == row[k - 1] + 1 &&
           row[k] % (HEEDI_MAP_TALLEST >> height) != 0)
        k++;
    return k;
}

int64_t heedi_maps_panel(const heedi_maps *m, int height)
{
    int64_t rows = 1;
    for (int64_t s = 0; s < m->j->n; s++)
        for (int64_t i = 0, n; i < m->n_rows[s]; i += n) {
            n = heedi_maps_together(m->row[s] + i, m->n_rows[s] - i, height);
            rows = n > rows ? n : rows;
        }
    return rows;
}

static uint64_t working(const heedi_maps *m, int height)
{
    heedi_map_layer all = {0};
    for (int64_t i = 0; i < m->n_layers; i++) {
        all.bytes = most(all.bytes, m->layer[i].bytes);
        all.weights = most(all.weights, m->layer[i].weights);
        all.scratch[0] = most(all.scratch[0], m->layer[i].scratch[height]);
        all.beside = most(all.beside, m->layer[i].beside);
    }
    return all.bytes + all.weights + all.scratch[0] + all.beside +
           (uint64_t)(heedi_maps_panel(m, height) * m->longest) *
               sizeof(heed_real) +
           (uint64_t)m->widest * sizeof(bool);
}

/* Tall panels take part in what is shared by all rows; low ones are for where
 * there is little room. */
heed_status heedi_maps_settled(heedi_job *j)
{
    heedi_maps *m = j->more;
    heedi_exec e;
    m->height = HEEDI_MAP_HEIGHTS - 1;
    const uint64_t other = j->o.results, least = working(m, m->height);
    j->o.results = other + least;
    HEEDI_TRY(heedi_job_plan(j, &e));
    const uint64_t limit = heedi_plan_limit(j->ctx, &e.plan);
    const uint64_t room = limit > e.plan.peak_min ? limit - e.plan.peak_min : 0;
    m->height = 0;
    while (m->height < HEEDI_MAP_HEIGHTS - 1 && limit > 0 &&
           working(m, m->height) > least + room)
        m->height++;
    j->o.spared = working(m, m->height) - least;
    j->o.results = other + least + j->o.spared;
    return HEED_OK;
}

heed_status heedi_maps_check(heedi_job *j, const heedi_maps_how *how)
{
    heedi_maps *m = heedi_arena_alloc(&j->mem, sizeof *m);
    if (!m)
        return HEED_ENOMEM;
    *m = (heedi_maps){.j = j, .how = *how};
    j->more = m;
    j->group = "attention";
    for (int64_t s = 0; how->weighted && s < j->n; s++)
        if (j->n_targets[s] != 1 || j->parts != 1)
            return heedi_fail(j->ctx, HEED_EINVAL,
                              "attention: a weighted map is of one target and "
                              "one text");
    j->o.watch_mixing = how->weighted;
    j->o.raw = how->raw;
    HEEDI_TRY(find_rows(m)); /* scratch depends on them */
    HEEDI_TRY(find_layers(m));
    HEEDI_TRY(check_raw(m));
    HEEDI_TRY(find_reduction(m));
    HEEDI_TRY(find_index(m));
    if (how->profile)
        j->o.results +=
            heedi_maps_profile_bytes(m) + heedi_maps_horizon_bytes(m);
    else if (!j->q->streams)
        j->o.results += stored(m);
    return HEED_OK;
}
