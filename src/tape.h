/* tape.h - the operations of one block, in order. */
#ifndef HEEDI_TAPE_H
#define HEEDI_TAPE_H

#include "arena.h"
#include "op.h"

/* The first failure while building sticks in `status`; later steps become
 * no-ops, so a model is written without a check on every line. */
typedef struct heedi_tape {
    heed_ctx *ctx;
    heedi_arena *mem;
    const char *prefix; /* of the names of its operations: "blk.3." */
    int first_id;       /* ledger number of the first operation */
    int n;              /* operations */
    heedi_node *in;     /* value that comes from the block before; NULL in the
                           first block */
    heedi_node *first, *last;
    heed_status status;
} heedi_tape;

/* What an operation is applied with; name is without the prefix. */
typedef struct heedi_with {
    const char *name;
    const heedi_weight *w;
    const heed_real *vec;
    int64_t n_vec;
    const void *args;
} heedi_with;

/* Returns NULL after a failure, which may be passed on. */
heedi_node *heedi_apply_list(heedi_tape *t, const heedi_op *op, heedi_with with,
                             heedi_node *const in[HEEDI_MAX_IN]);
#define heedi_apply(t, op, with, ...)   \
    heedi_apply_list((t), (op), (with), \
                     (heedi_node *const[HEEDI_MAX_IN]){__VA_ARGS__})

/* A value that comes from outside: the input of a block, or of a test. */
heedi_node *heedi_outside(heedi_tape *t, int64_t cols);

/* One row of a method's rule table: on nodes of `op` whose name matches `glob`
 * (NULL: all), propagate with `back`, which reads what `needs` says. The last
 * match wins. */
typedef struct heedi_rule {
    const heedi_op *op;
    const char *glob;
    heedi_back_fn *back;
    int needs, stops;
} heedi_rule;

/* Whose own functions apply where `rules` (ends at op == NULL; or NULL) has
 * none. */
typedef enum heedi_pass {
    HEEDI_FORWARD,
    HEEDI_GRADIENT,
    HEEDI_RELEVANCE
} heedi_pass;

typedef struct heedi_rules {
    heedi_pass pass;
    const heedi_rule *rule;
} heedi_rules;

/* The backward function of a node under the rules. fn NULL: a leaf. */
typedef struct heedi_back {
    heedi_back_fn *fn;
    int needs; /* HEEDI_IN0 ...: values that it reads */
    int stops; /* inputs that it gives nothing */
} heedi_back;
heedi_back heedi_back_of(const heedi_node *y, heedi_rules r);

#endif
