/* rounds.h - the targets of a request, one of each input at a time: aimed at
 * after a forward pass, and the outcome of a backward pass. */
#ifndef HEEDI_ROUNDS_H
#define HEEDI_ROUNDS_H

#include "job.h"

typedef struct heedi_rounds {
    heedi_job *j;
    heedi_exec *e;
    heedi_outcome *out; /* (inputs, rounds) */
    int64_t round;      /* the one that runs */
    double *now;        /* of each input: the target at the last aim */
    heed_real *logit;   /* heedi_target_room() */
    heed_real *dense;   /* as many for each input, or NULL */
    heedi_seed *seed;
    double *value; /* of each seed */
    bool learned;  /* learned tokens have their own relevance, at the run's
                      prefix; else what the leaf's rows give */
} heedi_rounds;

/* Check all targets and allocate. e: a run of all inputs. */
heed_status heedi_rounds_init(heedi_rounds *r, heedi_job *j, heedi_exec *e);

/* Does input s have a target in this round? Its outcome then. */
bool heedi_has_target(const heedi_rounds *r, int64_t s);
heedi_outcome *heedi_outcome_of(const heedi_rounds *r, int64_t s);

/* After a forward pass: choose tokens, find values, and set the gradient at the
 * output of the last block. The first time in a round fills the outcomes. */
heed_status heedi_rounds_aim(heedi_rounds *r);
/* Of methods without a target: the positions alone, and outcomes. */
heed_status heedi_rounds_place(heedi_rounds *r);
/* The same for the tokens that were chosen, at other embeddings or by other
 * rules: only `now` and the gradient change. */
heed_status heedi_rounds_again(heedi_rounds *r);

/* Relevance of the tokens of input s, and of its pixels, from x g, or from g
 * where x is NULL: both (T, C) of the leaf. HEED_ENUMERIC names a token whose
 * relevance is not finite. */
heed_status heedi_rounds_read(heedi_rounds *r, int64_t s, const heed_real *x,
                              const heed_real *g);

/* The account of an outcome: residual = value - sum - absorbed. One beyond tol,
 * relative to the greater of |value| and the magnitude, is told at the end. */
void heedi_outcome_close(heedi_job *j, heedi_outcome *o, double tol);

/* Write every input. */
heed_status heedi_rounds_report(heedi_rounds *r);

#endif
