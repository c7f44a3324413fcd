/* finite.h - a value that is not finite is an error that names where. */
#ifndef HEEDI_FINITE_H
#define HEEDI_FINITE_H

#include "exec.h"

/* HEED_ENUMERIC if the output of the block is not finite: it is run again,
 * operation by operation, to name the first one that fails, and its weight if
 * that is the reason. */
heed_status heedi_check_block(heedi_exec *e, int64_t block);

#endif
