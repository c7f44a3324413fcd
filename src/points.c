#include "points.h"

#include <string.h>

#include "ctx.h"
#include "patches.h"

typedef struct mean {
    const heedi_points *p;
    heedi_rounds r;
    heed_real *x, *point; /* (rows, C) */
    double *sum;          /* (rows, C) */
} mean;

uint64_t heedi_points_bytes(const heedi_job *j)
{
    return (uint64_t)(j->rows * heedi_leaf_cols(j->q->model)) *
           (2 * sizeof(heed_real) + sizeof(double));
}

/* The leaf's value lives until the next block has run. */
static heed_status keep_leaf(void *ud, heedi_exec *e, int64_t b)
{
    mean *m = ud;
    if (b == 0)
        memcpy(m->x, e->leaf->x,
               (size_t)(e->batch.rows * e->leaf->cols) * sizeof *m->x);
    return HEED_OK;
}

static heed_status add_point(mean *m, int64_t k)
{
    heedi_exec *e = m->r.e;
    const int64_t n = e->batch.rows * e->leaf->cols;
    const double w = m->p->at(m->p->ud, &m->r, k, m->x, m->point);
    heedi_exec_replace(e, m->point);
    HEEDI_TRY(heedi_exec_forward(e, NULL, NULL));
    HEEDI_TRY(heedi_rounds_again(&m->r));
    HEEDI_TRY(heedi_exec_backward(e, NULL, NULL));
    for (int64_t i = 0; i < n; i++)
        m->sum[i] += w * (double)e->leaf->g[i];
    return HEED_OK;
}

static heed_status one_round(mean *m)
{
    heedi_exec *e = m->r.e;
    const int64_t c = e->leaf->cols, n = e->batch.rows * c;
    heedi_exec_replace(e, NULL);
    HEEDI_TRY(heedi_exec_forward(e, keep_leaf, m));
    HEEDI_TRY(heedi_rounds_aim(&m->r));
    if (m->p->start)
        HEEDI_TRY(m->p->start(m->p->ud, &m->r, m->x, m->point));
    memset(m->sum, 0, (size_t)n * sizeof *m->sum);
    for (int64_t k = 0; k < m->p->n; k++)
        HEEDI_TRY(add_point(m, k));
    for (int64_t i = 0; i < n; i++)
        m->point[i] = (heed_real)m->sum[i];
    for (int64_t s = 0; s < m->r.j->n; s++) {
        const int64_t at = heedi_first_row(m->r.j, e, s) * c;
        if (heedi_has_target(&m->r, s))
            HEEDI_TRY(
                m->p->settle(m->p->ud, &m->r, s, m->x + at, m->point + at));
    }
    return HEED_OK;
}

static heed_status all_rounds(heedi_job *j, heedi_exec *e,
                              const heedi_points *p)
{
    mean m = {.p = p};
    const size_t n = (size_t)(e->batch.rows * e->leaf->cols);
    HEEDI_TRY(heedi_rounds_init(&m.r, j, e));
    m.x = heedi_arena_alloc(&j->mem, n * sizeof *m.x);
    m.point = heedi_arena_alloc(&j->mem, n * sizeof *m.point);
    m.sum = heedi_arena_alloc(&j->mem, n * sizeof *m.sum);
    if (!m.x || !m.point || !m.sum)
        return HEED_ENOMEM;
    for (; m.r.round < j->rounds; m.r.round++)
        HEEDI_TRY(one_round(&m));
    return heedi_rounds_report(&m.r);
}

heed_status heedi_run_points(heedi_job *j, const heedi_points *p)
{
    heedi_exec e;
    HEEDI_TRY(heedi_job_exec(j, &e));
    heed_status st = all_rounds(j, &e, p);
    heedi_exec_clear(&e);
    return st;
}
