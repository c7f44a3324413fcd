#include "args.h"
#include "fold.h"
#include "scan.h"

#include <math.h>
#include <omp.h>
#include <string.h>

/* Rows of the matrices of all channels, folded (src/kernel/hidden.c). Channels
 * are summed in GROUPS parts, whatever the number of threads, each in its own
 * accumulator, which are added in their order. Rows and columns are counted in
 * steps until then: from the end where time runs back. Rows of a tile are made
 * as its first row has it, whichever of them are asked for: no bits depend on
 * how a caller cuts rows. */
enum { GROUPS = 8, ALIGN = 64 / sizeof(heed_real), TILE = HEEDI_HIDDEN_TILE };

static int64_t n_groups(const heedi_node *y)
{
    const int64_t n = heedi_scan_groups(y);
    return n < GROUPS ? n : GROUPS;
}

static int64_t padded(int64_t rows)
{
    return (rows + HEEDI_HIDDEN_SUB - 1) / HEEDI_HIDDEN_SUB * HEEDI_HIDDEN_SUB;
}

static int64_t aligned(int64_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

/* Filters are of a few steps: what is kept room for. */
enum { WIDEST = 64 };

static int64_t work_size(const heedi_node *y, int64_t end, int64_t nq)
{
    const heedi_scan_args *a = y->args;
    return aligned(heedi_hidden_work(end, nq, a->n_state, WIDEST));
}

size_t heedi_scan_fold_scratch(const heedi_node *y, const heedi_batch *b,
                               int threads, int64_t nq)
{
    const heedi_scan_args *a = y->args;
    const int64_t ld = heedi_hidden_columns(b->longest);
    const int64_t most = nq < b->longest ? nq : b->longest;
    const int64_t rows = most < TILE ? most + HEEDI_HIDDEN_TALL - 1 : TILE;
    return (size_t)(a->n_state * ld + aligned(a->n_state) +
                    n_groups(y) * padded(rows) * ld +
                    threads * work_size(y, b->longest, rows) + ALIGN) *
           sizeof(heed_real);
}

/* What a call works on, one tile after another: rows q0 ... q0+nq-1 are asked
 * for, and, if another begins a TALL, those from `first` on are made. */
typedef struct call {
    const heedi_node *y;
    const heedi_run *run;
    const heedi_fold *f;
    int64_t q0, nq, first, end, ld, rows; /* end: of columns that anything
                                             enters, too; padded */
    heed_real *b, *most, *acc, *work;
} call;

/* Of the rows q0 ... those that are in its tile. */
static call call_of(const heedi_node *y, const heedi_run *run,
                    const heedi_fold *f, int64_t q0, int64_t nq)
{
    const heedi_scan_args *a = y->args;
    const uintptr_t at = (uintptr_t)f->scratch;
    const int64_t left = TILE - q0 % TILE;
    call k = {.y = y, .run = run, .f = f, .q0 = q0};
    k.nq = nq < left ? nq : left;
    k.first = q0 / HEEDI_HIDDEN_TALL * HEEDI_HIDDEN_TALL;
    k.end = k.q0 + k.nq;
    k.ld = heedi_hidden_columns(k.end);
    k.rows = padded(k.end - k.first);
    k.b = (heed_real *)((at + 63) / 64 * 64);
    k.most = k.b + a->n_state * k.ld;
    k.acc = k.most + aligned(a->n_state);
    k.work = k.acc + n_groups(y) * k.rows * k.ld;
    return k;
}

/* Largest |C| of each state in a tile, all of its rows. */
static void most_c(const call *k)
{
    const int64_t n = ((const heedi_scan_args *)k->y->args)->n_state;
    const int64_t len = heedi_len(k->run->batch, k->f->seq);
    const int64_t from = k->q0 / TILE * TILE;
    const int64_t to = len - from < TILE ? len : from + TILE;
    const int64_t step = heedi_scan_step(k->y) * n;
    const heed_real *c =
        k->y->in[3]->x + heedi_scan_row(k->y, k->run->batch, k->f->seq, 0) * n;
    memset(k->most, 0, (size_t)n * sizeof *c);
    for (int64_t q = from; q < to; q++)
        for (int64_t i = 0; i < n; i++) {
            const heed_real x = c[q * step + i], size = x < 0 ? -x : x;
            k->most[i] = size < k->most[i] ? k->most[i] : size;
        }
}

static void turn_b(const call *k)
{
    const int64_t n = ((const heedi_scan_args *)k->y->args)->n_state;
    const int64_t step = heedi_scan_step(k->y) * n;
    const heed_real *b =
        k->y->in[2]->x + heedi_scan_row(k->y, k->run->batch, k->f->seq, 0) * n;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        memset(k->b + i * k->ld + k->end, 0,
               (size_t)(k->ld - k->end) * sizeof *b);
        for (int64_t c = 0; c < k->end; c++)
            k->b[i * k->ld + c] = b[c * step + i];
    }
}

static const heed_real *at(const heed_real *x, int64_t i)
{
    return x ? x + i : NULL;
}

static void one_group(const call *k, int64_t group)
{
    const heedi_node *y = k->y;
    const heedi_fold *f = k->f;
    const heedi_scan_args *a = y->args;
    const int64_t n = heedi_scan_groups(y), parts = n_groups(y);
    const int64_t row = heedi_scan_row(y, k->run->batch, f->seq, 0);
    const int64_t step = heedi_scan_step(y);
    heed_real *acc = k->acc + group * k->rows * k->ld;
    for (int64_t i = 0; i < k->rows * k->ld; i++)
        acc[i] = f->f == HEEDI_FOLD_MAX ? -(heed_real)HUGE_VAL : 0;
    for (int64_t g = n * group / parts; g < n * (group + 1) / parts; g++) {
        const int64_t c = g * HEEDI_LANES, left = y->cols - c;
        const int64_t from = row * y->cols + c;
        const heedi_hidden h = {.q0 = k->q0 / TILE * TILE,
                                .first = k->first,
                                .n = k->end - k->first,
                                .n_state = a->n_state,
                                .ld = step * y->cols,
                                .lanes =
                                    left < HEEDI_LANES ? left : HEEDI_LANES,
                                .ldb = k->ld,
                                .ldc = step * a->n_state,
                                .lda = k->ld,
                                .ldw = y->cols,
                                .width = f->filter ? f->width : 1,
                                .dt = y->in[1]->x + from,
                                .left = at(f->left, from),
                                .right = at(f->right, from),
                                .post = at(f->post, from),
                                .filter = at(f->filter, c),
                                .b = k->b,
                                .c = y->in[3]->x + row * a->n_state,
                                .most = k->most,
                                .a = a->a + (size_t)g * heedi_scan_unit(y),
                                .f = f->f,
                                .acc = acc};
        heedi_hidden_kernels()->fold(
            &h, k->work + omp_get_thread_num() * work_size(y, k->end, k->rows));
    }
}

/* Of the groups, in their order; row0: step of the first row that the caller
 * asked for. */
static void gather(const call *k, int64_t row0)
{
    const heedi_fold *f = k->f;
    const int64_t len = heedi_len(k->run->batch, f->seq);
    const int64_t size = k->rows * k->ld, parts = n_groups(k->y);
    const bool back = heedi_scan_step(k->y) < 0;
#pragma omp parallel for schedule(static)
    for (int64_t q = k->q0; q < k->end; q++) {
        const heed_real *x = k->acc + (q - k->first) * k->ld;
        const int64_t i = q - row0;
        heed_real *out = f->out + (back ? f->nq - 1 - i : i) * len;
        memset(out, 0, (size_t)len * sizeof *out);
        for (int64_t c = 0; c <= q; c++) {
            double sum = (double)x[c];
            for (int64_t g = 1; g < parts; g++) {
                const double a = (double)x[g * size + c];
                sum = f->f != HEEDI_FOLD_MAX ? sum + a : a > sum ? a : sum;
            }
            out[back ? len - 1 - c : c] = (heed_real)(sum + 0.0); /* no -0 */
        }
    }
}

void heedi_scan_fold(const heedi_node *y, const heedi_run *run,
                     const heedi_fold *f)
{
    const bool back = heedi_scan_step(y) < 0;
    const int64_t len = heedi_len(run->batch, f->seq);
    const int64_t row0 = back ? len - f->q0 - f->nq : f->q0;
    if (f->filter && (f->reversed != back || f->width > WIDEST)) {
        heedi_fold_rows(y, run, f);
        return;
    }
    for (int64_t i = 0, n; i < f->nq; i += n) {
        const call k = call_of(y, run, f, row0 + i, f->nq - i);
        n = k.nq;
        turn_b(&k);
        most_c(&k);
#pragma omp parallel for schedule(dynamic, 1)
        for (int64_t g = 0; g < n_groups(y); g++)
            one_group(&k, g);
        gather(&k, row0);
    }
}
