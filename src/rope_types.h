/* rope_types.h - the rows of heedi_rope_type. */
#ifndef HEEDI_ROPE_TYPES_H
#define HEEDI_ROPE_TYPES_H

#include "rope.h"

extern const heedi_rope_type heedi_rope_types[]; /* ends at name == NULL */

#endif
