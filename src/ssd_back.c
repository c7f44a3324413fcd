#include <string.h>

#include "gemm.h"
#include "ssd_chunk.h"

/* The full gradient. A wave has two parts: the gradients of the states after
 * its chunks, head by head; then everything else, of each chunk and group by
 * itself, so that no sum crosses threads. */

static void states(const heedi_node *y, const heedi_run *run, const chunk *c,
                   int64_t n, int64_t h)
{
    const heedi_ssd_args *a = y->args;
    const room r = heedi_ssd_room(y, run);
    const size_t size = state_size(a), all = (size_t)a->heads * size;
    heed_real *g = r.carry + (size_t)h * size;
    for (int64_t i = n - 1; i >= 0; i--) {
        if (!c[i].last)
            memcpy(r.after + (size_t)i * all + (size_t)h * size, g,
                   size * sizeof *g);
        if (c[i].first)
            continue;
        heedi_ssd_decays(y, &r, &c[i], h);
        heedi_ssd_before(y, &r, &c[i], h,
                         y->g + c[i].row * y->cols + h * a->head_dim, g);
    }
}

/* What the head has of the states around the chunk: u = product with C or B of
 * each row, weighted; to B or C; r->more: rows of products. */
static void outside(const heedi_node *y, const room *r, const chunk *c,
                    int64_t h, int which, const heed_real *x,
                    const heed_real *state, const heed_real *w, heed_real *dot)
{
    const heedi_ssd_args *a = y->args;
    const heedi_vector_table *v = heedi_vector();
    const int64_t n = a->n_state, ld = a->groups * n;
    const heed_real *b = bc_of(y, which, c->row, h);
    heed_real *g = y->in[which]->g + (b - y->in[which]->x);
    heedi_blas(false, false, c->len, n, a->head_dim, 1, x, y->cols, state, n, 0,
               r->more, n);
    for (int64_t i = 0; i < c->len; i++) {
        const heed_real *q = r->more + i * n;
        dot[i] = (heed_real)v->dot((size_t)n, b + i * ld, q);
        v->axpy((size_t)n, w[i], q, g + i * ld);
    }
}

/* One head; r->gg gets what goes to the group's B C^T. */
static void head_back(const heedi_node *y, const room *r, const chunk *c,
                      const heed_real *gram, const heed_real *after, int64_t h)
{
    const heedi_ssd_args *a = y->args;
    const heed_real *s = y->saved;
    const int64_t o = c->row * y->cols + h * a->head_dim, len = c->len;
    const heed_real *x = y->in[0]->x + o, *gy = y->g + o;
    heed_real gdt[Q] = {0}, gl[Q], from[Q], in[Q] = {0}, out[Q] = {0};
    double all = 0;
    s += (size_t)(c->number * a->heads + h) * state_size(a);
    heedi_ssd_matrices(y, r, c, gram, h, a->d[h]);
    heedi_ssd_give(y, r, c, h, gy, after, y->in[0]->g + o, y->first[0]);
    heedi_blas(false, true, len, len, a->head_dim, 1, gy, y->cols, x, y->cols,
               0, r->gm, Q);
    heedi_ssd_kernels()->pairs(len, r->gm, gram, r->decay, r->dt, r->gg, gdt,
                               gl);
    if (!c->first || y->state) {
        outside(y, r, c, h, 3, gy, s, r->in, from);
        for (int64_t i = 0; i < len; i++)
            in[i] = r->in[i] * from[i];
    }
    if (after) {
        outside(y, r, c, h, 2, x, after, r->w, from);
        for (int64_t i = 0; i < len; i++) {
            gdt[i] += r->decay[(len - 1) * Q + i] * from[i];
            out[i] = r->w[i] * from[i];
        }
        all = (double)r->in[len - 1] *
              heedi_vector()->dot(state_size(a), s, after);
    }
    /* in reaches the l of the steps up to its own, out those after its own */
    double later = 0, before = 0;
    for (int64_t i = len - 1; i >= 0; i--) {
        later += (double)in[i];
        gl[i] += (heed_real)(later + all);
    }
    for (int64_t i = 0; i < len; i++) {
        heed_real *to = y->in[1]->g + (c->row + i) * a->heads + h;
        const heed_real g = gdt[i] + a->a[h] * (gl[i] + (heed_real)before);
        *to = y->first[1] ? g : *to + g;
        before += (double)out[i];
    }
}

static void clear(const heedi_node *y, int which, const chunk *c, int64_t group)
{
    const heedi_ssd_args *a = y->args;
    const int64_t n = a->n_state, ld = a->groups * n;
    for (int64_t i = 0; y->first[which] && i < c->len; i++)
        memset(y->in[which]->g + (c->row + i) * ld + group * n, 0,
               (size_t)n * sizeof(heed_real));
}

static void group_back(const heedi_node *y, const heedi_run *run,
                       const chunk *c, int64_t i, int64_t group)
{
    const heedi_ssd_args *a = y->args;
    const room r = heedi_ssd_room(y, run);
    const int64_t heads = a->heads / a->groups, n = a->n_state;
    const int64_t ld = a->groups * n, at = c->row * ld + group * n;
    const size_t size = state_size(a);
    memset(r.gg, 0, Q * Q * sizeof *r.gg);
    clear(y, 2, c, group);
    clear(y, 3, c, group);
    for (int64_t h = group * heads; h < (group + 1) * heads; h++)
        head_back(y, &r, c, gram_of(y, &r, i, group),
                  c->last ? NULL : r.after + (size_t)(i * a->heads + h) * size,
                  h);
    heedi_blas(false, false, c->len, n, c->len, 1, r.gg, Q, y->in[2]->x + at,
               ld, 1, y->in[3]->g + at, ld);
    heedi_blas(true, false, c->len, n, c->len, 1, r.gg, Q, y->in[3]->x + at, ld,
               1, y->in[2]->g + at, ld);
}

void heedi_ssd_vjp(const heedi_node *y, heedi_run *run)
{
    const heedi_ssd_args *a = y->args;
    const int64_t all = heedi_ssd_chunks(run->batch);
    chunk c[WAVE];
    for (int64_t at = (all - 1) / WAVE * WAVE; at >= 0; at -= WAVE) {
        const int64_t n = heedi_ssd_wave(run->batch, at, c);
        heedi_ssd_grams(y, run, c, n);
#pragma omp parallel for schedule(dynamic, 1)
        for (int64_t h = 0; h < a->heads; h++)
            states(y, run, c, n, h);
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
        for (int64_t i = 0; i < n; i++)
            for (int64_t g = 0; g < a->groups; g++)
                group_back(y, run, &c[i], i, g);
    }
}
