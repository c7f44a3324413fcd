#include "range.h"

#include <math.h>
#include <stdlib.h>

#include "ctx.h"

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Between the two values around the q-th percentile. */
static double percentile(const double *x, int64_t n, double q)
{
    double at = q / 100 * (double)(n - 1);
    int64_t i = (int64_t)at;
    return i + 1 < n ? x[i] + (at - (double)i) * (x[i + 1] - x[i]) : x[n - 1];
}

bool heedi_is_percentile(const heed_figure_options *o)
{
    return o->robust > 0 && o->robust < 100 && o->vmin == 0 && o->vmax == 0;
}

heed_status heedi_range_of(heedi_range *out, heed_ctx *ctx, double *x,
                           int64_t n, bool is_signed,
                           const heed_figure_options *o)
{
    if (!(o->robust >= 0 && o->robust <= 100))
        return heedi_fail(ctx, HEED_EINVAL,
                          "robust is %g, must be from 0 to 100", o->robust);
    double most = 0, high = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, x[i]);
    if (n > 0 && heedi_is_percentile(o)) {
        qsort(x, (size_t)n, sizeof *x, by_value);
        high = percentile(x, n, o->robust);
    }
    out->high = high > 0 ? high : most > 0 ? most : 1;
    out->low = is_signed ? -out->high : 0;
    if (o->vmin == 0 && o->vmax == 0)
        return HEED_OK;
    /* zero stays in the middle of a signed range */
    out->high = is_signed ? fmax(fabs(o->vmin), fabs(o->vmax)) : o->vmax;
    out->low = is_signed ? -out->high : o->vmin;
    if (o->vmin < o->vmax && isfinite(out->low) && isfinite(out->high))
        return HEED_OK;
    return heedi_fail(ctx, HEED_EINVAL, "range from %g to %g is empty", o->vmin,
                      o->vmax);
}
