/* check.h - the parts of heed_check(). */
#ifndef HEEDI_CHECK_H
#define HEEDI_CHECK_H

#include <heed/check.h>

#include "exec.h"

/* Whose backward functions are checked. A test damages some of them. */
typedef struct heedi_check_rules {
    heedi_rules gradient, relevance;
    const double *opt; /* options of the method */
} heedi_check_rules;

enum { HEEDI_MAX_CHECKS = 9 };

struct heed_check_report {
    heedi_arena mem;
    const char *why; /* a value is not finite: the sentence, or NULL */
    double target;   /* what is explained */
    int n;
    heed_check_row row[HEEDI_MAX_CHECKS];
};

/* What is run: a text or a picture, or two texts that are compared. */
typedef struct heedi_check_input {
    const int64_t *len; /* of n_seq sequences */
    int64_t n_seq;
    const int32_t *id;       /* of all tokens */
    const uint8_t *segment;  /* of all tokens; NULL: all 0 */
    const heed_real *pixels; /* rows of the leaf; NULL: a text */
} heedi_check_input;

typedef struct heedi_check {
    heed_ctx *ctx;
    const heed_model *m;
    const heed_check_options *o;
    const heedi_check_rules *rules;
    heedi_check_input in;
    heedi_check_input brief; /* of the checks of single operations */
    heed_check_report *r;    /* rows are added here */
} heedi_check;

/* heed_check() with the rules of the caller's choice. */
heed_status heedi_check_run(heed_ctx *ctx, const heed_model *m,
                            const heedi_check_input *in,
                            const heed_check_options *o,
                            const heedi_check_rules *rules,
                            heed_check_report **out);

/* A new row that has passed so far. Never NULL: there is room for all. */
heed_check_row *heedi_check_row(heedi_check *k, const char *name,
                                const char *summary, double tolerance);
/* Count an error of one operation, whose name is copied. NaN is the worst. */
heed_status heedi_check_worst(heedi_check *k, heed_check_row *row,
                              const char *op, double error);

/* ---- check_input.c: inputs made of k->in, in mem ---- */

/* The first rows of each sequence, at most `most`. */
heed_status heedi_check_cut(const heedi_check *k, heedi_arena *mem,
                            int64_t most, heedi_check_input *out);
/* Itself as sequences 1 to n_seq, between two others. */
heed_status heedi_check_between(const heedi_check *k, heedi_arena *mem,
                                heedi_check_input *out);
/* The note of a check that takes k->brief. */
heed_status heedi_check_shortened(heedi_check *k, heed_check_row *row);

/* A bound in float32, and in the double variant. */
static inline double heedi_check_tol(double single, double twice)
{
    return sizeof(heed_real) == 4 ? single : twice;
}

/* check_node.c: rows "adjoint" and "rule", operation by operation. */
heed_status heedi_check_nodes(heedi_check *k);
/* One operation that has run, with its value, its saved values and those of its
 * inputs; what is in g is not read or changed. */
heed_status heedi_check_node(heedi_check *k, const heedi_run *run,
                             const heedi_node *y, heed_check_row *adjoint,
                             heed_check_row *rule);
/* check_run.c: rows "finite", "account" and "total" of a whole run; *bad: a
 * value is not finite. Then "batch", "threads" and "recompute". */
heed_status heedi_check_whole(heedi_check *k, bool *bad);
/* check_steps.c: row "steps". */
heed_status heedi_check_steps(heedi_check *k);

/* ---- check_trace.c: a run of the conserving method, in numbers ---- */

typedef struct heedi_trace_how {
    const heedi_check_input *in;
    int64_t seq; /* the first of the sequences of k->in: they are looked at */
    int threads; /* 0: as the context says */
    bool recompute;
} heedi_trace_how;

typedef struct heedi_trace {
    int n_ops;
    const char **name;    /* of operations; the last one is the head */
    bool *leaf;           /* the account does not go on there */
    uint64_t *value;      /* hash of every operation's output */
    uint64_t *relevance;  /* hash of its line in the ledger */
    double *lost;         /* <y, g_y> - sum <x, g_x> - deposits */
    uint64_t end;         /* hash of the target and of token relevance */
    double target, scale; /* scale: the greater of |target| and sum |R| */
    double residual;
    const char *bad; /* what is not finite, or NULL */
    const char *why; /* the sentence that says so */
} heedi_trace;

/* In mem. A value that is not finite is no failure here: t->bad. */
heed_status heedi_trace_run(heedi_check *k, heedi_arena *mem,
                            const heedi_trace_how *how, heedi_trace *t);

#endif
