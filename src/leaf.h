/* leaf.h - at which tensor a run is explained. */
#ifndef HEEDI_LEAF_H
#define HEEDI_LEAF_H

#include "exec.h"

typedef enum heedi_leaf {
    HEEDI_LEAF_WORD,  /* what the embedding, or the patches, give */
    HEEDI_LEAF_SUM,   /* with positions and types added to it */
    HEEDI_LEAF_NORMED /* what the norm right behind it gives */
} heedi_leaf;

/* NULL and names of `heed attribute --leaf`; HEED_EINVAL names another. */
heed_status heedi_leaf_named(heed_ctx *ctx, const char *name, int *leaf);
const char *heedi_leaf_name(int leaf);

/* The tape of block 0 is there, with `word` where it begins: the node of
 * e->o.leaf. HEED_ENOTSUP where there is none. */
heed_status heedi_leaf_choose(const heedi_exec *e, const heedi_node *word,
                              const heedi_node **out);

#endif
