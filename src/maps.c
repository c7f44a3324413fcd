#include "maps.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "ctx.h"

/* ---- panels ---- */

/* Any kind of layer will do: everything is seen through `mixing` views and
 * factors. */
static heed_status put(const heedi_maps *m, int64_t seq, int64_t layer,
                       int64_t index, int64_t at, int64_t n)
{
    const heed_sink *s = &m->j->sink[seq];
    const int64_t start[] = {layer, index, at, 0};
    const int64_t count[] = {1, 1, n, m->j->len[seq]};
    return s->write(s->ud, m->j->ctx, "attention", "attention", start, count,
                    m->panel);
}

static void one_matrix(const heedi_maps *m, const heedi_run *run, int64_t seq,
                       int64_t index, int64_t q0, int64_t nq)
{
    const int64_t t = m->j->len[seq], end = q0 + nq;
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t k = q0 / HEEDI_FOLD_ROWS;
         k < (end + HEEDI_FOLD_ROWS - 1) / HEEDI_FOLD_ROWS; k++) {
        const int64_t at = k * HEEDI_FOLD_ROWS, next = at + HEEDI_FOLD_ROWS;
        const int64_t from = at > q0 ? at : q0;
        const heedi_view v = {.seq = seq,
                              .head = index,
                              .q0 = from,
                              .nq = (next < end ? next : end) - from,
                              .out = m->panel + (from - q0) * t};
        heedi_implicit_rows(&m->m, run, &v);
    }
}

const heedi_map_fold heedi_map_folds[HEEDI_AUTO + 1] = {
    [HEEDI_MEAN] = {HEEDI_FOLD_SUM, true, false},
    [HEEDI_POS_MEAN] = {HEEDI_FOLD_POSITIVE, true, false},
    [HEEDI_ABS_MEAN] = {HEEDI_FOLD_ABSOLUTE, true, false},
    [HEEDI_MAX] = {HEEDI_FOLD_MAX, false, false},
    [HEEDI_L2] = {HEEDI_FOLD_SQUARE, false, true},
    [HEEDI_WEIGHTED] = {HEEDI_FOLD_SUM, false, false},
};

static void reduced(const heedi_maps *m, const heedi_run *run, int64_t seq,
                    const heedi_map_layer *l, int64_t q0, int64_t nq)
{
    const heedi_map_fold *how = &heedi_map_folds[m->reduce];
    heedi_fold f = m->fold;
    f.seq = seq;
    f.q0 = q0;
    f.nq = nq;
    f.f = how->fold;
    f.by_head = !l->by_channel && !m->how.weighted;
    f.pick = m->some ? m->pick : NULL;
    f.scratch = m->scratch;
    f.out = m->panel;
    heedi_fold_run(m->m.y, run, &f);
    const double n = (double)(m->some ? m->n_index : l->count);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < nq * m->j->len[seq]; i++) {
        const double x = (double)f.out[i];
        f.out[i] = (heed_real)(how->root ? sqrt(x) : how->mean ? x / n : x);
    }
}

/* Of n rows from number `at` on. */
static heed_status one_panel(heedi_maps *m, const heedi_run *run, int64_t seq,
                             int64_t layer, int64_t at, int64_t n)
{
    const int64_t q0 = m->row[seq][at];
    const bool profile = m->how.profile;
    const bool each = heedi_maps_indexed(m) || m->how.ratios;
    for (int64_t k = 0; each && k < m->n_index; k++) {
        one_matrix(m, run, seq, m->index[k], q0, n);
        if (profile)
            heedi_maps_profile_one(m, seq, at, n);
        else
            HEEDI_TRY(put(m, seq, layer, k, at, n));
    }
    if (heedi_maps_indexed(m))
        return HEED_OK;
    reduced(m, run, seq, &m->layer[layer], q0, n);
    if (!profile)
        return put(m, seq, layer, 0, at, n);
    heedi_maps_profile_rows(m, seq, at, n);
    return HEED_OK;
}

static heed_status all_panels(heedi_maps *m, const heedi_run *run, int64_t seq,
                              int64_t layer)
{
    const int64_t *row = m->row[seq], n_rows = m->n_rows[seq];
    if (m->how.profile)
        heedi_maps_profile_start(m);
    for (int64_t i = 0, n; i < n_rows; i += n) {
        n = heedi_maps_together(row + i, n_rows - i, m->height);
        HEEDI_TRY(heedi_progress(m->j->ctx, "maps",
                                 (double)layer + (double)i / (double)n_rows,
                                 (double)m->n_layers));
        HEEDI_TRY(one_panel(m, run, seq, layer, i, n));
    }
    if (!m->how.profile)
        return HEED_OK;
    HEEDI_TRY(heedi_maps_horizon(m, run, seq, layer));
    return heedi_maps_profile_end(m, seq, layer);
}

/* ---- one layer ---- */

static void set_weights(heedi_maps *m, const heedi_run *run)
{
    heed_real *left = m->weights;
    heed_real *post = left + run->batch->rows * m->m.y->cols;
    heedi_implicit_weigh(&m->m, run, m->m.output->g, left, post);
    m->fold.left = left;
    m->fold.post = post;
}

static void set_pick(const heedi_maps *m, const heedi_map_layer *l)
{
    const int64_t each = l->cols / l->count;
    memset(m->pick, 0, (size_t)l->cols * sizeof *m->pick);
    for (int64_t k = 0; k < m->n_index; k++)
        for (int64_t d = 0; d < each; d++)
            m->pick[m->index[k] * each + d] = true;
}

static int64_t stored_at(const heedi_maps *m, int64_t layer)
{
    int64_t i = 0;
    while (i < m->n_layers && m->layer[i].layer != layer)
        i++;
    return i;
}

static heed_status one_layer(heedi_maps *m, const heedi_exec *e,
                             const heedi_tape *t, const heedi_node *y)
{
    const int64_t i = stored_at(m, t->layer);
    if (i == m->n_layers || y != heedi_next_mixing(t, NULL))
        return HEED_OK;
    const heedi_map_layer *l = &m->layer[i];
    heedi_implicit_of(&m->m, t, y, l->block);
    m->m.folds_skip = m->how.skip == HEEDI_SKIP_FOLD;
    m->m.raw = l->raw;
    heedi_implicit_fill(&m->m, &e->run, m->arrays);
    m->fold = (heedi_fold){0};
    heedi_implicit_fold(&m->m, &m->fold);
    if (m->some)
        set_pick(m, l);
    if (m->how.weighted)
        set_weights(m, &e->run);
    for (int64_t s = 0; s < m->j->n; s++) {
        m->error[s * m->n_layers + i] = heedi_implicit_error(
            &m->m, &e->run, s, m->how.skip == HEEDI_SKIP_DROP, m->scratch,
            &m->checked[s]);
        if (l->beside > 0)
            HEEDI_TRY(heedi_maps_rest(m, &e->run, s, i));
        HEEDI_TRY(all_panels(m, &e->run, s, i));
    }
    return HEED_OK;
}

static heed_status visit(void *ud, heedi_exec *e, int64_t block)
{
    const heedi_tape *t = &e->block[block].tape;
    const heedi_node *y = heedi_next_mixing(t, NULL);
    return y ? one_layer(ud, e, t, y) : HEED_OK;
}

static void watch(void *ud, const heedi_exec *e, const heedi_node *y)
{
    heedi_maps *m = ud;
    if (m->status == HEED_OK)
        m->status = one_layer(m, e, &e->block[y->layer + 1].tape, y);
}

static heed_status contributions(heedi_maps *m, heedi_exec *e)
{
    heedi_rounds r;
    HEEDI_TRY(heedi_rounds_init(&r, m->j, e));
    HEEDI_TRY(heedi_exec_forward(e, NULL, NULL));
    HEEDI_TRY(heedi_rounds_aim(&r));
    e->watch = watch;
    e->watch_ud = m;
    m->rounds = &r;
    HEEDI_TRY(heedi_exec_backward(e, NULL, NULL));
    HEEDI_TRY(m->status);
    for (int64_t s = 0; s < m->j->n; s++)
        HEEDI_TRY(heedi_maps_end(m, s));
    return HEED_OK;
}

/* ---- the run ---- */

static heed_status allocate(heedi_maps *m)
{
    heedi_job *j = m->j;
    size_t arrays = 1, weights = 1, scratch = 1, beside = 1;
    for (int64_t i = 0; i < m->n_layers; i++) {
        const heedi_map_layer *l = &m->layer[i];
        arrays = l->bytes > arrays ? l->bytes : arrays;
        weights = l->weights > weights ? l->weights : weights;
        const size_t work = l->scratch[m->height];
        scratch = work > scratch ? work : scratch;
        beside = l->beside > beside ? l->beside : beside;
    }
    m->arrays = heedi_arena_alloc(&j->mem, arrays);
    m->weights = heedi_arena_alloc(&j->mem, weights);
    m->scratch = heedi_arena_alloc(&j->mem, scratch);
    m->beside = heedi_arena_alloc(&j->mem, beside);
    m->panel = heedi_arena_alloc(
        &j->mem, (size_t)(heedi_maps_panel(m, m->height) * m->longest) *
                     sizeof *m->panel);
    m->pick = heedi_arena_alloc(&j->mem, (size_t)m->widest * sizeof *m->pick);
    m->error = heedi_arena_alloc(&j->mem, (size_t)(j->n * m->n_layers) *
                                              sizeof *m->error);
    m->checked = heedi_arena_alloc(&j->mem, (size_t)j->n * sizeof *m->checked);
    return m->arrays && m->weights && m->scratch && m->beside && m->panel &&
                   m->pick && m->error && m->checked
               ? HEED_OK
               : HEED_ENOMEM;
}

static heed_status run(heedi_maps *m, heedi_exec *e)
{
    HEEDI_TRY(allocate(m));
    if (m->how.profile) {
        HEEDI_TRY(heedi_maps_profile_alloc(m));
        HEEDI_TRY(heedi_maps_horizon_alloc(m));
    }
    for (int64_t s = 0; s < m->j->n; s++)
        HEEDI_TRY(heedi_maps_begin(m, s));
    if (m->how.weighted)
        return contributions(m, e);
    HEEDI_TRY(heedi_exec_forward(e, visit, m));
    for (int64_t s = 0; s < m->j->n; s++)
        HEEDI_TRY(heedi_maps_end(m, s));
    return HEED_OK;
}

heed_status heedi_maps_run(heedi_job *j)
{
    heedi_exec e;
    HEEDI_TRY(heedi_job_exec(j, &e));
    heed_status st = run(j->more, &e);
    heedi_exec_clear(&e);
    return st;
}
