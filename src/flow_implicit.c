#include <math.h>
#include <string.h>

#include "flow.h"

static const heedi_tape *tape_of(const heedi_flow *f, const heedi_node *y)
{
    return &f->r.e->block[y->layer + 1].tape;
}

bool heedi_flow_matrix(heedi_flow *f, const heedi_node *y)
{
    heedi_implicit_of(&f->m, tape_of(f, y), y, !f->how.core);
    return !f->m.by_channel;
}

/* (rows, columns): x, or what it is to be multiplied with; NULL: 1. */
static void product(const heedi_flow *f, const heed_real *x,
                    const heed_real *by, heed_real *out)
{
    const int64_t n = f->r.e->batch.rows * f->m.y->cols;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        out[i] = (x ? x[i] : 1) * (by ? by[i] : 1);
}

void heedi_flow_fill(heedi_flow *f)
{
    const heedi_run *run = &f->r.e->run;
    heedi_implicit_fill(&f->m, run, f->matrix);
    if (!f->how.gradient)
        return;
    heedi_implicit_weigh(&f->m, run,
                         f->output ? f->output[f->m.y->id] : f->m.output->g,
                         f->left, f->post);
    f->m.left = f->left;
    f->m.post = f->post;
}

/* ---- panels ---- */

static const heedi_fold_kind folds[] = {
    [HEEDI_FUSE_MEAN] = HEEDI_FOLD_SUM,
    [HEEDI_FUSE_MAX] = HEEDI_FOLD_MAX,
    [HEEDI_FUSE_MIN] = HEEDI_FOLD_MAX, /* of -a */
    [HEEDI_FUSE_POSITIVE] = HEEDI_FOLD_POSITIVE,
    [HEEDI_FUSE_ABSOLUTE] = HEEDI_FOLD_ABSOLUTE,
};

/* left, negated: rows q0 ... of one sequence are enough. */
static const heed_real *negated(const heedi_flow *f, const heedi_view *v)
{
    const int64_t cols = f->m.y->cols;
    const int64_t row0 = f->r.e->batch.start[v->seq] + v->q0;
    for (int64_t i = row0 * cols; i < (row0 + v->nq) * cols; i++)
        f->left[i] = f->m.left ? -f->m.left[i] : -1;
    return f->left;
}

void heedi_flow_fused(heedi_flow *f, heedi_fusion how, const heedi_view *v)
{
    heedi_fold fold = {.seq = v->seq,
                       .q0 = v->q0,
                       .nq = v->nq,
                       .f = folds[how],
                       .by_head = !f->m.by_channel,
                       .scratch = f->scratch,
                       .out = v->out};
    const int64_t n = v->nq * heedi_len(f->r.e->run.batch, v->seq);
    const bool mean = how != HEEDI_FUSE_MAX && how != HEEDI_FUSE_MIN;
    const double by = mean ? 1 / (double)heedi_implicit_count(&f->m)
                      : how == HEEDI_FUSE_MIN ? -1
                                              : 1;
    heedi_implicit_fold(&f->m, &fold);
    if (how == HEEDI_FUSE_MIN)
        fold.left = negated(f, v);
    heedi_fold_run(f->m.y, &f->r.e->run, &fold);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        v->out[i] = (heed_real)(by * (double)v->out[i]) + 0;
}

/* next += v (I + A - I) of the panel's rows. */
static void add_panel(heedi_flow *f, const heedi_node *y, const heedi_view *v)
{
    const int64_t len = heedi_len(f->r.e->run.batch, v->seq);
    const int64_t row0 = f->r.e->batch.start[v->seq];
    double *row = f->v + row0 + v->q0, *next = f->next + row0;
    for (int64_t i = 0; heedi_flow_norms(f, y) && i < v->nq; i++) {
        const double sum = heedi_flow_divisor(f, v->out + i * len, len);
        row[i] /= sum;
        f->stay[row0 + v->q0 + i] /= sum;
    }
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < len; c++)
        for (int64_t i = 0; i < v->nq; i++)
            next[c] += row[i] * (double)v->out[i * len + c];
}

void heedi_flow_panels(heedi_flow *f, const heedi_node *y)
{
    const heedi_batch *b = f->r.e->run.batch;
    const heedi_fusion how =
        f->how.gradient ? HEEDI_FUSE_POSITIVE : f->how.heads;
    for (int64_t s = 0; s < b->n_seq; s++) {
        const int64_t len = heedi_len(b, s);
        for (int64_t q0 = 0; q0 < len; q0 += HEEDI_PANEL) {
            heedi_view v = {.seq = s,
                            .q0 = q0,
                            .nq =
                                len - q0 < HEEDI_PANEL ? len - q0 : HEEDI_PANEL,
                            .out = f->panel};
            bool any = false;
            for (int64_t i = 0; i < v.nq; i++)
                any = any || f->v[b->start[s] + q0 + i] != 0;
            if (!any)
                continue;
            heedi_flow_fused(f, how, &v);
            if (f->how.finish)
                f->how.finish(f, y, &v);
            add_panel(f, y, &v);
        }
    }
}

/* ---- without entries ---- */

/* A mean of matrices that multiply as many columns as they give, by an
 * operation that has both products. */
bool heedi_flow_is_free(const heedi_flow *f)
{
    const heedi_mixing *mix = f->m.y->op->mixing;
    const bool wanted =
        f->how.form == HEEDI_FORM_FREE ||
        (f->how.form == HEEDI_FORM_AUTO && !heedi_flow_norms(f, f->m.y));
    return wanted && f->how.heads == HEEDI_FUSE_MEAN && !f->how.gradient &&
           !f->how.finish && !f->r.e->o.raw && mix->transpose && mix->apply &&
           f->m.y->in[mix->operand]->cols == f->m.y->cols;
}

/* x (rows, columns): the filter over it, or its transpose. */
static void filter(const heedi_flow *f, const heed_real *x, bool transposed,
                   heed_real *out)
{
    const heedi_batch *b = &f->r.e->batch;
    const heedi_filter *k = &f->m.filter;
    const int64_t cols = f->m.y->cols;
    const bool ahead = transposed != k->reversed;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < b->n_small; i++) {
        const heedi_tile t = b->small[i];
        const int64_t from = b->start[t.seq], to = b->start[t.seq + 1];
        memset(out + t.row * cols, 0, (size_t)(t.n * cols) * sizeof *out);
        for (int64_t r = t.row; r < t.row + t.n; r++)
            for (int64_t j = 0; j < k->width; j++) {
                const int64_t at = ahead ? r + j : r - j;
                const heed_real *w = f->m.w + (k->width - 1 - j) * cols;
                for (int64_t d = 0; at >= from && at < to && d < cols; d++)
                    out[r * cols + d] += x[at * cols + d] * w[d];
            }
    }
}

/* Rows of `x` (rows, columns), summed over the columns, times c. */
static void sum_columns(const heedi_flow *f, const heed_real *x,
                        const heed_real *by, double *out)
{
    const int64_t rows = f->r.e->batch.rows, cols = f->m.y->cols;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        double sum = 0;
        for (int64_t d = r * cols; d < (r + 1) * cols; d++)
            sum += (double)x[d] * (by ? (double)by[d] : 1);
        out[r] = sum / (double)cols;
    }
}

/* Row sums of A to f->next. */
static void row_sums(heedi_flow *f)
{
    const heedi_implicit *m = &f->m;
    product(f, NULL, m->post, f->left);
    if (m->w)
        filter(f, f->left, false, f->post);
    product(f, m->w ? f->post : f->left, m->right, f->left);
    m->y->op->mixing->apply(m->y, &f->r.e->run, f->left, f->post);
    sum_columns(f, f->post, m->left, f->next);
}

/* v <- v / (1 + row sums). What the sums are of is not known here: as sizes
 * count 1 and the sum's own, which is less. */
static void norm_rows(heedi_flow *f)
{
    const heedi_batch *b = &f->r.e->batch;
    row_sums(f);
    for (int64_t s = 0; s < b->n_seq; s++)
        for (int64_t r = b->start[s]; r < b->start[s + 1]; r++) {
            double sum = 1 + f->next[r];
            if (fabs(sum) < 1e-6 * (1 + fabs(f->next[r]))) {
                sum = 1 + fabs(f->next[r]);
                f->warned = true;
            }
            f->v[r] /= sum;
            f->stay[r] /= sum;
        }
}

void heedi_flow_free(heedi_flow *f)
{
    const heedi_implicit *m = &f->m;
    const int64_t rows = f->r.e->batch.rows, cols = m->y->cols;
    if (heedi_flow_norms(f, m->y))
        norm_rows(f);
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++)
        for (int64_t d = r * cols; d < (r + 1) * cols; d++)
            f->left[d] =
                (heed_real)(f->v[r] * (m->left ? (double)m->left[d] : 1));
    m->y->op->mixing->transpose(m->y, &f->r.e->run, f->left, f->post);
    product(f, f->post, m->right, f->left);
    if (m->w)
        filter(f, f->left, true, f->post);
    sum_columns(f, m->w ? f->post : f->left, m->post, f->next);
}

/* ---- the official form ---- */

void heedi_flow_vector(heedi_flow *f, const heedi_node *y)
{
    const heedi_batch *b = f->r.e->run.batch;
    for (int64_t s = 0; s < b->n_seq; s++) {
        const int64_t len = heedi_len(b, s);
        heedi_view v = {
            .seq = s, .q0 = f->at[s] - b->start[s], .nq = 1, .out = f->panel};
        double *to = f->v + b->start[s];
        if (f->at[s] < 0)
            continue;
        if (f->how.row)
            f->how.row(f, y, &v);
        else
            heedi_flow_fused(f, f->how.heads, &v);
        const double sum = heedi_flow_divisor(f, v.out, len);
        f->stay[f->at[s]] /= sum;
        for (int64_t c = 0; c < len; c++)
            to[c] = (to[c] + (double)v.out[c]) / sum;
    }
}
