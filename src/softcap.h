/* softcap.h - y = cap tanh(z / cap), z a logit; cap 0: y = z. */
#ifndef HEEDI_SOFTCAP_H
#define HEEDI_SOFTCAP_H

double heedi_softcap(double cap, double z);

/* What a cotangent of y is multiplied with to be one of z: dy/dz, or, under
 * relevance, y/z. */
double heedi_softcap_slope(double cap, double z);
double heedi_softcap_quotient(double cap, double z);

#endif
