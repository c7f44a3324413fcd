#include "quadrature.h"

#include <math.h>

/* P_n and its derivative at x in (-1, 1), by the three-term recurrence. */
static double legendre(int64_t n, double x, double *slope)
{
    double p = 1, before = 0;
    for (int64_t i = 1; i <= n; i++) {
        double next = ((double)(2 * i - 1) * x * p - (double)(i - 1) * before) /
                      (double)i;
        before = p;
        p = next;
    }
    *slope = (double)n * (before - x * p) / (1 - x * x);
    return p;
}

/* Newton's method from Tricomi's approximation, which is near enough for any
 * n: a few steps double the digits until nothing changes. */
void heedi_gauss(int64_t n, int64_t k, double *x, double *w)
{
    const double pi = 3.14159265358979323846, m = (double)n;
    double slope, step = 1;
    double z = (1 - (m - 1) / (8 * m * m * m)) *
               cos(pi * ((double)k + 0.75) / (m + 0.5));
    for (int i = 0; i < 20 && fabs(step) > 1e-15; i++) {
        step = legendre(n, z, &slope) / slope;
        z -= step;
    }
    legendre(n, z, &slope);
    *x = (1 - z) / 2; /* z falls with k */
    *w = 1 / ((1 - z * z) * slope * slope);
}

void heedi_midpoint(int64_t n, int64_t k, double *x, double *w)
{
    *x = ((double)k + 0.5) / (double)n;
    *w = 1 / (double)n;
}

void heedi_trapezoid(int64_t n, int64_t k, double *x, double *w)
{
    *x = (double)k / (double)(n - 1);
    *w = (k == 0 || k == n - 1 ? 0.5 : 1) / (double)(n - 1);
}
