#include "axis.h"

#include <math.h>

static double bent(const heedi_scale *s, double x)
{
    double t = s->threshold, a = fabs(x);
    if (!(t > 0))
        return x;
    /* a decade takes as much room as the way from zero to the threshold */
    return copysign(a <= t ? a / t : 1 + log10(a / t), x);
}

double heedi_scale_at(const heedi_scale *s, double x)
{
    double low = bent(s, s->low), high = bent(s, s->high);
    return s->from + (bent(s, x) - low) / (high - low) * (s->to - s->from);
}

double heedi_round_up(double x)
{
    static const double nice[] = {1, 2, 5, 10};
    double power = pow(10, floor(log10(x)));
    for (int i = 0; i < 4; i++)
        if (nice[i] * power >= x * (1 - 1e-9))
            return nice[i] * power;
    return 10 * power;
}

int64_t heedi_step(double least)
{
    return least > 1 ? (int64_t)llrint(heedi_round_up(least)) : 1;
}

static int linear_ticks(const heedi_scale *s, double room, double *tick)
{
    double length = fabs(s->to - s->from), span = s->high - s->low;
    double most = fmin(floor(length / room), HEEDI_MAX_TICKS - 2);
    double step = heedi_round_up(span / fmax(most, 1));
    int n = 0;
    for (double k = ceil(s->low / step - 1e-9);
         n < HEEDI_MAX_TICKS && k * step <= s->high + 1e-9 * span; k++)
        tick[n++] = k == 0 ? 0 : k * step;
    return n;
}

/* Every k-th decade, so that they are far enough apart. */
static int bent_ticks(const heedi_scale *s, double room, double *tick)
{
    double unit = fabs(s->to - s->from) / (bent(s, s->high) - bent(s, s->low));
    int every = (int)fmax(1, ceil(room / unit)), n = 0;
    for (double k = -300; k <= 300; k++) {
        double x = k == 0 ? 0
                          : copysign(s->threshold *
                                         pow(10, (fabs(k) - 1) * every), k);
        if (x >= s->low * (1 + 1e-9) - 1e-300 && x <= s->high * (1 + 1e-9) &&
            n < HEEDI_MAX_TICKS)
            tick[n++] = x;
    }
    return n;
}

int heedi_scale_ticks(const heedi_scale *s, double room,
                      double tick[HEEDI_MAX_TICKS])
{
    return s->threshold > 0 ? bent_ticks(s, room, tick)
                            : linear_ticks(s, room, tick);
}
