/* steps.h - the ledger as a way down from the target: what each block of the
 * model keeps, from the head to the embedding. */
#ifndef HEEDI_STEPS_H
#define HEEDI_STEPS_H

#include "entry.h"

enum { HEEDI_MAX_STEP_ENTRIES = 16 };

/* One block: operations in a row whose names have the same number. */
typedef struct heedi_step_block {
    const char *label; /* "29", "head" */
    bool is_numbered;
    double sink[HEEDI_MAX_STEP_ENTRIES];
} heedi_step_block;

typedef struct heedi_steps {
    heedi_step_block *block; /* from the head down */
    int64_t n_blocks, n_numbered;
    const heedi_entry_look *look[HEEDI_MAX_STEP_ENTRIES];
    double total[HEEDI_MAX_STEP_ENTRIES];
    int n_entries;
    double target, tokens; /* what it starts with, what arrives */
} heedi_steps;

/* HEED_EINVAL: no account for the view's target; HEED_ENUMERIC. Memory is the
 * view's. */
heed_status heedi_steps_init(heedi_steps *s, heedi_view *v);

#endif
