/* job.h - one call of heed_attribute(): what a method's `run` works on. */
#ifndef HEEDI_JOB_H
#define HEEDI_JOB_H

#include <heed/attribute.h>

#include "exec.h"
#include "parts.h"
#include "reduce.h"
#include "target.h"

enum { HEEDI_MAX_OPTIONS = 16, HEEDI_MAX_RULES = 16 };

/* The explanation of one target of one input. */
typedef struct heedi_outcome {
    heedi_aim aim;
    heed_real *relevance;  /* T, after the reduction */
    heed_real *pixel;      /* (height, width), after the reduction; or NULL */
    heed_real *channel;    /* (channels, height, width), or NULL */
    heed_real *layer;      /* (L + 1, T) at the inputs of layers, or NULL */
    heedi_latent *latent;  /* or NULL */
    double sum, magnitude; /* sum R, sum |R| over tokens before the reduction */
    double absorbed, residual;
    heedi_parts *parts;  /* what `relevance` is made of, or NULL */
    double *positive;    /* T: sum of the positive parts of x g of a token, by
                            channel, and of its type's share of the sum;
                            only with HEEDI_READ_CHANNEL */
    heedi_ledger ledger; /* of this sequence alone (n_seq == 1), or n_ops 0 */
} heedi_outcome;

typedef struct heedi_job heedi_job;
struct heedi_job {
    heed_ctx *ctx;
    const heed_request *q;
    const heed_sink *sink;        /* one for each input */
    const heed_method_info *info; /* of the method */
    heedi_exec_options o;
    bool times_input;   /* R = x g; else g itself */
    bool keep_channels; /* relevance of pixels by channel, too */
    const char *units;  /* of relevance; NULL: by the above */
    heedi_reduction reduce;
    const char *reduce_name;
    double opt[HEEDI_MAX_OPTIONS];
    const char *opt_text[HEEDI_MAX_OPTIONS];
    heedi_rule *rule; /* ends at back == NULL */
    int64_t n_rules;
    int64_t neurons; /* of a layer, if their relevance is kept */
    /* Relevance of a token from those of its parts; NULL: there are none. */
    void (*aggregate)(const heedi_job *j, heedi_outcome *o);

    heedi_arena mem;
    int64_t n;                  /* inputs */
    int64_t rows;               /* tokens of all */
    int64_t *len;               /* of each */
    int32_t *id;                /* of all */
    const heed_tokens **tokens; /* of each */
    heed_tokens **own;          /* of pictures that came without; or NULL */
    int64_t parts;    /* sequences of each: 2 if two texts are compared */
    int64_t *seq;     /* their lengths (n parts) */
    uint8_t *segment; /* of all tokens */
    bool alone;       /* the tokens are run as they are; for checks */
    int64_t rounds;   /* most targets of any input */
    const heed_target **target; /* of each input */
    int64_t *n_targets;
    void *more;        /* what the method's `check` found out, for its `run` */
    const char *group; /* "explanations/attn_lrp" */
    bool warned;       /* of a negative logit: once is enough */
    heed_status late;  /* a residual beyond the tolerance, told at the end */
    char late_msg[512];
};

/* A further row, after the others; of a method at most HEEDI_MAX_RULES. */
static inline void heedi_job_rule(heedi_job *j, heedi_rule r)
{
    j->rule[j->n_rules++] = r;
}

/* A run of all inputs, with the engine's options of the job; and its plan. */
heed_status heedi_job_exec(heedi_job *j, heedi_exec *e);
heed_status heedi_job_plan(heedi_job *j, heedi_exec *e);

/* When inputs and targets are there: the sequences of a run, their segments,
 * and the positions of masks. HEED_EINVAL. */
heed_status heedi_job_sequences(heedi_job *j);

/* The first row of an input in the batch of such a run. */
static inline int64_t heedi_first_row(const heedi_job *j, const heedi_exec *e,
                                      int64_t input)
{
    return e->batch.start[input * j->parts];
}

/* The whole of a method that is only a set of rules: forward, then one
 * backward pass for each target, relevance at the embeddings. */
heed_status heedi_run_gradient(heedi_job *j);

/* Write "input" of one input. */
heed_status heedi_report_input(heedi_job *j, int64_t input);

/* Write "input" and the explanation group of one input; r: n_targets of
 * them. */
heed_status heedi_report(heedi_job *j, int64_t input, const heedi_outcome *r);
/* Its target and position alone, as attributes of j->group. */
heed_status heedi_report_target(heedi_job *j, int64_t input,
                                const heedi_outcome *r);

#endif
