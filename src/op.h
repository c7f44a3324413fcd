/* op.h - what an operation is.
 *
 * An operation is one `const heedi_op` in one file, src/op/<name>.c. Nothing
 * else in the library switches on the kind of operation. All values are
 * (rows, cols) matrices; the rows are those of the batch. */
#ifndef HEEDI_OP_H
#define HEEDI_OP_H

#include <heed/ctx.h>
#include <heed/real.h>
#include <stdbool.h>

#include "batch.h"
#include "dtype.h"
#include "kernel.h"
#include "ledger.h"

enum { HEEDI_MAX_IN = 4 };

/* What a backward function reads of the forward pass. */
enum {
    HEEDI_IN0 = 1,
    HEEDI_IN1 = 2,
    HEEDI_IN2 = 4,
    HEEDI_IN3 = 8,
    HEEDI_OUT = 16
};

/* What the relevance form of an operation divides by: values of a linear map,
 * of a sum, of a norm; of attention, A V and, inside, Q K^T. */
typedef enum heedi_quotient {
    HEEDI_BY_NOTHING,
    HEEDI_BY_MAP,
    HEEDI_BY_SUM,
    HEEDI_BY_NORM,
    HEEDI_BY_SCORES,
    HEEDI_BY_VALUES,
    HEEDI_N_QUOTIENTS
} heedi_quotient;

typedef struct heedi_columns {
    int64_t n, of;
} heedi_columns;

typedef struct heedi_node heedi_node;
typedef struct heedi_run heedi_run;

/* Read y->g and add into in->g of every input (assign where y->first[i] is
 * set: nobody has written there yet). Relevance travels as g = R / value, so
 * one signature, and mostly one function, serves gradients and relevance:
 * rules need no division, and R = x g is formed only where it is read. What a
 * rule does not pass on it deposits with heedi_deposit(). */
typedef void heedi_back_fn(const heedi_node *y, heedi_run *run);

/* What linear rules need of an operation y = W x + b, linear in its only
 * input, b being the vector: products with a part of W's entries. */
typedef struct heedi_map {
    /* Bytes at the beginning of run->scratch that they use. */
    size_t (*scratch)(const heedi_node *y, int threads);
    /* out = part(W) x, or out += if not `assign` */
    void (*to)(const heedi_node *y, const heedi_run *run, heedi_part part,
               const heed_real *x, heed_real *out, bool assign);
    /* gx = part(W)^T g */
    void (*back)(const heedi_node *y, const heedi_run *run, heedi_part part,
                 const heed_real *g, heed_real *gx, bool assign);
} heedi_map;

/* Token mixing as a matrix. With what its coefficients are made of held fixed,
 * a mixing operation is, for each head and each column of the head,
 *     y_r = sum over c of M[r][c] v_c + rest_r,
 * v being its input number `operand` (Ali et al. 2024, arXiv:2403.01590;
 * Zimerman et al. 2025, arXiv:2405.16504). Of H heads, head h has y's columns
 * h w ... h w + w - 1 with w = y->cols / H, and reads w columns of v, those of
 * part h / (H / parts) where v has fewer parts than heads.
 *
 * A view is of rows q0 ... q0+nq-1 of sequence seq. Which rows are asked for
 * together may change rounding, so callers cut them at fixed places. */
typedef struct heedi_view {
    int64_t seq, head, q0, nq;
    heed_real *out;
    const void *before; /* the state that the sequence continued; NULL: it began
                           with this run */
} heedi_view;

/* Rows of one matrix made of those of all channels d:
 *     out[r][c] = sum over d of f(left_r[d] K_d[r][c] post_c[d]),
 *     K_d[r][c] = M[r][c] right_c[d], or with a filter the sum over k < width
 *                 of M[r][c+k] right_{c+k}[d] filter[width-1-k][d],
 * M being the matrix of d's head: nothing of size channels x T x T exists. With
 * by_head (and no filter) f is of the sum over the columns of a head, and
 * without weights of M itself, once for each head. */
typedef struct heedi_fold {
    int64_t seq, q0, nq;
    heedi_fold_kind f;
    bool by_head;
    const heed_real *left, *right, *post; /* (rows, y->cols); NULL: 1 */
    const heed_real *filter; /* (width, y->cols), the last row meets the
                                present; NULL: none */
    int64_t width;
    bool reversed;      /* of the filter: c-k in place of c+k */
    const void *before; /* as in a view */
    /* An operation's own fold is never asked for these two: src/fold.c. */
    const heed_real *skip; /* (y->cols): added to M's diagonal, the same for the
                              columns of a head; NULL: 0 */
    const bool *pick;      /* (y->cols): columns that count; of a head, by_head,
                              its first one; NULL: all */
    void *scratch;
    heed_real *out; /* (nq, T), assigned: 0 where nothing can enter */
} heedi_fold;

/* Steps of one head, in the order in which the recurrence takes them. */
typedef struct heedi_steps {
    int64_t seq, head, from, n;
} heedi_steps;

typedef struct heedi_mixing {
    const char *mixer; /* "softmax": is stored with every map */
    int operand;
    int step;      /* the input that is the size of a step; 0: there is none */
    bool channels; /* a head is a channel, and there are many */
    bool positive; /* no entry is negative */
    bool softmax;  /* of scores: attention, whose matrix is its block */
    /* as heedi_mixing_direction(); NULL: forward */
    const char *(*direction)(const heedi_node *y);
    int64_t (*heads)(const heedi_node *y);
    /* out, (nq, T): M of one head, zero where nothing can enter. One thread. */
    void (*rows)(const heedi_node *y, const heedi_run *run,
                 const heedi_view *v);
    /* out, (nq, y->cols): rest_r, of all heads. NULL: it is 0. */
    void (*rest)(const heedi_node *y, const heedi_run *run,
                 const heedi_view *v);
    /* The sizes of steps, which M has in its columns, of n rows from `row` on:
     * out, (n, y->cols). With run->raw, M is without them, and they belong to
     * the operand. NULL: there is no such form. */
    void (*sizes)(const heedi_node *y, const heedi_run *run, int64_t row,
                  int64_t n, heed_real *out);
    /* What rows() of one thread, and rest(), need at run->scratch is that of
     * the operation. The functions below call no rows() and use all threads. */

    /* Numbers of a head's state that decay each in its own way; and how: out,
     * (states, n), minus the logarithm of what each is multiplied with at these
     * steps, from 0 to infinity. One thread, no scratch. NULL: there is no
     * state that decays. */
    int64_t (*states)(const heedi_node *y);
    void (*rates)(const heedi_node *y, const heedi_run *run,
                  const heedi_steps *s, double *out);

    /* gv = M^T g, of all sequences: g (rows, y->cols), gv (rows, v->cols).
     * NULL: by rows. */
    void (*transpose)(const heedi_node *y, const heedi_run *run,
                      const heed_real *g, heed_real *gv);
    /* out = M x, of all sequences: x (rows, v->cols), out (rows, y->cols).
     * NULL: by rows. */
    void (*apply)(const heedi_node *y, const heedi_run *run, const heed_real *x,
                  heed_real *out);
    /* NULL: head after head; src/fold.h. Bytes that f->scratch needs for
     * views of at most nq rows. */
    void (*fold)(const heedi_node *y, const heedi_run *run,
                 const heedi_fold *f);
    size_t (*fold_scratch)(const heedi_node *y, const heedi_batch *b,
                           int threads, int64_t nq);
    const struct heedi_separable
        *separable; /* folds by src/separable.h; NULL */
} heedi_mixing;

/* What an operation beside a mixing one multiplies a value with, held fixed:
 *     y = f (in[through] - its mean over each `centred` neighbours) + rest. */
typedef struct heedi_factor {
    int through;
    /* f of n rows from `row` on: (n, y->cols) */
    void (*of)(const heedi_node *y, const heedi_run *run, int64_t row,
               int64_t n, heed_real *f);
    void (*rest)(const heedi_node *y, const heedi_run *run, int64_t row,
                 int64_t n, heed_real *rest); /* NULL: 0 */
    int64_t (*centred)(const heedi_node *y);  /* NULL: nothing is taken off */
} heedi_factor;

/* One filter for each channel: (width, channels), the last row meets the
 * present; y->vec is added. */
typedef struct heedi_filter {
    int64_t width;
    const heed_real *w;
    bool reversed; /* it looks ahead: c+k is c-k */
} heedi_filter;

/* What the tests run an operation on; see tests/test_ops.c. */
typedef struct heedi_example {
    int64_t in[HEEDI_MAX_IN]; /* columns of each input */
    int64_t w_rows, w_cols;   /* of the weight; 0: none */
    int64_t n_vec;            /* of the vector (bias, gain); 0: none */
    const void *args;
} heedi_example;

typedef struct heedi_op {
    const char *name;    /* file name without .c */
    const char *formula; /* one line, for messages and docs */
    const char *rule; /* of relevance, as a gradient; NULL: as its gradient */
    int n_in;
    bool conserves; /* by its own rule, y g_y = sum of x g_x + deposits */
    bool assigns;   /* its backward functions write in->g where y->first is
                       set, rather than adding to zeros */

    int vjp_needs, relevance_needs; /* HEEDI_IN0 ... */
    int relevance_stops; /* inputs that get no relevance: held constant */
    heedi_quotient quotient;
    /* The first columns of so many that are quotients; NULL: all. */
    heedi_columns (*divided)(const heedi_node *y);
    double (*eps)(const heedi_node *y); /* of a norm; NULL: it is none */

    const heedi_example *examples; /* ends at in[0] == 0 */
    const heedi_example *refused;  /* what it must not accept, likewise */

    /* Check columns, weight and args, set y->cols. The only callback that can
     * fail: all memory is allocated before anything runs. */
    heed_status (*infer)(heed_ctx *ctx, heedi_node *y);

    /* Bytes kept from forward to backward (y->saved), and bytes of working
     * memory for all threads together; NULL: none. */
    size_t (*saved)(const heedi_node *y, const heedi_batch *b);
    bool saved_for_vjp; /* relevance reads nothing of it: y->saved is NULL */
    size_t (*scratch)(const heedi_node *y, const heedi_batch *b, int threads);

    /* y = f(x). With y->state the sequence is continued where the last call
     * stopped: prefill and decoding are the same function. */
    void (*forward)(const heedi_node *y, heedi_run *run);
    heedi_back_fn *vjp;       /* NULL: nothing to pass on (a leaf) */
    heedi_back_fn *relevance; /* docs/methods; NULL: same as vjp */

    const heedi_map *map; /* or NULL: it is not linear */

    const heedi_mixing
        *mixing; /* or NULL: it mixes no tokens, or is a filter */
    const heedi_factor *factor;                  /* or NULL */
    heedi_filter (*filter)(const heedi_node *y); /* or NULL */

    /* Bytes of state for one sequence of up to `len` positions (0: y cannot be
     * continued), and what makes the zeroed memory at y->state one. */
    size_t (*state)(const heedi_node *y, int64_t len);
    void (*state_init)(const heedi_node *y, int64_t len);

    /* Multiply-adds times two of one forward call, for plan and progress. */
    double (*flops)(const heedi_node *y, const heedi_batch *b);
} heedi_op;

struct heedi_node {
    const heedi_op *op;
    const char *name; /* "blk.3.mlp.down": as the ledger prints it */
    int id;           /* number in the ledger */
    int64_t layer;    /* -1: before the first one; see heedi_tape */
    int step;         /* place in its block */
    heedi_node *in[HEEDI_MAX_IN];
    heedi_node *next, *prev; /* in order of application */

    const heedi_weight *w; /* or NULL */
    const heed_real *vec;  /* bias or gain, or NULL */
    int64_t n_vec;
    const void *args; /* the operation's own struct, or NULL */

    int64_t cols;
    heed_real *x; /* value, (rows, cols) */
    heed_real *g; /* gradient, or relevance over value; same shape */
    bool first[HEEDI_MAX_IN]; /* the first to write into in[i]->g: only with
                                 op->assigns, otherwise it is zero by then */
    bool live;                /* something arrives at g in the backward pass */
    bool leaf;                /* relevance is read here */
    int place;                /* of x; see layout.c */
    void *saved;
    void *state;       /* of the first sequence; NULL: none is kept */
    size_t state_size; /* bytes from one sequence to the next */
};

static inline void *heedi_state(const heedi_node *y, int64_t seq)
{
    return y->state ? (char *)y->state + (size_t)seq * y->state_size : NULL;
}

struct heedi_run {
    heed_ctx *ctx;
    const heedi_batch *batch;
    const int32_t *id;            /* token of each row */
    const uint8_t *segment;       /* its type; NULL: all 0 */
    const heed_real *leaf;        /* (rows, C): what the embedding gives in
                                     place of the tokens' rows; or NULL */
    const heed_real *pixels;      /* the same of a model that reads images,
                                     where no method asks for others */
    const heed_real *const *rope; /* tables by heedi_rope.index; rope.h */
    int threads;
    void *scratch;   /* of the node that is running */
    double *partial; /* one for each small tile */
    heedi_ledger *ledger;
    const double *opt;             /* options of the method, numbers only */
    const struct heedi_rule *rule; /* of the node that is running, or NULL:
                                      its own function runs */
    const struct heedi_stabiliser *stab; /* or NULL */
    bool raw; /* mixing matrices are without the sizes of steps */
    struct heedi_readout *readout; /* or NULL */
};

extern const heedi_op *const heedi_ops[]; /* NULL-terminated, name order */
#define ROW(name) extern const heedi_op heedi_op_##name;
#include "ops.inc"
#undef ROW

/* NULL if there is none of that name. */
const heedi_op *heedi_op_named(const char *name);

/* Fail with the name and formula of y's operation and the columns it was
 * given: what `infer` returns. */
heed_status heedi_bad_shapes(heed_ctx *ctx, const heedi_node *y);

#endif
