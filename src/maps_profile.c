#include "maps.h"

#include <math.h>
#include <string.h>

#include "ctx.h"
#include "profile.h"

static const char *const group = "attention";

enum { LAGS = 1024 }; /* of a task */

/* What there is of every row, in this order. */
enum { MASS, DISTANCE, ENTROPY, FIRST, NEEDLE, N_ROWS };
static const struct {
    const char *name, *text, *units;
} columns[N_ROWS] = {
    {"mass", "sum of a row", "1"},
    {"distance", "mean distance of a row", "tokens"},
    {"entropy", "entropy of a row", "nat"},
    {"first_mass", "share of position 0", "1"},
    {"needle_mass", "share of the needle", "1"},
};

static bool stored(const heedi_maps *m, int k)
{
    return k != NEEDLE || m->how.needle_to > 0;
}

heed_status heedi_maps_profile_alloc(heedi_maps *m)
{
    heedi_profile *p = &m->profile;
    heedi_arena *mem = &m->j->mem;
    const size_t t = (size_t)m->longest;
    const size_t all = (size_t)(m->j->n * m->n_layers);
    p->share = heedi_arena_alloc(mem, 2 * t * sizeof *p->share);
    p->row = heedi_arena_alloc(mem, N_ROWS * t * sizeof *p->row);
    p->count = heedi_arena_alloc(mem, t * sizeof *p->count);
    p->layer = heedi_arena_alloc(mem, all * HEEDI_N_PROFILE * sizeof *p->layer);
    if (!p->share || !p->row || !p->count || !p->layer)
        return HEED_ENOMEM;
    p->rows = p->share + t;
    return HEED_OK;
}

size_t heedi_maps_profile_bytes(const heedi_maps *m)
{
    return (size_t)((3 + N_ROWS) * m->longest +
                    m->j->n * m->n_layers * HEEDI_N_PROFILE) *
           sizeof(double);
}

/* ---- one layer ---- */

void heedi_maps_profile_start(heedi_maps *m)
{
    heedi_profile *p = &m->profile;
    memset(p->share, 0, (size_t)m->longest * sizeof *p->share);
    memset(p->rows, 0, (size_t)m->longest * sizeof *p->rows);
    memset(p->count, 0, (size_t)m->longest * sizeof *p->count);
    memset(p->row, 0, (size_t)(N_ROWS * m->longest) * sizeof *p->row);
}

/* Rows first, each by itself, then lags, each over the rows in their order. */
void heedi_maps_profile_rows(heedi_maps *m, int64_t seq, int64_t at, int64_t n)
{
    heedi_profile *p = &m->profile;
    const int64_t t = m->j->len[seq], *row = m->row[seq] + at;
    const double *mass = p->row + MASS * m->longest + at;
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t i = 0; i < n; i++) {
        const heedi_reach r = heedi_reach_of(
            m->panel + i * t, t, row[i], m->how.needle_from, m->how.needle_to);
        const double x[] = {r.mass, r.distance, r.entropy, r.first, r.needle};
        for (int k = 0; k < N_ROWS; k++)
            if (k != DISTANCE || !m->how.ratios)
                p->row[k * m->longest + at + i] = x[k];
    }
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t lag = 0; lag < t; lag += LAGS)
        for (int64_t i = 0; i < n; i++)
            heedi_lag_add(m->panel + i * t, row[i], mass[i], lag, lag + LAGS,
                          p->share, p->rows);
}

/* The mean over matrices of their own distances. */
void heedi_maps_profile_one(heedi_maps *m, int64_t seq, int64_t at, int64_t n)
{
    heedi_profile *p = &m->profile;
    const int64_t t = m->j->len[seq];
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t i = 0; i < n; i++) {
        heed_real *a = m->panel + i * t;
        for (int64_t c = 0; c < t; c++)
            a[c] = a[c] < 0 ? -a[c] : a[c];
        const heedi_reach r = heedi_reach_of(a, t, m->row[seq][at + i], 0, 0);
        double *mean = &p->row[DISTANCE * m->longest + at + i];
        if (r.mass > 0)
            *mean += (r.distance - *mean) / ++p->count[at + i];
    }
}

static heed_status put(const heedi_maps *m, int64_t seq, const char *name,
                       int64_t layer, int64_t n, const double *x)
{
    const heed_sink *s = &m->j->sink[seq];
    const int64_t start[] = {layer, 0}, count[] = {1, n};
    return s->write(s->ud, m->j->ctx, group, name, start, count, x);
}

static double mean_of(const heedi_maps *m, int64_t seq, int k)
{
    const double *x = m->profile.row + k * m->longest;
    double sum = 0, n = 0;
    for (int64_t i = 0; i < m->n_rows[seq]; i++)
        if (m->profile.row[MASS * m->longest + i] > 0) {
            sum += x[i];
            n++;
        }
    return n > 0 ? sum / n : (double)NAN;
}

heed_status heedi_maps_profile_end(heedi_maps *m, int64_t seq, int64_t layer)
{
    heedi_profile *p = &m->profile;
    const int64_t t = m->j->len[seq], n = m->n_rows[seq];
    double *of = p->layer + seq * m->n_layers * HEEDI_N_PROFILE;
    for (int64_t lag = 0; lag < t; lag++)
        p->share[lag] =
            p->rows[lag] > 0 ? p->share[lag] / p->rows[lag] : (double)NAN;
    for (int k = 0; k < N_ROWS; k++)
        if (stored(m, k))
            HEEDI_TRY(put(m, seq, columns[k].name, layer, n,
                          p->row + k * m->longest));
    HEEDI_TRY(put(m, seq, "lag_share", layer, t, p->share));
    HEEDI_TRY(put(m, seq, "lag_rows", layer, t, p->rows));
    const heedi_decay e = heedi_decay_fit(p->share, t, 0);
    const heedi_decay w = heedi_decay_fit(p->share, t, 1);
    const double x[HEEDI_N_PROFILE] = {mean_of(m, seq, DISTANCE),
                                       mean_of(m, seq, ENTROPY),
                                       mean_of(m, seq, FIRST),
                                       p->row[DISTANCE * m->longest + n - 1],
                                       e.slope < 0 ? -1 / e.slope : (double)NAN,
                                       e.r2,
                                       w.slope,
                                       w.r2};
    for (int k = 0; k < HEEDI_N_PROFILE; k++)
        of[k * m->n_layers + layer] = x[k];
    return HEED_OK;
}

/* ---- the file ---- */

heed_status heedi_maps_profile_define(const heedi_maps *m, int64_t seq)
{
    const heed_sink *s = &m->j->sink[seq];
    heed_var v = {.group = group,
                  .type = HEED_F64,
                  .nd = 2,
                  .dim = {"layer", "query"},
                  .len = {m->n_layers, m->n_rows[seq]}};
    for (int k = 0; k < N_ROWS; k++) {
        v.name = columns[k].name;
        v.long_name = columns[k].text;
        v.units = columns[k].units;
        if (stored(m, k))
            HEEDI_TRY(s->define(s->ud, m->j->ctx, &v));
    }
    v.dim[1] = "lag";
    v.len[1] = m->j->len[seq];
    v.name = "lag_share";
    v.long_name = "mean share of the token so many positions before";
    v.units = "1";
    HEEDI_TRY(s->define(s->ud, m->j->ctx, &v));
    v.name = "lag_rows";
    v.long_name = "rows behind each lag";
    HEEDI_TRY(s->define(s->ud, m->j->ctx, &v));
    return heedi_maps_horizon_define(m, seq);
}

heed_status heedi_maps_profile_attr(const heedi_maps *m, int64_t seq)
{
    static const char *const names[HEEDI_N_PROFILE] = {
        "mean_distance", "mean_entropy",    "mean_first_mass", "last_distance",
        "decay_length",  "decay_length_r2", "decay_power",     "decay_power_r2",
    };
    const heed_sink *s = &m->j->sink[seq];
    heed_ctx *ctx = m->j->ctx;
    const double *of = m->profile.layer + seq * m->n_layers * HEEDI_N_PROFILE;
    for (int k = 0; k < HEEDI_N_PROFILE; k++) {
        const heed_attr a = {HEED_F64, m->n_layers, of + k * m->n_layers};
        HEEDI_TRY(s->attr(s->ud, ctx, group, names[k], a));
    }
    HEEDI_TRY(heedi_maps_horizon_attr(m, seq));
    if (m->how.needle_to > 0) {
        HEEDI_TRY(
            heed_put_int(s, ctx, group, "needle_from", m->how.needle_from));
        HEEDI_TRY(heed_put_int(s, ctx, group, "needle_to", m->how.needle_to));
    }
    HEEDI_TRY(heed_put_str(s, ctx, group, "fit",
                           "least squares of ln lag_share on lag "
                           "(decay_length) and on ln lag (decay_power), lags "
                           "1 to half of the longest, weight 1/lag"));
    return heed_put_str(s, ctx, group, "order",
                        m->how.ratios ? "mean_of_ratios" : "ratio_of_sums");
}
