/* profile.h - how far rows of non-negative weights reach. */
#ifndef HEEDI_PROFILE_H
#define HEEDI_PROFILE_H

#include <heed/real.h>
#include <stdint.h>

/* Of one row q: weights a (T) >= 0. Without mass everything is 0. */
typedef struct heedi_reach {
    double mass;     /* sum of a */
    double distance; /* sum |q - c| a_c / mass */
    double entropy;  /* -sum p ln p, p = a / mass */
    double first;    /* p of position 0 */
    double needle;   /* p of positions from ... to - 1 */
} heedi_reach;

heedi_reach heedi_reach_of(const heed_real *a, int64_t n, int64_t q,
                           int64_t from, int64_t to);

/* share[lag] += p[q - lag], rows[lag] += 1 for lag from ... to - 1, at most q;
 * nothing of a row without mass. */
void heedi_lag_add(const heed_real *a, int64_t q, double mass, int64_t from,
                   int64_t to, double *share, double *rows);

/* Least squares of ln share on the lag, or on its logarithm, over lags from 1
 * to half of the last that have a positive share, each counted by 1/lag, so
 * that each octave counts alike. slope is NaN with fewer than 3 lags. */
typedef struct heedi_decay {
    double slope, r2;
} heedi_decay;

heedi_decay heedi_decay_fit(const double *share, int64_t n, int log_lag);

#endif
