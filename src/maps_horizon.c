#include "maps.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "ctx.h"
#include "mixing.h"

/* The decay horizon of a state at row r: the most steps back, k = r - c, after
 * which at least eps is left of what was written into it at c,
 *     sum of minus log decay of c+1 ... r <= log(1 / eps).
 * A horizon that reaches the first step is open: at least r. Rates are summed
 * from the last row back; the horizon of an earlier row is that of the row
 * after it without its first rate, and on: each is added and taken off once. */

enum { STEPS = 64, N_LAYER = HEEDI_N_HORIZON };
enum { MEDIAN, MEAN, MOST, OPEN };

static const char *const group = "attention";

/* Steps c+1 ... r, and what their rates sum to. */
typedef struct window {
    int64_t c;
    double sum;
} window;

/* c down to where the limit is, or to before step `from`, the first of `rate`.
 * Is the end found? */
static bool extend(window *w, const double *rate, int64_t from, double limit)
{
    while (w->c > 0 && w->c >= from) {
        const double sum = w->sum + rate[w->c - from];
        if (!(sum <= limit))
            return true;
        w->sum = sum;
        w->c--;
    }
    return w->c == 0;
}

/* ---- one head ---- */

typedef struct task {
    const heedi_maps *m;
    const heedi_run *run;
    int64_t seq, head, states;
    double limit;
} task;

static double *rates_of(const task *k, int64_t from, int64_t n)
{
    const heedi_horizon *h = &k->m->horizon;
    const int64_t unit = k->m->how.horizon_rows ? k->m->longest : STEPS;
    double *out = h->rates + omp_get_thread_num() * h->per_head * unit;
    const heedi_steps s = {k->seq, k->head, from, n};
    k->m->m.y->op->mixing->rates(k->m->m.y, k->run, &s, out);
    return out;
}

/* Of the last row, some steps at a time, as long as a state holds. */
static void last_row(const task *k, int64_t *reach)
{
    const int64_t len = k->m->j->len[k->seq];
    int64_t left = k->states;
    for (int64_t i = 0; i < k->states; i++)
        reach[i] = -1;
    double *sum = k->m->horizon.rates + /* behind the threads' rates */
                  k->run->threads * k->m->horizon.per_head * STEPS +
                  omp_get_thread_num() * k->m->horizon.per_head;
    memset(sum, 0, (size_t)k->states * sizeof *sum);
    for (int64_t end = len; left > 0; end -= STEPS) {
        const int64_t from = end > STEPS ? end - STEPS : 0;
        const double *rate = rates_of(k, from, end - from);
        for (int64_t i = 0; i < k->states; i++) {
            window w = {end - 1, sum[i]};
            if (reach[i] >= 0)
                continue;
            if (extend(&w, rate + i * (end - from), from, k->limit)) {
                reach[i] = len - 1 - w.c;
                left--;
            }
            sum[i] = w.sum;
        }
    }
}

/* Of all rows, to their sums. */
static void all_rows(const task *k, int64_t *reach)
{
    const int64_t len = k->m->j->len[k->seq];
    int64_t *row = k->m->horizon.row + omp_get_thread_num() * k->m->longest;
    const double *rate = rates_of(k, 0, len);
    for (int64_t i = 0; i < k->states; i++, rate += len) {
        window w = {len - 1, 0};
        for (int64_t r = len - 1; r >= 0; r--) {
            w.sum = w.c > r ? 0 : w.sum; /* nothing was in it */
            w.c = w.c > r ? r : w.c;
            extend(&w, rate, 0, k->limit);
            row[r] += r - w.c;
            reach[i] = r == len - 1 ? r - w.c : reach[i];
            w.sum = w.c < r ? w.sum - rate[r] : 0;
        }
    }
}

static bool counts(const heedi_maps *m, int64_t head)
{
    const int64_t w = heedi_mixing_width(m->m.y);
    bool any = !m->some;
    for (int64_t d = head * w; !any && d < (head + 1) * w; d++)
        any = m->pick[d];
    return any;
}

/* ---- one layer ---- */

/* The k-th smallest. */
static double ranked(const heedi_horizon *h, int64_t k)
{
    int64_t x = 0;
    while (k >= h->count[x])
        k -= h->count[x++];
    return (double)x;
}

/* Mean and greatest of each head, and of all; the latter by counting: nothing
 * is sorted. */
static void summarise(heedi_maps *m, const heedi_map_layer *l, int64_t seq,
                      double *of)
{
    heedi_horizon *h = &m->horizon;
    const int64_t last = m->j->len[seq] - 1;
    int64_t n = 0, all = 0, most = 0;
    memset(h->count, 0, (size_t)m->longest * sizeof *h->count);
    for (int64_t k = 0; k < l->heads; k++) {
        const int64_t *x = h->reach + k * l->states;
        int64_t sum = 0, top = 0;
        h->out[k] = h->out[l->heads + k] = (double)NAN;
        if (!counts(m, k))
            continue;
        for (int64_t i = 0; i < l->states; i++) {
            h->count[x[i]]++;
            sum += x[i];
            top = x[i] > top ? x[i] : top;
        }
        n += l->states;
        all += sum;
        most = top > most ? top : most;
        h->out[k] = (double)sum / (double)l->states;
        h->out[l->heads + k] = (double)top;
    }
    of[MEDIAN] = (ranked(h, (n - 1) / 2) + ranked(h, n / 2)) / 2;
    of[MEAN] = (double)all / (double)n;
    of[MOST] = (double)most;
    of[OPEN] = (double)h->count[last] / (double)n;
}

static heed_status put(const heedi_maps *m, int64_t seq, const char *name,
                       int64_t layer, int64_t n, const double *x)
{
    const heed_sink *s = &m->j->sink[seq];
    const int64_t start[] = {layer, 0}, count[] = {1, n};
    return s->write(s->ud, m->j->ctx, group, name, start, count, x);
}

/* Means over the states that count, of the rows that are made. */
static heed_status put_rows(heedi_maps *m, int64_t seq, int64_t layer)
{
    const heedi_map_layer *l = &m->layer[layer];
    heedi_horizon *h = &m->horizon;
    int64_t n = 0;
    for (int64_t k = 0; k < l->heads; k++)
        n += counts(m, k) ? l->states : 0;
    for (int64_t i = 0; i < m->n_rows[seq]; i++) {
        int64_t sum = 0;
        for (int t = 0; t < heed_ctx_thread_count(m->j->ctx); t++)
            sum += h->row[t * m->longest + m->row[seq][i]];
        h->out[i] = l->states > 0 ? (double)sum / (double)n : (double)NAN;
    }
    return put(m, seq, "horizon", layer, m->n_rows[seq], h->out);
}

heed_status heedi_maps_horizon(heedi_maps *m, const heedi_run *run, int64_t seq,
                               int64_t layer)
{
    const heedi_map_layer *l = &m->layer[layer];
    heedi_horizon *h = &m->horizon;
    const bool rows = m->how.horizon_rows;
    double of[N_LAYER] = {(double)NAN, (double)NAN, (double)NAN, (double)NAN};
    if (h->most == 0)
        return HEED_OK;
    if (rows)
        memset(h->row, 0, (size_t)(run->threads * m->longest) * sizeof *h->row);
#pragma omp parallel for schedule(dynamic, 8)
    for (int64_t k = 0; k < (l->states > 0 ? l->heads : 0); k++) {
        const task t = {m, run, seq, k, l->states, -log(m->how.horizon)};
        if (counts(m, k))
            (rows ? all_rows : last_row)(&t, h->reach + k * l->states);
    }
    if (l->states > 0)
        summarise(m, l, seq, of);
    for (int64_t k = 0; h->heads > 0 && l->states == 0 && k < 2 * h->heads; k++)
        h->out[k] = (double)NAN;
    for (int k = 0; k < N_LAYER; k++)
        h->layer[(seq * N_LAYER + k) * m->n_layers + layer] = of[k];
    if (h->heads > 0) {
        HEEDI_TRY(put(m, seq, "horizon_head_mean", layer, h->heads, h->out));
        HEEDI_TRY(put(m, seq, "horizon_head_max", layer, h->heads,
                      h->out + h->heads));
    }
    return rows ? put_rows(m, seq, layer) : HEED_OK;
}

/* ---- memory and the file ---- */

static heedi_horizon survey(const heedi_maps *m)
{
    heedi_horizon h = {0};
    bool same = true;
    int64_t widest = 0;
    for (int64_t i = 0; i < m->n_layers; i++) {
        const heedi_map_layer *l = &m->layer[i];
        const int64_t n = l->heads * l->states;
        if (n == 0)
            continue;
        same = same && (widest == 0 || l->heads == widest);
        widest = l->heads > widest ? l->heads : widest;
        h.per_head = l->states > h.per_head ? l->states : h.per_head;
        h.most = n > h.most ? n : h.most;
    }
    h.heads = same ? widest : 0;
    return h;
}

/* Numbers of each array. */
typedef struct sizes {
    int64_t reach, count, row, rates, out, layer;
} sizes;

static sizes sizes_of(const heedi_maps *m, const heedi_horizon *h)
{
    const int64_t threads = heed_ctx_thread_count(m->j->ctx), t = m->longest;
    const int64_t steps = m->how.horizon_rows ? t : STEPS + 1;
    const int64_t out = 2 * h->most > t ? 2 * h->most : t;
    if (h->most == 0)
        return (sizes){0};
    return (sizes){.reach = h->most,
                   .count = t,
                   .row = m->how.horizon_rows ? threads * t : 1,
                   .rates = threads * h->per_head * steps,
                   .out = out,
                   .layer = m->j->n * N_LAYER * m->n_layers};
}

size_t heedi_maps_horizon_bytes(const heedi_maps *m)
{
    const heedi_horizon h = survey(m);
    const sizes n = sizes_of(m, &h);
    return (size_t)(n.reach + n.count + n.row) * sizeof(int64_t) +
           (size_t)(n.rates + n.out + n.layer) * sizeof(double);
}

heed_status heedi_maps_horizon_alloc(heedi_maps *m)
{
    heedi_horizon *h = &m->horizon;
    heedi_arena *mem = &m->j->mem;
    *h = survey(m);
    const sizes n = sizes_of(m, h);
    if (h->most == 0)
        return HEED_OK;
    h->reach = heedi_arena_alloc(mem, (size_t)n.reach * sizeof *h->reach);
    h->count = heedi_arena_alloc(mem, (size_t)n.count * sizeof *h->count);
    h->row = heedi_arena_alloc(mem, (size_t)n.row * sizeof *h->row);
    h->rates = heedi_arena_alloc(mem, (size_t)n.rates * sizeof *h->rates);
    h->out = heedi_arena_alloc(mem, (size_t)n.out * sizeof *h->out);
    h->layer = heedi_arena_alloc(mem, (size_t)n.layer * sizeof *h->layer);
    return h->reach && h->count && h->row && h->rates && h->out && h->layer
               ? HEED_OK
               : HEED_ENOMEM;
}

heed_status heedi_maps_horizon_define(const heedi_maps *m, int64_t seq)
{
    const heed_sink *s = &m->j->sink[seq];
    const heedi_horizon *h = &m->horizon;
    heed_var v = {.group = group,
                  .name = "horizon_head_mean",
                  .type = HEED_F64,
                  .nd = 2,
                  .dim = {"layer", "horizon_head"},
                  .len = {m->n_layers, h->heads},
                  .units = "tokens",
                  .long_name = "horizon of the states of a head, their mean"};
    if (h->heads > 0)
        HEEDI_TRY(s->define(s->ud, m->j->ctx, &v));
    v.name = "horizon_head_max";
    v.long_name = "horizon of the states of a head, the farthest";
    if (h->heads > 0)
        HEEDI_TRY(s->define(s->ud, m->j->ctx, &v));
    v.name = "horizon";
    v.dim[1] = "query";
    v.len[1] = m->n_rows[seq];
    v.long_name = "mean horizon of the states at a row";
    return h->most > 0 && m->how.horizon_rows ? s->define(s->ud, m->j->ctx, &v)
                                              : HEED_OK;
}

heed_status heedi_maps_horizon_attr(const heedi_maps *m, int64_t seq)
{
    static const char *const names[N_LAYER] = {"horizon_median", "horizon_mean",
                                               "horizon_max", "horizon_open"};
    const heed_sink *s = &m->j->sink[seq];
    const heedi_horizon *h = &m->horizon;
    if (h->most == 0)
        return HEED_OK;
    for (int k = 0; k < N_LAYER; k++) {
        const heed_attr a = {HEED_F64, m->n_layers,
                             h->layer + (seq * N_LAYER + k) * m->n_layers};
        HEEDI_TRY(s->attr(s->ud, m->j->ctx, group, names[k], a));
    }
    return heed_put_num(s, m->j->ctx, group, "horizon_eps", m->how.horizon);
}
