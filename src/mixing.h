/* mixing.h - products with mixing matrices: an operation's own, or by its rows,
 * which are made a tile at a time and thrown away. */
#ifndef HEEDI_MIXING_H
#define HEEDI_MIXING_H

#include "op.h"

/* Columns of a head; of column d of y, the one of the operand that it reads. */
int64_t heedi_mixing_width(const heedi_node *y);
int64_t heedi_mixing_column(const heedi_node *y, int64_t d);

/* Which way a row looks: "forward" (at what is before it, as time runs),
 * "backward" (at what is behind it) or "both". */
const char *heedi_mixing_direction(const heedi_node *y);

/* gv = M^T g and out = M x of all sequences, which began with this run; see
 * heedi_mixing. All threads; scratch: heedi_mixing_scratch() bytes. */
size_t heedi_mixing_scratch(const heedi_node *y, const heedi_batch *b,
                            int threads);
void heedi_mixing_transpose(const heedi_node *y, const heedi_run *run,
                            const heed_real *g, heed_real *gv, void *scratch);
void heedi_mixing_apply(const heedi_node *y, const heedi_run *run,
                        const heed_real *x, heed_real *out, void *scratch);

#endif
