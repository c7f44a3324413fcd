/* shades.h - how weights become colours: their range, linear or logarithmic,
 * and the colour map. */
#ifndef HEEDI_SHADES_H
#define HEEDI_SHADES_H

#include <heed/figure.h>
#include <stdbool.h>

#include "color.h"

typedef struct heedi_shades {
    bool is_signed, is_log;
    double low, high; /* the range of colours */
    const heedi_cmap *cmap;
} heedi_shades;

/* From the sizes |x| of n values, which may get sorted, and the least of them
 * above 0. HEED_EINVAL: the range is empty, or logarithmic with a sign, or no
 * such colour map. */
heed_status heedi_shades_init(heedi_shades *s, heed_ctx *ctx, double *x,
                              int64_t n, double least, bool is_signed,
                              const heed_figure_options *o);

heedi_rgb heedi_shades_color(const heedi_shades *s, double x);

#endif
