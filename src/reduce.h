/* reduce.h - reductions: of the hidden dimension of a token to one number, or
 * of the heads of an attention map. */
#ifndef HEEDI_REDUCE_H
#define HEEDI_REDUCE_H

#include <heed/real.h>
#include <stdint.h>

typedef enum heedi_reduction {
    HEEDI_SUM,
    HEEDI_MEAN,
    HEEDI_L1,
    HEEDI_L2,
    HEEDI_ABSMAX,
    HEEDI_MAX,
    HEEDI_POS_MEAN,
    HEEDI_ABS_MEAN,
    HEEDI_WEIGHTED, /* by gradient and operand */
    HEEDI_NONE,
    HEEDI_AUTO /* none of heads, the mean of channels */
} heedi_reduction;

/* Of x[i] g[i], or of g[i] where x is NULL; of the first six. */
double heedi_reduce(heedi_reduction r, const heed_real *x, const heed_real *g,
                    int64_t n);

#endif
