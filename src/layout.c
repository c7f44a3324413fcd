#include "layout.h"

#include <assert.h>

#include "implicit.h"
#include "stabiliser.h"

/* A buffer is alive from one step to another; steps count forward in the
 * forward pass and from the end in the backward pass. */
typedef struct span {
    int from, to;
    size_t offset, size;
} span;

enum { ALIGN = 64, MAX_SPANS = 128 };
enum { TEMP = 1, KEPT = 2 };

static size_t align(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

/* The lowest place that nobody needs at the same time. */
static size_t place(span *s, int *n, int from, int to, size_t size)
{
    size_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < *n; i++)
            if (s[i].from <= to && from <= s[i].to &&
                at < s[i].offset + s[i].size && s[i].offset < at + size) {
                at = s[i].offset + s[i].size;
                moved = true;
            }
    }
    assert(*n < MAX_SPANS);
    s[(*n)++] = (span){from, to, at, size};
    return at;
}

/* The last operation that reads x, or its own step. */
static int last_reader(const heedi_tape *t, const heedi_node *x)
{
    int last = x->step;
    for (const heedi_node *y = t->first; y; y = y->next)
        for (int i = 0; i < y->op->n_in; i++)
            if (y->in[i] == x)
                last = y->step;
    return last;
}

/* The last live operation that gives something to x: the first one of the
 * backward pass. -1: there is none. */
static int last_giver(const heedi_exec *e, const heedi_tape *t,
                      const heedi_node *x)
{
    int last = -1;
    for (const heedi_node *y = t->first; y; y = y->next)
        for (int i = 0; i < y->op->n_in; i++)
            if (y->in[i] == x && y->live &&
                !(heedi_back_of(y, e->o.rules).stops & 1 << i))
                last = y->step;
    return last;
}

/* Is x, or what it saved, read for the matrix of a block of this tape? */
static bool in_matrix(const heedi_tape *t, const heedi_node *x)
{
    heedi_implicit m;
    for (const heedi_node *y = NULL; (y = heedi_next_mixing(t, y));) {
        heedi_implicit_of(&m, t, y, true);
        if (heedi_implicit_reads(&m, x))
            return true;
    }
    return false;
}

/* The step of the backward pass after which nobody reads the gradient of x: a
 * watcher of a mixing operation reads that of its block's output. */
static int last_reading(const heedi_exec *e, const heedi_tape *t,
                        const heedi_node *x)
{
    heedi_implicit m;
    int first = x->step;
    for (const heedi_node *y = NULL;
         e->o.watch_mixing && (y = heedi_next_mixing(t, y));) {
        heedi_implicit_of(&m, t, y, true);
        if (m.output == x && y->step < first)
            first = y->step;
    }
    return x->leaf ? t->n : t->n - 1 - first;
}

/* Does the backward pass, or a visitor, read the value of x? */
static bool read_later(const heedi_exec *e, const heedi_tape *t,
                       const heedi_node *x)
{
    const bool back = e->o.rules.pass != HEEDI_FORWARD;
    if (back && (e->o.detail || x->leaf || heedi_exec_watches(e, x)))
        return true;
    if (e->o.mixing && in_matrix(t, x))
        return true;
    for (const heedi_node *y = t->first; y; y = y->next) {
        const heedi_back b = heedi_back_of(y, e->o.rules);
        const bool runs = back && b.fn && y->live;
        const int divided = heedi_stabilises(e->o.stab, y, &b) ? HEEDI_OUT : 0;
        const int needs =
            b.needs | divided | (e->o.plain ? y->op->vjp_needs : 0);
        if (runs && y == x && (needs & HEEDI_OUT))
            return true;
        for (int i = 0; i < y->op->n_in; i++)
            if (y->in[i] == x && runs && (needs & 1 << i))
                return true;
    }
    return false;
}

/* What the output's gradient reaches, and who writes first into the gradient
 * of each input. */
static void mark(const heedi_exec *e, heedi_exec_block *b)
{
    b->out->live = e->o.rules.pass != HEEDI_FORWARD;
    for (heedi_node *y = b->tape.last; y; y = y->prev)
        for (int i = 0; y->live && y != e->leaf && i < y->op->n_in; i++)
            if (!(heedi_back_of(y, e->o.rules).stops & 1 << i))
                y->in[i]->live = true;
    for (heedi_node *y = b->tape.first; y; y = y->next)
        for (int i = 0; i < y->op->n_in; i++) {
            y->first[i] = last_giver(e, &b->tape, y->in[i]) == y->step &&
                          !(heedi_back_of(y, e->o.rules).stops & 1 << i);
            for (int k = 0; k < i; k++)
                if (y->in[k] == y->in[i] && y->first[k])
                    y->first[i] = false;
        }
}

static void *offset(size_t n)
{
    return (void *)(n + 1); /* so that NULL stays "none" */
}

static bool keeps_saved(const heedi_exec *e, const heedi_tape *t,
                        const heedi_node *y)
{
    const bool unread = y->op->saved_for_vjp && !e->o.plain &&
                        y->op->relevance &&
                        heedi_back_of(y, e->o.rules).fn == y->op->relevance;
    return y->op->saved && !unread &&
           (e->o.rules.pass != HEEDI_FORWARD ||
            (e->o.mixing && !y->op->saved_for_vjp && in_matrix(t, y)));
}

void heedi_layout_block(heedi_exec *e, int64_t block)
{
    heedi_exec_block *b = &e->block[block];
    heedi_tape *t = &b->tape;
    span fwd[MAX_SPANS], bwd[MAX_SPANS];
    int n_fwd = 0, n_bwd = 0;
    mark(e, b);
    for (heedi_node *y = t->first; y; y = y->next) {
        size_t size =
            align((size_t)(e->batch.rows * y->cols) * sizeof(heed_real));
        if (keeps_saved(e, t, y)) {
            y->saved = offset(b->kept);
            b->kept += align(y->op->saved(y, &e->batch));
        }
        if (y == b->out)
            continue;
        if (read_later(e, t, y)) {
            y->x = offset(b->kept);
            b->kept += size;
            y->place = KEPT;
        } else {
            int last = last_reader(t, y);
            size_t at = place(fwd, &n_fwd, y->step, last, size);
            y->x = offset(at);
            y->place = TEMP;
            b->temp = at + size > b->temp ? at + size : b->temp;
        }
        if (y->live) {
            int from = t->n - 1 - last_giver(e, t, y);
            size_t at = place(bwd, &n_bwd, from, last_reading(e, t, y), size);
            y->g = offset(at);
            b->back = at + size > b->back ? at + size : b->back;
        }
    }
}

/* y->x was an offset plus one; now it is an address. */
static void *address(char *base, const void *p)
{
    return p ? base + ((size_t)p - 1) : NULL;
}

void heedi_layout_bind(heedi_exec *e, int64_t block, char *kept, char *temp)
{
    heedi_exec_block *b = &e->block[block];
    for (heedi_node *y = b->tape.first; y; y = y->next) {
        y->saved = address(kept, y->saved);
        if (y == b->out) {
            y->x = e->border[block];
            continue;
        }
        y->x = address(y->place == KEPT ? kept : temp, y->x);
        y->g = address(temp, y->g);
    }
    if (b->tape.in)
        b->tape.in->x = e->border[block - 1];
}
