#include "reduce.h"

#include <math.h>

double heedi_reduce(heedi_reduction r, const heed_real *x, const heed_real *g,
                    int64_t n)
{
    double sum = 0, l1 = 0, l2 = 0, max = -HUGE_VAL, most = 0;
    for (int64_t i = 0; i < n; i++) {
        double v = (double)g[i] * (x ? (double)x[i] : 1);
        sum += v;
        l1 += fabs(v);
        l2 += v * v;
        max = v > max ? v : max;
        most = fabs(v) > fabs(most) ? v : most;
    }
    switch (r) {
    case HEEDI_MEAN:
        return sum / (double)n;
    case HEEDI_L1:
        return l1;
    case HEEDI_L2:
        return sqrt(l2);
    case HEEDI_ABSMAX:
        return fabs(most);
    case HEEDI_MAX:
        return max;
    default:
        return sum;
    }
}
