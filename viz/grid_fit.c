#include "grid_fit.h"

#include <math.h>

void heedi_grid_fit(double room, int64_t n, double most, double least,
                    double *cell, int64_t *pool)
{
    *pool = (int64_t)ceil((double)n * least / fmax(room, least) - 1e-9);
    *pool = *pool > 1 ? *pool : 1;
    int64_t cells = (n + *pool - 1) / *pool;
    *cell = fmin(most, fmax(room, least) / (double)cells);
}
