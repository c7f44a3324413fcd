#include "check.h"
#include "ctx.h"
#include "target.h"

#include <math.h>
#include <string.h>

typedef struct trace {
    heedi_trace *t;
    heedi_arena *mem;
    int64_t seq, end; /* the sequences that are looked at */
} trace;

/* Their rows. */
static int64_t first_row(const trace *p, const heedi_exec *e)
{
    return e->batch.start[p->seq];
}

static int64_t n_rows(const trace *p, const heedi_exec *e)
{
    return e->batch.start[p->end] - e->batch.start[p->seq];
}

/* FNV-1a over words: a change of any bit shows. */
static uint64_t hash(uint64_t h, const void *data, size_t bytes)
{
    const unsigned char *p = data;
    for (uint32_t w; bytes >= sizeof w; bytes -= sizeof w, p += sizeof w) {
        memcpy(&w, p, sizeof w);
        h = (h ^ w) * 1099511628211u;
    }
    return h;
}
#define HASH_START 14695981039346656037u

static const char *copy(heedi_arena *mem, const char *text, size_t n)
{
    char *s = heedi_arena_alloc(mem, n + 1);
    return s ? memcpy(s, text, n) : NULL;
}

static bool is_finite(const heed_real *x, int64_t n)
{
    heed_real sum = 0; /* 0 times infinity or NaN is NaN */
    for (int64_t i = 0; i < n; i++)
        sum += 0 * x[i];
    return sum == 0;
}

/* The values of a block, all of which a detailed run keeps. */
static heed_status visit(void *ud, heedi_exec *e, int64_t b)
{
    const trace *p = ud;
    heedi_trace *t = p->t;
    const int64_t row = first_row(p, e);
    for (const heedi_node *y = e->block[b].tape.first; y; y = y->next) {
        const int64_t n = n_rows(p, e) * y->cols;
        const heed_real *x = y->x + row * y->cols;
        t->value[y->id] = hash(HASH_START, x, (size_t)n * sizeof *x);
        t->leaf[y->id] = y->op->n_in == 0;
        if (!t->bad && !is_finite(x, n))
            t->bad = t->name[y->id];
    }
    return HEED_OK;
}

static heed_status allocate(heedi_trace *t, heedi_arena *mem,
                            const heedi_exec *e)
{
    const size_t n = (size_t)e->n_ops;
    *t = (heedi_trace){.n_ops = e->n_ops, .end = HASH_START};
    t->name = heedi_arena_alloc(mem, n * sizeof *t->name);
    t->leaf = heedi_arena_alloc(mem, n * sizeof *t->leaf);
    t->value = heedi_arena_alloc(mem, n * sizeof *t->value);
    t->relevance = heedi_arena_alloc(mem, n * sizeof *t->relevance);
    t->lost = heedi_arena_alloc(mem, n * sizeof *t->lost);
    if (!t->name || !t->leaf || !t->value || !t->relevance || !t->lost)
        return HEED_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const char *name = e->ledger.op_name[i];
        if (!(t->name[i] = copy(mem, name, strlen(name))))
            return HEED_ENOMEM;
    }
    return HEED_OK;
}

/* One line of the ledger of a sequence. */
static void read_line(heedi_trace *t, const heedi_ledger *l, int64_t seq, int i)
{
    const size_t at = (size_t)seq * (size_t)l->n_ops + (size_t)i;
    const double *sink = l->sink + at * HEEDI_N_ENTRIES;
    uint64_t h = hash(t->relevance[i], &l->in[at], sizeof *l->in);
    h = hash(h, &l->out[at], sizeof *l->out);
    t->relevance[i] = hash(h, sink, HEEDI_N_ENTRIES * sizeof *sink);
    t->lost[i] += l->in[at] - l->out[at];
    for (int k = 0; k < HEEDI_N_ENTRIES; k++)
        t->lost[i] -= sink[k];
}

static void read_ledger(trace *p, const heedi_ledger *l)
{
    for (int i = 0; i < l->n_ops; i++) {
        p->t->relevance[i] = HASH_START;
        p->t->lost[i] = 0;
        for (int64_t s = p->seq; s < p->end; s++)
            read_line(p->t, l, s, i);
    }
}

static double relevance_at(const heedi_node *y, int64_t row)
{
    const heed_real *x = y->x + row * y->cols, *g = y->g + row * y->cols;
    double r = 0;
    for (int64_t c = 0; c < y->cols; c++)
        r += (double)x[c] * (double)g[c];
    return r;
}

static void read_leaf(trace *p, const heedi_exec *e)
{
    heedi_trace *t = p->t;
    const heedi_node *y = e->leaf;
    const int64_t row = first_row(p, e);
    double sum = 0, magnitude = 0, deposits = 0;
    for (int64_t i = 0; i < n_rows(p, e); i++) {
        const double r = relevance_at(y, row + i);
        sum += r;
        magnitude += fabs(r);
        t->end = hash(t->end, y->g + (row + i) * y->cols,
                      (size_t)y->cols * sizeof *y->g);
    }
    /* learned tokens, whose relevance is a deposit */
    for (int64_t i = 0; e->prefix && i < e->m->patch.prefix; i++)
        magnitude += fabs(relevance_at(e->prefix, row + i));
    for (int64_t s = p->seq; s < p->end; s++)
        deposits += heedi_ledger_total(&e->ledger, s);
    t->end = hash(t->end, &t->target, sizeof t->target);
    t->scale = fmax(fabs(t->target), magnitude);
    t->residual = t->target - sum - deposits;
    if (!t->bad && !isfinite(sum))
        t->bad = y->name;
}

static heed_status run(trace *p, heedi_exec *e)
{
    heed_target target = HEED_TARGET;
    const int64_t row0 = first_row(p, e);
    const bool pair = p->end - p->seq == 2;
    const heed_head head = e->m->info.head;
    heedi_aim aim;
    double value;
    HEEDI_TRY(allocate(p->t, p->mem, e));
    heed_real *z =
        heedi_arena_alloc(p->mem, (size_t)heedi_target_room(e->m) * sizeof *z);
    if (!z)
        return HEED_ENOMEM;
    if (head == HEED_HEAD_MASKED)
        target.at = -1;
    HEEDI_TRY(heedi_exec_forward(e, visit, p));
    HEEDI_TRY(head == HEED_HEAD_EMBEDDING && !pair
                  ? heedi_aim_length(&aim, e, row0, z)
                  : heedi_aim_at(&aim, e, &target, row0, n_rows(p, e), z,
                                 pair ? z : NULL));
    heedi_ledger_zero(&e->ledger);
    value = p->t->target = aim.seed_value;
    HEEDI_TRY(heedi_head_seed(e, &aim.seed, 1, &value));
    HEEDI_TRY(heedi_exec_backward(e, NULL, NULL));
    p->t->value[e->n_ops - 1] = hash(HASH_START, &value, sizeof value);
    read_ledger(p, &e->ledger);
    read_leaf(p, e);
    if (p->t->bad == e->leaf->name) /* which dies with the run */
        p->t->bad = p->t->name[e->leaf->id];
    return HEED_OK;
}

heed_status heedi_trace_run(heedi_check *k, heedi_arena *mem,
                            const heedi_trace_how *how, heedi_trace *t)
{
    static const heedi_exec zero;
    heedi_exec e = zero;
    heedi_exec_options o = {.rules = k->rules->relevance,
                            .account = true,
                            .detail = true,
                            .recompute = how->recompute,
                            .segment = how->in->segment,
                            .pixels = how->in->pixels,
                            .head_rows = 1,
                            .head_full = true,
                            .opt = k->rules->opt};
    trace p = {t, mem, how->seq, how->seq + k->in.n_seq};
    const int before = k->ctx->threads;
    o.results = (uint64_t)heedi_target_room(k->m) * sizeof(heed_real);
    if (how->threads > 0)
        k->ctx->threads = how->threads;
    *t = (heedi_trace){0};
    heed_status st = heedi_exec_init(&e, k->ctx, k->m, how->in->len,
                                     how->in->n_seq, how->in->id, &o);
    if (st == HEED_OK) {
        st = run(&p, &e);
        heedi_exec_clear(&e);
    }
    k->ctx->threads = before;
    if (st != HEED_ENUMERIC)
        return st;
    const char *why = heed_error(k->ctx); /* "NAME: what it has" */
    t->why = copy(mem, why, strlen(why));
    t->bad = copy(mem, why, strcspn(why, ":"));
    return t->why && t->bad ? HEED_OK : HEED_ENOMEM;
}
