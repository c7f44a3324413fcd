#include "finite.h"

#include <math.h>

#include "ctx.h"

static bool finite_rows(const heedi_exec *e, const heed_real *x, int64_t cols)
{
    const heedi_batch *b = e->run.batch;
    int bad = 0;
#pragma omp parallel for schedule(static) reduction(+ : bad)
    for (int64_t k = 0; k < b->n_small; k++) {
        const heed_real *p = x + b->small[k].row * cols;
        heed_real sum = 0; /* 0 times infinity or NaN is NaN */
        for (int64_t i = 0; i < b->small[k].n * cols; i++)
            sum += 0 * p[i];
        bad += !(sum == 0);
    }
    return bad == 0;
}

/* The first value of a matrix that is not finite; false if there is none. */
static bool bad_weight(const heedi_weight *w, heed_real *row, int64_t *r)
{
    for (*r = 0; *r < w->rows; (*r)++) {
        heedi_weight_row(w, *r, 0, w->cols, row);
        for (int64_t i = 0; i < w->cols; i++)
            if (!isfinite((double)row[i]))
                return true;
    }
    return false;
}

static heed_status name_it(heedi_exec *e, const heedi_node *y)
{
    int64_t r;
    heed_real *row =
        y->w ? heedi_alloc(e->ctx, (size_t)y->w->cols * sizeof *row) : NULL;
    bool weight = row && bad_weight(y->w, row, &r);
    heedi_free(e->ctx, row);
    if (weight)
        return heedi_fail(e->ctx, HEED_ENUMERIC,
                          "tensor %s: row %lld has a value that is not finite",
                          y->w->name, (long long)r);
    return heedi_fail(e->ctx, HEED_ENUMERIC,
                      "%s: the output of this operation is not finite",
                      y->name);
}

heed_status heedi_check_block(heedi_exec *e, int64_t block)
{
    const heedi_exec_block *b = &e->block[block];
    if (finite_rows(e, b->out->x, b->out->cols))
        return HEED_OK;
    for (const heedi_node *y = b->tape.first; y; y = y->next) {
        y->op->forward(y, &e->run);
        if (!finite_rows(e, y->x, y->cols))
            return name_it(e, y);
    }
    return name_it(e, b->out);
}
