#include "implicit.h"

#include <omp.h>
#include <string.h>

const heedi_node *heedi_next_mixing(const heedi_tape *t, const heedi_node *y)
{
    for (y = y ? y->next : t->first; y && !y->op->mixing;)
        y = y->next;
    return y;
}

/* ---- what it is made of ---- */

static const heedi_node *only_reader(const heedi_tape *t, const heedi_node *x,
                                     int *through)
{
    const heedi_node *found = NULL;
    int n = 0;
    for (const heedi_node *y = t->first; y; y = y->next)
        for (int i = 0; i < y->op->n_in; i++)
            if (y->in[i] == x) {
                found = y;
                *through = i;
                n++;
            }
    return n == 1 ? found : NULL;
}

/* Factors and at most one filter: what two filters one after the other do to
 * an entry is no sum over one filter's taps. */
static void go_up(heedi_implicit *m)
{
    const heedi_node *x = m->operand;
    while (m->n_up < HEEDI_MAX_CHAIN && x->op) {
        const heedi_factor *f = x->op->factor;
        const bool filters = x->op->filter != NULL;
        if (filters ? m->filter_at >= 0 : !f || f->centred)
            break;
        if (filters) {
            m->filter = x->op->filter(x);
            m->filter_at = m->n_up;
        }
        m->up[m->n_up++] = x;
        x = x->in[filters ? 0 : f->through];
    }
    m->operand = x;
}

/* A mean over columns of a head may be taken of the operand instead, as long
 * as these columns have one matrix. */
static bool can_centre(const heedi_implicit *m, int64_t n)
{
    return m->n_down == 0 && heedi_mixing_width(m->y) % n == 0;
}

static void go_down(heedi_implicit *m, const heedi_tape *t)
{
    int in = 0;
    while (m->n_down < HEEDI_MAX_CHAIN) {
        const heedi_node *x = only_reader(t, m->output, &in);
        const heedi_factor *f = x ? x->op->factor : NULL;
        if (!f || f->through != in || x->cols != m->output->cols)
            break;
        if (f->centred) {
            const int64_t n = f->centred(x);
            if (!can_centre(m, n))
                break;
            m->centred = n;
        }
        m->down[m->n_down++] = x;
        m->output = x;
    }
}

void heedi_implicit_of(heedi_implicit *m, const heedi_tape *t,
                       const heedi_node *y, bool block)
{
    *m = (heedi_implicit){.y = y,
                          .block = block && !y->op->mixing->softmax,
                          .filter_at = -1,
                          .operand = y->in[y->op->mixing->operand],
                          .output = y};
    if (m->block) {
        go_down(m, t);
        if (!m->centred)
            go_up(m);
    }
    m->reader = only_reader(t, m->output, &(int){0});
    m->by_channel = y->op->mixing->channels || m->n_up > 0 || m->n_down > 0;
}

static bool in_chain(const heedi_node *const *chain, int n, const heedi_node *x)
{
    for (int i = 0; i < n; i++) {
        if (chain[i] == x)
            return true;
        for (int k = 0; k < chain[i]->op->n_in; k++)
            if (chain[i]->in[k] == x)
                return true;
    }
    return false;
}

bool heedi_implicit_reads(const heedi_implicit *m, const heedi_node *x)
{
    return in_chain(&m->y, 1, x) || in_chain(m->up, m->n_up, x) ||
           in_chain(m->down, m->n_down, x);
}

int64_t heedi_implicit_count(const heedi_implicit *m)
{
    return m->by_channel ? m->y->cols : m->y->op->mixing->heads(m->y);
}

/* ---- its arrays ---- */

/* Factors above the filter, from number `first` of the chain on. */
static int n_factors(const heedi_implicit *m, bool beyond)
{
    const int at = m->filter_at;
    return at < 0 ? (beyond ? 0 : m->n_up) : beyond ? m->n_up - at - 1 : at;
}

static bool has_rest(const heedi_implicit *m)
{
    for (int i = 0; i < m->n_up; i++)
        if (i == m->filter_at ? m->up[i]->vec != NULL
                              : m->up[i]->op->factor->rest != NULL)
            return true;
    return false;
}

bool heedi_implicit_rests(const heedi_implicit *m)
{
    for (int i = 0; i < m->n_down; i++)
        if (m->down[i]->op->factor->rest)
            return true;
    return has_rest(m) ||
           (m->y->op->mixing->rest && !m->y->op->mixing->softmax);
}

static const heedi_node *inner(const heedi_implicit *m)
{
    return m->y->in[m->y->op->mixing->operand];
}

/* Values of one thread's tile of factors. */
static int64_t tile_values(const heedi_implicit *m)
{
    const int64_t v = inner(m)->cols, c = m->y->cols;
    return HEEDI_SMALL_TILE * (v > c ? v : c);
}

static bool skips(const heedi_implicit *m)
{
    return m->folds_skip && m->y->op->mixing->rest;
}

size_t heedi_implicit_bytes(const heedi_implicit *m, const heedi_batch *b,
                            int threads)
{
    const int64_t c = m->y->cols;
    int64_t n = 2 * threads * tile_values(m);
    n += m->n_down > 0 ? b->rows * c : 0;
    n += n_factors(m, false) > 0 ? b->rows * c : 0;
    n += n_factors(m, true) > 0 ? b->rows * c : 0;
    n += m->filter_at >= 0 ? m->filter.width * c : 0;
    n += has_rest(m) ? b->rows * inner(m)->cols : 0;
    n += skips(m) ? 2 * c : 0;
    n += m->raw ? b->rows * c : 0;
    return (size_t)n * sizeof(heed_real);
}

static void times(const heed_real *x, heed_real *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] *= x[i];
}

/* From columns of the operand to columns of y, and the product of the factors
 * chain[0 ... n-1] into out, (rows, y->cols); all rows of a tile. */
static void product(const heedi_implicit *m, const heedi_run *run,
                    const heedi_node *const *chain, int n, heedi_tile t,
                    heed_real *out)
{
    const int64_t v = chain[0]->cols, c = m->y->cols;
    heed_real *all = m->work + omp_get_thread_num() * 2 * tile_values(m);
    heed_real *one = all + tile_values(m);
    for (int i = 0; i < n; i++) {
        chain[i]->op->factor->of(chain[i], run, t.row, t.n, i ? one : all);
        if (i > 0)
            times(one, all, t.n * v);
    }
    if (v == c) {
        memcpy(out + t.row * c, all, (size_t)(t.n * c) * sizeof *out);
        return;
    }
    for (int64_t r = 0; r < t.n; r++)
        for (int64_t d = 0; d < c; d++)
            out[(t.row + r) * c + d] =
                all[r * v + heedi_mixing_column(m->y, d)];
}

/* The filter over rest of all rows before it, in place: the last row first. */
static void filter_rest(const heedi_implicit *m, const heedi_batch *b,
                        int64_t seq, const heedi_node *x)
{
    const int64_t c = x->cols, row0 = b->start[seq], len = heedi_len(b, seq);
    const heedi_filter *f = &m->filter;
    for (int64_t i = 0; i < len; i++) {
        const int64_t t = f->reversed ? i : len - 1 - i;
        heed_real *to = m->rest + (row0 + t) * c;
        times(f->w + (f->width - 1) * c, to, c);
        for (int64_t k = 1; k < f->width; k++) {
            const int64_t from = f->reversed ? t + k : t - k;
            const heed_real *w = f->w + (f->width - 1 - k) * c;
            const heed_real *s = m->rest + (row0 + from) * c;
            for (int64_t d = 0; from >= 0 && from < len && d < c; d++)
                to[d] += s[d] * w[d];
        }
        for (int64_t d = 0; x->vec && d < c; d++)
            to[d] += x->vec[d];
    }
}

static void factor_rest(const heedi_implicit *m, const heedi_run *run,
                        const heedi_node *x, heedi_tile t)
{
    const int64_t n = t.n * x->cols;
    heed_real *at = m->work + omp_get_thread_num() * 2 * tile_values(m);
    heed_real *to = m->rest + t.row * x->cols;
    x->op->factor->of(x, run, t.row, t.n, at);
    times(at, to, n);
    if (!x->op->factor->rest)
        return;
    x->op->factor->rest(x, run, t.row, t.n, at);
    for (int64_t i = 0; i < n; i++)
        to[i] += at[i];
}

/* From 0 at the operand of the matrix to the operand of y. */
static void fill_rest(const heedi_implicit *m, const heedi_run *run)
{
    const heedi_batch *b = run->batch;
    memset(m->rest, 0, (size_t)(b->rows * inner(m)->cols) * sizeof *m->rest);
    for (int i = m->n_up - 1; i >= 0; i--)
        if (i == m->filter_at) {
#pragma omp parallel for schedule(dynamic, 1)
            for (int64_t s = 0; s < b->n_seq; s++)
                filter_rest(m, b, s, m->up[i]);
        } else {
#pragma omp parallel for schedule(static)
            for (int64_t k = 0; k < b->n_small; k++)
                factor_rest(m, run, m->up[i], b->small[k]);
        }
}

/* rest is skip times the operand of y: by the row that has most of it. */
static void fill_skip(const heedi_implicit *m, const heedi_run *run,
                      heed_real *most)
{
    const heedi_batch *b = run->batch;
    const int64_t c = m->y->cols;
    heed_real *rest = m->work;
    memset(most, 0, (size_t)c * sizeof *most);
    memset(m->skip, 0, (size_t)c * sizeof *m->skip);
    for (int64_t k = 0; k < b->n_small; k++) {
        const heedi_tile t = b->small[k];
        const heedi_view v = {.seq = t.seq,
                              .q0 = t.row - b->start[t.seq],
                              .nq = t.n,
                              .out = rest};
        m->y->op->mixing->rest(m->y, run, &v);
        for (int64_t i = 0; i < t.n * c; i++) {
            const int64_t d = i % c;
            const heed_real x = inner(m)->x[(t.row + i / c) * inner(m)->cols +
                                            heedi_mixing_column(m->y, d)];
            const heed_real size = x < 0 ? -x : x;
            if (size > most[d]) {
                most[d] = size;
                m->skip[d] = rest[i] / x;
            }
        }
    }
}

static heed_real *cut(heed_real **at, bool wanted, int64_t n)
{
    heed_real *x = wanted ? *at : NULL;
    *at += wanted ? n : 0;
    return x;
}

void heedi_implicit_fill(heedi_implicit *m, const heedi_run *run, void *mem)
{
    const heedi_batch *b = run->batch;
    const int64_t c = m->y->cols, n = b->rows * c;
    const int before = n_factors(m, false), beyond = n_factors(m, true);
    heed_real *at = mem;
    m->work = cut(&at, true, 2 * run->threads * tile_values(m));
    m->left = cut(&at, m->n_down > 0, n);
    m->right = cut(&at, before > 0, n);
    m->post = cut(&at, beyond > 0, n);
    m->w = cut(&at, m->filter_at >= 0, m->filter.width * c);
    m->rest = cut(&at, has_rest(m), b->rows * inner(m)->cols);
    m->size = cut(&at, m->raw, n);
    m->skip = cut(&at, skips(m), c);
    if (m->skip)
        fill_skip(m, run, at);
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        if (m->left)
            product(m, run, m->down, m->n_down, b->small[k], m->left);
        if (m->right)
            product(m, run, m->up, before, b->small[k], m->right);
        if (m->post)
            product(m, run, m->up + m->filter_at + 1, beyond, b->small[k],
                    m->post);
        if (m->size)
            m->y->op->mixing->sizes(m->y, run, b->small[k].row, b->small[k].n,
                                    m->size + b->small[k].row * c);
    }
    for (int64_t k = 0; m->w && k < m->filter.width; k++)
        for (int64_t d = 0; d < c; d++)
            m->w[k * c + d] =
                m->filter.w[k * inner(m)->cols + heedi_mixing_column(m->y, d)];
    if (m->rest)
        fill_rest(m, run);
}

/* ---- reading it ---- */

void heedi_implicit_fold(const heedi_implicit *m, heedi_fold *f)
{
    f->left = m->left;
    f->right = m->right;
    f->post = m->post;
    f->filter = m->w;
    f->width = m->filter.width;
    f->reversed = m->filter.reversed;
    f->skip = m->skip;
}

void heedi_implicit_rows(const heedi_implicit *m, const heedi_run *run,
                         const heedi_view *v)
{
    heedi_view head = *v;
    heedi_fold f = {.seq = v->seq, .q0 = v->q0, .nq = v->nq};
    if (m->by_channel)
        head.head = v->head / heedi_mixing_width(m->y);
    m->y->op->mixing->rows(m->y, run, &head);
    if (!m->by_channel && !m->skip)
        return;
    heedi_implicit_fold(m, &f);
    heedi_fold_entries(m->y, run, &f,
                       m->by_channel ? v->head
                                     : v->head * heedi_mixing_width(m->y),
                       0, v->nq, v->out);
}

heed_real heedi_implicit_operand_at(const heedi_implicit *m, int64_t row,
                                    int64_t d)
{
    const int64_t v = m->operand->cols, at = heedi_mixing_column(m->y, d);
    const heed_real *x = m->operand->x + row * v;
    double mean = 0;
    for (int64_t i = 0; i < m->centred; i++)
        mean += (double)x[at / m->centred * m->centred + i];
    if (m->centred)
        return (heed_real)((double)x[at] - mean / (double)m->centred);
    return m->size ? m->size[row * m->y->cols + d] * x[at] : x[at];
}

void heedi_implicit_weigh(const heedi_implicit *m, const heedi_run *run,
                          const heed_real *g, heed_real *left, heed_real *post)
{
    const int64_t c = m->y->cols, rows = run->batch->rows;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++)
        for (int64_t d = 0; d < c; d++) {
            const int64_t i = r * c + d;
            left[i] = g[i] * (m->left ? m->left[i] : 1);
            post[i] =
                heedi_implicit_operand_at(m, r, d) * (m->post ? m->post[i] : 1);
        }
}
