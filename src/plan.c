#include "plan.h"

#include <stdio.h>

#include "ctx.h"
#include "gemm.h"
#include "head.h"
#include "memory.h"
#include "parts.h"

/* What OpenBLAS touches of its buffers in products of our size, for each
 * thread, and what a thread's stack and the runtime cost; measured, see
 * docs/design.md. */
enum { BLAS_PER_THREAD = 1 << 20, FAULT_AROUND = 1 << 16 };

static uint64_t greatest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Pages of the mapped files that a run reads: every matrix of every layer, the
 * rows of the embedding that the tokens name, and the part of the head that
 * the targets name. */
static uint64_t weights(const heedi_exec *e)
{
    const heedi_weight *h = &e->m->head;
    uint64_t sum = e->o.head_full ? (uint64_t)h->rows * h->stride : 0;
    for (int64_t b = 0; b < e->n_blocks; b++)
        for (const heedi_node *y = e->block[b].tape.first; y; y = y->next) {
            uint64_t bytes = y->w ? (uint64_t)y->w->rows * y->w->stride : 0;
            if (y->w && y->op->n_in == 0) { /* an embedding: some rows */
                uint64_t rows = (uint64_t)e->batch.rows * FAULT_AROUND;
                if (!e->o.leaf_full && rows < bytes)
                    bytes = rows;
                if (e->o.head_full && y->w->data == h->data)
                    bytes = 0; /* a tied head has been counted */
            }
            sum += bytes;
        }
    return sum;
}

/* Bytes of the slab if the last `kept` blocks keep their activations. */
static uint64_t activations(const heedi_exec *e, int64_t kept)
{
    uint64_t sum = 0, again = 0;
    for (int64_t b = 0; b < e->n_blocks; b++)
        if (b >= e->n_blocks - kept)
            sum += e->block[b].kept;
        else
            again = greatest(again, e->block[b].kept);
    return sum + again;
}

static uint64_t node_scratch(const heedi_exec *e, const heedi_node *y)
{
    const heedi_rules also = {HEEDI_RELEVANCE, e->o.also};
    const heedi_rule *r[] = {e->o.rules.pass ? heedi_back_of(y, e->o.rules).rule
                                             : NULL,
                             e->o.also ? heedi_back_of(y, also).rule : NULL};
    uint64_t most = 0;
    if (y->op->scratch)
        most = y->op->scratch(y, &e->batch, e->run.threads);
    for (int i = 0; i < 2; i++)
        if (r[i] && r[i]->scratch)
            most = greatest(most, r[i]->scratch(y, &e->batch, e->run.threads));
    return most;
}

/* What is kept for the next run: used again by it, or freed first. */
static uint64_t spare(const heed_ctx *ctx)
{
    return heedi_touched(ctx->spare, ctx->spare_bytes);
}

static uint64_t available(const heed_ctx *ctx)
{
    const uint64_t have = heedi_available();
    return have > 0 ? have + spare(ctx) : 0;
}

uint64_t heedi_plan_limit(const heed_ctx *ctx, const heed_plan *p)
{
    if (ctx->max_memory > 0)
        return ctx->max_memory;
    const uint64_t have = available(ctx);
    return have > 0 ? p->program + have / 10 * 9 : 0;
}

uint64_t heed_plan_program(const heed_model *m)
{
    const uint64_t all = heedi_checkpoint_beside(m->ckpt);
    const uint64_t other = spare(m->ctx);
    return all > other ? all - other : 0;
}

heed_status heedi_plan_exec(heedi_exec *e)
{
    heed_plan *p = &e->plan;
    uint64_t temp = 0, scratch = heedi_head_scratch(e);
    const uint64_t border =
        (uint64_t)(e->batch.rows * heedi_exec_widest(e)) * sizeof(heed_real);
    const bool back = e->o.rules.pass != HEEDI_FORWARD;
    for (int64_t b = 0; b < e->n_blocks; b++) {
        const heedi_exec_block *k = &e->block[b];
        temp = greatest(temp, greatest(k->temp, k->back));
        for (const heedi_node *y = k->tape.first; y; y = y->next)
            scratch = greatest(scratch, node_scratch(e, y));
    }
    e->scratch_bytes = scratch;
    uint64_t borders = border * (back ? (uint64_t)e->n_blocks + 2 : 2);
    for (int i = 0; i < e->m->n_rope; i++)
        borders +=
            (uint64_t)(e->batch.rows * e->m->rope[i].rot) * sizeof(heed_real);
    p->program = e->o.program ? e->o.program : heed_plan_program(e->m);
    p->weights = weights(e);
    p->scratch = temp + scratch;
    p->blas = (uint64_t)e->run.threads * BLAS_PER_THREAD;
    const int64_t *d = e->m->dim, rotated = heedi_exec_rotated(e);
    p->results = e->o.results;
    p->results += (uint64_t)heedi_head_room(e) * sizeof(heed_real);
    p->results += heedi_readout_bytes(e->o.readout, e->batch.rows, d['L'],
                                      d['H'], rotated);
    /* for each target, and once more in the sink */
    p->results += 2 * (uint64_t)e->o.head_rows *
                  heedi_parts_bytes(e->o.readout, e->batch.longest, d['L'],
                                    d['H'], rotated);
    p->n_blocks = e->n_blocks;
    uint64_t fixed = p->program + p->weights + p->scratch + p->blas +
                     p->results + borders + e->state_bytes;
    const uint64_t before = p->program + e->o.before;
    p->peak_min = greatest(before, fixed - e->o.spared + activations(e, 0));
    p->peak_max = greatest(before, fixed + activations(e, e->n_blocks));
    const uint64_t limit = heedi_plan_limit(e->ctx, p);
    if (e->ctx->max_memory > 0 && p->peak_min > limit)
        return heedi_fail(e->ctx, HEED_ENOMEM,
                          "the run needs at least %.1f MiB, more than the "
                          "%.1f MiB of --max-memory",
                          (double)(p->peak_min + HEED_PROGRAM_VARIES) / 1048576,
                          (double)limit / 1048576);
    p->n_kept = e->o.recompute ? 0 : e->n_blocks;
    while (p->n_kept > 0 && limit > 0 &&
           fixed + activations(e, p->n_kept) > limit)
        p->n_kept--;
    if (limit > 0 && fixed + activations(e, p->n_kept) > limit)
        return heedi_fail(e->ctx, HEED_ENOMEM,
                          "the run needs at least %.1f MiB, and the machine "
                          "has %.1f MiB left",
                          (double)(p->peak_min - p->program) / 1048576,
                          (double)available(e->ctx) / 1048576);
    p->activations = borders + activations(e, p->n_kept) + e->state_bytes;
    p->peak = greatest(before, fixed + activations(e, p->n_kept));
    for (int64_t b = 0; b < e->n_blocks; b++)
        e->block[b].keep = b >= e->n_blocks - p->n_kept;
    return HEED_OK;
}
