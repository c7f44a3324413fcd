/* plan.h - which blocks keep their activations, and the peak that follows. */
#ifndef HEEDI_PLAN_H
#define HEEDI_PLAN_H

#include "exec.h"

/* Fill e->plan and block[].keep. HEED_ENOMEM if even recomputing everything
 * exceeds the context's limit or the machine. */
heed_status heedi_plan_exec(heedi_exec *e);

#endif
