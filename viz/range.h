/* range.h - the values that a scale of colours covers. */
#ifndef HEEDI_RANGE_H
#define HEEDI_RANGE_H

#include <heed/figure.h>
#include <stdbool.h>

typedef struct heedi_range {
    double low, high; /* low = -high if signed */
} heedi_range;

/* Whether the range is a percentile of the values, rather than all of them. */
bool heedi_is_percentile(const heed_figure_options *o);

/* From the sizes |x| of n values, which may get sorted: their greatest, or
 * their percentile o->robust, unless o->vmin and o->vmax say it. HEED_EINVAL:
 * the range is empty. */
heed_status heedi_range_of(heedi_range *out, heed_ctx *ctx, double *x,
                           int64_t n, bool is_signed,
                           const heed_figure_options *o);

#endif
