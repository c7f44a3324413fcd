#include "axis.h"

#include <math.h>
#include <stdbool.h>

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

/* Sizes in order that are far enough apart: parts of the threshold, then
 * decades and what divides them, or every k-th decade. */
static int sizes(const heedi_scale *s, double room, double *size)
{
    static const double part[] = {0.1, 0.2, 0.5, 1};
    double unit = fabs(s->to - s->from) / (bent(s, s->high) - bent(s, s->low));
    double most = fmax(fabs(s->low), fabs(s->high)) * (1 + 1e-9);
    int skip = (int)fmax(1, ceil(room / unit - 1e-9)), i = 0, n = 0;
    bool fine = log10(2) * unit >= room;
    while (i < 3 && part[i] * unit < room)
        i++;
    for (int k = 1; skip == 1 && k * part[i] < 1 + 1e-9; k++)
        size[n++] = k * (part[i] * s->threshold);
    double every = pow(10, skip);
    double x = skip > 1 ? s->threshold / 10 : s->threshold;
    for (; n + 3 < HEEDI_MAX_TICKS && x <= most; x *= every) {
        if (fine) {
            size[n++] = 2 * x;
            size[n++] = 5 * x;
        }
        size[n++] = x * every;
    }
    while (n > 0 && size[n - 1] > most)
        n--;
    return n;
}

static int bent_ticks(const heedi_scale *s, double room, double *tick)
{
    double size[HEEDI_MAX_TICKS];
    int k = sizes(s, room, size), n = 0;
    for (int i = k - 1; i >= 0; i--)
        if (-size[i] >= s->low && n < HEEDI_MAX_TICKS)
            tick[n++] = -size[i];
    for (int i = -1; i < k; i++) {
        double x = i < 0 ? 0 : size[i];
        if (x >= s->low && x <= s->high * (1 + 1e-9) && n < HEEDI_MAX_TICKS)
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
