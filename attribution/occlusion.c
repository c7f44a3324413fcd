#include <math.h>
#include <string.h>

#include "baseline.h"
#include "ctx.h"
#include "method.h"
#include "patches.h"

/* R_t = F(x) - F(x with another embedding at t). In a causal model a token
 * before t cannot tell the difference: the GROUP positions from k on start from
 * the state that the model has before k, and run as a batch of copies of what
 * follows. A token after the explained position is not tried. Otherwise every
 * copy is run as a whole.
 *
 * A state that holds every position, as keys and values do, is that of every
 * beginning, too, and is made once; a recurrent one goes along. */

enum { GROUP = 8 };

#define OPTIONS(O)                                            \
    O(replacement, "text", "zero", 0, 0, HEEDI_BASELINE_HELP) \
    O(batch, "integer", "8", 1, 8,                            \
      "copies that run together; fewer if memory is short; changes no result")
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};

/* One input. */
typedef struct trial {
    heedi_job *j;
    heedi_exec e; /* of `copies` sequences, and one that keeps the state */
    int64_t s, n; /* the input; how many of its positions are tried */
    int64_t copies;
    heedi_batch batch; /* of the run, from position pos0 on */
    heedi_baseline replacement;
    heedi_outcome *out;       /* of each target */
    heed_real *row, *x, *all; /* (C); (T, C); (copies T, C) */
    heed_real *logit, *dense;
} trial;

static heed_status check(heedi_job *j)
{
    const heedi_target_kind *kind;
    heedi_baseline b;
    for (int64_t s = 0; s < j->n; s++)
        for (int64_t k = 0; j->len[s] > 0 && k < j->n_targets[s]; k++)
            HEEDI_TRY(heedi_target_check(j->ctx, &j->target[s][k], j->len[s],
                                         j->q->model, &kind));
    if (j->parts > 1)
        return heedi_fail(j->ctx, HEED_ENOTSUP,
                          "%s: of one text at a time; the similarity of two is "
                          "not supported",
                          j->info->name);
    return heedi_baseline_read(&b, j, "replacement",
                               j->opt_text[opt_replacement]);
}

static const int32_t *ids_of(const heedi_job *j, int64_t s)
{
    const int32_t *id = j->id;
    for (int64_t i = 0; i < s; i++)
        id += j->len[i];
    return id;
}

/* Positions that a target can see: up to the last explained one, or all. */
static int64_t positions(const heedi_job *j, int64_t s)
{
    const heed_model *m = j->q->model;
    int64_t most = m->bidirectional ? j->len[s] - 1 : 0;
    for (int64_t k = 0; k < j->n_targets[s]; k++) {
        int64_t at = heedi_target_at(m, &j->target[s][k], j->len[s]);
        most = at > most ? at : most;
    }
    return most + 1;
}

/* The patches of an image, n times; NULL without memory. */
static heed_real *pixels_of(heedi_job *j, int64_t s, int64_t n)
{
    const int64_t c = heedi_leaf_cols(j->q->model), size = j->len[s] * c;
    heed_real *x = heedi_arena_alloc(&j->mem, (size_t)(n * size) * sizeof *x);
    for (int64_t i = 0; x && i < n; i++)
        memcpy(x + i * size, j->o.pixels + (ids_of(j, s) - j->id) * c,
               (size_t)size * sizeof *x);
    return x;
}

typedef heed_status exec_fn(heedi_exec *e, heed_ctx *ctx, const heed_model *m,
                            const int64_t *len, int64_t n_seq,
                            const int32_t *id, const heedi_exec_options *o);

static heed_status with_copies(heedi_job *j, int64_t s, int64_t copies,
                               exec_fn *fn, heedi_exec *e)
{
    const int64_t t = j->len[s], n = copies + 1;
    heedi_exec_options o = j->o;
    int64_t *len = heedi_arena_alloc(&j->mem, (size_t)n * sizeof *len);
    int32_t *id = heedi_arena_alloc(&j->mem, (size_t)(n * t) * sizeof *id);
    uint8_t *segment = heedi_arena_alloc(&j->mem, (size_t)(n * t));
    if (!len || !id || !segment)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        len[i] = t;
        memcpy(id + i * t, ids_of(j, s), (size_t)t * sizeof *id);
        memcpy(segment + i * t, j->segment + (ids_of(j, s) - j->id), (size_t)t);
    }
    o.segment = segment;
    if (j->o.pixels && !(o.pixels = pixels_of(j, s, n)))
        return HEED_ENOMEM;
    o.state = j->q->model->bidirectional ? 0 : t;
    o.results +=
        (uint64_t)(n * t * heedi_leaf_cols(j->q->model)) * sizeof(heed_real);
    return fn(e, j->ctx, j->q->model, len, n, id, &o);
}

/* As many copies as the option says, fewer if their plan is refused. */
static heed_status plan_copies(heedi_job *j, int64_t s, int64_t *copies,
                               heed_plan *plan)
{
    const int64_t n = positions(j, s), most = (int64_t)j->opt[opt_batch];
    for (*copies = most < n ? most : n;; *copies /= 2) {
        heedi_exec e = {0};
        heed_status st = with_copies(j, s, *copies, heedi_exec_plan, &e);
        *plan = e.plan;
        const bool refused = st == HEED_ENOMEM && e.plan.peak_min > 0;
        if (!refused || *copies == 1)
            return st;
        heedi_begin(j->ctx);
    }
}

static heed_status plan(heedi_job *j, heed_plan *out)
{
    heed_status st = HEED_OK;
    for (int64_t s = 0; s < j->n && st == HEED_OK; s++) {
        heed_plan p;
        int64_t copies;
        st = plan_copies(j, s, &copies, &p);
        if (p.peak >= out->peak)
            *out = p;
    }
    return st;
}

static heed_status prepare(trial *k)
{
    heedi_job *j = k->j;
    const size_t t = (size_t)j->len[k->s], c = (size_t)k->e.leaf->cols;
    const size_t v = (size_t)heedi_target_room(k->e.m), size = sizeof *k->x;
    const int64_t n = j->n_targets[k->s];
    k->row = heedi_arena_alloc(&k->e.mem, c * size);
    k->x = heedi_arena_alloc(&k->e.mem, t * c * size);
    k->all =
        heedi_arena_alloc(&k->e.mem, (size_t)(k->copies + 1) * t * c * size);
    k->logit = heedi_arena_alloc(&k->e.mem, v * size);
    k->dense = heedi_arena_alloc(&k->e.mem, v * size);
    k->out = heedi_arena_alloc(&j->mem, (size_t)n * sizeof *k->out);
    if (!k->row || !k->x || !k->all || !k->logit || !k->dense || !k->out)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        k->out[i].relevance = heedi_arena_alloc(&j->mem, t * size);
        if (!k->out[i].relevance)
            return HEED_ENOMEM;
        k->out[i].absorbed = k->out[i].residual = (double)NAN;
    }
    heedi_exec_leaf(&k->e, ids_of(j, k->s), j->len[k->s], k->x);
    return heedi_baseline_row(&k->replacement, &k->e, k->row);
}

/* The rows from `from` on in `copies` sequences; in copy i that of token
 * `first + i` is replaced, if first is not -1. The kept state is the one before
 * `from`; with `next` beyond it, it becomes the one before `next`. */
static heed_status run_rows(trial *k, int64_t from, int64_t copies,
                            int64_t first, int64_t next)
{
    const int64_t c = k->e.leaf->cols, n = k->j->len[k->s] - from;
    const int64_t all = copies + (next > from);
    int64_t len[GROUP + 1];
    heedi_arena mem;
    heedi_arena_init(&mem, k->j->ctx);
    for (int64_t i = 0; i < copies; i++) {
        heed_real *x = k->all + i * n * c;
        len[i] = n;
        memcpy(x, k->x + from * c, (size_t)(n * c) * sizeof *x);
        if (first >= 0)
            memcpy(x + (first + i - from) * c, k->row, (size_t)c * sizeof *x);
        heedi_exec_copy_state(&k->e, k->copies, i);
    }
    if (next > from) {
        len[copies] = next - from;
        memcpy(k->all + copies * n * c, k->x + from * c,
               (size_t)((next - from) * c) * sizeof *k->x);
        heedi_exec_copy_state(&k->e, k->copies, copies);
    }
    heed_status st = heedi_batch_init(&k->batch, &mem, len, all, from);
    if (st == HEED_OK)
        st = heedi_exec_continue(&k->e, &k->batch);
    if (next > from)
        heedi_exec_copy_state(&k->e, copies, k->copies);
    heedi_arena_clear(&mem);
    return st;
}

/* Aim at a target at position `at` in a copy of the last run. */
static heed_status aim(trial *k, int64_t copy, const heed_target *t,
                       heedi_aim *out)
{
    const int64_t from = k->batch.pos0, len = k->j->len[k->s];
    return heedi_aim_at(out, &k->e, t, copy * (len - from) - from, len,
                        k->logit, k->dense);
}

static heed_status read(trial *k, int64_t copy, int64_t at, heedi_outcome *o)
{
    heedi_aim a;
    const heed_target t = heedi_target_of(&o->aim);
    if (at > o->aim.at && !k->e.m->bidirectional)
        return HEED_OK;
    HEEDI_TRY(aim(k, copy, &t, &a));
    const double r = o->aim.value - a.value;
    o->relevance[at] = (heed_real)r;
    o->sum += r;
    o->magnitude += fabs(r);
    return HEED_OK;
}

/* Positions k0 ... k1 from the state before k0, or from the start; move: the
 * last run takes the state along. */
static heed_status group(trial *k, int64_t k0, int64_t k1, int64_t from,
                         bool move)
{
    for (int64_t at = k0, n; at < k1; at += n) {
        n = k1 - at < k->copies ? k1 - at : k->copies;
        HEEDI_TRY(run_rows(k, from, n, at, move && at + n == k1 ? k1 : 0));
        for (int64_t i = 0; i < n; i++)
            for (int64_t t = 0; t < k->j->n_targets[k->s]; t++)
                HEEDI_TRY(read(k, i, at + i, &k->out[t]));
    }
    return HEED_OK;
}

static bool recurrent(const heedi_exec *e)
{
    for (int64_t b = 0; b < e->n_blocks; b++)
        for (const heedi_node *y = e->block[b].tape.first; y; y = y->next)
            if (y->state && y->op != &heedi_op_attention)
                return true;
    return false;
}

static heed_status run_all(trial *k)
{
    const heedi_job *j = k->j;
    const bool moves = recurrent(&k->e);
    /* nothing can be continued, or frequencies change with the length */
    bool whole = j->q->model->bidirectional;
    for (int i = 0; i < j->q->model->n_rope; i++)
        whole = whole || j->q->model->rope[i].type->by_length;
    HEEDI_TRY(prepare(k));
    k->e.run.leaf = k->all;
    HEEDI_TRY(run_rows(k, 0, 1, -1, 0));
    if (!moves && !whole)
        heedi_exec_copy_state(&k->e, 0, k->copies);
    for (int64_t t = 0; t < j->n_targets[k->s]; t++)
        HEEDI_TRY(aim(k, 0, &j->target[k->s][t], &k->out[t].aim));
    for (int64_t at = 0; at < k->n; at += GROUP) {
        const int64_t end = at + GROUP < k->n ? at + GROUP : k->n;
        HEEDI_TRY(
            group(k, at, end, whole ? 0 : at, moves && !whole && end < k->n));
    }
    return heedi_report(k->j, k->s, k->out);
}

static heed_status run(heedi_job *j)
{
    static const trial zero;
    trial k = zero;
    heed_plan p;
    k.j = j;
    HEEDI_TRY(heedi_baseline_read(&k.replacement, j, "replacement",
                                  j->opt_text[opt_replacement]));
    for (k.s = 0; k.s < j->n; k.s++) {
        k.n = positions(j, k.s);
        HEEDI_TRY(plan_copies(j, k.s, &k.copies, &p));
        HEEDI_TRY(with_copies(j, k.s, k.copies, heedi_exec_init, &k.e));
        heed_status st = run_all(&k);
        heedi_exec_clear(&k.e);
        HEEDI_TRY(st);
    }
    return HEED_OK;
}

const heedi_method heedi_method_occlusion = {
    .info = {.name = "occlusion",
             .aliases = "feature_ablation leave_one_out loo",
             .summary = "change of the target when a token is replaced",
             .cite = "Zeiler, Fergus 2014, arXiv:1311.2901",
             .reduce = "",
             .options = options,
             .has_target = 1,
             .is_signed = 1},
    .pass = HEEDI_FORWARD,
    .tokens_only = true,
    .check = check,
    .plan = plan,
    .run = run,
};
