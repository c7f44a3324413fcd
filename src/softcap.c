#include "softcap.h"

#include <math.h>

double heedi_softcap(double cap, double z)
{
    return cap > 0 ? cap * tanh(z / cap) : z;
}

/* Not by 1 - tanh^2, of which nothing is left where y is close to the cap. */
double heedi_softcap_slope(double cap, double z)
{
    const double c = cap > 0 ? 1 / cosh(z / cap) : 1;
    return c * c;
}

double heedi_softcap_quotient(double cap, double z)
{
    return cap > 0 && z != 0 ? tanh(z / cap) / (z / cap) : 1;
}
