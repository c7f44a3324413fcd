#include "shades.h"

#include <math.h>

#include "ctx.h"
#include "range.h"

static const double decades = 1e-4; /* of a logarithmic range, at most */

heedi_rgb heedi_shades_color(const heedi_shades *s, double x)
{
    if (s->is_log)
        return heedi_cmap_color(
            s->cmap, x <= s->low ? 0 : log(x / s->low) / log(s->high / s->low));
    return heedi_cmap_color(s->cmap, s->cmap->diverging
                                         ? x / s->high
                                         : (x - s->low) / (s->high - s->low));
}

heed_status heedi_shades_init(heedi_shades *s, heed_ctx *ctx, double *x,
                              int64_t n, double least, bool is_signed,
                              const heed_figure_options *o)
{
    heedi_range out = {0, 1};
    const char *name = o->cmap ? o->cmap : is_signed ? "rdbu_r" : "blues";
    HEEDI_TRY(heedi_range_of(&out, ctx, x, n, is_signed, o));
    *s = (heedi_shades){.is_signed = is_signed,
                        .is_log = o->log,
                        .low = out.low,
                        .high = out.high,
                        .cmap = heedi_cmap_named(name)};
    if (s->is_log && is_signed)
        return heedi_fail(ctx, HEED_EINVAL,
                          "a logarithmic range needs values that are not "
                          "negative");
    if (s->is_log && !(s->low > 0))
        s->low = fmax(least < s->high ? least : 0, decades * s->high);
    return s->cmap ? HEED_OK
                   : heedi_fail(ctx, HEED_EINVAL, "no colour map %s", name);
}
