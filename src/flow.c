#include "flow.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "args.h"
#include "ctx.h"
#include "gemm.h"

/* Tiles whose sums are kept apart before they are added up, whatever the number
 * of threads; arrays of a thread's tile: of a head, over heads, and two of the
 * method. */
enum { WAVE = 64, ARRAYS = 4 };

/* ---- memory ---- */

typedef struct shape {
    const heedi_flow_how *how;
    const heedi_batch *b;
    int threads;
    int64_t widest, cols; /* of the outputs of mixing operations; of all */
    int64_t by_channel;   /* the widest of what does not come in tiles; 0 */
    size_t matrix, scratch;
} shape;

static heedi_tape tape_of(const heedi_node *y)
{
    heedi_tape t = {0};
    for (t.first = (heedi_node *)(uintptr_t)y; t.first->prev;)
        t.first = t.first->prev;
    return t;
}

static size_t more(size_t a, size_t b)
{
    return a > b ? a : b;
}

static bool measure(const heedi_node *y, const void *arg)
{
    shape *s = (shape *)(uintptr_t)arg;
    heedi_implicit m;
    if (!y->op->mixing)
        return false; /* to see them all */
    const heedi_tape t = tape_of(y);
    s->widest = y->cols > s->widest ? y->cols : s->widest;
    s->cols += y->cols;
    heedi_implicit_of(&m, &t, y, !s->how->core);
    s->matrix = more(s->matrix, heedi_implicit_bytes(&m, s->b, s->threads));
    s->scratch = more(s->scratch, heedi_mixing_scratch(y, s->b, s->threads));
    s->scratch =
        more(s->scratch, heedi_fold_scratch(y, s->b, s->threads, HEEDI_PANEL));
    if (m.by_channel || s->how->form == HEEDI_FORM_VECTOR || s->how->row)
        s->by_channel = y->cols > s->by_channel ? y->cols : s->by_channel;
    return false;
}

static heed_status shape_of(const heedi_job *j, const heedi_flow_how *how,
                            shape *s)
{
    heedi_arena mem;
    heedi_batch b;
    bool found;
    heedi_arena_init(&mem, j->ctx);
    heed_status st = heedi_batch_init(&b, &mem, j->len, j->n, 0);
    *s = (shape){.how = how, .b = &b, .threads = heed_ctx_thread_count(j->ctx)};
    if (st == HEED_OK)
        st = heedi_model_has(j->ctx, j->q->model, measure, s, &found);
    heedi_arena_clear(&mem);
    return st;
}

static int64_t longest(const heedi_job *j)
{
    int64_t most = 0;
    for (int64_t s = 0; s < j->n; s++)
        most = j->len[s] > most ? j->len[s] : most;
    return most;
}

static size_t tile_size(const heedi_job *j)
{
    return (size_t)(HEEDI_SMALL_TILE * longest(j));
}

/* Values of f->left, f->post (as many) and f->panel. */
static size_t weights(const heedi_job *j, const shape *s)
{
    return (size_t)(j->rows * s->by_channel);
}

static size_t panel(const heedi_job *j, const shape *s)
{
    return s->by_channel ? (size_t)(HEEDI_PANEL * longest(j)) : 0;
}

heed_status heedi_flow_check(heedi_job *j, const heedi_flow_how *how)
{
    const int64_t layers = j->q->model->dim['L'];
    shape s;
    if (how->start_layer >= layers || how->start_layer < -layers)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: start_layer is %lld, the model has layers 0 to "
                          "%lld",
                          j->info->name, (long long)how->start_layer,
                          (long long)layers - 1);
    HEEDI_TRY(shape_of(j, how, &s));
    size_t reals =
        (size_t)heed_ctx_thread_count(j->ctx) * ARRAYS * tile_size(j);
    if (how->outputs)
        reals += (size_t)(j->rows * (s.widest + s.cols));
    reals += 2 * weights(j, &s) + panel(j, &s);
    size_t doubles = (size_t)(3 * j->rows + WAVE * longest(j));
    if (how->tokens)
        doubles += (size_t)(layers * j->rows);
    j->o.results += reals * sizeof(heed_real) + doubles * sizeof(double) +
                    s.matrix + s.scratch;
    return HEED_OK;
}

static heed_status allocate_kept(heedi_flow *f, const shape *s)
{
    const heedi_exec *e = f->r.e;
    heedi_arena *mem = &f->r.j->mem;
    const size_t rows = (size_t)e->batch.rows;
    f->output = heedi_arena_alloc(mem, (size_t)e->n_ops * sizeof *f->output);
    f->quotient =
        heedi_arena_alloc(mem, rows * (size_t)s->widest * sizeof(heed_real));
    if (!f->output || !f->quotient)
        return HEED_ENOMEM;
    for (int64_t b = 0; b < e->n_blocks; b++)
        for (const heedi_node *y = e->block[b].tape.first; y; y = y->next)
            if (y->op->mixing &&
                !(f->output[y->id] = heedi_arena_alloc(
                      mem, rows * (size_t)y->cols * sizeof(heed_real))))
                return HEED_ENOMEM;
    return HEED_OK;
}

/* n > 0 bytes, or 0. */
static bool take(heedi_arena *mem, void *out, size_t n)
{
    void *p = heedi_arena_alloc(mem, n > 0 ? n : 1);
    memcpy(out, &p, sizeof p);
    return p != NULL;
}

static heed_status allocate(heedi_flow *f)
{
    heedi_job *j = f->r.j;
    heedi_arena *mem = &j->mem;
    const size_t rows = (size_t)j->rows;
    const size_t threads = (size_t)f->r.e->run.threads;
    const size_t wave = (size_t)(WAVE * f->r.e->batch.longest);
    const size_t layers = (size_t)j->q->model->dim['L'];
    shape s;
    HEEDI_TRY(shape_of(j, &f->how, &s));
    if (!take(mem, &f->v, rows * sizeof *f->v) ||
        !take(mem, &f->next, rows * sizeof *f->next) ||
        !take(mem, &f->stay, rows * sizeof *f->stay) ||
        !take(mem, &f->at, (size_t)f->r.e->batch.n_seq * sizeof *f->at) ||
        !take(mem, &f->used, WAVE * sizeof *f->used) ||
        !take(mem, &f->part, wave * sizeof *f->part) ||
        !take(mem, &f->tile,
              threads * ARRAYS * tile_size(j) * sizeof *f->tile) ||
        !take(mem, &f->left, weights(j, &s) * sizeof *f->left) ||
        !take(mem, &f->post, weights(j, &s) * sizeof *f->post) ||
        !take(mem, &f->panel, panel(j, &s) * sizeof *f->panel) ||
        !take(mem, &f->matrix, s.matrix) ||
        !take(mem, &f->scratch, s.scratch) ||
        !take(mem, &f->token,
              f->how.tokens ? layers * rows * sizeof *f->token : 0))
        return HEED_ENOMEM;
    return f->how.outputs ? allocate_kept(f, &s) : HEED_OK;
}

/* ---- one layer ---- */

void heedi_flow_products(const heedi_flow *f, const heedi_node *y,
                         const heedi_view *v, const heed_real *x,
                         heed_real *out)
{
    const heedi_node *w = y->in[y->op->mixing->operand];
    const heedi_batch *b = f->r.e->run.batch;
    const int64_t heads = y->op->mixing->heads(y), d = y->cols / heads;
    const int64_t group = heads / (w->cols / d), row0 = b->start[v->seq];
    const int64_t len = heedi_len(b, v->seq);
    heedi_blas(false, true, v->nq, len, d, 1,
               x + (row0 + v->q0) * y->cols + v->head * d, y->cols,
               w->x + row0 * w->cols + v->head / group * d, w->cols, 0, out,
               len);
}

static void fuse(heedi_fusion how, bool first, const heed_real *x,
                 heed_real *acc, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const heed_real a = how == HEEDI_FUSE_ABSOLUTE
                                ? (heed_real)fabs((double)x[i])
                            : how == HEEDI_FUSE_POSITIVE && x[i] < 0 ? 0
                                                                     : x[i];
        acc[i] = first                   ? a
                 : how == HEEDI_FUSE_MAX ? (a > acc[i] ? a : acc[i])
                 : how == HEEDI_FUSE_MIN ? (a < acc[i] ? a : acc[i])
                                         : acc[i] + a;
    }
}

/* The mean over heads, or their greatest or least, for the queries of v. */
static void all_heads(const heedi_flow *f, const heedi_node *y, heedi_view v,
                      heed_real *acc, heed_real *work[2])
{
    const heedi_run *run = &f->r.e->run;
    const int64_t heads = y->op->mixing->heads(y);
    const int64_t n = v.nq * heedi_len(run->batch, v.seq);
    const bool mean =
        f->how.heads != HEEDI_FUSE_MAX && f->how.heads != HEEDI_FUSE_MIN;
    for (v.head = 0; v.head < heads; v.head++) {
        y->op->mixing->rows(y, run, &v);
        if (f->how.entries)
            f->how.entries(f, y, &v, work);
        fuse(f->how.heads, v.head == 0, v.out, acc, n);
    }
    for (int64_t i = 0; mean && i < n; i++)
        acc[i] = (heed_real)((double)acc[i] / (double)heads);
    v.out = acc;
    if (f->how.finish)
        f->how.finish(f, y, &v);
}

bool heedi_flow_norms(const heedi_flow *f, const heedi_node *y)
{
    return f->how.row_norm == HEEDI_NORM_AUTO
               ? y->op->mixing->softmax
               : f->how.row_norm == HEEDI_NORM_ON;
}

/* A row whose entries cancel has a sum that says nothing. */
double heedi_flow_divisor(heedi_flow *f, const heed_real *a, int64_t n)
{
    double sum = 1, size = 1;
    for (int64_t k = 0; k < n; k++) {
        sum += (double)a[k];
        size += fabs((double)a[k]);
    }
    if (fabs(sum) >= 1e-6 * size)
        return sum;
#pragma omp atomic write
    f->warned = true;
    return size;
}

/* What the rows of one tile add: sum over i of v_i (I + A)_i, less v_i itself,
 * which stays in v; with row_norm v_i becomes v_i over the row's sum. */
static void add_rows(heedi_flow *f, const heedi_node *y, const heedi_view *v,
                     const heed_real *acc, double *part)
{
    const heedi_batch *b = f->r.e->run.batch;
    const int64_t len = heedi_len(b, v->seq);
    const int64_t row0 = b->start[v->seq] + v->q0;
    const bool norms = heedi_flow_norms(f, y);
    memset(part, 0, (size_t)len * sizeof *part);
    for (int64_t i = 0; i < v->nq; i++) {
        const heed_real *a = acc + i * len;
        if (norms) {
            const double sum = heedi_flow_divisor(f, a, len);
            f->v[row0 + i] /= sum;
            f->stay[row0 + i] /= sum;
        }
        const double c = f->v[row0 + i];
        for (int64_t k = 0; k < len; k++)
            part[k] += c * (double)a[k];
    }
}

/* Of the tile, the rows between the first and the last one that has anything;
 * false: none. */
static bool one_tile(heedi_flow *f, const heedi_node *y, heedi_tile t,
                     double *part)
{
    const size_t size = tile_size(f->r.j);
    heed_real *at = f->tile + (size_t)omp_get_thread_num() * ARRAYS * size;
    heed_real *work[2] = {at + 2 * size, at + 3 * size};
    while (t.n > 0 && f->v[t.row] == 0) {
        t.row++;
        t.n--;
    }
    while (t.n > 0 && f->v[t.row + t.n - 1] == 0)
        t.n--;
    if (t.n == 0)
        return false;
    const heedi_view v = {.seq = t.seq,
                          .q0 = t.row - f->r.e->run.batch->start[t.seq],
                          .nq = t.n,
                          .out = at};
    all_heads(f, y, v, at + size, work);
    add_rows(f, y, &v, at + size, part);
    return true;
}

/* next += the parts of n tiles from k0 on, in their order. */
static void gather(heedi_flow *f, int64_t k0, int64_t n)
{
    const heedi_batch *b = f->r.e->run.batch;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < b->longest; i++)
        for (int64_t k = 0; k < n; k++) {
            const int64_t seq = b->small[k0 + k].seq;
            if (f->used[k] && i < heedi_len(b, seq))
                f->next[b->start[seq] + i] += f->part[k * b->longest + i];
        }
}

static void tiles(heedi_flow *f, const heedi_node *y)
{
    const heedi_batch *b = f->r.e->run.batch;
    for (int64_t k0 = 0; k0 < b->n_small; k0 += WAVE) {
        const int64_t n = b->n_small - k0 < WAVE ? b->n_small - k0 : WAVE;
#pragma omp parallel for schedule(dynamic, 1)
        for (int64_t k = 0; k < n; k++)
            f->used[k] =
                one_tile(f, y, b->small[k0 + k], f->part + k * b->longest);
        gather(f, k0, n);
    }
}

void heedi_flow_layer(heedi_flow *f, const heedi_node *y)
{
    const heedi_batch *b = f->r.e->run.batch;
    if (y->layer < f->how.start_layer ||
        (f->how.no_softmax && y->op->mixing->softmax))
        return;
    const bool in_tiles = heedi_flow_matrix(f, y);
    if (!in_tiles || f->how.form == HEEDI_FORM_VECTOR)
        heedi_flow_fill(f);
    if (f->how.form == HEEDI_FORM_VECTOR) {
        heedi_flow_vector(f, y);
        return;
    }
    memset(f->next, 0, (size_t)b->rows * sizeof *f->next);
    if (in_tiles)
        tiles(f, y);
    else if (heedi_flow_is_free(f))
        heedi_flow_free(f);
    else
        heedi_flow_panels(f, y);
    for (int64_t r = 0; r < b->rows; r++)
        f->v[r] += f->next[r];
}

static heed_status visit(void *ud, heedi_exec *e, int64_t b)
{
    for (const heedi_node *y = e->block[b].tape.last; y; y = y->prev)
        if (y->op->mixing)
            heedi_flow_layer(ud, y);
    return HEED_OK;
}

heed_status heedi_flow_revisit(heedi_flow *f)
{
    return heedi_exec_revisit(f->r.e, visit, f);
}

/* ---- rounds ---- */

/* The pooling of the last block, or NULL: one position is explained. */
static const heedi_node *pooling(const heedi_exec *e)
{
    for (const heedi_node *y = e->block[e->n_blocks - 1].tape.first; y;
         y = y->next)
        if (y->op == &heedi_op_pool)
            return y;
    return NULL;
}

/* Of one input, weights that sum to 1: the explained position, or in each of
 * its texts what the pooled row is made of. */
static void begin(heedi_flow *f, int64_t s)
{
    const heedi_exec *e = f->r.e;
    const heedi_node *pool = pooling(e);
    const int64_t parts = f->r.j->parts, row0 = heedi_first_row(f->r.j, e, s);
    for (int64_t p = s * parts; pool && p < (s + 1) * parts; p++) {
        const int64_t n = heedi_len(&e->batch, p);
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += heedi_pool_weight(pool->args, i, n);
        for (int64_t i = 0; i < n; i++)
            f->v[e->batch.start[p] + i] =
                heedi_pool_weight(pool->args, i, n) / sum;
    }
    if (pool)
        return;
    f->at[s * parts] = row0 + heedi_outcome_of(&f->r, s)->aim.at;
    f->v[f->at[s * parts]] = 1;
}

static heed_status settle(heedi_flow *f, int64_t s)
{
    heedi_outcome *o = heedi_outcome_of(&f->r, s);
    const heedi_job *j = f->r.j;
    const int64_t row0 = heedi_first_row(j, f->r.e, s);
    for (int64_t t = 0; t < j->len[s]; t++) {
        const double x =
            f->v[row0 + t] - (f->how.no_self ? f->stay[row0 + t] : 0);
        if (!isfinite(x))
            return heedi_fail(j->ctx, HEED_ENUMERIC,
                              "%s: the relevance of token %lld is not finite",
                              j->info->name, (long long)t);
        o->relevance[t] = (heed_real)x;
        o->sum += x;
        o->magnitude += fabs(x);
    }
    return HEED_OK;
}

static heed_status one_round(heedi_flow *f)
{
    heedi_rounds *r = &f->r;
    const size_t bytes = (size_t)r->j->rows * sizeof *f->v;
    HEEDI_TRY(r->j->info->has_target ? heedi_rounds_aim(r)
                                     : heedi_rounds_place(r));
    memset(f->v, 0, bytes);
    for (int64_t s = 0; s < r->e->batch.n_seq; s++)
        f->at[s] = -1;
    for (int64_t s = 0; s < r->j->n; s++)
        if (heedi_has_target(r, s))
            begin(f, s);
    memcpy(f->stay, f->v, bytes);
    HEEDI_TRY(f->how.passes(f));
    for (int64_t s = 0; s < r->j->n; s++)
        if (heedi_has_target(r, s))
            HEEDI_TRY(settle(f, s));
    return HEED_OK;
}

static heed_status all_rounds(heedi_job *j, heedi_exec *e,
                              const heedi_flow_how *how)
{
    heedi_flow f = {.how = *how};
    if (how->start_layer < 0)
        f.how.start_layer += e->m->dim['L'];
    HEEDI_TRY(heedi_rounds_init(&f.r, j, e));
    HEEDI_TRY(allocate(&f));
    HEEDI_TRY(heedi_exec_forward(e, NULL, NULL));
    for (; f.r.round < j->rounds; f.r.round++)
        HEEDI_TRY(one_round(&f));
    if (f.warned)
        heedi_warn(j->ctx,
                   "%s: rows of I + A whose entries cancel are divided by the "
                   "sum of their sizes",
                   j->info->name);
    return heedi_rounds_report(&f.r);
}

heed_status heedi_run_flow(heedi_job *j, const heedi_flow_how *how)
{
    heedi_exec e;
    HEEDI_TRY(heedi_job_exec(j, &e));
    heed_status st = all_rounds(j, &e, how);
    heedi_exec_clear(&e);
    return st;
}
