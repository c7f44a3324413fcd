/* plan.h - which blocks keep their activations, and the peak that follows. */
#ifndef HEEDI_PLAN_H
#define HEEDI_PLAN_H

#include "exec.h"

/* Fill e->plan and block[].keep. HEED_ENOMEM if even recomputing everything
 * exceeds the context's limit or the machine. */
/* Bytes that a run may take: --max-memory, or most of what the machine has
 * left; 0 if nobody knows. p: program is there. */
uint64_t heedi_plan_limit(const heed_ctx *ctx, const heed_plan *p);

heed_status heedi_plan_exec(heedi_exec *e);

#endif
