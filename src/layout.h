/* layout.h - where the values and gradients of a block lie. */
#ifndef HEEDI_LAYOUT_H
#define HEEDI_LAYOUT_H

#include "exec.h"

/* Find the size of the block's three areas, and the offset of every buffer in
 * them. Offsets are stored in the pointers until heedi_layout_bind(). */
void heedi_layout_block(heedi_exec *e, int64_t block);

/* Turn offsets into addresses. kept, temp: start of the areas (temp serves
 * forward and backward). */
void heedi_layout_bind(heedi_exec *e, int64_t block, char *kept, char *temp);

#endif
