#include "implicit.h"

#include <math.h>
#include <omp.h>
#include <string.h>

static const heedi_node *inner(const heedi_implicit *m)
{
    return m->y->in[m->y->op->mixing->operand];
}

/* Of a thread: rows of A, one row of M, a column of what it is multiplied
 * with. */
static size_t room_size(int64_t longest)
{
    return (size_t)(HEEDI_SUM_ROWS + 3) * (size_t)longest;
}

size_t heedi_implicit_sums_bytes(const heedi_implicit *m, const heedi_batch *b,
                                 int threads)
{
    return ((size_t)threads * room_size(b->longest) + (size_t)m->y->cols) *
           sizeof(heed_real);
}

static double dot(const heed_real *a, const heed_real *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

typedef struct sums {
    const heedi_implicit *m;
    const heedi_run *run;
    int64_t seq, n;
    const int64_t *q;
    heed_real *product, *rest;
} sums;

/* Of column d, from the rows of A of its head; one: (T), x, u: (T). */
static void column(const sums *s, int64_t d, const heed_real *rows,
                   heed_real *one, heed_real *x, heed_real *u)
{
    const heedi_implicit *m = s->m;
    const int64_t row0 = s->run->batch->start[s->seq], c = m->y->cols;
    const int64_t len = heedi_len(s->run->batch, s->seq);
    for (int64_t i = 0; i < len; i++) {
        x[i] = heedi_implicit_operand_at(m, row0 + i, d);
        u[i] = m->rest ? m->rest[(row0 + i) * inner(m)->cols +
                                 heedi_mixing_column(m->y, d)]
                       : 0;
    }
    for (int64_t k = 0; k < s->n; k++) {
        heedi_fold f = {.seq = s->seq, .q0 = s->q[k], .nq = 1};
        heedi_implicit_fold(m, &f);
        memcpy(one, rows + k * len, (size_t)len * sizeof *one);
        if (s->rest) {
            double sum = (double)s->rest[k * c + d] + dot(one, u, len);
            if (m->skip)
                sum += (double)m->skip[d] * (double)u[s->q[k]];
            s->rest[k * c + d] = (heed_real)sum;
        }
        heedi_fold_entries(m->y, s->run, &f, d, 0, 1, one);
        if (s->product)
            s->product[k * c + d] = (heed_real)dot(one, x, len);
    }
}

static void one_head(const sums *s, int64_t h, heed_real *mem)
{
    const heedi_node *y = s->m->y;
    const int64_t len = heedi_len(s->run->batch, s->seq);
    const int64_t w = heedi_mixing_width(y);
    heed_real *one = mem + HEEDI_SUM_ROWS * len;
    for (int64_t k = 0; k < s->n; k++) {
        const heedi_view v = {.seq = s->seq,
                              .head = h,
                              .q0 = s->q[k],
                              .nq = 1,
                              .out = mem + k * len};
        y->op->mixing->rows(y, s->run, &v);
    }
    for (int64_t d = h * w; d < (h + 1) * w; d++)
        column(s, d, mem, one, one + len, one + 2 * len);
}

void heedi_implicit_rest_below(const heedi_implicit *m, const heedi_run *run,
                               int64_t row, heed_real *work, heed_real *rest)
{
    const int64_t c = m->y->cols;
    for (int i = 0; i < m->n_down; i++) {
        const heedi_node *x = m->down[i];
        const int64_t n = x->op->factor->centred ? m->centred : 0;
        for (int64_t d = 0; n && d < c; d += n) {
            double mean = 0;
            for (int64_t k = 0; k < n; k++)
                mean += (double)rest[d + k] / (double)n;
            for (int64_t k = 0; k < n; k++)
                rest[d + k] -= (heed_real)mean;
        }
        x->op->factor->of(x, run, row, 1, work);
        for (int64_t d = 0; d < c; d++)
            rest[d] *= work[d];
        if (!x->op->factor->rest)
            continue;
        x->op->factor->rest(x, run, row, 1, work);
        for (int64_t d = 0; d < c; d++)
            rest[d] += work[d];
    }
}

void heedi_implicit_sums(const heedi_implicit *m, const heedi_run *run,
                         int64_t seq, const int64_t *q, int64_t n, void *mem,
                         heed_real *product, heed_real *rest)
{
    const heedi_mixing *mix = m->y->op->mixing;
    const int64_t c = m->y->cols, row0 = run->batch->start[seq];
    const size_t size = room_size(run->batch->longest);
    const sums s = {m, run, seq, n, q, product, rest};
    heed_real *at = mem;
    for (int64_t k = 0; rest && k < n; k++) {
        const heedi_view v = {
            .seq = seq, .q0 = q[k], .nq = 1, .out = rest + k * c};
        memset(v.out, 0, (size_t)c * sizeof *v.out);
        if (mix->rest && !m->skip)
            mix->rest(m->y, run, &v);
    }
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t h = 0; h < mix->heads(m->y); h++)
        one_head(&s, h, at + (size_t)omp_get_thread_num() * size);
    for (int64_t k = 0; rest && k < n; k++)
        heedi_implicit_rest_below(m, run, row0 + q[k],
                                  at + (size_t)run->threads * size,
                                  rest + k * c);
}

double heedi_implicit_error(const heedi_implicit *m, const heedi_run *run,
                            int64_t seq, bool drop, void *mem, int64_t *n)
{
    const int64_t t = heedi_len(run->batch, seq), c = m->y->cols;
    int64_t q[HEEDI_SUM_ROWS];
    double worst = 0, most = 0;
    heed_real *product = mem, *rest = product + HEEDI_SUM_ROWS * c;
    *n = t < HEEDI_SUM_ROWS ? t : HEEDI_SUM_ROWS;
    for (int64_t k = 0; k < *n; k++)
        q[k] = *n == 1 ? 0 : k * (t - 1) / (*n - 1);
    heedi_implicit_sums(m, run, seq, q, *n, rest + HEEDI_SUM_ROWS * c, product,
                        rest);
    for (int64_t i = 0; i < *n * c; i++) {
        const int64_t row = run->batch->start[seq] + q[i / c];
        const double out = (double)m->output->x[row * c + i % c];
        const double off =
            fabs((double)product[i] + (drop ? 0 : (double)rest[i]) - out);
        worst = off <= worst ? worst : off; /* NaN stays */
        most = fmax(most, fabs(out));
    }
    return most > 0 ? worst / most : worst;
}
