/* tape.h - the operations of one block, in order. */
#ifndef HEEDI_TAPE_H
#define HEEDI_TAPE_H

#include <heed/method.h>

#include "arena.h"
#include "op.h"

/* The first failure while building sticks in `status`; later steps become
 * no-ops, so a model is written without a check on every line. */
typedef struct heedi_tape {
    heed_ctx *ctx;
    heedi_arena *mem;
    const char *prefix; /* of the names of its operations: "blk.3." */
    int first_id;       /* ledger number of the first operation */
    int64_t layer;      /* -1: before the first layer; L: after the last one */
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

/* One row of a rule table: on nodes of `op` (NULL: on the linear ones) whose
 * name matches `glob` (NULL: all), propagate with `back`, which reads what
 * `needs` says and finds the row, with its numbers, in run->rule. The last
 * match wins. A table ends at back == NULL. */
typedef struct heedi_rule {
    const heedi_op *op;
    const char *glob;
    heedi_back_fn *back;
    int needs, stops;
    const char *name; /* as `heed methods --rules` prints it; NULL: none */
    double arg[HEED_RULE_ARGS];
    /* Bytes of working memory; NULL: as the operation itself. */
    size_t (*scratch)(const heedi_node *y, const heedi_batch *b, int threads);
} heedi_rule;

/* Whose own functions apply where `rules` (or NULL) has none. */
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
    int needs;              /* HEEDI_IN0 ...: values that it reads */
    int stops;              /* inputs that it gives nothing */
    const heedi_rule *rule; /* or NULL: the operation's own */
} heedi_back;
heedi_back heedi_back_of(const heedi_node *y, heedi_rules r);

/* Does a pattern mean an operation of this name? A name of a layer is meant
 * with its "blk.3.", as "layers.3.", and without: "mlp.*" is of every layer. */
bool heedi_name_matches(const char *glob, const char *name);

bool heedi_rule_applies(const heedi_rule *k, const heedi_op *op,
                        const char *name);

/* The rule of the head, which is no node, or NULL: it passes on W^T g. */
const heedi_rule *heedi_head_rule(heedi_rules r);

#endif
