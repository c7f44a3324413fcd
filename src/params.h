/* params.h - the tensors of a model, found by name and checked by shape. */
#ifndef HEEDI_PARAMS_H
#define HEEDI_PARAMS_H

#include "model.h"

/* Fill m->weight and m->vector from the family's table. HEED_EFORMAT names a
 * missing tensor or those that nobody asked for, HEED_ESHAPE a wrong shape,
 * HEED_ENOTSUP a number type that holds no weights. */
heed_status heedi_params_read(heed_model *m);

#endif
