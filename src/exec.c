#include "exec.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "ctx.h"
#include "finite.h"
#include "head.h"
#include "implicit.h"
#include "layout.h"
#include "leaf.h"
#include "memory.h"
#include "plan.h"
#include "stabiliser.h"

static size_t line(size_t n)
{
    return (n + 63) / 64 * 64;
}

/* ---- building ---- */

static heed_status check_input(heedi_exec *e, const int64_t *len, int64_t n_seq,
                               const int32_t *id)
{
    int64_t rows = 0, vocab = e->m->dim['V'];
    if (n_seq < 1)
        return heedi_fail(e->ctx, HEED_EINVAL, "no input");
    if ((e->m->patch.rows > 0) != (e->o.pixels != NULL))
        return heedi_fail(e->ctx, HEED_EINVAL,
                          e->o.pixels
                              ? "'%s' models read text, the input is an image"
                              : "'%s' models read an image, the input has none",
                          e->m->family->info.name);
    for (int64_t s = 0; s < n_seq; s++) {
        if (len[s] < 1)
            return heedi_fail(e->ctx, HEED_EINVAL, "the input has no tokens");
        if (len[s] > 1 << 24)
            return heedi_fail(e->ctx, HEED_EINVAL,
                              "the input has %lld tokens, at most %d are "
                              "possible",
                              (long long)len[s], 1 << 24);
        if (e->m->fixed_context && len[s] > e->m->dim['X'])
            return heedi_fail(e->ctx, HEED_EINVAL,
                              "the input has %lld tokens, the model has "
                              "positions for %lld",
                              (long long)len[s], (long long)e->m->dim['X']);
        rows += len[s];
    }
    for (int64_t i = 0; !e->o.pixels && i < rows; i++)
        if (id[i] < 0 || id[i] >= vocab)
            return heedi_fail(e->ctx, HEED_EINVAL,
                              "token id %d is out of range, the vocabulary has "
                              "%lld",
                              (int)id[i], (long long)vocab);
    return HEED_OK;
}

static heed_status build_block(heedi_exec *e, int64_t b, int *next_id)
{
    heedi_exec_block *k = &e->block[b];
    char prefix[32] = "";
    if (b > 0 && b < e->n_blocks - 1)
        snprintf(prefix, sizeof prefix, "blk.%lld.", (long long)(b - 1));
    char *p = heedi_arena_alloc(&e->mem, sizeof prefix);
    if (!p)
        return HEED_ENOMEM;
    memcpy(p, prefix, sizeof prefix);
    k->tape = (heedi_tape){.ctx = e->ctx,
                           .mem = &e->mem,
                           .prefix = p,
                           .first_id = *next_id,
                           .layer = b - 1};
    if (b > 0)
        k->tape.in = heedi_outside(&k->tape, e->block[b - 1].out->cols);
    k->out = e->m->family->build(e->m, b, &k->tape, k->tape.in);
    *next_id += k->tape.n;
    for (const heedi_node *y = k->tape.first; y; y = y->next) {
        e->flops += y->op->flops ? y->op->flops(y, &e->batch) : 0;
        if (y->leaf && y->op->n_in > 0)
            e->prefix = y;
        else if (y->leaf)
            e->word = y;
    }
    if (b == 0 && k->tape.status == HEED_OK)
        HEEDI_TRY(heedi_leaf_choose(e, e->word, &e->leaf));
    return k->tape.status;
}

static heed_status build(heedi_exec *e, const int64_t *len, int64_t n_seq,
                         const int32_t *id)
{
    HEEDI_TRY(check_input(e, len, n_seq, id));
    HEEDI_TRY(heedi_batch_init(&e->batch, &e->mem, len, n_seq, 0));
    const int64_t single = 1;
    HEEDI_TRY(heedi_batch_init(&e->one, &e->mem, &single, 1, 0));
    if (e->o.state > e->batch.longest)
        e->batch.longest = e->o.state; /* for the plan; reset before running */
    e->n_blocks = heedi_blocks(e->m);
    e->block =
        heedi_arena_alloc(&e->mem, (size_t)e->n_blocks * sizeof *e->block);
    if (!e->block)
        return HEED_ENOMEM;
    int next_id = 0;
    for (int64_t b = 0; b < e->n_blocks; b++)
        HEEDI_TRY(build_block(e, b, &next_id));
    e->n_ops = next_id + 1;
    for (int64_t b = 0; b < e->n_blocks; b++) {
        heedi_layout_block(e, b);
        for (const heedi_node *y = e->block[b].tape.first; y; y = y->next) {
            if (e->o.state == 0 || !y->op->state)
                continue;
            size_t n = y->op->state(y, e->o.state);
            if (n == 0)
                return heedi_fail(e->ctx, HEED_ENOTSUP,
                                  "%s: %s sees later positions, so no text "
                                  "can be continued",
                                  e->m->info.path, y->name);
            e->state_bytes += (size_t)n_seq * line(n) + 64;
        }
    }
    e->run = (heedi_run){.ctx = e->ctx,
                         .batch = &e->batch,
                         .pixels = e->o.pixels,
                         .threads = heed_ctx_thread_count(e->ctx),
                         .opt = e->o.opt,
                         .stab = e->o.stab,
                         .raw = e->o.raw};
    HEEDI_TRY(heedi_plan_exec(e));
    e->batch.longest = 0;
    for (int64_t s = 0; s < n_seq; s++)
        if (len[s] > e->batch.longest)
            e->batch.longest = len[s];
    return HEED_OK;
}

/* ---- memory ---- */

int64_t heedi_exec_widest(const heedi_exec *e)
{
    const int64_t c = e->m->dim['C'], head = e->m->head.cols;
    return head > c ? head : c;
}

static void *reals(heedi_exec *e, int64_t rows, int64_t cols)
{
    return heedi_arena_alloc(&e->mem,
                             (size_t)(rows * cols) * sizeof(heed_real));
}

static heed_status allocate_borders(heedi_exec *e)
{
    const int64_t rows = e->batch.rows, c = heedi_exec_widest(e);
    const bool back = e->o.rules.pass != HEEDI_FORWARD;
    e->border =
        heedi_arena_alloc(&e->mem, (size_t)e->n_blocks * sizeof *e->border);
    if (!e->border)
        return HEED_ENOMEM;
    for (int64_t b = 0; b < e->n_blocks; b++) {
        e->border[b] = back || b < 2 ? reals(e, rows, c) : e->border[b % 2];
        if (!e->border[b])
            return HEED_ENOMEM;
    }
    for (int i = 0; back && i < 2; i++)
        if (!(e->g_border[i] = reals(e, rows, c)))
            return HEED_ENOMEM;
    return HEED_OK;
}

int64_t heedi_exec_rotated(const heedi_exec *e)
{
    int64_t rot = 0;
    for (int i = 0; i < e->m->n_rope; i++)
        rot = e->m->rope[i].rot > rot ? e->m->rope[i].rot : rot;
    return rot;
}

static heed_status allocate_small(heedi_exec *e, const int32_t *id)
{
    const heed_model *m = e->m;
    heed_real **rope =
        heedi_arena_alloc(&e->mem, HEEDI_MAX_ROPE * sizeof *rope);
    e->id = heedi_arena_alloc(&e->mem, (size_t)e->batch.rows * sizeof *e->id);
    e->run.partial = heedi_arena_alloc(&e->mem, (size_t)e->batch.n_small *
                                                    sizeof *e->run.partial);
    if (!rope || !e->id || !e->run.partial)
        return HEED_ENOMEM;
    memcpy(e->id, id, (size_t)e->batch.rows * sizeof *e->id);
    e->run.id = e->id;
    e->run.segment = e->o.segment;
    for (int i = 0; i < m->n_rope; i++)
        if (!(rope[i] = reals(e, e->batch.rows, m->rope[i].rot)))
            return HEED_ENOMEM;
    e->run.rope = (const heed_real *const *)rope;
    e->rope_work = heedi_arena_alloc(
        &e->mem, (size_t)(heedi_exec_rotated(e) + 1) * sizeof *e->rope_work);
    return e->rope_work ? HEED_OK : HEED_ENOMEM;
}

static heed_status allocate_logits(heedi_exec *e)
{
    const int64_t n = heedi_head_room(e);
    e->logit = n > 0 ? reals(e, 1, n) : NULL;
    return n == 0 || e->logit ? HEED_OK : HEED_ENOMEM;
}

static heed_status allocate_state(heedi_exec *e)
{
    for (int64_t b = 0; b < e->n_blocks; b++)
        for (heedi_node *y = e->block[b].tape.first; y; y = y->next) {
            if (e->o.state == 0 || !y->op->state)
                continue;
            y->state_size = line(y->op->state(y, e->o.state));
            y->state = heedi_arena_alloc(&e->mem, (size_t)e->batch.n_seq *
                                                      y->state_size);
            if (!y->state)
                return HEED_ENOMEM;
            y->op->state_init(y, e->o.state);
        }
    for (int64_t s = 1; e->o.state > 0 && s < e->batch.n_seq; s++)
        heedi_exec_copy_state(e, 0, s);
    return HEED_OK;
}

/* Areas one after the other: of each block that keeps, of the others together,
 * working memory. Not cleared: every value is written before it is read. */
static heed_status allocate_slab(heedi_exec *e)
{
    size_t sum = 0, shared = 0, temp = 0;
    for (int64_t b = 0; b < e->n_blocks; b++) {
        const heedi_exec_block *k = &e->block[b];
        size_t work = k->temp > k->back ? k->temp : k->back;
        temp = work > temp ? work : temp;
        if (k->keep)
            sum += k->kept;
        else if (k->kept > shared)
            shared = k->kept;
    }
    e->slab_bytes = sum + shared + temp + line(e->scratch_bytes) + 64;
    e->slab = heedi_work_take(e->ctx, &e->slab_bytes);
    if (!e->slab)
        return HEED_ENOMEM;
    heedi_huge_pages(e->slab, e->slab_bytes);
    char *at = (char *)line((size_t)e->slab);
    char *work = at + sum + shared;
    e->run.scratch = work + temp;
    char *common = at + sum;
    for (int64_t b = 0; b < e->n_blocks; b++) {
        heedi_layout_bind(e, b, e->block[b].keep ? at : common, work);
        if (e->block[b].keep)
            at += e->block[b].kept;
    }
    return HEED_OK;
}

static heed_status allocate(heedi_exec *e, const int32_t *id)
{
    const int64_t *d = e->m->dim;
    if (e->o.readout) {
        e->run.readout = &e->readout;
        HEEDI_TRY(heedi_readout_init(&e->readout, &e->mem, e->o.readout,
                                     e->batch.rows, d['L'], d['H'],
                                     heedi_exec_rotated(e)));
    }
    HEEDI_TRY(allocate_borders(e));
    HEEDI_TRY(allocate_small(e, id));
    HEEDI_TRY(allocate_logits(e));
    HEEDI_TRY(allocate_state(e));
    HEEDI_TRY(allocate_slab(e));
    if (!e->o.account)
        return HEED_OK;
    e->run.ledger = &e->ledger;
    HEEDI_TRY(heedi_ledger_init(&e->ledger, &e->mem, e->batch.n_seq, e->n_ops,
                                e->o.detail));
    for (int64_t b = 0; b < e->n_blocks; b++)
        for (const heedi_node *y = e->block[b].tape.first; y; y = y->next)
            e->ledger.op_name[y->id] = y->name;
    e->ledger.op_name[e->n_ops - 1] = "head";
    return HEED_OK;
}

static void start(heedi_exec *e, heed_ctx *ctx, const heed_model *m,
                  const heedi_exec_options *o)
{
    *e = (heedi_exec){.ctx = ctx, .m = m, .o = *o};
    heedi_arena_init(&e->mem, ctx);
}

static void stop(heedi_exec *e)
{
    heedi_work_give(e->ctx, e->slab, e->slab_bytes);
    heedi_arena_clear(&e->mem);
}

heed_status heedi_exec_plan(heedi_exec *e, heed_ctx *ctx, const heed_model *m,
                            const int64_t *len, int64_t n_seq,
                            const int32_t *id, const heedi_exec_options *o)
{
    start(e, ctx, m, o);
    heed_status st = build(e, len, n_seq, id);
    stop(e);
    return st;
}

/* OpenBLAS takes a buffer for each thread when it is first used, and asks for
 * ever if there is none; a thread needs a stack, or the process ends. Only
 * the first run has to find out. */
static heed_status blas_room(heed_ctx *ctx)
{
    enum { BUFFER = 144 << 20 };
    static atomic_bool found;
    size_t n = (size_t)heed_ctx_thread_count(ctx) * BUFFER;
    if (atomic_load(&found) || heedi_address_room(n)) {
        atomic_store(&found, true);
        return HEED_OK;
    }
    return heedi_fail(ctx, HEED_ENOMEM,
                      "no address space for the %zu bytes that OpenBLAS and "
                      "threads reserve; raise ulimit -v or use fewer threads",
                      n);
}

heed_status heedi_exec_init(heedi_exec *e, heed_ctx *ctx, const heed_model *m,
                            const int64_t *len, int64_t n_seq,
                            const int32_t *id, const heedi_exec_options *o)
{
    start(e, ctx, m, o);
    heed_status st = build(e, len, n_seq, id);
    if (st == HEED_OK)
        st = allocate(e, id);
    if (st == HEED_OK)
        st = blas_room(ctx);
    if (st != HEED_OK) {
        stop(e);
        return st;
    }
    e->run.threads = heedi_team_enter(&e->team, ctx);
    return HEED_OK;
}

void heedi_exec_clear(heedi_exec *e)
{
    heedi_team_leave(&e->team);
    stop(e);
}

/* ---- running ---- */

static void run_block(heedi_exec *e, int64_t b)
{
    for (const heedi_node *y = e->block[b].tape.first; y; y = y->next)
        if (y == e->leaf && e->point)
            memcpy(y->x, e->point,
                   (size_t)(e->batch.rows * y->cols) * sizeof *y->x);
        else
            y->op->forward(y, &e->run);
}

void heedi_exec_replace(heedi_exec *e, const heed_real *x)
{
    const bool word = e->leaf == e->word;
    e->run.leaf = word ? x : NULL;
    e->point = word ? NULL : x;
}

static heed_status forward(heedi_exec *e, heedi_visit_fn *visit, void *ud)
{
    for (int i = 0; i < e->m->n_rope; i++)
        heedi_rope_table(&e->m->rope[i], e->run.batch, e->rope_work,
                         (heed_real *)(uintptr_t)e->run.rope[i]);
    for (int64_t b = 0; b < e->n_blocks; b++) {
        HEEDI_TRY(
            heedi_progress(e->ctx, "forward", (double)b, (double)e->n_blocks));
        run_block(e, b);
        HEEDI_TRY(heedi_check_block(e, b));
        if (visit)
            HEEDI_TRY(visit(ud, e, b));
    }
    return heedi_progress(e->ctx, "forward", (double)e->n_blocks,
                          (double)e->n_blocks);
}

heed_status heedi_exec_forward(heedi_exec *e, heedi_visit_fn *visit, void *ud)
{
    return forward(e, visit, ud);
}

heed_status heedi_exec_continue(heedi_exec *e, const heedi_batch *b)
{
    e->run.batch = b;
    return forward(e, NULL, NULL);
}

void heedi_exec_copy_state(heedi_exec *e, int64_t from, int64_t to)
{
    for (int64_t b = 0; b < e->n_blocks; b++)
        for (const heedi_node *y = e->block[b].tape.first; y; y = y->next)
            if (y->state && from != to)
                memcpy(heedi_state(y, to), heedi_state(y, from), y->state_size);
}

heed_status heedi_exec_feed(heedi_exec *e, int32_t id)
{
    e->one.pos0 = e->run.batch->pos0 + e->run.batch->rows;
    e->run.batch = &e->one;
    e->id[0] = id;
    return forward(e, NULL, NULL);
}

void heedi_exec_leaf(const heedi_exec *e, const int32_t *id, int64_t n,
                     heed_real *out)
{
    heedi_node y = *e->word;
    heedi_run run = e->run;
    heedi_batch rows = e->one;
    rows.rows = n;
    y.x = out;
    run.batch = &rows;
    run.id = id;
    run.leaf = NULL;
    y.op->forward(&y, &run);
}

heed_real *heedi_exec_g(const heedi_exec *e, int64_t block)
{
    return e->g_border[block % 2];
}

/* Subtract <x, g_x> of the inputs of y before it has run and add it after:
 * each distinct input once, only those that get something. */
static void count_inputs(heedi_exec *e, const heedi_node *y, int stops,
                         bool before)
{
    heedi_ledger *l = &e->ledger;
    double *out = l->out + y->id;
    for (int i = 0; i < y->op->n_in; i++) {
        const heedi_node *x = y->in[i];
        bool skip = (stops & 1 << i) || (before && y->first[i]);
        for (int k = 0; k < i; k++)
            skip = skip || (y->in[k] == x && !(stops & 1 << k));
        if (skip)
            continue;
        for (int64_t s = 0; before && s < l->n_seq; s++)
            out[s * l->n_ops] = -out[s * l->n_ops];
        heedi_dot_rows(&e->run, x->x, x->g, x->cols, out, l->n_ops);
        for (int64_t s = 0; before && s < l->n_seq; s++)
            out[s * l->n_ops] = -out[s * l->n_ops];
    }
}

/* Is it the map that a mixing block ends with? */
static bool is_output(const heedi_exec *e, const heedi_node *y)
{
    const heedi_tape *t = &e->block[y->layer + 1].tape;
    heedi_implicit m;
    for (const heedi_node *x = NULL; (x = heedi_next_mixing(t, x));) {
        heedi_implicit_of(&m, t, x, true);
        if (m.reader == y)
            return true;
    }
    return false;
}

bool heedi_exec_watches(const heedi_exec *e, const heedi_node *y)
{
    return (e->o.watch_mixing && y->op->mixing) ||
           (e->o.watch_output && is_output(e, y)) ||
           ((e->o.keep & HEEDI_KEEP_HEAD) && heedi_has_heads(y)) ||
           ((e->o.keep & HEEDI_KEEP_NEURON) && heedi_has_neurons(y));
}

static void back_node(heedi_exec *e, const heedi_node *y)
{
    const heedi_back b = heedi_back_of(y, e->o.rules);
    if (!y->live || !b.fn || y == e->leaf)
        return;
    for (int i = 0; i < y->op->n_in; i++)
        if (y->first[i] && !y->op->assigns)
            memset(y->in[i]->g, 0,
                   (size_t)(e->batch.rows * y->in[i]->cols) *
                       sizeof *y->in[i]->g);
    if (e->o.detail) {
        heedi_dot_rows(&e->run, y->x, y->g, y->cols, e->ledger.in + y->id,
                       e->ledger.n_ops);
        count_inputs(e, y, b.stops, true);
    }
    if (e->watch && heedi_exec_watches(e, y))
        e->watch(e->watch_ud, e, y);
    e->run.rule = b.rule;
    if (heedi_stabilises(e->o.stab, y, &b))
        heedi_stabilise(y, &e->run, heedi_stabiliser_eps(e->o.stab, y));
    b.fn(y, &e->run);
    e->run.rule = NULL;
    if (e->o.detail)
        count_inputs(e, y, b.stops, false);
}

static void back_block(heedi_exec *e, int64_t b)
{
    heedi_exec_block *k = &e->block[b];
    if (!k->keep)
        run_block(e, b);
    k->out->g = heedi_exec_g(e, b);
    if (k->tape.in)
        k->tape.in->g = heedi_exec_g(e, b - 1);
    for (const heedi_node *y = k->tape.last; y; y = y->prev)
        back_node(e, y);
}

heed_status heedi_exec_revisit(heedi_exec *e, heedi_visit_fn *visit, void *ud)
{
    for (int64_t b = e->n_blocks - 1; b >= 0; b--) {
        HEEDI_TRY(heedi_progress(e->ctx, "mixing",
                                 (double)(e->n_blocks - 1 - b),
                                 (double)e->n_blocks));
        if (!e->block[b].keep)
            run_block(e, b);
        HEEDI_TRY(visit(ud, e, b));
    }
    return heedi_progress(e->ctx, "mixing", (double)e->n_blocks,
                          (double)e->n_blocks);
}

heed_status heedi_exec_backward(heedi_exec *e, heedi_visit_fn *visit, void *ud)
{
    for (int64_t b = e->n_blocks - 1; b >= 0; b--) {
        HEEDI_TRY(heedi_progress(e->ctx, "backward",
                                 (double)(e->n_blocks - 1 - b),
                                 (double)e->n_blocks));
        back_block(e, b);
        if (visit)
            HEEDI_TRY(visit(ud, e, b));
    }
    return heedi_progress(e->ctx, "backward", (double)e->n_blocks,
                          (double)e->n_blocks);
}
