/* optest.h - one operation on a tape of its own, run by hand. Needs
 * testlib.h before it. */
#ifndef OPTEST_H
#define OPTEST_H

#include <omp.h>

#include "args.h"
#include "tape.h"
#include "threads.h"

/* What to run an example on. Sequence s has the values of sequence
 * s + offset of every other run, so that it can be compared alone. */
typedef struct optest_how {
    const int64_t *len;
    int64_t n_seq, offset;
    int threads;
    bool same;       /* one value for all inputs */
    bool other;      /* a weight that must be decoded */
    bool transposed; /* the weight is (inputs, outputs) */
} optest_how;

typedef struct optest {
    heed_ctx *ctx;
    heedi_arena mem;
    heedi_batch batch;
    heedi_tape tape;
    heedi_run run;
    heedi_ledger ledger;
    heedi_weight weight;
    const heed_real *rope[1];
    heedi_node *in[HEEDI_MAX_IN], *y;
} optest;

static inline void *optest_alloc(optest *t, size_t n)
{
    void *p = heedi_arena_alloc(&t->mem, n);
    assert_non_null(p);
    return p;
}

static inline heed_real *optest_reals(optest *t, int64_t n)
{
    return optest_alloc(t, (size_t)n * sizeof(heed_real));
}

/* 1/4 < |x| < 5/4: away from poles and kinks */
static inline heed_real optest_value(uint32_t *s)
{
    heed_real x = rnd(s);
    return x < 0 ? x - (heed_real)0.25 : x + (heed_real)0.25;
}

static inline uint32_t optest_seed(int64_t a, int64_t b)
{
    uint32_t s = (uint32_t)(a * 7919 + b + 1) * 2654435761u | 1u;
    for (int i = 0; i < 4; i++)
        rnd(&s);
    return s;
}

/* (rows, cols) values of array number `which` */
static inline void optest_fill(optest *t, heed_real *x, int64_t cols,
                               int64_t which, int64_t offset)
{
    const heedi_batch *b = &t->batch;
    for (int64_t s = 0; s < b->n_seq; s++) {
        uint32_t seed = optest_seed(s + offset, which);
        for (int64_t i = b->start[s] * cols; i < b->start[s + 1] * cols; i++)
            x[i] = optest_value(&seed);
    }
}

static inline const heedi_dtype *optest_dtype(const char *name)
{
    const heedi_dtype *d = heedi_dtypes;
    while (d->name && strcmp(d->name, name) != 0)
        d++;
    assert_non_null(d->name);
    return d;
}

/* float32 or float64: one of the two is the library's own. */
static inline void optest_weight(optest *t, int64_t rows, int64_t cols,
                                 bool other)
{
    const bool f32 = (sizeof(heed_real) == 4) != other;
    const size_t n = (size_t)(rows * cols);
    uint32_t seed = optest_seed(5, 5);
    float *f = optest_alloc(t, n * sizeof *f);
    double *d = optest_alloc(t, n * sizeof *d);
    for (size_t i = 0; i < n; i++)
        d[i] = (double)(f[i] = (float)optest_value(&seed));
    t->weight = (heedi_weight){
        .name = "test.weight",
        .dtype = optest_dtype(f32 ? "f32" : "f64"),
        .data = f32 ? (unsigned char *)(void *)f : (unsigned char *)(void *)d,
        .rows = rows,
        .cols = cols,
        .stride = (size_t)cols * (f32 ? sizeof *f : sizeof *d)};
}

/* A turn by an angle of its own for each position and pair. */
static inline void optest_rope(optest *t, const heedi_rope *r)
{
    const heedi_batch *b = &t->batch;
    heed_real *x = optest_reals(t, b->rows * r->rot);
    for (int64_t s = 0; s < b->n_seq; s++)
        for (int64_t i = b->start[s]; i < b->start[s + 1]; i++)
            for (int64_t k = 0; k < r->rot / 2; k++) {
                double a = (double)(i - b->start[s]) / (double)(1 + 2 * k);
                x[i * r->rot + 2 * k] = (heed_real)cos(a);
                x[i * r->rot + 2 * k + 1] = (heed_real)sin(a);
            }
    t->rope[0] = x;
}

static inline void optest_memory(optest *t, optest_how h)
{
    const heedi_batch *b = &t->batch;
    heedi_node *y = t->y;
    for (int i = 0; i < y->op->n_in; i++) {
        t->in[i]->x = optest_reals(t, b->rows * t->in[i]->cols);
        t->in[i]->g = optest_reals(t, b->rows * t->in[i]->cols);
        optest_fill(t, t->in[i]->x, t->in[i]->cols, h.same ? 0 : i, h.offset);
    }
    y->x = optest_reals(t, b->rows * y->cols);
    y->g = optest_reals(t, b->rows * y->cols);
    optest_fill(t, y->g, y->cols, 10, h.offset);
    if (y->op->saved)
        y->saved = optest_alloc(t, y->op->saved(y, b));
    if (y->op->scratch)
        t->run.scratch = optest_alloc(t, y->op->scratch(y, b, h.threads));
    t->run.partial =
        optest_alloc(t, (size_t)b->n_small * sizeof *t->run.partial);
    int32_t *id = optest_alloc(t, (size_t)b->rows * sizeof *id);
    for (int64_t s = 0; y->w && s < b->n_seq; s++)
        for (int64_t i = b->start[s]; i < b->start[s + 1]; i++)
            id[i] =
                (int32_t)((7 * (s + h.offset) + i - b->start[s]) % y->w->rows);
    t->run.id = id;
    if (y->op->n_in == 0) {
        heed_real *x = optest_reals(t, b->rows * y->cols);
        optest_fill(t, x, y->cols, 11, h.offset);
        t->run.pixels = x;
    }
    uint8_t *segment = optest_alloc(t, (size_t)b->rows);
    for (int64_t s = 0; s < b->n_seq; s++)
        for (int64_t i = b->start[s]; i < b->start[s + 1]; i++)
            segment[i] = (i - b->start[s]) % 3 == 2;
    t->run.segment = segment;
    assert_int_equal(heedi_ledger_init(&t->ledger, &t->mem, b->n_seq, 1, false),
                     HEED_OK);
    t->run.ledger = &t->ledger;
}

/* Values and gradients are there, the forward pass has not run. What `infer`
 * said; optest_close() in any case. */
static inline heed_status optest_open(optest *t, const heedi_op *op,
                                      const heedi_example *row, optest_how h)
{
    *t = (optest){.ctx = new_ctx()};
    heedi_arena_init(&t->mem, t->ctx);
    assert_int_equal(heedi_batch_init(&t->batch, &t->mem, h.len, h.n_seq, 0),
                     HEED_OK);
    t->run = (heedi_run){.ctx = t->ctx,
                         .batch = &t->batch,
                         .rope = t->rope,
                         .threads = h.threads};
    t->tape = (heedi_tape){.ctx = t->ctx, .mem = &t->mem, .prefix = ""};
    for (int i = 0; i < op->n_in; i++)
        t->in[i] =
            i > 0 && h.same ? t->in[0] : heedi_outside(&t->tape, row->in[i]);
    heedi_with with = {.name = "node", .n_vec = row->n_vec, .args = row->args};
    if (row->w_rows > 0) {
        optest_weight(t, row->w_rows, row->w_cols, h.other);
        t->weight.transposed = h.transposed;
        with.w = &t->weight;
    }
    if (row->n_vec > 0) {
        uint32_t seed = optest_seed(6, 6);
        heed_real *v = optest_reals(t, row->n_vec);
        for (int64_t i = 0; i < row->n_vec; i++)
            v[i] = optest_value(&seed);
        with.vec = v;
    }
    t->y = heedi_apply_list(&t->tape, op, with, t->in);
    if (!t->y)
        return t->tape.status;
    if (strcmp(op->name, "rope") == 0)
        optest_rope(t, ((const heedi_rope_args *)row->args)->rope);
    optest_memory(t, h);
    return HEED_OK;
}

static inline void optest_close(optest *t)
{
    heedi_arena_clear(&t->mem);
    heed_ctx_free(t->ctx);
}

static inline void optest_forward(optest *t)
{
    omp_set_num_threads(t->run.threads);
    t->y->op->forward(t->y, &t->run);
}

/* Gradients of the inputs are set to `fill` before, y->first to the bits of
 * `first`, the ledger to zero. Inputs that are held constant are not touched;
 * their gradient is 0 then. */
static inline void optest_back(optest *t, heedi_pass pass, unsigned first,
                               heed_real fill)
{
    const heedi_back back = heedi_back_of(t->y, (heedi_rules){pass, NULL});
    const int n_in = t->y->op->n_in;
    const bool same = n_in > 1 && t->in[0] == t->in[1];
    for (int i = 0; i < n_in; i++) {
        t->y->first[i] = (first >> i & 1) && !(back.stops >> i & 1);
        for (int64_t k = 0; k < t->batch.rows * t->in[i]->cols; k++)
            t->in[i]->g[k] = fill;
    }
    heedi_ledger_zero(&t->ledger);
    omp_set_num_threads(t->run.threads);
    back.fn(t->y, &t->run);
    for (int i = 0; i < n_in; i++)
        for (int64_t k = 0; !same && (back.stops >> i & 1) &&
                            k < t->batch.rows * t->in[i]->cols;
             k++) {
            if (memcmp(t->in[i]->g + k, &fill, sizeof fill) != 0)
                fail_msg("%s: input %d is held constant, but got something",
                         t->y->op->name, i);
            t->in[i]->g[k] = fill == fill ? fill : 0;
        }
}

static inline heed_real *optest_copy(optest *t, const heed_real *x, int64_t n)
{
    heed_real *y = optest_reals(t, n);
    memcpy(y, x, (size_t)n * sizeof *y);
    return y;
}

/* Largest difference relative to the largest value of b. */
static inline double optest_worst(const heed_real *a, const heed_real *b,
                                  int64_t n)
{
    double worst = 0, most = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        worst = !(d <= worst) ? d : worst;
        worst = d == d ? worst : HUGE_VAL;
        most = fmax(most, fabs((double)b[i]));
    }
    return most > 0 ? worst / most : worst;
}

static inline double optest_tol(double f, double d)
{
    return sizeof(heed_real) == 4 ? f : d;
}

/* rows x cols values, the last row first */
static inline void optest_flip(heed_real *x, int64_t rows, int64_t cols)
{
    for (int64_t i = 0; i < rows / 2; i++)
        for (int64_t c = 0; c < cols; c++) {
            heed_real *a = x + i * cols + c, *b = x + (rows - 1 - i) * cols + c,
                      was = *a;
            *a = *b;
            *b = was;
        }
}

/* Its time runs from the last position to the first. */
static inline bool optest_reversed(const heedi_node *y)
{
    return (y->op == &heedi_op_scan &&
            ((const heedi_scan_args *)y->args)->reversed) ||
           (y->op == &heedi_op_conv1d &&
            ((const heedi_conv_args *)y->args)->reversed);
}

/* What comes later enters what was before: it cannot be continued. */
static inline bool optest_ahead(const heedi_node *y)
{
    return optest_reversed(y) ||
           (y->op == &heedi_op_attention &&
            ((const heedi_attention_args *)y->args)->bidirectional);
}

static inline bool optest_seen(const heedi_attention_args *a, int64_t i,
                               int64_t j)
{
    if (a->bidirectional)
        return a->window == 0 || llabs(i - j) <= a->window;
    return j <= i && (a->window == 0 || j > i - a->window);
}

static inline double optest_bias(const heedi_attention_args *a, int64_t h,
                                 int64_t i, int64_t j)
{
    double b = a->slope ? -a->slope[h] * (double)llabs(i - j) : 0;
    int64_t step = j - i;
    if (step > a->reach)
        step = a->reach;
    if (step < -a->reach)
        step = -a->reach;
    if (a->by_step)
        b += (double)a->by_step[h * (2 * a->reach + 1) + a->reach + step];
    return b;
}

/* What relative keys add to the score of rows q and k, before scaling. */
static inline double optest_relative(const heedi_attention_args *a,
                                     const heed_real *q, const heed_real *k,
                                     int64_t step)
{
    const int64_t m = a->span, d = a->head_dim;
    const int64_t at = (step < -m ? -m : step > m ? m : step) + m;
    double sum = 0;
    for (int64_t c = 0; a->by_query && c < d; c++)
        sum += (double)q[c] * (double)a->by_query[at * d + c];
    for (int64_t c = 0; a->by_key && c < d; c++)
        sum += (double)k[c] * (double)a->by_key[at * d + c];
    return sum;
}

/* Softmax attention of one head as a matrix, in plain loops: scores (T, T) and
 * weights, 0 where a query does not see a key. row0: first row of the
 * sequence. */
static inline void optest_attention(const heedi_node *y, int64_t row0,
                                    int64_t len, int64_t h, double *s,
                                    double *p)
{
    const heedi_attention_args *a = y->args;
    const int64_t d = a->head_dim, g = h / (a->heads / a->kv_heads);
    for (int64_t i = 0; i < len; i++) {
        double sum = 0;
        for (int64_t j = 0; j < len; j++) {
            const heed_real *q = y->in[0]->x + (row0 + i) * y->cols + h * d;
            const heed_real *k =
                y->in[1]->x + (row0 + j) * y->in[1]->cols + g * d;
            double dot = 0;
            for (int64_t c = 0; c < d; c++)
                dot += (double)q[c] * (double)k[c];
            bool seen = optest_seen(a, i, j);
            dot += optest_relative(a, q, k, j - i);
            s[i * len + j] =
                seen ? a->scale * dot + optest_bias(a, h, i, j) : 0;
            sum += p[i * len + j] = seen ? exp(s[i * len + j]) : 0;
        }
        for (int64_t j = 0; j < len; j++)
            p[i * len + j] /= sum;
    }
}

/* kappa = 1/2 sum (A gA - S gS) over all heads (spec of attn_lrp), and, of
 * each row, the sum of f_bias times the bias and f_rel times what relative keys
 * add, times gS, over the pairs that it is the query of, and the key: (len), or
 * NULL. */
static inline double optest_kappa(const heedi_node *y, int64_t row0,
                                  int64_t len, double f_bias, double f_rel,
                                  double *query, double *key)
{
    const heedi_attention_args *a = y->args;
    const int64_t d = a->head_dim, n = len * len;
    double *s = calloc((size_t)(3 * n), sizeof *s), *p = s + n, *ga = p + n;
    double kappa = 0;
    for (int64_t i = 0; query && i < len; i++)
        query[i] = key[i] = 0;
    for (int64_t h = 0; h < a->heads; h++) {
        optest_attention(y, row0, len, h, s, p);
        const int64_t g = h / (a->heads / a->kv_heads);
        for (int64_t i = 0; i < len; i++) {
            const heed_real *go = y->g + (row0 + i) * y->cols + h * d;
            double mean = 0;
            for (int64_t j = 0; j < len; j++) {
                const heed_real *v =
                    y->in[2]->x + (row0 + j) * y->in[2]->cols + g * d;
                ga[i * len + j] = 0;
                for (int64_t c = 0; c < d; c++)
                    ga[i * len + j] += (double)go[c] * (double)v[c];
                mean += p[i * len + j] * ga[i * len + j];
            }
            for (int64_t j = 0; j < len; j++) {
                int64_t k = i * len + j;
                double gs = p[k] * (ga[k] - mean);
                kappa += 0.5 * (p[k] * ga[k] - s[k] * gs);
                if (!query)
                    continue;
                const double add =
                    f_bias * optest_bias(a, h, i, j) +
                    f_rel * a->scale *
                        optest_relative(
                            a, y->in[0]->x + (row0 + i) * y->cols + h * d,
                            y->in[1]->x + (row0 + j) * y->in[1]->cols + g * d,
                            j - i);
                query[i] += add * gs;
                key[j] += add * gs;
            }
        }
    }
    free(s);
    return kappa;
}

/* ---- every example of every operation ---- */

static const int64_t lengths[] = {5, 1, 9, 300};
enum { N_SEQ = 4 };
static const optest_how batch = {.len = lengths, .n_seq = N_SEQ, .threads = 2};

typedef void check_fn(const heedi_op *op, const heedi_example *row,
                      optest_how how);

static inline void every_row(check_fn *check)
{
    for (const heedi_op *const *op = heedi_ops; *op; op++)
        for (const heedi_example *row = (*op)->examples; row->in[0]; row++) {
            optest_how how = batch;
            check(*op, row, how);
            how.other = true;
            if (row->w_rows > 0)
                check(*op, row, how);
        }
}

static inline void within(const heedi_op *op, const heedi_example *row,
                          const char *what, double error, double tol)
{
    if (!(error <= tol))
        fail_msg("%s, example %d: %s: %.3g, at most %.3g", op->name,
                 (int)(row - op->examples), what, error, tol);
}

static inline void beyond(const heedi_op *op, const heedi_example *row,
                          const char *what, double error, double tol)
{
    if (!(error > 2 * tol))
        fail_msg("%s, example %d: damaged, but %s: %.3g", op->name,
                 (int)(row - op->examples), what, error);
}

static inline void open_(optest *t, const heedi_op *op,
                         const heedi_example *row, optest_how how)
{
    if (optest_open(t, op, row, how) != HEED_OK)
        fail_msg("%s: %s", op->name, heed_error(t->ctx));
}

static inline double most(const heed_real *x, int64_t n, int64_t *at)
{
    *at = 0;
    for (int64_t i = 0; i < n; i++)
        if (fabs((double)x[i]) > fabs((double)x[*at]))
            *at = i;
    return fabs((double)x[*at]);
}

#endif
