#include "maps.h"

#include <math.h>
#include <string.h>

#include "ctx.h"

bool heedi_maps_has_rest(const heedi_maps *m)
{
    for (int64_t i = 0; i < m->n_layers; i++)
        if (m->layer[i].beside > 0)
            return true;
    return false;
}

/* Where everything is. */
typedef struct room {
    heed_real *all, *skip; /* (HEEDI_SUM_ROWS, cols) */
    heed_real *zero, *work;
    heed_real *through; /* (rows, cols): A times what stands above it; NULL */
    void *scratch;
} room;

/* A product of an operation's own is cheap; else only the rows that are asked
 * for are made. */
static bool at_once(const heedi_implicit *m)
{
    return m->y->op->mixing->apply != NULL;
}

static size_t reals(const heedi_implicit *m, const heedi_batch *b)
{
    const int64_t c = m->y->cols;
    return (size_t)(2 * HEEDI_SUM_ROWS * c + 2 * c +
                    (at_once(m) ? b->rows * c : 0));
}

size_t heedi_maps_rest_bytes(const heedi_implicit *m, const heedi_batch *b,
                             int threads)
{
    return reals(m, b) * sizeof(heed_real) +
           (at_once(m) ? heedi_mixing_scratch(m->y, b, threads)
                       : heedi_implicit_sums_bytes(m, b, threads));
}

static room room_of(const heedi_implicit *m, const heedi_batch *b, void *mem)
{
    const int64_t c = m->y->cols;
    room r = {.all = mem};
    r.skip = r.all + HEEDI_SUM_ROWS * c;
    r.zero = r.skip + HEEDI_SUM_ROWS * c;
    r.work = r.zero + c;
    r.through = at_once(m) && m->rest ? r.work + c : NULL;
    r.scratch = r.all + reals(m, b);
    return r;
}

/* Of one row: all that the matrix leaves, and of it the skip. */
static void one_row(const heedi_implicit *m, const heedi_run *run, int64_t seq,
                    int64_t q, const room *r, heed_real *all, heed_real *skip)
{
    const int64_t c = m->y->cols, row = run->batch->start[seq] + q;
    const heedi_view v = {.seq = seq, .q0 = q, .nq = 1, .out = skip};
    memset(skip, 0, (size_t)c * sizeof *skip);
    memset(r->zero, 0, (size_t)c * sizeof *skip);
    if (m->y->op->mixing->rest)
        m->y->op->mixing->rest(m->y, run, &v);
    for (int64_t d = 0; at_once(m) && d < c; d++)
        all[d] = skip[d] + (r->through ? r->through[row * c + d] : 0);
    if (at_once(m))
        heedi_implicit_rest_below(m, run, row, r->work, all);
    heedi_implicit_rest_below(m, run, row, r->work, skip);
    heedi_implicit_rest_below(m, run, row, r->work, r->zero);
    for (int64_t d = 0; d < c; d++)
        skip[d] -= r->zero[d];
}

/* As entries of the matrix are reduced. */
static heed_real reduced(const heedi_maps *m, const heed_real *g,
                         const heed_real *x, const heed_real *less)
{
    const heedi_map_fold *how = &heedi_map_folds[m->reduce];
    const int64_t n = m->some ? m->n_index : m->m.y->cols;
    double sum = how->fold == HEEDI_FOLD_MAX ? -HUGE_VAL : 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t d = m->some ? m->index[i] : i;
        const double v = ((double)x[d] - (less ? (double)less[d] : 0)) *
                         (g ? (double)g[d] : 1);
        sum = how->fold == HEEDI_FOLD_MAX        ? fmax(sum, v)
              : how->fold == HEEDI_FOLD_POSITIVE ? sum + fmax(v, 0)
              : how->fold == HEEDI_FOLD_ABSOLUTE ? sum + fabs(v)
              : how->fold == HEEDI_FOLD_SQUARE   ? sum + v * v
                                                 : sum + v;
    }
    return (heed_real)(how->root   ? sqrt(sum)
                       : how->mean ? sum / (double)n
                                   : sum);
}

static heed_status put(const heedi_maps *m, const heedi_run *run, int64_t seq,
                       const char *name, int64_t layer, int64_t at, int64_t n,
                       const heed_real *x, const heed_real *less)
{
    const int64_t c = m->m.y->cols;
    const heed_sink *s = &m->j->sink[seq];
    const heedi_node *out = m->m.output;
    heed_real to[HEEDI_SUM_ROWS];
    for (int64_t k = 0; k < (heedi_maps_indexed(m) ? m->n_index : 1); k++) {
        const int64_t start[] = {layer, k, at}, count[] = {1, 1, n};
        for (int64_t i = 0; i < n; i++) {
            const heed_real *row = x + i * c, *off = less ? less + i * c : NULL;
            const int64_t r = run->batch->start[seq] + m->row[seq][at + i];
            const int64_t d = m->index[k];
            to[i] = heedi_maps_indexed(m)
                        ? row[d] - (off ? off[d] : 0)
                        : reduced(m, m->how.weighted ? out->g + r * c : NULL,
                                  row, off);
        }
        HEEDI_TRY(
            s->write(s->ud, m->j->ctx, "attention", name, start, count, to));
    }
    return HEED_OK;
}

heed_status heedi_maps_rest(const heedi_maps *m, const heedi_run *run,
                            int64_t seq, int64_t layer)
{
    const heedi_implicit *a = &m->m;
    const int64_t c = a->y->cols, n_rows = m->n_rows[seq];
    const room r = room_of(a, run->batch, m->beside);
    if (r.through && seq == 0)
        heedi_mixing_apply(a->y, run, a->rest, r.through, r.scratch);
    for (int64_t i = 0; i < n_rows; i += HEEDI_SUM_ROWS) {
        const int64_t *q = m->row[seq] + i;
        const int64_t n =
            n_rows - i < HEEDI_SUM_ROWS ? n_rows - i : HEEDI_SUM_ROWS;
        if (!at_once(a))
            heedi_implicit_sums(a, run, seq, q, n, r.scratch, NULL, r.all);
        for (int64_t k = 0; k < n; k++)
            one_row(a, run, seq, q[k], &r, r.all + k * c, r.skip + k * c);
        HEEDI_TRY(put(m, run, seq, "skip", layer, i, n, r.skip, NULL));
        HEEDI_TRY(put(m, run, seq, "bias", layer, i, n, r.all, r.skip));
    }
    return HEED_OK;
}
