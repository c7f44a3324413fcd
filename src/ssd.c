#include "ssd.h"

#include <string.h>

#include "gemm.h"
#include "ssd_chunk.h"

/* ---- chunks ---- */

static int64_t chunks(int64_t len)
{
    return (len + Q - 1) / Q;
}

int64_t heedi_ssd_chunks(const heedi_batch *b)
{
    int64_t n = 0;
    for (int64_t s = 0; s < b->n_seq; s++)
        n += chunks(heedi_len(b, s));
    return n;
}

int64_t heedi_ssd_wave(const heedi_batch *b, int64_t from, chunk *c)
{
    int64_t n = 0, before = 0;
    for (int64_t s = 0; s < b->n_seq && n < WAVE; s++) {
        const int64_t len = heedi_len(b, s), all = chunks(len);
        const int64_t k0 = from > before ? from - before : 0;
        for (int64_t k = k0; k < all && n < WAVE; k++) {
            const int64_t left = len - k * Q;
            c[n++] = (chunk){.seq = s,
                             .row = b->start[s] + k * Q,
                             .len = left < Q ? left : Q,
                             .number = before + k,
                             .first = k == 0,
                             .last = k == all - 1};
        }
        before += all;
    }
    return n;
}

/* ---- memory ---- */

size_t heedi_ssd_saved(const heedi_node *y, const heedi_batch *b)
{
    const heedi_ssd_args *a = y->args;
    return (size_t)(heedi_ssd_chunks(b) * a->heads) * state_size(a) *
           sizeof(heed_real);
}

size_t heedi_ssd_state(const heedi_node *y, int64_t len)
{
    const heedi_ssd_args *a = y->args;
    (void)len;
    return (size_t)a->heads * state_size(a) * sizeof(heed_real);
}

static size_t align16(size_t n)
{
    return (n + 15) / 16 * 16;
}

/* Lay out r in memory from `at` on; the values it takes before those of single
 * threads, and of each thread. */
static void lay_out(const heedi_node *y, const heedi_batch *b, room *r,
                    heed_real *at, int thread, size_t *shared, size_t *own)
{
    const heedi_ssd_args *a = y->args;
    const int64_t n = heedi_ssd_chunks(b), most = n < WAVE ? n : WAVE;
    const int64_t width = a->head_dim > a->n_state ? a->head_dim : a->n_state;
    const size_t states = align16((size_t)a->heads * state_size(a));
    const size_t wide = align16((size_t)(Q * width)), square = Q * Q;
    const size_t sums =
        align16((size_t)b->longest * (sizeof(double) / sizeof(heed_real)));
    const size_t grams = (size_t)(most * a->groups) * square;
    *shared = grams + (size_t)(1 + most) * states;
    *own = 4 * square + 4 * (size_t)Q + 2 * wide + sums;
    if (!at)
        return;
    r->gram = at;
    r->carry = r->gram + grams;
    r->after = r->carry + states;
    at += *shared + (size_t)thread * *own;
    r->decay = at;
    r->m = r->decay + square;
    r->gm = r->m + square;
    r->gg = r->gm + square;
    r->in = r->gg + square;
    r->dt = r->in + Q;
    r->l = r->dt + Q;
    r->w = r->l + Q;
    r->wide = r->w + Q;
    r->more = r->wide + wide;
    r->sum = (double *)(void *)(r->more + wide);
}

size_t heedi_ssd_scratch(const heedi_node *y, const heedi_batch *b, int threads)
{
    size_t shared, own;
    lay_out(y, b, NULL, NULL, 0, &shared, &own);
    return (shared + (size_t)threads * own) * sizeof(heed_real);
}

room heedi_ssd_room(const heedi_node *y, const heedi_run *run)
{
    room r;
    size_t shared, own;
    lay_out(y, run->batch, &r, run->scratch, omp_get_thread_num(), &shared,
            &own);
    return r;
}

double heedi_ssd_flops(const heedi_node *y, const heedi_batch *b)
{
    const heedi_ssd_args *a = y->args;
    const double n = (double)a->n_state, p = (double)a->head_dim;
    return 2 * (double)b->rows *
           (Q * n * (double)a->groups + (double)a->heads * (Q * p + 2 * n * p));
}

/* ---- matrices of a chunk ---- */

void heedi_ssd_grams(const heedi_node *y, const heedi_run *run, const chunk *c,
                     int64_t n)
{
    const heedi_ssd_args *a = y->args;
    const int64_t ld = a->groups * a->n_state;
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t i = 0; i < n; i++)
        for (int64_t g = 0; g < a->groups; g++) {
            const room r = heedi_ssd_room(y, run);
            const int64_t at = c[i].row * ld + g * a->n_state;
            heedi_blas(false, true, c[i].len, c[i].len, a->n_state, 1,
                       y->in[3]->x + at, ld, y->in[2]->x + at, ld, 0,
                       gram_of(y, &r, i, g), Q);
        }
}

void heedi_ssd_decays(const heedi_node *y, const room *r, const chunk *c,
                      int64_t h)
{
    const heedi_ssd_args *a = y->args;
    const heed_real *dt = dt_of(y, c->row, h);
    for (int64_t i = 0; i < c->len; i++) {
        r->dt[i] = dt[i * a->heads];
        r->l[i] = a->a[h] * r->dt[i];
    }
    heedi_ssd_kernels()->decays(c->len, r->l, r->decay, r->in);
    for (int64_t i = 0; i < c->len; i++)
        r->w[i] = r->decay[(c->len - 1) * Q + i] * r->dt[i];
}

void heedi_ssd_matrices(const heedi_node *y, const room *r, const chunk *c,
                        const heed_real *gram, int64_t h, heed_real skip)
{
    heedi_ssd_decays(y, r, c, h);
    heedi_ssd_kernels()->weights(c->len, gram, r->decay, r->dt, skip, r->m);
}

/* ---- forward ---- */

/* s: the state before the chunk, or NULL for zeros; to: what becomes the state
 * after it, the same or other memory, or NULL. */
static void chunk_forward(const heedi_node *y, const room *r, const chunk *c,
                          int64_t h, const heed_real *x, const heed_real *s,
                          heed_real *to, heed_real *out)
{
    const heedi_ssd_args *a = y->args;
    const heedi_ssd_table *k = heedi_ssd_kernels();
    const int64_t p = a->head_dim, n = a->n_state, ld = y->cols, len = c->len;
    const int64_t ldb = a->groups * n;
    heedi_blas(false, false, len, p, len, 1, r->m, Q, x, ld, 0, out, ld);
    if (s) {
        k->rows(len, n, bc_of(y, 3, c->row, h), ldb, r->in, r->wide);
        heedi_blas(false, true, len, p, n, 1, r->wide, n, s, n, 1, out, ld);
    }
    if (!to)
        return;
    k->rows(len, p, x, ld, r->w, r->wide);
    heedi_blas(true, false, p, n, len, 1, r->wide, p, bc_of(y, 2, c->row, h),
               ldb, s ? r->in[len - 1] : 0, to, n);
}

/* Of one head, the chunks of a wave. */
static void head_forward(const heedi_node *y, const heedi_run *run,
                         const chunk *c, int64_t n, int64_t h,
                         const heed_real *x, heed_real *out, bool plain)
{
    const heedi_ssd_args *a = y->args;
    const room r = heedi_ssd_room(y, run);
    const size_t size = state_size(a);
    const bool kept = y->state && !plain, marks = y->saved && !plain;
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = c[i].row * y->cols + h * a->head_dim;
        heed_real *s = kept ? heedi_state(y, c[i].seq) : r.carry;
        s += (size_t)h * size;
        const bool zero = c[i].first && !kept;
        if (marks) {
            heed_real *m = y->saved;
            m += (size_t)(c[i].number * a->heads + h) * size;
            if (zero)
                memset(m, 0, size * sizeof *m);
            else
                memcpy(m, s, size * sizeof *m);
        }
        heedi_ssd_matrices(y, &r, &c[i], gram_of(y, &r, i, group_of(a, h)), h,
                           plain ? 0 : a->d[h]);
        chunk_forward(y, &r, &c[i], h, x + at, zero ? NULL : s,
                      c[i].last && !kept ? NULL : s, out + at);
    }
}

static void forward(const heedi_node *y, const heedi_run *run,
                    const heed_real *x, heed_real *out, bool plain)
{
    const heedi_ssd_args *a = y->args;
    chunk c[WAVE];
    for (int64_t at = 0, n; (n = heedi_ssd_wave(run->batch, at, c)) > 0;
         at += n) {
        heedi_ssd_grams(y, run, c, n);
#pragma omp parallel for schedule(dynamic, 1)
        for (int64_t h = 0; h < a->heads; h++)
            head_forward(y, run, c, n, h, x, out, plain);
    }
}

void heedi_ssd_forward(const heedi_node *y, heedi_run *run)
{
    forward(y, run, y->in[0]->x, y->x, false);
}

void heedi_ssd_apply(const heedi_node *y, const heedi_run *run,
                     const heed_real *x, heed_real *out)
{
    forward(y, run, x, out, true);
}

/* ---- backward, to x ---- */

void heedi_ssd_give(const heedi_node *y, const room *r, const chunk *c,
                    int64_t h, const heed_real *gy, const heed_real *g,
                    heed_real *gx, bool assign)
{
    const heedi_ssd_args *a = y->args;
    const int64_t p = a->head_dim, n = a->n_state, ld = y->cols, len = c->len;
    heedi_blas(true, false, len, p, len, 1, r->m, Q, gy, ld, assign ? 0 : 1, gx,
               ld);
    if (!g)
        return;
    heedi_ssd_kernels()->rows(len, n, bc_of(y, 2, c->row, h), a->groups * n,
                              r->w, r->wide);
    heedi_blas(false, true, len, p, n, 1, r->wide, n, g, n, 1, gx, ld);
}

void heedi_ssd_before(const heedi_node *y, const room *r, const chunk *c,
                      int64_t h, const heed_real *gy, heed_real *g)
{
    const heedi_ssd_args *a = y->args;
    const int64_t n = a->n_state, len = c->len;
    heedi_ssd_kernels()->rows(len, n, bc_of(y, 3, c->row, h), a->groups * n,
                              r->in, r->wide);
    heedi_blas(true, false, a->head_dim, n, len, 1, gy, y->cols, r->wide, n,
               c->last ? 0 : r->in[len - 1], g, n);
}

static void backward(const heedi_node *y, const heedi_run *run,
                     const heed_real *gy, heed_real *gx, bool assign,
                     bool plain)
{
    const heedi_ssd_args *a = y->args;
    const int64_t all = heedi_ssd_chunks(run->batch);
    chunk c[WAVE];
    for (int64_t at = (all - 1) / WAVE * WAVE; at >= 0; at -= WAVE) {
        const int64_t n = heedi_ssd_wave(run->batch, at, c);
        heedi_ssd_grams(y, run, c, n);
#pragma omp parallel for schedule(dynamic, 1)
        for (int64_t h = 0; h < a->heads; h++) {
            const room r = heedi_ssd_room(y, run);
            heed_real *g = r.carry + (size_t)h * state_size(a);
            for (int64_t i = n - 1; i >= 0; i--) {
                const int64_t o = c[i].row * y->cols + h * a->head_dim;
                heedi_ssd_matrices(y, &r, &c[i],
                                   gram_of(y, &r, i, group_of(a, h)), h,
                                   plain ? 0 : a->d[h]);
                heedi_ssd_give(y, &r, &c[i], h, gy + o, c[i].last ? NULL : g,
                               gx + o, assign);
                if (!c[i].first)
                    heedi_ssd_before(y, &r, &c[i], h, gy + o, g);
            }
        }
    }
}

void heedi_ssd_relevance(const heedi_node *y, heedi_run *run)
{
    backward(y, run, y->g, y->in[0]->g, y->first[0], false);
}

void heedi_ssd_transpose(const heedi_node *y, const heedi_run *run,
                         const heed_real *g, heed_real *gv)
{
    backward(y, run, g, gv, true, true);
}
