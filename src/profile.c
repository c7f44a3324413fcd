#include "profile.h"

#include <math.h>

/* In one pass: entropy is ln mass - sum a ln a / mass. */
heedi_reach heedi_reach_of(const heed_real *a, int64_t n, int64_t q,
                           int64_t from, int64_t to)
{
    heedi_reach r = {0};
    double far = 0, log_sum = 0, needle = 0;
    for (int64_t c = 0; c < n; c++) {
        const double x = (double)a[c];
        if (x == 0) /* most of it is not seen */
            continue;
        r.mass += x;
        far += x * fabs((double)(q - c));
        log_sum += x * log(x);
    }
    for (int64_t c = from; c < to && c < n; c++)
        needle += (double)a[c];
    if (!(r.mass > 0))
        return (heedi_reach){0};
    r.distance = far / r.mass;
    r.entropy = fmax(log(r.mass) - log_sum / r.mass, 0);
    r.first = (double)a[0] / r.mass;
    r.needle = needle / r.mass;
    return r;
}

void heedi_lag_add(const heed_real *a, int64_t q, double mass, int64_t from,
                   int64_t to, double *share, double *rows)
{
    for (int64_t lag = from; mass > 0 && lag < to && lag <= q; lag++) {
        share[lag] += (double)a[q - lag] / mass;
        rows[lag]++;
    }
}

heedi_decay heedi_decay_fit(const double *share, int64_t n, int log_lag)
{
    double w = 0, x = 0, y = 0, xx = 0, xy = 0, yy = 0;
    int64_t points = 0;
    for (int64_t lag = 1; lag <= (n - 1) / 2; lag++) {
        if (!(share[lag] > 0))
            continue;
        const double k = 1 / (double)lag, v = log(share[lag]);
        const double u = log_lag ? log((double)lag) : (double)lag;
        w += k;
        x += k * u;
        y += k * v;
        xx += k * u * u;
        xy += k * u * v;
        yy += k * v * v;
        points++;
    }
    const double var = w * xx - x * x, cov = w * xy - x * y;
    const double all = w * yy - y * y;
    if (points < 3 || !(var > 0))
        return (heedi_decay){(double)NAN, (double)NAN};
    return (heedi_decay){cov / var,
                         all > 0 ? cov * cov / (var * all) : (double)NAN};
}
