/* exec.h - a run of a model over a batch: forward and backward, block by
 * block, in memory that is planned before anything runs.
 *
 * The residual stream is kept at the borders between blocks. Each block either
 * keeps what its backward pass reads, or computes it again from its border;
 * both give the same bits. */
#ifndef HEEDI_EXEC_H
#define HEEDI_EXEC_H

#include <heed/attribute.h>

#include "latent.h"
#include "model.h"
#include "readout.h"
#include "threads.h"

typedef struct heedi_exec_options {
    heedi_rules rules;      /* pass HEEDI_FORWARD: there is no backward pass */
    const heedi_rule *also; /* a table of which some rule may be run, too: its
                               working memory is planned */
    bool account;           /* sinks are filled */
    bool detail;            /* relevance in and out of every operation, too */
    bool mixing;            /* a visitor asks for mixing views */
    bool watch_mixing;      /* a watcher asks for them in a backward pass */
    bool watch_output; /* a watcher asks for the gradient of what mixers give */
    bool plain;     /* a pass without `rules.rule` is run, too: what it reads is
                       kept */
    int keep;       /* HEEDI_KEEP_LAYER ...: latent.h */
    bool recompute; /* no block keeps anything, whatever memory there is */
    int64_t state;  /* > 0: each sequence keeps a state of so many positions,
                       and can be continued */
    int64_t head_rows; /* rows whose logits are wanted */
    bool head_full;    /* all logits, not some tokens' */
    bool cap_slope;    /* relevance of capped logits by the derivative */
    bool center;       /* logit targets are less the mean of the others */
    bool leaf_full;    /* all rows of the embedding, not some tokens' */
    int leaf;          /* HEEDI_LEAF_WORD ...: leaf.h */
    int readout;       /* HEEDI_READ_POSITION ...: readout.h; 0: nothing */
    const heed_real *pixels; /* (rows, leaf->cols): what a model that reads
                                images is run on, in place of ids */
    uint64_t results;        /* bytes that the caller will need, for the plan */
    uint64_t spared;  /* of these, what it would do without if there were less
                         memory; a plan that is made has room for it */
    uint64_t program; /* heed_request.program */
    uint64_t before;  /* bytes that were in use before the run, beside the
                         program: to read pictures */
    const double *opt;
    bool raw; /* mixing matrices are without the sizes of steps */
    const struct heedi_stabiliser *stab; /* of denominators; NULL: none */
    const uint8_t *segment; /* of all tokens; NULL: all 0. The caller's, as
                               long as the run */
} heedi_exec_options;

typedef struct heedi_exec_block {
    heedi_tape tape;
    heedi_node *out;
    bool keep;
    size_t kept, temp, back; /* bytes: for the backward pass, working forward,
                                working backward */
} heedi_exec_block;

/* Called before the backward function of an operation that `keep` is about, or
 * that has a mixing view and o.watch_mixing is set, or that gives what a mixer
 * adds to the stream and o.watch_output is: y->x and y->g are there. */
struct heedi_exec;
typedef void heedi_watch_fn(void *ud, const struct heedi_exec *e,
                            const heedi_node *y);

/* Stays where it is: run points into it. */
typedef struct heedi_exec {
    heed_ctx *ctx;
    const heed_model *m;
    heedi_exec_options o;
    heedi_arena mem;
    heedi_batch batch, one; /* one: a single row, of heedi_exec_feed() */
    heedi_run run;
    heedi_ledger ledger;
    heedi_readout readout;
    heedi_team team;
    int64_t n_blocks;
    heedi_exec_block *block;
    int n_ops;                /* the head is number n_ops - 1 */
    const heedi_node *leaf;   /* where relevance is read: o.leaf */
    const heedi_node *word;   /* what the embedding gives, or the patches */
    const heed_real *point;   /* (rows, C) in place of the leaf's value, where
                                 that is not `word`; or NULL */
    const heedi_node *prefix; /* learned tokens, which are leaves too; or
                                 NULL */
    heed_real **border;       /* output of each block, (rows, C) */
    heed_real *g_border[2];   /* gradient at two neighbouring borders */
    int32_t *id;
    void *slab; /* values and gradients */
    size_t slab_bytes, scratch_bytes, state_bytes;
    double *rope_work;
    heedi_watch_fn *watch; /* set by the caller before a backward pass */
    void *watch_ud;
    heed_real *logit; /* heedi_head_room() values */
    double flops;     /* of one forward pass */
    heed_plan plan;
} heedi_exec;

/* HEED_EINVAL names a token of a segment that a model of n_segments does not
 * have. */
heed_status heedi_segments_check(heed_ctx *ctx, int64_t n_segments,
                                 const uint8_t *segment, int64_t n);

/* Build, plan, allocate. len: n_seq lengths; id: all tokens, one sequence
 * after the other. HEED_EINVAL for an id out of range or a sequence that is
 * empty or too long, HEED_ENOMEM. After a failure there is nothing to clear. */
heed_status heedi_exec_init(heedi_exec *e, heed_ctx *ctx, const heed_model *m,
                            const int64_t *len, int64_t n_seq,
                            const int32_t *id, const heedi_exec_options *o);
/* Everything but the memory of the run: e->plan is there afterwards. */
heed_status heedi_exec_plan(heedi_exec *e, heed_ctx *ctx, const heed_model *m,
                            const int64_t *len, int64_t n_seq,
                            const int32_t *id, const heedi_exec_options *o);
void heedi_exec_clear(heedi_exec *e);

/* Called after a block has run; NULL: nobody asks. */
typedef heed_status heedi_visit_fn(void *ud, heedi_exec *e, int64_t block);

/* With heedi_exec_replace() before it the leaf's values are read from there,
 * and with e->run.leaf the embeddings; both must stay until the backward pass
 * is over. */
heed_status heedi_exec_forward(heedi_exec *e, heedi_visit_fn *visit, void *ud);

/* x: (rows, cols of the leaf); NULL: as the model has it. */
void heedi_exec_replace(heedi_exec *e, const heed_real *x);

/* From heedi_exec_seed() to the leaf; visit sees border gradients in
 * e->g_border, see heedi_exec_g(). */
heed_status heedi_exec_backward(heedi_exec *e, heedi_visit_fn *visit, void *ud);

/* After a forward pass: the blocks from the last to the first, with the values
 * that are kept, those of other blocks computed again. */
heed_status heedi_exec_revisit(heedi_exec *e, heedi_visit_fn *visit, void *ud);

/* Is its output read by a watcher? */
bool heedi_exec_watches(const heedi_exec *e, const heedi_node *y);

/* The (rows, C) gradient at the output of a block: before the backward pass of
 * the last one, to be filled by the caller; in a visit of block b, of b and
 * b-1. */
heed_real *heedi_exec_g(const heedi_exec *e, int64_t block);

/* The most dimensions that any of the model's rotations turns; 0: none. */
int64_t heedi_exec_rotated(const heedi_exec *e);
/* Columns of the widest border: what the head reads may be wider than the
 * model. */
int64_t heedi_exec_widest(const heedi_exec *e);

/* Rows of the embedding for n tokens: (n, C). */
void heedi_exec_leaf(const heedi_exec *e, const int32_t *id, int64_t n,
                     heed_real *out);

/* With a state: run b, of no more sequences and rows than the run was made for;
 * sequence s continues its state at position b->pos0. ids are not those of b:
 * set e->run.leaf. */
heed_status heedi_exec_continue(heedi_exec *e, const heedi_batch *b);
/* The state of one sequence becomes that of another. */
void heedi_exec_copy_state(heedi_exec *e, int64_t from, int64_t to);

/* With a state: run the next token of the only sequence. */
heed_status heedi_exec_feed(heedi_exec *e, int32_t id);

#endif
