/* pooling.h - how a model makes one embedding of a text. */
#ifndef HEEDI_POOLING_H
#define HEEDI_POOLING_H

#include "model.h"

/* What modules.json and the folder of its Pooling say, or a GGUF file; without
 * any, the mean. Sets info.pooling and info.normalizes. HEED_ENOTSUP names a
 * kind of pooling or a module. */
heed_status heedi_pooling_read(heed_model *m, heedi_pool_args *out);

#endif
