#include "linear_rule.h"

static size_t line(size_t n)
{
    return (n + 63) / 64 * 64;
}

size_t heedi_linear_scratch(const heedi_node *y, const heedi_batch *b,
                            int threads, int n_in, int n_out)
{
    const size_t rows = (size_t)b->rows * sizeof(heed_real);
    return line(y->op->map->scratch(y, threads)) +
           (size_t)n_in * line(rows * (size_t)y->in[0]->cols) +
           (size_t)n_out * line(rows * (size_t)y->cols) +
           2 * (size_t)b->n_small * sizeof(double);
}

heedi_linear heedi_linear_begin(const heedi_node *y, heedi_run *run, int n_in,
                                int n_out)
{
    const size_t rows = (size_t)run->batch->rows * sizeof(heed_real);
    heedi_linear l = {.y = y, .run = run, .map = y->op->map};
    for (int i = 0; i < HEED_RULE_ARGS; i++)
        l.arg[i] = run->rule->arg[i];
    char *at = run->scratch;
    at += line(l.map->scratch(y, run->threads));
    for (int i = 0; i < n_in; i++) {
        l.in[i] = (heed_real *)(void *)at;
        at += line(rows * (size_t)y->in[0]->cols);
    }
    for (int i = 0; i < n_out; i++) {
        l.out[i] = (heed_real *)(void *)at;
        at += line(rows * (size_t)y->cols);
    }
    l.sum = (double *)(void *)at;
    return l;
}

void heedi_linear_rows(const heedi_linear *l, heedi_linear_row *fn)
{
    const heedi_batch *b = l->run->batch;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        double *sum = l->sum + 2 * k;
        sum[0] = sum[1] = 0;
        for (int64_t r = b->small[k].row; r < b->small[k].row + b->small[k].n;
             r++)
            fn(l, r, sum);
    }
    for (int64_t k = 0; k < b->n_small; k++) {
        const int64_t seq = b->small[k].seq;
        heedi_deposit(l->run->ledger, seq, l->y->id, HEEDI_ENTRY_bias,
                      l->sum[2 * k]);
        heedi_deposit(l->run->ledger, seq, l->y->id, HEEDI_ENTRY_eps,
                      l->sum[2 * k + 1]);
    }
}

void heedi_linear_part(const heedi_linear *l, heedi_part part, heed_real *to)
{
    const heedi_node *x = l->y->in[0];
    const int64_t n = l->run->batch->rows * x->cols;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        to[i] = (part == HEEDI_POSITIVE) == (x->x[i] > 0) ? x->x[i] : 0;
}

void heedi_linear_divide(const heedi_linear *l, const heed_real *x_r)
{
    const heedi_batch *b = l->run->batch;
    const heedi_node *x = l->y->in[0];
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < b->n_small; k++) {
        const int64_t i0 = b->small[k].row * x->cols;
        double lost = 0;
        for (int64_t i = i0; i < i0 + b->small[k].n * x->cols; i++) {
            heed_real g = x->x[i] != 0 ? x_r[i] / x->x[i] : 0;
            lost += x->x[i] != 0 ? 0 : (double)x_r[i];
            x->g[i] = l->y->first[0] ? g : x->g[i] + g;
        }
        l->sum[2 * k] = lost;
    }
    for (int64_t k = 0; k < b->n_small; k++)
        heedi_deposit(l->run->ledger, b->small[k].seq, l->y->id,
                      HEEDI_ENTRY_eps, l->sum[2 * k]);
}
